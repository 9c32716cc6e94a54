/*
 * The marks of the three fanotify groups.
 *
 * Creations, renames and deletions need a mark on the whole file system (handles decodable), or else one
 * on every directory. The first also sees what other pid namespaces do; their pid reads 0 and is dropped.
 */
#define _GNU_SOURCE
#include "watch.h"
#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AT_HANDLE_FID_FLAG 0x200
#define OVERLAY_MAGIC 0x794c7630

#define TOUCHES (FAN_OPEN | FAN_ACCESS | FAN_OPEN_EXEC)
#define MAX_TREE_DEPTH 500

static int entry_fd = -1, path_fd = -1, exec_fd = -1;
static uint64_t entry_mask = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ONDIR;
static bool entries_seen, by_directory;

int marks_entry_fd(void) { return entry_fd; }
int marks_path_fd(void) { return path_fd; }
int marks_exec_fd(void) { return exec_fd; }
bool marks_see_entries(void) { return entries_seen; }
bool marks_by_directory(void) { return by_directory; }

static int open_below(int folder_fd, const char *path) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
  return (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
}

/* Marks on each directory, where the file system as a whole cannot be marked. */

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
  if (fstatfs(fd, &fs) || !handle_key(&fs.f_fsid, &named.handle, &key)) return false;
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
    int fd = open_below(dirfd(folder), entry->d_name);
    if (fd < 0) continue;
    if (mark_directory(fd, path)) mark_tree(fd, path, bytes + 1 + name, depth - 1, found);
    else close(fd);
  }
  closedir(folder);
  path[bytes] = 0;
}

void mark_new(const char *path) {
  char whole[MAX_PATH_BYTES];
  size_t bytes = strlen(path);
  const char *rest = mount_rest(path);
  if (!*rest) return;
  int fd = open_below(mount_fd(), rest);
  if (fd < 0) return; /* already gone or moved; the event that says so follows */
  memcpy(whole, path, bytes + 1);
  if (mark_directory(fd, path)) mark_tree(fd, whole, bytes, MAX_TREE_DEPTH, early_note);
  else close(fd);
}

void mark_all(void) {
  char path[MAX_PATH_BYTES];
  strcpy(path, mount_project());
  int fd = openat(mount_fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || !mark_directory(fd, mount_project())) {
    if (fd >= 0) close(fd);
    entries_seen = false;
    return;
  }
  mark_tree(fd, path, strlen(path), MAX_TREE_DEPTH, NULL);
}

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
    if (!path_is_below(field, mount_project()) || !strcmp(field, mount_project())) continue;
    char path[MAX_PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "/proc/1/root%s", field) < sizeof path) mark_mount(path);
  }
  free(line);
  fclose(file);
}

static void mark_entries(const char *root) {
  struct statfs fs;
  if (fstatfs(mount_fd(), &fs)) fatal("the working copy", errno);
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

void marks_start(const char *root) {
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

  mark_entries(root);
  mark_mount(root);
  mark_mounts_below();
  if (fanotify_mark(exec_fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_EXEC, AT_FDCWD, "/proc/1/root/"))
    fatal("marking the sandbox's programs", errno);
}
