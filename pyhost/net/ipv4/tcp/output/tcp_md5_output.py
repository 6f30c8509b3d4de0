"""Sending signed segments. RFC 2385. Linux: net/ipv4/tcp_output.c (__tcp_transmit_skb,
tcp_established_options).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import CHECKSUM_PARTIAL
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import tcp_md5_do_lookup, tcp_md5_sign
from pyhost.net.ipv4.tcp.output.tcp_urg_send import tcp_urg_pointer
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_select_window, tcp_time_stamp
from pyhost.uapi.tcp import TCP_ACK, TCP_HDR, TCP_HDR_LEN, TCP_OFF_CHECK, TCP_URG, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_md5_sign_syn", "tcp_md5_write_header"]

SACK_BLOCK = 8
SACK_HEAD = 4
MAX_TCP_OPTION_SPACE = 40
NO_DIGEST = bytes(16)


def tcp_md5_sign_syn(sk: TcpSock, skb: SkBuff) -> None:
    """Sign our SYN, whose header is written, if the peer has a key."""
    key = tcp_md5_do_lookup(sk, sk.inet_daddr)
    if key is not None:
        tcp_md5_sign(skb, sk.inet_saddr, sk.inet_daddr, key)


def _options(sk: TcpSock) -> bytes:
    """The digest first, then as many SACK blocks as find room."""
    options = TcpOptions(md5=NO_DIGEST)
    if sk.tstamp_ok:
        options.timestamp = (tcp_time_stamp(sk), sk.ts_recent)
    room = (MAX_TCP_OPTION_SPACE - len(options.emit()) - SACK_HEAD) // SACK_BLOCK
    blocks = ([sk.dsack] if sk.dsack is not None else []) + sk.selective_acks
    if room > 0:
        options.sack = tuple(blocks[:room])
    return options.emit()


def tcp_md5_write_header(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, flags: int) -> bool:
    """Write the header of an established connection's segment and sign it; False when there is no
    key for the peer.
    """
    key = tcp_md5_do_lookup(sk, sk.inet_daddr)
    if key is None:
        return False
    options = _options(sk)
    window = tcp_select_window(sk)
    at = skb.push(TCP_HDR_LEN + len(options))
    skb.transport_header = skb.csum_start = at
    skb.csum_offset = TCP_OFF_CHECK
    skb.ip_summed = CHECKSUM_PARTIAL
    check = (sk.csum_pseudo + skb.len) % 0xFFFF or 0xFFFF
    ack = sk.rcv_nxt if flags & TCP_ACK else 0
    urgent = tcp_urg_pointer(sk, cb.seq)
    off_flags = (TCP_HDR_LEN + len(options)) << 10 | flags | (TCP_URG if urgent else 0)
    TCP_HDR.pack_into(skb.buf, at, sk.ports, cb.seq, ack, off_flags, window, check, urgent)
    skb.buf[at + TCP_HDR_LEN : at + TCP_HDR_LEN + len(options)] = options
    tcp_md5_sign(skb, sk.inet_saddr, sk.inet_daddr, key)
    return True
