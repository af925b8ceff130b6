// stores_test.c: a host without files and network lets its scripts have the stores that it names, and no others.
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static char url[64] = "sqlite:/tmp/neap-stores.XXXXXX";

static void ends(const char *script, int status, const char *kind, const char *says) {
  const neap_store stores[] = {
      {"scores", url}, {"scratch", "sqlite::memory:"}, {"far", "postgres://ada:secret@127.0.0.1:1/x"}, {0}};
  struct seen seen;
  neap_options options = {.flags = NEAP_NO_FS | NEAP_NO_NET | NEAP_NO_OS, .stores = stores};
  CHECK(run_script(options, &seen, script) == status);
  if (strcmp(seen.kind, kind) != 0) printf("%s: %s\n", script, seen.message);
  CHECK(strcmp(seen.kind, kind) == 0);
  CHECK(strstr(seen.message, says));
  CHECK(!strstr(seen.message, "secret") && !strstr(seen.message, "/tmp"));
}

static void test_names(void) {
  ends("local s = require 'neap'.open 'scores' s:sql 'CREATE TABLE t (x)' s:sql 'INSERT INTO t VALUES (7)'", NEAP_OK,
       "", "");
  ends("local s = require 'neap'.open { url = 'scores', timeout = 1 } assert(s:sql 'SELECT x FROM t'[1].x == 7)",
       NEAP_OK, "", "");
  ends("local s = require 'neap'.open 'scratch' assert(#s:sql 'SELECT 1' == 1)", NEAP_OK, "", "");
  ends("require 'neap'.open 'far':sql 'SELECT 1'", NEAP_ERR, "connection", "");
}

static void test_others(void) {
  ends("require 'neap'.open 'other'", NEAP_ERR, "forbidden", "scores, scratch, far");
  ends("require 'neap'.open()", NEAP_ERR, "forbidden", "scores, scratch, far");
  ends("require 'neap'.open 'sqlite::memory:'", NEAP_ERR, "forbidden", "");
  ends("require 'neap'.open 'sqlite:/tmp/x.db'", NEAP_ERR, "forbidden", "");
  ends("require 'neap'.open { url = 'postgres://127.0.0.1:1/x', granted = 'far' }", NEAP_ERR, "forbidden", "");
}

// Nothing that a script says leads a store that it may open to another place.
static void test_options(void) {
  ends("require 'neap'.open { url = 'far', host = '10.0.0.1' }", NEAP_ERR, "usage", "host is not for scripts");
  ends("require 'neap'.open { url = 'far', pool = 100 }", NEAP_ERR, "usage", "pool is not for scripts");
  ends("require 'neap'.open { url = 'scores', mode = 'rw' }", NEAP_ERR, "usage", "mode is not for scripts");
  ends("require 'neap'.open { url = 'scores', granted = 'x' }", NEAP_ERR, "usage", "granted is not for scripts");
  ends("require 'neap'.open 'scores':sql \"ATTACH '/tmp/neap-stores-other' AS x\"", NEAP_ERR, "forbidden", "");
  ends("require 'neap'.open 'scores':sql 'PRAGMA database_list'", NEAP_ERR, "forbidden", "");
  ends("require 'neap'.open 'scores':sql 'SELECT * FROM no_such'", NEAP_ERR, "mismatch", "no_such");
}

// Without names, flags say what may be opened, and no option of a script says otherwise.
static void test_unnamed(void) {
  struct seen seen;
  neap_options options = {.flags = NEAP_NO_FS | NEAP_NO_NET};
  CHECK(run_script(options, &seen, "require 'neap'.open { url = 'postgres://127.0.0.1:1/x', granted = 'x' }") ==
        NEAP_ERR);
  CHECK(strcmp(seen.kind, "forbidden") == 0);
  CHECK(run_script(options, &seen, "require 'neap'.open { url = 'sqlite:/tmp/neap-stores-other', granted = 'x' }") ==
        NEAP_ERR);
  CHECK(access("/tmp/neap-stores-other", F_OK) != 0);
}

static void test_senseless(void) {
  const neap_store stores[] = {{"scores", NULL}, {0}};
  neap_options options = {.size = sizeof options, .stores = stores};
  neap *h;
  CHECK(neap_open(&h, &options) == NEAP_EARG && h == NULL);
}

int main(void) {
  char *file = strchr(url, '/');
  int fd = mkstemp(file);
  CHECK(fd >= 0 && close(fd) == 0);
  test_names();
  test_others();
  test_options();
  test_unnamed();
  test_senseless();
  unlink(file);
  return report();
}
