// postgres_codec.c: cells to PostgreSQL's parameters and its columns to cells: in binary where we know the type, else as text.
#include "transport/postgres_codec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transport/postgres.h"
#include "transport/postgres_wire.h"
#include "value/datetime.h"

#define FIRST_US (INT64_C(-62135596800) * 1000000)  // 0001-01-01
#define LAST_US (INT64_C(253402300800) * 1000000 - 1)

enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_FLOAT8 = 701, OID_DATE = 1082, OID_TIMESTAMPTZ = 1184 };

static const struct {
  Oid type;
  uint8_t decoder;
  Oid element;  // ARRAY: the type of what it holds
} types[] = {
    {OID_BOOL, DECODE_BOOLEAN, 0},
    {OID_BYTEA, DECODE_BYTES, 0},
    {18, DECODE_TEXT, 0},  // "char"
    {19, DECODE_TEXT, 0},  // name
    {OID_INT8, DECODE_INT8, 0},
    {21, DECODE_INT2, 0},
    {23, DECODE_INT4, 0},
    {25, DECODE_TEXT, 0},
    {26, DECODE_OID, 0},
    {114, DECODE_JSON, 0},
    {142, DECODE_TEXT, 0},  // xml
    {700, DECODE_FLOAT4, 0},
    {OID_FLOAT8, DECODE_FLOAT8, 0},
    {705, DECODE_TEXT, 0},  // unknown
    {1042, DECODE_TEXT, 0},
    {1043, DECODE_TEXT, 0},
    {OID_DATE, DECODE_DATE, 0},
    {1114, DECODE_DATETIME, 0},
    {OID_TIMESTAMPTZ, DECODE_DATETIME, 0},
    {1700, DECODE_NUMERIC, 0},
    {2278, DECODE_TEXT, 0},  // void
    {2950, DECODE_UUID, 0},
    {3802, DECODE_JSONB, 0},
    // Arrays: of bool, name, int2, int4, text, bpchar, varchar, int8, float4, float8, timestamp, date, timestamptz, numeric,
    // uuid, json, jsonb, oid.
    {1000, DECODE_ARRAY, 16},
    {1003, DECODE_ARRAY, 19},
    {1005, DECODE_ARRAY, 21},
    {1007, DECODE_ARRAY, 23},
    {1009, DECODE_ARRAY, 25},
    {1014, DECODE_ARRAY, 1042},
    {1015, DECODE_ARRAY, 1043},
    {1016, DECODE_ARRAY, 20},
    {1021, DECODE_ARRAY, 700},
    {1022, DECODE_ARRAY, 701},
    {1115, DECODE_ARRAY, 1114},
    {1182, DECODE_ARRAY, 1082},
    {1185, DECODE_ARRAY, 1184},
    {1231, DECODE_ARRAY, 1700},
    {2951, DECODE_ARRAY, 2950},
    {199, DECODE_ARRAY, 114},
    {3807, DECODE_ARRAY, 3802},
    {1028, DECODE_ARRAY, 26},
};

enum decoder neap__postgres_decoder_of(Oid type) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].type == type) return (enum decoder)types[i].decoder;
  return DECODE_NONE;
}

static Oid element_of(Oid array) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].type == array) return types[i].element;
  return 0;
}

uint8_t neap__postgres_decoder(Oid type) {
  return (uint8_t)neap__postgres_decoder_of(type);
}

// ---- Parameters ----

Oid neap__postgres_type(const struct cell *cell) {
  switch ((enum cell_kind)cell->kind) {
    case CELL_BOOLEAN: return OID_BOOL;
    case CELL_INTEGER: return OID_INT8;
    case CELL_NUMBER: return OID_FLOAT8;
    case CELL_BYTES: return OID_BYTEA;
    case CELL_DATETIME: return OID_TIMESTAMPTZ;
    case CELL_DATE: return OID_DATE;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON: return 0;
  }
  return 0;
}

static bool is_number(enum decoder d) {
  return (d >= DECODE_INT2 && d <= DECODE_FLOAT8) || d == DECODE_NUMERIC;
}

bool neap__postgres_fits(const struct cell *cell, Oid type) {
  enum decoder d = neap__postgres_decoder_of(type);
  switch ((enum cell_kind)cell->kind) {
    case CELL_BOOLEAN: return d == DECODE_BOOLEAN;
    case CELL_INTEGER: return is_number(d);
    case CELL_NUMBER: return d == DECODE_FLOAT4 || d == DECODE_FLOAT8 || d == DECODE_NUMERIC;
    case CELL_DATETIME: return d == DECODE_DATETIME;
    case CELL_DATE: return d == DECODE_DATE;
    case CELL_BYTES: return false;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON: return true;
  }
  return false;
}

static const char *put(char *room, uint64_t v, int bytes, int *n) {
  neap__postgres_put_bytes(room, v, bytes);
  *n = bytes;
  return room;
}

static const char *value_binary(const struct cell *cell, char *room, int *n) {
  uint64_t bits;
  switch ((enum cell_kind)cell->kind) {
    case CELL_BOOLEAN: return put(room, (uint64_t)cell->i, 1, n);
    case CELL_INTEGER: return put(room, (uint64_t)cell->i, 8, n);
    case CELL_NUMBER: memcpy(&bits, &cell->d, 8); return put(room, bits, 8, n);
    case CELL_DATETIME: return put(room, (uint64_t)(cell->i - POSTGRES_EPOCH_US), 8, n);
    case CELL_DATE: return put(room, (uint64_t)(cell->i - POSTGRES_EPOCH_DAYS), 4, n);
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_TEXT:
    case CELL_BYTES:
    case CELL_DECIMAL:
    case CELL_JSON: break;
  }
  *n = (int)cell->n;
  return cell->n ? cell->p : "";
}

static const char *value_text(const struct cell *cell, char *room) {
  switch ((enum cell_kind)cell->kind) {
    case CELL_BOOLEAN: return cell->i ? "true" : "false";
    case CELL_INTEGER: snprintf(room, POSTGRES_ROOM, "%lld", (long long)cell->i); return room;
    case CELL_NUMBER: snprintf(room, POSTGRES_ROOM, "%.17g", cell->d); return room;
    case CELL_DATETIME: neap__datetime_format(cell->i, room); return room;
    case CELL_DATE: neap__date_format(cell->i, room); return room;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_TEXT:
    case CELL_BYTES:
    case CELL_DECIMAL:
    case CELL_JSON: break;
  }
  return cell->n ? cell->p : "";
}

const char *neap__postgres_value(const struct cell *cell, bool binary, char room[POSTGRES_ROOM], int *n, int *format) {
  *n = 0;
  *format = binary;
  if (cell->kind <= CELL_NULL) return NULL;
  return binary ? value_binary(cell, room, n) : value_text(cell, room);
}

// ---- Columns in binary ----

static bool set_number(struct cell *cell, double d) {
  *cell = (struct cell){.d = d, .kind = CELL_NUMBER};
  return d == d;
}

static bool set_text(struct cell *cell, enum cell_kind kind, const char *p, int n) {
  *cell = (struct cell){.p = p, .n = (uint32_t)n, .kind = (uint8_t)kind};
  return true;
}

static bool set_datetime(struct cell *cell, int64_t us) {
  bool fits = us >= FIRST_US - POSTGRES_EPOCH_US && us <= LAST_US - POSTGRES_EPOCH_US;
  *cell = (struct cell){.i = fits ? us + POSTGRES_EPOCH_US : 0, .kind = CELL_DATETIME};
  return fits;
}

static bool set_date(struct cell *cell, int32_t days) {
  int64_t d = (int64_t)days + POSTGRES_EPOCH_DAYS;
  *cell = (struct cell){.i = d, .kind = CELL_DATE};
  return d >= FIRST_US / 1000000 / 86400 && d <= LAST_US / 1000000 / 86400;
}

// Text that was appended to `out` from `at` on.
static bool set_own(struct cell *cell, enum cell_kind kind, struct neap__buffer *out, size_t at, bool *own) {
  *own = true;
  *cell = (struct cell){.i = (int64_t)at, .n = (uint32_t)(out->n - at), .kind = (uint8_t)kind};
  return true;
}

static bool add_uuid(const char *p, struct neap__buffer *out) {
  static const char digits[] = "0123456789abcdef";
  if (neap__buffer_reserve(out, 36) != 0) return false;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out->p[out->n++] = '-';
    out->p[out->n++] = digits[(unsigned char)p[i] >> 4];
    out->p[out->n++] = digits[p[i] & 15];
  }
  return true;
}

bool neap__postgres_decode(enum decoder d, const char *p, int n, struct cell *cell, struct neap__buffer *out,
                           bool *own) {
  static const int sizes[] = {[DECODE_BOOLEAN] = 1, [DECODE_INT2] = 2,   [DECODE_INT4] = 4,   [DECODE_INT8] = 8,
                              [DECODE_OID] = 4,     [DECODE_FLOAT4] = 4, [DECODE_FLOAT8] = 8, [DECODE_DATETIME] = 8,
                              [DECODE_DATE] = 4,    [DECODE_UUID] = 16,  [DECODE_ARRAY] = 0};
  size_t at = out->n;
  uint64_t bits;
  uint32_t half;
  double number;
  float small;
  if (sizes[d] && n != sizes[d]) return false;
  switch (d) {
    case DECODE_NONE: return false;
    case DECODE_BOOLEAN: *cell = (struct cell){.i = *p != 0, .kind = CELL_BOOLEAN}; return true;
    case DECODE_INT2: *cell = (struct cell){.i = neap__postgres_i16(p), .kind = CELL_INTEGER}; return true;
    case DECODE_INT4: *cell = (struct cell){.i = (int32_t)neap__postgres_u32(p), .kind = CELL_INTEGER}; return true;
    case DECODE_INT8: *cell = (struct cell){.i = (int64_t)neap__postgres_u64(p), .kind = CELL_INTEGER}; return true;
    case DECODE_OID: *cell = (struct cell){.i = neap__postgres_u32(p), .kind = CELL_INTEGER}; return true;
    case DECODE_FLOAT4:
      half = neap__postgres_u32(p);
      memcpy(&small, &half, sizeof small);
      return set_number(cell, (double)small);
    case DECODE_FLOAT8:
      bits = neap__postgres_u64(p);
      memcpy(&number, &bits, sizeof number);
      return set_number(cell, number);
    case DECODE_TEXT: return set_text(cell, CELL_TEXT, p, n);
    case DECODE_BYTES: return set_text(cell, CELL_BYTES, p, n);
    case DECODE_DATETIME: return set_datetime(cell, (int64_t)neap__postgres_u64(p));
    case DECODE_DATE: return set_date(cell, (int32_t)neap__postgres_u32(p));
    case DECODE_NUMERIC: return neap__postgres_numeric(p, n, out) && set_own(cell, CELL_DECIMAL, out, at, own);
    case DECODE_UUID: return add_uuid(p, out) && set_own(cell, CELL_TEXT, out, at, own);
    case DECODE_JSON: return set_text(cell, CELL_JSON, p, n);
    case DECODE_JSONB: return n > 0 && set_text(cell, CELL_JSON, p + 1, n - 1);
    case DECODE_ARRAY: return neap__postgres_array(p, n, out) && set_own(cell, CELL_JSON, out, at, own);
  }
  return false;
}

// ---- Columns as text, where one of them has a type that we do not know ----

static int hex(char c) {
  return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static bool read_hex(const char *p, int n, struct cell *cell, struct neap__buffer *out, bool *own) {
  size_t at = out->n;
  if (n < 2 || p[0] != '\\' || p[1] != 'x') return false;
  for (int i = 2; i + 1 < n; i += 2)
    if (neap__buffer_byte(out, (char)(hex(p[i]) << 4 | hex(p[i + 1]))) != 0) return false;
  return set_own(cell, CELL_BYTES, out, at, own);
}

bool neap__postgres_read_text(enum decoder d, Oid type, const char *p, int n, struct cell *cell,
                              struct neap__buffer *out, bool *own) {
  int64_t v = 0;
  size_t at = out->n;
  switch (d) {
    case DECODE_BOOLEAN: *cell = (struct cell){.i = *p == 't', .kind = CELL_BOOLEAN}; return true;
    case DECODE_INT2:
    case DECODE_INT4:
    case DECODE_INT8:
    case DECODE_OID: *cell = (struct cell){.i = strtoll(p, NULL, 10), .kind = CELL_INTEGER}; return true;
    case DECODE_FLOAT4:
    case DECODE_FLOAT8: return set_number(cell, strtod(p, NULL));
    case DECODE_DATETIME:
      if (!neap__datetime_parse(p, (size_t)n, &v)) return false;
      *cell = (struct cell){.i = v, .kind = CELL_DATETIME};
      return true;
    case DECODE_DATE:
      if (!neap__date_parse(p, (size_t)n, &v)) return false;
      *cell = (struct cell){.i = v, .kind = CELL_DATE};
      return true;
    case DECODE_NUMERIC: return p[n > 1] != 'I' && *p != 'I' && *p != 'N' && set_text(cell, CELL_DECIMAL, p, n);
    case DECODE_JSON:
    case DECODE_JSONB: return set_text(cell, CELL_JSON, p, n);
    case DECODE_BYTES: return read_hex(p, n, cell, out, own);
    case DECODE_NONE:
    case DECODE_TEXT:
    case DECODE_UUID: return set_text(cell, CELL_TEXT, p, n);
    case DECODE_ARRAY:
      return neap__postgres_printed_array(element_of(type), p, n, out) && set_own(cell, CELL_JSON, out, at, own);
  }
  return false;
}

// ---- What was asked for ----

static bool from_integer(struct cell *cell, enum cell_kind want, struct neap__buffer *out, bool *own) {
  char text[32];
  size_t at = out->n;
  int64_t v = cell->i;
  switch (want) {
    case CELL_BOOLEAN: *cell = (struct cell){.i = v != 0, .kind = CELL_BOOLEAN}; return true;
    case CELL_NUMBER: *cell = (struct cell){.d = (double)v, .kind = CELL_NUMBER}; return true;
    case CELL_DATETIME: *cell = (struct cell){.i = v * 1000000, .kind = CELL_DATETIME}; return true;
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON:
      snprintf(text, sizeof text, "%lld", (long long)v);
      return neap__buffer_append(out, text, strlen(text)) == 0 && set_own(cell, want, out, at, own);
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_INTEGER:
    case CELL_BYTES:
    case CELL_DATE: return true;
  }
  return true;
}

static bool from_number(struct cell *cell, enum cell_kind want, struct neap__buffer *out, bool *own) {
  char text[40];
  size_t at = out->n;
  double d = cell->d;
  if (want == CELL_INTEGER || want == CELL_BOOLEAN) {
    if (d != floor(d) || fabs(d) >= 0x1p63) return false;
    *cell = (struct cell){.i = want == CELL_BOOLEAN ? d != 0 : (int64_t)d, .kind = (uint8_t)want};
  } else if (want == CELL_TEXT || want == CELL_DECIMAL || want == CELL_JSON) {
    snprintf(text, sizeof text, "%.17g", d);
    return neap__buffer_append(out, text, strlen(text)) == 0 && set_own(cell, want, out, at, own);
  }
  return true;
}

// Text that is a number, a time or JSON by what it is read as. A sum of integers comes as a numeric.
static bool from_text(struct cell *cell, enum cell_kind want, const char *p) {
  char number[400], *end;
  int64_t v;
  if (cell->kind == CELL_BYTES && want != CELL_TEXT && want != CELL_JSON) return true;
  switch (want) {
    case CELL_DATETIME:
      if (!neap__datetime_parse(p, cell->n, &v)) return false;
      *cell = (struct cell){.i = v, .kind = CELL_DATETIME};
      return true;
    case CELL_DATE:
      if (!neap__date_parse(p, cell->n, &v)) return false;
      *cell = (struct cell){.i = v, .kind = CELL_DATE};
      return true;
    case CELL_INTEGER:
    case CELL_BOOLEAN:
    case CELL_NUMBER:
      snprintf(number, sizeof number, "%.*s", (int)cell->n, p);
      errno = 0;
      if (want == CELL_NUMBER)
        *cell = (struct cell){.d = strtod(number, &end), .kind = CELL_NUMBER};
      else
        *cell = (struct cell){.i = strtoll(number, &end, 10), .kind = (uint8_t)want};
      return end != number && !*end && errno == 0;
    case CELL_TEXT:
    case CELL_DECIMAL:
    case CELL_JSON:
    case CELL_BYTES: cell->kind = (uint8_t)want; return true;
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL: return true;
  }
  return true;
}

static bool convert(struct cell *cell, enum cell_kind want, struct neap__buffer *out, bool *own) {
  if (want == CELL_UNLOADED || cell->kind == want) return true;
  if (cell->kind == CELL_INTEGER) return from_integer(cell, want, out, own);
  if (cell->kind == CELL_NUMBER) return from_number(cell, want, out, own);
  if (!neap__cell_has_text(cell)) return true;
  const char *p = *own ? out->p + cell->i : cell->p;
  bool ok = from_text(cell, want, p);
  if (!neap__cell_has_text(cell)) *own = false;
  return ok;
}

static const char *wanted(enum cell_kind want) {
  switch (want) {
    case CELL_INTEGER: return "an integer";
    case CELL_NUMBER: return "a number";
    case CELL_BOOLEAN: return "true or false";
    case CELL_DATETIME: return "a datetime of the years 1 to 9999";
    case CELL_DATE: return "a date of the years 1 to 9999";
    case CELL_DECIMAL: return "a decimal";
    case CELL_UNLOADED:
    case CELL_NIL:
    case CELL_NULL:
    case CELL_TEXT:
    case CELL_BYTES:
    case CELL_JSON: return "a finite value";
  }
  return "a value";
}

// strtoll() has cut what is too large.
static bool is_cut(const struct cell *cell) {
  return cell->kind == CELL_INTEGER && (cell->i == INT64_MAX || cell->i == INT64_MIN);
}

static int wrong_value(const struct postgres_cursor *cursor, int i, enum cell_kind want, const struct cell *cell,
                       struct neap__error *e) {
  const char *name = PQfname(cursor->result, i);
  if (want == CELL_INTEGER && is_cut(cell))
    neap__error_set(e, NEAP_LIMIT, "%s is more than an integer of 64 bits holds", name);
  else
    neap__error_set(e, NEAP_PROTOCOL, "the column %s holds something else than %s", name, wanted(want));
  e->store = "postgres";
  return -1;
}

// Cells that lie in the scratch follow it when it moves.
static void follow(struct cell *cells, int n, const char *old, size_t used, const char *now) {
  for (int i = 0; old != now && i < n; i++)
    if (neap__cell_has_text(&cells[i]) && cells[i].p >= old && cells[i].p < old + used)
      cells[i].p = now + (cells[i].p - old);
}

static int read_column(struct postgres_cursor *cursor, int i, const char *p, int n, enum cell_kind want,
                       struct cell *cells, struct neap__error *e) {
  const struct postgres_statement *s = cursor->statement;
  struct neap__buffer *out = &cursor->scratch;
  struct cell *cell = &cells[i];
  const char *old = out->p;
  size_t used = out->n;
  bool own = false;
  bool ok = s->binary ? neap__postgres_decode(s->decoders[i], p, n, cell, out, &own)
                      : neap__postgres_read_text(s->decoders[i], PQftype(cursor->result, i), p, n, cell, out, &own);
  ok = ok && convert(cell, want, out, &own);
  follow(cells, i, old, used, out->p);
  if (own) cell->p = out->p + cell->i;
  return ok ? 0 : wrong_value(cursor, i, want, cell, e);
}

// Most columns: of a common type, and wanted as what they are.
static inline bool read_common(enum decoder d, enum cell_kind want, const char *p, int n, struct cell *cell) {
  if (d == DECODE_TEXT && (want == CELL_TEXT || want == CELL_UNLOADED)) {
    *cell = (struct cell){.p = p, .n = (uint32_t)n, .kind = CELL_TEXT};
    return true;
  }
  if (d == DECODE_INT8 && n == 8 && (want == CELL_INTEGER || want == CELL_UNLOADED)) {
    *cell = (struct cell){.i = (int64_t)neap__postgres_u64(p), .kind = CELL_INTEGER};
    return true;
  }
  return false;
}

int neap__postgres_row(struct postgres_cursor *cursor, struct cell *cells, struct neap__error *e) {
  const struct postgres_statement *s = cursor->statement;
  const uint8_t *kinds = cursor->from.kinds;
  for (int i = 0; i < cursor->head.ncells; i++) {
    enum cell_kind want = kinds && i < cursor->from.nkinds ? kinds[i] : CELL_UNLOADED;
    int n = PQgetlength(cursor->result, cursor->row, i);
    if (n == 0 && PQgetisnull(cursor->result, cursor->row, i)) {
      cells[i] = (struct cell){.kind = CELL_NIL};
      continue;
    }
    const char *p = PQgetvalue(cursor->result, cursor->row, i);
    if (s->binary && read_common(s->decoders[i], want, p, n, &cells[i])) continue;
    if (read_column(cursor, i, p, n, want, cells, e) != 0) return -1;
  }
  return 0;
}
