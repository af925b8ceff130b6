// csv.h: what the two files of CSV share. The format is RFC 4180 with any one-byte delimiter and quote.
#ifndef NEAP_CSV_H
#define NEAP_CSV_H

#include <stdio.h>

#include "host.h"

enum csv_header {
  CSV_HEADER_ROW,
  CSV_HEADER_NONE,
  CSV_HEADER_GIVEN
};  // in the text, lists instead, or the option's list

struct csv_options {
  char delimiter, quote;
  enum csv_header header;  // GIVEN: the list of names is pushed by neap__csv_options, else nil
};

// Reads { header =, delimiter =, quote = } at idx (or nothing there) and pushes the list of names or nil. Raises `usage`.
void neap__csv_options(lua_State *L, int idx, struct csv_options *options);
// The FILE behind the path or open Lua file at idx; *owned tells whether the caller closes it. Raises.
FILE *neap__csv_open(lua_State *L, int idx, const char *mode, bool *owned);

// csv_write.c
int neap__csv_encode(lua_State *L);
int neap__csv_writer(lua_State *L);

#endif
