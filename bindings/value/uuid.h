// uuid.h: UUIDs (RFC 9562) as lower-case text of 36 characters.
#ifndef NEAP_UUID_H
#define NEAP_UUID_H

#include <stdbool.h>
#include <stddef.h>

void neap__uuid_v1(char out[37]);  // time and a random node
void neap__uuid_v4(char out[37]);  // random
void neap__uuid_v7(char out[37]);  // time first; each one sorts after those made before it in this process
// Takes the form of 36 characters or 32 hexadecimal digits, in any case, and writes the canonical one.
bool neap__uuid_parse(const char *p, size_t n, char out[37]);

#endif
