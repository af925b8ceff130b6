// spool.c: rows kept aside, in memory and, where they are many, in a temporary file.
#include "transport/spool.h"

#include <stdlib.h>
#include <string.h>

// Bytes of a row: its size, its cells, their text; a multiple of 8, so that cells lie where they may be read.
static size_t row_bytes(const struct cell *cells, int ncells) {
  size_t n = sizeof(uint64_t) + (size_t)ncells * sizeof *cells;
  for (int i = 0; i < ncells; i++)
    if (neap__cell_has_text(&cells[i])) n += cells[i].n;
  return (n + 7) & ~(size_t)7;
}

static bool to_file(struct spool *s) {
  if (!s->file && !(s->file = tmpfile())) return false;
  if (fwrite(s->data, 1, s->n, s->file) != s->n) return false;
  s->n = 0;
  return true;
}

static bool reserve(struct spool *s, size_t bytes) {
  if (s->n > SPOOL_MEMORY && !to_file(s)) return false;
  if (s->n + bytes <= s->size) return true;
  size_t size = s->size ? s->size * 2 : 4096;
  while (size < s->n + bytes) size *= 2;
  char *data = realloc(s->data, size);
  if (!data) return false;
  s->data = data;
  s->size = size;
  return true;
}

bool neap__spool_add(struct spool *s, const struct cell *cells, int ncells) {
  uint64_t bytes = row_bytes(cells, ncells);
  if (!reserve(s, bytes)) return false;
  char *p = s->data + s->n;
  memcpy(p, &bytes, sizeof bytes);
  memcpy(p + sizeof bytes, cells, (size_t)ncells * sizeof *cells);
  p += sizeof bytes + (size_t)ncells * sizeof *cells;
  for (int i = 0; i < ncells; i++) {
    if (!neap__cell_has_text(&cells[i]) || cells[i].n == 0) continue;
    memcpy(p, cells[i].p, cells[i].n);
    p += cells[i].n;
  }
  s->n += bytes;
  return true;
}

bool neap__spool_rewind(struct spool *s) {
  s->at = 0;
  if (!s->file) return true;
  if (!to_file(s) || fflush(s->file) != 0) return false;
  rewind(s->file);
  return true;
}

static void unpack(char *p, struct cell *cells, int ncells) {
  memcpy(cells, p + sizeof(uint64_t), (size_t)ncells * sizeof *cells);
  p += sizeof(uint64_t) + (size_t)ncells * sizeof *cells;
  for (int i = 0; i < ncells; i++) {
    if (!neap__cell_has_text(&cells[i])) continue;
    cells[i].p = p;
    p += cells[i].n;
  }
}

static int next_of_file(struct spool *s, struct cell *cells, int ncells) {
  uint64_t bytes;
  if (fread(&bytes, sizeof bytes, 1, s->file) != 1) return ferror(s->file) ? -1 : 0;
  if (bytes > s->row_size) {
    char *row = realloc(s->row, bytes);
    if (!row) return -1;
    s->row = row;
    s->row_size = bytes;
  }
  size_t rest = bytes - sizeof bytes;
  if (fread(s->row + sizeof bytes, 1, rest, s->file) != rest) return -1;
  unpack(s->row, cells, ncells);
  return 1;
}

int neap__spool_next(struct spool *s, struct cell *cells, int ncells) {
  if (s->file) return next_of_file(s, cells, ncells);
  if (s->at >= s->n) return 0;
  uint64_t bytes;
  memcpy(&bytes, s->data + s->at, sizeof bytes);
  unpack(s->data + s->at, cells, ncells);
  s->at += bytes;
  return 1;
}

void neap__spool_free(struct spool *s) {
  if (s->file) fclose(s->file);
  free(s->data);
  free(s->row);
  *s = (struct spool){0};
}
