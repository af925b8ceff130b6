// aws_keys_test.c: where the keys of AWS and its region come from: options, the environment, shared files, the endpoint of a
// container, that of an instance; and how they are renewed.
#include <sys/stat.h>

#include "aws_service.h"
#include "transport/aws_client.h"
#include "value/datetime.h"

static char folder[] = "/tmp/neap-keys.XXXXXX";
static struct neap__error fault;

// Nothing but what a test says.
static void clear(void) {
  static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                      "AWS_SECRET_ACCESS_KEY",
                                      "AWS_SESSION_TOKEN",
                                      "AWS_PROFILE",
                                      "AWS_REGION",
                                      "AWS_DEFAULT_REGION",
                                      "AWS_SHARED_CREDENTIALS_FILE",
                                      "AWS_CONFIG_FILE",
                                      "AWS_WEB_IDENTITY_TOKEN_FILE",
                                      "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                      "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                      "AWS_EC2_METADATA_SERVICE_ENDPOINT"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
  setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
  setenv("HOME", folder, 1);
}

static char *path_of(const char *name) {
  static char path[200];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void write_file(const char *name, const char *text) {
  FILE *file = fopen(path_of(name), "w");
  fputs(text, file);
  fclose(file);
}

static bool open_so(struct aws_options o) {
  o.service = "dynamodb";
  if (!o.endpoint) o.endpoint = url;
  client = neap__aws_open(neap_lua(host), &o, &fault);
  return client != NULL;
}

static bool refused(struct aws_options o, enum neap__kind kind, const char *words) {
  if (open_so(o)) {
    neap__aws_close(client);
    printf("  it opens\n");
    return false;
  }
  bool so = fault.kind == kind && strstr(fault.message, words) && strcmp(fault.store, "dynamodb") == 0;
  if (!so) printf("  %d: %s\n", fault.kind, fault.message);
  return so;
}

static bool works(void) {
  struct sent s = {.done = 0};
  bool ok = run(&s, "Test.Do", "{\"id\":\"keys\"}") && !s.call.failed;
  fault = s.call.error;
  neap__aws_drop(&s.call);
  return ok;
}

static bool works_with(struct aws_options o) {
  if (!open_so(o)) return false;
  bool ok = works();
  neap__aws_close(client);
  return ok;
}

static bool region_is(struct aws_options o, const char *region) {
  bool ok = open_so(o) && strcmp(neap__aws_region(client), region) == 0;
  neap__aws_close(client);
  return ok;
}

// ---- Options and the environment ----

static void test_environment(void) {
  clear();
  CHECK(refused((struct aws_options){.region = "r"}, NEAP_AUTH, "no keys are given"));
  CHECK(refused((struct aws_options){.region = "r", .access_key = KEY}, NEAP_USAGE, "together"));
  setenv("AWS_ACCESS_KEY_ID", KEY, 1);
  setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
  CHECK(works_with((struct aws_options){.region = "r"}));
  setenv("AWS_SESSION_TOKEN", "of/the+environment==", 1);
  CHECK(works_with((struct aws_options){.region = "r"}));
  setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
  CHECK(!works_with((struct aws_options){.region = "r"}));
  CHECK(works_with((struct aws_options){.region = "r", .access_key = KEY, .secret_key = SECRET}));
}

static void test_region(void) {
  clear();
  struct aws_options o = {.access_key = KEY, .secret_key = SECRET}, given = {"dynamodb", .region = "eu-west-1"};
  given.access_key = KEY, given.secret_key = SECRET;
  CHECK(refused(o, NEAP_USAGE, "no region is given"));
  write_file(".aws/config", "[default]\nregion=eu-south-1\n[profile other]\nregion = eu-south-2\n");
  CHECK(region_is(o, "eu-south-1"));
  setenv("AWS_PROFILE", "other", 1);
  CHECK(region_is(o, "eu-south-2"));
  setenv("AWS_DEFAULT_REGION", "us-west-2", 1);
  CHECK(region_is(o, "us-west-2"));
  setenv("AWS_REGION", "us-east-1", 1);
  CHECK(region_is(o, "us-east-1"));
  CHECK(region_is(given, "eu-west-1"));
  remove(path_of(".aws/config"));
}

static void test_endpoint(void) {
  struct aws_options o = {.service = "dynamodb", .region = "eu-west-1", .access_key = KEY, .secret_key = SECRET};
  CHECK((client = neap__aws_open(neap_lua(host), &o, &fault)) &&
        strcmp(neap__aws_endpoint(client), "https://dynamodb.eu-west-1.amazonaws.com") == 0);
  neap__aws_close(client);
  o.region = "cn-north-1";
  CHECK((client = neap__aws_open(neap_lua(host), &o, &fault)) &&
        strcmp(neap__aws_endpoint(client), "https://dynamodb.cn-north-1.amazonaws.com.cn") == 0);
  neap__aws_close(client);
  setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
  CHECK((client = neap__aws_open(neap_lua(host), &o, &fault)) &&
        strcmp(neap__aws_endpoint(client), "http://127.0.0.1:1") == 0);
  neap__aws_close(client);
  setenv("AWS_ENDPOINT_URL_DYNAMODB", url, 1);
  CHECK((client = neap__aws_open(neap_lua(host), &o, &fault)) && works());
  neap__aws_close(client);
  unsetenv("AWS_ENDPOINT_URL");
  unsetenv("AWS_ENDPOINT_URL_DYNAMODB");
  o.region = "elsewhere.example/";
  CHECK(refused(o, NEAP_USAGE, "\"elsewhere.example/\" is no region"));
  o.region = "eu-west-1";
  o.endpoint = "http://127.0.0.1:8000/path";
  CHECK(refused(o, NEAP_USAGE, "without a path"));
  o.endpoint = "ftp://127.0.0.1";
  CHECK(refused(o, NEAP_USAGE, "http and https"));
}

// Certificates that are not the system's.
static void test_certificates(void) {
  char command[400], address[64];
  struct aws_options o = {.region = "r", .endpoint = address, .access_key = KEY, .secret_key = SECRET, .attempts = 1};
  snprintf(command, sizeof command,
           "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=neap -addext "
           "subjectAltName=IP:127.0.0.1 -keyout %s/key -out %s/certificate 2> /dev/null",
           folder, folder);
  CHECK(system(command) == 0);
  snprintf(command, sizeof command, "tests/services/aws %s/certificate %s/key", folder, folder);
  pid_t pid = start_service(command, "https", address);
  CHECK(pid != 0 && !works_with(o) && fault.kind == NEAP_CONNECTION && !fault.retryable);
  setenv("AWS_CA_BUNDLE", path_of("certificate"), 1);
  CHECK(works_with(o));
  unsetenv("AWS_CA_BUNDLE");
  kill(pid, SIGKILL);
  remove(path_of("certificate"));
  remove(path_of("key"));
}

// ---- Shared files ----

static void test_profiles(void) {
  clear();
  write_file(".aws/credentials",
             "# keys\n[default]\naws_access_key_id = " KEY "\naws_secret_access_key=" SECRET
             "\n\n"
             "[ other ]\r\nAWS_ACCESS_KEY_ID=" KEY
             " # a comment\r\naws_secret_access_key =\twrong\r\n"
             "[both]\naws_access_key_id=AKIDOTHER\naws_secret_access_key=another/secret\naws_session_token=a token\n"
             "[half]\naws_access_key_id=" KEY "\n");
  write_file(".aws/config",
             "[profile settings]\nregion = r\ns3 =\n  aws_access_key_id = nested\naws_access_key_id = " KEY
             "\n; a comment\naws_secret_access_key = " SECRET
             "\n"
             "[both]\naws_access_key_id = not a profile\n[profile half]\naws_secret_access_key=" SECRET
             "\n"
             "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n"
             "[profile program]\ncredential_process = /bin/false\n[profile page]\nsso_session = x\n");
  CHECK(works_with((struct aws_options){.region = "r"}));
  CHECK(!works_with((struct aws_options){.region = "r", .profile = "other"}) && fault.kind == NEAP_AUTH);
  CHECK(works_with((struct aws_options){.region = "r", .profile = "both"}));
  CHECK(works_with((struct aws_options){.profile = "settings"}));
  CHECK(works_with((struct aws_options){.region = "r", .profile = "half"}));
  CHECK(refused((struct aws_options){.region = "r", .profile = "nobody"}, NEAP_USAGE, "no profile \"nobody\""));
  CHECK(refused((struct aws_options){.region = "r", .profile = "role"}, NEAP_UNSUPPORTED, "--profile role"));
  CHECK(refused((struct aws_options){.region = "r", .profile = "program"}, NEAP_UNSUPPORTED, "from a program"));
  CHECK(refused((struct aws_options){.region = "r", .profile = "page"}, NEAP_UNSUPPORTED, "signs in"));
  setenv("AWS_PROFILE", "other", 1);
  CHECK(!works_with((struct aws_options){.region = "r"}));
  setenv("AWS_ACCESS_KEY_ID", KEY, 1);
  setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
  CHECK(works_with((struct aws_options){.region = "r"}));
  CHECK(!works_with((struct aws_options){.region = "r", .profile = "other"}));
}

static void test_files(void) {
  clear();
  setenv("HOME", "/nowhere", 1);
  CHECK(refused((struct aws_options){.region = "r"}, NEAP_AUTH, "no keys"));
  setenv("AWS_SHARED_CREDENTIALS_FILE", path_of(".aws/credentials"), 1);
  CHECK(works_with((struct aws_options){.region = "r"}));
  setenv("AWS_CONFIG_FILE", path_of(".aws/config"), 1);
  CHECK(works_with((struct aws_options){.profile = "settings"}));
  setenv("AWS_CONFIG_FILE", folder, 1);
  CHECK(refused((struct aws_options){.profile = "settings"}, NEAP_USAGE, "cannot be read"));
}

// Where scripts have neither environment nor files, only the options count, but for what the host itself has allowed.
static void test_sandbox(void) {
  clear();
  setenv("AWS_ACCESS_KEY_ID", KEY, 1);
  setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
  neap *usual = host;
  neap_options options = {.size = sizeof options, .flags = NEAP_NO_OS | NEAP_NO_FS};
  CHECK(neap_open(&host, &options) == NEAP_OK);
  CHECK(refused((struct aws_options){.region = "r"}, NEAP_AUTH, "access_key and secret_key are them"));
  CHECK(works_with((struct aws_options){.region = "r", .granted = true}));
  CHECK(works_with((struct aws_options){.region = "r", .access_key = KEY, .secret_key = SECRET}));
  CHECK(refused((struct aws_options){.region = "r", .profile = "default"}, NEAP_USAGE, "cannot be read here"));
  neap_close(&host);
  options.flags = NEAP_NO_FS;
  CHECK(neap_open(&host, &options) == NEAP_OK);
  CHECK(works_with((struct aws_options){.region = "r"}));
  CHECK(refused((struct aws_options){.region = "r", .profile = "default"}, NEAP_USAGE, "cannot be read here"));
  neap_close(&host);
  host = usual;
}

// ---- Endpoints ----

// What the endpoints give from now on.
static void give(const char *keys) {
  struct aws_client *asking = client;
  char body[200];
  snprintf(body, sizeof body, "{\"keys\":%s,\"asked\":0}", keys);
  open_client((struct aws_options){.access_key = KEY});
  set(body);
  neap__aws_close(client);
  client = asking;
}

static int asked(void) {
  struct aws_client *asking = client;
  open_client((struct aws_options){.access_key = KEY});
  int n = told("asked", "x");
  neap__aws_close(client);
  client = asking;
  return n;
}

static void test_container(void) {
  char keys[100], file[200];
  clear();
  setenv("HOME", "/nowhere", 1);
  give("{}");
  snprintf(keys, sizeof keys, "%s/keys", url);
  setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", keys, 1);
  CHECK(!works_with((struct aws_options){.region = "r"}));
  CHECK(fault.kind == NEAP_AUTH && strstr(fault.message, "no keys from the endpoint of the container: status 401"));
  setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in", 1);
  CHECK(works_with((struct aws_options){.region = "r"}));
  unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  snprintf(file, sizeof file, "%s", path_of("token"));
  setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file, 1);
  CHECK(!works_with((struct aws_options){.region = "r"}) && strstr(fault.message, "cannot be read: No such file"));
  write_file("token", "let me in\n");
  CHECK(works_with((struct aws_options){.region = "r"}));
  setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/keys", 1);
  CHECK(refused((struct aws_options){.region = "r"}, NEAP_USAGE, "another machine, without TLS"));
  setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1.example.com/keys", 1);
  CHECK(refused((struct aws_options){.region = "r"}, NEAP_USAGE, "another machine, without TLS"));
}

static void use_instance(void) {
  clear();
  setenv("HOME", "/nowhere", 1);
  unsetenv("AWS_EC2_METADATA_DISABLED");
  setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, 1);
}

static void test_instance(void) {
  use_instance();
  give("{}");
  CHECK(works_with((struct aws_options){.region = "r"}) && asked() == 1);
  give("{\"AccessKeyId\":null}");
  CHECK(!works_with((struct aws_options){.region = "r"}) && strstr(fault.message, "there are none in its reply"));
  give("{\"lives\":-10}");
  CHECK(open_so((struct aws_options){.region = "r", .attempts = 2}));
  CHECK(!works() && fault.kind == NEAP_AUTH && strstr(fault.message, "have ended, at attempt 2") && asked() == 2);
  neap__aws_close(client);
  setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
  CHECK(!works_with((struct aws_options){.region = "r"}) && fault.kind == NEAP_AUTH);
  CHECK(strstr(fault.message, "no keys from the metadata service of the instance: PUT http://127.0.0.1:1/latest/api"));
}

// ---- Renewal ----

static void ends_in(int seconds) {
  client->credentials.expires = neap__datetime_now() + seconds * INT64_C(1000000);
  client->credentials.not_before = 0;
}

static void await_asked(int n) {
  for (int i = 0; i < 10000 && client->credentials.number < n; i++) neap_step(host, 1000), usleep(50);
  CHECK(client->credentials.number == n);
}

static void test_renewal(void) {
  use_instance();
  give("{}");
  CHECK(open_so((struct aws_options){.region = "r", .attempts = 3}));
  CHECK(works() && works() && asked() == 1);
  ends_in(400);
  CHECK(works() && asked() == 1);
  ends_in(200);  // soon: others are asked for while these are used
  CHECK(works());
  await_asked(2);
  CHECK(works() && asked() == 2);
  give("{\"status\":500}");
  ends_in(200);  // nobody answers: these still hold
  CHECK(works() && works());
  ends_in(-1);
  CHECK(!works() && fault.kind == NEAP_AUTH && strstr(fault.message, "status 500, at attempt 3"));
  give("{}");
  CHECK(works() && asked() == 1);
  neap__aws_close(client);
}

// One question for all that wait.
static void test_together(void) {
  enum { CALLS = 20 };
  static struct sent all[CALLS];
  use_instance();
  give("{}");
  CHECK(open_so((struct aws_options){.region = "r"}));
  for (int i = 0; i < CALLS; i++) start(&all[i], "Test.Do", "{\"id\":\"together\"}");
  for (int i = 0; i < CALLS; i++) {
    CHECK(await(&all[i]) && !all[i].call.failed);
    neap__aws_drop(&all[i].call);
  }
  CHECK(asked() == 1);
  neap__aws_close(client);
}

// Keys that the server takes for ended are renewed once a call.
static void test_ended(void) {
  use_instance();
  give("{\"Token\":\"too old\"}");
  CHECK(open_so((struct aws_options){.region = "r"}));
  CHECK(!works() && fault.kind == NEAP_AUTH && strcmp(fault.code, "ExpiredTokenException") == 0);
  CHECK(asked() == 2);
  give("{\"Token\":\"fresh\"}");
  CHECK(works() && asked() == 1);
  CHECK(works() && asked() == 1);
  neap__aws_close(client);
}

static void test_drop(void) {
  use_instance();
  give("{}");
  for (int n = 0; n < 30; n++) {
    struct sent one = {.done = 0}, other = {.done = 0};
    CHECK(open_so((struct aws_options){.region = "r"}));
    start(&one, "Test.Do", "{\"id\":\"drop\"}");
    start(&other, "Test.Do", "{\"id\":\"drop\"}");
    steps(n);
    bool done = one.done;
    neap__aws_drop(&one.call);
    neap__aws_close(client);
    CHECK(other.done == 1 && one.done == done);
    neap__aws_drop(&other.call);
    steps(3);
  }
}

// ---- Memory ----

static int do_open(lua_State *L) {
  open_so((struct aws_options){.region = "r"});
  if (!client) neap__raise(L, &fault);
  return 0;
}

// The n-th allocation fails while keys are looked for, asked for and used. True if nothing did.
static bool try_with(long n) {
  neap_options options = {.size = sizeof options, .alloc = counted};
  struct sent s = {.done = 0};
  client = NULL;
  CHECK(neap_open(&host, &options) == NEAP_OK);
  countdown = n;
  armed = OURS;
  lua_pushcfunction(neap_lua(host), do_open);
  bool ok = lua_pcall(neap_lua(host), 0, 0, 0) == LUA_OK;
  if (ok) ok = run(&s, "Test.Do", "{\"id\":\"memory\"}") && !s.call.failed;
  armed = NOBODYS;
  CHECK(ok || !s.done || s.call.error.kind == NEAP_LIMIT || strstr(s.call.error.message, "memory is short"));
  neap__aws_drop(&s.call);
  neap__aws_close(client);
  neap_close(&host);
  CHECK(blocks == 0);
  return ok && countdown > 0;
}

static void test_memory(void) {
  neap *usual = host;
  long n = 1;
  use_instance();
  give("{}");
  setenv("HOME", folder, 1);
  write_file(".aws/credentials", "[other]\nregion = r\n");
  mode = ONE;
  while (!try_with(n) && n < 10000) n++;
  CHECK(n > 20 && n < 10000);
  host = usual;
}

int main(void) {
  CHECK(mkdtemp(folder) && mkdir(path_of(".aws"), 0700) == 0 && start_server());
  open_host();
  test_environment();
  test_region();
  test_endpoint();
  test_certificates();
  test_profiles();
  test_files();
  test_sandbox();
  test_container();
  test_instance();
  test_renewal();
  test_together();
  test_ended();
  test_drop();
  test_memory();
  neap_close(&host);
  kill(server, SIGKILL);
  remove(path_of(".aws/credentials"));
  remove(path_of(".aws/config"));
  remove(path_of("token"));
  rmdir(path_of(".aws"));
  rmdir(folder);
  return report();
}
