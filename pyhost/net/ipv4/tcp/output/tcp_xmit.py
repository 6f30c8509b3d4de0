"""Sending from the write queue. Linux: net/ipv4/tcp_output.c (tcp_write_xmit and who calls it).

`tcp_write_xmit` asks, skb by skb, whether it may leave: is it its time (pacing), is there room in
the congestion window, in the peer's window, does Nagle or a cork hold it, would it be better to
wait for a bigger one, is too much of this flow in the queues below. What may leave goes through
`tcp_transmit_skb`, and the original moves to the retransmit queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import TCP_CLOSE
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_cwnd_restart, tcp_cwnd_validate
from pyhost.net.ipv4.tcp.output.tcp_chrono import (
    TCP_CHRONO_RWND_LIMITED,
    tcp_chrono_start,
    tcp_chrono_stop,
)
from pyhost.net.ipv4.tcp.output.tcp_fragment import tso_fragment
from pyhost.net.ipv4.tcp.output.tcp_mtu_probe import tcp_mtu_probe
from pyhost.net.ipv4.tcp.output.tcp_nagle import tcp_nagle_test
from pyhost.net.ipv4.tcp.output.tcp_output import (
    RTO_MIN_NS,
    tcp_event_new_data_sent,
    tcp_transmit_skb,
)
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_pacing_check, tcp_reset_xmit_timer
from pyhost.net.ipv4.tcp.output.tcp_tso import (
    APP_LIMITED,
    CWND_LIMITED,
    RWND_LIMITED,
    SEND_NOW,
    tcp_cwnd_test,
    tcp_grow_head,
    tcp_mss_split_point,
    tcp_tso_segs,
    tcp_tso_should_defer,
)
from pyhost.net.ipv4.tcp.output.tcp_tsq import tcp_small_queue_check
from pyhost.net.ipv4.tcp.recovery.tcp_prr import tcp_in_cwnd_reduction
from pyhost.net.ipv4.tcp.recovery.tcp_xmit_timer import tcp_schedule_loss_probe
from pyhost.net.ipv4.tcp.tcp_sock import ICSK_TIME_PROBE0, TCP_NAGLE_PUSH, TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_current_mss

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "PUSH_ALL", "PUSH_LOSS_PROBE", "PUSH_ONE", "tcp_check_probe_timer", "tcp_probe0_base",
    "tcp_push_one", "tcp_push_pending_frames", "tcp_slow_start_after_idle_check", "tcp_write_xmit",
]  # fmt: skip

PUSH_ALL = 0
PUSH_ONE = 1
PUSH_LOSS_PROBE = 2
"""How much `tcp_write_xmit` sends: all, one skb, or one whatever the congestion window says."""


def tcp_write_xmit(sk: TcpSock, mss: int, nonagle: int, push_one: int) -> bool:
    """Send from the write queue while the windows and Nagle let it. Linux: tcp_write_xmit.

    True when nothing is on the way and nothing could be sent though data waits: then only a window
    probe helps.
    """
    sk.tcp_mstamp = sk.net.kernel.clock.now
    sent = 0
    if sk.mtup_enabled and not push_one:
        probe = tcp_mtu_probe(sk)
        if not probe:
            return False
        if probe > 0:
            sent = 1
    max_segs = tcp_tso_segs(sk, mss)
    queue = sk.sk_write_queue
    verdict = SEND_NOW
    while queue:
        skb = queue[0]
        verdict = _prepare_head(sk, skb, mss, nonagle, push_one, max_segs)
        if verdict or tcp_transmit_skb(sk, skb):
            break
        tcp_event_new_data_sent(sk, skb)
        cb: TcpSkbCb = skb.cb
        if skb.len < cb.pcount * mss:
            sk.snd_sml = cb.end_seq
        sent += cb.pcount
        if push_one:
            break
    _note_limits(sk, verdict, sent)
    if not sent:
        return not sk.packets_out and bool(queue)
    if tcp_in_cwnd_reduction(sk):
        sk.prr_out += sent
    if push_one != PUSH_LOSS_PROBE:
        tcp_schedule_loss_probe(sk, False)
    return False


def _prepare_head(
    sk: TcpSock, skb: SkBuff, mss: int, nonagle: int, push_one: int, max_segs: int
) -> int:
    """Make the head of the write queue as big as may leave now: SEND_NOW, or what it waits for.

    Linux: the tests in the loop of tcp_write_xmit.
    """
    if sk.sk_pacing_status and tcp_pacing_check(sk):
        return APP_LIMITED
    quota = tcp_cwnd_test(sk)
    if not quota:
        if push_one != PUSH_LOSS_PROBE:
            return CWND_LIMITED
        quota = 1
    if quota > max_segs:
        quota = max_segs
    pcount = tcp_grow_head(sk, skb, mss, quota)
    cb: TcpSkbCb = skb.cb
    first_end = cb.end_seq if skb.len <= mss else cb.seq + mss
    if (sk.snd_una + sk.snd_wnd - first_end) & 0x80000000:
        return RWND_LIMITED
    if pcount == 1:
        last = len(sk.sk_write_queue) == 1
        if not tcp_nagle_test(sk, skb, mss, nonagle if last else TCP_NAGLE_PUSH):
            return APP_LIMITED
    else:
        if not push_one:
            verdict = tcp_tso_should_defer(sk, skb, max_segs)
            if verdict:
                return verdict
        limit = mss
        if sk.snd_up is None:
            limit = tcp_mss_split_point(sk, skb, mss, quota, nonagle)
        if skb.len > limit and not tso_fragment(sk, skb, limit, mss):
            return APP_LIMITED
    if tcp_small_queue_check(sk, skb, 0) or cb.seq == cb.end_seq:
        return APP_LIMITED
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("tcp_write_xmit", skb.key, len=skb.len, quota=quota)
    return SEND_NOW


def _note_limits(sk: TcpSock, verdict: int, sent: int) -> None:
    """Remember what stopped the sender, for TCP_INFO and for the growth of the window.

    Linux: the end of tcp_write_xmit.
    """
    if verdict == RWND_LIMITED:
        tcp_chrono_start(sk, TCP_CHRONO_RWND_LIMITED)
    elif sk.chrono_type == TCP_CHRONO_RWND_LIMITED:
        tcp_chrono_stop(sk, TCP_CHRONO_RWND_LIMITED)
    cwnd_limited = verdict == CWND_LIMITED or sk.packets_in_flight >= sk.snd_cwnd
    if sent or cwnd_limited:
        tcp_cwnd_validate(sk, cwnd_limited)


def tcp_push_pending_frames(sk: TcpSock, mss: int = 0, nonagle: int | None = None) -> None:
    """Send what may be sent; when nothing may and nothing is out, begin to probe.

    Linux: __tcp_push_pending_frames.
    """
    if not sk.sk_write_queue or sk.sk_state == TCP_CLOSE:
        return
    if tcp_write_xmit(
        sk, mss or tcp_current_mss(sk), sk.nonagle if nonagle is None else nonagle, PUSH_ALL
    ):
        tcp_check_probe_timer(sk)


def tcp_probe0_base(sk: TcpSock) -> int:
    """ns to the first window probe. Linux: tcp_probe0_base."""
    return max(sk.icsk_rto, RTO_MIN_NS)


def tcp_check_probe_timer(sk: TcpSock) -> None:
    """Data waits, nothing is out and no timer runs: nothing but a probe would ever move it.

    Linux: tcp_check_probe_timer.
    """
    if not sk.packets_out and not sk.icsk_pending:
        tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_probe0_base(sk))


def tcp_push_one(sk: TcpSock, mss: int) -> None:
    """Send the head of the write queue, a full segment, while more is being written.

    Linux: tcp_push_one.
    """
    tcp_write_xmit(sk, mss, TCP_NAGLE_PUSH, PUSH_ONE)


def tcp_slow_start_after_idle_check(sk: TcpSock) -> None:
    """Before new data: a window that was not used for an RTO is no longer true.

    Linux: tcp_slow_start_after_idle_check.
    """
    if not sk.net.tcp.slow_start_after_idle or sk.packets_out:
        return
    idle = sk.net.kernel.clock.now - sk.lsndtime
    if idle > sk.icsk_rto:
        tcp_cwnd_restart(sk, idle)
