/* What the parts of the watch tell each other. What the guard's other parts need of it: guard.h. */
#pragma once
#include "guard.h"
#include <fcntl.h>
#include <sys/fanotify.h>

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

/* mount.c */
/* `root` is the path of the watched folder for this process, `watched` for the sandbox. */
void mount_open(const char *root, const char *watched);
int mount_fd(void);
/* The watched folder, as the sandbox names it. */
const char *mount_project(void);
/* The rest of a path of the sandbox below the watched folder, for use with mount_fd. */
const char *mount_rest(const char *path);
bool path_is_below(const char *path, const char *root);
/* The path of a descriptor; false where it has none below the watch. `elsewhere` may be any path. */
bool mount_path_of_fd(int fd, char *into, bool *elsewhere);

/* handles.c */
bool handle_key(const void *fsid, const struct file_handle *handle, struct key *key);
/* Asks the kernel for the directory's path and remembers it; NULL where it is gone. Empty means outside. */
const char *handle_path(const struct key *key, const struct file_handle *handle);

/* touches.c */
void touch(char op, const struct actor *actor, const char *path);
void touch_move(const struct actor *actor, const char *from, const char *to);
/* All touches that an event's mask tells of. */
void touch_event(const struct actor *actor, uint64_t mask, const char *path);
void touches_flush(void);

/* early.c */
void early_note(const char *path);
void early_drop(const char *path);
/* Tells of what has waited long enough. */
void early_expire(void);
/* In how many milliseconds to look again, or -1. */
int early_later(void);

/* held.c */
void hold(const struct actor *actor, uint64_t mask, const struct key *folder, const struct key *target,
          const char *name);
/* The folder's path is known: tells of what waited for it. */
void release(const struct key *folder, const char *path);
/* Gives up on what has waited too long. */
void held_expire(void);
/* In how many milliseconds to look again, or -1. */
int held_later(void);

/* marks.c */
void marks_start(const char *root);
/* Whether each directory has its own mark, as the file system as a whole could not be marked. */
bool marks_by_directory(void);
/* A directory that came into the watched folder. */
void mark_new(const char *path);
/* Marks every directory of the watched folder. */
void mark_all(void);

/* entries.c */
/* An event by directory handle and name; `seen` is false where it is no doing of the sandbox. */
void entry_event(const struct fanotify_event_metadata *event, bool seen);
