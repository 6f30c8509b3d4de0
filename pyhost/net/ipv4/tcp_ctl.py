"""Segments without new data: SYN, ACK, FIN, RST, window probes. Linux: net/ipv4/tcp_output.c.

Those that take sequence space (SYN, FIN) are queued like data and retransmitted. Pure ACKs, probes
and resets are sent once.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.inet_connection_sock import (
    inet_csk_in_pingpong_mode,
    inet_csk_reset_delack_timer,
    inet_csk_reset_xmit_timer,
    inet_csk_schedule_ack,
)
from pyhost.net.ipv4.tcp_fragment import tcp_fragment
from pyhost.net.ipv4.tcp_mem import sk_forced_mem_schedule
from pyhost.net.ipv4.tcp_output import (
    RTO_MIN_NS,
    TCP_ATO_MIN,
    tcp_event_new_data_sent,
    tcp_push_pending_frames,
    tcp_queue_skb,
    tcp_stream_alloc_skb,
    tcp_transmit_skb,
)
from pyhost.net.ipv4.tcp_sock import (
    ICSK_ACK_PUSHED,
    ICSK_ACK_TIMER,
    ICSK_TIME_PROBE0,
    ICSK_TIME_RETRANS,
    TCP_NAGLE_OFF,
    TCP_RTO_MAX,
    TcpSkbCb,
    TcpSock,
)
from pyhost.net.ipv4.tcp_window import (
    TCPOLEN_TSTAMP_ALIGNED,
    tcp_advertise_mss,
    tcp_current_mss,
    tcp_full_space,
    tcp_make_wscale,
    tcp_sync_mss,
)
from pyhost.uapi.errno import EHOSTUNREACH, ENOBUFS
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_HDR_LEN, TCP_PSH, TCP_RST, TCP_SYN

__all__ = [
    "TCP_RESOURCE_PROBE_INTERVAL", "tcp_connect", "tcp_probe0_when", "tcp_select_initial_window",
    "tcp_send_ack", "tcp_send_active_reset", "tcp_send_delayed_ack", "tcp_send_fin",
    "tcp_send_probe0", "tcp_write_wakeup", "tcp_xmit_probe_skb",
]  # fmt: skip

TCP_RESOURCE_PROBE_INTERVAL = 500 * NSEC_PER_MSEC
TCP_DELACK_MIN = 40 * NSEC_PER_MSEC
TCP_DELACK_MAX = 200 * NSEC_PER_MSEC
HALF_SECOND = 500 * NSEC_PER_MSEC


def _control_skb(sk: TcpSock, seq: int, flags: int) -> SkBuff | None:
    """A segment without data. Linux: tcp_init_nondata_skb."""
    skb = tcp_stream_alloc_skb(sk)
    if skb is not None:
        length = 1 if flags & (TCP_SYN | TCP_FIN) else 0
        skb.cb = TcpSkbCb(seq, seq + length & 0xFFFFFFFF, flags)
    return skb


# -- connect ---------------------------------------------------------------------------------------


def tcp_select_initial_window(sk: TcpSock, mss: int) -> None:
    """Our first window and its scale. Linux: tcp_select_initial_window."""
    space = tcp_full_space(sk)
    clamp = sk.window_clamp or 65535 << 14
    space = min(space, clamp)
    if space > mss:
        space = space // mss * mss
    sk.rcv_wscale = tcp_make_wscale(sk.net.tcp, tcp_full_space(sk), sk.window_clamp)
    sk.rcv_wnd = space
    sk.window_clamp = min(65535 << sk.rcv_wscale, clamp)


def _connect_init(sk: TcpSock) -> None:
    """Everything that must be known before the SYN is written. Linux: tcp_connect_init."""
    dst = sk.sk_dst_cache
    assert dst is not None
    timestamps = bool(sk.net.tcp.timestamps)
    sk.tcp_header_len = TCP_HDR_LEN + (TCPOLEN_TSTAMP_ALIGNED if timestamps else 0)
    if sk.user_mss:
        sk.mss_clamp = sk.user_mss
    sk.max_window = 0
    tcp_sync_mss(sk, dst.mtu())
    sk.advmss = tcp_advertise_mss(sk, dst)
    sk.icsk_ack_rcv_mss = max(min(sk.advmss, sk.mss_cache, 536), 88)
    tcp_select_initial_window(sk, sk.advmss)
    sk.rcv_ssthresh = sk.rcv_wnd
    sk.sk_err = 0
    sk.snd_wnd = 0
    sk.snd_wl1 = 0
    sk.snd_una = sk.snd_sml = sk.snd_nxt = sk.write_seq
    sk.rcv_wup = sk.copied_seq = sk.rcv_nxt
    sk.icsk_rto = 1000 * NSEC_PER_MSEC
    sk.icsk_retransmits = 0


def tcp_connect(sk: TcpSock) -> int:
    """Send the SYN: 0, -EHOSTUNREACH or -ENOBUFS. A SYN that is lost below is left to the timer.

    Linux: tcp_connect.
    """
    if sk.sk_dst_cache is None:
        return -EHOSTUNREACH
    sk.tcp_mstamp = sk.net.kernel.clock.now
    _connect_init(sk)
    skb = _control_skb(sk, sk.write_seq, TCP_SYN)
    if skb is None:
        return -ENOBUFS
    sk_forced_mem_schedule(sk, skb.truesize)
    tcp_queue_skb(sk, skb)
    sk.retrans_stamp = 0
    sk.syn_stamp = sk.tcp_mstamp
    tcp_transmit_skb(sk, skb)
    sk.sk_write_queue.popleft()
    sk.tcp_rtx_queue.append(skb)
    sk.packets_out += 1
    sk.snd_nxt = sk.pushed_seq = sk.write_seq
    sk.net.count("TcpActiveOpens")
    inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, sk.icsk_rto, TCP_RTO_MAX)
    return 0


# -- ACK -------------------------------------------------------------------------------------------


def tcp_send_ack(sk: TcpSock) -> None:
    """Send a pure ACK now; when memory is short, later. Linux: tcp_send_ack."""
    if sk.sk_state == TCP_CLOSE:
        return
    skb = _control_skb(sk, sk.snd_nxt if sk.snd_wnd else _acceptable_seq(sk), TCP_ACK)
    if skb is None:
        inet_csk_schedule_ack(sk)
        sk.icsk_ack_ato = TCP_ATO_MIN
        inet_csk_reset_delack_timer(sk, sk.net.kernel.clock.now + TCP_DELACK_MAX)
        return
    tcp_transmit_skb(sk, skb, False)


def _acceptable_seq(sk: TcpSock) -> int:
    """A sequence number that the peer takes even when it shrank its window.

    Linux: tcp_acceptable_seq.
    """
    end = sk.snd_una + sk.snd_wnd & 0xFFFFFFFF
    return end if (end - sk.snd_nxt) & 0x80000000 else sk.snd_nxt


def tcp_send_delayed_ack(sk: TcpSock) -> None:
    """Let the ACK wait for data to ride on, or for a second segment (RFC 1122 section 4.2.3.2).

    Linux: tcp_send_delayed_ack.
    """
    now = sk.net.kernel.clock.now
    ato = sk.icsk_ack_ato
    if ato > TCP_DELACK_MIN:
        longest = HALF_SECOND
        if inet_csk_in_pingpong_mode(sk) or sk.icsk_ack_pending & ICSK_ACK_PUSHED:
            longest = TCP_DELACK_MAX
        if sk.srtt_us:
            longest = min(longest, max((sk.srtt_us >> 3) * 1000, TCP_DELACK_MIN))
        ato = min(ato, longest)
    ato = min(ato, TCP_DELACK_MAX)
    timeout = now + ato
    if sk.icsk_ack_pending & ICSK_ACK_TIMER:
        if sk.icsk_ack_timeout <= now + (ato >> 2):
            tcp_send_ack(sk)
            return
        timeout = min(timeout, sk.icsk_ack_timeout)
    inet_csk_reset_delack_timer(sk, timeout)


# -- FIN, RST --------------------------------------------------------------------------------------


def tcp_send_fin(sk: TcpSock) -> None:
    """End our stream: the FIN rides on the last unsent segment, or goes alone.

    Linux: tcp_send_fin.
    """
    if sk.sk_write_queue:
        cb: TcpSkbCb = sk.sk_write_queue[-1].cb
        cb.flags |= TCP_FIN
        cb.end_seq = cb.end_seq + 1 & 0xFFFFFFFF
        sk.write_seq = cb.end_seq
    else:
        skb = _control_skb(sk, sk.write_seq, TCP_ACK | TCP_FIN)
        if skb is None:
            sk.net.count("TCPAbortOnMemory")
            return
        sk_forced_mem_schedule(sk, skb.truesize)
        tcp_queue_skb(sk, skb)
    tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF)


def tcp_send_active_reset(sk: TcpSock) -> None:
    """Abort the connection towards the peer. Linux: tcp_send_active_reset."""
    sk.net.count("TcpOutRsts")
    skb = _control_skb(sk, _acceptable_seq(sk), TCP_ACK | TCP_RST)
    if skb is None:
        sk.net.count("TCPAbortFailed")
        return
    sk.tcp_mstamp = sk.net.kernel.clock.now
    if tcp_transmit_skb(sk, skb, False):
        sk.net.count("TCPAbortFailed")


# -- window probes ---------------------------------------------------------------------------------


def tcp_xmit_probe_skb(sk: TcpSock) -> int:
    """An empty segment with an old sequence number, which the peer must answer.

    Linux: tcp_xmit_probe_skb.
    """
    skb = _control_skb(sk, sk.snd_una - 1 & 0xFFFFFFFF, TCP_ACK)
    if skb is None:
        return -1
    sk.net.count("TCPWinProbe")
    return tcp_transmit_skb(sk, skb, False)


def tcp_write_wakeup(sk: TcpSock) -> int:
    """Send what fits into a small window, or else a probe: 0 when it left.

    Linux: tcp_write_wakeup.
    """
    if sk.sk_state in (TCP_CLOSE, TCP_LISTEN):
        return -1
    sk.tcp_mstamp = sk.net.kernel.clock.now
    window_end = sk.snd_una + sk.snd_wnd & 0xFFFFFFFF
    skb = sk.sk_write_queue[0] if sk.sk_write_queue else None
    if skb is None or not (skb.cb.seq - window_end) & 0x80000000:
        return tcp_xmit_probe_skb(sk)
    mss = tcp_current_mss(sk)
    room = min(window_end - skb.cb.seq & 0xFFFFFFFF, mss)
    if (sk.pushed_seq - skb.cb.end_seq) & 0x80000000:
        sk.pushed_seq = skb.cb.end_seq
    if skb.len > room and not tcp_fragment(sk, skb, room, mss):
        return -1
    skb.cb.flags |= TCP_PSH
    err = tcp_transmit_skb(sk, skb)
    if not err:
        tcp_event_new_data_sent(sk, skb)
    return err


def tcp_send_probe0(sk: TcpSock) -> None:
    """The probe timer fired: send a probe and wait longer for the next. Linux: tcp_send_probe0."""
    err = tcp_write_wakeup(sk)
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
    inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, timeout, TCP_RTO_MAX)


def tcp_probe0_when(sk: TcpSock) -> int:
    """ns to the next probe. Linux: tcp_probe0_when."""
    return min(max(sk.icsk_rto, RTO_MIN_NS) << sk.icsk_backoff, TCP_RTO_MAX)
