// sqlite_peer.c: sqlite_peer WORK FILE: the seconds of the plain loop over SQLite's own functions, the limit of any binding.
//   prepare  makes the file with 100,000 rows       read    steps through them, each column read into nothing
//   tables   the same, a Lua table for each row     get     20,000 rows by id
//   insert   20,000 rows in one transaction         update  one column of 20,000 rows in one transaction
#include <lauxlib.h>
#include <lualib.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS 100000
#define WRITES 20000
#define ROUNDS 3

static const char columns[] = "id, name, email, age, score, active, bio, data";
static sqlite3 *db;
static volatile long long sink;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);  // what the machine does beside does not count
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run(const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
  fprintf(stderr, "%s: %s\n", sql, message);
  exit(1);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) return s;
  fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
  exit(1);
}

static void create(const char *table) {
  char sql[512];
  snprintf(sql, sizeof sql,
           "CREATE TABLE %s (id INTEGER PRIMARY KEY, name TEXT, email TEXT, age INTEGER, score REAL, active INTEGER, "
           "bio TEXT, data TEXT)", table);
  run(sql);
}

static void fill(sqlite3_stmt *s, int i) {
  char text[96];
  snprintf(text, sizeof text, "User number %d", i);
  sqlite3_bind_text(s, 1, text, -1, SQLITE_TRANSIENT);
  snprintf(text, sizeof text, "user%d@example.org", i);
  sqlite3_bind_text(s, 2, text, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int64(s, 3, 18 + i % 70);
  sqlite3_bind_double(s, 4, i * 0.5);
  sqlite3_bind_int64(s, 5, i % 2);
  sqlite3_bind_text(s, 6, "Some text about this user, of ordinary length", -1, SQLITE_STATIC);
  snprintf(text, sizeof text, "{\"level\":%d,\"tags\":[\"a\",\"b\"]}", i % 10);
  sqlite3_bind_text(s, 7, text, -1, SQLITE_TRANSIENT);
}

static void insert(int n) {
  sqlite3_stmt *s = prepare("INSERT INTO people (name, email, age, score, active, bio, data) VALUES (?, ?, ?, ?, ?, ?, ?)");
  run("BEGIN");
  for (int i = 1; i <= n; i++) {
    fill(s, i);
    sqlite3_step(s);
    sink += sqlite3_last_insert_rowid(db);
    sqlite3_reset(s);
  }
  run("COMMIT");
  sqlite3_finalize(s);
}

// Each round sets other values: SQLite writes no page that stays as it was.
static void update(int n, int round) {
  sqlite3_stmt *s = prepare("UPDATE people SET age = ? WHERE id = ?");
  run("BEGIN");
  for (int i = 1; i <= n; i++) {
    sqlite3_bind_int64(s, 1, i + round);
    sqlite3_bind_int64(s, 2, i);
    sqlite3_step(s);
    sink += sqlite3_changes(db);
    sqlite3_reset(s);
  }
  run("COMMIT");
  sqlite3_finalize(s);
}

static void touch(sqlite3_stmt *s, int i) {
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER: sink += sqlite3_column_int64(s, i); break;
    case SQLITE_FLOAT: sink += (long long)sqlite3_column_double(s, i); break;
    case SQLITE_TEXT: sink += *sqlite3_column_text(s, i) + sqlite3_column_bytes(s, i); break;
    default: break;
  }
}

static void read_rows(void) {
  char sql[160];
  snprintf(sql, sizeof sql, "SELECT %s FROM people", columns);
  sqlite3_stmt *s = prepare(sql);
  while (sqlite3_step(s) == SQLITE_ROW)
    for (int i = 0; i < 8; i++) touch(s, i);
  sqlite3_finalize(s);
}

static void push(lua_State *L, sqlite3_stmt *s, int i) {
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER: lua_pushinteger(L, sqlite3_column_int64(s, i)); break;
    case SQLITE_FLOAT: lua_pushnumber(L, sqlite3_column_double(s, i)); break;
    default: lua_pushlstring(L, (const char *)sqlite3_column_text(s, i), (size_t)sqlite3_column_bytes(s, i));
  }
}

// Decodes the text on top of the stack with lua-cjson's function at index 1, in place.
static void decode(lua_State *L) {
  lua_pushvalue(L, 1);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

static void read_tables(lua_State *L, bool json) {
  char sql[160];
  snprintf(sql, sizeof sql, "SELECT %s FROM people", columns);
  sqlite3_stmt *s = prepare(sql);
  while (sqlite3_step(s) == SQLITE_ROW) {
    lua_createtable(L, 0, 8);
    for (int i = 0; i < 8; i++) {
      push(L, s, i);
      if (json && i == 7) decode(L);
      lua_setfield(L, -2, sqlite3_column_name(s, i));
    }
    lua_pop(L, 1);
  }
  sqlite3_finalize(s);
}

static void get(int n) {
  char sql[160];
  snprintf(sql, sizeof sql, "SELECT %s FROM people WHERE id = ?", columns);
  sqlite3_stmt *s = prepare(sql);
  for (int i = 1; i <= n; i++) {
    sqlite3_bind_int64(s, 1, (i * 7919LL) % ROWS + 1);
    if (sqlite3_step(s) == SQLITE_ROW)
      for (int c = 0; c < 8; c++) touch(s, c);
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
}

static void work_once(const char *work, int round, lua_State *L) {
  if (strcmp(work, "read") == 0) read_rows();
  else if (strcmp(work, "tables") == 0) read_tables(L, false);
  else if (strcmp(work, "fields") == 0) read_tables(L, true);
  else if (strcmp(work, "get") == 0) get(WRITES);
  else if (strcmp(work, "insert") == 0) insert(WRITES);
  else update(WRITES, round);
}

int main(int argc, char **argv) {
  if (argc < 3 || sqlite3_open_v2(argv[2], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL)) return 2;
  run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
  if (strcmp(argv[1], "prepare") == 0) {
    run("DROP TABLE IF EXISTS people");
    create("people");
    insert(ROWS);
    return 0;
  }
  lua_State *L = luaL_newstate();
  if (strcmp(argv[1], "fields") == 0) {
    luaL_openlibs(L);
    if (luaL_dostring(L, "return require('cjson').decode")) return 2;
  }
  double best = 1e9;
  for (int i = 0; i <= ROUNDS; i++) {
    if (strcmp(argv[1], "insert") == 0) {
      run("DROP TABLE IF EXISTS people");
      create("people");
    }
    double start = now();
    work_once(argv[1], i, L);
    double took = now() - start;
    if (i > 0 && took < best) best = took;
  }
  printf("%.9f\n", best);
  lua_close(L);
  sqlite3_close(db);
  return 0;
}
