"""IPv4 super-packets. Linux: net/ipv4/af_inet.c (inet_gso_segment, ipv4_offload_init)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core.checksum import ip_compute_csum
from pyhost.net.core.gso import SKB_GSO_TCP_FIXEDID
from pyhost.net.ipv4.tcp.tcp_offload import tcp4_gso_segment
from pyhost.net.ipv4.udp.udp_offload import udp4_gso_segment
from pyhost.uapi.errno import EINVAL, EPROTONOSUPPORT
from pyhost.uapi.ethernet import ETH_P_IP
from pyhost.uapi.ip import IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = ["ipv4_offload_init"]

_BE16 = Struct("!H")


def ipv4_offload_init(net: Net) -> None:
    """Linux: ipv4_offload_init."""
    softnet = net.softnet
    softnet.packet_offloads[ETH_P_IP] = _inet_gso_segment
    softnet.inet_offloads[IPPROTO_TCP] = tcp4_gso_segment
    softnet.inet_offloads[IPPROTO_UDP] = udp4_gso_segment


def _inet_gso_segment(skb: SkBuff, features: int) -> list[SkBuff] | int:
    """Linux: inet_gso_segment. Each frame has an identification of its own, one more than the last,
    unless all shall have the same.
    """
    ip = skb.network_header
    if not skb.may_pull(ip - skb.data + 20):
        return -EINVAL
    ip = skb.network_header
    ihl = (skb.buf[ip] & 15) * 4
    if ihl < 20 or ip + ihl != skb.transport_header:
        return -EINVAL
    segment = skb.pool.kernel.net.softnet.inet_offloads.get(skb.buf[ip + 9])
    if segment is None:
        return -EPROTONOSUPPORT
    frames = segment(skb, features)
    if not isinstance(frames, int):
        _fix_ip(skb, frames, ihl)
    return frames


def _fix_ip(skb: SkBuff, frames: list[SkBuff], ihl: int) -> None:
    """Length, identification and checksum of each frame."""
    buf = skb.buf
    (ip_id,) = _BE16.unpack_from(buf, skb.network_header + 4)
    step = 0 if skb.shinfo.gso_type & SKB_GSO_TCP_FIXEDID else 1
    for index, frame in enumerate(frames):
        ip = frame.network_header
        _BE16.pack_into(buf, ip + 2, frame.len - (ip - frame.data))
        _BE16.pack_into(buf, ip + 4, ip_id + index * step & 0xFFFF)
        _BE16.pack_into(buf, ip + 10, 0)
        _BE16.pack_into(buf, ip + 10, ip_compute_csum(buf[ip : ip + ihl]))
