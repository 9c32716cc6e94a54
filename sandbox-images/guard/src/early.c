/* Entries that were made in a new directory before it could be marked, less those that came as events. */
#define _GNU_SOURCE
#include "watch.h"
#include <stdlib.h>
#include <string.h>

#define EARLY_MS 50

static char *early[4096];
static size_t early_count;
static uint64_t early_since;

void early_note(const char *path) {
  if (early_count == sizeof early / sizeof *early) {
    wire_gap(0, "creations in a new directory came too fast");
    return;
  }
  if (early_count == 0) early_since = now_ms();
  early[early_count++] = strdup(path);
}

void early_drop(const char *path) {
  for (size_t i = 0; i < early_count; i++)
    if (early[i] && strcmp(early[i], path) == 0) {
      free(early[i]);
      early[i] = NULL;
      return;
    }
}

void early_expire(void) {
  if (!early_count || now_ms() - early_since <= EARLY_MS) return;
  struct actor nobody = {0};
  for (size_t i = 0; i < early_count; i++) {
    if (early[i]) touch('c', &nobody, early[i]);
    free(early[i]);
  }
  early_count = 0;
}

int early_later(void) { return early_count ? EARLY_MS : -1; }
