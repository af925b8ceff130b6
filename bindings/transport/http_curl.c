// http_curl.c: loads libcurl.
#include "transport/http_curl.h"

#include <dlfcn.h>

#include "transport/library.h"

// That of OpenSSL; else Debian's of GnuTLS.
static const char *const libraries[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

#define LEAST 0x075700  // 7.87: lets go of a name that is being looked up without waiting for it

struct http_curl neap__curl;

static const char *const names[] = {
#define NAME(name) #name,
    HTTP_CURL(NAME)
#undef NAME
};

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
  const char *missing = neap__library_fill(library, names, sizeof names / sizeof *names, &neap__curl);
  if (missing) return neap__error_set(e, NEAP_UNSUPPORTED, "libcurl has no %s; at least 7.87.0 is needed", missing);
  return start(e);
}

int neap__curl_load(struct neap__error *e) {
  static struct library library = {.store = "http", .load = load, .mutex = PTHREAD_MUTEX_INITIALIZER};
  return neap__library_load(&library, e);
}
