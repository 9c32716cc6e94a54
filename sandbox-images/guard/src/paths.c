/* Paths of directories by file handle: what an event names by handle, the host is told by path. */
#define _GNU_SOURCE
#include "guard.h"
#include <stdlib.h>
#include <string.h>

struct entry {
  struct entry *next;
  char *path;
  uint16_t bytes;
  unsigned char data[];
};

#define BUCKETS 65536
static struct entry *bucket[BUCKETS];
static size_t entries;

static struct entry **slot_of(const struct key *key) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < key->bytes; i++) hash = (hash ^ key->data[i]) * 1099511628211u;
  struct entry **at = &bucket[(hash ^ (hash >> 32)) % BUCKETS];
  while (*at && ((*at)->bytes != key->bytes || memcmp((*at)->data, key->data, key->bytes) != 0))
    at = &(*at)->next;
  return at;
}

const char *paths_get(const struct key *key) {
  struct entry *found = *slot_of(key);
  return found ? found->path : NULL;
}

bool paths_put(const struct key *key, const char *path) {
  struct entry **at = slot_of(key);
  char *copy = strdup(path);
  if (!copy) fatal("paths", 12);
  if (*at) {
    free((*at)->path);
    (*at)->path = copy;
    return true;
  }
  if (entries >= MAX_DIRECTORIES) {
    free(copy);
    return false;
  }
  struct entry *made = malloc(sizeof *made + key->bytes);
  if (!made) fatal("paths", 12);
  *made = (struct entry){.path = copy, .bytes = key->bytes};
  memcpy(made->data, key->data, key->bytes);
  *at = made;
  entries++;
  return true;
}

static void drop(struct entry **at) {
  struct entry *gone = *at;
  *at = gone->next;
  free(gone->path);
  free(gone);
  entries--;
}

void paths_forget(const struct key *key) {
  struct entry **at = slot_of(key);
  if (*at) drop(at);
}

void paths_clear(void) {
  for (size_t i = 0; i < BUCKETS; i++)
    while (bucket[i]) drop(&bucket[i]);
}

void paths_move(const char *from, const char *to) {
  size_t bytes = strlen(from), to_bytes = strlen(to);
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct entry *at = bucket[i]; at; at = at->next) {
      if (strncmp(at->path, from, bytes) != 0 || (at->path[bytes] && at->path[bytes] != '/')) continue;
      size_t rest = strlen(at->path + bytes);
      char *moved = malloc(to_bytes + rest + 1);
      if (!moved) fatal("paths", 12);
      memcpy(moved, to, to_bytes);
      memcpy(moved + to_bytes, at->path + bytes, rest + 1);
      free(at->path);
      at->path = moved;
    }
}
