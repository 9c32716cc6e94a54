/*
 * Last step of the gateway's entrypoint: enter UID GID COMMAND [ARG...]
 *
 * Opens the one thing the relay needs power for (a packet socket that sees refused UDP, and nothing
 * else) as descriptor 3, then drops every capability from every set for good, becomes UID:GID and
 * runs the command. Any failure ends it: a gateway with powers left must not run.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSED_MARK 0x676c6f76 /* as in capture.nft */
#define DATAGRAM_FD 3           /* as in relay/datagrams.ts */
#define HEAD_BYTES 64           /* IPv6 and UDP header, with room */
#define QUEUE_BYTES (256 * 1024)

static void die(const char *what) {
  fprintf(stderr, "gateway: %s: %s\n", what, strerrorname_np(errno));
  exit(1);
}

/* A packet on lo is seen once leaving and once arriving; only arriving ones with the mark count. */
static void open_datagrams(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 3, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_MARK),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REFUSED_MARK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, HEAD_BYTES),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  /* The read must wake now and then, so that the relay can end while nothing comes. */
  struct timeval patience = {1, 0};
  int queue = QUEUE_BYTES;
  /* Protocol 0 receives nothing until bound, so no packet slips in before the filter. */
  int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
  if (fd < 0) die("packet socket");
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)) die("packet filter");
  if (setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &queue, sizeof queue)) die("filter lock");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience)) die("packet time-out");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue)) die("packet queue");
  struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  if (bind(fd, (struct sockaddr *)&all, sizeof all)) die("packet bind");
  if (fd != DATAGRAM_FD) {
    if (dup2(fd, DATAGRAM_FD) < 0) die("packet descriptor");
    close(fd);
  }
}

static void drop_powers(uid_t uid, gid_t gid) {
  for (int cap = 0; cap < 64; cap++)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL) die("bounding set");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) die("ambient set");
  if (prctl(PR_SET_SECUREBITS,
            SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
            0, 0, 0))
    die("secure bits");
  if (setgroups(0, NULL)) die("groups");
  if (setresgid(gid, gid, gid)) die("group");
  if (setresuid(uid, uid, uid)) die("user");
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, none)) die("capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no new privileges");
}

static long number(const char *text) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || end == text || *end || value < 0 || value > 0x7ffffffe) {
    fprintf(stderr, "gateway: '%s' is not a user or group id\n", text);
    exit(1);
  }
  return value;
}

int main(int count, char **args) {
  if (count < 4) {
    fprintf(stderr, "usage: enter UID GID COMMAND [ARG...]\n");
    return 1;
  }
  uid_t uid = (uid_t)number(args[1]);
  gid_t gid = (gid_t)number(args[2]);
  open_datagrams();
  drop_powers(uid, gid);
  execv(args[3], args + 3);
  die(args[3]);
}
