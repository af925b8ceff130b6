// postgres_codec.h: values as PostgreSQL sends them in binary, one by one.
#ifndef NEAP_POSTGRES_CODEC_H
#define NEAP_POSTGRES_CODEC_H

#include <libpq-fe.h>

#include "value/buffer.h"
#include "value/cell.h"

enum decoder {
  DECODE_NONE,
  DECODE_BOOLEAN,
  DECODE_INT2,
  DECODE_INT4,
  DECODE_INT8,
  DECODE_OID,
  DECODE_FLOAT4,
  DECODE_FLOAT8,
  DECODE_TEXT,
  DECODE_BYTES,
  DECODE_DATETIME,
  DECODE_DATE,
  DECODE_NUMERIC,
  DECODE_UUID,
  DECODE_JSON,
  DECODE_JSONB,
  DECODE_ARRAY
};

enum decoder neap__postgres_decoder_of(Oid type);
// Reads n bytes. What needs text of its own is appended to `out`, and the cell's text begins at offset (size_t)cell->i there
// until it is anchored: *own is set. False if the value is none that cells have (infinite, not a number), or is broken.
bool neap__postgres_decode(enum decoder d, const char *p, int n, struct cell *cell, struct neap__buffer *out,
                           bool *own);

// The same of a value that the server has printed, NUL-terminated. `type` tells what an array holds.
bool neap__postgres_read_text(enum decoder d, Oid type, const char *p, int n, struct cell *cell,
                              struct neap__buffer *out, bool *own);

// postgres_array.c: appends the JSON list of an array.
bool neap__postgres_array(const char *p, int n, struct neap__buffer *out);
// The same of an array as the server prints it.
bool neap__postgres_printed_array(Oid element, const char *p, int n, struct neap__buffer *out);
// Appends a numeric as canonical decimal text.
bool neap__postgres_numeric(const char *p, int n, struct neap__buffer *out);

static inline uint32_t neap__postgres_u32(const char *p) {
  const unsigned char *b = (const unsigned char *)p;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint64_t neap__postgres_u64(const char *p) {
  return (uint64_t)neap__postgres_u32(p) << 32 | neap__postgres_u32(p + 4);
}

static inline int neap__postgres_i16(const char *p) {
  const unsigned char *b = (const unsigned char *)p;
  return (int16_t)(b[0] << 8 | b[1]);
}

#endif
