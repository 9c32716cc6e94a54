/* Paths as the kernel tells them, below the sandbox's mount, in the sandbox's own words. */
#define _GNU_SOURCE
#include "watch.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char project[MAX_PATH_BYTES]; /* as the sandbox names it */
static char mounted[MAX_PATH_BYTES]; /* as the kernel names it to this process */
static int folder_fd = -1;

int mount_fd(void) { return folder_fd; }
const char *mount_project(void) { return project; }

static const char *without_slashes(const char *path) {
  while (*path == '/') path++;
  return path;
}

const char *mount_rest(const char *path) { return without_slashes(path + strlen(project)); }

void mount_open(const char *root, const char *watched) {
  strcpy(project, watched);
  folder_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd < 0) fatal(root, errno);
  char told[MAX_PATH_BYTES];
  snprintf(told, sizeof told, "/proc/self/fd/%d", folder_fd);
  ssize_t bytes = readlink(told, mounted, sizeof mounted - 1);
  if (bytes <= 0) fatal(told, errno);
  mounted[bytes] = 0;
}

bool path_is_below(const char *path, const char *root) {
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
  if (!path_is_below(told, mounted)) return false;
  struct stat now, opened;
  const char *rest = without_slashes(told + strlen(mounted));
  return *rest && fstatat(folder_fd, rest, &now, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
         now.st_ino == opened.st_ino && now.st_dev == opened.st_dev;
}

bool mount_path_of_fd(int fd, char *into, bool *elsewhere) {
  char link[64], told[MAX_PATH_BYTES];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t bytes = readlink(link, told, sizeof told - 1);
  if (bytes <= 0) return false;
  told[bytes] = 0;
  char *tail = ending(told, " (deleted)");
  if (tail && !still_there(fd, told)) *tail = 0;
  *elsewhere = !path_is_below(told, mounted);
  if (*elsewhere) {
    strcpy(into, told);
    return true;
  }
  return (size_t)snprintf(into, MAX_PATH_BYTES, "%s%s", project, told + (strlen(mounted) == 1 ? 0 : strlen(mounted))) <
         MAX_PATH_BYTES;
}
