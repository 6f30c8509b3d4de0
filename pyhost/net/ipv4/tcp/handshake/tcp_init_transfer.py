"""A connection begins to carry data: buffers, windows, congestion control. Linux:
net/ipv4/tcp_input.c (tcp_init_transfer, tcp_finish_connect), net/ipv4/tcp_output.c
(tcp_select_initial_window).
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.sock import TCP_ESTABLISHED
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_assign_congestion_control, tcp_init_cwnd
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_keepalive_timer
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_set_state
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import tcp_init_metrics
from pyhost.net.ipv4.tcp.input.tcp_delack import tcp_fast_path_on
from pyhost.net.ipv4.tcp.output.tcp_mtu_probe import tcp_mtup_init
from pyhost.net.ipv4.tcp.tcp_mem import tcp_sndbuf_expand
from pyhost.net.ipv4.tcp.tcp_sock import TCP_INIT_CWND, TCP_MIN_MSS, TCP_MSS_DEFAULT, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_full_space

__all__ = ["tcp_finish_connect", "tcp_init_transfer", "tcp_initialize_rcv_mss"]


def tcp_initialize_rcv_mss(sk: TcpSock) -> None:
    """A first guess at the peer's segment size. Linux: tcp_initialize_rcv_mss."""
    hint = min(sk.advmss, sk.mss_cache, sk.rcv_wnd // 2, TCP_MSS_DEFAULT)
    sk.icsk_ack_rcv_mss = max(hint, TCP_MIN_MSS)


def _init_buffer_space(sk: TcpSock) -> None:
    """Linux: tcp_init_buffer_space."""
    if not sk.sk_sndbuf_lock:
        tcp_sndbuf_expand(sk)
    sk.rcvq_space = min(sk.rcv_wnd, TCP_INIT_CWND * sk.advmss)
    sk.rcvq_time = sk.tcp_mstamp
    sk.rcvq_seq = sk.copied_seq
    full = tcp_full_space(sk)
    reserve = sk.net.tcp.app_win
    clamp = sk.window_clamp
    if clamp >= full:
        clamp = full
        if reserve and full > 4 * sk.advmss:
            clamp = max(full - (full >> reserve), 4 * sk.advmss)
    if reserve and clamp > 2 * sk.advmss and clamp + sk.advmss > full:
        clamp = max(2 * sk.advmss, full - sk.advmss)
    sk.window_clamp = clamp
    sk.rcv_ssthresh = min(sk.rcv_ssthresh, clamp)


def tcp_init_transfer(sk: TcpSock) -> None:
    """Buffers, window and congestion control for a new connection. Linux: tcp_init_transfer."""
    tcp_mtup_init(sk)
    tcp_mtup_init(sk)
    tcp_init_metrics(sk)
    timed_out = sk.total_retrans > 1 and sk.undo_marker is not None
    sk.snd_cwnd = 1 if timed_out else tcp_init_cwnd(sk)
    sk.snd_cwnd_stamp = sk.tcp_mstamp
    tcp_assign_congestion_control(sk, sk.icsk_ca_ops)
    _init_buffer_space(sk)


def tcp_finish_connect(sk: TcpSock) -> None:
    """The side that called connect() is ready. Linux: tcp_finish_connect."""
    tcp_set_state(sk, TCP_ESTABLISHED)
    sk.icsk_ack_lrcvtime = sk.lsndtime = sk.tcp_mstamp
    tcp_init_transfer(sk)
    if sk.sk_keepopen:
        inet_csk_reset_keepalive_timer(
            sk, sk.keepalive_time or sk.net.tcp.keepalive_time * NSEC_PER_SEC
        )
    tcp_fast_path_on(sk)
