// memory.c: queries in memory: the rows of a source pass one by one through conditions, groups, order and limits. What is sorted or
// grouped is held until the source has ended; all else passes through.
#include <string.h>

#include "model/memory_build.h"
#include "model/store.h"
#include "value/text.h"

#define MEMORY_TYPE "neap.memory.rows"
#define PAUSE_ROWS 16  // read between two looks at the budget

// ---- The present row of the source ----

static void cell_of(struct row_source *row, const struct field *field, struct cell *out) {
  struct memory *m = (struct memory *)((char *)row - offsetof(struct memory, row));
  *out = m->reached ? *m->reached : m->wide[field->column];
}

bool neap__reach_same(const struct reach *a, const struct reach *b) {
  if (a->nvia != b->nvia || a->place.field != b->place.field || a->place.counted != b->place.counted) return false;
  for (int i = 0; i < a->nvia; i++)
    if (a->via[i].field != b->via[i].field || a->via[i].query != b->via[i].query) return false;
  return true;
}

bool neap__reach_is_far(const struct reach *r) {
  return r->nvia > 0 || r->place.counted;
}

static int reach_of(const struct memory_plan *plan, const struct reach *r) {
  for (int i = 0; i < plan->nreaches; i++)
    if (neap__reach_same(&plan->reaches[i], r)) return i;
  return -1;
}

static const struct cell *far_cell(const struct memory *m, const struct reach *r) {
  const struct memory_plan plan = {.nreaches = m->nreaches, .reaches = m->reaches};
  return &m->in[m->nin + reach_of(&plan, r)];
}

struct found neap__memory_find(struct memory *m, const struct reach *r, struct neap__buffer *scratch) {
  if (!neap__reach_is_far(r)) return neap__place_find(&m->row, &r->place, scratch);
  struct place place = r->place;
  place.counted = NULL;
  m->reached = far_cell(m, r);
  struct found f = {.cell = *m->reached, .there = m->reached->kind > CELL_NULL};
  if (!r->place.counted) f = neap__place_find(&m->row, &place, scratch);
  m->reached = NULL;
  return f;
}

static bool meets(struct memory *m) {
  for (int i = 0; i < MEMORY_CONDITIONS; i++)
    if (m->residual[i] && !neap__condition_evaluate(m->residual[i], &m->row)) return false;
  return true;
}

// ---- Rows of the answer ----

static void project(struct memory *m, struct cell *out) {
  const struct query *q = m->q;
  int n = 0;
  if (q->ngroups + q->naggregates > 0) {
    for (; n < q->ngroups; n++) {
      struct found f = neap__memory_find(m, &q->groups[n], &m->scratch[n]);
      out[n] = f.there ? f.cell : (struct cell){.kind = CELL_NIL};
      if (f.there && f.json.p && neap__place_in_json(&q->groups[n].place))
        out[n] = (struct cell){.p = f.json.p, .n = (uint32_t)f.json.n, .kind = CELL_JSON};
    }
    return;
  }
  int selected = q->nselect ? q->nselect : q->class->shape->ncells;
  for (; n < selected; n++) out[n] = m->wide[q->nselect ? q->select[n]->column : n];
  for (int i = 0; i < q->ncounts; i++) out[n++] = *far_cell(m, &(struct reach){.place = q->counts[i]});
  if (q->owner) out[n++] = q->link ? m->in[m->nin + m->nreaches] : m->wide[q->owner->column];
}

static void find_sort_keys(struct memory *m) {
  for (int i = 0; i < m->nkeys; i++) {
    struct found f = neap__memory_find(m, &m->q->orders[i].reach, &m->scratch[m->q->ngroups + i]);
    m->out[m->width + i] = neap__memory_sort_cell(&f);
  }
}

// Groups sort by what they are grouped by, as it compares, and by what is computed.
static void take_sort_keys(struct memory *m, const struct kept *group) {
  const struct query *q = m->q;
  for (int i = 0; i < m->nkeys; i++) {
    const struct order *o = &q->orders[i];
    struct found f = {.there = true};
    int k = 0;
    if (o->label) {
      while (strcmp(q->aggregates[k].label, o->label) != 0) k++;
      f.cell = m->out[q->ngroups + k];
    } else {
      f.cell = group->cells[q->ngroups + neap__query_group_of(q, &o->reach)];
    }
    f.there = f.cell.kind > CELL_NULL;
    m->out[m->width + i] = neap__memory_sort_cell(&f);
  }
}

// Whether the row is one of those that skip and limit let pass: for each owner, or of all.
static bool passes(struct memory *m, const struct cell *out) {
  if (!m->q->each) {
    if (m->skip > 0) return m->skip--, false;
    if (m->limit > 0) m->limit--;
    return true;
  }
  bool fresh;
  const struct cell cells[2] = {{.i = 0, .kind = CELL_INTEGER}, out[m->width - 1]};
  struct kept *owner = neap__memory_entry(&m->room, &m->owners, cells, 2, 1, &fresh);
  if (!owner) return false;
  int64_t n = owner->cells[0].i++;
  return n >= m->skip && (m->limit < 0 || n - m->skip < m->limit);
}

// Whether there is no need to look any further.
static bool is_full(const struct memory *m) {
  return m->limit == 0 && !m->q->each;
}

// ---- Going on ----

static void end_source(struct memory *m) {
  if (m->source) m->source->close(m->source);
  m->source = NULL;
  m->rows.op.inner = NULL;
  m->rows.op.done = true;
}

static enum rows_state end(struct memory *m) {
  end_source(m);
  m->phase = MEMORY_END;
  return ROWS_END;
}

// Whether others come first; then the rows are asked again after them.
static bool pauses(struct memory *m) {
  if (++m->work < PAUSE_ROWS) return false;
  m->work = 0;
  return m->rows.op.pauses = neap__worked(m->rows.op.host, PAUSE_ROWS);
}

static bool sorts(const struct memory *m) {
  return m->sorted && !m->counts;
}

// Passes the row in m->out on: true where it is to be given now.
static bool give(struct memory *m, struct cell *cells) {
  if (sorts(m)) {
    m->past = neap__memory_is_past(m);
    if (!m->past) neap__memory_offer(m);
    return false;
  }
  if (!passes(m, m->out) || m->room.failed) return false;
  m->counted++;
  if (m->counts) return false;
  memcpy(cells, m->out, (size_t)m->width * sizeof *cells);
  return true;
}

static bool take_row(struct memory *m, struct cell *cells) {
  for (int i = 0; i < m->nin; i++) m->wide[m->columns[i]] = m->in[i];
  if (!meets(m) || m->room.failed) return false;
  if (m->grouped) return neap__memory_add(m), false;
  project(m, m->out);
  if (sorts(m)) find_sort_keys(m);
  return give(m, cells);
}

// The source has ended: whatever was computed of its rows comes next. What is computed of all rows is there without any.
static void all_read(struct memory *m) {
  bool fresh;
  end_source(m);
  if (m->grouped && m->q->ngroups == 0 && m->groups.n == 0) {
    struct kept *all = neap__memory_entry(&m->room, &m->groups, m->group, 0, 0, &fresh);
    if (all) neap__memory_begin(m, all);
  }
  m->phase = m->grouped ? MEMORY_GROUPS : MEMORY_SORT;
  m->at = m->grouped ? 0 : m->heap.n;
}

static enum rows_state read_rows(struct memory *m, struct cell *cells) {
  while (m->source && !m->room.failed && !m->past && !is_full(m)) {
    enum rows_state state = m->source->next(m->source, m->in);
    if (state == ROWS_WAIT) return ROWS_WAIT;
    if (state == ROWS_END) return all_read(m), ROWS_END;
    if (state == ROWS_FAILED) {
      m->rows.error = m->source->error;
      m->room.failed = true;
      break;
    }
    if (take_row(m, cells)) return ROWS_ROW;
    if (m->row.failed) neap__memory_fail(&m->room, NEAP_LIMIT, "a regular expression takes too many steps");
    if (pauses(m)) return ROWS_WAIT;
  }
  if (!m->room.failed) all_read(m);
  return ROWS_END;
}

static enum rows_state give_groups(struct memory *m, struct cell *cells) {
  while (!m->room.failed && m->at < m->groups.n && !is_full(m)) {
    const struct kept *group = m->groups.entries[m->at++];
    bool met = neap__memory_group(m, group);
    if (met && sorts(m)) take_sort_keys(m, group);
    if (met && give(m, cells)) return ROWS_ROW;
    if (pauses(m)) return ROWS_WAIT;
  }
  m->phase = MEMORY_SORT;
  m->at = m->heap.n;
  return ROWS_END;
}

static enum rows_state sort(struct memory *m) {
  while (!neap__memory_sort(m, PAUSE_ROWS)) {
    m->work = PAUSE_ROWS;
    if (pauses(m)) return ROWS_WAIT;
  }
  m->phase = MEMORY_GIVE;
  m->at = 0;
  return ROWS_END;
}

static enum rows_state give_sorted(struct memory *m, struct cell *cells) {
  while (m->at < m->heap.n && !is_full(m) && !m->room.failed) {
    const struct kept *row = m->heap.rows[m->at++];
    bool passed = passes(m, row->cells);
    if (passed) memcpy(cells, row->cells, (size_t)m->width * sizeof *cells);
    if (passed) return ROWS_ROW;
    if (pauses(m)) return ROWS_WAIT;
  }
  if (m->room.failed) return ROWS_FAILED;
  end(m);
  if (!m->counts) return ROWS_END;
  *cells = (struct cell){.i = m->counted, .kind = CELL_INTEGER};
  return ROWS_ROW;
}

static enum rows_state next_in_phase(struct memory *m, struct cell *cells) {
  switch (m->phase) {
    case MEMORY_READ: return read_rows(m, cells);
    case MEMORY_GROUPS: return give_groups(m, cells);
    case MEMORY_SORT: return sort(m);
    case MEMORY_GIVE: return give_sorted(m, cells);
    case MEMORY_END: return ROWS_END;
  }
  return ROWS_END;
}

static enum rows_state memory_next(struct rows *rows, struct cell *cells) {
  struct memory *m = (struct memory *)rows;
  if (!cells) return ROWS_ROW;
  rows->op.pauses = false;
  if (m->source && !m->grouped && !sorts(m)) m->source->stream = rows->stream;
  if (m->source) m->source->batch = rows->batch;
  enum memory_phase before;
  enum rows_state state;
  do {
    before = m->phase;
    state = m->room.failed ? ROWS_FAILED : next_in_phase(m, cells);
  } while (state == ROWS_END && (m->phase != before || m->room.failed));
  if (state == ROWS_FAILED) end_source(m);
  return state;
}

static void memory_close(struct rows *rows) {
  struct memory *m = (struct memory *)rows;
  end(m);
  neap__memory_heap_free(&m->heap);
  neap__memory_groups_free(m);
  neap__memory_table_free(&m->owners);
  neap__memory_leave(&m->room);
  for (int i = 0; i < m->nscratch; i++) neap__buffer_free(&m->scratch[i]);
  m->nscratch = 0;
}

// ---- Making them ----

static void refuse(lua_State *L, const struct query *q, const char *what) {
  neap__fail(L, NEAP_UNSUPPORTED, "%s keeps no %s that could be asked of rows of %s",
             q->class->view->store->verbs->name, what, q->class->shape->model);
}

static void check_place(lua_State *L, const struct query *q, const struct place *p) {
  if (p->counted) refuse(L, q, "counts of related objects");
  if (p->field && p->field->type.kind == TYPE_COMPUTED)
    neap__fail(L, NEAP_UNSUPPORTED, "%s.%s is computed: %s keeps no value that could be asked for",
               p->field->shape->model, p->field->name, q->class->view->store->verbs->name);
}

static void check_condition(lua_State *L, const struct query *q, const struct condition *c) {
  if (!c) return;
  if (c->op == COND_SOME) refuse(L, q, "relations");
  if (c->op > COND_SOME) check_place(L, q, &c->place);
  if (c->other) check_place(L, q, c->other);
  for (int i = 0; i < c->nchildren && c->op != COND_ELEMENT; i++) check_condition(L, q, c->children[i]);
}

static void check_reach(lua_State *L, const struct query *q, const struct memory_plan *plan, const struct reach *r) {
  if (neap__reach_is_far(r) && reach_of(plan, r) < 0) refuse(L, q, "relations");
  if (!neap__reach_is_far(r)) check_place(L, q, &r->place);
}

static void check(lua_State *L, const struct query *q, const struct memory_plan *plan) {
  for (int i = 0; i < MEMORY_CONDITIONS; i++) check_condition(L, q, plan->residual[i]);
  for (int i = 0; i < q->norders; i++)
    if (!q->orders[i].label) check_reach(L, q, plan, &q->orders[i].reach);
  for (int i = 0; i < q->ngroups; i++) check_reach(L, q, plan, &q->groups[i]);
  for (int i = 0; i < q->ncounts; i++) check_reach(L, q, plan, &(struct reach){.place = q->counts[i]});
  for (int i = 0; i < q->naggregates; i++) {
    check_condition(L, q, q->aggregates[i].filter);
    if (q->aggregates[i].reach.place.field) check_reach(L, q, plan, &q->aggregates[i].reach);
  }
}

static int count_columns(const struct query *q, const struct memory_plan *plan) {
  int n = 0;
  for (int i = 0; i < q->class->shape->ncells; i++) n += !plan->columns || neap__has_bit(plan->columns, i);
  return n;
}

// The arrays behind the struct.
static void lay_out(struct memory *m, const struct memory_plan *plan) {
  const struct shape *shape = m->q->class->shape;
  m->scratch = (struct neap__buffer *)(m + 1);
  m->in = (struct cell *)&m->scratch[m->nscratch];
  m->wide = m->in + m->nin + m->nreaches + 1;
  m->out = m->wide + shape->ncells;
  m->group = m->out + m->width + m->nkeys;
  struct reach *reaches = (struct reach *)(m->group + 2 * m->q->ngroups);
  m->columns = (int *)(reaches + m->nreaches);
  for (int i = 0; i < m->nscratch; i++) neap__buffer_plain(&m->scratch[i]);
  if (m->nreaches > 0) memcpy(reaches, plan->reaches, (size_t)m->nreaches * sizeof *reaches);
  m->reaches = reaches;
  for (int i = 0, n = 0; i < shape->ncells; i++)
    if (!plan->columns || neap__has_bit(plan->columns, i)) m->columns[n++] = i;
}

static struct memory *push(lua_State *L, const struct query *q, const struct memory_plan *plan) {
  int nin = count_columns(q, plan), width = neap__query_width(q), nscratch = q->ngroups + q->norders + 1;
  int ncells = nin + plan->nreaches + 1 + q->class->shape->ncells + width + q->norders + 2 * q->ngroups;
  size_t size = sizeof(struct memory) + (size_t)nscratch * sizeof(struct neap__buffer) +
                (size_t)ncells * sizeof(struct cell) + (size_t)plan->nreaches * sizeof(struct reach) +
                (size_t)nin * sizeof(int);
  struct memory *m = neap__op_new(L, size, MEMORY_TYPE, 2);
  m->room = (struct memory_room){.host = m->rows.op.host, .model = q->class->shape->model, .error = &m->rows.error};
  m->rows.close = memory_close;
  m->rows.next = memory_next;
  m->q = q;
  m->nin = nin;
  m->nreaches = plan->nreaches;
  m->width = width;
  m->nkeys = q->norders;
  m->nscratch = nscratch;
  m->naggregates = q->naggregates;
  lay_out(m, plan);
  return m;
}

struct rows *neap__memory_rows(lua_State *L, const struct query *q, const struct memory_plan *plan) {
  struct rows *source = lua_touserdata(L, -1);
  check(L, q, plan);
  struct memory *m = push(L, q, plan);
  memcpy(m->residual, plan->residual, sizeof m->residual);
  m->row = (struct row_source){.cell = cell_of, .regexes = neap__regexes_of(L)};
  m->rows.ncells = plan->count ? 1 : m->width;
  m->counts = plan->count;
  m->grouped = q->ngroups + q->naggregates > 0 && !q->every;
  m->sorted = q->norders > 0 && (m->grouped || !plan->ordered);
  m->nordered = m->grouped ? 0 : plan->nordered;
  m->skip = q->skip;
  m->limit = q->limit;
  m->heap.most = SIZE_MAX;
  if (q->limit >= 0 && !q->each)
    m->heap.most = q->limit > INT64_MAX - q->skip ? SIZE_MAX : (size_t)(q->limit + q->skip);
  m->source = source;
  m->rows.op.inner = &source->op;
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  return &m->rows;
}

// ---- Columns ----

static void mark(const struct place *p, uint64_t *bits) {
  if (p->field && p->field->column >= 0) neap__set_bit(bits, p->field->column);
}

static void mark_reach(const struct reach *r, uint64_t *bits) {
  if (r->nvia > 0 && r->via[0].field->column >= 0) neap__set_bit(bits, r->via[0].field->column);
  if (r->nvia == 0) mark(&r->place, bits);
}

void neap__memory_condition_columns(const struct condition *c, uint64_t *bits) {
  if (!c) return;
  if (c->op >= COND_SOME) mark(&c->place, bits);
  if (c->other) mark(c->other, bits);
  for (int i = 0; i < c->nchildren && c->op < COND_SOME; i++) neap__memory_condition_columns(c->children[i], bits);
}

void neap__memory_columns(const struct query *q, uint64_t *bits) {
  const struct shape *shape = q->class->shape;
  bool tables = q->ngroups + q->naggregates > 0;
  for (int i = 0; !tables && i < (q->nselect ? q->nselect : shape->ncells); i++)
    neap__set_bit(bits, q->nselect ? q->select[i]->column : i);
  if (q->owner && !q->link) mark(&(struct place){.field = q->owner}, bits);
  for (int i = 0; i < q->norders; i++)
    if (!q->orders[i].label) mark_reach(&q->orders[i].reach, bits);
  for (int i = 0; i < q->ngroups; i++) mark_reach(&q->groups[i], bits);
  for (int i = 0; i < q->naggregates; i++) {
    mark_reach(&q->aggregates[i].reach, bits);
    neap__memory_condition_columns(q->aggregates[i].filter, bits);
  }
  neap__memory_condition_columns(q->where, bits);
  if (!q->link) neap__memory_condition_columns(q->owners, bits);
}

void neap__memory_open(lua_State *L) {
  neap__rows_type(L, MEMORY_TYPE);
}
