// crc32.h: the CRC-32 of zlib, PNG and Ethernet.
#ifndef NEAP_CRC32_H
#define NEAP_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t neap__crc32(const char *p, size_t n);

#endif
