"""Which flow a packet belongs to. Linux: net/core/flow_dissector.c."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.uapi.ethernet import ETH_P_IP

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["reciprocal_scale", "skb_get_hash"]

_IPPROTO_TCP = 6
_IPPROTO_UDP = 17
_FRAGMENT = 0x3FFF
"""MF and the offset."""

_ADDRS = Struct("!II")
_PORTS = Struct("!HH")
_U32 = 0xFFFFFFFF


def reciprocal_scale(value: int, count: int) -> int:
    """A 32-bit value as one of [0, count), in proportion. Linux: reciprocal_scale."""
    return value * count >> 32


def skb_get_hash(skb: SkBuff) -> int:
    """32 bits that are the same for all packets of a flow, in both directions; kept in `skb.hash`.

    The flow is the addresses and, for TCP and UDP in one piece, the ports. Never 0. Linux:
    skb_get_hash.
    """
    if not skb.hash:
        skb.hash = _flow_hash(skb) or 1
    return skb.hash


def _flow_hash(skb: SkBuff) -> int:
    """Linux: __flow_hash_from_keys, with a key of each machine's own, made at the first use."""
    kernel = skb.pool.kernel
    softnet = kernel.net.softnet
    seed = softnet.hashrnd
    if not seed:
        seed = softnet.hashrnd = kernel.random.getrandbits(32) | 1
    ip = skb.network_header
    if skb.protocol != ETH_P_IP or ip + 20 > skb.tail:
        return _mix(seed, skb.protocol)
    buf = skb.buf
    saddr, daddr = _ADDRS.unpack_from(buf, ip + 12)
    proto = buf[ip + 9]
    sport = dport = 0
    transport = ip + (buf[ip] & 15) * 4
    in_one_piece = not (buf[ip + 6] << 8 | buf[ip + 7]) & _FRAGMENT
    if proto in (_IPPROTO_TCP, _IPPROTO_UDP) and in_one_piece and transport + 4 <= skb.tail:
        sport, dport = _PORTS.unpack_from(buf, transport)
    if (saddr, sport) > (daddr, dport):
        saddr, daddr, sport, dport = daddr, saddr, dport, sport
    return _mix(_mix(_mix(seed ^ proto, saddr), daddr), sport << 16 | dport)


def _mix(state: int, word: int) -> int:
    """One round of a 32-bit mixing function (MurmurHash3's finaliser)."""
    state = (state ^ word) & _U32
    state = (state ^ state >> 16) * 0x85EBCA6B & _U32
    state = (state ^ state >> 13) * 0xC2B2AE35 & _U32
    return state ^ state >> 16
