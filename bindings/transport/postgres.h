// postgres.h: what the files of the PostgreSQL driver share among themselves.
//
// A connection is a FIFO in libpq's pipeline mode. What was sent is remembered in a ring, one entry for each answer that the
// server owes; answers are taken off its front. Nothing here blocks: it goes on when the socket or the loop says so.
#ifndef NEAP_POSTGRES_H
#define NEAP_POSTGRES_H

#include <uv.h>

#include "transport/postgres_libpq.h"
#include "transport/sql_transport.h"
#include "transport/statement_cache.h"
#include "value/buffer.h"

#define POSTGRES_CACHED 256   // prepared statements that a connection keeps
#define POSTGRES_PORTION 200  // rows that a cursor inside a transaction fetches at once

struct postgres;

// ---- Statements: prepared once for each text and types of parameters ----

enum statement_state { STATEMENT_NEW, STATEMENT_ASKED, STATEMENT_READY, STATEMENT_FAILED };

struct postgres_statement {
  struct cached cached;  // not listed once it is evicted or known to be stale
  char name[24];
  enum statement_state state;
  int users;  // cursors that point here
  int nparams;
  Oid *declared;             // of the parameters, 0 = left to the server
  PGresult *described;       // READY: types of parameters and columns, names
  uint8_t *decoders;         // of the columns, enum decoder
  bool binary;               // all columns can be read in binary
  struct neap__error error;  // FAILED
};

// ---- Cursors ----

enum cursor_state { CURSOR_UNSENT, CURSOR_SENT, CURSOR_ANSWERED, CURSOR_DONE };

struct postgres_cursor {
  struct sql_cursor head;
  struct sql_statement from;
  struct postgres_statement *statement;  // NULL: a control statement, which is not prepared
  struct neap__op *op;                   // NULL: nobody waits for it any more
  enum cursor_state state;
  bool alone;                   // has a sync of its own, and is done when that has come back
  bool rows;                    // its rows are read when next() asks, one by one
  bool posted;                  // nobody wants its answer, but the connection is lost when it fails
  unsigned portal;              // from.paged: the number of the SQL cursor that its rows are fetched from, 0 = none
  int fetched;                  // rows of the present portion
  bool begun;                   // those: its answer is at the front
  enum copy_direction copying;  // what the server does now
  bool here;                    // OUT: there may be rows, next() has not said that it waits for them
  bool complete;                // IN: all has been given
  bool asked, asked_again;      // its fences have been
  size_t unflushed;             // IN: bytes since it was last looked whether the socket takes them
  char *line;                   // OUT: the present row, libpq's
  bool given;                   // has given a row
  bool told;                    // has said that its columns are known
  bool again;                   // to be sent once more, when its answer has ended
  bool repeated;                // has been
  bool failed;                  // `error` is what came
  bool abandoned;               // finished before its end: freed with its last answer
  PGresult *result;
  int row;
  struct neap__error error;
  char *own;                             // posted: the text
  struct neap__buffer scratch;           // text of the present row that is made here
  struct postgres_cursor *next, **prev;  // among those not sent
};

// ---- Connections ----

enum expected_kind { EXPECT_PREPARED, EXPECT_DESCRIBED, EXPECT_FENCE, EXPECT_ANSWER, EXPECT_SYNC };

// An answer that the server owes.
struct expected {
  enum expected_kind kind;
  struct postgres_statement *statement;  // PREPARED, DESCRIBED
  struct postgres_cursor *cursor;        // FENCE, ANSWER; SYNC of one that is alone
  const struct fence *fence;             // FENCE
};

enum postgres_state { POSTGRES_RESOLVING, POSTGRES_CONNECTING, POSTGRES_READY, POSTGRES_LOST };

struct postgres {
  struct sql_connection head;
  enum postgres_state state;
  PGconn *pq;
  char *url;
  double connect_timeout;
  uv_poll_t *poll;
  int watched;                  // events that it waits for
  uv_prepare_t *tick;           // before the loop waits: syncs and flushes what has been queued
  uv_timer_t *timer;            // while it connects
  uv_timer_t *idle;             // while nobody uses it
  uint64_t idle_ms, idle_from;  // for how long that may last, and loop time when it began; 0 = it is used
  uv_timer_t *overdue;          // while the server owes an answer within a time
  uint64_t heard_at;            // loop time when it last said something
  bool warned;                  // that was too long ago
  struct postgres_lookup *lookup;
  struct postgres_cancel *cancel;
  int dirty;       // commands that have been queued without a sync
  bool reset;      // the script has undone what was set for the session: to be replaced
  bool unflushed;  // libpq holds output that the socket does not take yet
  struct expected *ring;
  unsigned first, nexpected, ring_size;
  struct postgres_cursor *unsent;
  struct neap__error fault;      // LOST: why
  struct postgres_cursor *copy;  // has the connection, which is out of pipeline mode
  struct postgres_cursor *listener;
  PGnotify *heard, *given;  // the next notification, and the one that the listener has got
  unsigned last_portal;
  struct statement_cache cache;
  unsigned long long last_name;
  char *fence;          // the text that asks fences, prepared by this name; NULL: none is
  char fence_name[24];  // as the server knows it
};

// ---- postgres.c ----

// Looks at what the socket may do next, and whether the loop must wait for it.
void neap__postgres_watch(struct postgres *c);
// The socket has something, or takes something.
void neap__postgres_ready(struct postgres *c, int events);
// Whether what nobody has asked for yet is in the way of all that comes.
bool neap__postgres_paused(struct postgres *c);
// Takes the answers that are here, and sends what waited for them.
void neap__postgres_pump(struct postgres *c);
// The connection is of no use any more: everything on it fails with the error.
void neap__postgres_lost(struct postgres *c, const struct neap__error *e);
// The same, with what libpq says of it.
void neap__postgres_gone(struct postgres *c);
// The cursor has failed, if it has not before.
void neap__postgres_fail(struct postgres_cursor *cursor, const struct neap__error *e);
// Its connection is lost.
void neap__postgres_lose(struct postgres *c, struct postgres_cursor *cursor, struct neap__error e);
// Nothing of it is owed any more: whoever waits for it is woken; freed if nobody does.
void neap__postgres_done(struct postgres *c, struct postgres_cursor *cursor);
void neap__postgres_wake(struct postgres_cursor *cursor);
// Nothing is here for next(): returns ROWS_WAIT.
enum rows_state neap__postgres_wait(struct postgres *c, struct postgres_cursor *cursor);
// Takes over what the server has last said of its transaction.
void neap__postgres_note_transaction(struct postgres *c);
// Room for n more expected answers. False if memory is short.
bool neap__postgres_reserve(struct postgres *c, unsigned n);
void neap__postgres_expect(struct postgres *c, struct expected x);
// Sends a control statement without waiting for its answer. If one that must not fail does, the connection is lost.
void neap__postgres_post(struct postgres *c, const char *text, bool must);

// ---- postgres_send.c ----

// Sends a new cursor, or has it wait.
void neap__postgres_submit(struct postgres *c, struct postgres_cursor *cursor);
// Appends it to those that wait; takes it out.
void neap__postgres_queue(struct postgres *c, struct postgres_cursor *cursor);
void neap__postgres_unqueue(struct postgres_cursor *cursor);
// Sends what waits and can be sent.
void neap__postgres_send_all(struct postgres *c);
// Sends a cursor whose statement is ready, or its next portion.
void neap__postgres_transmit(struct postgres *c, struct postgres_cursor *cursor);
// Ends a group of commands; its answer tells that the cursor's has come, if there is one. False: the connection is lost.
bool neap__postgres_sync(struct postgres *c, struct postgres_cursor *cursor);
void neap__postgres_flush(struct postgres *c);

// ---- postgres_connect.c ----

// Starts to connect. False with c->fault filled.
bool neap__postgres_connect(struct postgres *c);
// PQconnectPoll has something to do.
void neap__postgres_connecting(struct postgres *c);
void neap__postgres_stop_poll(struct postgres *c);
// Forgets what connecting still has under way.
void neap__postgres_connect_end(struct postgres *c);

// ---- postgres_quiet.c ----

void neap__postgres_rest(struct sql_connection *connection, double seconds);
// Something has been sent; `first`: nothing else is owed.
void neap__postgres_await_answer(struct postgres *c, bool first);
void neap__postgres_stop_timers(struct postgres *c);

// ---- postgres_copy.c ----

// Sends the cursor's COPY, if nothing else is under way.
void neap__postgres_copy_start(struct postgres *c, struct postgres_cursor *cursor);
// Goes on with it when the socket has said something.
void neap__postgres_copy_pump(struct postgres *c);
enum rows_state neap__postgres_copy_next(struct postgres *c, struct postgres_cursor *cursor, struct cell *cells,
                                         struct neap__error *e);
void neap__postgres_put(struct sql_cursor *head, const char *p, size_t n);
// Ends it early: nothing that it was given is written. False: it does not run.
bool neap__postgres_copy_finish(struct postgres *c, struct postgres_cursor *cursor);

// ---- postgres_statement.c ----

// The statement for the text and the parameters, in the cache or new. NULL: memory is short.
struct postgres_statement *neap__postgres_statement(struct postgres *c, const struct sql_statement *from);
void neap__postgres_statement_leave(struct postgres_statement *s);
// Cannot be found any more; freed when its last cursor leaves it.
void neap__postgres_statement_drop(struct postgres *c, struct postgres_statement *s);
// Asks the server to prepare and describe it. False if the connection takes nothing.
bool neap__postgres_prepare(struct postgres *c, struct postgres_statement *s);
// Takes the description; the result belongs to it. False when memory is short.
bool neap__postgres_described(struct postgres_statement *s, PGresult *r);
// Forgets how fences are asked.
void neap__postgres_forget_fence(struct postgres *c);
// Asks the cursor's fences. False if the connection takes nothing.
bool neap__postgres_ask_fences(struct postgres *c, struct postgres_cursor *cursor);
// Sends the cursor's statement with its values, by its name; or a text that holds it, with the same values.
bool neap__postgres_send(struct postgres *c, struct postgres_cursor *cursor, const char *text);

// ---- postgres_codec.c ----

// How a column is read in binary; 0 = it cannot be.
uint8_t neap__postgres_decoder(Oid type);
// Reads the present row.
int neap__postgres_row(struct postgres_cursor *cursor, struct cell *cells, struct neap__error *e);
// The type that a parameter is sent as, 0 = the server decides.
Oid neap__postgres_type(const struct cell *cell);
// Whether a cell may go to a parameter that the server gave this type, as text.
bool neap__postgres_fits(const struct cell *cell, Oid type);
// A parameter's value: 16 bytes or more of room at `room` for what is made. Text where *format is 0, and is then ended by NUL
// only if made here.
#define POSTGRES_ROOM 40
const char *neap__postgres_value(const struct cell *cell, bool binary, char room[POSTGRES_ROOM], int *n, int *format);

// ---- postgres_error.c ----

// Fills `e` from a failed result. Returns -1.
int neap__postgres_error(const PGresult *r, struct neap__error *e);
// From what the connection says when it could not be made, or was lost. Returns -1.
int neap__postgres_fault(struct postgres *c, struct neap__error *e);

// ---- postgres_cancel.c ----

// Asks the server to end what runs, on a thread. The connection takes nothing new until that has happened and nobody asks any
// more.
void neap__postgres_cancel(struct postgres *c);
// It has ended.
void neap__postgres_cancel_over(struct postgres *c);
// The connection goes away before the thread is done.
void neap__postgres_cancel_forget(struct postgres *c);

#endif
