"""Options of packet sockets. Linux: net/packet/af_packet.c packet_setsockopt, packet_getsockopt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.packet.internal import PacketSock, packet_mc_add, packet_mc_drop
from pyhost.uapi.errno import EINVAL, ENOPROTOOPT
from pyhost.uapi.if_packet import (
    PACKET_ADD_MEMBERSHIP,
    PACKET_AUXDATA,
    PACKET_COPY_THRESH,
    PACKET_DROP_MEMBERSHIP,
    PACKET_IGNORE_OUTGOING,
    PACKET_ORIGDEV,
    PACKET_QDISC_BYPASS,
    PACKET_RESERVE,
    PACKET_STATISTICS,
    PACKET_VERSION,
    TPACKET_STATS,
    TPACKET_V3,
)
from pyhost.uapi.socket import INT, SOL_PACKET

if TYPE_CHECKING:
    from pyhost.net.socket import Socket

__all__ = ["packet_getsockopt", "packet_setsockopt"]

INT_MAX = 0x7FFFFFFF

NUMBERS = {
    PACKET_AUXDATA: ("auxdata", None),
    PACKET_ORIGDEV: ("origdev", None),
    PACKET_QDISC_BYPASS: ("qdisc_bypass", None),
    PACKET_IGNORE_OUTGOING: ("ignore_outgoing", 1),
    PACKET_VERSION: ("tp_version", TPACKET_V3),
    PACKET_RESERVE: ("tp_reserve", INT_MAX),
    PACKET_COPY_THRESH: ("copy_thresh", INT_MAX),
}
"""Option: its attribute, and the greatest value; None for a flag that any value sets or clears."""


def packet_setsockopt(sock: Socket, level: int, name: int, value: bytes) -> int:
    """0 or -EINVAL, -ENODEV, -EADDRNOTAVAIL, -ENOPROTOOPT. Linux: packet_setsockopt."""
    if level != SOL_PACKET:
        return -ENOPROTOOPT
    sk: PacketSock = sock.sk
    if name == PACKET_ADD_MEMBERSHIP:
        return packet_mc_add(sk, value)
    if name == PACKET_DROP_MEMBERSHIP:
        return packet_mc_drop(sk, value)
    if name not in NUMBERS:
        return -ENOPROTOOPT
    if len(value) < INT.size:
        return -EINVAL
    number: int = INT.unpack_from(value)[0]
    attribute, most = NUMBERS[name]
    if most is None:
        setattr(sk, attribute, bool(number))
        return 0
    if not 0 <= number <= most:
        return -EINVAL
    setattr(sk, attribute, number)
    return 0


def packet_getsockopt(sock: Socket, level: int, name: int, size: int) -> bytes | int:
    """The value, at most `size` bytes, or -ENOPROTOOPT. Linux: packet_getsockopt.

    Reading the statistics clears them; `packets` counts the drops too.
    """
    if level != SOL_PACKET:
        return -ENOPROTOOPT
    sk: PacketSock = sock.sk
    if name == PACKET_STATISTICS:
        answer = TPACKET_STATS.pack(sk.tp_packets + sk.tp_drops, sk.tp_drops)
        sk.tp_packets = sk.tp_drops = 0
        return answer[:size]
    if name not in NUMBERS or name == PACKET_COPY_THRESH:
        return -ENOPROTOOPT
    return INT.pack(getattr(sk, NUMBERS[name][0]))[:size]
