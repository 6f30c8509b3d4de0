"""The SYN-ACK of a listener, and sending it again. Linux: net/ipv4/tcp_output.c (tcp_make_synack,
tcp_rtx_synack), net/ipv4/inet_connection_sock.c (reqsk_timer_handler), net/ipv4/tcp_timer.c
(tcp_fastopen_synack_timer).
"""

from __future__ import annotations

from pyhost.net.core.sock import TCP_LISTEN
from pyhost.net.ipv4.ip.ip_output import ip_build_and_send_pkt
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenCookie
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_xmit_timer
from pyhost.net.ipv4.tcp.handshake.request_sock import RequestSock
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_write_err
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import tcp_md5_do_lookup, tcp_md5_sign
from pyhost.net.ipv4.tcp.output.tcp_reply import tcp_build_segment, tcp_v4_send_ack
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import ICSK_TIME_RETRANS, TCP_RTO_MAX, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_advertise_mss
from pyhost.uapi.tcp import TCP_ACK, TCP_ECE, TCP_SYN, TcpOptions

__all__ = [
    "reqsk_timer_handler", "tcp_fastopen_synack_timer", "tcp_reqsk_send_ack", "tcp_rtx_synack",
    "tcp_send_synack",
]  # fmt: skip

MAX_TCP_OPTION_SPACE = 40
YOUNG_QUEUE_MIN = 8
LEAST_RETRIES = 2


def _timestamp(req: RequestSock) -> tuple[int, int] | None:
    """The timestamp for the peer; the first and the last of them are kept, to know their echo."""
    if not req.tstamp_ok:
        return None
    now = req.listener.net.kernel.clock.now
    tsval = tcp_ns_to_ts(now) + req.tsoffset & 0xFFFFFFFF
    if not req.snt_tsval_first:
        req.snt_tsval_first = tsval
    req.snt_tsval_last = tsval
    return tsval, req.ts_recent


def _options(sk: TcpSock, req: RequestSock, cookie: FastopenCookie | None) -> TcpOptions:
    """Linux: tcp_synack_options."""
    options = TcpOptions(mss=tcp_advertise_mss(sk, req.dst), sack_perm=req.sack_ok)
    options.timestamp = _timestamp(req)
    if req.wscale_ok:
        options.wscale = req.rcv_wscale
    if tcp_md5_do_lookup(sk, req.key[0]) is not None:
        options.md5 = bytes(16)
        if req.tstamp_ok and req.sack_ok:
            options.timestamp = None
    if cookie is not None and cookie.data is not None:
        options.fastopen, options.fastopen_exp = cookie.data, cookie.exp
        if len(options.emit()) > MAX_TCP_OPTION_SPACE:
            options.fastopen = None
    return options


def tcp_send_synack(
    sk: TcpSock, req: RequestSock, cookie: FastopenCookie | None = None, tsval: int | None = None
) -> None:
    """Answer the SYN in the name of `sk`, the listener or the child. `tsval`: the timestamp when it
    means something (SYN cookies). Linux: tcp_v4_send_synack, tcp_make_synack.
    """
    net = sk.net
    daddr, saddr, _ = req.key
    options = _options(sk, req, cookie)
    if tsval is not None and options.timestamp is not None:
        options.timestamp = (tsval, req.ts_recent)
    flags = TCP_SYN | TCP_ACK | (TCP_ECE if req.ecn_ok else 0)
    skb = tcp_build_segment(
        net,
        saddr,
        daddr,
        req.ports,
        req.snt_isn,
        req.rcv_nxt,
        flags,
        min(req.rcv_wnd, 65535),
        options.emit(),
    )
    if skb is None:
        return
    if options.md5 is not None:
        tcp_md5_sign(skb, saddr, daddr, tcp_md5_do_lookup(sk, daddr) or b"")
    skb.dst = req.dst
    net.count("TcpOutSegs")
    ip_build_and_send_pkt(skb, sk, saddr, daddr)


def tcp_rtx_synack(sk: TcpSock, req: RequestSock) -> None:
    """Answer the SYN again, without a Fast Open option. Linux: tcp_rtx_synack."""
    tcp_send_synack(sk, req)
    sk.net.count("TcpRetransSegs")
    sk.net.count("TCPSynRetrans")
    if req.child is not None or sk is not req.listener:
        sk.total_retrans += 1
    req.num_retrans += 1


def tcp_reqsk_send_ack(sk: TcpSock, req: RequestSock) -> None:
    """Tell a peer in SYN_RECV that sent something strange where we are.

    Linux: tcp_v4_reqsk_send_ack.
    """
    daddr, saddr, _ = req.key
    net = req.listener.net
    stamp = None
    if req.tstamp_ok:
        stamp = (tcp_ns_to_ts(net.kernel.clock.now) + req.tsoffset & 0xFFFFFFFF, req.ts_recent)
    seq = req.snt_isn + 1 & 0xFFFFFFFF if sk is req.listener else sk.snd_nxt
    window = req.rcv_wnd >> req.rcv_wscale
    tcp_v4_send_ack(net, saddr, daddr, req.ports, seq, req.rcv_nxt, window, stamp)


# -- timers ----------------------------------------------------------------------------------------


def _most_retries(sk: TcpSock) -> int:
    """How often a SYN-ACK is sent again. While the queue is more than half full of requests that
    were answered twice already, fewer times.
    """
    retries = sk.icsk_syn_retries or sk.net.tcp.synack_retries
    queue = sk.listen_children
    if len(queue) << 1 > max(YOUNG_QUEUE_MIN, sk.sk_max_ack_backlog):
        young = sum(not req.num_timeout for req in queue.values()) << 1
        while retries > LEAST_RETRIES and len(queue) >= young:
            retries -= 1
            young <<= 1
            if not young:
                return LEAST_RETRIES
    return retries


def reqsk_timer_handler(req: RequestSock) -> None:
    """The handshake's last ACK does not come, or with TCP_DEFER_ACCEPT no data: answer the SYN
    again, or give up. Linux: reqsk_timer_handler, syn_ack_recalc.
    """
    sk = req.listener
    if sk.sk_state != TCP_LISTEN:
        req.unlink()
        return
    expire = req.num_timeout >= _most_retries(sk)
    resend = True
    defer = sk.rskq_defer_accept
    if defer:
        expire = expire and (not req.acked or req.num_timeout >= defer)
        resend = not req.acked or req.num_timeout >= defer - 1
    sk.net.count("TCPTimeouts")
    if expire:
        req.unlink()
        return
    if resend:
        tcp_rtx_synack(sk, req)
    req.num_timeout += 1
    req.arm()


def tcp_fastopen_synack_timer(sk: TcpSock, req: RequestSock) -> None:
    """As above for a Fast Open child, which does it with its own retransmission timer, and does not
    give up while it can. Linux: tcp_fastopen_synack_timer.
    """
    sk.net.count("TCPTimeouts")
    if req.num_timeout >= (sk.icsk_syn_retries or sk.net.tcp.synack_retries + 1):
        tcp_write_err(sk)
        return
    tcp_rtx_synack(sk, req)
    req.num_timeout += 1
    sk.icsk_retransmits += 1
    if not sk.retrans_stamp:
        sk.retrans_stamp = sk.tcp_mstamp or 1
    inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, req.timeout, TCP_RTO_MAX)
