"""The SYN that begins a connection. Linux: net/ipv4/tcp_output.c (tcp_connect,
tcp_select_initial_window).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_ca_dst_init
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_send_syn
from pyhost.net.ipv4.tcp.fastopen.tcp_syn_data import tcp_connect_queue_skb, tcp_send_syn_data
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_reset_xmit_timer,
    inet_sk_rebuild_header,
)
from pyhost.net.ipv4.tcp.handshake.tcp_init_transfer import tcp_initialize_rcv_mss
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import TCPOLEN_MD5SIG_ALIGNED
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_control_skb
from pyhost.net.ipv4.tcp.output.tcp_mtu_probe import tcp_mtup_init
from pyhost.net.ipv4.tcp.output.tcp_output import tcp_transmit_skb
from pyhost.net.ipv4.tcp.tcp_mem import sk_forced_mem_schedule
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_RETRANS,
    TCP_RTO_MAX,
    TCP_TIMEOUT_INIT,
    TcpSock,
)
from pyhost.net.ipv4.tcp.tcp_window import (
    MAX_TCP_WINDOW,
    TCPOLEN_TSTAMP_ALIGNED,
    tcp_advertise_mss,
    tcp_full_space,
    tcp_make_wscale,
    tcp_sync_mss,
)
from pyhost.uapi.errno import ECONNREFUSED, EHOSTUNREACH, ENOBUFS
from pyhost.uapi.rtnetlink import RTAX_INITRWND, RTAX_WINDOW
from pyhost.uapi.tcp import TCP_HDR_LEN, TCP_SYN

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry

__all__ = ["tcp_connect", "tcp_select_initial_window"]

MAX_SCALED_WINDOW = 65535 << 14


def tcp_select_initial_window(
    sk: TcpSock, dst: DstEntry, mss: int, wscale_ok: bool
) -> tuple[int, int, int]:
    """(our first window, its clamp, its scale) for what the receive buffer has room for. The
    route's metrics `window` and `initrwnd` (in segments of `mss`) may make it less.

    Linux: tcp_select_initial_window, and what its callers have in common.
    """
    tcp = sk.net.tcp
    space = tcp_full_space(sk)
    clamp = sk.window_clamp or dst.metric(RTAX_WINDOW)
    if sk.sk_rcvbuf_lock and (clamp > space or not clamp):
        clamp = space
    scale = tcp_make_wscale(tcp, space, clamp) if wscale_ok else 0
    clamp = clamp or MAX_SCALED_WINDOW
    window = min(max(space, 0), clamp)
    if window > mss:
        window = window // mss * mss
    if tcp.workaround_signed_windows:
        window = min(window, MAX_TCP_WINDOW)
    first = dst.metric(RTAX_INITRWND)
    if first:
        window = min(window, first * mss)
    return window, min(65535 << scale, clamp), scale


def _first_window(sk: TcpSock, dst: DstEntry) -> None:
    """What our SYN offers."""
    mss = sk.advmss - (TCPOLEN_TSTAMP_ALIGNED if sk.ts_recent_stamp else 0)
    sk.rcv_wnd, sk.window_clamp, sk.rcv_wscale = tcp_select_initial_window(
        sk, dst, mss, bool(sk.net.tcp.window_scaling)
    )
    sk.rcv_ssthresh = sk.rcv_wnd


def _connect_init(sk: TcpSock) -> None:
    """Everything that must be known before the SYN is written. Linux: tcp_connect_init."""
    dst = sk.sk_dst_cache
    assert dst is not None
    timestamps = bool(sk.net.tcp.timestamps)
    sk.tcp_header_len = TCP_HDR_LEN + (TCPOLEN_TSTAMP_ALIGNED if timestamps else 0)
    if sk.md5sig_info:
        sk.tcp_header_len += TCPOLEN_MD5SIG_ALIGNED
    if sk.user_mss:
        sk.mss_clamp = sk.user_mss
    sk.max_window = 0
    tcp_ca_dst_init(sk, dst)
    tcp_mtup_init(sk)
    tcp_sync_mss(sk, dst.mtu())
    sk.advmss = tcp_advertise_mss(sk, dst)
    tcp_initialize_rcv_mss(sk)
    _first_window(sk, dst)
    sk.sk_err = 0
    sk.sock_done = False
    sk.snd_wnd = 0
    sk.snd_wl1 = 0
    sk.snd_una = sk.snd_sml = sk.snd_nxt = sk.write_seq
    sk.snd_up = None
    sk.rcv_wup = sk.copied_seq = sk.rcv_nxt
    sk.icsk_rto = TCP_TIMEOUT_INIT
    sk.icsk_retransmits = 0


def tcp_connect(sk: TcpSock) -> int:
    """Send the SYN: 0, -EHOSTUNREACH, -ENOBUFS or -ECONNREFUSED. A SYN that is lost below is left
    to the timer. Linux: tcp_connect.
    """
    if inet_sk_rebuild_header(sk):
        return -EHOSTUNREACH
    sk.tcp_mstamp = sk.net.kernel.clock.now
    _connect_init(sk)
    skb = tcp_control_skb(sk, sk.write_seq, TCP_SYN)
    if skb is None:
        return -ENOBUFS
    sk_forced_mem_schedule(sk, skb.truesize)
    sk.syn_stamp = sk.tcp_mstamp
    sk.retrans_stamp = sk.tcp_mstamp or 1
    tcp_connect_queue_skb(sk, skb)
    tcp_ecn_send_syn(sk, skb.cb)
    sk.tcp_rtx_queue.append(skb)
    err = tcp_transmit_skb(sk, skb) if sk.fastopen_req is None else tcp_send_syn_data(sk, skb)
    if err == -ECONNREFUSED:
        return err
    sk.snd_nxt = sk.pushed_seq = sk.write_seq
    if sk.sk_write_queue:
        sk.snd_nxt = sk.pushed_seq = sk.sk_write_queue[0].cb.seq
    sk.net.count("TcpActiveOpens")
    inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, sk.icsk_rto, TCP_RTO_MAX)
    return 0
