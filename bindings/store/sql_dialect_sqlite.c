// sql_dialect_sqlite.c: the SQLite column of the table of differences.
//
// Tables are plain ones of the oldest kind: no STRICT, no types of our own, no functions or collations of ours in indexes,
// so that every program that reads SQLite files reads and writes these.
#include "store/sql_store.h"

#include <stdio.h>
#include <string.h>

// Adds one step to a path of SQLite's JSON functions. Keys are quoted there without any escape, and compared with the raw
// text between the quotes: what JSON would have to escape cannot be named.
static int sqlite_step(char *out, size_t size, const struct step *step) {
  if (!step->key) return snprintf(out, size, "[%lld]", (long long)step->index);
  if (step->nkey == 0) return -1;
  for (uint32_t i = 0; i < step->nkey; i++) {
    unsigned char c = (unsigned char)step->key[i];
    if (c < ' ' || c == '"' || c == '\\') return -1;
  }
  return snprintf(out, size, ".\"%.*s\"", (int)step->nkey, step->key);
}

static bool sqlite_path(char *out, size_t size, const struct place *place) {
  size_t n = (size_t)snprintf(out, size, "$");
  for (int i = 0; i < place->nsteps; i++) {
    int step = sqlite_step(out + n, size - n, &place->steps[i]);
    if (step < 0 || (size_t)step >= size - n) return false;
    n += (size_t)step;
  }
  return true;
}

static const char *column_type(const struct type *type) {
  if (type->own) return type->own;
  switch (type->kind) {
    case TYPE_INTEGER:
    case TYPE_BOOLEAN:
    case TYPE_TIMESTAMP: return "INTEGER";
    case TYPE_NUMBER: return "REAL";
    case TYPE_BYTES:
    case TYPE_BYTESTREAM: return "BLOB";
    case TYPE_STRING:
    case TYPE_DECIMAL:
    case TYPE_DATETIME:
    case TYPE_DATE:
    case TYPE_UUID:
    case TYPE_JSON:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_GEOPOINT:
    case TYPE_FILE: return "TEXT";
    case TYPE_POINTER: return column_type(type->of);
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY:
    case TYPE_COMPUTED: break;
  }
  return "";
}

static const char *aggregate(enum aggregate_op op, enum cell_kind kind) {
  bool json = kind == CELL_UNLOADED;
  switch (op) {
    case AGG_COUNT: return "count($0)";
    case AGG_SUM: return kind == CELL_DECIMAL ? "neap_sum($0)" : "sum($0)";
    case AGG_MIN: return json ? "coalesce(min($0), min($1))" : "min($0)";
    case AGG_MAX: return json ? "coalesce(max($1), max($0))" : "max($0)";
    case AGG_AVG: return kind == CELL_DECIMAL ? "neap_avg($0)" : "avg($0)";
  }
  return NULL;
}

const struct sql_dialect neap__sql_sqlite = {
    .name = "sqlite",
    .placeholder = '?',
    .max_params = 32766,
    .yes = "1",
    .no = "0",
    .begin = "BEGIN IMMEDIATE",
    .quotes = "'\"`[",
    .column = {[SQL_DECIMAL] = "$0 COLLATE neap_decimal"},
    .in = "$0 IN (SELECT value FROM json_each($1))",
    .keys = "json_each($1) k",
    .decimal = "",
    .number = " + 0",  // else it is text, which comes behind every number
    .column_type = column_type,
    .expression = {"", ""},
    .text_type = "",
    .serial = "",
    .json_check = "$0 IS NULL OR json_valid($0)",
    .text = {[COND_SUFFIX] = "substr($0, -length($1)) = $1",
             [COND_CONTAINS] = "instr($0, $1) > 0",
             [COND_ICONTAINS] = "instr(lower($0), $1) > 0",
             [COND_IPREFIX] = "substr(lower($0), 1, length($1)) = $1",
             [COND_ISUFFIX] = "substr(lower($0), -length($1)) = $1",
             [COND_IEXACT] = "lower($0) = $1",
             [COND_REGEX] = "neap_regex($1, $0)"},
    .guard = {[SQL_TEXT] = "json_type($0, $1) = 'text'",
              [SQL_NUMBER] = "json_type($0, $1) IN ('integer', 'real')",
              [SQL_DECIMAL] = "json_type($0, $1) IN ('integer', 'real')",
              [SQL_BOOLEAN] = "json_type($0, $1) IN ('true', 'false')",
              [SQL_JSON] = "json_type($0, $1) IN ('array', 'object')"},
    .value = {[SQL_TEXT] = "json_extract($0, $1)",
              [SQL_NUMBER] = "json_extract($0, $1)",
              [SQL_DECIMAL] = "($0 -> $1) COLLATE neap_decimal",
              [SQL_BOOLEAN] = "json_extract($0, $1)",
              [SQL_JSON] = "($0 -> $1)"},
    .exists = "json_type($0, $1) <> 'null'",
    .json = "($0 -> $1)",
    .types = {{"string", "json_type($0, $1) = 'text'"},
              {"integer", "json_type($0, $1) = 'integer'"},
              {"number", "json_type($0, $1) IN ('integer', 'real')"},
              {"boolean", "json_type($0, $1) IN ('true', 'false')"},
              {"list", "json_type($0, $1) = 'array'"},
              {"map", "json_type($0, $1) = 'object'"},
              {"null", "json_type($0, $1) = 'null'"}},
    .path = sqlite_path,
    .root = "'$'",
    .unnamed = "neap_json_at($0, $1)",
    .equal = "neap_json_equal($0, $1)",
    .any = "neap_json_any($0, $1)",
    .all = "neap_json_all($0, $1)",
    .size = "neap_json_size($0) = $1",
    .elements = "SELECT $0 -> key AS value FROM json_each(CASE json_type($0) WHEN 'array' THEN $0 ELSE '[]' END)",
    .aggregate = aggregate,
    .result = {[SQL_TEXT] = "CASE typeof($0) WHEN 'text' THEN $0 END",
               [SQL_NUMBER] = "CASE typeof($0) WHEN 'text' THEN NULL ELSE $0 END",
               [SQL_DECIMAL] = "CASE typeof($0) WHEN 'text' THEN NULL ELSE CAST($0 AS TEXT) END COLLATE neap_decimal"},
    .change = neap__sql_change_sqlite,
    .near = "neap_near($0, $1, $2, $3)",
    .within = "neap_within($0, $1, $2, $3, $4)",
};
