/* The gateway's life. What it is and what it says: gateway.h. */
#define _GNU_SOURCE
#include "gateway.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Noreturn void fatal(const char *what) {
  fprintf(stderr, "gateway: %s: %s\n", what, strerrorname_np(errno));
  exit(1);
}

void rest_ms(long ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void end(int signal) {
  (void)signal;
  _exit(0);
}

static long number(const char *text) {
  char *rest;
  errno = 0;
  long value = strtol(text, &rest, 10);
  if (errno || rest == text || *rest || value < 0 || value > 0x7ffffffe) {
    fprintf(stderr, "gateway: '%s' is not a user or group id\n", text);
    exit(1);
  }
  return value;
}

/* Tells of refused datagrams until the broker is gone; it never speaks, so whatever comes is its end. */
static void serve(int link, int datagrams) {
  for (;;) {
    struct pollfd on[] = {{.fd = link, .events = POLLIN}, {.fd = datagrams, .events = POLLIN}};
    if (poll(on, 2, -1) < 0 && errno != EINTR) fatal("poll");
    if (on[0].revents) return;
    if (on[1].revents && !datagrams_forward(datagrams, link)) return;
  }
}

int main(int count, char **args) {
  if (count != 3) {
    fprintf(stderr, "usage: gateway UID GID\n");
    return 1;
  }
  uid_t uid = (uid_t)number(args[1]);
  gid_t gid = (gid_t)number(args[2]);
  int datagrams = datagrams_open();
  drop_powers(uid, gid);
  /* The first process of a container has no default actions for signals. */
  signal(SIGTERM, end);
  signal(SIGINT, end);
  for (;;) {
    int link = hand_over();
    if (link >= 0) {
      serve(link, datagrams);
      close(link);
    }
    rest_ms(RETRY_MS);
  }
}
