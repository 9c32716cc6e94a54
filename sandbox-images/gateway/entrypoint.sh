#!/bin/sh
# Builds the trap, then gives every power away before a byte of the sandbox is read. See src/gateway.h.
# Nothing here is undone on failure: without the gateway's program the namespace leads nowhere.
set -eu

: "${GLOVEBOX_UID:?the gateway needs GLOVEBOX_UID}" "${GLOVEBOX_GID:?the gateway needs GLOVEBOX_GID}"

ip link set lo up
ip -4 route add local default dev lo
# Engines switch IPv6 off where the network is `none`; with the sysctl net.ipv6.conf.lo.disable_ipv6=0 it is
# captured like IPv4, without it the sandbox has none.
if [ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6 2>/dev/null || echo 1)" = 0 ]; then
  ip -6 route add local default dev lo
fi
nft -f /opt/glovebox/capture.nft

exec /opt/glovebox/gateway "$GLOVEBOX_UID" "$GLOVEBOX_GID"
