/* Directories as events name them: by file handle. */
#define _GNU_SOURCE
#include "watch.h"
#include <string.h>
#include <unistd.h>

bool handle_key(const void *fsid, const struct file_handle *handle, struct key *key) {
  if (handle->handle_bytes + 12 > sizeof key->data) return false;
  memcpy(key->data, fsid, 8);
  memcpy(key->data + 8, &handle->handle_type, 4);
  memcpy(key->data + 12, handle->f_handle, handle->handle_bytes);
  key->bytes = (uint16_t)(handle->handle_bytes + 12);
  return true;
}

const char *handle_path(const struct key *key, const struct file_handle *handle) {
  int fd = open_by_handle_at(mount_fd(), (struct file_handle *)handle, O_PATH | O_CLOEXEC);
  if (fd < 0) return NULL;
  char path[MAX_PATH_BYTES];
  bool elsewhere, named = mount_path_of_fd(fd, path, &elsewhere);
  close(fd);
  if (!named) return NULL;
  if (elsewhere) path[0] = 0;
  if (!paths_put(key, path)) {
    paths_clear();
    paths_put(key, path);
  }
  return paths_get(key);
}
