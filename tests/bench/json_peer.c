// json_peer.c: json_peer decode|encode FILE: the seconds that one takes in cJSON, into its tree or from it.
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 20

static char *read_all(const char *path) {
  FILE *f = fopen(path, "rb");
  char *text = calloc(1, 4 << 20);
  if (f == NULL || text == NULL || fread(text, 1, (4 << 20) - 1, f) == 0) exit(1);
  fclose(f);
  return text;
}

static void decode(const char *text) {
  cJSON_Delete(cJSON_Parse(text));
}

static void encode(const cJSON *tree) {
  free(cJSON_PrintUnformatted(tree));
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  char *text = read_all(argv[2]);
  cJSON *tree = cJSON_Parse(text);
  int decoding = strcmp(argv[1], "decode") == 0;
  clock_t start = 0;
  for (int i = -3; i < ROUNDS; i++) {
    if (i == 0) start = clock();
    if (decoding)
      decode(text);
    else
      encode(tree);
  }
  printf("%.9f\n", (double)(clock() - start) / CLOCKS_PER_SEC / ROUNDS);
  cJSON_Delete(tree);
  free(text);
  return 0;
}
