// match.h: what comparisons ask of values that are more than scalars: elements of a JSON list, sizes, places on the earth.
// The evaluator and the functions that we give to SQLite both call these, so that they cannot disagree.
#ifndef NEAP_MATCH_H
#define NEAP_MATCH_H

#include "value/buffer.h"
#include "value/cell.h"

// Does the JSON list hold one (or with `all` each) of the elements of the JSON list `wanted`? Elements are equal by value.
// What is no list holds nothing; nothing wanted is in every list (all) or in none (any).
bool neap__match_elements(const char *list, size_t n, const char *wanted, size_t nwanted, bool all);
// Elements of a JSON list or members of a JSON object; -1 for anything else.
int64_t neap__match_size(const char *json, size_t n);
// The name of what a JSON text is: "null", "boolean", "integer", "number", "string", "list", "map"; NULL if it is nothing.
const char *neap__match_type(const char *json, size_t n);

// Appends a cell as JSON text: text quoted, numbers exact, times as the text that they are in JSON, bytes as base64, JSON as it is.
// -1 when memory is short.
int neap__match_write(struct neap__buffer *out, const struct cell *cell);

struct neap__point {
  double latitude, longitude;
};
// Reads a geopoint from its JSON text. False if it is none.
bool neap__match_point(const char *json, size_t n, struct neap__point *out);
// Metres between two points over a sphere of 6,371,008.8 m (haversine; the mean radius of IUGG).
double neap__match_distance(struct neap__point a, struct neap__point b);
// Inside the box, its edges included. A west that is greater than east spans the 180th meridian.
bool neap__match_box(struct neap__point p, double south, double west, double north, double east);

#endif
