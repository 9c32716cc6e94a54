/* Which program a pid is, as /proc shows it: command line and parents, remembered by slot. */
#define _GNU_SOURCE
#include "guard.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a command line is believed without looking again. */
#define FRESH_MS 100
/* How long a program that ended is still named in events that arrive late. */
#define MEMORY_MS 10000
/* How long a started program may take to show its own command line. */
#define EXEC_MS 25
/* How long after an exec a parent is looked at anew for each child: whoever has a child is past the exec, but
   on a busy machine the last look may have been before that. */
#define YOUNG_MS 2000
#define MAX_SETTLING 256

struct program {
  pid_t pid;
  uint32_t generation;
  uint64_t started; /* field 22 of /proc/pid/stat */
  uint64_t looked, used, execs_until;
  pid_t parent;
  uint32_t parent_slot; /* as sent */
  bool sent;
  bool starting; /* an exec was seen, its command line not yet */
  uint16_t args, bytes;
  char argv[MAX_ARGV_BYTES];
  char file[MAX_ARG_BYTES]; /* what was executed, for programs gone before they could be read */
};

static struct program table[MAX_PROGRAMS + 1]; /* slot 0 is nobody */
#define PID_BUCKETS 4096
static uint16_t by_pid[PID_BUCKETS]; /* newest slot of a pid hash; a miss costs a search */
static uint32_t settling[MAX_SETTLING];
static size_t settling_count;
static pid_t self;

uint64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

void programs_start(void) { self = getpid(); }

static ssize_t slurp(pid_t pid, const char *name, char *into, size_t room) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t got = read(fd, into, room);
  close(fd);
  return got;
}

struct look {
  uint64_t started;
  pid_t parent;
  bool ending; /* its command line is gone already, only the short name is left */
  uint16_t args, bytes;
  char argv[MAX_ARGV_BYTES];
};

/* Adds one argument, cut at the cap and never in the middle of a UTF-8 character. */
static bool add_arg(struct look *look, const char *text, size_t length) {
  size_t take = length < MAX_ARG_BYTES ? length : MAX_ARG_BYTES;
  while (take < length && take > 0 && ((unsigned char)text[take] & 0xc0) == 0x80) take--;
  if (look->args >= MAX_ARGS || look->bytes + take + 1 > sizeof look->argv) return false;
  memcpy(look->argv + look->bytes, text, take);
  look->bytes = (uint16_t)(look->bytes + take);
  look->argv[look->bytes++] = 0;
  look->args++;
  return true;
}

/* False where the process is gone. A command line may be empty: then only the short name is known. */
static bool look_at(pid_t pid, struct look *look) {
  char stat[1024];
  ssize_t got = slurp(pid, "stat", stat, sizeof stat - 1);
  if (got <= 0) return false;
  stat[got] = 0;
  /* The name in parentheses may hold anything, parentheses too. */
  char *name = strchr(stat, '('), *end = strrchr(stat, ')');
  if (!name || !end || end < name) return false;
  char state;
  unsigned long long started;
  int parent;
  if (sscanf(end + 1,
             " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
             &state, &parent, &started) != 3)
    return false;
  look->started = started;
  look->parent = parent;
  look->args = look->bytes = 0;
  static char line[MAX_ARGV_BYTES * 4];
  ssize_t bytes = state == 'Z' ? 0 : slurp(pid, "cmdline", line, sizeof line);
  for (ssize_t at = 0; at < bytes;) {
    size_t length = strnlen(line + at, (size_t)(bytes - at));
    if (!add_arg(look, line + at, length)) break;
    at += (ssize_t)length + 1;
  }
  look->ending = look->args == 0;
  if (look->ending && state != 'Z') add_arg(look, name + 1, (size_t)(end - name - 1));
  return state != 'Z';
}

static uint32_t find(pid_t pid) {
  uint32_t guess = by_pid[(unsigned)pid % PID_BUCKETS];
  if (guess && table[guess].pid == pid) return guess;
  for (uint32_t slot = 1; slot <= MAX_PROGRAMS; slot++)
    if (table[slot].pid == pid) {
      by_pid[(unsigned)pid % PID_BUCKETS] = (uint16_t)slot;
      return slot;
    }
  return 0;
}

static uint32_t claim(pid_t pid) {
  uint32_t oldest = 1;
  for (uint32_t slot = 1; slot <= MAX_PROGRAMS; slot++) {
    if (table[slot].pid == 0) {
      oldest = slot;
      break;
    }
    if (table[slot].used < table[oldest].used) oldest = slot;
  }
  struct program *program = &table[oldest];
  uint32_t generation = program->generation + 1;
  memset(program, 0, offsetof(struct program, argv));
  program->pid = pid;
  program->generation = generation;
  program->file[0] = 0;
  by_pid[(unsigned)pid % PID_BUCKETS] = (uint16_t)oldest;
  return oldest;
}

static uint32_t update(pid_t pid, unsigned depth);

static void send_program(uint32_t slot, unsigned depth) {
  struct program *program = &table[slot];
  uint64_t used = program->used;
  program->used = UINT64_MAX; /* its parents must not take its place */
  program->parent_slot =
      program->parent > 0 && program->parent != self && depth < MAX_DEPTH ? update(program->parent, depth + 1) : 0;
  program->used = used;
  frame_begin('P');
  frame_number(slot);
  frame_number((uint64_t)program->pid);
  frame_number(program->parent_slot);
  const char *at = program->argv;
  for (unsigned i = 0; i < program->args; i++) {
    frame_string(at);
    at += strlen(at) + 1;
  }
  program->sent = frame_end();
}

/* The slot of a pid with what /proc shows now, or what it last showed; 0 where nothing was ever seen. */
static uint32_t update(pid_t pid, unsigned depth) {
  uint64_t now = now_ms();
  uint32_t slot = find(pid);
  struct program *program = &table[slot];
  bool young_parent = depth > 0 && now < program->execs_until + YOUNG_MS;
  if (slot && program->sent && !program->starting && !young_parent && now - program->looked < FRESH_MS) {
    program->used = now;
    return slot;
  }
  static struct look seen; /* copied before the parents are asked */
  if (!look_at(pid, &seen)) {
    if (!slot || now - program->looked > MEMORY_MS) return 0;
    program->used = now;
    if (program->starting && program->file[0]) {
      /* It came and went: its file is all that is known of its command line. */
      program->starting = false;
      program->args = 1;
      program->bytes = (uint16_t)(strlen(program->file) + 1);
      memcpy(program->argv, program->file, program->bytes);
      program->generation++;
      send_program(slot, depth);
    } else if (!program->sent) {
      send_program(slot, depth);
    }
    return program->sent ? slot : 0;
  }
  if (!slot || program->started != seen.started) {
    bool starting = slot && program->starting;
    char file[MAX_ARG_BYTES];
    if (starting) strcpy(file, program->file);
    if (slot) table[slot].pid = 0;
    slot = claim(pid);
    program = &table[slot];
    program->started = seen.started;
    if (starting) strcpy(program->file, file);
    program->starting = starting;
  }
  bool same = (seen.ending && program->args > 0) ||
              (program->args == seen.args && program->bytes == seen.bytes &&
               memcmp(program->argv, seen.argv, seen.bytes) == 0);
  program->used = now;
  /* A program that is just replacing itself shows no command line: look again soon. */
  program->looked = seen.ending ? 0 : now;
  program->parent = seen.parent;
  if (!same) {
    if (program->args) program->starting = false;
    program->args = seen.args;
    program->bytes = seen.bytes;
    memcpy(program->argv, seen.argv, seen.bytes);
    program->generation++;
    program->sent = false;
  } else if (now > program->execs_until) {
    program->starting = false;
  }
  if (!program->sent) send_program(slot, depth);
  return program->sent ? slot : 0;
}

struct actor program_of(pid_t pid) {
  uint32_t slot = pid > 0 ? update(pid, 0) : 0;
  return (struct actor){.pid = pid, .slot = slot, .generation = table[slot].generation};
}

uint32_t actor_slot(const struct actor *actor) {
  return table[actor->slot].generation == actor->generation ? actor->slot : 0;
}

static bool is_loader(const char *path) {
  const char *name = strrchr(path, '/');
  return name && strncmp(name, "/ld-", 4) == 0;
}

void program_execs(pid_t pid, const char *path) {
  /* The dynamic loader is opened in the same breath as the program it loads. */
  if (is_loader(path)) return;
  uint32_t slot = update(pid, 0);
  if (!slot) {
    /* Gone already: the file is all that will ever be known. */
    slot = find(pid);
    if (!slot) slot = claim(pid);
    table[slot].looked = table[slot].used = now_ms();
    table[slot].sent = false;
  }
  struct program *program = &table[slot];
  size_t length = strnlen(path, sizeof program->file - 1);
  memcpy(program->file, path, length);
  program->file[length] = 0;
  program->starting = true;
  program->execs_until = now_ms() + EXEC_MS;
  if (settling_count < MAX_SETTLING) settling[settling_count++] = slot;
}

bool program_is_loading(pid_t pid, const char *path) {
  uint32_t slot = find(pid);
  return slot && table[slot].starting && strcmp(table[slot].file, path) == 0;
}

bool programs_settle(void) {
  size_t kept = 0;
  for (size_t i = 0; i < settling_count; i++) {
    uint32_t slot = settling[i];
    if (!table[slot].starting || !table[slot].pid) continue;
    slot = update(table[slot].pid, 0);
    if (slot && table[slot].starting) settling[kept++] = slot;
  }
  settling_count = kept;
  return kept > 0;
}
