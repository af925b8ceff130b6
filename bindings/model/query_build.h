// query_build.h: what the files of queries share among themselves.
#ifndef NEAP_QUERY_BUILD_H
#define NEAP_QUERY_BUILD_H

#include <lauxlib.h>

#include "model/object.h"
#include "model/query.h"
#include "model/relation.h"
#include "model/store.h"

// User values of a query: what its pointers name. FILLED is not copied by clones: the list that an include
// has loaded, or the number of its objects if that is all that is known.
enum query_value {
  QUERY_CLASS = 1,
  QUERY_WHERE,
  QUERY_ORDERS,
  QUERY_SELECT,
  QUERY_COUNTS,
  QUERY_INCLUDES,
  QUERY_GROUPS,
  QUERY_AGGREGATES,
  QUERY_HAVING,
  QUERY_OWNERS,
  QUERY_KEY,
  QUERY_FILTER,
  QUERY_PAGING,
  QUERY_FILLED,
  QUERY_VALUES = QUERY_FILLED
};

// Methods by file; query.c puts them into the metatable of queries and into every class.
extern const luaL_Reg neap__query_includes[], neap__query_terminals[], neap__query_aggregates[], neap__query_havings[],
    neap__query_pages[], neap__query_hints[];

// query_faults.c: calls a method that changes nothing with the arguments of the call. Raises all that is wrong with them together.
// pair: the first argument, where it is a name, goes with the second.
int neap__query_faults(lua_State *L, lua_CFunction method, bool pair);
// Pops the error that a protected call has given, to be reported with others; raises what is not about its arguments.
void neap__query_fault(lua_State *L, int status, struct neap__error *e);
// The start of a method: replaces self by a copy of it, to be changed, and leaves its class at index 2, below the arguments.
struct query *neap__query_begin(lua_State *L);
// Pops a value and anchors it in the query at q.
void neap__query_keep(lua_State *L, int q, enum query_value value);
// Pushes the class of the query at q.
void neap__query_push_class(lua_State *L, int q);
// ANDs the condition on top of the stack (popped) into the query at q.
void neap__query_and(lua_State *L, int q);
// The same into what it asks of owners and links.
void neap__query_and_owners(lua_State *L, int q);
// Selecting by a bit set of columns: pushes an empty one; marks a column; makes it the selection of the query at idx, without
// adding the keys.
uint64_t *neap__query_push_bits(lua_State *L, const struct query *q);
void neap__query_mark(uint64_t *bits, int column);
void neap__query_select(lua_State *L, int idx, const uint64_t *bits);

// The arguments of Query:aggregate become the query that gives what is computed, alone on the stack.
const struct query *neap__query_aggregate(lua_State *L);

// Reads the reach that the value at idx (text, or a column expression) names for the class at class_idx. What it points to
// is appended to the list at `anchors`. Raises usage, naming `what` wanted it.
struct reach neap__reach_parse(lua_State *L, int class_idx, int idx, int anchors, const char *what);
struct reach neap__reach_parse_text(lua_State *L, int class_idx, const char *path, size_t n, int anchors,
                                    const char *what);
// Completes the order of the query at idx, which nobody has seen yet, by the keys.
void neap__query_complete_order(lua_State *L, int idx);
// Splits "author.name" or "author__name" where a dot or two underscores are: the length of the first part.
size_t neap__path_part(const char *path, size_t n, size_t *separator);
// "-views", "author.name": as it was written, for cursors and messages. Pushes it.
void neap__order_name(lua_State *L, const struct order *o);

// aggregate.c: raises usage unless the order of a query with groups is by groups and labels.
void neap__query_check_groups(lua_State *L, const struct query *q);

// ---- apart.c: relations on stores that cannot join ----

// Sends the query at index 1, which is alone: k goes on with its rows above it, of which neap__query_sent says where they are. May
// wait before. counts: how many rows there are is asked.
int neap__query_send(lua_State *L, bool counts, lua_KContext ctx, lua_KFunction k);
// The beginning of k: the query that was sent, which may be another one, is at index 1 now, and its rows at index 2.
struct rows *neap__query_sent(lua_State *L);
// The same for what a store does with the rows: k goes on with the query at index 1, which neap__query_settled puts there, one whose
// conditions the store can ask. What stands behind it stays.
int neap__query_settle(lua_State *L, lua_KContext ctx, lua_KFunction k);
const struct query *neap__query_settled(lua_State *L);
// Whether the query asks for related rows of a store that cannot join.
bool neap__apart_needed(const struct view *view, const struct query *q);
// Whether the scope of a model does.
bool neap__apart_scope(const struct view *view, const struct shape *shape);
// Pushes what the query at idx would send, and in it, as `related`, what would be sent before.
void neap__query_explain(lua_State *L, int idx);
// Pushes a function of neap.apart.
void neap__apart_push(lua_State *L, const char *name);

// ---- include.c ----

// Makes the query at idx, which nobody has seen yet, select the pointers that it includes, too.
void neap__include_select(lua_State *L, int idx);
// Loads the includes of the query at index q for the objects in the list at index list. May wait; then k goes on.
// joined: index of what made the objects of joins, or nil.
int neap__include_load(lua_State *L, int q, int list, int joined, lua_KContext ctx, lua_KFunction k);
// Adds what the includes of the query at idx would send to the table on top of the stack, as `include`.
void neap__include_explain(lua_State *L, int idx);

// ---- query_join.c: the objects of joins ----

#define QUERY_SIBLINGS 256  // objects that load their pointers together

// Whether the include is a join in statements that have room for it.
bool neap__include_joins(const struct include *in);
// Pushes what makes the objects that the query at idx joins, nil if it joins none.
void neap__join_push(lua_State *L, int idx);
// Forgets the objects that were made: the next rows get others.
void neap__join_clear(lua_State *L, int idx);
// Pushes what rows need, and returns where it lies.
int neap__join_begin(lua_State *L, int idx);
// Gives the object on top of the stack, made of a row, what the row is joined with.
void neap__join_row(lua_State *L, int idx, int base, const struct cell *cells);
// Pushes the class of a join's objects, or the list of those that were made.
void neap__join_push_value(lua_State *L, int idx, int join, bool class);

// ---- query_read.c: the answer to a select becomes a list, or a stream ----

enum read_form { READ_OBJECTS, READ_TABLES, READ_VALUES };
// OWNED: the list, and where the query has an owner that of the owners' keys as neap__relation_push_lookup has them, else nil.
enum read_result { RESULT_LIST, RESULT_OWNED, RESULT_FIRST, RESULT_ONE };

// Pushes the names of the columns of its rows, in order.
void neap__query_push_names(lua_State *L, const struct query *q);
// Tables where the query has groups or aggregates, else objects.
enum read_form neap__query_form(const struct query *q);
// The end of a terminal: the query is at index 1 and alone. Sends it, reads all of its rows and leaves what `result` says.
int neap__query_read(lua_State *L, enum read_form form, enum read_result result);
// The end of a terminal: leaves an iterator over the query at index 1, as `for ... in` takes it.
int neap__query_each(lua_State *L, lua_Integer batch);

// The same for answers in one row or none: verb() pushed the rows at index 2, and `finish` leaves the result, given the cells
// of the row (NULL: there was none).
typedef int (*neap__one_row)(lua_State *L, const struct rows *rows, const struct cell *cells);
int neap__query_one_row(lua_State *L, int width, neap__one_row finish);
// Pushes a list that siblings share.
void neap__query_push_siblings(lua_State *L);
bool neap__query_has_pointers(const struct query *q);
// Makes the object on top of the stack remember the counts in the cells.
void neap__query_keep_counts(lua_State *L, const struct query *q, const struct cell *cells);
// query_terminal.c: query:count() -> integer, query:exists() -> boolean
int neap__query_count(lua_State *L);
int neap__query_exists(lua_State *L);
// Post:sql(text, params) -> list of objects
int neap__query_sql(lua_State *L);
void neap__query_read_open(lua_State *L);

#endif
