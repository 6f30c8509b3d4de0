"""Asking a closed window whether it has opened. RFC 9293 section 3.8.6.1. Linux:
net/ipv4/tcp_output.c (tcp_xmit_probe_skb, tcp_write_wakeup, tcp_send_probe0).

A probe is empty and has a sequence number that the peer has had already, so that it must answer
with its window. The timer is the retransmission timer (ICSK_TIME_PROBE0), because nothing is out
while it runs. Corked data is sent by it too, when its time comes.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_USEC
from pyhost.net.core.sock import TCP_CLOSE
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_control_skb
from pyhost.net.ipv4.tcp.output.tcp_fragment import tcp_fragment, tcp_set_skb_tso_segs
from pyhost.net.ipv4.tcp.output.tcp_output import tcp_event_new_data_sent, tcp_transmit_skb
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_reset_xmit_timer
from pyhost.net.ipv4.tcp.output.tcp_urg_send import URG_FARTHEST
from pyhost.net.ipv4.tcp.output.tcp_xmit import tcp_probe0_base
from pyhost.net.ipv4.tcp.recovery.tcp_rack import TCP_TIMEOUT_MIN_US
from pyhost.net.ipv4.tcp.tcp_sock import ICSK_TIME_PROBE0, TCP_RTO_MAX, TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_current_mss
from pyhost.uapi.tcp import TCP_ACK, TCP_PSH

__all__ = [
    "TCP_RESOURCE_PROBE_INTERVAL", "tcp_clamp_probe0_to_user_timeout", "tcp_probe0_when",
    "tcp_send_probe0", "tcp_write_wakeup", "tcp_xmit_probe_skb",
]  # fmt: skip

TCP_RESOURCE_PROBE_INTERVAL = 500 * NSEC_PER_MSEC
"""How soon to try again what this host itself had no room for."""


def tcp_xmit_probe_skb(sk: TcpSock, urgent: bool, mib: str) -> int:
    """Send a probe: as `tcp_transmit_skb`, or -1 when memory is short. It is counted as `mib`.
    An `urgent` one has a sequence number that the peer waits for, so that it sees the pointer.

    Linux: tcp_xmit_probe_skb.
    """
    skb = tcp_control_skb(sk, sk.snd_una - (not urgent) & 0xFFFFFFFF, TCP_ACK)
    if skb is None:
        return -1
    sk.net.count(mib)
    return tcp_transmit_skb(sk, skb, False)


def tcp_write_wakeup(sk: TcpSock, mib: str) -> int:
    """Send what fits into a small window, or else a probe: 0 when it left, 1 when it was dropped in
    this host, or a negative number. Linux: tcp_write_wakeup.
    """
    if sk.sk_state == TCP_CLOSE:
        return -1
    sk.tcp_mstamp = sk.net.kernel.clock.now
    window_end = sk.snd_una + sk.snd_wnd & 0xFFFFFFFF
    skb = sk.sk_write_queue[0] if sk.sk_write_queue else None
    if skb is None or not (skb.cb.seq - window_end) & 0x80000000:
        return _probe(sk, mib)
    cb: TcpSkbCb = skb.cb
    mss = tcp_current_mss(sk)
    room = window_end - cb.seq & 0xFFFFFFFF
    if (sk.pushed_seq - cb.end_seq) & 0x80000000:
        sk.pushed_seq = cb.end_seq
    if room < cb.end_seq - cb.seq & 0xFFFFFFFF or skb.len > mss:
        if not tcp_fragment(sk, skb, min(room, mss), mss):
            return -1
    else:
        tcp_set_skb_tso_segs(skb, mss)
    cb.flags |= TCP_PSH
    err = tcp_transmit_skb(sk, skb)
    if not err:
        tcp_event_new_data_sent(sk, skb)
    return err


def _probe(sk: TcpSock, mib: str) -> int:
    """An ordinary probe, and before it an urgent one if the peer shall know of urgent data that
    does not fit its window.
    """
    if sk.snd_up is not None and sk.snd_up - sk.snd_una & 0xFFFFFFFF <= URG_FARTHEST:
        tcp_xmit_probe_skb(sk, True, mib)
    return tcp_xmit_probe_skb(sk, False, mib)


def tcp_send_probe0(sk: TcpSock) -> None:
    """The probe timer fired: send a probe and wait longer for the next. What had no room in this
    host is tried again at an even pace. Linux: tcp_send_probe0.
    """
    err = tcp_write_wakeup(sk, "TCPWinProbe")
    if sk.packets_out or not sk.sk_write_queue:
        sk.icsk_probes_out = sk.icsk_backoff = 0
        sk.icsk_probes_tstamp = 0
        return
    sk.icsk_probes_out += 1
    if err <= 0:
        if sk.icsk_backoff < sk.net.tcp.retries2:
            sk.icsk_backoff += 1
        timeout = tcp_probe0_when(sk)
    else:
        timeout = TCP_RESOURCE_PROBE_INTERVAL
    tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_clamp_probe0_to_user_timeout(sk, timeout))


def tcp_probe0_when(sk: TcpSock) -> int:
    """ns to the next probe. Linux: tcp_probe0_when."""
    return min(tcp_probe0_base(sk) << sk.icsk_backoff, TCP_RTO_MAX)


def tcp_clamp_probe0_to_user_timeout(sk: TcpSock, when: int) -> int:
    """`when` (ns), or what is left of TCP_USER_TIMEOUT if that is less.

    Linux: tcp_clamp_probe0_to_user_timeout.
    """
    limit = sk.icsk_user_timeout
    if not limit or not sk.icsk_probes_tstamp:
        return when
    left = sk.icsk_probes_tstamp + limit - sk.net.kernel.clock.now
    return min(when, max(left, TCP_TIMEOUT_MIN_US * NSEC_PER_USEC))
