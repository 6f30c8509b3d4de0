"""How fast the program reads: the round trip as the receiver sees it, and the receive buffer that
follows from it. Linux: net/ipv4/tcp_input.c (tcp_rcv_rtt_measure*, tcp_rcv_space_adjust).

`rcv_rtt_us` is 8 × the estimate in µs, 0 while there is none.
"""

from __future__ import annotations

from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock, before
from pyhost.net.ipv4.tcp.tcp_window import tcp_win_from_space

__all__ = ["tcp_rcv_rtt_measure", "tcp_rcv_rtt_measure_ts", "tcp_rcv_space_adjust"]

TCP_RMEM_TO_WIN_SCALE = 8
USEC_PER_MSEC = 1000
NSEC_PER_USEC = 1000


def _rcv_rtt_update(sk: TcpSock, sample: int, win_dep: bool) -> None:
    """A sample in µs. One that depends on the window may be too long, so the shortest counts.

    Linux: tcp_rcv_rtt_update.
    """
    old = sk.rcv_rtt_us
    if not old:
        sk.rcv_rtt_us = sample << 3
    elif not win_dep:
        sk.rcv_rtt_us = old + sample - (old >> 3)
    else:
        sk.rcv_rtt_us = min(old, sample << 3)


def tcp_rcv_rtt_measure(sk: TcpSock) -> None:
    """Without timestamps: how long a window full of data takes. Linux: tcp_rcv_rtt_measure."""
    if sk.rcv_rtt_time:
        if before(sk.rcv_nxt, sk.rcv_rtt_seq):
            return
        delta = max((sk.tcp_mstamp - sk.rcv_rtt_time) // NSEC_PER_USEC, 1)
        _rcv_rtt_update(sk, delta, True)
    sk.rcv_rtt_seq = sk.rcv_nxt + sk.rcv_wnd & 0xFFFFFFFF
    sk.rcv_rtt_time = sk.tcp_mstamp


def tcp_rcv_rtt_measure_ts(sk: TcpSock, size: int) -> None:
    """With timestamps: how long ago the echoed one left, by full segments of `size` bytes.

    Linux: tcp_rcv_rtt_measure_ts.
    """
    if sk.rcv_tsecr == sk.rcv_rtt_last_tsecr:
        return
    sk.rcv_rtt_last_tsecr = sk.rcv_tsecr
    if size < sk.icsk_ack_rcv_mss:
        return
    delta = tcp_ns_to_ts(sk.tcp_mstamp) - sk.rcv_tsecr & 0xFFFFFFFF
    if delta < 0x7FFFFFFF // USEC_PER_MSEC:
        _rcv_rtt_update(sk, max(delta, 1) * USEC_PER_MSEC, False)


def tcp_rcv_space_adjust(sk: TcpSock) -> None:
    """Once a round trip: let the receive buffer hold twice what was read in it.

    Linux: tcp_rcv_space_adjust (dynamic right-sizing).
    """
    now = sk.net.kernel.clock.now
    rtt = sk.rcv_rtt_us
    if not rtt or now - sk.rcvq_time < (rtt >> 3) * NSEC_PER_USEC:
        return
    sk.tcp_mstamp = now
    copied = sk.copied_seq - sk.rcvq_seq & 0xFFFFFFFF
    if copied > sk.rcvq_space:
        if sk.net.tcp.moderate_rcvbuf and not sk.sk_rcvbuf_lock:
            _grow_rcvbuf(sk, copied)
        sk.rcvq_space = copied
    sk.rcvq_seq = sk.copied_seq
    sk.rcvq_time = now


def _grow_rcvbuf(sk: TcpSock, copied: int) -> None:
    """Room for two round trips of data, and more while the sender is in slow start."""
    window = 2 * copied + 16 * sk.advmss
    window += 2 * (window * (copied - sk.rcvq_space) // max(sk.rcvq_space, 1))
    space = (window << TCP_RMEM_TO_WIN_SCALE) // sk.rcv_mss_ratio
    rcvbuf = min(space, sk.net.tcp.rmem[2])
    if rcvbuf > sk.sk_rcvbuf:
        sk.sk_rcvbuf = rcvbuf
        sk.window_clamp = tcp_win_from_space(sk, rcvbuf)
