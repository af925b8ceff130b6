// sql_schema.c: a model as the table, columns, keys and indexes that it needs, with the SQL that makes each of them. The
// comparison with what the database has, and the order of the work, are in lua/neap/schema.lua.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "store/sql_store.h"
#include "value/datetime.h"

// ---- Columns ----

// A value as part of the text, for definitions that cannot have parameters. False if it has no such form.
static bool write_literal(struct sql_text *s, const struct cell *cell) {
  char text[40];
  switch ((enum cell_kind)cell->kind) {
    case CELL_NIL:
    case CELL_NULL: neap__sql_add(s, "NULL"); return true;
    case CELL_BOOLEAN: neap__sql_add(s, cell->i ? s->dialect->yes : s->dialect->no); return true;
    case CELL_INTEGER: neap__sql_addf(s, "%lld", (long long)cell->i); return true;
    case CELL_NUMBER: neap__sql_addf(s, "%.17g", cell->d); return isfinite(cell->d);
    case CELL_TEXT:
    case CELL_JSON:
    case CELL_DECIMAL: neap__sql_quoted(s, cell->p, cell->n); return !memchr(cell->p, 0, cell->n);
    case CELL_DATETIME: neap__sql_quoted(s, text, neap__datetime_format(cell->i, text)); return true;
    case CELL_DATE: neap__sql_quoted(s, text, neap__date_format(cell->i, text)); return true;
    case CELL_BYTES:
    case CELL_UNLOADED: break;
  }
  return false;
}

static bool is_required(const struct field *f) {
  return (f->flags & (FIELD_PRIMARY | FIELD_REQUIRED)) != 0;
}

// The key that SQLite gives out by itself must be declared in exactly this way; elsewhere it is one like others.
static bool is_rowid(const struct shape *shape, const struct field *f) {
  return shape->nkeys == 1 && shape->keys[0] == f && f->type.kind == TYPE_INTEGER;
}

static const char *on_delete_sql(enum on_delete action) {
  switch (action) {
    case ON_DELETE_NOTHING: return "";
    case ON_DELETE_RESTRICT: return "RESTRICT";
    case ON_DELETE_CASCADE: return "CASCADE";
    case ON_DELETE_SET_NULL: return "SET NULL";
  }
  return "";
}

static void write_reference(struct sql_text *s, const struct field *f) {
  const char *action = on_delete_sql(f->on_delete);
  neap__sql_add(s, " REFERENCES ");
  neap__sql_table(s, f->target);
  neap__sql_add(s, " (");
  neap__sql_name(s, f->target->keys[0]->wire);
  neap__sql_add(s, ")");
  if (*action) neap__sql_addf(s, " ON DELETE %s", action);
}

// Whether the default is a value that the table may know too, so that rows which other programs write have it.
static bool has_default(const struct field *f) {
  return f->initial.kind >= CELL_BOOLEAN && f->initial.kind != CELL_BYTES && !(f->flags & FIELD_SECRET);
}

static bool is_text(const char *type) {
  return strncmp(type, "text", 4) == 0;
}

static void write_type(struct sql_text *s, const struct type *type) {
  const char *name = type->own ? type->own : s->dialect->column_type(type);
  neap__sql_add(s, name);
  if (type->kind == TYPE_DECIMAL && type->scale >= 0 && s->dialect->scales) neap__sql_addf(s, "(1000,%d)", type->scale);
}

static void write_default(struct sql_text *s, const struct field *f) {
  struct cell cell = neap__sql_value(f, f->initial);
  neap__sql_add(s, " DEFAULT ");
  if (cell.kind == CELL_JSON && neap__sql_is_array(s->dialect, &f->type)) {
    s->scratch.n = 0;
    if (neap__sql_array(&s->scratch, f->type.of, &f->initial) != 0) s->failed = true;
    cell = (struct cell){.p = s->scratch.p, .n = (uint32_t)s->scratch.n, .kind = CELL_TEXT};
  }
  write_literal(s, &cell);
}

// Other programs write too, and conditions look into it.
static void write_json_check(struct sql_text *s, const struct field *f) {
  neap__sql_add(s, " CHECK (");
  for (const char *p = s->dialect->json_check, *mark; *p; p = mark + 2) {
    mark = strstr(p, "$0");
    neap__sql_addf(s, "%.*s", mark ? (int)(mark - p) : (int)strlen(p), p);
    if (!mark) break;
    neap__sql_name(s, f->wire);
  }
  neap__sql_add(s, ")");
}

// "title" TEXT NOT NULL DEFAULT 'none'
static void write_column(struct sql_text *s, const struct shape *shape, const struct field *f) {
  neap__sql_name(s, f->wire);
  neap__sql_add(s, " ");
  write_type(s, &f->type);
  if (is_text(s->dialect->column_type(&f->type))) neap__sql_add(s, s->dialect->text_type);
  if (is_rowid(shape, f) && (f->flags & FIELD_AUTO)) neap__sql_add(s, s->dialect->serial);
  if (shape->nkeys == 1 && shape->keys[0] == f)
    neap__sql_add(s, is_rowid(shape, f) ? " PRIMARY KEY" : " NOT NULL PRIMARY KEY");
  else if (is_required(f))
    neap__sql_add(s, " NOT NULL");
  if (has_default(f)) write_default(s, f);
  if (neap__sql_kind(&f->type) == CELL_JSON && s->dialect->json_check) write_json_check(s, f);
  if (f->type.kind == TYPE_POINTER && !s->dialect->later) write_reference(s, f);
}

static void write_keys(struct sql_text *s, const struct shape *shape) {
  neap__sql_add(s, ", PRIMARY KEY (");
  for (int i = 0; i < shape->nkeys; i++) {
    if (i > 0) neap__sql_add(s, ", ");
    neap__sql_name(s, shape->keys[i]->wire);
  }
  neap__sql_add(s, ")");
}

// ---- Indexes ----

// The text of an expression in which {name} stands for a field.
static int write_expression(struct sql_text *s, const struct shape *shape, const char *p, struct neap__error *e) {
  for (const char *end; *p; p = end) {
    end = *p == '{' ? strchr(p, '}') : p + 1;
    const struct field *f = end > p + 1 ? neap__shape_field(shape, p + 1, (size_t)(end - p - 1)) : NULL;
    if (*p != '{') {
      neap__sql_addf(s, "%c", *p);
      continue;
    }
    if (!f || !neap__field_kept(f))
      return neap__error_set(e, NEAP_USAGE, "%s: an index names {%.*s}, which is no column", shape->model,
                             (int)strcspn(p + 1, "}"), p + 1);
    neap__sql_name(s, f->wire);
    end++;
  }
  return 0;
}

// Whether other programs evaluate the condition as we do, without functions and collations of ours.
static bool is_plain(const struct condition *c) {
  for (int i = 0; i < c->nchildren; i++)
    if (!is_plain(c->children[i])) return false;
  if (c->op == COND_AND || c->op == COND_OR || c->op == COND_NOT) return true;
  if (c->op < COND_EQ || c->op > COND_EXISTS || c->place.nsteps > 0 || !c->place.field || c->other) return false;
  return c->op == COND_EXISTS || c->place.field->type.kind != TYPE_DECIMAL;
}

// Copies a condition written for t0 with its parameters as literals and its columns without the alias.
static bool write_plain(struct sql_text *to, const struct sql_text *from) {
  char quote = 0, *end;
  for (const char *p = from->text; *p; p++) {
    if (quote || *p == '"' || *p == '\'') quote = !quote ? *p : *p == quote ? 0 : quote;
    if (!quote && strncmp(p, "t0.", 3) == 0) {
      p += 2;
    } else if (!quote && *p == from->dialect->placeholder) {
      long n = strtol(p + 1, &end, 10);
      if (n < 1 || n > from->nparams || !write_literal(to, &from->params[n - 1])) return false;
      p = end - 1;
    } else {
      neap__sql_addf(to, "%c", *p);
    }
  }
  return true;
}

static int write_where(lua_State *L, struct sql_text *s, const struct shape *shape, const struct index *index,
                       struct neap__error *e) {
  struct sql_text *where = neap__sql_text_new(L, s->dialect, NULL);
  int status = 0;
  neap__sql_add(s, " WHERE ");
  if (is_plain(index->where)) status = neap__sql_condition(L, where, 0, index->where, e);
  if (status == 0) status = neap__sql_failed(where, e);
  if (status == 0 && (!is_plain(index->where) || !write_plain(s, where)))
    status =
        neap__error_set(e, NEAP_UNSUPPORTED,
                        "%s.%s: the condition of a partial index may compare columns (not decimals) with values by "
                        "eq ne lt lte gt gte in nin between exists, so that other programs can keep the index",
                        shape->model, index->name);
  lua_pop(L, 1);
  return status;
}

// ("author_id", "title" DESC) WHERE ...
static int write_parts(lua_State *L, struct sql_text *s, const struct shape *shape, const struct index *index,
                       struct neap__error *e) {
  neap__sql_add(s, "(");
  for (int i = 0; i < index->nparts; i++) {
    const struct index_part *part = &index->parts[i];
    if (i > 0) neap__sql_add(s, ", ");
    neap__sql_add(s, part->field ? "" : s->dialect->expression[0]);
    if (part->field)
      neap__sql_name(s, part->field->wire);
    else if (write_expression(s, shape, part->sql, e) != 0)
      return -1;
    neap__sql_add(s, part->field ? "" : s->dialect->expression[1]);
    bool nullable = !part->field || !is_required(part->field);
    if (part->descending) neap__sql_add(s, nullable && s->dialect->nulls_first ? " DESC NULLS LAST" : " DESC");
  }
  neap__sql_add(s, ")");
  return index->where ? write_where(L, s, shape, index, e) : 0;
}

// ---- The description, as lua/neap/schema.lua reads it ----

// Pops the statement on top of the stack and keeps its text in the table below it.
static void set_text(lua_State *L, const char *name, struct sql_text *s) {
  struct neap__error e;
  if (neap__sql_failed(s, &e) != 0) neap__raise(L, &e);
  lua_pushlstring(L, s->text ? s->text : "", s->n);
  lua_setfield(L, -3, name);
  lua_pop(L, 1);
}

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static void set_boolean(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

static const struct sql_dialect *dialect_of(const struct class *class) {
  return ((struct sql_store *)class->view->store)->dialect;
}

static struct sql_text *text_new(lua_State *L, const struct class *class) {
  return neap__sql_text_new(L, dialect_of(class), class->view);
}

// Pushes the name of a table as the store's template makes it.
static const char *push_name(lua_State *L, const struct class *class, const char *table) {
  char name[256];
  if (!neap__sql_table_name(dialect_of(class), class->view, table, name, sizeof name))
    neap__fail(L, NEAP_LIMIT, "the name of table %s is too long", neap__show_text(table, strlen(table)).text);
  return lua_pushstring(L, name);
}

// Pushes the name of an index: it lies where its table does.
static const char *push_index_name(lua_State *L, const struct class *class, const char *wire) {
  const char *name = push_name(L, class, wire);
  const char *dot = dialect_of(class)->schemas ? strchr(name, '.') : NULL;
  if (!dot) return name;
  lua_pushstring(L, dot + 1);
  lua_remove(L, -2);
  return lua_tostring(L, -1);
}

// Pushes { name, type, kind, required, rowid, definition, add }; add is nil where rows that are there would have no value.
static void push_column(lua_State *L, const struct class *class, const struct shape *shape, const struct field *f) {
  lua_createtable(L, 0, 8);
  set_string(L, "name", f->wire);
  struct sql_text *s = text_new(L, class);
  write_type(s, &f->type);
  set_text(L, "type", s);
  set_string(L, "kind", neap__type_name(f->type.kind == TYPE_POINTER ? f->type.of->kind : f->type.kind));
  set_boolean(L, "required", is_required(f));
  set_boolean(L, "rowid", is_rowid(shape, f) && (f->flags & FIELD_AUTO));
  s = text_new(L, class);
  write_column(s, shape, f);
  set_text(L, "definition", s);
  if (!(f->flags & FIELD_PRIMARY) && (has_default(f) || !is_required(f))) {
    s = text_new(L, class);
    neap__sql_add(s, "ALTER TABLE ");
    neap__sql_table(s, shape);
    neap__sql_add(s, " ADD COLUMN ");
    write_column(s, shape, f);
    set_text(L, "add", s);
  }
}

static void push_columns(lua_State *L, const struct class *class, const struct shape *shape) {
  lua_createtable(L, shape->ncolumns, 0);
  for (int i = 0; i < shape->ncolumns; i++) {
    push_column(L, class, shape, shape->columns[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_keys(lua_State *L, const struct shape *shape) {
  lua_createtable(L, shape->nkeys, 0);
  for (int i = 0; i < shape->nkeys; i++) {
    lua_pushstring(L, shape->keys[i]->wire);
    lua_rawseti(L, -2, i + 1);
  }
}

// The statement that makes the table; reads the definitions from the columns at the top of the stack.
static void write_create(lua_State *L, struct sql_text *s, const struct shape *shape, int columns) {
  neap__sql_add(s, "CREATE TABLE ");
  neap__sql_table(s, shape);
  for (int i = 0; i < shape->ncolumns; i++) {
    neap__sql_add(s, i == 0 ? " (" : ", ");
    lua_rawgeti(L, columns, i + 1);
    lua_getfield(L, -1, "definition");
    neap__sql_add(s, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
  if (shape->nkeys > 1) write_keys(s, shape);
  neap__sql_add(s, ")");
}

// The statement that adds the reference.
static void set_reference(lua_State *L, const struct class *class, const struct shape *shape, const struct field *f) {
  struct sql_text *s = text_new(L, class);
  neap__sql_add(s, "ALTER TABLE ");
  neap__sql_table(s, shape);
  neap__sql_add(s, " ADD FOREIGN KEY (");
  neap__sql_name(s, f->wire);
  neap__sql_add(s, ")");
  write_reference(s, f);
  set_text(L, "create", s);
}

// { { column, table, to, on_delete, create }, ... }; create only where tables are made without their references.
static void push_references(lua_State *L, const struct class *class, const struct shape *shape) {
  lua_newtable(L);
  for (int i = 0, n = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    if (f->type.kind != TYPE_POINTER) continue;
    lua_createtable(L, 0, 4);
    set_string(L, "column", f->wire);
    push_name(L, class, f->target->table);
    lua_setfield(L, -2, "table");
    set_string(L, "to", f->target->keys[0]->wire);
    set_string(L, "on_delete", on_delete_sql(f->on_delete));
    if (dialect_of(class)->later) set_reference(L, class, shape, f);
    lua_rawseti(L, -2, ++n);
  }
}

// { "author_id", "-title" }, or nil where a part is an expression or the index is partial
static void push_parts(lua_State *L, const struct index *index) {
  bool plain = !index->where;
  for (int i = 0; i < index->nparts; i++) plain = plain && index->parts[i].field;
  if (!plain) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, index->nparts, 0);
  for (int i = 0; i < index->nparts; i++) {
    lua_pushfstring(L, "%s%s", index->parts[i].descending ? "-" : "", index->parts[i].field->wire);
    lua_rawseti(L, -2, i + 1);
  }
}

// Pushes { name, unique, parts, create }.
static void push_index(lua_State *L, const struct class *class, const struct shape *shape, const struct index *index) {
  struct neap__error e;
  lua_createtable(L, 0, 4);
  const char *name = push_index_name(L, class, index->wire);
  struct sql_text *s = text_new(L, class);
  neap__sql_add(s, index->unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ");
  neap__sql_name(s, name);
  neap__sql_add(s, " ON ");
  neap__sql_table(s, shape);
  neap__sql_add(s, " ");
  if (write_parts(L, s, shape, index, &e) != 0) neap__raise(L, &e);
  lua_insert(L, -2);
  lua_setfield(L, -3, "name");
  set_text(L, "create", s);
  set_boolean(L, "unique", index->unique);
  push_parts(L, index);
  lua_setfield(L, -2, "parts");
}

// Pushes the index that an option of the field asks for: unique or index.
static void push_field_index(lua_State *L, const struct class *class, const struct shape *shape,
                             const struct field *f) {
  bool unique = f->flags & FIELD_UNIQUE;
  struct index_part part = {.field = f};
  const char *wire = lua_pushfstring(L, "%s_%s_%s", shape->table, f->wire, unique ? "key" : "idx");
  push_index(L, class, shape,
             &(struct index){.name = f->name, .wire = wire, .unique = unique, .nparts = 1, .parts = &part});
  lua_remove(L, -2);
}

// Pushes the condition of a partial index of the class at index 1, of those at index 2; nil if it has none.
static const struct condition *push_where(lua_State *L, const char *index) {
  if (lua_istable(L, 2))
    lua_getfield(L, 2, index);
  else
    lua_pushnil(L);
  if (lua_isnil(L, -1)) return NULL;
  const struct condition *where = neap__condition_parse(L, 1, lua_gettop(L));
  lua_remove(L, -2);
  return where;
}

static void push_indexes(lua_State *L, const struct class *class, const struct shape *shape) {
  int n = 0;
  lua_newtable(L);
  int list = lua_gettop(L);
  for (int i = 0; i < shape->ncolumns; i++) {
    if (!(shape->columns[i]->flags & (FIELD_UNIQUE | FIELD_INDEX))) continue;
    push_field_index(L, class, shape, shape->columns[i]);
    lua_rawseti(L, list, ++n);
  }
  for (int i = 0; i < shape->nindexes; i++) {
    struct index index = shape->indexes[i];
    // Those of DynamoDB have names that count within their table.
    if (index.kind != INDEX_PLAIN) index.wire = lua_pushfstring(L, "%s_%s", shape->table, index.wire);
    index.where = push_where(L, index.name);
    push_index(L, class, shape, &index);
    lua_rawseti(L, list, ++n);
    lua_settop(L, list);
  }
}

// Pushes { model, dialect, table, quoted, columns, keys, references, indexes, create }.
static void push_description(lua_State *L, const struct class *class) {
  const struct shape *shape = class->shape;
  luaL_checkstack(L, 16, NULL);
  lua_createtable(L, 0, 10);
  set_string(L, "model", shape->model);
  set_string(L, "dialect", dialect_of(class)->name);
  push_name(L, class, shape->table);
  lua_setfield(L, -2, "table");
  push_columns(L, class, shape);
  struct sql_text *s = text_new(L, class);
  write_create(L, s, shape, lua_gettop(L) - 1);
  lua_insert(L, -2);
  lua_setfield(L, -3, "columns");
  set_text(L, "create", s);
  s = text_new(L, class);
  neap__sql_table(s, shape);
  set_text(L, "quoted", s);
  push_keys(L, shape);
  lua_setfield(L, -2, "keys");
  push_references(L, class, shape);
  lua_setfield(L, -2, "references");
  push_indexes(L, class, shape);
  lua_setfield(L, -2, "indexes");
}

// Makes sure that the pointers of the class at index 1 know where they lead, and that a table can be made of its shape.
static int prepare(lua_State *L, const struct shape *shape, struct neap__error *e) {
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    if (f->type.kind != TYPE_POINTER) continue;
    if (neap__shape_resolve(L, 1, f, e) != 0) return -1;
  }
  for (int i = 0; i < shape->ncolumns; i++) {
    const struct field *f = shape->columns[i];
    if (f->type.kind == TYPE_INTEGER && (f->flags & FIELD_AUTO) && (shape->nkeys > 1 || shape->keys[0] != f))
      return neap__error_set(e, NEAP_UNSUPPORTED, "%s.%s: SQLite counts up only an integer that is the whole key",
                             shape->model, f->name);
    if (f->type.kind == TYPE_DECIMAL && f->type.scale < 0 && (f->flags & (FIELD_UNIQUE | FIELD_PRIMARY)))
      return neap__error_set(e, NEAP_USAGE,
                             "%s.%s: a unique decimal needs a scale, so that equal numbers have equal text: "
                             "t.decimal{ scale = 2, unique = true }",
                             shape->model, f->name);
  }
  return 0;
}

// schema.describe(class, wheres) -> { model, dialect, table, quoted, columns, keys, references, indexes, create }
//   wheres  name of an index -> the condition that makes it a partial one, in any spelling; or nothing
//   Raises usage (an unknown model), unsupported (what this store cannot keep).
static int schema_describe(lua_State *L) {
  const struct class *class = neap__class_check(L, 1);
  struct neap__error e;
  lua_settop(L, 2);
  if (!(class->view->store->verbs->capabilities & CAN_SQL))
    return neap__fail(L, NEAP_UNSUPPORTED, "%s has no schema to bind", class->view->store->verbs->name);
  if (prepare(L, class->shape, &e) != 0) return neap__raise(L, &e);
  push_description(L, class);
  return 1;
}

// schema.quoted(store, table) -> the table's name as statements have it, made by the store's template
static int schema_quoted(lua_State *L) {
  struct view *view = neap__view_check(L, 1);
  size_t n;
  const char *table = luaL_checklstring(L, 2, &n);
  char name[256];
  if (!(view->store->verbs->capabilities & CAN_SQL))
    return neap__fail(L, NEAP_UNSUPPORTED, "%s has no tables", view->store->verbs->name);
  const struct sql_dialect *dialect = ((struct sql_store *)view->store)->dialect;
  if (!neap__sql_table_name(dialect, view, table, name, sizeof name))
    return neap__fail(L, NEAP_LIMIT, "the name of table %s is too long", neap__show_text(table, n).text);
  struct sql_text *s = neap__sql_text_new(L, dialect, view);
  neap__sql_qualified(s, name);
  lua_pushlstring(L, s->text, s->n);
  return 1;
}

int luaopen_neap_sql_schema(lua_State *L) {
  static const luaL_Reg functions[] = {{"describe", schema_describe}, {"quoted", schema_quoted}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
