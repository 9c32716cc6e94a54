/*
 * The gateway: makes the sockets on which everything of the sandbox arrives and hands them to the broker.
 *
 * usage: gateway UID GID
 *
 * It is started by entrypoint.sh with the powers that building the trap takes. It opens the one thing it
 * needs power for itself, drops every power for good, and from then on only waits: for the broker to be
 * there, for its end, and for refused datagrams to tell it of. No byte that the sandbox sends passes here
 * but the heads of those. Any failure of its own ends it, and with it the session.
 *
 * What the broker reads; its side is app/broker/process/link.ts.
 *   handover.sock   one message, then closed: a byte for each descriptor, saying what it is, and the
 *                   descriptors themselves (SCM_RIGHTS, unix(7)), one of each kind for each family
 *     c             listens for captured connections
 *     d             gets DNS datagrams
 *     t             listens for DNS connections
 *   link.sock       connected next, for as long as both live; the broker says nothing over it. Carries
 *                   the head of each refused datagram, HEAD_BYTES from its IP header on, the rest zero
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#define LINK_SOCKET "/run/glovebox/link.sock"
#define HANDOVER_SOCKET "/run/glovebox/handover.sock"

/* Where captured connections and DNS arrive on both loopback addresses; as in capture.nft. */
#define CAPTURE_PORT 15001
#define DNS_PORT 15053
/* What capture.nft puts on UDP that is refused. */
#define REFUSED_MARK 0x676c6f76

/* An IPv4 header with all its options and the UDP header, with room. As in app/broker/process/datagram-head.ts. */
#define HEAD_BYTES 80

/* How soon a broker that is not there is looked for again. */
#define RETRY_MS 10

/* Says what failed and why, and ends. */
_Noreturn void fatal(const char *what);

/* powers.c */
/* Gives up every capability, in every set and for good, and becomes the user. */
void drop_powers(uid_t uid, gid_t gid);

/* datagrams.c */
/* Opens the socket that shows refused UDP, its heads alone; the last thing that takes power. */
int datagrams_open(void);
/* Sends on the heads that are there, and rests where there are many; false where the link is broken. */
bool datagrams_forward(int datagrams, int link);

/* handover.c */
/* Hands the sandbox's sockets to the broker and gives the link to it, or -1 where it is not there. */
int hand_over(void);

void rest_ms(long ms);
