"""Super-packets: how big they are on the wire, and cutting them in software.

Linux: net/core/gso.c, include/linux/skbuff.h. A packet with a `gso_size` is cut further down: by a
device that can (`gso_type`), else here, as late as possible. The protocols register how.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.if_vlan import vlan_get_protocol
from pyhost.uapi.errno import EPROTONOSUPPORT
from pyhost.uapi.ethernet import ETH_P_8021Q

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "SKB_GSO_TCPV4", "SKB_GSO_TCPV6", "SKB_GSO_TCP_ECN", "SKB_GSO_TCP_FIXEDID", "SKB_GSO_UDP_L4",
    "UDP_HLEN", "GsoSegment", "qdisc_pkt_len", "skb_gso_segment", "skb_gso_transport_seglen",
    "skb_gso_validate_mac_len", "skb_gso_validate_network_len", "skb_tcp_all_headers",
]  # fmt: skip

SKB_GSO_TCPV4 = 1
SKB_GSO_TCP_ECN = 4
SKB_GSO_TCP_FIXEDID = 8
SKB_GSO_TCPV6 = 16
SKB_GSO_UDP_L4 = 1 << 17

UDP_HLEN = 8

GsoSegment = Callable[["SkBuff", int], "list[SkBuff] | int"]
"""`segment(skb, features)`: the frames, or a negative errno. Linux: offload_callbacks."""


def skb_tcp_all_headers(skb: SkBuff) -> int:
    """Bytes from `data` to the end of the TCP header. Linux: skb_tcp_all_headers."""
    th = skb.transport_header
    return th - skb.data + (skb.buf[th + 12] >> 4) * 4


def _all_headers(skb: SkBuff) -> int:
    """Bytes from `data` to the payload of a TCP or UDP packet."""
    if skb.shinfo.gso_type & SKB_GSO_UDP_L4:
        return skb.transport_header - skb.data + UDP_HLEN
    return skb_tcp_all_headers(skb)


def qdisc_pkt_len(skb: SkBuff) -> int:
    """Bytes that the packet takes on the wire: headers once a frame. Linux: qdisc_pkt_len_init."""
    shinfo = skb.shinfo
    if not shinfo.gso_size or shinfo.gso_segs <= 1:
        return skb.len
    return skb.len + (shinfo.gso_segs - 1) * _all_headers(skb)


def skb_gso_transport_seglen(skb: SkBuff) -> int:
    """Bytes of each segment from the transport header on. Linux: skb_gso_transport_seglen."""
    return _all_headers(skb) - (skb.transport_header - skb.data) + skb.shinfo.gso_size


def skb_gso_validate_network_len(skb: SkBuff, mtu: int) -> bool:
    """Whether every segment, network header included, has at most `mtu` bytes. Linux:
    skb_gso_validate_network_len.
    """
    return skb.transport_header - skb.network_header + skb_gso_transport_seglen(skb) <= mtu


def skb_gso_validate_mac_len(skb: SkBuff, length: int) -> bool:
    """Whether every segment, link header included, has at most `length` bytes. Linux:
    skb_gso_validate_mac_len.
    """
    return _all_headers(skb) + skb.shinfo.gso_size <= length


def skb_gso_segment(skb: SkBuff, features: int) -> list[SkBuff] | int:
    """The frames of a super-packet, or a negative errno.

    The frames carry the owner's charge on; `skb` itself is left to the caller, without an owner.
    Checksums are left as CHECKSUM_PARTIAL with the pseudo-header sum in place; `validate_xmit_skb`
    completes them for a device that does not. Linux: skb_gso_segment, skb_mac_gso_segment.

    -EPROTONOSUPPORT: no such protocol; -EINVAL: headers do not fit together; -ENOMEM.
    """
    proto = skb.protocol if skb.protocol != ETH_P_8021Q else vlan_get_protocol(skb)
    segment = skb.pool.kernel.net.softnet.packet_offloads.get(proto)
    if segment is None:
        return -EPROTONOSUPPORT
    return segment(skb, features)
