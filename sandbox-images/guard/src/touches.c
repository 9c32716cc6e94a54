/* Touches: equal ones in a row become one with a count. */
#define _GNU_SOURCE
#include "watch.h"
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static struct {
  char op;
  struct actor actor;
  uint64_t count, time;
  char path[MAX_PATH_BYTES];
} last;

void touches_flush(void) {
  if (!last.count) return;
  frame_begin('T');
  char op[2] = {last.op, 0};
  frame_string(op);
  frame_number(actor_slot(&last.actor));
  frame_number((uint64_t)last.actor.pid);
  frame_number(last.count);
  frame_number(last.time);
  frame_string(last.path);
  frame_string("");
  frame_end();
  last.count = 0;
}

static uint64_t micros(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

void touch(char op, const struct actor *actor, const char *path) {
  if (last.count && last.op == op && last.actor.pid == actor->pid && last.actor.slot == actor->slot &&
      strcmp(last.path, path) == 0) {
    last.count++;
    return;
  }
  touches_flush();
  size_t bytes = strlen(path);
  if (bytes >= sizeof last.path) {
    wire_gap(1, "a path is longer than the limit");
    return;
  }
  last.op = op;
  last.actor = *actor;
  last.count = 1;
  last.time = micros();
  memcpy(last.path, path, bytes + 1);
}

void touch_move(const struct actor *actor, const char *from, const char *to) {
  touches_flush();
  frame_begin('T');
  frame_string("m");
  frame_number(actor_slot(actor));
  frame_number((uint64_t)actor->pid);
  frame_number(1);
  frame_number(micros());
  frame_string(from);
  frame_string(to);
  frame_end();
}

void touch_event(const struct actor *actor, uint64_t mask, const char *path) {
  bool both = (mask & FAN_CREATE) && (mask & FAN_DELETE);
  bool deleted_first = false;
  if (both) {
    /* The kernel has merged the two: what is there now tells which came last. */
    struct stat stat;
    deleted_first = fstatat(mount_fd(), mount_rest(path), &stat, AT_SYMLINK_NOFOLLOW) == 0;
  }
  if (deleted_first) touch('d', actor, path);
  if (mask & (FAN_CREATE | FAN_MOVED_TO)) touch('c', actor, path);
  if (mask & FAN_OPEN_EXEC) touch('x', actor, path);
  else if ((mask & FAN_OPEN) && !(mask & (FAN_ACCESS | FAN_MODIFY | FAN_CREATE))) touch('o', actor, path);
  if ((mask & FAN_ACCESS) && !(mask & FAN_OPEN_EXEC) && !program_is_loading(actor->pid, path))
    touch('r', actor, path);
  if (mask & FAN_MODIFY) touch('w', actor, path);
  if ((mask & (FAN_DELETE | FAN_MOVED_FROM)) && !deleted_first) touch('d', actor, path);
}
