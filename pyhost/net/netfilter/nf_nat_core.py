"""Network address translation: which addresses and ports a connection gets.

Linux: net/netfilter/nf_nat_core.c, nf_nat_masquerade.c.

A rule decides once, for a connection's first packet. What it decided stands in the connection's
reply tuple; every packet is then changed so that it fits (nf_nat_proto.py). No two connections may
have the same reply tuple, or answers could not be told apart: so a port may have to change too.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.core.dev import NETDEV_DOWN, register_netdevice_notifier
from pyhost.net.netfilter.core import NF_ACCEPT
from pyhost.net.netfilter.nf_conntrack_core import nf_conntrack_tuple_taken, nf_ct_iterate_cleanup
from pyhost.net.netfilter.nf_conntrack_tuple import (
    IP_CT_DIR_REPLY,
    IPS_CONFIRMED,
    IPS_DST_NAT,
    IPS_DST_NAT_DONE,
    IPS_SRC_NAT,
    IPS_SRC_NAT_DONE,
    NF_NAT_MANIP_DST,
    NF_NAT_MANIP_SRC,
    NfConn,
    NfConntrackTuple,
    hook2manip,
    invert_tuple,
)
from pyhost.uapi.ip import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = [
    "NAT_DONE", "NfNatRange", "masquerade_range", "nf_nat_alloc_null_binding",
    "nf_nat_masquerade_inet_register_notifiers", "nf_nat_setup_info",
]  # fmt: skip

NAT_STATUS = (IPS_SRC_NAT, IPS_DST_NAT)
NAT_DONE = (IPS_SRC_NAT_DONE, IPS_DST_NAT_DONE)

MAX_ATTEMPTS = 128
"""How many ports are tried in a row before the search jumps to another place."""
MIN_ATTEMPTS = 16

WELL_KNOWN = 512
RESERVED = 1024


class NfNatRange(NamedTuple):
    """What a rule allows. Linux: struct nf_nat_range2.

    `addrs` and `ports` are (first, last), None for "as it is". `random`: any port of the range;
    `persistent`: a client keeps its address whatever it talks to.
    """

    addrs: tuple[int, int] | None = None
    ports: tuple[int, int] | None = None
    random: bool = False
    random_fully: bool = False
    persistent: bool = False


def nf_nat_setup_info(ct: NfConn, allowed: NfNatRange, manip: int) -> int:
    """Bind a connection, once for each of source and destination, and before it is confirmed:
    NF_ACCEPT.

    Linux: nf_nat_setup_info.
    """
    if ct.status & (IPS_CONFIRMED | NAT_DONE[manip]):
        return NF_ACCEPT
    current = invert_tuple(ct.tuples[IP_CT_DIR_REPLY])
    assert current is not None
    new = _get_unique_tuple(ct, current, allowed, manip)
    if new != current:
        reply = invert_tuple(new)
        assert reply is not None
        ct.tuples[IP_CT_DIR_REPLY] = reply
        ct.status |= NAT_STATUS[manip]
    ct.status |= NAT_DONE[manip]
    return NF_ACCEPT


def nf_nat_alloc_null_binding(ct: NfConn, hooknum: int) -> int:
    """No rule applied: keep the address, but be unique. Linux: nf_nat_alloc_null_binding."""
    manip = hook2manip(hooknum)
    reply = ct.tuples[IP_CT_DIR_REPLY]
    addr = reply.dst if manip == NF_NAT_MANIP_SRC else reply.src
    return nf_nat_setup_info(ct, NfNatRange((addr, addr)), manip)


def _get_unique_tuple(
    ct: NfConn, original: NfConntrackTuple, allowed: NfNatRange, manip: int
) -> NfConntrackTuple:
    """The tuple that the connection's packets shall have. Linux: get_unique_tuple."""
    random = allowed.random or allowed.random_fully
    if manip == NF_NAT_MANIP_SRC and not random:
        if _in_range(original, allowed, manip):
            if not _used(original, ct):
                return original
        else:
            again = _find_appropriate_src(ct, original, allowed)
            if again is not None and not _used(again, ct):
                return again
    tup = _find_best_ips_proto(original, allowed, manip)
    if not random:
        fits = allowed.ports is None or _port_in_range(tup, allowed, manip)
        only = allowed.ports is not None and allowed.ports[0] == allowed.ports[1]
        if fits and (only or not _used(tup, ct)):
            return tup
    return _l4proto_unique_tuple(ct, tup, allowed, manip)


def _used(tup: NfConntrackTuple, ct: NfConn) -> bool:
    """Linux: nf_nat_used_tuple."""
    reply = invert_tuple(tup)
    return reply is None or nf_conntrack_tuple_taken(reply, ct)


def _in_range(tup: NfConntrackTuple, allowed: NfNatRange, manip: int) -> bool:
    """Linux: nf_in_range."""
    addr = tup.src if manip == NF_NAT_MANIP_SRC else tup.dst
    if allowed.addrs is not None and not allowed.addrs[0] <= addr <= allowed.addrs[1]:
        return False
    return allowed.ports is None or _port_in_range(tup, allowed, manip)


def _port_in_range(tup: NfConntrackTuple, allowed: NfNatRange, manip: int) -> bool:
    """Linux: l4proto_in_range. Protocols without ports fit every range."""
    if allowed.ports is None or tup.protonum not in (IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP):
        return True
    source = manip == NF_NAT_MANIP_SRC or tup.protonum == IPPROTO_ICMP
    return allowed.ports[0] <= (tup.sport if source else tup.dport) <= allowed.ports[1]


def _find_appropriate_src(
    ct: NfConn, original: NfConntrackTuple, allowed: NfNatRange
) -> NfConntrackTuple | None:
    """What the same source was changed to for another destination. Linux: find_appropriate_src."""
    key = (original.src, original.sport, original.protonum)
    for other in ct.net.ct.bysource.get(key, ()):
        reply = other.tuples[IP_CT_DIR_REPLY]
        result = original._replace(src=reply.dst, sport=reply.dport)
        if original.protonum == IPPROTO_ICMP:
            result = original._replace(src=reply.dst, sport=reply.sport)
        if _in_range(result, allowed, NF_NAT_MANIP_SRC):
            return result
    return None


def _find_best_ips_proto(
    tup: NfConntrackTuple, allowed: NfNatRange, manip: int
) -> NfConntrackTuple:
    """One address of the range, always the same for the same two hosts.

    Linux: find_best_ips_proto.
    """
    if allowed.addrs is None:
        return tup
    first, last = allowed.addrs
    key = tup.src.to_bytes(4, "big")
    if not allowed.persistent:
        key += tup.dst.to_bytes(4, "big")
    addr = first + (zlib.crc32(key) * (last - first + 1) >> 32)
    return tup._replace(src=addr) if manip == NF_NAT_MANIP_SRC else tup._replace(dst=addr)


def _l4proto_unique_tuple(
    ct: NfConn, tup: NfConntrackTuple, allowed: NfNatRange, manip: int
) -> NfConntrackTuple:
    """Try ports until a tuple is free; the last one tried if none is.

    Linux: nf_nat_l4proto_unique_tuple.
    """
    icmp = tup.protonum == IPPROTO_ICMP
    if tup.protonum not in (IPPROTO_TCP, IPPROTO_UDP) and not icmp:
        return tup
    source = manip == NF_NAT_MANIP_SRC or icmp
    port = tup.sport if source else tup.dport
    if allowed.ports is not None:
        low, high = allowed.ports
    elif icmp:
        low, high = 0, 0xFFFF
    elif manip == NF_NAT_MANIP_DST:
        return tup
    else:
        low, high = _like_ports(port)
    random = ct.net.kernel.random
    size = high - low + 1
    shuffle = allowed.random or allowed.random_fully or manip == NF_NAT_MANIP_SRC
    offset = random.getrandbits(16) if shuffle else 0
    attempts = min(size, MAX_ATTEMPTS)
    while True:
        for _ in range(attempts):
            port = low + offset % size
            tup = tup._replace(sport=port) if source else tup._replace(dport=port)
            if not _used(tup, ct):
                return tup
            offset += 1
        if attempts >= size or attempts < MIN_ATTEMPTS:
            return tup
        attempts //= 2
        offset = random.getrandbits(16)


def _like_ports(port: int) -> tuple[int, int]:
    """A port is changed into one of its kind: well-known, reserved, or any other."""
    if port < WELL_KNOWN:
        return 1, WELL_KNOWN - 1
    if port < RESERVED:
        return 600, RESERVED - 1
    return RESERVED, 0xFFFF


# -- masquerading ----------------------------------------------------------------------------------


def masquerade_range(allowed: NfNatRange, addr: int) -> NfNatRange:
    """The ports of `allowed`, with the address of a device."""
    return allowed._replace(addrs=(addr, addr))


def nf_nat_masquerade_inet_register_notifiers(net: Net) -> None:
    """Connections that borrowed the address of a device end when that goes down.

    Linux: nf_nat_masquerade_inet_register_notifiers, masq_device_event.
    """

    def changed(dev: NetDevice, event: int) -> None:
        if event == NETDEV_DOWN:
            nf_ct_iterate_cleanup(net, masq_dev=dev.ifindex)

    register_netdevice_notifier(net, changed)
