// proxy.c: stands between a client and a server on 127.0.0.1, and lets them down.
// Usage: proxy PORT reset|hang BYTES [once]   prints its own port and its process id, and serves until it is killed.
//   After BYTES from the server a connection is reset, or nothing more passes; `once`: the first one that gets so far.
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct fault {
  int port;
  bool hang, once;
  long bytes;
  volatile int *done;  // shared by all connections
};

static int listen_anywhere(int *port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 64) != 0) return -1;
  if (getsockname(fd, (struct sockaddr *)&a, &n) != 0) return -1;
  *port = ntohs(a.sin_port);
  return fd;
}

static int connect_to(int port) {
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? fd : -1;
}

static void reset(int fd) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
  _exit(0);
}

// Passes what is there. False at the end of it.
static bool pass(int from, int to, long most, long *passed) {
  char buffer[4096];
  ssize_t n = read(from, buffer, most < (long)sizeof buffer ? (size_t)most : sizeof buffer);
  for (ssize_t at = 0, sent; at < n; at += sent)
    if ((sent = write(to, buffer + at, (size_t)(n - at))) <= 0) return false;
  if (n > 0) *passed += n;
  return n > 0;
}

static void serve(int client, const struct fault *f) {
  int server = connect_to(f->port);
  struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
  long up = 0, down = 0;
  while (server >= 0 && poll(fds, 2, -1) > 0) {
    bool faulty = !(f->once && *f->done);
    if (faulty && down >= f->bytes) {
      *f->done = 1;
      if (!f->hang) reset(client);
      pause();
    }
    if (fds[0].revents && !pass(client, server, 4096, &up)) return;
    if (fds[1].revents && !pass(server, client, faulty ? f->bytes - down : 4096, &down)) return;
  }
}

int main(int argc, char **argv) {
  struct fault f = {.port = atoi(argv[argc > 1]),
                    .hang = argc > 2 && strcmp(argv[2], "hang") == 0,
                    .bytes = argc > 3 ? atol(argv[3]) : 0,
                    .once = argc > 4};
  int port = 0, fd = listen_anywhere(&port);
  f.done = mmap(NULL, sizeof *f.done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (argc < 4 || fd < 0 || f.done == MAP_FAILED) return 2;
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  printf("%d %d\n", port, (int)getpid());
  fflush(stdout);
  fclose(stdout);
  fclose(stderr);
  for (int client; (client = accept(fd, NULL, NULL)) >= 0; close(client))
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve(client, &f);
      _exit(0);
    }
  return 0;
}
