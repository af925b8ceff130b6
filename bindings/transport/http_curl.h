// http_curl.h: libcurl's functions under their own names, out of a table: the library is loaded when neap.http is first used, as
// libpq is, for it brings thirty others with it.
#ifndef NEAP_HTTP_CURL_H
#define NEAP_HTTP_CURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "host.h"

// These check the number of arguments, and nothing else.
#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

// clang-format off
#define HTTP_CURL(X) \
  X(curl_easy_cleanup) X(curl_easy_getinfo) X(curl_easy_init) X(curl_easy_pause) X(curl_easy_setopt) X(curl_easy_strerror) X(curl_free) X(curl_getdate) \
  X(curl_global_init) X(curl_multi_add_handle) X(curl_multi_assign) X(curl_multi_cleanup) X(curl_multi_info_read) \
  X(curl_multi_init) X(curl_multi_remove_handle) X(curl_multi_setopt) X(curl_multi_socket_action) \
  X(curl_slist_append) X(curl_slist_free_all) X(curl_url) X(curl_url_cleanup) X(curl_url_get) X(curl_url_set) \
  X(curl_url_strerror) X(curl_version_info)
// clang-format on

struct http_curl {
#define MEMBER(name) __typeof__(name) *(name);
  HTTP_CURL(MEMBER)
#undef MEMBER
};

// Filled by neap__curl_load, and the same ever after.
extern struct http_curl neap__curl;

// Loads the library if nobody has yet, on whatever thread. Returns 0, or -1 with `e` filled.
int neap__curl_load(struct neap__error *e);

// clang-format off
#define curl_easy_cleanup neap__curl.curl_easy_cleanup
#define curl_easy_getinfo neap__curl.curl_easy_getinfo
#define curl_easy_init neap__curl.curl_easy_init
#define curl_easy_pause neap__curl.curl_easy_pause
#define curl_easy_setopt neap__curl.curl_easy_setopt
#define curl_easy_strerror neap__curl.curl_easy_strerror
#define curl_free neap__curl.curl_free
#define curl_getdate neap__curl.curl_getdate
#define curl_global_init neap__curl.curl_global_init
#define curl_multi_add_handle neap__curl.curl_multi_add_handle
#define curl_multi_assign neap__curl.curl_multi_assign
#define curl_multi_cleanup neap__curl.curl_multi_cleanup
#define curl_multi_info_read neap__curl.curl_multi_info_read
#define curl_multi_init neap__curl.curl_multi_init
#define curl_multi_remove_handle neap__curl.curl_multi_remove_handle
#define curl_multi_setopt neap__curl.curl_multi_setopt
#define curl_multi_socket_action neap__curl.curl_multi_socket_action
#define curl_slist_append neap__curl.curl_slist_append
#define curl_slist_free_all neap__curl.curl_slist_free_all
#define curl_url neap__curl.curl_url
#define curl_url_cleanup neap__curl.curl_url_cleanup
#define curl_url_get neap__curl.curl_url_get
#define curl_url_set neap__curl.curl_url_set
#define curl_url_strerror neap__curl.curl_url_strerror
#define curl_version_info neap__curl.curl_version_info
// clang-format on

#endif
