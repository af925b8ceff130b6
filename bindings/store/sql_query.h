// sql_query.h: the pieces of statements that plain selects and aggregates share.
#ifndef NEAP_SQL_QUERY_H
#define NEAP_SQL_QUERY_H

#include <string.h>

#include "store/sql.h"

// What the value that a reach leads to sorts by: as neap__sql_place_sort. It is a scalar subquery where the reach goes through
// pointers: what a scope hides is absent.
int neap__sql_reach_sort(lua_State *L, struct sql_text *s, int alias, const struct reach *r, int key,
                         struct neap__error *e);
// That value; what lies in JSON and is no text is absent.
int neap__sql_reach_text(lua_State *L, struct sql_text *s, int alias, const struct reach *r, struct neap__error *e);
// The same, but what lies in JSON stays JSON, so that text, lists and booleans are told apart; its null is absent.
int neap__sql_reach_whole(lua_State *L, struct sql_text *s, int alias, const struct reach *r, struct neap__error *e);
// The same, but what lies in JSON and is no number is absent.
int neap__sql_reach_number(lua_State *L, struct sql_text *s, int alias, const struct reach *r, struct neap__error *e);
// " FROM posts t0", with the link table as t1 where the query has one.
void neap__sql_from(struct sql_text *s, const struct query *q);
// " WHERE ...": the owners, the query's condition, the scope. Nothing if all of them are true.
int neap__sql_where(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e);
// The same behind another word than WHERE.
int neap__sql_where_behind(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, const char *word,
                           struct neap__error *e);
// The order of the query whose rows are t0; of another table in the same statement.
int neap__sql_order_of(lua_State *L, struct sql_text *s, int alias, const struct query *q, struct neap__error *e);
int neap__sql_order(lua_State *L, struct sql_text *s, const struct query *q, struct neap__error *e);
void neap__sql_limit(struct sql_text *s, const struct query *q);
// The columns of t<alias> that the query selects, and the counts.
int neap__sql_columns(struct sql_text *s, int alias, const struct query *q, struct neap__error *e);
// The same of all joins, each behind ", ". The tables of joins are t2, t3, ...
int neap__sql_joined(struct sql_text *s, const struct join *joins, int n, struct neap__error *e);
// What ties t<alias> to the row that it hangs on, t<parent>, and what is asked of it (query NULL: nothing). What a scope hides
// is not there.
int neap__sql_tie(lua_State *L, struct sql_text *s, const struct field *f, const struct query *asked, int alias,
                  int parent, struct neap__error *e);
// Whether only one row can point back.
bool neap__sql_only_one(const struct field *f);
// " LEFT JOIN ..." of them.
int neap__sql_joins(lua_State *L, struct sql_text *s, const struct join *joins, int n, struct neap__error *e);
// From, where, order and limit of whatever was selected from t0.
int neap__sql_rest(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e);
// Whether something may be absent that the query sorts by; saying NULLS LAST of it would cost the index where nothing is.
bool neap__sql_may_be_absent(const struct query *q, const struct reach *r);
// Whether the model has an index in which the column descends, and what is absent comes behind all else.
bool neap__sql_descends(const struct reach *r);
// sql_halves.c: whether the select is one of rows with a value in the column that leads the order, and then of rows without; the
// two as common tables before it, and " FROM ..." of them.
bool neap__sql_is_halved(const struct sql_dialect *dialect, const struct query *q);
int neap__sql_halves(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e);
void neap__sql_from_halves(struct sql_text *s);
// sql_include.c: the whole select of a query that is cut for each owner.
int neap__sql_each(lua_State *L, struct sql_text *s, struct view *view, const struct query *q, struct neap__error *e);

int neap__sql_aggregate(lua_State *L, struct sql_text *s, struct view *view, const struct query *q,
                        struct neap__error *e);
int neap__sql_aggregate_kinds(const struct query *q, uint8_t *kinds);
// Whether the aggregate of that label sorts by two keys, and one of them.
bool neap__sql_label_sorts(const struct sql_dialect *dialect, const struct query *q, const char *label);
int neap__sql_label_sort(lua_State *L, struct sql_text *s, const struct query *q, const char *label, int key,
                         struct neap__error *e);

#endif
