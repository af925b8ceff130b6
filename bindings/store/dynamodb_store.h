// dynamodb_store.h: the store of DynamoDB, what it asks the service, and the calls that this takes.
#ifndef NEAP_DYNAMODB_STORE_H
#define NEAP_DYNAMODB_STORE_H

#include "store/dynamodb.h"
#include "store/dynamodb_value.h"
#include "transport/aws.h"

#define DYNAMODB_WINDOW 8     // reads that one run has under way
#define DYNAMODB_WRITES 16    // writes
#define DYNAMODB_ATTEMPTS 10  // at what the service leaves unprocessed, without a single item done

// What is spent of a table, for reads and for writes.
struct dynamodb_table {
  struct dynamodb_table *next;
  double used[2];   // units since the store was opened
  double level[2];  // units that there are now
  double each[2];   // about what a request costs
  int64_t at;       // loop time at which the levels were so
  char name[];
};

struct dynamodb_store {
  struct store head;
  struct aws_client *aws;
  int attempts;
  bool meters;     // what is spent is counted
  double rate[2];  // units a second that may be, of a table for reads and writes; 0 = any
  struct dynamodb_table *tables;
  struct dynamodb_run *runs;  // that are not closed
  struct neap__closer closer;
};

struct dynamodb_call;

// Something that asks the service: the userdata behind struct rows. User values: 1 the view, 2 and 3 what else it needs.
struct dynamodb_run {
  struct rows rows;
  struct dynamodb_store *store;  // NULL once it is closed
  struct view *view;
  struct dynamodb_table *table;                                     // whose units are counted, NULL = none
  void (*answered)(struct dynamodb_run *, struct dynamodb_call *);  // a call is done; NULL = its task looks
  void (*end)(struct dynamodb_run *);                               // drops all calls and frees what the run holds
  bool writes;
  bool failed, ended;  // next() gives nothing else any more
  struct dynamodb_run *next, **prev;
};

enum call_state {
  CALL_IDLE,
  CALL_WAITS,  // until it is sent again
  CALL_SENT,
  CALL_DONE  // the reply is in `aws`
};

// A request and its reply.
struct dynamodb_call {
  struct aws_call aws;
  struct dynamodb_run *run;
  struct dynamodb_text text;
  enum call_state state;
  struct neap__timer timer;
  double taken;  // units
};

// ---- dynamodb_run.c ----

// Pushes a run, a zeroed userdata of `size` bytes whose head is filled. `view` is the effective one.
void *neap__dynamodb_run_new(lua_State *L, struct view *view, size_t size);
// Fails the run: rows.error is filled. Returns ROWS_FAILED.
enum rows_state neap__dynamodb_fail(struct dynamodb_run *run);
// Makes next() wait until a call is done.
enum rows_state neap__dynamodb_wait(struct dynamodb_run *run);
// Begins the request of a call that is idle.
struct dynamodb_text *neap__dynamodb_call_begin(struct dynamodb_run *run, struct dynamodb_call *call);
// Ends the text and sends it. `target` lives for ever. 0, or -1 with `e` filled: nothing was sent.
int neap__dynamodb_call_send(struct dynamodb_call *call, const char *target, struct neap__error *e);
// The same after a while: it was tried so many times for nothing.
int neap__dynamodb_call_again(struct dynamodb_call *call, const char *target, int attempts, struct neap__error *e);
// Drops the call, whatever its state, and frees its text and its reply.
void neap__dynamodb_call_drop(struct dynamodb_call *call);
// Ends the text and logs what would be sent in a dry run: of a model with secrets only what it is.
int neap__dynamodb_log_dry(const struct dynamodb_run *run, const struct shape *shape, const char *target,
                           struct dynamodb_text *t, struct neap__error *e);
void neap__dynamodb_close(struct store *store);
// kernel.request(view, operation, body) -> body of the reply
int neap__dynamodb_request(lua_State *L);
void neap__dynamodb_run_open(lua_State *L);

// ---- dynamodb_capacity.c ----

// The table of a model, if what is spent of it is counted; else NULL.
struct dynamodb_table *neap__dynamodb_metered(struct dynamodb_store *s, const struct view *view,
                                              const struct shape *shape);
// Takes the units that a request will cost, or gives the milliseconds until there are so many.
int64_t neap__dynamodb_meter_take(struct dynamodb_store *s, struct dynamodb_table *t, bool write, double *taken);
// The request has been answered.
void neap__dynamodb_meter_settle(struct dynamodb_store *s, struct dynamodb_table *t, bool write, double taken,
                                 const struct aws_call *call);
void neap__dynamodb_meters_free(struct dynamodb_store *s);
int neap__dynamodb_capacity(lua_State *L);

// ---- dynamodb_image.c ----

int neap__dynamodb_image(lua_State *L);

// ---- dynamodb_read.c ----

struct rows *neap__dynamodb_select(lua_State *L, struct view *view, const struct query *q);
struct rows *neap__dynamodb_count(lua_State *L, struct view *view, const struct query *q);
struct rows *neap__dynamodb_get(lua_State *L, struct view *view, const struct class *class, const struct cell *key);

// ---- dynamodb_put.c: the request that writes one object ----

// Its key, shape->nkeys cells. -1: it has none, and nobody makes it.
int neap__dynamodb_write_key(const struct shape *shape, const struct write *w, struct cell *key, struct neap__error *e);
// Whether something must hold for it to be done, beside that the row is there.
bool neap__dynamodb_guarded(const struct write *w);
// Whether the same request sent twice leaves what it leaves sent once. Where something must hold for it, the second one may
// fail because of the first.
bool neap__dynamodb_repeatable(const struct write *w);
// "DynamoDB_20120810.UpdateItem"
const char *neap__dynamodb_write_target(const struct write *w);
// The members of that: TableName, Key or Item, expressions. Refuses what is too large.
//   held  of an UPDATE: places that still have to hold these (SET), or nothing (UNSET)
int neap__dynamodb_write_one(struct dynamodb_text *t, const struct view *view, const struct shape *shape,
                             const struct write *w, const struct change *held, int nheld, struct neap__error *e);
// ,"ReturnValues": what the write has to know of the row.
void neap__dynamodb_write_returned(struct dynamodb_text *t, const struct write *w);
// {"PutRequest":{"Item":...}} or {"DeleteRequest":{"Key":...}}
int neap__dynamodb_write_entry(struct dynamodb_text *t, const struct shape *shape, const struct write *w,
                               struct neap__error *e);

// ---- dynamodb_list.c: an UPDATE that changes lists in ways that the service does not know ----

bool neap__dynamodb_reads_first(const struct write *w);
// The members of the GetItem that comes first.
int neap__dynamodb_list_read(struct dynamodb_text *t, const struct view *view, const struct shape *shape,
                             const struct write *w, struct neap__error *e);
// Those of the UpdateItem, given the reply to it.
int neap__dynamodb_list_write(struct dynamodb_text *t, const struct view *view, const struct shape *shape,
                              const struct write *w, const char *reply, size_t n, struct neap__error *e);

// What lies at the end of the first steps of a place in a column. False: nothing.
bool neap__dynamodb_find_place(const struct cell *column, const struct place *place, int nsteps,
                               struct neap__json_slice *out);

// ---- dynamodb_parent.c: changes of places whose parents are not there ----

// The changes as they will be sent, and what must hold of the row for them; texts of the values that were made for those held.
struct dynamodb_listing {
  struct change *changes, *held;
  int n, nheld;
  struct neap__buffer *texts;
};

// Whether the service refused the write because a parent is missing.
bool neap__dynamodb_lacks_parent(const struct write *w, const struct neap__error *e);
// Makes parents that the row with these cells lacks along with what goes into them: one more held for each change, at most.
// -1 when memory is short.
int neap__dynamodb_make_parents(struct dynamodb_listing *l, const struct cell *cells);

// ---- dynamodb_write.c ----

struct rows *neap__dynamodb_write(lua_State *L, struct view *view, const struct class *class,
                                  const struct write *writes, int n);

// The columns of `returning` as they were sent. Returns their number.
int neap__dynamodb_echo(const struct shape *shape, const struct write *w, struct cell *out);

// ---- dynamodb_transaction.c ----

struct rows *neap__dynamodb_begin_transaction(lua_State *L, struct view *view);
struct rows *neap__dynamodb_commit(lua_State *L, struct view *view);
struct rows *neap__dynamodb_rollback(lua_State *L, struct view *view);
bool neap__dynamodb_refused(struct rows *commit, int i, struct refusal *out);
// The answers to writes that are to be sent when the view's transaction commits.
struct rows *neap__dynamodb_collect(lua_State *L, struct view *view, const struct class *class,
                                    const struct write *writes, int n);
// Whether the call failed for nothing else than what passes: others were writing the same items.
bool neap__dynamodb_passes(const struct dynamodb_call *call);
// Whether the view is in a transaction in which nothing is written.
bool neap__dynamodb_only_reads(const struct view *view);
// Raises usage where the item with this key was written in the view's transaction: what is read would not show it.
void neap__dynamodb_check_unwritten(lua_State *L, const struct view *view, const struct shape *shape,
                                    const struct cell *key);

// ---- dynamodb_fetch.c ----

struct rows *neap__dynamodb_load(lua_State *L, struct view *view, const struct class *const *classes,
                                 const struct cell *const *keys, int n);
// neap__dynamodb_get in a transaction in which nothing is written.
struct rows *neap__dynamodb_get_alone(lua_State *L, struct view *view, const struct class *class,
                                      const struct cell *key);

// ---- dynamodb_set.c ----

struct rows *neap__dynamodb_update_all(lua_State *L, struct view *view, const struct query *q,
                                       const struct change *sets, int nsets);
struct rows *neap__dynamodb_remove_all(lua_State *L, struct view *view, const struct query *q);

// ---- dynamodb_open.c ----

// kernel.open{ ... } -> store
int neap__dynamodb_open(lua_State *L);

// ---- dynamodb.c ----

extern const struct store_verbs neap__dynamodb_verbs;

#endif
