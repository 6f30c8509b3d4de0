"""The listening side of the handshake: a SYN comes, then the ACK that completes it. RFC 9293
sections 3.10.7.2 and 3.10.7.4. Linux: net/ipv4/tcp_input.c tcp_conn_request,
net/ipv4/tcp_minisocks.c tcp_check_req.

    SYN ── tcp_conn_request ─→ RequestSock in the table, SYN-ACK      the usual way
                            ─→ nothing kept, SYN-ACK                  SYN cookie (syncookies.py)
                            ─→ child in the accept queue, SYN-ACK     Fast Open (tcp_fastopen.py)
    ACK ── tcp_check_req    ─→ child in the accept queue
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pyhost.kernel.timer import Timer
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_create_request
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen import tcp_try_fastopen
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenCookie
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_reqsk_queue_is_full,
    sk_acceptq_is_full,
)
from pyhost.net.ipv4.tcp.handshake.request_sock import RequestSock, reqsk_fastopen_remove
from pyhost.net.ipv4.tcp.handshake.syncookies import cookie_init_sequence, cookie_init_timestamp
from pyhost.net.ipv4.tcp.handshake.tcp_connect import tcp_select_initial_window
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_reset
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import tcp_peer_is_proven
from pyhost.net.ipv4.tcp.handshake.tcp_synack import (
    reqsk_timer_handler,
    tcp_reqsk_send_ack,
    tcp_rtx_synack,
    tcp_send_synack,
)
from pyhost.net.ipv4.tcp.handshake.tcp_synrecv import tcp_v4_syn_recv_sock
from pyhost.net.ipv4.tcp.input.tcp_oow import tcp_oow_rate_limited
from pyhost.net.ipv4.tcp.input.tcp_validate import tcp_parse_options
from pyhost.net.ipv4.tcp.output.tcp_reply import tcp_v4_send_reset
from pyhost.net.ipv4.tcp.tcp_clock import secure_tcp_ts_off
from pyhost.net.ipv4.tcp.tcp_sock import TCP_MSS_DEFAULT, TcpSkbCb, TcpSock, before, between
from pyhost.net.ipv4.tcp.tcp_window import (
    TCPOLEN_TSTAMP_ALIGNED,
    tcp_advertise_mss,
)
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_check_req", "tcp_check_req_fastopen", "tcp_conn_request"]

TCP_MIN_CLAMP = 48
TCP_MAX_WSCALE = 14
REQUEST_FLAGS = TCP_RST | TCP_SYN | TCP_ACK | TCP_FIN


# -- SYN -------------------------------------------------------------------------------------------


def _want_cookie(sk: TcpSock) -> bool | None:
    """Whether to answer with a SYN cookie; None: there is no room at all.

    Linux: tcp_conn_request, tcp_syn_flood_action.
    """
    net = sk.net
    if net.tcp.syncookies == 2:
        return True
    if not inet_csk_reqsk_queue_is_full(sk):
        return False
    if net.tcp.syncookies:
        net.count("TCPReqQFullDoCookies")
        return True
    net.count("TCPReqQFullDrop")
    return None


def _backlog_is_short(sk: TcpSock, saddr: int, daddr: int) -> bool:
    """Without SYN cookies the last quarter of the backlog is for peers known to be alive."""
    most = sk.net.tcp.max_syn_backlog
    if sk.net.tcp.syncookies or most - len(sk.listen_children) >= most >> 2:
        return False
    return not tcp_peer_is_proven(sk, saddr, daddr)


def tcp_conn_request(
    sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, key: tuple[int, int, int], isn: int | None
) -> bool:
    """Answer a SYN; False when there is no room for it. `isn` is given when the SYN takes the place
    of a TIME_WAIT. The skb stays the caller's. Linux: tcp_conn_request.
    """
    net = sk.net
    want_cookie = False if isn is not None else _want_cookie(sk)
    if want_cookie is None:
        net.count("ListenDrops")
        return False
    if sk_acceptq_is_full(sk):
        net.count("ListenOverflows")
        net.count("ListenDrops")
        return False
    daddr, saddr, ports = key
    dst = ip_route_output(net, daddr, saddr, sk.sk_bindtodevice, sk.tos, sk.sk_mark)
    if isinstance(dst, int) or (
        isn is None and not want_cookie and _backlog_is_short(sk, saddr, daddr)
    ):
        net.count("ListenDrops")
        return False
    options = tcp_parse_options(skb, cb)
    if want_cookie and options.timestamp is None:
        options = TcpOptions(mss=options.mss)
    req = RequestSock(sk, key, dst, cb.seq)
    _take_options(sk, req, options)
    req.tsoffset = secure_tcp_ts_off(net.tcp, saddr, daddr)
    if isn is None:
        isn = net.tcp.secure_seq.tcp_seq(saddr, daddr, ports & 0xFFFF, ports >> 16)
    req.snt_isn = isn
    req.ecn_ok = tcp_ecn_create_request(net.tcp, skb, cb.flags)
    _choose_window(sk, req)
    if want_cookie:
        _answer_with_cookie(sk, req)
    else:
        _keep(sk, skb, cb, req, options)
    return True


def _take_options(sk: TcpSock, req: RequestSock, options: TcpOptions) -> None:
    """Keep what the SYN offers. Linux: tcp_openreq_init."""
    tcp = sk.net.tcp
    offered = options.mss or TCP_MSS_DEFAULT
    req.mss = max(min(offered, sk.user_mss or offered), TCP_MIN_CLAMP)
    req.tstamp_ok = bool(tcp.timestamps and options.timestamp is not None)
    req.ts_recent = options.timestamp[0] if req.tstamp_ok and options.timestamp else 0
    req.sack_ok = bool(tcp.sack and options.sack_perm)
    req.wscale_ok = bool(tcp.window_scaling and options.wscale is not None)
    req.snd_wscale = min(options.wscale or 0, TCP_MAX_WSCALE)


def _choose_window(sk: TcpSock, req: RequestSock) -> None:
    """Linux: tcp_openreq_init_rwin."""
    mss = tcp_advertise_mss(sk, req.dst) - (TCPOLEN_TSTAMP_ALIGNED if req.tstamp_ok else 0)
    req.rcv_wnd, req.window_clamp, req.rcv_wscale = tcp_select_initial_window(
        sk, req.dst, mss, req.wscale_ok
    )


def _answer_with_cookie(sk: TcpSock, req: RequestSock) -> None:
    """Everything worth knowing goes into the SYN-ACK, nothing is kept (RFC 4987 section 3.6)."""
    if not req.tstamp_ok:
        req.ecn_ok = False
    req.snt_isn = cookie_init_sequence(sk, req)
    tcp_send_synack(sk, req, None, cookie_init_timestamp(req))


def _keep(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, req: RequestSock, options: TcpOptions) -> None:
    """Remember the SYN as a request, or with Fast Open as a socket; and answer it."""
    cookie = FastopenCookie(options.fastopen, options.fastopen_exp)
    child = tcp_try_fastopen(sk, skb, cb, req, cookie)
    if child is not None:
        tcp_send_synack(child, req, cookie)
        sk.accept_queue.append(child)
        sk.sk_ack_backlog += 1
        sk.sk_data_ready(sk)
        return
    req.link(Timer(sk.net.kernel, partial(reqsk_timer_handler, req)))
    tcp_send_synack(sk, req, cookie)


# -- ACK -------------------------------------------------------------------------------------------


class _Timestamps:
    """What a segment's timestamp says about it: too old, or the echo of nothing we sent."""

    __slots__ = ("paws_reject", "saw", "tsecr_reject", "tsval")

    def __init__(
        self, req: RequestSock, options: TcpOptions, reset: bool, check_echo: bool
    ) -> None:
        self.saw = options.timestamp is not None
        self.tsval, tsecr = options.timestamp or (0, 0)
        known = self.saw and req.tstamp_ok
        self.paws_reject = known and not reset and before(self.tsval, req.ts_recent)
        self.tsecr_reject = bool(
            known
            and tsecr
            and check_echo
            and not between(tsecr, req.snt_tsval_first, req.snt_tsval_last)
        )


def _in_window(cb: TcpSkbCb, start: int, end: int) -> bool:
    """Linux: tcp_in_window."""
    if cb.seq == start:
        return True
    if before(cb.seq, end) and before(start, cb.end_seq):
        return True
    return cb.seq == end and cb.seq == cb.end_seq


def _syn_again(sk: TcpSock, req: RequestSock, cb: TcpSkbCb, fastopen: bool) -> None:
    """The peer has not seen our SYN-ACK: it goes once more."""
    if tcp_oow_rate_limited(sk.net, cb, "TCPACKSkippedSynRecv", req):
        return
    tcp_rtx_synack(sk, req)
    if not fastopen:
        req.arm()


def _acceptable(sk: TcpSock, req: RequestSock, cb: TcpSkbCb, stamps: _Timestamps) -> bool:
    """Whether timestamp and sequence number are right; if not the peer is told where we are."""
    end = req.rcv_nxt + req.rcv_wnd & 0xFFFFFFFF
    if not (stamps.paws_reject or stamps.tsecr_reject) and _in_window(cb, req.rcv_nxt, end):
        return True
    net = sk.net
    if not cb.flags & TCP_RST and not tcp_oow_rate_limited(net, cb, "TCPACKSkippedSynRecv", req):
        tcp_reqsk_send_ack(sk, req)
    if stamps.paws_reject:
        net.count("PAWSEstab")
    elif stamps.tsecr_reject:
        net.count("TSEcrRejected")
    return False


def tcp_check_req(req: RequestSock, skb: SkBuff, cb: TcpSkbCb) -> TcpSock | None:
    """A segment for a connection in SYN_RECV: the child, when it is the ACK that completes the
    handshake. The skb stays the caller's. Linux: tcp_check_req.
    """
    sk = req.listener
    flags = cb.flags & REQUEST_FLAGS
    stamps = _Timestamps(req, tcp_parse_options(skb, cb), bool(flags & TCP_RST), True)
    if cb.seq == req.rcv_isn and flags == TCP_SYN and not stamps.paws_reject:
        _syn_again(sk, req, cb, False)
        return None
    if flags & TCP_ACK and cb.ack_seq != (req.snt_isn + 1) & 0xFFFFFFFF:
        tcp_v4_send_reset(sk.net, skb, cb, sk)
        return None
    if not _acceptable(sk, req, cb, stamps):
        return None
    if stamps.saw and req.tstamp_ok and cb.seq == req.rcv_nxt:
        req.ts_recent = stamps.tsval
    if cb.seq == req.rcv_isn:
        flags &= ~TCP_SYN
    if flags & (TCP_RST | TCP_SYN):
        sk.net.count("TcpAttemptFails")
        _embryonic_reset(req, skb, cb)
        return None
    if not flags & TCP_ACK:
        return None
    if req.num_timeout < sk.rskq_defer_accept and cb.end_seq == req.rcv_nxt:
        req.acked = True
        sk.net.count("TCPDeferAcceptDrop")
        return None
    child = tcp_v4_syn_recv_sock(req, cb.window)
    if child is None:
        if sk.net.tcp.abort_on_overflow:
            _embryonic_reset(req, skb, cb)
        else:
            req.acked = True
        return None
    req.unlink()
    sk.accept_queue.append(child)
    sk.sk_ack_backlog += 1
    return child


def _embryonic_reset(req: RequestSock, skb: SkBuff, cb: TcpSkbCb) -> None:
    """The connection ends before it began. Linux: tcp_check_req, label embryonic_reset."""
    if not cb.flags & TCP_RST:
        tcp_v4_send_reset(req.listener.net, skb, cb, req.listener)
    req.unlink()
    req.listener.net.count("EmbryonicRsts")


def tcp_check_req_fastopen(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """The same for a Fast Open child that waits for the last ACK: whether the segment may go on to
    the socket. The skb stays the caller's. Linux: tcp_check_req with `fastopen`.
    """
    req = sk.fastopen_rsk
    assert req is not None
    flags = cb.flags & REQUEST_FLAGS
    stamps = _Timestamps(req, tcp_parse_options(skb, cb), bool(flags & TCP_RST), False)
    if cb.seq == req.rcv_isn and flags == TCP_SYN and not stamps.paws_reject:
        _syn_again(sk, req, cb, True)
        return False
    if not _acceptable(sk, req, cb, stamps):
        return False
    if cb.seq == req.rcv_isn:
        flags &= ~TCP_SYN
    if flags & TCP_RST:
        sk.net.count("TcpAttemptFails")
        reqsk_fastopen_remove(sk, req, True)
        tcp_reset(sk)
        return False
    if flags & TCP_SYN:
        sk.net.count("TcpAttemptFails")
        tcp_v4_send_reset(sk.net, skb, cb, sk)
        return False
    return bool(flags & TCP_ACK)
