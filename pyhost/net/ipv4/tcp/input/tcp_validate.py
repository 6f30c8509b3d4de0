"""Whether a segment may be processed at all: options, timestamps, window, RST and SYN. RFC 9293
section 3.10.7.4, RFC 7323 section 5, RFC 5961. Linux: net/ipv4/tcp_input.c.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import kfree_skb_reason
from pyhost.net.core.sock import TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK, TCP_SYN_RECV
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_blackhole import tcp_fastopen_out_of_order_rst
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_reset
from pyhost.net.ipv4.tcp.input.tcp_delack import tcp_enter_quickack_mode
from pyhost.net.ipv4.tcp.input.tcp_oow import tcp_oow_rate_limited, tcp_send_challenge_ack
from pyhost.net.ipv4.tcp.input.tcp_sack import tcp_dsack_set
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_send_ack
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock, after, before
from pyhost.net.ipv4.tcp.tcp_window import TCPOLEN_TSTAMP_ALIGNED, tcp_receive_window
from pyhost.uapi.tcp import TCP_ACK, TCP_HDR_LEN, TCP_RST, TCP_SYN, TS_OPTION_WORD, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "TCP_TS_HDR_LEN", "drop_segment", "tcp_parse_options", "tcp_saw_tstamp",
    "tcp_validate_incoming",
]  # fmt: skip

TCP_TS_HDR_LEN = TCP_HDR_LEN + TCPOLEN_TSTAMP_ALIGNED
TCP_PAWS_24DAYS = 60 * 60 * 24 * 24 * NSEC_PER_SEC
AFTER_THEIR_FIN = (TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_CLOSING)

_TS_OPTION = Struct(">III").unpack_from


def drop_segment(skb: SkBuff, reason: str) -> bool:
    """Free a segment that goes no further; False, so that a caller may return it."""
    kfree_skb_reason(skb, reason)
    return False


# -- options ---------------------------------------------------------------------------------------


def tcp_parse_options(skb: SkBuff, cb: TcpSkbCb) -> TcpOptions:
    """All options of a segment whose header is still on. Linux: tcp_parse_options."""
    at = skb.transport_header
    return TcpOptions.parse(bytes(skb.buf[at + TCP_HDR_LEN : at + (cb.off_flags >> 12 << 2)]))


def tcp_saw_tstamp(sk: TcpSock, tsval: int, tsecr: int) -> None:
    """Note the timestamp of the segment at hand, the echo in our own clock."""
    sk.saw_tstamp = True
    sk.rcv_tsval = tsval
    sk.rcv_tsecr = tsecr - sk.tsoffset & 0xFFFFFFFF if tsecr else 0


def _fast_parse_options(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> None:
    """Timestamp and SACK of a segment of an established connection.

    Linux: tcp_fast_parse_options.
    """
    size = cb.off_flags >> 12 << 2
    sk.saw_tstamp = False
    sk.rx_sack = ()
    if size == TCP_HDR_LEN:
        return
    if size == TCP_TS_HDR_LEN and sk.tstamp_ok:
        word, tsval, tsecr = _TS_OPTION(skb.buf, skb.transport_header + TCP_HDR_LEN)
        if word == TS_OPTION_WORD:
            tcp_saw_tstamp(sk, tsval, tsecr)
            return
    options = tcp_parse_options(skb, cb)
    if sk.tstamp_ok and options.timestamp is not None:
        tcp_saw_tstamp(sk, *options.timestamp)
    if sk.sack_ok and options.sack:
        sk.rx_sack = tuple(edge for block in options.sack for edge in block)


# -- timestamps ------------------------------------------------------------------------------------


def _paws_discard(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """Whether the timestamp says that the segment is an old one (RFC 7323 section 5).

    Linux: tcp_paws_discard.
    """
    if not sk.saw_tstamp or not sk.ts_recent_stamp or not before(sk.rcv_tsval, sk.ts_recent):
        return False
    if sk.net.kernel.clock.now - sk.ts_recent_stamp >= TCP_PAWS_24DAYS:
        return False
    return not _disordered_ack(sk, cb)


def _disordered_ack(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """A pure duplicate ACK that the network delayed is harmless. Linux: tcp_disordered_ack."""
    if not cb.flags & TCP_ACK or cb.seq != cb.end_seq or cb.seq != sk.rcv_nxt:
        return False
    if cb.ack_seq != sk.snd_una or cb.window << sk.snd_wscale > sk.snd_wnd:
        return False
    late = sk.ts_recent - sk.rcv_tsval & 0xFFFFFFFF
    return late <= (sk.icsk_rto + (sk.icsk_rto >> 1)) // NSEC_PER_MSEC


# -- sequence numbers ------------------------------------------------------------------------------


def _send_dupack(sk: TcpSock, cb: TcpSkbCb) -> None:
    """Tell a peer that sent something outside the window where we are. Linux: tcp_send_dupack."""
    if cb.end_seq != cb.seq and before(cb.seq, sk.rcv_nxt):
        sk.net.count("DelayedACKLost")
        tcp_enter_quickack_mode(sk)
        if sk.sack_ok and sk.net.tcp.dsack:
            end = sk.rcv_nxt if after(cb.end_seq, sk.rcv_nxt) else cb.end_seq
            tcp_dsack_set(sk, cb.seq, end)
    tcp_send_ack(sk)


def _sequence(sk: TcpSock, cb: TcpSkbCb) -> str:
    """Why the segment is outside the window, or "". Linux: tcp_sequence."""
    if before(cb.end_seq, sk.rcv_wup):
        return drop_reason.TCP_OLD_SEQUENCE
    if after(cb.seq, sk.rcv_nxt + tcp_receive_window(sk) & 0xFFFFFFFF):
        return drop_reason.TCP_INVALID_SEQUENCE
    return ""


def _reset_before_fin(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """A stack whose FIN we took may still number its RST before it. Linux: tcp_reset_check."""
    return sk.sk_state in AFTER_THEIR_FIN and cb.seq == sk.rcv_nxt - 1 & 0xFFFFFFFF


def _reset_is_exact(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """A RST counts at exactly `rcv_nxt`, or behind the last SACK block (RFC 5961 section 3.2).

    Linux: tcp_validate_incoming step 2.
    """
    if cb.seq == sk.rcv_nxt or _reset_before_fin(sk, cb):
        return True
    edges = [end for _, end in sk.selective_acks]
    return bool(edges) and max(edges, key=lambda end: end - sk.rcv_nxt & 0xFFFFFFFF) == cb.seq


def _synack_again(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """Of a simultaneous open both SYN-ACKs cross; the peer's must be processed for its ACK.

    Linux: tcp_validate_incoming step 4.
    """
    return bool(
        sk.sk_state == TCP_SYN_RECV
        and sk.sk_socket is not None
        and cb.flags & TCP_ACK
        and cb.seq + 1 & 0xFFFFFFFF == cb.end_seq == sk.rcv_nxt
        and cb.ack_seq == sk.snd_nxt
    )


def tcp_validate_incoming(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Whether the segment may be processed further; if not it is answered and gone.

    Linux: tcp_validate_incoming.
    """
    _fast_parse_options(sk, skb, cb)
    reset = cb.flags & TCP_RST
    syn = cb.flags & TCP_SYN
    if not reset and _paws_discard(sk, cb):
        return _refuse_paws(sk, skb, cb)
    reason = _sequence(sk, cb)
    if reason:
        if reset:
            if _reset_before_fin(sk, cb):
                tcp_reset(sk)
        elif syn:
            tcp_send_challenge_ack(sk)
        elif not tcp_oow_rate_limited(sk.net, cb, "TCPACKSkippedSeq", sk):
            _send_dupack(sk, cb)
        return drop_segment(skb, reason)
    if reset:
        if _reset_is_exact(sk, cb):
            tcp_reset(sk)
        else:
            tcp_fastopen_out_of_order_rst(sk)
            tcp_send_challenge_ack(sk)
        return drop_segment(skb, drop_reason.TCP_RESET)
    if syn and not _synack_again(sk, cb):
        tcp_send_challenge_ack(sk)
        return drop_segment(skb, drop_reason.TCP_INVALID_SYN)
    return True


def _refuse_paws(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """An old segment by its timestamp: answer, as the peer may have lost our ACK."""
    if cb.flags & TCP_SYN:
        tcp_send_challenge_ack(sk)
        return drop_segment(skb, drop_reason.TCP_INVALID_SYN)
    sk.net.count("PAWSEstab")
    if not tcp_oow_rate_limited(sk.net, cb, "TCPACKSkippedPAWS", sk):
        _send_dupack(sk, cb)
    return drop_segment(skb, drop_reason.TCP_RFC7323_PAWS)
