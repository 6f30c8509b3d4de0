"""Segments without a socket behind them: SYN-ACK, RST, the ACKs of TIME_WAIT and of request
sockets. Linux: net/ipv4/tcp_ipv4.c, tcp_output.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.checksum import csum_tcpudp_nofold
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_TCP_HEADER, SkBuff, alloc_skb
from pyhost.net.ipv4.ip.ip_output import ip_send_unicast_reply
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import tcp_md5_do_lookup, tcp_md5_sign
from pyhost.uapi.ip import IP_DADDR_OFF, IP_SADDR_OFF, IPPROTO_TCP
from pyhost.uapi.tcp import (
    TCP_ACK,
    TCP_FIN,
    TCP_HDR,
    TCP_HDR_LEN,
    TCP_OFF_CHECK,
    TCP_RST,
    TCP_SYN,
    TcpOptions,
)

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
    from pyhost.net.net_namespace import Net

__all__ = [
    "segment_end", "skb_addresses", "tcp_build_segment", "tcp_v4_send_ack", "tcp_v4_send_reset",
]  # fmt: skip


def skb_addresses(skb: SkBuff) -> tuple[int, int]:
    """(source, destination) from the IP header of a received packet."""
    buf, ip = skb.buf, skb.network_header
    saddr = int.from_bytes(buf[ip + IP_SADDR_OFF : ip + IP_SADDR_OFF + 4], "big")
    return saddr, int.from_bytes(buf[ip + IP_DADDR_OFF : ip + IP_DADDR_OFF + 4], "big")


def tcp_build_segment(
    net: Net,
    saddr: int,
    daddr: int,
    ports: int,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    options: bytes = b"",
) -> SkBuff | None:
    """A segment without data, ready for IP; the checksum is left to the device. `ports`: source <<
    16 | destination.
    """
    skb = alloc_skb(net.skbs, MAX_TCP_HEADER)
    if skb is None:
        return None
    skb.reserve(MAX_TCP_HEADER)
    size = TCP_HDR_LEN + len(options)
    at = skb.push(size)
    skb.transport_header = at
    check = csum_tcpudp_nofold(saddr, daddr, size, IPPROTO_TCP)
    TCP_HDR.pack_into(skb.buf, at, ports, seq, ack, size << 10 | flags, window, check, 0)
    if options:
        skb.buf[at + TCP_HDR_LEN : at + size] = options
    skb.ip_summed = CHECKSUM_PARTIAL
    skb.csum_start = at
    skb.csum_offset = TCP_OFF_CHECK
    return skb


def tcp_v4_send_reset(net: Net, skb: SkBuff, cb: TcpSkbCb, sk: TcpSock | None = None) -> None:
    """Answer a segment that belongs to nothing (RFC 9293 section 3.10.7.1). Never answers a RST.
    Signed with the key that `sk` has for the peer, if any. Linux: tcp_v4_send_reset.
    """
    if cb.flags & TCP_RST:
        return
    saddr, daddr = skb_addresses(skb)
    at = skb.transport_header
    ports = int.from_bytes(skb.buf[at + 2 : at + 4], "big") << 16 | int.from_bytes(
        skb.buf[at : at + 2], "big"
    )
    if cb.flags & TCP_ACK:
        seq, ack, flags = cb.ack_seq, 0, TCP_RST
    else:
        seq, ack, flags = 0, cb.end_seq, TCP_RST | TCP_ACK
    key = tcp_md5_do_lookup(sk, saddr) if sk is not None else None
    options = TcpOptions(md5=bytes(16)).emit() if key is not None else b""
    reply = tcp_build_segment(net, daddr, saddr, ports, seq, ack, flags, 0, options)
    if reply is not None:
        if key is not None:
            tcp_md5_sign(reply, daddr, saddr, key)
        ip_send_unicast_reply(net, reply, daddr, saddr)
        net.count("TcpOutSegs")
        net.count("TcpOutRsts")


def tcp_v4_send_ack(
    net: Net,
    saddr: int,
    daddr: int,
    ports: int,
    seq: int,
    ack: int,
    window: int,
    timestamp: tuple[int, int] | None,
    key: bytes | None = None,
) -> None:
    """A pure ACK for a connection that is not a full socket, signed with `key` if there is one.

    Linux: tcp_v4_send_ack.
    """
    digest = None if key is None else bytes(16)
    options = TcpOptions(timestamp=timestamp, md5=digest).emit()
    reply = tcp_build_segment(net, saddr, daddr, ports, seq, ack, TCP_ACK, window, options)
    if reply is not None:
        if key is not None:
            tcp_md5_sign(reply, saddr, daddr, key)
        ip_send_unicast_reply(net, reply, saddr, daddr)
        net.count("TcpOutSegs")


def segment_end(seq: int, length: int, flags: int) -> int:
    """The sequence number behind a segment: SYN and FIN take one each."""
    return seq + length + bool(flags & TCP_SYN) + bool(flags & TCP_FIN) & 0xFFFFFFFF
