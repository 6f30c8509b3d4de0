"""The trackers of protocols without a connection: UDP, ICMP echo and the like, and all others.

Linux: net/netfilter/nf_conntrack_proto_udp.c, nf_conntrack_proto_icmp.c,
nf_conntrack_proto_generic.c.

A tracker is a pair of functions: `…_new(ct, transport)` says whether a packet may begin a
connection, `…_packet(ct, ctinfo, transport, length)` gives a verdict: NF_ACCEPT, NF_DROP (the
packet does not fit: it goes on as INVALID) or NF_REPEAT. `transport` are the bytes behind the IP
header, `length` how many there are in the whole packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.netfilter.core import NF_ACCEPT, NF_DROP
from pyhost.net.netfilter.nf_conntrack_tuple import (
    IP_CT_DIR_ORIGINAL,
    IPS_ASSURED,
    IPS_SEEN_REPLY,
    ctinfo2dir,
)
from pyhost.uapi.icmp import ICMP_ECHO

if TYPE_CHECKING:
    from pyhost.net.netfilter.nf_conntrack_tuple import NfConn

__all__ = ["generic_new", "generic_packet", "icmp_new", "icmp_packet", "udp_new", "udp_packet"]

UDP_HDR_LEN = 8
STREAM_AFTER = 2 * NSEC_PER_SEC
"""A UDP exchange that is older than this is a stream."""
ICMP_REQUESTS = (ICMP_ECHO, 13, 15, 17)
"""Echo, timestamp, information, address mask: what is answered."""


def udp_new(ct: NfConn, _transport: bytes) -> bool:
    """Remember when it began."""
    ct.proto = ct.net.kernel.clock.now + STREAM_AFTER
    return True


def udp_packet(ct: NfConn, _ctinfo: int, transport: bytes, length: int) -> int:
    """Linux: nf_conntrack_udp_packet, udp_error."""
    claimed = transport[4] << 8 | transport[5]
    if not UDP_HDR_LEN <= claimed <= length:
        return NF_DROP
    table = ct.net.ct
    if not ct.status & IPS_SEEN_REPLY:
        ct.refresh(table.udp_timeout * NSEC_PER_SEC)
        return NF_ACCEPT
    stream = ct.net.kernel.clock.now > ct.proto
    ct.refresh((table.udp_timeout_stream if stream else table.udp_timeout) * NSEC_PER_SEC)
    if stream:
        ct.status |= IPS_ASSURED
    return NF_ACCEPT


def icmp_new(_ct: NfConn, transport: bytes) -> bool:
    """Only a request begins something."""
    return transport[0] in ICMP_REQUESTS


def icmp_packet(ct: NfConn, ctinfo: int, transport: bytes, _length: int) -> int:
    """Linux: nf_conntrack_icmp_packet."""
    if ctinfo2dir(ctinfo) == IP_CT_DIR_ORIGINAL and not icmp_new(ct, transport):
        return NF_DROP
    ct.refresh(ct.net.ct.icmp_timeout * NSEC_PER_SEC)
    return NF_ACCEPT


def generic_new(_ct: NfConn, _transport: bytes) -> bool:
    """Anything may begin."""
    return True


def generic_packet(ct: NfConn, _ctinfo: int, _transport: bytes, _length: int) -> int:
    """Linux: nf_conntrack_generic_packet."""
    ct.refresh(ct.net.ct.generic_timeout * NSEC_PER_SEC)
    return NF_ACCEPT
