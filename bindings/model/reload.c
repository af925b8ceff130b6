// reload.c: reads the row of an object again.
#include "model/save.h"

enum { R_OBJECT = 1, R_JOB };  // then what anchors the key, and on top the rows

struct reload {
  struct view *view;
  const struct shape *shape;
  struct cell key[4];
  int *columns;  // 0, 1, 2, ...
  struct cell cells[];
};

static struct reload *reload_new(lua_State *L, const struct class *class) {
  int n = class->shape->ncells;
  size_t cells = sizeof(struct reload) + (size_t)n * sizeof(struct cell);
  struct reload *r = lua_newuserdatauv(L, cells + (size_t)n * sizeof(int), 0);
  r->view = neap__view_effective(L, class->view);
  r->shape = class->shape;
  r->columns = (int *)((char *)r + cells);
  for (int i = 0; i < n; i++) r->columns[i] = i;
  return r;
}

static int reloaded(lua_State *L, int status, lua_KContext ctx) {
  struct reload *r = lua_touserdata(L, R_JOB);
  struct rows *rows = lua_touserdata(L, (int)ctx);
  (void)status;
  enum rows_state state = rows->next(rows, r->cells);
  if (state == ROWS_WAIT) return neap__await(L, (int)ctx, ctx, reloaded);
  if (state == ROWS_ROW) {
    neap__view_touch(L, r->view, R_OBJECT);
    neap__object_reset(L, R_OBJECT, r->cells, r->shape->ncells, r->columns);
    neap__view_note_read(L, r->view, R_OBJECT);
  }
  struct neap__error e = rows->error;
  rows->close(rows);
  if (state == ROWS_END) {
    neap__error_set(&e, NEAP_NOT_FOUND, "gone");
    neap__save_describe(L, R_OBJECT, r->shape, &e);
  }
  if (state != ROWS_ROW) return neap__raise(L, &e);
  lua_closeslot(L, (int)ctx);
  lua_settop(L, R_OBJECT);
  return 1;
}

// save.reload(object) -> object
//   Reads its row again; what the script has changed and not saved is lost. Raises not_found.
static int object_reload(lua_State *L) {
  const struct class *class = neap__object_class(neap__object_check(L, R_OBJECT));
  lua_settop(L, R_OBJECT);
  struct reload *r = reload_new(L, class);
  for (int i = 0; i < r->shape->nkeys; i++) {
    int c = r->shape->keys[i]->column;
    neap__object_get(L, R_OBJECT, c, &r->key[i]);
    neap__object_push_anchor(L, R_OBJECT, c, &r->key[i]);
    if (r->key[i].kind == CELL_NIL)
      return neap__fail(L, NEAP_USAGE, "%s has no key yet: save it first", r->shape->model);
  }
  r->view->store->verbs->get(L, r->view, class, r->key);
  lua_toclose(L, -1);
  return reloaded(L, LUA_OK, lua_gettop(L));
}

void neap__reload_register(lua_State *L) {
  lua_pushcfunction(L, object_reload);
  lua_setfield(L, -2, "reload");
}
