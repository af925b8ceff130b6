// tool.c: scripts in a program that has a loop of its own. It reads lines from standard input and lets tool.lua keep them; each
// answer is printed when it is there, while more lines come in.
//
//   cc tool.c -o tool $(pkg-config --cflags --libs neap)
//   (echo hello; sleep 1; echo world) | ./tool tool.lua
#include <neap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static neap_task *at_work;  // lines that have not been answered
static size_t nat_work, room;

// A JSON array with the text in it.
static char *as_json(const char *text, size_t len) {
  char *json = malloc(6 * len + 5), *p = json;
  if (!json) return NULL;
  p += sprintf(p, "[\"");
  for (size_t i = 0; i < len; i++)
    p += sprintf(p, (unsigned char)text[i] < 0x20 || strchr("\"\\", text[i]) ? "\\u%04x" : "%c", text[i]);
  sprintf(p, "\"]");
  return json;
}

static void take_line(neap *host, const char *text, size_t len) {
  char *json = as_json(text, len);
  if (nat_work == room) {
    neap_task *more = realloc(at_work, (2 * room + 16) * sizeof *more);
    if (more) at_work = more, room = 2 * room + 16;
  }
  if (json && nat_work < room && neap_call(host, "tool.line", json, &at_work[nat_work]) == NEAP_OK)
    nat_work++;
  else
    fprintf(stderr, "%s\n", neap_message(host));
  free(json);
}

// Takes the lines that are there, and keeps the beginning of one for later. 0 at the end of the input.
static int read_lines(neap *host) {
  static char text[4096];
  static size_t kept;
  ssize_t n = read(STDIN_FILENO, text + kept, sizeof text - kept);
  size_t len = kept + (n > 0 ? (size_t)n : 0);
  char *line = text, *end;
  while ((end = memchr(line, '\n', len))) {
    take_line(host, line, (size_t)(end - line));
    len -= (size_t)(end + 1 - line);
    line = end + 1;
  }
  if (len > 0 && (n <= 0 || len == sizeof text)) {  // the last one has no end, or one is longer than we read
    take_line(host, line, len);
    len = 0;
  }
  memmove(text, line, len);
  kept = len;
  return n > 0;
}

// Prints the answers that are there, and forgets their tasks.
static void print_answers(neap *host) {
  for (size_t i = 0; i < nat_work;) {
    int status = neap_status(host, at_work[i]);
    if (status == NEAP_PENDING) {
      i++;
      continue;
    }
    if (status == NEAP_OK) puts(neap_result(host, at_work[i], NULL));
    neap_release(host, at_work[i]);
    at_work[i] = at_work[--nat_work];
  }
  fflush(stdout);
}

static void on_error(void *ud, neap_task task, const char *kind, const char *message, const char *traceback) {
  (void)ud, (void)task, (void)kind, (void)traceback;
  fprintf(stderr, "%s\n", message);
}

// Waits for input and for what the scripts wait for, whichever comes first.
static void loop(neap *host, int epoll) {
  struct epoll_event input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
  struct epoll_event scripts = {.events = EPOLLIN, .data.fd = neap_fd(host)}, seen[2];
  int open = epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) == 0;
  epoll_ctl(epoll, EPOLL_CTL_ADD, neap_fd(host), &scripts);
  while (open || nat_work > 0) {
    int n = epoll_wait(epoll, seen, 2, neap_timeout(host));
    for (int i = 0; i < n; i++)
      if (open && seen[i].data.fd == STDIN_FILENO && !read_lines(host)) {
        open = 0;
        epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
      }
    neap_step(host, 5000);
    print_answers(host);
  }
}

int main(int argc, char **argv) {
  neap_options options = {.size = sizeof options, .error = on_error, .slice_us = 1000};
  neap *host;
  if (argc < 2 || neap_open(&host, &options) != NEAP_OK) return fputs("usage: tool script.lua\n", stderr), 2;
  int status = neap_spawn_file(host, argv[1], NULL);
  if (status == NEAP_OK) status = neap_run(host);
  if (status != NEAP_OK) fprintf(stderr, "%s\n", neap_message(host));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (status == NEAP_OK) loop(host, epoll);
  close(epoll);
  free(at_work);
  neap_close(&host);
  return status != NEAP_OK;
}
