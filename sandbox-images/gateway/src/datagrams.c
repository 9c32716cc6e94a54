/* Refused UDP: the kernel refuses it (nobody listens there), a packet socket shows that it was tried. */
#define _GNU_SOURCE
#include "gateway.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel keeps of a flood; the rest it drops. */
#define QUEUE_BYTES (256 * 1024)
/* Heads sent on before the next rest, and how long that is: at most 3200 in a second. */
#define HEADS_AT_ONCE 32
#define REST_MS 10

/* A packet on lo is seen once leaving and once arriving; only arriving ones with the mark count. */
int datagrams_open(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 3, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_MARK),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REFUSED_MARK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, HEAD_BYTES),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  int queue = QUEUE_BYTES;
  /* Protocol 0 receives nothing until bound, so no packet slips in before the filter. */
  int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fatal("packet socket");
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)) fatal("packet filter");
  if (setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &queue, sizeof queue)) fatal("filter lock");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue)) fatal("packet queue");
  struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  if (bind(fd, (struct sockaddr *)&all, sizeof all)) fatal("packet bind");
  return fd;
}

bool datagrams_forward(int datagrams, int link) {
  for (int sent = 0; sent < HEADS_AT_ONCE; sent++) {
    char head[HEAD_BYTES];
    ssize_t bytes = recv(datagrams, head, sizeof head, 0);
    if (bytes < 0 && errno == EAGAIN) return true;
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) fatal("packet socket");
    memset(head + bytes, 0, sizeof head - (size_t)bytes);
    /* A broker that does not keep up misses some; a head never goes out in parts. */
    ssize_t out = send(link, head, sizeof head, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out != sizeof head && (out >= 0 || errno != EAGAIN)) return false;
  }
  rest_ms(REST_MS);
  return true;
}
