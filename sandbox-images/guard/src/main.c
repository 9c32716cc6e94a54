/* The guard's loop. What it is and what it says: guard.h. */
#define _GNU_SOURCE
#include "guard.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* How soon a program that just started is looked at again. */
#define SETTLE_MS 1

static void end(int signal) {
  (void)signal;
  _Exit(0);
}

int main(void) {
  const char *project = getenv("GLOVEBOX_WATCH");
  /* The first process of a container has no default actions for signals. */
  signal(SIGTERM, end);
  signal(SIGINT, end);
  wire_connect(SOCKET_PATH);
  if (!project || !*project) fatal("GLOVEBOX_WATCH is not set", 0);
  programs_start();
  watch_start(project);
  frame_begin('R');
  frame_string(GUARD_VERSION);
  frame_number(marks_see_entries());
  frame_end();
  wire_flush();
  for (;;) {
    struct pollfd on[] = {
        {.fd = marks_entry_fd(), .events = POLLIN},
        {.fd = marks_path_fd(), .events = POLLIN},
        {.fd = marks_exec_fd(), .events = POLLIN},
        {.fd = wire_fd(), .events = (short)(POLLIN | (wire_wants_write() ? POLLOUT : 0))},
    };
    int wait = programs_settle() ? SETTLE_MS : watch_later();
    if (poll(on, 4, wait) < 0 && errno != EINTR) fatal("poll", errno);
    watch_drain();
    if (on[3].revents) wire_serve();
    wire_flush();
  }
}
