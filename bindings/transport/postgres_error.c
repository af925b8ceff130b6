// postgres_error.c: what PostgreSQL says when it fails, as an error that says what to do.
#include <stdlib.h>
#include <string.h>

#include "transport/postgres.h"

struct failure {
  const char *state;  // SQLSTATE, or its class
  enum neap__kind kind;
  bool retryable;
  const char *message;  // NULL = made of what the server says
};

// Codes come before the classes that they belong to.
static const struct failure failures[] = {
    {"23505", NEAP_CONFLICT, false, NULL},
    {"23P01", NEAP_CONFLICT, false, NULL},
    {"23503", NEAP_CONFLICT, false, "a row that this one points to is not there, or others still point to this one"},
    {"23502", NEAP_VALIDATION, false, NULL},
    {"23514", NEAP_VALIDATION, false, NULL},
    {"23", NEAP_CONFLICT, false, NULL},
    {"22P02", NEAP_VALIDATION, false, NULL},
    {"22", NEAP_VALIDATION, false, NULL},
    {"40001", NEAP_CONFLICT, true, "another transaction has changed what this one read; run the transaction again"},
    {"40P01", NEAP_CONFLICT, true, "two transactions wait for each other; run the transaction again"},
    {"40", NEAP_CONFLICT, true, NULL},
    {"55P03", NEAP_CONFLICT, true, "somebody else has locked a row that is needed; try again"},
    {"42P01", NEAP_MISMATCH, false, NULL},
    {"42703", NEAP_MISMATCH, false, NULL},
    {"42501", NEAP_FORBIDDEN, false, NULL},
    {"25006", NEAP_FORBIDDEN, false, NULL},
    {"0A000", NEAP_UNSUPPORTED, false, NULL},
    {"42", NEAP_USAGE, false, NULL},
    {"25P02", NEAP_SERVER, false, "the transaction has failed; nothing more can be done in it: run it again"},
    {"25", NEAP_USAGE, false, NULL},
    {"57014", NEAP_TIMEOUT, false, "the statement was stopped by the server: it took too long, or was cancelled"},
    {"28", NEAP_AUTH, false, NULL},
    {"3D000", NEAP_CONNECTION, false, NULL},
    {"57P", NEAP_CONNECTION, true, NULL},
    {"08", NEAP_CONNECTION, true, NULL},
    {"53300", NEAP_THROTTLED, true, NULL},
    {"53", NEAP_SERVER, false, NULL},
    {"54", NEAP_LIMIT, false, NULL},
};

static const struct failure *find(const char *state) {
  static const struct failure other = {"", NEAP_SERVER, false, NULL};
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
    if (strncmp(state, failures[i].state, strlen(failures[i].state)) == 0) return &failures[i];
  return &other;
}

static const char *field(const PGresult *r, int code) {
  const char *text = PQresultErrorField(r, code);
  return text ? text : "";
}

// "Key (email, lower(org))=(a, b) already exists." -> the columns, each with its table. The values are nobody's business.
static size_t write_columns(const PGresult *r, char *out, size_t size) {
  const char *p = strstr(field(r, PG_DIAG_MESSAGE_DETAIL), "("), *table = field(r, PG_DIAG_TABLE_NAME);
  const char *end = p ? strstr(p, ")=(") : NULL;
  size_t n = 0;
  out[0] = 0;
  for (p = p ? p + 1 : NULL; end && p < end && n < size;) {
    size_t name = strcspn(p, ",");
    if (name > (size_t)(end - p)) name = (size_t)(end - p);
    bool quoted = name > 1 && *p == '"' && p[name - 1] == '"';
    n += (size_t)snprintf(out + n, size - n, "%s%s.%.*s", n ? ", " : "", table, (int)(quoted ? name - 2 : name),
                          quoted ? p + 1 : p);
    p += name;
    p += strspn(p, ", ");
  }
  return n;
}

static void set_constraint(struct neap__error *e, const PGresult *r, const struct failure *f) {
  char columns[240];
  const char *said = field(r, PG_DIAG_MESSAGE_PRIMARY);
  size_t n = 0;
  if (f->kind == NEAP_CONFLICT)
    n = write_columns(r, columns, sizeof columns);
  else if (*field(r, PG_DIAG_COLUMN_NAME))
    n = (size_t)snprintf(columns, sizeof columns, "%s.%s", field(r, PG_DIAG_TABLE_NAME), field(r, PG_DIAG_COLUMN_NAME));
  if (f->message)
    neap__error_set(e, f->kind, "%s", f->message);
  else if (n > 0 && f->kind == NEAP_CONFLICT)
    neap__error_set(e, f->kind, "another row has the same value of %s", columns);
  else if (n > 0)
    neap__error_set(e, f->kind, "%s must have a value", columns);
  else
    neap__error_set(e, f->kind, "a rule of the table is broken: %s", said);
  if (n > 0 && !f->message)
    snprintf(e->detail, sizeof e->detail, "%s; failed: %s", said, columns);
  else
    snprintf(e->detail, sizeof e->detail, "%s", said);
}

static void set_said(struct neap__error *e, const struct failure *f, const char *said) {
  if (f->message)
    neap__error_set(e, f->kind, "%s", f->message);
  else if (f->kind == NEAP_MISMATCH)
    neap__error_set(e, f->kind, "%s; store:bind() creates what is declared and missing", said);
  else if (f->kind == NEAP_USAGE)
    neap__error_set(e, f->kind, "SQL that PostgreSQL does not take: %s", said);
  else
    neap__error_set(e, f->kind, "%s", said);
  if (!strstr(e->message, said)) snprintf(e->detail, sizeof e->detail, "%s", said);
}

int neap__postgres_error(const PGresult *r, struct neap__error *e) {
  const char *state = field(r, PG_DIAG_SQLSTATE), *said = field(r, PG_DIAG_MESSAGE_PRIMARY);
  const struct failure *f = find(state);
  if (!*state) {
    const char *text = PQresultErrorMessage(r);
    neap__error_set(e, NEAP_CONNECTION, "%.*s", (int)strcspn(text, "\n"), text);
  } else if (strncmp(state, "23", 2) == 0) {
    set_constraint(e, r, f);
  } else {
    set_said(e, f, said);
  }
  snprintf(e->code, sizeof e->code, "%s", state);
  e->retryable = f->retryable;
  e->store = "postgres";
  return -1;
}

// The SQLSTATE in "connection to ... failed: FATAL:  28P01: password authentication ...", as verbose messages have it.
static const char *state_in(const char *said, char state[6]) {
  static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (const char *p = said; (p = strstr(p, ":  ")) != NULL; p += 3)
    if (strspn(p + 3, digits) == 5 && p[8] == ':') {
      snprintf(state, 6, "%.5s", p + 3);
      return p + 10;
    }
  return NULL;
}

// What libpq refuses by itself, without the server: trying again does not help.
static const struct refusal {
  const char *said;
  enum neap__kind kind;
  const char *advice;
} refusals[] = {
    {"certificate verify failed", NEAP_CONNECTION, "sslrootcert=FILE names who has signed the server's certificate"},
    {"root certificate file", NEAP_CONNECTION, "sslrootcert=FILE names who has signed the server's certificate"},
    {"does not match host name", NEAP_CONNECTION, "name the host in the URL as the certificate does"},
    {"server does not support SSL", NEAP_CONNECTION, "turn it on there (ssl = on), or choose another sslmode"},
    {"invalid sslmode value", NEAP_USAGE, "disable, allow, prefer, require, verify-ca and verify-full are known"},
};

static const struct refusal *refusal_of(const char *said) {
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    if (strstr(said, refusals[i].said)) return &refusals[i];
  return NULL;
}

// What was said of each host, a line each, as one line. What libpq asks back is indented.
static void join_lines(const char *said, char *out, size_t size) {
  size_t n = 0;
  for (out[0] = 0; *said && n < size; said += strspn(said, "\n")) {
    int line = (int)strcspn(said, "\n");
    if (*said != '\t') n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? "; " : "", line, said);
    said += line;
  }
}

int neap__postgres_fault(struct postgres *c, struct neap__error *e) {
  const char *said = c->pq ? PQerrorMessage(c->pq) : "memory is short", *host = c->pq ? PQhost(c->pq) : "";
  char state[6] = "";
  const char *text = state_in(said, state);
  if (!text) text = said;
  int n = (int)strcspn(text, "\n");
  char lines[360];
  join_lines(text, lines, sizeof lines);
  const struct failure *f = find(*state ? state : "08");
  const struct refusal *refusal = c->head.made || *state ? NULL : refusal_of(said);
  if (!c->head.made && *state)
    neap__error_set(e, f->kind, "%s:%s does not let us in: %.*s", host, PQport(c->pq), n, text);
  else if (refusal)
    neap__error_set(e, refusal->kind, "no connection to PostgreSQL: %s; %s", lines, refusal->advice);
  else if (!c->head.made)
    neap__error_set(e, f->kind, "no connection to PostgreSQL: %s", lines);
  else
    neap__error_set(e, NEAP_CONNECTION, "the connection to %s was lost: %.*s", host, n, text);
  snprintf(e->code, sizeof e->code, "%s", state);
  e->retryable = f->retryable && !refusal;
  e->store = "postgres";
  return -1;
}
