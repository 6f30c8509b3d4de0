"""Explicit congestion notification for TCP. RFC 3168. Linux: net/ipv4/tcp_input.c,
net/ipv4/tcp_output.c (tcp_ecn_*), include/net/inet_ecn.h.

Both SYNs must agree: a SYN with ECE and CWR asks, a SYN-ACK with ECE alone says yes. After that
every new data segment leaves with ECT(0) in its IP header. Two small machines run in each
direction:

    receiver: a segment with CE arrives   → ECE on every ACK (TCP_ECN_DEMAND_CWR) …
    sender:   an ACK with ECE arrives     → reduce the window once, CWR on the next new segment
                                            (TCP_ECN_QUEUE_CWR)
    receiver: a segment with CWR arrives  → … until here

Sysctl tcp_ecn: 0 never, 1 ask and agree, 2 (default) agree when asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.inet_ecn import (
    INET_ECN_CE,
    INET_ECN_ECT_0,
    INET_ECN_MASK,
    INET_ECN_NOT_ECT,
)
from pyhost.net.ipv4.tcp.tcp_sock import ICSK_ACK_NOW
from pyhost.uapi.ip import IP_TOS_OFF
from pyhost.uapi.rtnetlink import RTAX_FEATURE_ECN, RTAX_FEATURES
from pyhost.uapi.tcp import TCP_CWR, TCP_ECE, TCP_SYN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
    from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet

__all__ = [
    "TCP_ECN_DEMAND_CWR", "TCP_ECN_OK", "TCP_ECN_QUEUE_CWR", "TCP_ECN_SEEN", "tcp_ecn_accept_cwr",
    "tcp_ecn_check_ce", "tcp_ecn_clear_syn", "tcp_ecn_create_request", "tcp_ecn_openreq_child",
    "tcp_ecn_queue_cwr", "tcp_ecn_rcv_ecn_echo", "tcp_ecn_rcv_syn", "tcp_ecn_rcv_synack",
    "tcp_ecn_send", "tcp_ecn_send_syn", "tcp_ecn_send_synack", "tcp_ecn_withdraw_cwr",
]  # fmt: skip

TCP_ECN_OK = 1
TCP_ECN_QUEUE_CWR = 2
TCP_ECN_DEMAND_CWR = 4
TCP_ECN_SEEN = 8


# -- agreeing --------------------------------------------------------------------------------------


def tcp_ecn_send_syn(sk: TcpSock, cb: TcpSkbCb) -> None:
    """Our SYN: ask if the sysctl or the route says so. Linux: tcp_ecn_send_syn."""
    sk.ecn_flags = 0
    dst = sk.sk_dst_cache
    by_route = dst is not None and dst.metric(RTAX_FEATURES) & RTAX_FEATURE_ECN
    if sk.net.tcp.ecn == 1 or by_route:
        cb.flags |= TCP_ECE | TCP_CWR
        sk.ecn_flags = TCP_ECN_OK


def tcp_ecn_clear_syn(sk: TcpSock, cb: TcpSkbCb) -> None:
    """A SYN is sent again: somebody on the path may drop SYNs that ask (RFC 3168 section
    6.1.1.1). Linux: tcp_ecn_clear_syn.
    """
    if sk.net.tcp.ecn_fallback:
        cb.flags &= ~(TCP_ECE | TCP_CWR)


def tcp_ecn_rcv_synack(sk: TcpSock, flags: int) -> None:
    """The SYN-ACK came: was the answer yes? Linux: tcp_ecn_rcv_synack."""
    if flags & (TCP_ECE | TCP_CWR) != TCP_ECE:
        sk.ecn_flags &= ~TCP_ECN_OK


def tcp_ecn_rcv_syn(sk: TcpSock, flags: int) -> None:
    """A SYN crossed ours: does it ask too? Linux: tcp_ecn_rcv_syn."""
    if flags & (TCP_ECE | TCP_CWR) != TCP_ECE | TCP_CWR:
        sk.ecn_flags &= ~TCP_ECN_OK


def tcp_ecn_send_synack(sk: TcpSock, cb: TcpSkbCb) -> None:
    """Our SYN-ACK of a simultaneous open. Linux: tcp_ecn_send_synack."""
    cb.flags &= ~TCP_CWR
    if not sk.ecn_flags & TCP_ECN_OK:
        cb.flags &= ~TCP_ECE


def tcp_ecn_create_request(tcp: TcpNet, skb: SkBuff, flags: int) -> bool:
    """Whether to say yes to this SYN. One that is itself ECN-capable is no RFC 3168 SYN.

    Linux: tcp_ecn_create_request.
    """
    if flags & (TCP_ECE | TCP_CWR) != TCP_ECE | TCP_CWR or not tcp.ecn:
        return False
    return _dsfield(skb) & INET_ECN_MASK == INET_ECN_NOT_ECT


def tcp_ecn_openreq_child(sk: TcpSock, ecn_ok: bool) -> None:
    """The child of a listener takes over what was agreed. Linux: tcp_ecn_openreq_child."""
    sk.ecn_flags = TCP_ECN_OK if ecn_ok else 0


# -- sending ---------------------------------------------------------------------------------------


def tcp_ecn_send(sk: TcpSock, cb: TcpSkbCb, payload: int) -> int:
    """The ECN bits of the TCP header (TCP_ECE, TCP_CWR) for a segment that leaves now; sets the
    bits of the IP header too. Only for sockets with TCP_ECN_OK.

    Only new data is ECN-capable: not pure ACKs, not retransmissions (RFC 3168 sections 6.1.4 and
    6.1.5). Linux: tcp_ecn_send.
    """
    bits = 0
    flags = sk.ecn_flags
    if payload and not (cb.seq - sk.snd_nxt) & 0x80000000:
        sk.tos = sk.tos & ~INET_ECN_MASK | INET_ECN_ECT_0
        if flags & TCP_ECN_QUEUE_CWR:
            sk.ecn_flags = flags & ~TCP_ECN_QUEUE_CWR
            bits = TCP_CWR
    else:
        sk.tos &= ~INET_ECN_MASK
    return bits | TCP_ECE if flags & TCP_ECN_DEMAND_CWR else bits


def tcp_ecn_queue_cwr(sk: TcpSock) -> None:
    """The window is reduced: tell the peer. Linux: tcp_ecn_queue_cwr."""
    if sk.ecn_flags & TCP_ECN_OK:
        sk.ecn_flags |= TCP_ECN_QUEUE_CWR


def tcp_ecn_withdraw_cwr(sk: TcpSock) -> None:
    """The reduction was undone. Linux: tcp_ecn_withdraw_cwr."""
    sk.ecn_flags &= ~TCP_ECN_QUEUE_CWR


# -- receiving -------------------------------------------------------------------------------------


def tcp_ecn_rcv_ecn_echo(sk: TcpSock, flags: int) -> bool:
    """Whether the peer reports congestion. Linux: tcp_ecn_rcv_ecn_echo."""
    return flags & (TCP_ECE | TCP_SYN) == TCP_ECE and bool(sk.ecn_flags & TCP_ECN_OK)


def tcp_ecn_accept_cwr(sk: TcpSock, cb: TcpSkbCb) -> None:
    """The peer says that it has slowed down: stop asking for it. Its window may be a single
    segment now, so its data is acknowledged at once. Linux: tcp_ecn_accept_cwr.
    """
    if cb.flags & TCP_CWR:
        sk.ecn_flags &= ~TCP_ECN_DEMAND_CWR
        if cb.seq != cb.end_seq:
            sk.icsk_ack_pending |= ICSK_ACK_NOW


def tcp_ecn_check_ce(sk: TcpSock, skb: SkBuff) -> bool:
    """Look at the IP header of received data. True: go to quick ACKs, because the peer's window may
    be very small. Linux: tcp_ecn_check_ce.
    """
    if not sk.ecn_flags & TCP_ECN_OK:
        return False
    ecn = _dsfield(skb) & INET_ECN_MASK
    flags = sk.ecn_flags
    if ecn == INET_ECN_NOT_ECT:
        # Once the peer has used ECT, a segment without is most likely a retransmission.
        return bool(flags & TCP_ECN_SEEN)
    sk.ecn_flags = flags | TCP_ECN_SEEN
    if ecn == INET_ECN_CE and not flags & TCP_ECN_DEMAND_CWR:
        sk.ecn_flags |= TCP_ECN_DEMAND_CWR
        return True
    return False


def _dsfield(skb: SkBuff) -> int:
    """Linux: ipv4_get_dsfield."""
    return int(skb.buf[skb.network_header + IP_TOS_OFF])
