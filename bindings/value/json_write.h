// json_write.h: the writer's state, for those who let it pause (json.c). Others use neap__json_write.
#ifndef NEAP_JSON_WRITE_H
#define NEAP_JSON_WRITE_H

#include "value/json.h"
#include "value/json_keys.h"

#define NEAP_JSON_SMALL 32  // objects of up to so many members are sorted on the stack

// How a container lies on the Lua stack, from its slot on. Small objects: the table and its members, as key and value.
// Large ones: the table, the list of its keys (which keeps them alive), their order, and the key and the value at hand;
// first their keys are sorted, then written. What another task changes in a table meanwhile may or may not be written.
enum neap__json_layout { NEAP_JSON_LIST, NEAP_JSON_MEMBERS, NEAP_JSON_SORT, NEAP_JSON_KEYLIST };

// A container that is being written.
struct neap__json_level {
  const void *table;  // its address, to find cycles
  lua_Integer i, n;   // elements written, elements in all
  int slot;           // stack index of the table; its members or keys lie above
  unsigned shape;     // which keys of the writer its members have
  uint8_t layout;     // enum neap__json_layout
  bool begun;         // an element has been written
  bool extra;         // something lies on the stack above its members
  uint8_t order[NEAP_JSON_SMALL];
};

struct neap__json_writer {
  lua_State *L;
  struct neap__buffer *out;
  struct neap__json_level *levels;  // room for `depth` of them
  int depth, nlevels, indent;       // indent: blanks a level, 0 = all in one line
  bool marked;                      // bytes and sets are marked
  struct neap__error *error;
  // The keys of the object that was opened last, in the order in which they were found, and their order in the text.
  struct neap__json_member keys[NEAP_JSON_SMALL];
  uint8_t order[NEAP_JSON_SMALL];
  int nkeys;                         // -1: not known
  unsigned shape;                    // counts the changes of keys
  const void *array, *object, *set;  // the metatables of marked tables
};

// Prepares a writer whose out, levels, depth, indent and error are set.
void neap__json_writer_init(struct neap__json_writer *w, lua_State *L);
// Begins with the value at idx (absolute). NEAP_OK: it is written; NEAP_PENDING: go on; NEAP_ERR.
int neap__json_begin(struct neap__json_writer *w, int idx);
// Goes on after NEAP_PENDING, the stack being as it was. NEAP_PENDING again only if pausing.
int neap__json_continue(struct neap__json_writer *w, bool pausing);

#endif
