/* Frames to and from the host; the format stands in guard.h. */
#define _GNU_SOURCE
#include "guard.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int host = -1;

/* What waits for the host: a ring, so that a slow host costs memory up to here and then counted gaps. */
static char out[OUT_BUFFER_BYTES];
static size_t out_start, out_bytes;
static uint64_t lost;

static char frame[MAX_FRAME_BYTES];
static size_t frame_bytes;
static bool frame_broken;

static char in[MAX_QUESTION_BYTES + 4];
static size_t in_bytes;

_Noreturn void fatal(const char *what, int error) {
  char text[512];
  snprintf(text, sizeof text, error ? "%s: %s" : "%s", what, error ? strerrordesc_np(error) : "");
  fprintf(stderr, "guard: %s\n", text);
  if (host >= 0) {
    frame_begin('E');
    frame_string(text);
    frame_end();
    fcntl(host, F_SETFL, 0);
    wire_flush();
  }
  exit(1);
}

void wire_connect(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) fatal(path, ENAMETOOLONG);
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fatal("socket", errno);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fatal(path, errno);
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) fatal("socket", errno);
  host = fd;
}

int wire_fd(void) { return host; }
bool wire_wants_write(void) { return out_bytes > 0; }

void frame_begin(char kind) {
  frame_broken = false;
  frame_bytes = 4;
  frame[frame_bytes++] = kind;
}

void frame_text(const char *text, size_t bytes) {
  if (frame_bytes + bytes + 1 > sizeof frame) {
    frame_broken = true;
    return;
  }
  memcpy(frame + frame_bytes, text, bytes);
  frame_bytes += bytes;
  frame[frame_bytes++] = 0;
}

void frame_string(const char *text) { frame_text(text, strlen(text)); }

void frame_number(uint64_t number) {
  char text[24];
  frame_text(text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)number));
}

static bool push(const char *data, size_t bytes) {
  if (out_bytes + bytes > sizeof out) return false;
  size_t at = (out_start + out_bytes) % sizeof out;
  size_t first = sizeof out - at < bytes ? sizeof out - at : bytes;
  memcpy(out + at, data, first);
  memcpy(out, data + first, bytes - first);
  out_bytes += bytes;
  return true;
}

bool frame_end(void) {
  uint32_t length = htonl((uint32_t)(frame_bytes - 4));
  memcpy(frame, &length, 4);
  bool sent = !frame_broken && lost == 0 && push(frame, frame_bytes);
  /* Once something is lost, all is until the buffer is half empty: one gap, not thousands. */
  if (!sent && frame[4] == 'T') lost++;
  return sent;
}

void wire_gap(uint64_t count, const char *message) {
  frame_begin('G');
  frame_number(count);
  frame_string(message);
  /* Where even this finds no room, the gap that follows the backlog stands for it. */
  if (!frame_end()) lost++;
}

void wire_flush(void) {
  while (out_bytes > 0) {
    size_t whole = sizeof out - out_start < out_bytes ? sizeof out - out_start : out_bytes;
    ssize_t sent = send(host, out + out_start, whole, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      exit(0);
    }
    out_start = (out_start + (size_t)sent) % sizeof out;
    out_bytes -= (size_t)sent;
  }
  if (lost > 0 && out_bytes < sizeof out / 2) {
    uint64_t count = lost;
    lost = 0;
    wire_gap(count, "the host did not keep up");
  }
}

static void answer(char *question, size_t bytes) {
  const char *field[8];
  size_t fields = 0;
  if (question[bytes - 1] != 0) fatal("the host sent an unfinished question", 0);
  for (char *at = question; at < question + bytes && fields < 8; at += strlen(at) + 1)
    field[fields++] = at;
  if (fields != 7) fatal("the host sent a question of another shape", 0);
  pid_t pid = owner_of(field[1], atoi(field[2]), field[3], (unsigned)atoi(field[4]), field[5],
                       (unsigned)atoi(field[6]));
  struct actor actor = pid > 0 ? program_of(pid) : (struct actor){0};
  frame_begin('A');
  frame_string(field[0]);
  frame_number(actor.slot);
  frame_end();
}

void wire_serve(void) {
  for (;;) {
    ssize_t got = read(host, in + in_bytes, sizeof in - in_bytes);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      exit(0);
    }
    if (got == 0) exit(0);
    in_bytes += (size_t)got;
    while (in_bytes >= 4) {
      uint32_t length;
      memcpy(&length, in, 4);
      length = ntohl(length);
      if (length < 2 || length > MAX_QUESTION_BYTES) fatal("the host sent too long a question", 0);
      if (in_bytes < 4 + (size_t)length) break;
      if (in[4] != 'Q') fatal("the host sent an unknown question", 0);
      answer(in + 5, length - 1);
      in_bytes -= 4 + length;
      memmove(in, in + 4 + length, in_bytes);
    }
  }
}
