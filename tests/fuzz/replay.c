// replay.c: runs a fuzz target over the files of its corpus, so that `make check` needs no fuzzer.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) return 0;
  uint8_t *data = malloc(1 << 20);
  size_t size = data ? fread(data, 1, 1 << 20, f) : 0;
  fclose(f);
  LLVMFuzzerTestOneInput(data, size);
  free(data);
  return 1;
}

int main(int argc, char **argv) {
  int n = 0;
  DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
  for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
    char path[1024];
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
    n += replay(path);
  }
  if (dir) closedir(dir);
  printf("%d passed, %d failed\n", n, n == 0);
  return n == 0;
}
