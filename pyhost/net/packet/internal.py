"""struct packet_sock, and what it has asked of devices. Linux: net/packet/internal.h, and the
membership part of af_packet.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.core.dev import dev_get_by_index
from pyhost.net.core.dev_addr import (
    dev_mc_add,
    dev_mc_del,
    dev_set_allmulti,
    dev_set_promiscuity,
)
from pyhost.net.core.sock import Proto, Sock
from pyhost.uapi.errno import EADDRNOTAVAIL, EINVAL, ENODEV
from pyhost.uapi.if_packet import (
    PACKET_MR_ALLMULTI,
    PACKET_MR_MULTICAST,
    PACKET_MR_PROMISC,
    PACKET_MR_UNICAST,
    PACKET_MREQ,
)
from pyhost.uapi.socket import AF_PACKET

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice, PacketType
    from pyhost.net.net_namespace import Net

__all__ = [
    "PacketMembership", "PacketSock", "packet_flush_mclist", "packet_mc_add", "packet_mc_drop",
]  # fmt: skip

MEMBERSHIP_TYPES = (PACKET_MR_MULTICAST, PACKET_MR_PROMISC, PACKET_MR_ALLMULTI, PACKET_MR_UNICAST)


class PacketMembership(NamedTuple):
    """Linux: struct packet_mclist."""

    ifindex: int
    type: int
    addr: bytes


class PacketSock(Sock):
    """Linux: struct packet_sock. `hook` is what is registered in the device layer, None while
    nothing is received.
    """

    __slots__ = (
        "auxdata", "copy_thresh", "hook", "ifindex", "ignore_outgoing", "memberships", "num",
        "origdev", "qdisc_bypass", "tp_drops", "tp_packets", "tp_reserve", "tp_version",
    )  # fmt: skip

    def __init__(self, net: Net, sock_type: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, AF_PACKET, sock_type, protocol, prot)
        self.num = protocol
        self.ifindex = 0
        self.hook: PacketType | None = None
        self.qdisc_bypass = self.auxdata = self.origdev = self.ignore_outgoing = False
        self.tp_version = self.tp_reserve = self.copy_thresh = 0
        self.tp_packets = self.tp_drops = 0
        self.memberships: list[PacketMembership] = []


def _parse_mreq(value: bytes) -> PacketMembership | int:
    if len(value) < PACKET_MREQ.size:
        return -EINVAL
    ifindex, kind, length, addr = PACKET_MREQ.unpack_from(value)
    if length > len(addr):
        return -EINVAL
    return PacketMembership(ifindex, kind, addr[:length])


def packet_mc_add(sk: PacketSock, value: bytes) -> int:
    """PACKET_ADD_MEMBERSHIP: 0, -EINVAL, -ENODEV. Linux: packet_mc_add.

    Every frame that reaches a device's driver is shown anyway; a membership has the card let
    more through.
    """
    wanted = _parse_mreq(value)
    if isinstance(wanted, int):
        return wanted
    dev = dev_get_by_index(sk.net, wanted.ifindex)
    if dev is None:
        return -ENODEV
    if wanted.type not in MEMBERSHIP_TYPES or len(wanted.addr) > len(dev.addr):
        return -EINVAL
    if wanted not in sk.memberships:
        _packet_dev_mc(dev, wanted, 1)
    sk.memberships.append(wanted)
    return 0


def packet_mc_drop(sk: PacketSock, value: bytes) -> int:
    """PACKET_DROP_MEMBERSHIP: 0, -EINVAL, -EADDRNOTAVAIL. Linux: packet_mc_drop."""
    wanted = _parse_mreq(value)
    if isinstance(wanted, int):
        return wanted
    if wanted not in sk.memberships:
        return -EADDRNOTAVAIL
    _drop(sk, wanted)
    return 0


def packet_flush_mclist(sk: PacketSock) -> None:
    """The socket is closed. Linux: packet_flush_mclist."""
    while sk.memberships:
        _drop(sk, sk.memberships[-1])


def _drop(sk: PacketSock, membership: PacketMembership) -> None:
    sk.memberships.remove(membership)
    dev = dev_get_by_index(sk.net, membership.ifindex)
    if dev is not None and membership not in sk.memberships:
        _packet_dev_mc(dev, membership, -1)


def _packet_dev_mc(dev: NetDevice, membership: PacketMembership, inc: int) -> None:
    """Linux: packet_dev_mc. There is no filter for further addresses of one station, so such a
    membership lets nothing more through.
    """
    if membership.type == PACKET_MR_PROMISC:
        dev_set_promiscuity(dev, inc)
    elif membership.type == PACKET_MR_ALLMULTI:
        dev_set_allmulti(dev, inc)
    elif membership.type == PACKET_MR_MULTICAST:
        (dev_mc_add if inc > 0 else dev_mc_del)(dev, membership.addr)
