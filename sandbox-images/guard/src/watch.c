/*
 * What is watched, and how events become touches.
 *
 * Three fanotify groups. `entry` reports by directory handle and name: opens, reads, writes and execs
 * where the file system can turn handles back into paths, and creations, renames and deletions always.
 * `path` reports by open descriptor, where handles cannot be decoded (an overlay without nfs_export).
 * `exec` sees programs started from the sandbox's root: no touches, but the moment when a pid becomes
 * another program. All end at fanotify's max_queued_events with an overflow event, which becomes a gap:
 * an unbounded queue would let the sandbox fill the kernel's memory.
 *
 * Creations, renames and deletions need a mark on the whole file system (handles decodable), or else one
 * on every directory. The first also sees what other pid namespaces do; their pid reads 0 and is dropped.
 */
#define _GNU_SOURCE
#include "guard.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x00001000
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif
#ifndef FAN_EVENT_INFO_TYPE_OLD_DFID_NAME
#define FAN_EVENT_INFO_TYPE_OLD_DFID_NAME 10
#define FAN_EVENT_INFO_TYPE_NEW_DFID_NAME 12
#endif
#define AT_HANDLE_FID_FLAG 0x200
#define OVERLAY_MAGIC 0x794c7630

#define TOUCHES (FAN_OPEN | FAN_ACCESS | FAN_OPEN_EXEC)
#define READ_BYTES (64 * 1024)
/* Descriptors come with these events: few at a time. */
#define PATH_READ_BYTES (8 * 1024)
#define READS_PER_DRAIN 16

static char project[MAX_PATH_BYTES]; /* as the sandbox names it */
static char mounted[MAX_PATH_BYTES]; /* as the kernel names it to this process */
static int mount_fd = -1, entry_fd = -1, path_fd = -1, exec_fd = -1;
static uint64_t entry_mask = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ONDIR;
static bool entries_seen, by_directory;
static pid_t self;

int watch_entry_fd(void) { return entry_fd; }
int watch_path_fd(void) { return path_fd; }
int watch_exec_fd(void) { return exec_fd; }
bool watch_sees_entries(void) { return entries_seen; }

/* Touches: equal ones in a row become one with a count. */

static struct {
  char op;
  struct actor actor;
  uint64_t count, time;
  char path[MAX_PATH_BYTES];
} last;

static void flush_last(void) {
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

static void touch(char op, const struct actor *actor, const char *path) {
  if (last.count && last.op == op && last.actor.pid == actor->pid && last.actor.slot == actor->slot &&
      strcmp(last.path, path) == 0) {
    last.count++;
    return;
  }
  flush_last();
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

static void touch_move(const struct actor *actor, const char *from, const char *to) {
  flush_last();
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

/* Paths as the kernel tells them, below the sandbox's mount, in the sandbox's own words. */

static bool below(const char *path, const char *root) {
  size_t bytes = strlen(root);
  if (bytes == 1) return path[0] == '/';
  return strncmp(path, root, bytes) == 0 && (path[bytes] == '/' || path[bytes] == 0);
}

static char *ending(char *text, const char *end) {
  size_t bytes = strlen(text), wanted = strlen(end);
  return bytes > wanted && strcmp(text + bytes - wanted, end) == 0 ? text + bytes - wanted : NULL;
}

/* The kernel adds “ (deleted)” to the path of what is gone; a file may also just be called so. */
static bool still_there(int fd, const char *told) {
  if (!below(told, mounted)) return false;
  struct stat now, opened;
  const char *rest = told + strlen(mounted);
  while (*rest == '/') rest++;
  return *rest && fstatat(mount_fd, rest, &now, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
         now.st_ino == opened.st_ino && now.st_dev == opened.st_dev;
}

/* The path of a descriptor; false where it has none below the watch. `elsewhere` may be any path. */
static bool path_of_fd(int fd, char *into, bool *elsewhere) {
  char link[64], told[MAX_PATH_BYTES];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t bytes = readlink(link, told, sizeof told - 1);
  if (bytes <= 0) return false;
  told[bytes] = 0;
  char *tail = ending(told, " (deleted)");
  if (tail && !still_there(fd, told)) *tail = 0;
  *elsewhere = !below(told, mounted);
  if (*elsewhere) {
    strcpy(into, told);
    return true;
  }
  return (size_t)snprintf(into, MAX_PATH_BYTES, "%s%s", project, told + (strlen(mounted) == 1 ? 0 : strlen(mounted))) <
         MAX_PATH_BYTES;
}

static bool key_of(const void *fsid, const struct file_handle *handle, struct key *key) {
  if (handle->handle_bytes + 12 > sizeof key->data) return false;
  memcpy(key->data, fsid, 8);
  memcpy(key->data + 8, &handle->handle_type, 4);
  memcpy(key->data + 12, handle->f_handle, handle->handle_bytes);
  key->bytes = (uint16_t)(handle->handle_bytes + 12);
  return true;
}

/* The directory's path; NULL where it is gone or outside. An empty path means outside, and is remembered. */
static const char *directory(const struct key *key, const struct file_handle *handle) {
  const char *known = paths_get(key);
  if (known || by_directory) return known;
  int fd = open_by_handle_at(mount_fd, (struct file_handle *)handle, O_PATH | O_CLOEXEC);
  if (fd < 0) return NULL;
  char path[MAX_PATH_BYTES];
  bool elsewhere, named = path_of_fd(fd, path, &elsewhere);
  close(fd);
  if (!named) return NULL;
  if (elsewhere) path[0] = 0;
  if (!paths_put(key, path)) {
    paths_clear();
    paths_put(key, path);
  }
  return paths_get(key);
}

/* Marks on each directory, where the file system as a whole cannot be marked. */

static void mark_tree(int folder_fd, char *path, size_t bytes, unsigned depth, void (*found)(const char *));

static bool mark_directory(int fd, const char *path) {
  if (fanotify_mark(entry_fd, FAN_MARK_ADD, entry_mask, fd, NULL)) return false;
  union {
    struct file_handle handle;
    char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
  } named = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
  int mount;
  struct statfs fs;
  struct key key;
  if (name_to_handle_at(fd, "", &named.handle, &mount, AT_EMPTY_PATH | AT_HANDLE_FID_FLAG)) return false;
  if (fstatfs(fd, &fs) || !key_of(&fs.f_fsid, &named.handle, &key)) return false;
  if (!paths_put(&key, path)) wire_gap(0, "more directories than can be watched");
  return true;
}

static void mark_tree(int folder_fd, char *path, size_t bytes, unsigned depth, void (*found)(const char *)) {
  DIR *folder = fdopendir(folder_fd);
  if (!folder) {
    close(folder_fd);
    return;
  }
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    size_t name = strlen(entry->d_name);
    if (bytes + 1 + name + 1 > MAX_PATH_BYTES) continue;
    path[bytes] = '/';
    memcpy(path + bytes + 1, entry->d_name, name + 1);
    if (found) found(path);
    if (entry->d_type != DT_DIR || depth == 0) continue;
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    int fd = (int)syscall(SYS_openat2, dirfd(folder), entry->d_name, &how, sizeof how);
    if (fd < 0) continue;
    if (mark_directory(fd, path)) mark_tree(fd, path, bytes + 1 + name, depth - 1, found);
    else close(fd);
  }
  closedir(folder);
  path[bytes] = 0;
}

#define MAX_TREE_DEPTH 500

/* Entries that were made in a new directory before it could be marked, less those that came as events. */
static char *early[4096];
static size_t early_count;
static uint64_t early_since;

static void note_early(const char *path) {
  if (early_count == sizeof early / sizeof *early) {
    wire_gap(0, "creations in a new directory came too fast");
    return;
  }
  if (early_count == 0) early_since = now_ms();
  early[early_count++] = strdup(path);
}

static void drop_early(const char *path) {
  for (size_t i = 0; i < early_count; i++)
    if (early[i] && strcmp(early[i], path) == 0) {
      free(early[i]);
      early[i] = NULL;
      return;
    }
}

static void flush_early(void) {
  struct actor nobody = {0};
  for (size_t i = 0; i < early_count; i++) {
    if (early[i]) touch('c', &nobody, early[i]);
    free(early[i]);
  }
  early_count = 0;
}

static void mark_new(const char *path) {
  char whole[MAX_PATH_BYTES];
  size_t bytes = strlen(path);
  const char *rest = path + strlen(project);
  while (*rest == '/') rest++;
  if (!*rest) return;
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
  int fd = (int)syscall(SYS_openat2, mount_fd, rest, &how, sizeof how);
  if (fd < 0) return; /* already gone or moved; the event that says so follows */
  memcpy(whole, path, bytes + 1);
  if (mark_directory(fd, path)) mark_tree(fd, whole, bytes, MAX_TREE_DEPTH, note_early);
  else close(fd);
}

static void mark_all(void) {
  char path[MAX_PATH_BYTES];
  strcpy(path, project);
  int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || !mark_directory(fd, project)) {
    if (fd >= 0) close(fd);
    entries_seen = false;
    return;
  }
  mark_tree(fd, path, strlen(path), MAX_TREE_DEPTH, NULL);
}

/* Deletions in a directory that is itself gone wait for the event that names it. */

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

static void hold(const struct actor *actor, uint64_t mask, const struct key *folder, const struct key *target,
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

static void emit_entry(const struct actor *actor, uint64_t mask, const char *path);

static void release(const struct key *folder, const char *path) {
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
      emit_entry(&one->actor, one->mask, whole);
      if (one->target.bytes) {
        release(&one->target, whole);
        at = &held; /* the list may have changed behind us */
      }
    }
    free(one);
  }
}

static void expire_held(void) {
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

/* Events by handle and name. */

static void emit_entry(const struct actor *actor, uint64_t mask, const char *path) {
  bool both = (mask & FAN_CREATE) && (mask & FAN_DELETE);
  bool deleted_first = false;
  if (both) {
    /* The kernel has merged the two: what is there now tells which came last. */
    struct stat stat;
    const char *rest = path + strlen(project);
    while (*rest == '/') rest++;
    deleted_first = fstatat(mount_fd, rest, &stat, AT_SYMLINK_NOFOLLOW) == 0;
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
  return key_of(&fid->fsid, handle, &into->key);
}

static bool join(char *into, const char *folder, const char *name) {
  if (!strcmp(name, ".")) return (size_t)snprintf(into, MAX_PATH_BYTES, "%s", folder) < MAX_PATH_BYTES;
  return (size_t)snprintf(into, MAX_PATH_BYTES, "%s/%s", folder, name) < MAX_PATH_BYTES;
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
  else if (is_folder && !by_directory && (had || has)) paths_clear();
  if (is_folder && by_directory && has && !had) mark_new(after);
  if (!seen) return;
  if (had && has) touch_move(actor, before, after);
  else if (had) touch('d', actor, before);
  else if (has) touch('c', actor, after);
}

static void on_overflow(const char *what) {
  flush_last();
  wire_gap(0, what);
  /* Renames may be among what was lost: what is remembered cannot be trusted. */
  paths_clear();
  if (by_directory) mark_all();
}

static void on_entry_event(const struct fanotify_event_metadata *event) {
  if (event->mask & FAN_Q_OVERFLOW) {
    on_overflow("the kernel's queue ran over");
    return;
  }
  bool seen = event->pid > 0 && event->pid != self;
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
  const char *folder = seen || by_directory ? directory(&at.key, at.handle) : paths_get(&at.key);
  if (!folder) {
    if (seen && !by_directory) hold(&actor, event->mask, &at.key, is_folder ? &target.key : &(struct key){0}, at.name);
    else if (seen) wire_gap(1, "an event in a folder that is not known");
    return;
  }
  char path[MAX_PATH_BYTES];
  if (!*folder) return;
  if (!join(path, folder, at.name)) {
    if (seen) wire_gap(1, "a path is longer than the limit");
    return;
  }
  if (by_directory && (event->mask & FAN_CREATE)) drop_early(path);
  if (seen) {
    emit_entry(&actor, event->mask, path);
    if (event->mask & FAN_OPEN_EXEC) program_execs(event->pid, path);
  }
  if (!is_folder) return;
  if (event->mask & (FAN_CREATE | FAN_MOVED_TO)) {
    if (by_directory) mark_new(path);
  } else if (event->mask & (FAN_DELETE | FAN_MOVED_FROM)) {
    if (target.handle) {
      release(&target.key, path);
      paths_forget(&target.key);
    } else if (!by_directory) {
      paths_clear();
    }
  }
}

/* Events by descriptor. */

static void on_path_event(const struct fanotify_event_metadata *event) {
  if (event->mask & FAN_Q_OVERFLOW) {
    on_overflow("the kernel's queue ran over");
    return;
  }
  if (event->fd < 0) {
    wire_gap(1, "a file was gone before its path could be read");
    return;
  }
  if (event->pid > 0 && event->pid != self) {
    char path[MAX_PATH_BYTES];
    bool elsewhere;
    if (!path_of_fd(event->fd, path, &elsewhere)) {
      wire_gap(1, "a file's path could not be read");
    } else if (!elsewhere) {
      struct actor actor = program_of(event->pid);
      emit_entry(&actor, event->mask, path);
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
  if (event->pid > 0 && event->pid != self && path_of_fd(event->fd, path, &elsewhere))
    program_execs(event->pid, path);
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
      if (fd == path_fd) wire_gap(1, "a file was gone before its path could be read");
      if (fd != entry_fd) continue;
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
  drain(exec_fd, PATH_READ_BYTES, on_exec_event);
  drain(entry_fd, READ_BYTES, on_entry_event);
  drain(path_fd, PATH_READ_BYTES, on_path_event);
  if (early_count && now_ms() - early_since > 50) flush_early();
  if (held) expire_held();
  flush_last();
}

int watch_later(void) {
  if (early_count) return 50;
  return held ? 500 : -1;
}

/* Setting up. */

static void mark_mount(const char *path) {
  uint64_t mask = TOUCHES | (entry_mask & FAN_MODIFY ? 0 : FAN_MODIFY);
  if (fanotify_mark(entry_fd, FAN_MARK_ADD | FAN_MARK_MOUNT, mask, AT_FDCWD, path) == 0) return;
  /* Handles that cannot be decoded: descriptors it is. */
  if (fanotify_mark(path_fd, FAN_MARK_ADD | FAN_MARK_MOUNT, TOUCHES | FAN_MODIFY, AT_FDCWD, path))
    fatal("marking the working copy", errno);
}

/* Undoes the octal escapes of mountinfo (proc(5)). */
static void unescape(char *text) {
  char *to = text;
  for (char *from = text; *from; from++)
    if (from[0] == '\\' && from[1] && from[2] && from[3]) {
      *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
      from += 3;
    } else *to++ = *from;
  *to = 0;
}

/* Mounts below the project are mounts of their own: read-only binds in `live`, for instance. */
static void mark_mounts_below(void) {
  FILE *file = fopen("/proc/1/mountinfo", "re");
  if (!file) fatal("/proc/1/mountinfo", errno);
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, file) > 0) {
    char *rest = NULL, *field = strtok_r(line, " ", &rest);
    for (int i = 0; field && i < 4; i++) field = strtok_r(NULL, " ", &rest);
    if (!field) continue;
    unescape(field);
    if (!below(field, project) || !strcmp(field, project)) continue;
    char path[MAX_PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "/proc/1/root%s", field) < sizeof path) mark_mount(path);
  }
  free(line);
  fclose(file);
}

static void watch_entries(const char *root) {
  struct statfs fs;
  if (fstatfs(mount_fd, &fs)) fatal("the working copy", errno);
  /* An overlay is the sandbox's alone. Of the host's file system, as few events as will do. */
  if ((unsigned long)fs.f_type == OVERLAY_MAGIC) entry_mask |= FAN_MODIFY;
  for (;;) {
    if (fanotify_mark(entry_fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, entry_mask, AT_FDCWD, root) == 0) {
      entries_seen = true;
      return;
    }
    if (errno != EINVAL || !(entry_mask & FAN_RENAME)) break;
    /* Linux before 5.17 */
    entry_mask = (entry_mask & ~(uint64_t)FAN_RENAME) | FAN_MOVED_FROM | FAN_MOVED_TO;
  }
  entry_mask &= ~(uint64_t)FAN_MODIFY;
  by_directory = entries_seen = true;
  mark_all();
}

void watch_start(const char *watched) {
  self = getpid();
  char root[MAX_PATH_BYTES];
  if ((size_t)snprintf(root, sizeof root, "/proc/1/root%s", watched) >= sizeof root || watched[0] != '/')
    fatal(watched, EINVAL);
  strcpy(project, watched);
  mount_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (mount_fd < 0) fatal(root, errno);
  unsigned base = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_MARKS;
  entry_fd = fanotify_init(base | FAN_REPORT_FID | FAN_REPORT_DFID_NAME | FAN_REPORT_TARGET_FID, O_RDONLY);
  /* Linux before 5.17 */
  if (entry_fd < 0 && errno == EINVAL) entry_fd = fanotify_init(base | FAN_REPORT_DFID_NAME, O_RDONLY);
  if (entry_fd < 0) fatal("fanotify", errno);
  /* O_NONBLOCK: to open a FIFO for reading would wait for its writer. */
  int flags = O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NONBLOCK | O_NOATIME;
  path_fd = fanotify_init(base, (unsigned)flags);
  exec_fd = fanotify_init(base, (unsigned)flags);
  if (path_fd < 0 || exec_fd < 0) fatal("fanotify", errno);

  char told[MAX_PATH_BYTES];
  snprintf(told, sizeof told, "/proc/self/fd/%d", mount_fd);
  ssize_t bytes = readlink(told, mounted, sizeof mounted - 1);
  if (bytes <= 0) fatal(told, errno);
  mounted[bytes] = 0;

  watch_entries(root);
  mark_mount(root);
  mark_mounts_below();
  if (fanotify_mark(exec_fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_EXEC, AT_FDCWD, "/proc/1/root/"))
    fatal("marking the sandbox's programs", errno);
}
