"""Sending: from the write queue to the IP layer. Linux: net/ipv4/tcp_output.c.

`tcp_write_xmit` asks, segment by segment, whether it may leave: is there room in the congestion
window, in the peer's window, does Nagle or a cork hold it, is too much of this flow in the queues
below. What may leave goes through `tcp_transmit_skb`, which clones it, writes the header into the
clone's headroom and hands it to IP; the original moves to the retransmit queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.netdevice import NET_XMIT_CN
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_TCP_HEADER, SkBuff, alloc_skb
from pyhost.net.core.sock import TCP_CLOSE
from pyhost.net.ipv4.inet_connection_sock import (
    inet_csk_in_pingpong_mode,
    inet_csk_reset_xmit_timer,
)
from pyhost.net.ipv4.ip_output import ip_queue_xmit
from pyhost.net.ipv4.tcp_cong import (
    CA_EVENT_TX_START,
    tcp_ca_event,
    tcp_cwnd_restart,
    tcp_cwnd_validate,
)
from pyhost.net.ipv4.tcp_fragment import tcp_fragment
from pyhost.net.ipv4.tcp_mem import tcp_check_space
from pyhost.net.ipv4.tcp_recovery import tcp_enter_cwr
from pyhost.net.ipv4.tcp_sock import (
    ICSK_ACK_SCHED,
    ICSK_TIME_PROBE0,
    ICSK_TIME_RETRANS,
    TCP_CA_CWR,
    TCP_NAGLE_CORK,
    TCP_NAGLE_PUSH,
    TCP_RTO_MAX,
    TcpSkbCb,
    TcpSock,
)
from pyhost.net.ipv4.tcp_states import TCPF_XMIT
from pyhost.net.ipv4.tcp_window import (
    tcp_current_mss,
    tcp_sack_option,
    tcp_select_window,
    tcp_syn_option_block,
)
from pyhost.uapi.errno import ENOBUFS
from pyhost.uapi.tcp import (
    TCP_ACK,
    TCP_FIN,
    TCP_HDR,
    TCP_HDR_LEN,
    TCP_OFF_CHECK,
    TCP_PSH,
    TCP_SYN,
    TCP_TS_HDR,
    TS_OPTION_WORD,
)

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp_sysctl import TcpNet

__all__ = [
    "RTO_MIN_NS", "TCP_ATO_MIN", "TCP_TSQ_DEFERRED", "TSQ_THROTTLED", "tcp_event_new_data_sent",
    "tcp_nagle_check", "tcp_push_one", "tcp_push_pending_frames", "tcp_queue_skb",
    "tcp_rearm_rto_now", "tcp_slow_start_after_idle_check", "tcp_small_queue_check",
    "tcp_stream_alloc_skb", "tcp_transmit_skb", "tcp_tsq_handler", "tcp_tsq_write", "tcp_wfree",
    "tcp_write_xmit",
]  # fmt: skip

TSQ_THROTTLED = 1
TSQ_QUEUED = 2
TCP_TSQ_DEFERRED = 1 << 0

TCP_GSO_TCPV4 = 1
PURE_ACK_TRUESIZE = 2
GSO_MAX_SEGS = 65535
RTO_MIN_NS = 200 * NSEC_PER_MSEC
TCP_ATO_MIN = 40 * NSEC_PER_MSEC


# -- queues ----------------------------------------------------------------------------------------


def tcp_stream_alloc_skb(sk: TcpSock) -> SkBuff | None:
    """An empty segment: headroom for all headers, no linear payload; None when memory is short.

    Linux: tcp_stream_alloc_skb.
    """
    skb = alloc_skb(sk.net.skbs, MAX_TCP_HEADER)
    if skb is not None:
        skb.reserve(MAX_TCP_HEADER)
        skb.ip_summed = CHECKSUM_PARTIAL
    return skb


def tcp_queue_skb(sk: TcpSock, skb: SkBuff) -> None:
    """Append a segment that has its sequence numbers, and charge it. Linux: tcp_queue_skb."""
    sk.write_seq = skb.cb.end_seq
    skb.nohdr = True
    sk.sk_write_queue.append(skb)
    sk.sk_wmem_queued += skb.truesize
    sk.sk_forward_alloc -= skb.truesize


# -- one segment -----------------------------------------------------------------------------------


def _clone_for_wire(skb: SkBuff) -> SkBuff | None:
    """What travels instead of the original. While an earlier clone lives its headers must stay, so
    it is a copy then.
    """
    twin = skb.pskb_copy(MAX_TCP_HEADER) if skb.is_cloned() else skb.clone()
    if twin is not None:
        twin.nohdr = True
    return twin


def tcp_transmit_skb(sk: TcpSock, skb: SkBuff, clone_it: bool = True) -> int:
    """Put the TCP header on a segment and hand it to IP: 0, a negative errno, or 1 when it was
    dropped below.

    The skb's `cb` has sequence numbers and flags. Without `clone_it` the skb itself travels. Linux:
    __tcp_transmit_skb.
    """
    cb: TcpSkbCb = skb.cb
    original = skb
    if clone_it:
        twin = _clone_for_wire(skb)
        if twin is None:
            return -ENOBUFS
        skb = twin
    if cb.pcount > 1:
        cb.flags |= TCP_PSH
    payload = skb.len
    _set_owner(sk, skb, payload or not cb.flags & TCP_ACK)
    _write_header(sk, skb, cb)
    net = sk.net
    trace = net.kernel.trace
    if trace.on:
        trace.hit("tcp_transmit_skb", skb.key, seq=cb.seq, end_seq=cb.end_seq, flags=cb.flags)
    if cb.flags & TCP_ACK:
        tcp_event_ack_sent(sk)
    if payload:
        tcp_event_data_sent(sk)
    net.count("TcpOutSegs", cb.pcount)
    shinfo = skb.shinfo
    shinfo.gso_segs = cb.pcount
    shinfo.gso_size = cb.gso_size
    shinfo.gso_type = TCP_GSO_TCPV4 if cb.gso_size else 0
    skb.cb = None
    err = ip_queue_xmit(sk, skb)
    if err > 0:
        tcp_enter_cwr(sk)
        if err == NET_XMIT_CN:
            err = 0
    if not err and clone_it:
        original.cb.tstamp = sk.tcp_mstamp or 1
    return err


def _set_owner(sk: TcpSock, skb: SkBuff, counts: int) -> None:
    """Charge what goes down to the socket. A pure ACK is charged 2 bytes, which tells it from data.

    Linux: skb_set_tcp_pure_ack.
    """
    skb.sk = sk
    if counts:
        skb.destructor = tcp_wfree
    else:
        skb.truesize = PURE_ACK_TRUESIZE
        skb.destructor = _ack_wfree
    sk.sk_wmem_alloc += skb.truesize


def _write_header(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> None:
    """Ports, numbers, window, options, and the checksum as far as the host computes it.

    Linux: __tcp_transmit_skb, __tcp_v4_send_check.
    """
    flags = cb.flags
    options = b""
    if flags & TCP_SYN:
        options = tcp_syn_option_block(sk)
        size = TCP_HDR_LEN + len(options)
        window = min(sk.rcv_wnd, 65535)
    else:
        size = sk.tcp_header_len
        if sk.selective_acks or sk.dsack is not None:
            options = tcp_sack_option(sk)
            size += len(options)
        window = tcp_select_window(sk)
    at = skb.push(size)
    skb.transport_header = at
    total = sk.csum_pseudo + skb.len
    check = total % 0xFFFF or 0xFFFF
    off_flags = size << 10 | flags
    buf = skb.buf
    if sk.tstamp_ok and not flags & TCP_SYN:
        TCP_TS_HDR.pack_into(
            buf, at, sk.ports, cb.seq, sk.rcv_nxt, off_flags, window, check, 0, TS_OPTION_WORD,
            sk.tcp_mstamp // NSEC_PER_MSEC + sk.tsoffset & 0xFFFFFFFF, sk.ts_recent,
        )  # fmt: skip
    else:
        ack = sk.rcv_nxt if flags & TCP_ACK else 0
        TCP_HDR.pack_into(buf, at, sk.ports, cb.seq, ack, off_flags, window, check, 0)
    if options:
        end = at + size
        buf[end - len(options) : end] = options
    skb.ip_summed = CHECKSUM_PARTIAL
    skb.csum_start = at
    skb.csum_offset = TCP_OFF_CHECK


def tcp_event_ack_sent(sk: TcpSock) -> None:
    """Everything received is acknowledged now. Linux: tcp_event_ack_sent."""
    sk.dsack = None
    if sk.icsk_ack_quick and sk.icsk_ack_pending & ICSK_ACK_SCHED:
        sk.icsk_ack_quick -= 1
        if not sk.icsk_ack_quick:
            sk.icsk_ack_ato = TCP_ATO_MIN
    sk.icsk_ack_pending = 0


def tcp_event_data_sent(sk: TcpSock) -> None:
    """Linux: tcp_event_data_sent. Data soon after received data: the two sides talk in turns."""
    now = sk.tcp_mstamp
    if not sk.packets_out:
        tcp_ca_event(sk, CA_EVENT_TX_START)
    sk.lsndtime = now
    if now - sk.icsk_ack_lrcvtime < sk.icsk_ack_ato and not inet_csk_in_pingpong_mode(sk):
        sk.icsk_ack_pingpong += 1


# -- the way back of a sent segment ----------------------------------------------------------------


def _ack_wfree(skb: SkBuff) -> None:
    """A pure ACK has left. Linux: __sock_wfree."""
    sk = skb.sk
    assert sk is not None
    sk.wmem_sub(skb.truesize)


def tcp_wfree(skb: SkBuff) -> None:
    """A data segment has left the host: let the flow go on if it waited for that (TCP small
    queues). Linux: tcp_wfree.
    """
    sk: TcpSock = skb.sk  # type: ignore[assignment]
    if sk.tsq_flags == TSQ_THROTTLED and sk.users:
        sk.tsq_flags = TSQ_QUEUED
        sk.hold()
        tcp = sk.net.tcp
        tcp.tsq.append(sk)
        tcp.tsq_tasklet.schedule()
    sk.wmem_sub(skb.truesize)


def tcp_tsq_handler(tcp: TcpNet) -> None:
    """The tasklet of small queues: every flow that waits goes on, or will in `release_sock`.

    Linux: tcp_tsq_workfn, tcp_tsq_handler.
    """
    while tcp.tsq:
        sk = tcp.tsq.popleft()
        sk.tsq_flags &= ~TSQ_QUEUED
        if sk.owned_by_user:
            sk.deferred |= TCP_TSQ_DEFERRED
        else:
            tcp_tsq_write(sk)
        sk.put()


def tcp_tsq_write(sk: TcpSock) -> None:
    """Send what small queues held back. Linux: tcp_tsq_write."""
    if 1 << sk.sk_state & TCPF_XMIT:
        sk.tcp_mstamp = sk.net.kernel.clock.now
        if sk.sk_write_queue:
            tcp_write_xmit(sk, tcp_current_mss(sk), sk.nonagle, 0)


def tcp_small_queue_check(sk: TcpSock, skb: SkBuff, factor: int) -> bool:
    """Whether so much of this flow is below that it must wait. Linux: tcp_small_queue_check."""
    limit = max(2 * skb.truesize, sk.net.tcp.limit_output_bytes) << factor
    if sk.sk_wmem_alloc <= limit or len(sk.tcp_rtx_queue) <= 1:
        return False
    sk.tsq_flags |= TSQ_THROTTLED
    return True


# -- Nagle and cork --------------------------------------------------------------------------------


def tcp_nagle_check(sk: TcpSock, partial: bool, nonagle: int) -> bool:
    """Whether a sub-MSS segment must wait. Linux: tcp_nagle_check, tcp_minshall_check.

    Minshall's rule: one small segment may be on the way, whatever else is; RFC 896 would hold it
    while anything is.
    """
    if not partial:
        return False
    if nonagle & TCP_NAGLE_CORK:
        return True
    if nonagle or not sk.packets_out:
        return False
    sml = sk.snd_sml
    return bool((sk.snd_una - sml) & 0x80000000) and not (sk.snd_nxt - sml) & 0x80000000


def tcp_nagle_test(sk: TcpSock, skb: SkBuff, mss: int, nonagle: int) -> bool:
    """Whether Nagle and cork let the segment go. Linux: tcp_nagle_test."""
    if nonagle & TCP_NAGLE_PUSH or skb.cb.flags & TCP_FIN:
        return True
    return not tcp_nagle_check(sk, skb.len < mss, nonagle)


# -- the sender ------------------------------------------------------------------------------------


def _cwnd_quota(sk: TcpSock) -> int:
    """How many segments the congestion window lets go now: half a window at most in one skb.

    Linux: tcp_cwnd_test.
    """
    cwnd = sk.snd_cwnd
    room = cwnd - (sk.packets_out - sk.sacked_out - sk.lost_out + sk.retrans_out)
    if room <= 0:
        return 0
    half = cwnd >> 1 or 1
    return room if room < half else half


def _set_tso_segs(skb: SkBuff, mss: int) -> int:
    """How many wire segments the skb makes. Linux: tcp_set_skb_tso_segs."""
    cb = skb.cb
    if skb.len <= mss:
        cb.pcount, cb.gso_size = 1, 0
    else:
        cb.pcount, cb.gso_size = -(-skb.len // mss), mss
    pcount: int = cb.pcount
    return pcount


def _split_point(sk: TcpSock, skb: SkBuff, mss: int, quota: int, nonagle: int) -> int:
    """How many bytes of a super-segment may go now. Linux: tcp_mss_split_point."""
    window = sk.snd_una + sk.snd_wnd - skb.cb.seq & 0xFFFFFFFF
    most = mss * quota
    if most <= window and skb is not sk.sk_write_queue[-1]:
        return most
    needed: int = min(skb.len, window)
    if most <= needed:
        return most
    partial = needed % mss
    if tcp_nagle_check(sk, partial != 0, nonagle):
        return needed - partial
    return needed


def tcp_write_xmit(sk: TcpSock, mss: int, nonagle: int, push_one: int) -> bool:
    """Send from the write queue while the windows and Nagle let it. Linux: tcp_write_xmit.

    `push_one`: 0 all, 1 one skb. True when nothing is on the way and nothing could be sent though
    data waits: then only a window probe helps.
    """
    kernel = sk.net.kernel
    trace = kernel.trace
    sk.tcp_mstamp = kernel.clock.now
    queue = sk.sk_write_queue
    sent = 0
    is_cwnd_limited = False
    while queue:
        skb = queue[0]
        cb: TcpSkbCb = skb.cb
        quota = _cwnd_quota(sk)
        if not quota:
            is_cwnd_limited = True
            break
        pcount = _set_tso_segs(skb, mss)
        end = cb.end_seq if pcount == 1 else cb.seq + mss
        if (sk.snd_una + sk.snd_wnd - end) & 0x80000000:
            break
        if pcount == 1:
            last = len(queue) == 1
            if not tcp_nagle_test(sk, skb, mss, nonagle if last else TCP_NAGLE_PUSH):
                break
        else:
            limit = _split_point(sk, skb, mss, quota, nonagle)
            if not limit or (skb.len > limit and not tcp_fragment(sk, skb, limit, mss)):
                break
        if tcp_small_queue_check(sk, skb, 0):
            break
        if trace.on:
            trace.hit("tcp_write_xmit", skb.key, len=skb.len, quota=quota)
        if tcp_transmit_skb(sk, skb):
            break
        tcp_event_new_data_sent(sk, skb)
        if skb.len < cb.pcount * mss:
            sk.snd_sml = cb.end_seq
        sent += cb.pcount
        if push_one:
            break
    is_cwnd_limited |= sk.packets_in_flight >= sk.snd_cwnd
    if sent or is_cwnd_limited:
        tcp_cwnd_validate(sk, is_cwnd_limited)
    if sent:
        if sk.icsk_ca_state >= TCP_CA_CWR:
            sk.prr_out += sent
        return False
    return not sk.packets_out and bool(queue)


def tcp_event_new_data_sent(sk: TcpSock, skb: SkBuff) -> None:
    """The head of the write queue was sent for the first time. Linux: tcp_event_new_data_sent."""
    cb: TcpSkbCb = skb.cb
    prior = sk.packets_out
    sk.snd_nxt = cb.end_seq
    sk.sk_write_queue.popleft()
    sk.tcp_rtx_queue.append(skb)
    sk.packets_out = prior + cb.pcount
    if not prior or sk.icsk_pending == 0:
        tcp_rearm_rto_now(sk)
    sk.net.count("TCPOrigDataSent", cb.pcount)
    if sk.sock_nospace:
        tcp_check_space(sk)


def tcp_rearm_rto_now(sk: TcpSock) -> None:
    """The retransmission timer starts at the present time, or stops when nothing is out.

    Linux: tcp_rearm_rto.
    """
    if sk.packets_out:
        inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, sk.icsk_rto, TCP_RTO_MAX)
    else:
        sk.icsk_pending = 0


def tcp_push_pending_frames(sk: TcpSock, mss: int = 0, nonagle: int | None = None) -> None:
    """Send what may be sent; when nothing may and nothing is out, begin to probe.

    Linux: __tcp_push_pending_frames.
    """
    if not sk.sk_write_queue or sk.sk_state == TCP_CLOSE:
        return
    if tcp_write_xmit(
        sk, mss or tcp_current_mss(sk), sk.nonagle if nonagle is None else nonagle, 0
    ):
        tcp_check_probe_timer(sk)


def tcp_check_probe_timer(sk: TcpSock) -> None:
    """Linux: tcp_check_probe_timer."""
    if not sk.packets_out and not sk.icsk_pending:
        inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, max(sk.icsk_rto, RTO_MIN_NS), TCP_RTO_MAX)


def tcp_push_one(sk: TcpSock, mss: int) -> None:
    """Send the head of the write queue, a full segment, while more is being written.

    Linux: tcp_push_one.
    """
    tcp_write_xmit(sk, mss, TCP_NAGLE_PUSH, 1)


def tcp_slow_start_after_idle_check(sk: TcpSock) -> None:
    """Before new data: a window that was not used for an RTO is no longer true.

    Linux: tcp_slow_start_after_idle_check.
    """
    if not sk.net.tcp.slow_start_after_idle or sk.packets_out:
        return
    idle = sk.net.kernel.clock.now - sk.lsndtime
    if idle > sk.icsk_rto:
        tcp_cwnd_restart(sk, idle)
