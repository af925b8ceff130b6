// http_curl.c: loads libcurl.
#include "transport/http_curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

// That of OpenSSL; else Debian's of GnuTLS.
static const char *const libraries[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

#define LEAST 0x075700  // 7.87: lets go of a name that is being looked up without waiting for it

struct http_curl neap__curl;

// The name of a function that the library does not have, NULL = it has all.
static const char *fill(void *library) {
  void *found;
#define FIND(name)                       \
  found = dlsym(library, #name);         \
  memcpy(&(name), &found, sizeof found); \
  if (!found) return #name;
  HTTP_CURL(FIND)
#undef FIND
  return NULL;
}

static int start(struct neap__error *e) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return neap__error_set(e, NEAP_UNSUPPORTED, "libcurl does not start");
  const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
  if (v->version_num < LEAST)
    return neap__error_set(e, NEAP_UNSUPPORTED, "libcurl is %s; at least 7.87.0 is needed", v->version);
  if (!(v->features & CURL_VERSION_ASYNCHDNS))
    return neap__error_set(e, NEAP_UNSUPPORTED, "this libcurl blocks while it looks up names");
  return 0;
}

static int load(struct neap__error *e) {
  void *library = dlopen(libraries[0], RTLD_LAZY | RTLD_LOCAL);
  if (!library) library = dlopen(libraries[1], RTLD_LAZY | RTLD_LOCAL);
  if (!library) {
    neap__error_set(e, NEAP_UNSUPPORTED,
                    "HTTP is spoken by libcurl, which cannot be loaded; on Debian the package libcurl4 has it");
    snprintf(e->detail, sizeof e->detail, "%s", dlerror());
    return -1;
  }
  const char *missing = fill(library);
  if (missing) return neap__error_set(e, NEAP_UNSUPPORTED, "libcurl has no %s; at least 7.87.0 is needed", missing);
  return start(e);
}

int neap__curl_load(struct neap__error *e) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static bool loaded;
  pthread_mutex_lock(&mutex);
  int status = loaded ? 0 : load(e);
  loaded = status == 0;
  pthread_mutex_unlock(&mutex);
  if (status != 0) e->store = "http";
  return status;
}
