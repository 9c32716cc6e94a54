/*
 * The guard: tells the host which program of the sandbox touches which file, and whose a connection is.
 *
 * It runs in the sandbox's pid namespace with SYS_ADMIN (fanotify), SYS_PTRACE and DAC_READ_SEARCH
 * (/proc of others, file handles), without network. It reads nothing of a file's content: only paths,
 * /proc and the host's questions.
 *
 * Wire, both ways over one Unix stream socket: a frame is its length in four bytes (big-endian, of all
 * that follows), one byte of kind, then fields of text, each closed by NUL. Numbers are decimal. Paths
 * and arguments are bytes as the kernel has them. The host's parser is app/guard/frames.ts.
 *
 *   guard to host
 *     R version entries          ready: marks are in place; entries is 1 where creations, renames and
 *                                deletions are seen, 0 where this file system cannot tell them
 *     P slot pid parent arg...   program: what `slot` means from here on; parent is a slot or 0
 *     T op slot pid count time path to
 *                                touch: op is o(pen) r(ead) w(rite) c(reate) m(ove) d(elete) x (exec);
 *                                slot 0: program unknown; time in microseconds since the epoch
 *     G lost message             gap: touches lost, 0 for an unknown number
 *     A id slot                  answer to Q: the owner, or 0
 *     E message                  cannot watch; the guard ends
 *   host to guard
 *     Q id protocol family local-address local-port remote-address remote-port
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUARD_VERSION "1"
#define SOCKET_PATH "/run/glovebox/guard.sock"

#define MAX_FRAME_BYTES (32 * 1024)
#define MAX_QUESTION_BYTES 512
#define OUT_BUFFER_BYTES (8 * 1024 * 1024)
#define MAX_PATH_BYTES 8192

#define MAX_PROGRAMS 1024
#define MAX_ARGV_BYTES 4096
#define MAX_ARGS 64
#define MAX_ARG_BYTES 512
#define MAX_DEPTH 16

/* Directories whose path is remembered. */
#define MAX_DIRECTORIES 300000
/* Deletions that wait for their directory's name. */
#define MAX_HELD 65536
#define HELD_MS 2000

/* wire.c */
void wire_connect(const char *path);
int wire_fd(void);
bool wire_wants_write(void);
void wire_flush(void);
/* Reads what the host sent and serves its questions; ends the guard when the host is gone. */
void wire_serve(void);
void frame_begin(char kind);
void frame_text(const char *text, size_t bytes);
void frame_string(const char *text);
void frame_number(uint64_t number);
/* False where there was no room: nothing of the frame was sent. */
bool frame_end(void);
void wire_gap(uint64_t lost, const char *message);
/* Says why on both sides, and ends. */
_Noreturn void fatal(const char *what, int error);

/* programs.c */
struct actor {
  pid_t pid;
  uint32_t slot; /* 0: unknown */
  uint32_t generation;
};
void programs_start(void);
struct actor program_of(pid_t pid);
/* The slot, or 0 where it has been given to another program since. */
uint32_t actor_slot(const struct actor *actor);
/* The process is about to become another program: its command line is read anew. */
void program_execs(pid_t pid, const char *path);
/* Whether the kernel is reading this file to start the program: no read of the program's own. */
bool program_is_loading(pid_t pid, const char *path);
/* Reads the command lines of programs that just started; true while some are still expected. */
bool programs_settle(void);

/* paths.c */
struct key {
  uint16_t bytes;
  unsigned char data[160]; /* file system id, handle type, handle */
};
const char *paths_get(const struct key *key);
bool paths_put(const struct key *key, const char *path);
void paths_forget(const struct key *key);
void paths_clear(void);
/* A directory moved: every path below it follows. */
void paths_move(const char *from, const char *to);

/* watch.c */
void watch_start(const char *project);
void watch_drain(void);
/* Work left for later; in how many milliseconds, or -1. */
int watch_later(void);

/* marks.c */
int marks_entry_fd(void);
int marks_path_fd(void);
int marks_exec_fd(void);
/* Whether creations, renames and deletions are seen. */
bool marks_see_entries(void);

/* owner.c */
pid_t owner_of(const char *protocol, int family, const char *local, unsigned local_port,
               const char *remote, unsigned remote_port);

uint64_t now_ms(void);
