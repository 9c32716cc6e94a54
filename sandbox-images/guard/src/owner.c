/* Whose a connection is: the socket's inode from /proc/1/net, then the process that holds it. */
#define _GNU_SOURCE
#include "guard.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Programs that lately owned a connection are asked first. */
#define RECENT 16
static pid_t recent[RECENT];

struct place {
  unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
  unsigned port;
};

static bool read_place(int family, const char *address, unsigned port, struct place *place) {
  memset(place, 0, sizeof *place);
  place->port = port;
  if (family == 6) return inet_pton(AF_INET6, address, place->address) == 1;
  place->address[10] = place->address[11] = 0xff;
  return inet_pton(AF_INET, address, place->address + 12) == 1;
}

/* The kernel writes each 32-bit word of an address in its own byte order. */
static bool parse_place(const char *hex, struct place *place) {
  unsigned words[4];
  memset(place, 0, sizeof *place);
  const char *colon = strchr(hex, ':');
  if (!colon) return false;
  if (colon - hex == 8) {
    if (sscanf(hex, "%8x:%4x", words, &place->port) != 2) return false;
    place->address[10] = place->address[11] = 0xff;
    memcpy(place->address + 12, words, 4);
    return true;
  }
  if (sscanf(hex, "%8x%8x%8x%8x:%4x", words, words + 1, words + 2, words + 3, &place->port) != 5)
    return false;
  memcpy(place->address, words, 16);
  return true;
}

static bool is_any(const struct place *place) {
  static const unsigned char any6[16], any4[16] = {[10] = 0xff, [11] = 0xff};
  return !memcmp(place->address, any6, 16) || !memcmp(place->address, any4, 16);
}

/* UDP sockets may be bound to any address and connected to none. */
static bool matches(const struct place *row, const struct place *asked, bool loose) {
  if (loose && is_any(row)) return row->port == asked->port || row->port == 0;
  return row->port == asked->port && memcmp(row->address, asked->address, 16) == 0;
}

static unsigned long inode_in(const char *table, const struct place *local, const struct place *remote,
                              bool loose) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/1/net/%s", table);
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  unsigned long found = 0;
  while (!found && fgets(line, sizeof line, file)) {
    char mine[64], theirs[64];
    unsigned long inode;
    struct place here, there;
    if (sscanf(line, "%*u: %63s %63s %*x %*s %*s %*s %*u %*u %lu", mine, theirs, &inode) != 3) continue;
    if (!parse_place(mine, &here) || !parse_place(theirs, &there)) continue;
    if (matches(&here, local, loose) && here.port == local->port && matches(&there, remote, loose))
      found = inode;
  }
  fclose(file);
  return found;
}

static bool holds(pid_t pid, const char *socket_name) {
  char path[64], target[64];
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *folder = opendir(path);
  if (!folder) return false;
  bool found = false;
  for (struct dirent *entry; !found && (entry = readdir(folder));) {
    if (entry->d_name[0] == '.') continue;
    ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
    if (bytes <= 0) continue;
    target[bytes] = 0;
    found = strcmp(target, socket_name) == 0;
  }
  closedir(folder);
  return found;
}

static pid_t remember(pid_t pid) {
  size_t at = 0;
  while (at < RECENT - 1 && recent[at] != pid) at++;
  memmove(recent + 1, recent, at * sizeof *recent);
  recent[0] = pid;
  return pid;
}

static pid_t holder_of(unsigned long inode) {
  char name[64];
  snprintf(name, sizeof name, "socket:[%lu]", inode);
  for (size_t i = 0; i < RECENT; i++)
    if (recent[i] && holds(recent[i], name)) return remember(recent[i]);
  DIR *proc = opendir("/proc");
  if (!proc) return 0;
  pid_t found = 0;
  for (struct dirent *entry; !found && (entry = readdir(proc));) {
    pid_t pid = atoi(entry->d_name);
    if (pid > 0 && pid != getpid() && holds(pid, name)) found = pid;
  }
  closedir(proc);
  return found ? remember(found) : 0;
}

pid_t owner_of(const char *protocol, int family, const char *local, unsigned local_port,
               const char *remote, unsigned remote_port) {
  struct place here, there;
  bool udp = strcmp(protocol, "udp") == 0;
  if (!read_place(family, local, local_port, &here)) return 0;
  if (!read_place(family, remote, remote_port, &there)) return 0;
  unsigned long inode = 0;
  if (family == 4) inode = inode_in(udp ? "udp" : "tcp", &here, &there, udp);
  /* A socket of IPv6 may carry IPv4 too. */
  if (!inode) inode = inode_in(udp ? "udp6" : "tcp6", &here, &there, udp);
  return inode ? holder_of(inode) : 0;
}
