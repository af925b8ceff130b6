// sql_dialect_postgres.c: the PostgreSQL column of the table of differences.
//
// PostgreSQL evaluates the operands of AND in any order, so what guards a value stands in a CASE around it. Parameters that
// are text have no type of their own: where the server could not infer one, the templates cast.
#include <string.h>

#include "store/sql_store.h"

// A scalar of a place in JSON, NULL if there is none of that type.
#define SCALAR(type, as) "(CASE WHEN jsonb_typeof($0) = '" type "' THEN ($0 #>> '{}')" as " END)"
#define NUMBER SCALAR("number", "::numeric")
#define COORDINATE(name) \
  "(CASE WHEN jsonb_typeof($0 -> '" name "') = 'number' THEN ($0 ->> '" name "')::double precision END)"
#define LATITUDE COORDINATE("latitude")
#define LONGITUDE COORDINATE("longitude")
#define OF_LIST(expression) "(CASE WHEN jsonb_typeof($0) = 'array' THEN " expression " END)"

static const char *array_type(const struct type *of) {
  switch (of ? of->kind : TYPE_JSON) {
    case TYPE_STRING: return "text[]";
    case TYPE_INTEGER: return "bigint[]";
    case TYPE_NUMBER: return "double precision[]";
    case TYPE_BOOLEAN: return "boolean[]";
    case TYPE_UUID: return "uuid[]";
    default: return "jsonb";  // what JSON would tell in another way than an array does, or an array cannot hold
  }
}

static const char *column_type(const struct type *type) {
  if (type->own && strcmp(type->cast, "bit") == 0) return "bit varying";  // a bare bit is one
  if (type->own && strcmp(type->own, "json") != 0) return type->cast;
  switch (type->kind) {
    case TYPE_STRING: return "text";
    case TYPE_INTEGER:
    case TYPE_TIMESTAMP: return "bigint";
    case TYPE_NUMBER: return "double precision";
    case TYPE_DECIMAL: return "numeric";
    case TYPE_BOOLEAN: return "boolean";
    case TYPE_DATETIME: return "timestamp with time zone";
    case TYPE_DATE: return "date";
    case TYPE_UUID: return "uuid";
    case TYPE_BYTES:
    case TYPE_BYTESTREAM: return "bytea";
    case TYPE_LIST:
    case TYPE_SET: return array_type(type->of);
    case TYPE_JSON:
    case TYPE_MAP:
    case TYPE_GEOPOINT:
    case TYPE_FILE: return "jsonb";
    case TYPE_POINTER:
    case TYPE_COMPUTED: return type->of ? column_type(type->of) : "";
    case TYPE_RELATION:
    case TYPE_HAS_ONE:
    case TYPE_HAS_MANY:
    case TYPE_MANY_TO_MANY: break;
  }
  return "";
}

// ---- Regular expressions: those that mean the same to PCRE2 and to PostgreSQL, a few of them spelled otherwise ----

struct translation {
  struct neap__buffer *out;
  const char *p, *end;
  int depth;
  bool failed;
};

static void put(struct translation *t, const char *p, size_t n) {
  if (neap__buffer_append(t->out, p, n) != 0) t->failed = true;
}

static void puts_(struct translation *t, const char *text) {
  put(t, text, strlen(text));
}

// What follows a backslash, outside of brackets.
static void translate_escape(struct translation *t) {
  static const char *const same = "dDwWsS";
  char c = t->p + 1 < t->end ? t->p[1] : 0;
  t->p += 2;
  if (c == 'b' || c == 'B')
    puts_(t, c == 'b' ? "\\y" : "\\Y");
  else if (c == 'A')
    puts_(t, "\\A");
  else if (c == 'z')
    puts_(t, "\\Z");
  else if (c == 'Z')
    puts_(t, "(?=\\n?\\Z)");
  else if (c && (strchr(same, c) || strchr("tnrf", c) || (c > ' ' && c < 'A' && !(c >= '0' && c <= '9')) ||
                 strchr("[\\]^_`{|}~", c)))
    put(t, t->p - 2, 2);
  else
    t->failed = true;
}

// [a-z], [^"\d]: classes with names, and ranges that only one of the two knows, are not for us.
static void translate_bracket(struct translation *t) {
  const char *start = t->p++;
  if (t->p < t->end && *t->p == '^') t->p++;
  if (t->p < t->end && *t->p == ']') t->failed = true;  // a literal to one, perhaps not to the other
  put(t, start, (size_t)(t->p - start));
  for (; t->p < t->end && *t->p != ']'; t->p++) {
    if (*t->p == '[') {
      if (t->p + 1 < t->end && strchr(":.=", t->p[1])) t->failed = true;
      puts_(t, "\\[");
    } else if (*t->p == '\\') {
      char c = t->p + 1 < t->end ? t->p[1] : 0;
      if (!c || !strchr("dwstnrf\\]^[-.$*+?/()|{}", c)) t->failed = true;
      put(t, t->p++, 2);
    } else {
      put(t, t->p, 1);
    }
    if (t->failed) return;
  }
  if (t->p == t->end) t->failed = true;
  put(t, t->p++, 1);
}

static bool is_quantifier(char c) {
  return c == '*' || c == '+' || c == '?';
}

// (…), (?:…), (?=…), (?!…) and their like mean the same; other things behind (? do not.
static void translate_group(struct translation *t) {
  size_t n = 1;
  if (t->p + 1 < t->end && t->p[1] == '*') t->failed = true;
  if (t->p + 1 < t->end && t->p[1] == '?') {
    n = 3;
    if (t->end - t->p < 4 || !strchr(":=!", t->p[2])) t->failed = true;
  }
  if (t->failed) return;
  put(t, t->p, n);
  t->p += n;
  t->depth++;
}

// {2}, {2,}, {2,5}; a brace that begins none of these is a literal to PCRE2.
static void translate_brace(struct translation *t) {
  const char *p = t->p + 1;
  while (p < t->end && *p >= '0' && *p <= '9') p++;
  size_t digits = (size_t)(p - t->p) - 1;
  if (digits > 0 && p < t->end && *p == ',') p++;
  while (digits > 0 && p < t->end && *p >= '0' && *p <= '9') p++;
  if (digits == 0 || digits > 3 || p == t->end || *p != '}') {
    puts_(t, "\\{");
    t->p++;
    return;
  }
  put(t, t->p, (size_t)(p - t->p) + 1);
  t->p = p + 1;
}

static bool translate_regex(struct neap__buffer *out, const char *p, size_t n) {
  struct translation t = {.out = out, .p = p, .end = p + n};
  puts_(&t, "(?:");  // so that nothing at the beginning is read as a directive
  while (t.p < t.end && !t.failed) {
    switch (*t.p) {
      case '\\': translate_escape(&t); break;
      case '[': translate_bracket(&t); break;
      case '(': translate_group(&t); break;
      case '{': translate_brace(&t); break;
      case '.': puts_(&t, "[^\\n]"), t.p++; break;
      case '$': puts_(&t, "(?=\\n?\\Z)"), t.p++; break;
      case '^': puts_(&t, "\\A"), t.p++; break;
      case ')': put(&t, t.p++, 1), t.depth--; break;
      default:
        put(&t, t.p, 1);
        // a++ is possessive there
        if (is_quantifier(*t.p) && t.p + 1 < t.end && t.p[1] == '+') t.failed = true;
        t.p++;
    }
  }
  puts_(&t, ")");
  return !t.failed && t.depth == 0;
}

// Sums of integers come as numerics and are read as integers; averages are doubles, as elsewhere; sums in JSON are what JSON
// makes of the number. Averages of decimals have 28 digits behind the point. Booleans, uuids and bytes have neither min() nor
// max().
static const char *aggregate(enum aggregate_op op, enum cell_kind kind) {
  bool json = kind == CELL_UNLOADED, plain = kind != CELL_BOOLEAN && kind != CELL_BYTES && kind != CELL_TEXT;
  switch (op) {
    case AGG_COUNT: return "count($0)";
    case AGG_SUM: return json ? "to_jsonb(sum($0))" : "sum($0)";
    case AGG_MIN:
      if (json) return "coalesce(to_jsonb(min($0)), to_jsonb(min($1)))";
      return plain ? "min($0)" : "(array_agg($0 ORDER BY $0) FILTER (WHERE $0 IS NOT NULL))[1]";
    case AGG_MAX:
      if (json) return "coalesce(to_jsonb(max($1)), to_jsonb(max($0)))";
      return plain ? "max($0)" : "(array_agg($0 ORDER BY $0 DESC) FILTER (WHERE $0 IS NOT NULL))[1]";
    case AGG_AVG:
      if (kind != CELL_DECIMAL) return "avg($0)::double precision";
      return "trim_scale(sum($0) * 1.0000000000000000000000000000 / nullif(count($0), 0))";
  }
  return NULL;
}

const struct sql_dialect neap__sql_postgres = {
    .name = "postgres",
    .placeholder = '$',
    .max_params = 65535,
    .yes = "true",
    .no = "false",
    .begin = "BEGIN",
    .quotes = "'\"",
    .escapes = true,
    .in = "$0 = ANY ($1::$2[])",
    .keys = "unnest($1::$2[]) k(value)",
    .lateral = true,
    .arrays = true,
    .decimal = "::numeric",
    .number = "::numeric",
    .column_type = column_type,
    .dooms = true,
    .no_nul = true,
    .inserted = "(t0.xmax = 0)::integer",
    .schemas = true,
    .later = true,
    .nulls_first = true,
    .scales = true,
    .expression = {"(", ")"},
    .text_type = " COLLATE \"C\"",
    .returns_key = true,
    .serial = " GENERATED BY DEFAULT AS IDENTITY",
    .regex = translate_regex,
    .text = {[COND_SUFFIX] = "right($0, length($1::text)) = $1",
             [COND_CONTAINS] = "strpos($0, $1::text) > 0",
             [COND_ICONTAINS] = "strpos(lower($0 COLLATE \"C\"), $1::text) > 0",
             [COND_IPREFIX] = "left(lower($0 COLLATE \"C\"), length($1::text)) = $1",
             [COND_ISUFFIX] = "right(lower($0 COLLATE \"C\"), length($1::text)) = $1",
             [COND_IEXACT] = "lower($0 COLLATE \"C\") = $1",
             [COND_REGEX] = "$0 COLLATE \"C\" ~ $1"},
    .value = {[SQL_TEXT] = SCALAR("string", "") " COLLATE \"C\"",
              [SQL_NUMBER] = NUMBER,
              [SQL_DECIMAL] = NUMBER,
              [SQL_BOOLEAN] = SCALAR("boolean", "::boolean"),
              [SQL_JSON] = "(CASE WHEN jsonb_typeof($0) IN ('array', 'object') THEN $0 END)"},
    .sort = {"(CASE jsonb_typeof($0) WHEN 'number' THEN ($0 #>> '{}')::numeric "
             "WHEN 'boolean' THEN ($0)::boolean::integer::numeric END)",
             "(CASE WHEN jsonb_typeof($0) IN ('string', 'array', 'object') THEN $0 #>> '{}' END) COLLATE \"C\""},
    .exists = "jsonb_typeof($0) <> 'null'",
    .json = "$0",
    .types = {{"string", "jsonb_typeof($0) = 'string'"},
              {"integer", "jsonb_typeof($0) = 'number' AND $0 #>> '{}' !~ '[.]'"},
              {"number", "jsonb_typeof($0) = 'number'"},
              {"boolean", "jsonb_typeof($0) = 'boolean'"},
              {"list", "jsonb_typeof($0) = 'array'"},
              {"map", "jsonb_typeof($0) = 'object'"},
              {"null", "jsonb_typeof($0) = 'null'"}},
    .equal = "$0 = $1::jsonb",
    .any = OF_LIST("EXISTS (SELECT 1 FROM jsonb_array_elements($0) a JOIN jsonb_array_elements($1::jsonb) b "
                   "ON a.value = b.value)"),
    .all = "$0 @> $1::jsonb AND " OF_LIST(  // the first part is what a GIN index knows
        "NOT EXISTS (SELECT 1 FROM jsonb_array_elements($1::jsonb) b "
        "WHERE b.value NOT IN (SELECT a.value FROM jsonb_array_elements($0) a))"),
    .size =
        "CASE jsonb_typeof($0) WHEN 'array' THEN jsonb_array_length($0) "
        "WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys($0)) END = $1",
    .elements = "SELECT value FROM jsonb_array_elements(CASE jsonb_typeof($0) WHEN 'array' THEN $0 ELSE '[]' END)",
    .array_any = "$0 && $1::$2",
    .array_all = "$0 @> $1::$2",
    .array_size = "cardinality($0) = $1",
    .aggregate = aggregate,
    .result = {[SQL_TEXT] = SCALAR("string", "") " COLLATE \"C\"", [SQL_NUMBER] = NUMBER, [SQL_DECIMAL] = NUMBER},
    .change = neap__sql_change_postgres,
    .near = "2 * 6371008.8 * asin(sqrt(least(1, sin(radians(" LATITUDE
            " - $1) / 2) ^ 2 + "
            "cos(radians($1)) * cos(radians(" LATITUDE ")) * sin(radians(" LONGITUDE " - $2) / 2) ^ 2))) <= $3",
    .within = LATITUDE " BETWEEN $1 AND $3 AND CASE WHEN $2 <= $4 THEN " LONGITUDE
                       " BETWEEN $2 AND $4 "
                       "ELSE " LONGITUDE " >= $2 OR " LONGITUDE " <= $4 END",
};
