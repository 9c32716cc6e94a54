/*
 * What is watched, and how events become touches.
 *
 * Three fanotify groups. `entry` reports by directory handle and name: opens, reads, writes and execs
 * where the file system can turn handles back into paths, and creations, renames and deletions always.
 * `path` reports by open descriptor, where handles cannot be decoded (an overlay without nfs_export).
 * `exec` sees programs started from the sandbox's root: no touches, but the moment when a pid becomes
 * another program. All end at fanotify's max_queued_events with an overflow event, which becomes a gap:
 * an unbounded queue would let the sandbox fill the kernel's memory.
 */
#define _GNU_SOURCE
#include "watch.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
/* Descriptors come with these events: few at a time. */
#define PATH_READ_BYTES (8 * 1024)
#define READS_PER_DRAIN 16

static pid_t self;

static void on_overflow(void) {
  touches_flush();
  wire_gap(0, "the kernel's queue ran over");
  /* Renames may be among what was lost: what is remembered cannot be trusted. */
  paths_clear();
  if (marks_by_directory()) mark_all();
}

static bool is_of_sandbox(const struct fanotify_event_metadata *event) { return event->pid > 0 && event->pid != self; }

static void on_entry_event(const struct fanotify_event_metadata *event) {
  if (event->mask & FAN_Q_OVERFLOW) on_overflow();
  else entry_event(event, is_of_sandbox(event));
}

static void on_path_event(const struct fanotify_event_metadata *event) {
  if (event->mask & FAN_Q_OVERFLOW) {
    on_overflow();
    return;
  }
  if (event->fd < 0) {
    wire_gap(1, "a file was gone before its path could be read");
    return;
  }
  if (is_of_sandbox(event)) {
    char path[MAX_PATH_BYTES];
    bool elsewhere;
    if (!mount_path_of_fd(event->fd, path, &elsewhere)) {
      wire_gap(1, "a file's path could not be read");
    } else if (!elsewhere) {
      struct actor actor = program_of(event->pid);
      touch_event(&actor, event->mask, path);
      if (event->mask & FAN_OPEN_EXEC) program_execs(event->pid, path);
    }
  }
  close(event->fd);
}

/* Nothing is lost with these: a program that was not seen starting is read when it touches a file. */
static void on_exec_event(const struct fanotify_event_metadata *event) {
  if (event->fd < 0) return;
  char path[MAX_PATH_BYTES];
  bool elsewhere;
  if (is_of_sandbox(event) && mount_path_of_fd(event->fd, path, &elsewhere)) program_execs(event->pid, path);
  close(event->fd);
}

static void drain(int fd, size_t room, void (*each)(const struct fanotify_event_metadata *)) {
  static char buffer[READ_BYTES] __attribute__((aligned(__alignof__(struct fanotify_event_metadata))));
  for (int reads = 0; reads < READS_PER_DRAIN; reads++) {
    ssize_t bytes = read(fd, buffer, room);
    if (bytes < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      /* A file that cannot be opened for us any more ends a read, not the guard. */
      if (fd == marks_path_fd()) wire_gap(1, "a file was gone before its path could be read");
      if (fd != marks_entry_fd()) continue;
      fatal("reading events", errno);
    }
    const struct fanotify_event_metadata *event = (const void *)buffer;
    for (; FAN_EVENT_OK(event, bytes); event = FAN_EVENT_NEXT(event, bytes)) {
      if (event->vers != FANOTIFY_METADATA_VERSION) fatal("the kernel speaks another fanotify", 0);
      each(event);
    }
    if ((size_t)bytes < room / 2) return;
  }
}

void watch_drain(void) {
  drain(marks_exec_fd(), PATH_READ_BYTES, on_exec_event);
  drain(marks_entry_fd(), READ_BYTES, on_entry_event);
  drain(marks_path_fd(), PATH_READ_BYTES, on_path_event);
  early_expire();
  held_expire();
  touches_flush();
}

int watch_later(void) {
  int early = early_later();
  return early < 0 ? held_later() : early;
}

void watch_start(const char *watched) {
  self = getpid();
  char root[MAX_PATH_BYTES];
  if ((size_t)snprintf(root, sizeof root, "/proc/1/root%s", watched) >= sizeof root || watched[0] != '/')
    fatal(watched, EINVAL);
  mount_open(root, watched);
  marks_start(root);
}
