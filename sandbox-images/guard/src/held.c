/* Deletions in a directory that is itself gone wait for the event that names it. */
#define _GNU_SOURCE
#include "watch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_MS 500

struct held {
  struct held *next;
  uint64_t since;
  struct actor actor;
  uint64_t mask;
  struct key folder, target;
  char name[];
};
static struct held *held, **held_end = &held;
static size_t held_count;

void hold(const struct actor *actor, uint64_t mask, const struct key *folder, const struct key *target,
          const char *name) {
  size_t bytes = strlen(name) + 1;
  struct held *made = held_count < MAX_HELD ? malloc(sizeof *made + bytes) : NULL;
  if (!made) {
    wire_gap(1, "a folder was gone before its path could be read");
    return;
  }
  *made = (struct held){.since = now_ms(), .actor = *actor, .mask = mask, .folder = *folder, .target = *target};
  memcpy(made->name, name, bytes);
  *held_end = made;
  held_end = &made->next;
  held_count++;
}

static bool same_key(const struct key *a, const struct key *b) {
  return a->bytes && a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

void release(const struct key *folder, const char *path) {
  for (struct held **at = &held; *at;) {
    struct held *one = *at;
    if (!same_key(&one->folder, folder)) {
      at = &one->next;
      continue;
    }
    *at = one->next;
    if (!*at) held_end = at;
    held_count--;
    char whole[MAX_PATH_BYTES];
    if ((size_t)snprintf(whole, sizeof whole, "%s/%s", path, one->name) < sizeof whole) {
      touch_event(&one->actor, one->mask, whole);
      if (one->target.bytes) {
        release(&one->target, whole);
        at = &held; /* the list may have changed behind us */
      }
    }
    free(one);
  }
}

void held_expire(void) {
  uint64_t now = now_ms(), lost = 0;
  while (held && now - held->since > HELD_MS) {
    struct held *one = held;
    held = one->next;
    if (!held) held_end = &held;
    held_count--;
    free(one);
    lost++;
  }
  if (lost) wire_gap(lost, "deletions in a folder that was gone before its path could be read");
}

int held_later(void) { return held ? LOOK_AGAIN_MS : -1; }
