"""Explicit congestion notification in the IP header (RFC 3168). Linux: include/net/inet_ecn.h."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.uapi.ethernet import ETH_P_IP

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "INET_ECN_CE", "INET_ECN_ECT_0", "INET_ECN_ECT_1", "INET_ECN_MASK", "INET_ECN_NOT_ECT",
    "inet_ecn_set_ce",
]  # fmt: skip

INET_ECN_NOT_ECT = 0
INET_ECN_ECT_1 = 1
INET_ECN_ECT_0 = 2
INET_ECN_CE = 3
INET_ECN_MASK = 3


def inet_ecn_set_ce(skb: SkBuff) -> bool:
    """Say "congestion experienced" in a packet of a transport that understands it.

    False when the packet is not IPv4 or its transport is not capable; its header is untouched then.
    Linux: INET_ECN_set_ce, IP_ECN_set_ce.
    """
    ip = skb.network_header
    if skb.protocol != ETH_P_IP or ip + 20 > skb.tail:
        return False
    buf = skb.buf
    ecn = buf[ip + 1] & INET_ECN_MASK
    if ecn == INET_ECN_NOT_ECT:
        return False
    if ecn != INET_ECN_CE:
        buf[ip + 1] |= INET_ECN_CE
        # RFC 1624: what the header sum grew by comes off its complement.
        check = (buf[ip + 10] << 8 | buf[ip + 11]) - (INET_ECN_CE - ecn)
        check = (check & 0xFFFF) + (check >> 16)
        buf[ip + 10], buf[ip + 11] = check >> 8 & 0xFF, check & 0xFF
    return True
