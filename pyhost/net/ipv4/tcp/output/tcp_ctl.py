"""Segments without new data: SYN, ACK, FIN, RST. Linux: net/ipv4/tcp_output.c.

Those that take sequence space (SYN, FIN) are queued like data and retransmitted. Pure ACKs and
resets are sent once.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.core.sock import TCP_CLOSE
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_in_pingpong_mode,
    inet_csk_reset_delack_timer,
    inet_csk_schedule_ack,
)
from pyhost.net.ipv4.tcp.output.tcp_output import (
    TCP_ATO_MIN,
    tcp_queue_skb,
    tcp_stream_alloc_skb,
    tcp_transmit_skb,
)
from pyhost.net.ipv4.tcp.output.tcp_xmit import tcp_push_pending_frames
from pyhost.net.ipv4.tcp.tcp_mem import sk_forced_mem_schedule
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_ACK_PUSHED,
    ICSK_ACK_TIMER,
    TCP_NAGLE_OFF,
    TcpSkbCb,
    TcpSock,
)
from pyhost.net.ipv4.tcp.tcp_window import tcp_current_mss
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN

__all__ = [
    "tcp_control_skb", "tcp_send_ack", "tcp_send_active_reset", "tcp_send_delayed_ack",
    "tcp_send_fin",
]  # fmt: skip

TCP_DELACK_MIN = 40 * NSEC_PER_MSEC
TCP_DELACK_MAX = 200 * NSEC_PER_MSEC
HALF_SECOND = 500 * NSEC_PER_MSEC


def tcp_control_skb(sk: TcpSock, seq: int, flags: int) -> SkBuff | None:
    """A segment without data. Linux: tcp_init_nondata_skb."""
    skb = tcp_stream_alloc_skb(sk)
    if skb is not None:
        length = 1 if flags & (TCP_SYN | TCP_FIN) else 0
        skb.cb = TcpSkbCb(seq, seq + length & 0xFFFFFFFF, flags)
    return skb


# -- ACK -------------------------------------------------------------------------------------------


def tcp_send_ack(sk: TcpSock) -> None:
    """Send a pure ACK now; when memory is short, later. Linux: tcp_send_ack."""
    if sk.sk_state == TCP_CLOSE:
        return
    skb = tcp_control_skb(sk, sk.snd_nxt if sk.snd_wnd else _acceptable_seq(sk), TCP_ACK)
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
        skb = tcp_control_skb(sk, sk.write_seq, TCP_ACK | TCP_FIN)
        if skb is None:
            sk.net.count("TCPAbortOnMemory")
            return
        sk_forced_mem_schedule(sk, skb.truesize)
        tcp_queue_skb(sk, skb)
    tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF)


def tcp_send_active_reset(sk: TcpSock) -> None:
    """Abort the connection towards the peer. Linux: tcp_send_active_reset."""
    sk.net.count("TcpOutRsts")
    skb = tcp_control_skb(sk, _acceptable_seq(sk), TCP_ACK | TCP_RST)
    if skb is None:
        sk.net.count("TCPAbortFailed")
        return
    sk.tcp_mstamp = sk.net.kernel.clock.now
    if tcp_transmit_skb(sk, skb, False):
        sk.net.count("TCPAbortFailed")
