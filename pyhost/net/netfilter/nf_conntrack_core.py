"""Connection tracking: which connection a packet belongs to, and what is known of it.

Linux: net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_icmp.c (errors).

    PRE_ROUTING, LOCAL_OUT   nf_conntrack_in: find or make the connection, run its tracker
    LOCAL_IN, POST_ROUTING   nf_conntrack_confirm: the first packet came through, keep it

A new connection lives only on its first packet until that is confirmed, so a packet that a rule
drops leaves nothing behind. Entries whose time is over are removed by a timer, and by whoever comes
across them. Differences: no zones, no expectations and helpers, no accounting, no events.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.kernel.printk import KERN_WARNING
from pyhost.kernel.timer import Timer
from pyhost.net.core.checksum import csum_bytes
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY
from pyhost.net.netfilter.core import (
    NF_ACCEPT,
    NF_DROP,
    NF_INET_PRE_ROUTING,
    NF_REPEAT,
    NfHookState,
)
from pyhost.net.netfilter.nf_conntrack_proto_generic import (
    generic_new,
    generic_packet,
    icmp_new,
    icmp_packet,
    udp_new,
    udp_packet,
)
from pyhost.net.netfilter.nf_conntrack_proto_tcp import tcp_new, tcp_packet
from pyhost.net.netfilter.nf_conntrack_tuple import (
    IP_CT_DIR_ORIGINAL,
    IP_CT_DIR_REPLY,
    IP_CT_ESTABLISHED,
    IP_CT_ESTABLISHED_REPLY,
    IP_CT_NEW,
    IP_CT_RELATED,
    IP_CT_RELATED_REPLY,
    IPS_ASSURED,
    IPS_CONFIRMED,
    IPS_SEEN_REPLY,
    NfConn,
    NfConntrackTuple,
    ctinfo2dir,
    invert_tuple,
    nf_ct_delete,
    nf_ct_get,
    tuple_of,
)
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_HDR_LEN,
    ICMP_PARAMETERPROB,
    ICMP_REDIRECT,
    ICMP_SOURCE_QUENCH,
    ICMP_TIME_EXCEEDED,
)
from pyhost.uapi.ip import IP_HDR, IP_HDR_LEN, IP_OFFSET, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = [
    "nf_conntrack_confirm", "nf_conntrack_find_get", "nf_conntrack_in", "nf_conntrack_tuple_taken",
    "nf_ct_attach", "nf_ct_iterate_cleanup",
]  # fmt: skip

GC_SCAN_INTERVAL_MIN = NSEC_PER_SEC
"""The timer does not go through the table more often."""
NF_CT_EVICTION_RANGE = 8
"""How many of the oldest entries are looked at for one that may go when the table is full."""

TRANSPORT_BYTES = 60
"""More than any tracker reads: a TCP header with options."""

NEW = {IPPROTO_TCP: tcp_new, IPPROTO_UDP: udp_new, IPPROTO_ICMP: icmp_new}
PACKET = {IPPROTO_TCP: tcp_packet, IPPROTO_UDP: udp_packet, IPPROTO_ICMP: icmp_packet}
HEADER = {IPPROTO_TCP: 20, IPPROTO_UDP: 8, IPPROTO_ICMP: ICMP_HDR_LEN}

ICMP_ERRORS = (
    ICMP_DEST_UNREACH, ICMP_SOURCE_QUENCH, ICMP_REDIRECT, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB,
)  # fmt: skip


def nf_conntrack_in(skb: SkBuff, state: NfHookState) -> int:
    """Give a packet its connection. Linux: nf_conntrack_in.

    A packet that fits into none goes on without one, and rules see it as INVALID. NF_DROP when the
    table is full.
    """
    if skb.nfct is not None:
        # It came over loopback with its connection, or is not to be tracked.
        return NF_ACCEPT
    ct = state.net.ct
    first, _, tot_len, _, frag_off, _, protonum, _, src, dst = IP_HDR.unpack_from(
        skb.buf, skb.network_header
    )
    dataoff = (first & 15) * 4
    transport = skb.copy_bits(dataoff, min(skb.len - dataoff, TRANSPORT_BYTES))
    if frag_off & IP_OFFSET or len(transport) < HEADER.get(protonum, 0):
        ct.inc("invalid")
        return NF_ACCEPT
    if not _checksum_is_good(skb, state, protonum, dataoff, transport):
        ct.inc("error")
        ct.inc("invalid")
        return NF_ACCEPT
    if protonum == IPPROTO_ICMP and transport[0] in ICMP_ERRORS:
        _icmp_error(skb, state.net, dataoff)
        return NF_ACCEPT
    tup = tuple_of(protonum, src, dst, transport)
    assert tup is not None
    return _track(skb, state.net, tup, transport, tot_len - dataoff)


def _track(skb: SkBuff, net: Net, tup: NfConntrackTuple, transport: bytes, length: int) -> int:
    """Find or make the connection and let its tracker see the packet. Linux: resolve_normal_ct,
    nf_conntrack_handle_packet.
    """
    table = net.ct
    found = _resolve(net, tup, transport)
    if found is None:
        return NF_DROP
    if found is INVALID:
        table.inc("invalid")
        return NF_ACCEPT
    ct, ctinfo = found
    assert ct is not None
    packet = PACKET.get(tup.protonum, generic_packet)
    verdict = packet(ct, ctinfo, transport, length)
    if verdict == NF_REPEAT:
        # The old connection has just been ended, and this packet begins the next one.
        return NF_REPEAT
    if verdict != NF_ACCEPT:
        table.inc("invalid")
        return NF_ACCEPT
    skb.nfct = found
    if ctinfo == IP_CT_ESTABLISHED_REPLY:
        ct.status |= IPS_SEEN_REPLY
    return NF_ACCEPT


INVALID: tuple[NfConn | None, int] = (None, IP_CT_NEW)


def _resolve(net: Net, tup: NfConntrackTuple, transport: bytes) -> tuple[NfConn | None, int] | None:
    """(connection, place of the packet in it); INVALID, or None when the table is full."""
    found = nf_conntrack_find_get(net, tup)
    if found is None:
        return _init_conntrack(net, tup, transport)
    ct, direction = found
    if direction == IP_CT_DIR_REPLY:
        return ct, IP_CT_ESTABLISHED_REPLY
    return ct, IP_CT_ESTABLISHED if ct.status & IPS_SEEN_REPLY else IP_CT_NEW


def _init_conntrack(
    net: Net, tup: NfConntrackTuple, transport: bytes
) -> tuple[NfConn | None, int] | None:
    """Linux: init_conntrack, __nf_conntrack_alloc."""
    reply = invert_tuple(tup)
    if reply is None:
        return INVALID
    table = net.ct
    if table.max and table.count >= table.max and not _early_drop(net):
        table.inc("drop")
        net.kernel.printk("nf_conntrack: nf_conntrack: table full, dropping packet", KERN_WARNING)
        return None
    ct = NfConn(net, tup, reply)
    if not NEW.get(tup.protonum, generic_new)(ct, transport):
        return INVALID
    return ct, IP_CT_NEW


def _checksum_is_good(
    skb: SkBuff, state: NfHookState, protonum: int, dataoff: int, transport: bytes
) -> bool:
    """Only what came from outside is looked at. Linux: nf_ip_checksum."""
    if (
        state.hook != NF_INET_PRE_ROUTING
        or not state.net.ct.checksum
        or skb.ip_summed in (CHECKSUM_UNNECESSARY, CHECKSUM_PARTIAL)
        or protonum not in HEADER
        or (protonum == IPPROTO_UDP and transport[6:8] == b"\0\0")
    ):
        return True
    length = skb.len - dataoff
    pseudo = b""
    if protonum != IPPROTO_ICMP:
        where = skb.network_header + 12
        pseudo = (
            bytes(skb.buf[where : where + 8]) + bytes([0, protonum]) + length.to_bytes(2, "big")
        )
    return csum_bytes(pseudo + skb.copy_bits(dataoff, length)) == 0xFFFF


# -- ICMP errors -----------------------------------------------------------------------------------


def _icmp_error(skb: SkBuff, net: Net, dataoff: int) -> None:
    """An error belongs to the connection of the packet that it quotes.

    Linux: nf_conntrack_inet_error, icmp_error_message.
    """
    start = dataoff + ICMP_HDR_LEN
    found = None
    if skb.len >= start + IP_HDR_LEN + 8:
        quoted = skb.copy_bits(start, min(skb.len - start, TRANSPORT_BYTES + 60))
        inner = (quoted[0] & 15) * 4
        fields = IP_HDR.unpack_from(quoted)
        if inner >= IP_HDR_LEN and not fields[4] & IP_OFFSET:
            tup = tuple_of(fields[6], fields[8], fields[9], quoted[inner:])
            answer = invert_tuple(tup) if tup is not None else None
            found = nf_conntrack_find_get(net, answer) if answer is not None else None
    if found is None:
        net.ct.inc("invalid")
        return
    ct, direction = found
    # The quoted packet went against the direction in which its answer was looked for.
    skb.nfct = (ct, IP_CT_RELATED_REPLY if direction == IP_CT_DIR_REPLY else IP_CT_RELATED)


def nf_ct_attach(new: SkBuff, old: SkBuff) -> None:
    """A packet that answers `old` is related to its connection. Linux: nf_conntrack_attach."""
    ct, ctinfo = nf_ct_get(old)
    if ct is not None:
        reply = ctinfo2dir(ctinfo) == IP_CT_DIR_ORIGINAL
        new.nfct = (ct, IP_CT_RELATED_REPLY if reply else IP_CT_RELATED)


# -- the table -------------------------------------------------------------------------------------


def nf_conntrack_find_get(net: Net, tup: NfConntrackTuple) -> tuple[NfConn, int] | None:
    """(connection, direction) of a tuple, unless its time is over. Linux: nf_conntrack_find_get."""
    found = net.ct.hash.get(tup)
    if found is not None and found[0].expired(net.kernel.clock.now):
        nf_ct_delete(found[0])
        return None
    return found


def nf_conntrack_tuple_taken(tup: NfConntrackTuple, ignored: NfConn) -> bool:
    """Whether another connection has this tuple. Linux: nf_conntrack_tuple_taken."""
    found = nf_conntrack_find_get(ignored.net, tup)
    return found is not None and found[0] is not ignored


def nf_conntrack_confirm(skb: SkBuff, _state: NfHookState) -> int:
    """The first packet has passed all rules: its connection enters the table. NF_DROP when another
    packet has made the same connection meanwhile. Linux: nf_conntrack_confirm.
    """
    ct, ctinfo = nf_ct_get(skb)
    if ct is None or ct.status & IPS_CONFIRMED or ctinfo2dir(ctinfo) != IP_CT_DIR_ORIGINAL:
        return NF_ACCEPT
    net = ct.net
    table = net.ct
    if any(nf_conntrack_tuple_taken(tup, ct) for tup in ct.tuples):
        table.inc("insert_failed")
        table.inc("drop")
        return NF_DROP
    ct.timeout += net.kernel.clock.now
    ct.status |= IPS_CONFIRMED
    for direction, tup in enumerate(ct.tuples):
        table.hash[tup] = (ct, direction)
    original = ct.tuples[IP_CT_DIR_ORIGINAL]
    table.bysource.setdefault((original.src, original.sport, original.protonum), []).append(ct)
    table.count += 1
    _gc_arm(net, ct.timeout)
    return NF_ACCEPT


def _early_drop(net: Net) -> bool:
    """Make room: one of the oldest connections that nothing depends on goes. Linux: early_drop."""
    oldest = tuple(islice(net.ct.hash.values(), 2 * NF_CT_EVICTION_RANGE))
    for ct, _ in oldest:
        if not ct.status & IPS_ASSURED or ct.expired(net.kernel.clock.now):
            nf_ct_delete(ct)
            net.ct.inc("early_drop")
            return True
    return False


def nf_ct_iterate_cleanup(net: Net, *, masq_dev: int | None = None) -> int:
    """Remove all connections, or those that borrowed the address of one device; how many.

    Linux: nf_ct_iterate_cleanup_net.
    """
    doomed = [
        ct
        for ct, direction in net.ct.hash.values()
        if direction == IP_CT_DIR_ORIGINAL and (masq_dev is None or ct.masq_dev == masq_dev)
    ]
    for ct in doomed:
        nf_ct_delete(ct)
    return len(doomed)


def _gc_arm(net: Net, when: int) -> None:
    table = net.ct
    if table.gc_timer is None:
        table.gc_timer = Timer(net.kernel, lambda: _gc_worker(net))
    expires = table.gc_timer.expires
    if expires is None or when < expires:
        table.gc_timer.mod(max(when, net.kernel.clock.now + GC_SCAN_INTERVAL_MIN))


def _gc_worker(net: Net) -> None:
    """Remove what is over, and come again when the next one is. Linux: gc_worker."""
    now = net.kernel.clock.now
    earliest: int | None = None
    for ct, direction in tuple(net.ct.hash.values()):
        if direction == IP_CT_DIR_REPLY:
            continue
        if ct.expired(now):
            nf_ct_delete(ct)
        elif earliest is None or ct.timeout < earliest:
            earliest = ct.timeout
    if earliest is not None:
        _gc_arm(net, earliest)
