// bytes.h: bytes that are not text, told apart where no type tells.
#ifndef NEAP_BYTES_H
#define NEAP_BYTES_H

#include <lua.h>
#include <stddef.h>

// Pushes a neap.bytes value that holds a copy.
void neap__bytes_push(lua_State *L, const char *p, size_t n);
// The content of the neap.bytes value at idx, which lives as long as the value; NULL if it is none.
const char *neap__bytes_test(lua_State *L, int idx, size_t *n);

#define NEAP_BASE64_SIZE(n) (((n) + 2) / 3 * 4)
// Base64 (RFC 4648, section 4, padded). out has room for NEAP_BASE64_SIZE(n) characters.
void neap__bytes_base64(const char *p, size_t n, char *out);
// Decodes it; out has room for n / 4 * 3 bytes. Returns their number, or -1 if the text is not canonical base64.
ptrdiff_t neap__bytes_unbase64(const char *p, size_t n, char *out);

#endif
