// sqlite_limits.c: what statements may do in a host whose scripts are limited. Their work counts as instructions, their memory
// as memory, and none reaches files or settings of the process.
#include <string.h>
#include <time.h>

#include "transport/sqlite.h"

#define MAX_LENGTH (64 << 20)  // bytes of a value, or an eighth of the memory that scripts may use
#define MIN_LENGTH (64 << 10)
#define MAX_TEXT (1 << 20)  // bytes of a statement, or a 64th of that memory
#define MAX_PATTERN 200     // bytes of a pattern of LIKE and GLOB

static int64_t cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

// ---- Budgets ----

void neap__sqlite_begin(struct sqlite *c, const struct sqlite_budget *given) {
  c->budget = *given;
  c->budget.worked = 0;
  c->cpu_at = cpu_us();
  c->memory_at = sqlite3_memory_used();
}

bool neap__sqlite_work(struct sqlite *c, unsigned ops) {
  struct sqlite_budget *b = &c->budget;
  if (!c->limited) return false;
  int64_t now = cpu_us();
  uint64_t used = (uint64_t)(now - c->cpu_at);
  c->cpu_at = now;
  b->worked += used > ops ? used : ops;
  if (b->worked > b->left) b->over = SQLITE_OVER_WORK;
  sqlite3_int64 grown = sqlite3_memory_used() - c->memory_at;
  if (b->room != SIZE_MAX && grown > 0 && (size_t)grown > b->room) b->over = SQLITE_OVER_MEMORY;
  return b->over != SQLITE_WITHIN;
}

static size_t status_of(struct sqlite *c, int what) {
  int bytes = 0, high;
  sqlite3_db_status(c->db, what, &bytes, &high, 0);
  return (size_t)bytes;
}

void neap__sqlite_held(struct sqlite *c) {
  if (!c->limited) return;
  size_t pages = c->in_memory ? status_of(c, SQLITE_DBSTATUS_CACHE_USED) : 0;
  if (c->cache.n != c->counted) c->statements = status_of(c, SQLITE_DBSTATUS_STMT_USED);
  c->counted = c->cache.n;
  c->budget.held = pages + c->statements;
}

void neap__sqlite_settle(neap *h, struct sqlite_budget *b, size_t *reported) {
  if (b->worked) neap__work(h, b->worked);
  neap__hold(h, reported, b->held, b->over == SQLITE_OVER_MEMORY);
  *b = (struct sqlite_budget){.left = neap__work_left(h), .room = neap__memory_left(h), .held = b->held};
}

// ---- What is allowed ----

static bool is_one_of(const char *name, const char *const *list) {
  while (*list && sqlite3_stricmp(name, *list) != 0) list++;
  return *list != NULL;
}

// Those that tell of the schema, and those that count for this connection alone. database_list tells where files are.
static bool allows_pragma(const char *name, const char *value) {
  static const char *const asking[] = {
      "foreign_key_check",  "foreign_key_list", "index_info",   "index_list", "index_xinfo",
      "integrity_check",    "quick_check",      "table_info",   "table_list", "table_xinfo",
      "defer_foreign_keys", "foreign_keys",     "user_version", NULL};
  static const char *const reading[] = {
      "compile_options", "collation_list", "encoding",    "function_list",  "journal_mode",
      "page_count",      "page_size",      "pragma_list", "schema_version", NULL};
  return is_one_of(name, asking) || (!value && is_one_of(name, reading));
}

static int authorize(void *ud, int action, const char *a, const char *b, const char *schema, const char *trigger) {
  const neap_options *o = ud;
  static const char *const functions[] = {"fts3_tokenizer", "load_extension", NULL};
  (void)schema;
  (void)trigger;
  switch (action) {
    case SQLITE_ATTACH: return o->flags & NEAP_NO_FS || o->stores ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_FUNCTION: return is_one_of(b, functions) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA: return allows_pragma(a, b) ? SQLITE_OK : SQLITE_DENY;
    default: return SQLITE_OK;
  }
}

// ---- Functions that take as long as the product of their values' lengths, or a number, says ----

struct bytes {
  const char *p;
  size_t n;
};

static struct bytes bytes_of(sqlite3_value *v, bool blob) {
  const char *p = blob ? sqlite3_value_blob(v) : (const char *)sqlite3_value_text(v);
  return (struct bytes){p ? p : "", (size_t)sqlite3_value_bytes(v)};
}

static bool any_null(int argc, sqlite3_value **argv) {
  for (int i = 0; i < argc; i++)
    if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return true;
  return false;
}

// instr(text, part): the place of the part, from 1; 0 = it is not there.
static void instr(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (any_null(argc, argv)) return;
  bool blobs = sqlite3_value_type(argv[0]) == SQLITE_BLOB && sqlite3_value_type(argv[1]) == SQLITE_BLOB;
  struct bytes text = bytes_of(argv[0], blobs), part = bytes_of(argv[1], blobs);
  const char *at = memmem(text.p, text.n, part.p, part.n);
  sqlite3_int64 place = at != NULL;
  for (const char *p = text.p; at && p < at; p++) place += blobs || ((unsigned char)*p & 0xc0) != 0x80;
  sqlite3_result_int64(ctx, place);
}

static size_t count_parts(struct bytes text, struct bytes part) {
  size_t n = 0;
  const char *p = text.p, *end = text.p + text.n;
  for (; (p = memmem(p, (size_t)(end - p), part.p, part.n)) != NULL; p += part.n) n++;
  return n;
}

// replace(text, part, by)
static void replace(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (any_null(argc, argv)) return;
  struct bytes text = bytes_of(argv[0], false), part = bytes_of(argv[1], false), by = bytes_of(argv[2], false);
  size_t n = part.n ? count_parts(text, part) : 0, size = text.n + n * by.n - n * part.n;
  if (size > (size_t)sqlite3_limit(sqlite3_context_db_handle(ctx), SQLITE_LIMIT_LENGTH, -1)) {
    sqlite3_result_error_toobig(ctx);
    return;
  }
  char *out = sqlite3_malloc64(size + 1), *to = out;
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  const char *from = text.p, *end = text.p + text.n;
  for (; n > 0; n--) {
    const char *at = memmem(from, (size_t)(end - from), part.p, part.n);
    to = (char *)mempcpy(mempcpy(to, from, (size_t)(at - from)), by.p, by.n);
    from = at + part.n;
  }
  memcpy(to, from, (size_t)(end - from));
  sqlite3_result_text64(ctx, out, size, sqlite3_free, SQLITE_UTF8);
}

static void refuse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_error(ctx, sqlite3_user_data(ctx), -1);
}

static int replace_functions(sqlite3 *db) {
  static const struct {
    const char *name;
    int nargs;
    void (*call)(sqlite3_context *, int, sqlite3_value **);
    const char *why;
  } list[] = {
      {"instr", 2, instr, NULL},
      {"replace", 3, replace, NULL},
      {"trim", 2, refuse, "trim takes one value here"},
      {"ltrim", 2, refuse, "ltrim takes one value here"},
      {"rtrim", 2, refuse, "rtrim takes one value here"},
      {"printf", -1, refuse, "there is no printf here; string.format makes the text"},
      {"format", -1, refuse, "there is no format here; string.format makes the text"},
      {"json_patch", 2, refuse, "there is no json_patch here"},
  };
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  int code = SQLITE_OK;
  for (size_t i = 0; i < sizeof list / sizeof *list && code == SQLITE_OK; i++)
    code = sqlite3_create_function(db, list[i].name, list[i].nargs, flags, (void *)(uintptr_t)list[i].why, list[i].call,
                                   NULL, NULL);
  return code;
}

// ---- Opening ----

// A part of the memory that scripts may use, between MIN_LENGTH and `most`.
static int part_of(const neap_options *o, size_t part, size_t most) {
  size_t n = o->max_memory ? o->max_memory / part : most;
  return (int)(n > most ? most : n < MIN_LENGTH ? MIN_LENGTH : n);
}

int neap__sqlite_limits(struct sqlite *c, const char *path) {
  neap *h = c->head.host;
  const neap_options *o = neap__options(h);
  if (!neap__sandboxed(h)) return SQLITE_OK;
  c->limited = true;
  c->in_memory = !*path || strcmp(path, ":memory:") == 0;
  c->budget = (struct sqlite_budget){.left = UINT64_MAX, .room = SIZE_MAX};
  c->memory_at = sqlite3_memory_used();
  c->cpu_at = cpu_us();
  sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, part_of(o, 8, MAX_LENGTH));
  sqlite3_limit(c->db, SQLITE_LIMIT_SQL_LENGTH, part_of(o, 64, MAX_TEXT));
  sqlite3_limit(c->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN);
  sqlite3_limit(c->db, SQLITE_LIMIT_WORKER_THREADS, 0);
  sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  int code = sqlite3_exec(c->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
  if (code == SQLITE_OK) code = replace_functions(c->db);
  if (code == SQLITE_OK) code = sqlite3_set_authorizer(c->db, authorize, (void *)(uintptr_t)o);
  return code;
}
