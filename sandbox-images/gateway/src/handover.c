/* The sockets that the sandbox's traffic is redirected to, made here and used by the broker alone. */
#define _GNU_SOURCE
#include "gateway.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections the kernel may hold ready before the broker accepts them. */
#define MAX_BACKLOG 4096
/* Three kinds of two families. */
#define MAX_SOCKETS 6

struct sockets {
  int count;
  int fd[MAX_SOCKETS];
  char kind[MAX_SOCKETS];
};

/* A socket on the family's own loopback address; -1 where the family is not there or the port is taken. */
static int bound(int family, int type, uint16_t port) {
  int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  int on = 1;
  /* Connections of the broker that was there before may still be closing. */
  bool ready = type != SOCK_STREAM || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
  if (ready && family == AF_INET) ready = bind(fd, (struct sockaddr *)&v4, sizeof v4) == 0;
  if (ready && family == AF_INET6)
    ready = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0 &&
            bind(fd, (struct sockaddr *)&v6, sizeof v6) == 0;
  if (ready && type == SOCK_STREAM) ready = listen(fd, MAX_BACKLOG) == 0;
  if (ready) return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

static bool add(struct sockets *all, char kind, int family, int type, uint16_t port) {
  int fd = bound(family, type, port);
  if (fd < 0) return false;
  all->kind[all->count] = kind;
  all->fd[all->count++] = fd;
  return true;
}

static bool add_family(struct sockets *all, int family) {
  return add(all, 'c', family, SOCK_STREAM, CAPTURE_PORT) && add(all, 'd', family, SOCK_DGRAM, DNS_PORT) &&
         add(all, 't', family, SOCK_STREAM, DNS_PORT);
}

static void close_all(struct sockets *all) {
  for (int at = 0; at < all->count; at++) close(all->fd[at]);
  all->count = 0;
}

/* Where the engine leaves IPv6 off there is no ::1, and nothing of IPv6 to capture either. */
static bool has_ipv6(void) {
  int fd = bound(AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) return false;
  close(fd);
  return true;
}

static int dial(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fatal("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

static bool send_all(int carrier, const struct sockets *all) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * MAX_SOCKETS)];
  } control = {0};
  size_t bytes = sizeof(int) * (size_t)all->count;
  struct iovec kinds = {.iov_base = (void *)all->kind, .iov_len = (size_t)all->count};
  struct msghdr message = {
      .msg_iov = &kinds, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(bytes)};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(bytes);
  memcpy(CMSG_DATA(rights), all->fd, bytes);
  return sendmsg(carrier, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == all->count;
}

int hand_over(void) {
  /* First of all: nothing listens before there is somebody to listen for. */
  int carrier = dial(HANDOVER_SOCKET);
  if (carrier < 0) return -1;
  struct sockets all = {0};
  bool sent = add_family(&all, AF_INET) && (!has_ipv6() || add_family(&all, AF_INET6)) && send_all(carrier, &all);
  /* From here on the broker's are the only ones: when it dies, nobody listens. */
  close_all(&all);
  close(carrier);
  return sent ? dial(LINK_SOCKET) : -1;
}
