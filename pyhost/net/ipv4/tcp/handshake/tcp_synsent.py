"""The answer to our SYN. RFC 9293 section 3.10.7.3. Linux: net/ipv4/tcp_input.c
tcp_rcv_synsent_state_process, tcp_rcv_fastopen_synack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb
from pyhost.net.core.sock import TCP_SYN_RECV
from pyhost.net.ipv4.tcp.ack.tcp_ack import tcp_ack
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import FLAG_SLOWPATH
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import (
    tcp_ecn_rcv_syn,
    tcp_ecn_rcv_synack,
    tcp_ecn_send_synack,
)
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_data import tcp_fastopen_add_skb
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenCookie
from pyhost.net.ipv4.tcp.fastopen.tcp_syn_data import TFO_DATA_NOT_ACKED, TFO_SYN_RETRANSMITTED
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_in_pingpong_mode,
    inet_csk_reset_delack_timer,
    inet_csk_reset_xmit_timer,
    inet_csk_schedule_ack,
)
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_reset, tcp_set_state
from pyhost.net.ipv4.tcp.handshake.tcp_init_transfer import (
    tcp_finish_connect,
    tcp_initialize_rcv_mss,
)
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import TCPOLEN_MD5SIG_ALIGNED
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import tcp_fastopen_cache_set
from pyhost.net.ipv4.tcp.input.tcp_delack import tcp_enter_quickack_mode
from pyhost.net.ipv4.tcp.input.tcp_input import tcp_data_snd_check
from pyhost.net.ipv4.tcp.input.tcp_validate import (
    TCP_TS_HDR_LEN,
    drop_segment,
    tcp_parse_options,
    tcp_saw_tstamp,
)
from pyhost.net.ipv4.tcp.output.tcp_ctl import TCP_DELACK_MAX, tcp_send_ack
from pyhost.net.ipv4.tcp.output.tcp_mtu_probe import tcp_mtup_init
from pyhost.net.ipv4.tcp.output.tcp_output import tcp_transmit_skb
from pyhost.net.ipv4.tcp.recovery.tcp_rack import tcp_mark_skb_lost
from pyhost.net.ipv4.tcp.recovery.tcp_retransmit import tcp_non_congestion_loss_retransmit
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_RETRANS,
    TCP_MSS_DEFAULT,
    TCP_RTO_MAX,
    TcpSkbCb,
    TcpSock,
    after,
    before,
    between,
)
from pyhost.net.ipv4.tcp.tcp_window import TCPOLEN_TSTAMP_ALIGNED, tcp_sync_mss
from pyhost.uapi.tcp import TCP_ACK, TCP_HDR_LEN, TCP_RST, TCP_SYN, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_rcv_synsent_state_process"]

TCP_TIMEOUT_MIN = 2 * NSEC_PER_MSEC
TCP_MAX_WSCALE = 14
TCP_MIN_CLAMP = 48


def tcp_rcv_synsent_state_process(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """A segment in SYN_SENT. Owns the skb unless the result is True: answer with a reset.

    Linux: tcp_rcv_synsent_state_process.
    """
    options = tcp_parse_options(skb, cb)
    sk.saw_tstamp = False
    sk.rx_sack = ()
    if options.timestamp is not None and sk.net.tcp.timestamps:
        tcp_saw_tstamp(sk, *options.timestamp)
    if cb.flags & TCP_ACK:
        return _with_ack(sk, skb, cb, options)
    if cb.flags & TCP_RST:
        return drop_segment(skb, drop_reason.TCP_RESET)
    if sk.ts_recent_stamp and sk.saw_tstamp and before(sk.rcv_tsval, sk.ts_recent):
        return drop_segment(skb, drop_reason.TCP_RFC7323_PAWS)
    if not cb.flags & TCP_SYN:
        return drop_segment(skb, drop_reason.TCP_FLAGS)
    _simultaneous_open(sk, cb, options)
    consume_skb(skb)
    return False


def _with_ack(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, options: TcpOptions) -> bool:
    """Acceptable ACK, then RST, then SYN."""
    if not after(cb.ack_seq, sk.snd_una) or after(cb.ack_seq, sk.snd_nxt):
        # The peer may know an old connection of ours: once the reset has ended that one, the SYN
        # shall go again soon.
        if sk.icsk_retransmits == 0:
            inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, TCP_TIMEOUT_MIN, TCP_RTO_MAX)
        return True
    if sk.saw_tstamp and sk.rcv_tsecr and not _echo_is_ours(sk):
        sk.net.count("PAWSActive")
        return True
    if cb.flags & TCP_RST:
        tcp_reset(sk)
        return drop_segment(skb, drop_reason.TCP_RESET)
    if not cb.flags & TCP_SYN:
        return drop_segment(skb, drop_reason.TCP_FLAGS)
    if _synack_received(sk, skb, cb, options):
        tcp_data_snd_check(sk)
    consume_skb(skb)
    return False


def _echo_is_ours(sk: TcpSock) -> bool:
    """Whether the echoed timestamp lies between our first SYN and now."""
    first = tcp_ns_to_ts(sk.retrans_stamp)
    return between(sk.rcv_tsecr, first, tcp_ns_to_ts(sk.tcp_mstamp))


def _take_syn_options(sk: TcpSock, options: TcpOptions) -> None:
    """What the peer's SYN offers, as far as we offered it too."""
    tcp = sk.net.tcp
    sk.sack_ok = bool(tcp.sack and options.sack_perm)
    sk.wscale_ok = bool(tcp.window_scaling and options.wscale is not None)
    if sk.wscale_ok:
        sk.snd_wscale = min(options.wscale or 0, TCP_MAX_WSCALE)
    else:
        sk.snd_wscale = sk.rcv_wscale = 0
        sk.window_clamp = min(sk.window_clamp, 65535)
    offered = options.mss or TCP_MSS_DEFAULT
    sk.mss_clamp = max(min(offered, sk.user_mss or offered), TCP_MIN_CLAMP)


def _take_timestamp(sk: TcpSock) -> None:
    sk.tstamp_ok = sk.saw_tstamp
    signature = TCPOLEN_MD5SIG_ALIGNED if sk.md5sig_info else 0
    if not sk.tstamp_ok:
        sk.tcp_header_len = TCP_HDR_LEN + signature
        return
    sk.tcp_header_len = TCP_TS_HDR_LEN + signature
    sk.advmss -= TCPOLEN_TSTAMP_ALIGNED
    sk.ts_recent = sk.rcv_tsval
    sk.ts_recent_stamp = sk.tcp_mstamp or 1


def _try_undo_spurious_syn(sk: TcpSock) -> None:
    """The echo is of the first SYN: that the timer fired was needless (RFC 3522).

    Linux: tcp_try_undo_spurious_syn.
    """
    first = tcp_ns_to_ts(sk.retrans_stamp)
    if sk.undo_marker is not None and sk.saw_tstamp and sk.rcv_tsecr == first:
        sk.undo_marker = None


def _synack_received(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, options: TcpOptions) -> bool:
    """Our SYN is acknowledged: the connection stands on this side. Whether data may be sent now."""
    sk.snd_wl1 = cb.seq
    tcp_ecn_rcv_synack(sk, cb.flags)
    _take_syn_options(sk, options)
    _try_undo_spurious_syn(sk)
    tcp_ack(sk, cb, FLAG_SLOWPATH, cb.window)
    sk.rcv_nxt = sk.rcv_wup = sk.copied_seq = cb.seq + 1 & 0xFFFFFFFF
    sk.snd_wnd = cb.window
    _take_timestamp(sk)
    tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    tcp_initialize_rcv_mss(sk)
    tcp_finish_connect(sk)
    again = (sk.syn_fastopen or sk.syn_data) and _fastopen_synack(sk, skb, options)
    if not sk.sock_dead:
        sk.sk_state_change(sk)
    if again:
        return True
    if sk.sk_write_pending or sk.rskq_defer_accept or inet_csk_in_pingpong_mode(sk):
        inet_csk_schedule_ack(sk)
        tcp_enter_quickack_mode(sk)
        inet_csk_reset_delack_timer(sk, sk.tcp_mstamp + TCP_DELACK_MAX)
        return False
    tcp_send_ack(sk)
    return True


def _simultaneous_open(sk: TcpSock, cb: TcpSkbCb, options: TcpOptions) -> None:
    """Both sides sent a SYN (RFC 9293 section 3.5, figure 7): ours goes out again as a SYN-ACK."""
    _take_syn_options(sk, options)
    _take_timestamp(sk)
    tcp_set_state(sk, TCP_SYN_RECV)
    sk.rcv_nxt = sk.copied_seq = sk.rcv_wup = cb.seq + 1 & 0xFFFFFFFF
    sk.snd_wnd = sk.max_window = cb.window
    sk.snd_wl1 = cb.seq
    tcp_ecn_rcv_syn(sk, cb.flags)
    tcp_mtup_init(sk)
    tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    tcp_initialize_rcv_mss(sk)
    _send_synack(sk)


def _send_synack(sk: TcpSock) -> None:
    """The queued SYN becomes a SYN-ACK and leaves. Linux: tcp_send_synack."""
    if not sk.tcp_rtx_queue or not sk.tcp_rtx_queue[0].cb.flags & TCP_SYN:
        return
    syn = sk.tcp_rtx_queue[0]
    if not syn.cb.flags & TCP_ACK:
        syn.cb.flags |= TCP_ACK
        tcp_ecn_send_synack(sk, syn.cb)
    tcp_transmit_skb(sk, syn)


# -- Fast Open -------------------------------------------------------------------------------------


def _fastopen_synack(sk: TcpSock, synack: SkBuff, options: TcpOptions) -> bool:
    """Keep the cookie of the SYN-ACK. True: our data was not acknowledged, and goes again.

    Linux: tcp_rcv_fastopen_synack.
    """
    data = sk.tcp_rtx_queue[0] if sk.syn_data and sk.tcp_rtx_queue else None
    cookie = _cookie_of(options) if sk.syn_fastopen else None
    syn_lost, try_exp = False, 0
    if sk.syn_fastopen and sk.total_retrans:
        syn_lost = cookie is None and data is not None
    elif sk.syn_fastopen and cookie is None and not sk.syn_data:
        try_exp = 2 if sk.syn_fastopen_exp else 1
    mss = options.mss or TCP_MSS_DEFAULT if sk.mss_clamp == sk.user_mss else sk.mss_clamp
    tcp_fastopen_cache_set(sk, mss, cookie, syn_lost, try_exp)
    if data is not None:
        sk.fastopen_client_fail = TFO_SYN_RETRANSMITTED if sk.total_retrans else TFO_DATA_NOT_ACKED
        for skb in sk.tcp_rtx_queue:
            tcp_mark_skb_lost(sk, skb)
        tcp_non_congestion_loss_retransmit(sk)
        sk.net.count("TCPFastOpenActiveFail")
        return True
    sk.syn_data_acked = sk.syn_data
    if sk.syn_data_acked:
        sk.net.count("TCPFastOpenActive")
        # tcp_ack counted SYN and data as two packets, which were one.
        if sk.delivered > 1:
            sk.delivered -= 1
    tcp_fastopen_add_skb(sk, synack)
    return False


def _cookie_of(options: TcpOptions) -> FastopenCookie | None:
    if options.fastopen is None:
        return None
    return FastopenCookie(options.fastopen, options.fastopen_exp)
