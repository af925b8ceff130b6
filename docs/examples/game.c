// game.c: a loop of 60 frames a second with scripts in it. It saves scores, shows the best ones, and takes over game.lua
// whenever that is changed, while it plays.
//
//   cc game.c -o game $(pkg-config --cflags --libs neap)
//   ./game . sqlite:scores.db 10      a folder with the scripts, a store, seconds to play
#define _GNU_SOURCE
#include <neap.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "pool.h"

#define FRAME_NS 16666667
#define BUDGET_US 2000  // of each frame, for scripts

struct game {
  neap *host;
  char script[512];
  struct timespec changed;       // when the script that runs was written
  neap_task loading, save, top;  // 0 = none runs
  int frame, saved;
};

static void on_error(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  (void)ud, (void)task, (void)kind, (void)traceback;
  printf("script: %s\n", message);
}

static void *on_alloc(void *ud, void *p, size_t osize, size_t nsize) {
  return pool_alloc(ud, p, osize, nsize);
}

static int start(struct game *game, struct pool *pool, const char *folder, const char *url) {
  const neap_store stores[] = {{"scores", url}, {0}};
  neap_options options = {.size = sizeof options,
                          .alloc = on_alloc,
                          .ud = pool,
                          .error = on_error,
                          .max_memory = 64 << 20,
                          .slice_us = 500,
                          .flags = NEAP_NO_FS | NEAP_NO_NET | NEAP_NO_OS,
                          .stores = stores,
                          .lua_dir = folder};
  snprintf(game->script, sizeof game->script, "%s/game.lua", folder);
  return pool_reserve(pool, 16 << 20) && neap_open(&game->host, &options) == NEAP_OK;
}

// The task, if it has ended now: then its result is there until it is released.
static int ended(struct game *game, neap_task task) {
  return task && neap_status(game->host, task) != NEAP_PENDING;
}

static void forget(struct game *game, neap_task *task) {
  neap_release(game->host, *task);
  *task = 0;
}

// Loads the script when it has changed. One that cannot be loaded is told about, and the next change is waited for.
static void reload(struct game *game) {
  struct stat st;
  if (ended(game, game->loading)) {
    printf("frame %d: %s\n", game->frame, neap_status(game->host, game->loading) == NEAP_OK ? "loaded" : "not loaded");
    forget(game, &game->loading);
  }
  if (game->loading || stat(game->script, &st) != 0) return;
  if (st.st_mtim.tv_sec == game->changed.tv_sec && st.st_mtim.tv_nsec == game->changed.tv_nsec) return;
  game->changed = st.st_mtim;
  if (neap_spawn_file(game->host, game->script, &game->loading) != NEAP_OK)
    printf("frame %d: %s\n", game->frame, neap_message(game->host));
}

// Once a second somebody has scored, and the best are shown.
static void play(struct game *game) {
  char args[64];
  if (ended(game, game->save)) {
    game->saved += neap_status(game->host, game->save) == NEAP_OK;
    forget(game, &game->save);
  }
  if (ended(game, game->top)) {
    printf("frame %d: %s\n", game->frame, neap_result(game->host, game->top, NULL));
    forget(game, &game->top);
  }
  if (game->loading || game->frame % 60 != 0) return;
  snprintf(args, sizeof args, "[\"player %d\", %d]", game->frame / 60 % 3, game->frame % 1000);
  if (!game->save) neap_call(game->host, "game.save", args, &game->save);
  if (!game->top) neap_call(game->host, "game.top", "[3]", &game->top);
}

static void next_frame(struct timespec *at) {
  at->tv_nsec += FRAME_NS;
  if (at->tv_nsec >= 1000000000) at->tv_sec++, at->tv_nsec -= 1000000000;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL);
}

int main(int argc, char **argv) {
  struct pool pool = {0};
  struct game game = {0};
  int frames = (argc > 3 ? atoi(argv[3]) : 10) * 60;
  struct timespec at;
  setvbuf(stdout, NULL, _IOLBF, 0);  // each line is seen when it is printed
  if (!start(&game, &pool, argc > 1 ? argv[1] : ".", argc > 2 ? argv[2] : "sqlite:scores.db"))
    return puts("cannot start"), 1;
  clock_gettime(CLOCK_MONOTONIC, &at);
  for (game.frame = 0; game.frame < frames; game.frame++) {
    reload(&game);
    play(&game);
    neap_step(game.host, BUDGET_US);
    next_frame(&at);  // where a game draws
  }
  printf("%d frames, %d scores saved\n", frames, game.saved);
  neap_close(&game.host);
  pool_close(&pool);
  return 0;
}
