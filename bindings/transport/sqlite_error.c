// sqlite_error.c: what SQLite says when it fails, as an error that says what to do.
#include <string.h>

#include "transport/sqlite.h"

struct failure {
  int code;  // primary or extended result code
  const char *name;
  enum neap__kind kind;
  bool retryable;
  const char *message;  // %s: the file
};

// Extended codes come before the primary ones that they belong to.
static const struct failure failures[] = {
    {SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE", NEAP_CONFLICT, false, NULL},
    {SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY", NEAP_CONFLICT, false, NULL},
    {SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID", NEAP_CONFLICT, false, NULL},
    {SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY", NEAP_CONFLICT, false,
     "a row that this one points to is not there, or others still point to this one"},
    {SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL", NEAP_VALIDATION, false, NULL},
    {SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK", NEAP_VALIDATION, false, NULL},
    {SQLITE_CONSTRAINT_DATATYPE, "SQLITE_CONSTRAINT_DATATYPE", NEAP_VALIDATION, false, NULL},
    {SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT", NEAP_CONFLICT, false, NULL},
    {SQLITE_BUSY_SNAPSHOT, "SQLITE_BUSY_SNAPSHOT", NEAP_CONFLICT, true,
     "somebody else has written to %s since this transaction began to read; run the transaction again"},
    {SQLITE_BUSY, "SQLITE_BUSY", NEAP_CONFLICT, true,
     "%s is locked by another program; try again, or wait longer with ?timeout=SECONDS in the URL"},
    {SQLITE_LOCKED, "SQLITE_LOCKED", NEAP_CONFLICT, true,
     "a table of %s is still being read on this connection; finish the loop over it first"},
    {SQLITE_READONLY, "SQLITE_READONLY", NEAP_FORBIDDEN, false,
     "%s cannot be written: it was opened with mode=ro, or the file or its folder are read-only"},
    {SQLITE_CANTOPEN, "SQLITE_CANTOPEN", NEAP_CONNECTION, false,
     "%s cannot be opened: check that the folder is there and that you may read and write in it"},
    {SQLITE_NOTADB, "SQLITE_NOTADB", NEAP_CONNECTION, false,
     "%s is not an SQLite database; name another file, or move this one away so that a new one can be made"},
    {SQLITE_CORRUPT, "SQLITE_CORRUPT", NEAP_SERVER, false,
     "%s is damaged; restore a backup, or save what can be read with `sqlite3 FILE .recover`"},
    {SQLITE_FULL, "SQLITE_FULL", NEAP_SERVER, false,
     "%s is full: the disk has no room left, or max_page_count is reached"},
    {SQLITE_IOERR, "SQLITE_IOERR", NEAP_SERVER, false, "%s cannot be read or written: the disk reports an error"},
    {SQLITE_PERM, "SQLITE_PERM", NEAP_FORBIDDEN, false, "%s may not be opened in this way"},
    {SQLITE_AUTH, "SQLITE_AUTH", NEAP_FORBIDDEN, false, "%s does not allow this statement"},
    {SQLITE_TOOBIG, "SQLITE_TOOBIG", NEAP_VALIDATION, false, "a value or statement is larger than SQLite keeps (1 GB)"},
    {SQLITE_MISMATCH, "SQLITE_MISMATCH", NEAP_VALIDATION, false, "an integer key was given a value that is no integer"},
    {SQLITE_NOMEM, "SQLITE_NOMEM", NEAP_LIMIT, false, "memory is short"},
    {SQLITE_INTERRUPT, "SQLITE_INTERRUPT", NEAP_CANCELLED, false, "the statement was stopped"},
    {SQLITE_RANGE, "SQLITE_RANGE", NEAP_USAGE, false, NULL},
    {SQLITE_ERROR, "SQLITE_ERROR", NEAP_USAGE, false, NULL},
};

static const struct failure *find(int code) {
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
    if (failures[i].code == code) return &failures[i];
  return code == (code & 0xff) ? NULL : find(code & 0xff);
}

// "UNIQUE constraint failed: users.email, users.org" -> what follows the colon, NULL if there is none.
static const char *after_colon(const char *text) {
  const char *colon = strstr(text, "failed: ");
  return colon ? colon + 8 : NULL;
}

static int set_constraint(struct neap__error *e, const struct failure *f, const char *said) {
  const char *where = after_colon(said);
  if (f->kind == NEAP_CONFLICT && where)
    return neap__error_set(e, f->kind, "another row has the same value of %s", where);
  if (f->code == SQLITE_CONSTRAINT_NOTNULL && where) return neap__error_set(e, f->kind, "%s must have a value", where);
  return neap__error_set(e, f->kind, "a rule of the table is broken: %s", said);
}

// Errors in the text itself. Tables and columns that are missing are the schema's fault rather than the text's, and a sum that
// is too large is that of the values.
static int set_text(struct neap__error *e, const char *said) {
  if (strncmp(said, "no such table", 13) == 0 || strncmp(said, "no such column", 14) == 0 ||
      strstr(said, "has no column named"))
    return neap__error_set(e, NEAP_MISMATCH, "%s; store:bind() creates what is declared and missing", said);
  if (strcmp(said, "integer overflow") == 0)
    return neap__error_set(e, NEAP_LIMIT, "what is computed is more than an integer of 64 bits holds");
  return neap__error_set(e, NEAP_USAGE, "SQL that SQLite does not take: %s", said);
}

int neap__sqlite_error(struct sqlite *c, int code, struct neap__error *e) {
  const char *said = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(code);
  if (code == SQLITE_CONSTRAINT_TRIGGER && strncmp(said, "FOREIGN KEY", 11) == 0)
    code = SQLITE_CONSTRAINT_FOREIGNKEY;  // ON DELETE RESTRICT is a trigger to SQLite
  const struct failure *f = find(code);
  if (!f) {
    neap__error_set(e, NEAP_SERVER, "SQLite failed: %s", said);
    snprintf(e->code, sizeof e->code, "%d", code);
  } else {
    if (f->message)
      neap__error_set(e, f->kind, f->message, c->name);  // NOLINT: the formats are in the table above
    else if ((code & 0xff) == SQLITE_CONSTRAINT)
      set_constraint(e, f, said);
    else
      set_text(e, said);
    snprintf(e->code, sizeof e->code, "%s", f->name);
    e->retryable = f->retryable;
  }
  if (c->limited && code == SQLITE_TOOBIG)
    neap__error_set(e, NEAP_LIMIT, "a value or statement is larger than is allowed here");
  else if (code == SQLITE_INTERRUPT && c->budget.over)
    neap__error_set(e, NEAP_LIMIT, "the statement needs more than the script may use");
  else if (code == SQLITE_INTERRUPT && !neap__sqlite_interrupted(c) && !neap__stopping(c->head.host))
    neap__error_set(e, NEAP_TIMEOUT, "timed out after %.14g s", c->allowed);
  if (!strstr(e->message, said)) snprintf(e->detail, sizeof e->detail, "%s", said);
  e->store = "sqlite";
  return -1;
}
