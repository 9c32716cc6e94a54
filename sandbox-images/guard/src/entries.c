/* Events by directory handle and name. */
#define _GNU_SOURCE
#include "watch.h"
#include <stdio.h>
#include <string.h>

struct named {
  const char *name;
  const struct file_handle *handle;
  struct key key;
};

/* Handle and name of one information record; false where it is cut or too large. */
static bool read_record(const char *record, size_t bytes, bool with_name, struct named *into) {
  const struct fanotify_event_info_fid *fid = (const void *)record;
  if (bytes < sizeof *fid + sizeof(struct file_handle)) return false;
  const struct file_handle *handle = (const void *)fid->handle;
  size_t used = sizeof *fid + sizeof *handle + handle->handle_bytes;
  if (used > bytes) return false;
  into->handle = handle;
  into->name = NULL;
  if (with_name) {
    into->name = record + used;
    if (strnlen(into->name, bytes - used) == bytes - used) return false;
  }
  return handle_key(&fid->fsid, handle, &into->key);
}

static bool join(char *into, const char *folder, const char *name) {
  if (!strcmp(name, ".")) return (size_t)snprintf(into, MAX_PATH_BYTES, "%s", folder) < MAX_PATH_BYTES;
  return (size_t)snprintf(into, MAX_PATH_BYTES, "%s/%s", folder, name) < MAX_PATH_BYTES;
}

/* The directory's path; NULL where it is gone or not known. An empty path means outside. */
static const char *directory(const struct key *key, const struct file_handle *handle) {
  const char *known = paths_get(key);
  return known || marks_by_directory() ? known : handle_path(key, handle);
}

static void on_rename(const struct actor *actor, bool seen, bool is_folder, const struct named *from,
                      const struct named *to) {
  char before[MAX_PATH_BYTES], after[MAX_PATH_BYTES];
  /* The host's own renames matter only for paths that are remembered. */
  const char *old_folder = seen ? directory(&from->key, from->handle) : paths_get(&from->key);
  bool had = old_folder && *old_folder && join(before, old_folder, from->name);
  const char *new_folder = seen ? directory(&to->key, to->handle) : paths_get(&to->key);
  bool has = new_folder && *new_folder && join(after, new_folder, to->name);
  if (is_folder && had && has) paths_move(before, after);
  else if (is_folder && !marks_by_directory() && (had || has)) paths_clear();
  if (is_folder && marks_by_directory() && has && !had) mark_new(after);
  if (!seen) return;
  if (had && has) touch_move(actor, before, after);
  else if (had) touch('d', actor, before);
  else if (has) touch('c', actor, after);
}

void entry_event(const struct fanotify_event_metadata *event, bool seen) {
  bool is_folder = event->mask & FAN_ONDIR;
  if (!seen && !(is_folder && (event->mask & (FAN_RENAME | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_CREATE)))) return;
  struct named at = {0}, from = {0}, to = {0}, target = {0};
  const char *record = (const char *)event + event->metadata_len;
  const char *end = (const char *)event + event->event_len;
  while (record + sizeof(struct fanotify_event_info_header) <= end) {
    const struct fanotify_event_info_header *header = (const void *)record;
    if (header->len < sizeof *header || record + header->len > end) break;
    switch (header->info_type) {
      case FAN_EVENT_INFO_TYPE_DFID_NAME:
        if (!read_record(record, header->len, true, &at)) at.name = NULL;
        break;
      case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
        if (!read_record(record, header->len, true, &from)) from.name = NULL;
        break;
      case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
        if (!read_record(record, header->len, true, &to)) to.name = NULL;
        break;
      case FAN_EVENT_INFO_TYPE_FID:
        if (!read_record(record, header->len, false, &target)) target.handle = NULL;
        break;
      default:
        break;
    }
    record += header->len;
  }
  struct actor actor = seen ? program_of(event->pid) : (struct actor){0};
  if (event->mask & FAN_RENAME) {
    if (from.name && to.name) on_rename(&actor, seen, is_folder, &from, &to);
    else if (seen) wire_gap(1, "a rename without names");
    return;
  }
  if (!at.name) {
    if (seen) wire_gap(1, "an event without a name");
    return;
  }
  const char *folder = seen || marks_by_directory() ? directory(&at.key, at.handle) : paths_get(&at.key);
  if (!folder) {
    if (seen && !marks_by_directory())
      hold(&actor, event->mask, &at.key, is_folder ? &target.key : &(struct key){0}, at.name);
    else if (seen) wire_gap(1, "an event in a folder that is not known");
    return;
  }
  char path[MAX_PATH_BYTES];
  if (!*folder) return;
  if (!join(path, folder, at.name)) {
    if (seen) wire_gap(1, "a path is longer than the limit");
    return;
  }
  if (marks_by_directory() && (event->mask & FAN_CREATE)) early_drop(path);
  if (seen) {
    touch_event(&actor, event->mask, path);
    if (event->mask & FAN_OPEN_EXEC) program_execs(event->pid, path);
  }
  if (!is_folder) return;
  if (event->mask & (FAN_CREATE | FAN_MOVED_TO)) {
    if (marks_by_directory()) mark_new(path);
  } else if (event->mask & (FAN_DELETE | FAN_MOVED_FROM)) {
    if (target.handle) {
      release(&target.key, path);
      paths_forget(&target.key);
    } else if (!marks_by_directory()) {
      paths_clear();
    }
  }
}
