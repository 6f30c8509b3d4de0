"""A segment comes in for a socket: checks, header prediction, the state machine. RFC 9293 section
3.10.7. Linux: net/ipv4/tcp_input.c.

The parts have files of their own: what the ACK does (tcp_ack.py), what the data does
(tcp_data.py), SACK (tcp_sack.py), losses (tcp_recovery.py). Functions that end with a segment the
peer must be told off for return True: the caller sends the reset.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb, kfree_skb_reason
from pyhost.net.core.sock import (
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_LAST_ACK,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    TCP_TIME_WAIT,
)
from pyhost.net.ipv4.inet_connection_sock import (
    inet_csk_reset_keepalive_timer,
    inet_csk_reset_xmit_timer,
)
from pyhost.net.ipv4.tcp_ack import tcp_ack, tcp_replace_ts_recent, tcp_send_challenge_ack
from pyhost.net.ipv4.tcp_cong import tcp_assign_congestion_control, tcp_init_cwnd
from pyhost.net.ipv4.tcp_ctl import tcp_send_ack
from pyhost.net.ipv4.tcp_data import (
    tcp_ack_snd_check,
    tcp_data_queue,
    tcp_enter_quickack_mode,
    tcp_event_data_recv,
    tcp_fast_path_check,
    tcp_fast_path_on,
    tcp_queue_rcv,
)
from pyhost.net.ipv4.tcp_done import tcp_done, tcp_reset, tcp_set_state
from pyhost.net.ipv4.tcp_mem import sk_rmem_schedule, tcp_check_space, tcp_sndbuf_expand
from pyhost.net.ipv4.tcp_minisocks import TCP_TIMEWAIT_LEN, tcp_time_wait
from pyhost.net.ipv4.tcp_output import tcp_push_pending_frames
from pyhost.net.ipv4.tcp_recovery import FLAG_DATA, FLAG_SLOWPATH, FLAG_UPDATE_TS_RECENT
from pyhost.net.ipv4.tcp_retransmit import tcp_retransmit_skb
from pyhost.net.ipv4.tcp_rtt import tcp_ack_update_rtt
from pyhost.net.ipv4.tcp_sack import tcp_dsack_set
from pyhost.net.ipv4.tcp_sock import (
    ICSK_ACK_SCHED,
    ICSK_TIME_RETRANS,
    TCP_MIN_MSS,
    TCP_MSS_DEFAULT,
    TCP_RTO_MAX,
    TcpSkbCb,
    TcpSock,
    after,
    before,
)
from pyhost.net.ipv4.tcp_timer import tcp_fin_time
from pyhost.net.ipv4.tcp_window import (
    TCPOLEN_TSTAMP_ALIGNED,
    tcp_full_space,
    tcp_receive_window,
    tcp_sync_mss,
)
from pyhost.uapi.tcp import (
    TCP_ACK,
    TCP_FIN,
    TCP_HDR_LEN,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    TS_OPTION_WORD,
    TcpOptions,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_init_transfer", "tcp_parse_options", "tcp_rcv_established", "tcp_rcv_state_process"]

TCP_TS_HDR_LEN = TCP_HDR_LEN + TCPOLEN_TSTAMP_ALIGNED
TCP_PAWS_24DAYS = 60 * 60 * 24 * 24 * NSEC_PER_SEC
OOW_ACK_INTERVAL = 500_000_000

_TS_OPTION = Struct(">III").unpack_from


# -- options ---------------------------------------------------------------------------------------


def tcp_parse_options(skb: SkBuff, cb: TcpSkbCb) -> TcpOptions:
    """All options of a segment whose header is still on. Linux: tcp_parse_options."""
    at = skb.transport_header
    return TcpOptions.parse(bytes(skb.buf[at + TCP_HDR_LEN : at + (cb.off_flags >> 12 << 2)]))


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
            sk.saw_tstamp = True
            sk.rcv_tsval = tsval
            sk.rcv_tsecr = tsecr - sk.tsoffset & 0xFFFFFFFF if tsecr else 0
            return
    options = tcp_parse_options(skb, cb)
    if sk.tstamp_ok and options.timestamp is not None:
        sk.saw_tstamp = True
        sk.rcv_tsval, tsecr = options.timestamp
        sk.rcv_tsecr = tsecr - sk.tsoffset & 0xFFFFFFFF if tsecr else 0
    if sk.sack_ok and options.sack:
        sk.rx_sack = tuple(edge for block in options.sack for edge in block)


# -- checks ----------------------------------------------------------------------------------------


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
    pure = cb.seq == cb.end_seq and cb.seq == sk.rcv_nxt and cb.ack_seq == sk.snd_una
    late = sk.ts_recent - sk.rcv_tsval & 0xFFFFFFFF
    return bool(cb.flags & TCP_ACK) and pure and late <= sk.icsk_rto * 3 // 2 // 1_000_000


def _send_dupack(sk: TcpSock, cb: TcpSkbCb) -> None:
    """Tell a peer that sent something outside the window where we are. Linux: tcp_send_dupack."""
    if cb.end_seq != cb.seq and before(cb.seq, sk.rcv_nxt):
        sk.net.count("DelayedACKLost")
        tcp_enter_quickack_mode(sk)
        end = sk.rcv_nxt if after(cb.end_seq, sk.rcv_nxt) else cb.end_seq
        tcp_dsack_set(sk, cb.seq, end)
    tcp_send_ack(sk)


def _oow_rate_limited(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """Two stacks must not answer each other's answers for ever. Linux: tcp_oow_rate_limited."""
    if cb.seq != cb.end_seq and not cb.flags & TCP_SYN:
        return False
    now = sk.net.kernel.clock.now
    if sk.last_oow_ack_time and now - sk.last_oow_ack_time < OOW_ACK_INTERVAL:
        return True
    sk.last_oow_ack_time = now or 1
    return False


def _drop(skb: SkBuff, reason: str) -> bool:
    kfree_skb_reason(skb, reason)
    return False


def _reset_is_exact(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """A RST counts at exactly `rcv_nxt`, or behind the last SACK block (RFC 5961 section 3.2).

    Linux: tcp_validate_incoming step 2.
    """
    if cb.seq == sk.rcv_nxt:
        return True
    edges = [end for _, end in sk.selective_acks]
    return bool(edges) and max(edges, key=lambda end: end - sk.rcv_nxt & 0xFFFFFFFF) == cb.seq


def _validate_incoming(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Whether the segment may be processed further; if not it is answered and gone.

    Linux: tcp_validate_incoming.
    """
    _fast_parse_options(sk, skb, cb)
    reset = cb.flags & TCP_RST
    if _paws_discard(sk, cb) and not reset:
        sk.net.count("PAWSEstab")
        if not _oow_rate_limited(sk, cb):
            _send_dupack(sk, cb)
        return _drop(skb, drop_reason.TCP_RFC7323_PAWS)
    right = sk.rcv_nxt + tcp_receive_window(sk)
    old = before(cb.end_seq, sk.rcv_wup)
    if old or after(cb.seq, right & 0xFFFFFFFF):
        if not reset:
            if cb.flags & TCP_SYN:
                tcp_send_challenge_ack(sk)
            elif not _oow_rate_limited(sk, cb):
                _send_dupack(sk, cb)
        return _drop(skb, drop_reason.TCP_OLD_SEQUENCE if old else drop_reason.TCP_INVALID_SEQUENCE)
    if reset:
        if _reset_is_exact(sk, cb):
            tcp_reset(sk)
        else:
            tcp_send_challenge_ack(sk)
        return _drop(skb, drop_reason.TCP_RESET)
    if cb.flags & TCP_SYN:
        tcp_send_challenge_ack(sk)
        return _drop(skb, drop_reason.TCP_INVALID_SYN)
    return True


# -- established -----------------------------------------------------------------------------------


def _data_snd_check(sk: TcpSock) -> None:
    """The ACK may have made room: send on, wake writers. Linux: tcp_data_snd_check."""
    if sk.sk_write_queue:
        tcp_push_pending_frames(sk)
    if sk.sock_nospace:
        tcp_check_space(sk)


def _predicted(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Whether the segment is the expected next one, with nothing unusual in it, timestamp read.

    Linux: header prediction.
    """
    off_flags = cb.off_flags & ~TCP_PSH
    if (
        off_flags != sk.pred_off_flags
        or cb.window != sk.pred_window
        or cb.seq != sk.rcv_nxt
        or (sk.snd_nxt - cb.ack_seq) & 0x80000000
    ):
        return False
    sk.saw_tstamp = False
    sk.rx_sack = ()
    if sk.tstamp_ok:
        word, tsval, tsecr = _TS_OPTION(skb.buf, skb.transport_header + TCP_HDR_LEN)
        if word != TS_OPTION_WORD or (tsval - sk.ts_recent) & 0x80000000:
            return False
        sk.saw_tstamp = True
        sk.rcv_tsval = tsval
        sk.rcv_tsecr = tsecr - sk.tsoffset & 0xFFFFFFFF if tsecr else 0
    return True


def tcp_rcv_established(sk: TcpSock, skb: SkBuff) -> bool:
    """A segment in ESTABLISHED. Owns the skb. True: answer with a reset first (the caller frees).

    Linux: tcp_rcv_established.
    """
    cb: TcpSkbCb = skb.cb
    sk.tcp_mstamp = sk.net.kernel.clock.now
    size = cb.off_flags >> 12 << 2
    if _predicted(sk, skb, cb):
        if skb.len == size:
            if sk.saw_tstamp and sk.rcv_nxt == sk.rcv_wup:
                tcp_replace_ts_recent(sk, cb.seq)
            tcp_ack(sk, cb, 0, cb.window)
            consume_skb(skb)
            _data_snd_check(sk)
            return False
        if skb.truesize <= sk.sk_forward_alloc or (
            sk.sk_rmem_alloc <= sk.sk_rcvbuf and sk_rmem_schedule(sk, skb.truesize)
        ):
            _predicted_data(sk, skb, cb, size)
            return False
    return _established_slow(sk, skb, cb)


def _predicted_data(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, size: int) -> None:
    """In-order data on the fast path."""
    if sk.saw_tstamp and sk.rcv_nxt == sk.rcv_wup:
        tcp_replace_ts_recent(sk, cb.seq)
    skb.pull(size)
    skb.dst = None
    merged = tcp_queue_rcv(sk, skb)
    tcp_event_data_recv(sk, skb)
    if cb.ack_seq != sk.snd_una:
        tcp_ack(sk, cb, FLAG_DATA, cb.window)
        _data_snd_check(sk)
    tcp_ack_snd_check(sk, False)
    if merged:
        consume_skb(skb)
    sk.sk_data_ready(sk)


def _established_slow(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Linux: tcp_rcv_established, label slow_path."""
    if not cb.flags & (TCP_ACK | TCP_RST | TCP_SYN):
        return _drop(skb, drop_reason.TCP_FLAGS)
    if not _validate_incoming(sk, skb, cb):
        return False
    if not cb.flags & TCP_ACK:
        return _drop(skb, drop_reason.TCP_FLAGS)
    if tcp_ack(sk, cb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT, cb.window) < 0:
        return _drop(skb, drop_reason.TCP_ACK_UNSENT_DATA)
    tcp_data_queue(sk, skb)
    _data_snd_check(sk)
    tcp_ack_snd_check(sk)
    return False


# -- the connection begins -------------------------------------------------------------------------


def tcp_initialize_rcv_mss(sk: TcpSock) -> None:
    """Linux: tcp_initialize_rcv_mss."""
    hint = min(sk.advmss, sk.mss_cache, sk.rcv_wnd // 2, TCP_MSS_DEFAULT)
    sk.icsk_ack_rcv_mss = max(hint, TCP_MIN_MSS)


def tcp_init_transfer(sk: TcpSock) -> None:
    """Buffers, window and congestion control for a new connection.

    Linux: tcp_init_transfer, tcp_init_buffer_space.
    """
    now = sk.tcp_mstamp
    if not sk.sk_sndbuf_lock:
        tcp_sndbuf_expand(sk)
    sk.rcvq_space = min(sk.rcv_wnd, 10 * sk.advmss)
    sk.rcvq_time = now
    full = tcp_full_space(sk)
    if sk.window_clamp > full:
        sk.window_clamp = max(full, 2 * sk.advmss)
    sk.rcv_ssthresh = min(sk.rcv_ssthresh, sk.window_clamp)
    sk.snd_cwnd = 1 if sk.icsk_retransmits > 1 else tcp_init_cwnd(sk)
    sk.snd_cwnd_stamp = now
    tcp_assign_congestion_control(sk, sk.icsk_ca_ops)


def _finish_connect(sk: TcpSock) -> None:
    """Linux: tcp_finish_connect."""
    tcp_set_state(sk, TCP_ESTABLISHED)
    sk.icsk_ack_lrcvtime = sk.lsndtime = sk.tcp_mstamp
    tcp_init_transfer(sk)
    if sk.sk_keepopen:
        inet_csk_reset_keepalive_timer(
            sk, sk.keepalive_time or sk.net.tcp.keepalive_time * NSEC_PER_SEC
        )
    tcp_fast_path_on(sk)


def _take_syn_options(sk: TcpSock, options: TcpOptions) -> None:
    """What the peer's SYN offers, as far as we offered it too."""
    tcp = sk.net.tcp
    sk.tstamp_ok = bool(tcp.timestamps and options.timestamp is not None)
    sk.saw_tstamp = sk.tstamp_ok
    if sk.tstamp_ok and options.timestamp is not None:
        sk.rcv_tsval, tsecr = options.timestamp
        sk.rcv_tsecr = tsecr - sk.tsoffset & 0xFFFFFFFF if tsecr else 0
        sk.ts_recent = sk.rcv_tsval
        sk.ts_recent_stamp = sk.tcp_mstamp or 1
    sk.sack_ok = bool(tcp.sack and options.sack_perm)
    sk.wscale_ok = bool(tcp.window_scaling and options.wscale is not None)
    if sk.wscale_ok:
        sk.snd_wscale = min(options.wscale or 0, 14)
    else:
        sk.snd_wscale = sk.rcv_wscale = 0
        sk.window_clamp = min(sk.window_clamp, 65535)
    offered = TCP_MSS_DEFAULT if options.mss is None else options.mss
    sk.mss_clamp = max(min(offered, sk.user_mss or offered), 48)
    sk.tcp_header_len = TCP_TS_HDR_LEN if sk.tstamp_ok else TCP_HDR_LEN
    if sk.tstamp_ok:
        sk.advmss -= TCPOLEN_TSTAMP_ALIGNED


def _rcv_synsent(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """The answer to our SYN. Linux: tcp_rcv_synsent_state_process."""
    options = tcp_parse_options(skb, cb)
    if cb.flags & TCP_ACK:
        if not after(cb.ack_seq, sk.snd_una) or after(cb.ack_seq, sk.snd_nxt):
            if sk.icsk_retransmits == 0:
                inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, 200_000_000, TCP_RTO_MAX)
            return True
        if options.timestamp is not None and options.timestamp[1]:
            echoed = options.timestamp[1] - sk.tsoffset & 0xFFFFFFFF
            now_ts = sk.tcp_mstamp // 1_000_000 & 0xFFFFFFFF
            if after(echoed, now_ts):
                sk.net.count("PAWSActive")
                return True
        if cb.flags & TCP_RST:
            tcp_reset(sk)
            return _drop(skb, drop_reason.TCP_RESET)
        if not cb.flags & TCP_SYN:
            return _drop(skb, drop_reason.TCP_FLAGS)
        _synack_received(sk, cb, options)
        consume_skb(skb)
        return False
    if cb.flags & TCP_RST:
        return _drop(skb, drop_reason.TCP_RESET)
    if cb.flags & TCP_SYN:
        _simultaneous_open(sk, cb, options)
    return _drop(skb, drop_reason.NOT_SPECIFIED)


def _synack_received(sk: TcpSock, cb: TcpSkbCb, options: TcpOptions) -> None:
    """Our SYN is acknowledged: the connection stands on this side."""
    sk.snd_wl1 = cb.seq
    sk.max_window = cb.window
    retransmits = sk.icsk_retransmits
    _take_syn_options(sk, options)
    tcp_ack(sk, cb, FLAG_SLOWPATH, cb.window)
    sk.icsk_retransmits = retransmits
    sk.rcv_nxt = sk.copied_seq = cb.seq + 1 & 0xFFFFFFFF
    sk.rcv_wup = sk.rcv_nxt
    sk.snd_wnd = cb.window
    tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    tcp_initialize_rcv_mss(sk)
    _finish_connect(sk)
    sk.icsk_retransmits = 0
    if not sk.sock_dead:
        sk.sk_state_change(sk)
    if sk.sk_write_queue or sk.icsk_ack_pingpong >= sk.net.tcp.pingpong_thresh:
        sk.icsk_ack_pending |= ICSK_ACK_SCHED
        tcp_enter_quickack_mode(sk)
        _data_snd_check(sk)
        tcp_ack_snd_check(sk)
    else:
        tcp_send_ack(sk)
        _data_snd_check(sk)


def _simultaneous_open(sk: TcpSock, cb: TcpSkbCb, options: TcpOptions) -> None:
    """Both sides sent a SYN (RFC 9293 section 3.5, figure 7): ours goes out again as a SYN-ACK."""
    _take_syn_options(sk, options)
    tcp_set_state(sk, TCP_SYN_RECV)
    sk.rcv_nxt = sk.copied_seq = sk.rcv_wup = cb.seq + 1 & 0xFFFFFFFF
    sk.snd_wnd = sk.max_window = cb.window
    sk.snd_wl1 = cb.seq
    tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    tcp_initialize_rcv_mss(sk)
    head = sk.tcp_rtx_queue[0]
    head.cb.flags |= TCP_ACK
    tcp_retransmit_skb(sk, head)


# -- every other state -----------------------------------------------------------------------------


def _syn_recv_acked(sk: TcpSock, cb: TcpSkbCb) -> None:
    """The last ACK of the handshake, on the side that listened.

    Linux: tcp_rcv_state_process, case TCP_SYN_RECV.
    """
    sk.delivered += 1
    sk.copied_seq = sk.rcv_nxt
    tcp_set_state(sk, TCP_ESTABLISHED)
    sk.sk_state_change(sk)
    sk.snd_una = cb.ack_seq
    sk.snd_wnd = cb.window << sk.snd_wscale
    sk.snd_wl1 = cb.seq
    if not sk.srtt_us and sk.syn_stamp:
        tcp_ack_update_rtt(sk, 0, (sk.tcp_mstamp - sk.syn_stamp) // 1000, -1)
    if sk.tstamp_ok:
        sk.advmss -= TCPOLEN_TSTAMP_ALIGNED
    tcp_init_transfer(sk)
    sk.lsndtime = sk.tcp_mstamp
    tcp_initialize_rcv_mss(sk)
    tcp_fast_path_on(sk)


def _fin_wait1_acked(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """Our FIN is acknowledged; True when the socket is gone with it.

    Linux: tcp_rcv_state_process, case TCP_FIN_WAIT1.
    """
    tcp_set_state(sk, TCP_FIN_WAIT2)
    sk.sk_shutdown |= SEND_SHUTDOWN
    if not sk.sock_dead:
        sk.sk_state_change(sk)
        return False
    fin = cb.flags & TCP_FIN
    data_behind = cb.end_seq != cb.seq and after(cb.end_seq - bool(fin), sk.rcv_nxt)
    if sk.linger2 < 0 or data_behind:
        if data_behind:
            sk.net.count("TCPAbortOnData")
        tcp_done(sk)
        return True
    wait = tcp_fin_time(sk)
    if wait > TCP_TIMEWAIT_LEN:
        inet_csk_reset_keepalive_timer(sk, wait - TCP_TIMEWAIT_LEN)
    elif fin or sk.owned_by_user:
        inet_csk_reset_keepalive_timer(sk, wait)
    else:
        tcp_time_wait(sk, TCP_FIN_WAIT2, wait)
        return True
    return False


def _ack_moves_state(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """What the ACK means for the state; True when the connection is over with it."""
    state = sk.sk_state
    if state == TCP_SYN_RECV:
        _syn_recv_acked(sk, cb)
    elif state in (TCP_FIN_WAIT1, TCP_CLOSING, TCP_LAST_ACK) and sk.snd_una == sk.write_seq:
        if state == TCP_FIN_WAIT1:
            return _fin_wait1_acked(sk, cb)
        if state == TCP_CLOSING:
            tcp_time_wait(sk, TCP_TIME_WAIT, 0)
        else:
            tcp_done(sk)
        return True
    return False


def _take_data(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Step 7: the segment's text, by state. True: new data for a program that is gone, answer with
    a reset.
    """
    state = sk.sk_state
    if state in (TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK) and not before(cb.seq, sk.rcv_nxt):
        kfree_skb_reason(skb, drop_reason.NOT_SPECIFIED)
        return False
    if state in (TCP_FIN_WAIT1, TCP_FIN_WAIT2) and sk.sk_shutdown & RCV_SHUTDOWN:
        fin = bool(cb.flags & TCP_FIN)
        if cb.end_seq != cb.seq and after(cb.end_seq - fin & 0xFFFFFFFF, sk.rcv_nxt):
            sk.net.count("TCPAbortOnData")
            tcp_reset(sk)
            return True
    tcp_data_queue(sk, skb)
    return False


def tcp_rcv_state_process(sk: TcpSock, skb: SkBuff) -> bool:
    """A segment in any state but ESTABLISHED, LISTEN and TIME_WAIT. True: answer with a reset (the
    caller frees). Linux: tcp_rcv_state_process.
    """
    cb: TcpSkbCb = skb.cb
    sk.tcp_mstamp = sk.net.kernel.clock.now
    if sk.sk_state == TCP_CLOSE:
        return _drop(skb, drop_reason.TCP_CLOSE)
    if sk.sk_state == TCP_SYN_SENT:
        return _rcv_synsent(sk, skb, cb)
    if not cb.flags & (TCP_ACK | TCP_RST | TCP_SYN):
        return _drop(skb, drop_reason.TCP_FLAGS)
    if not _validate_incoming(sk, skb, cb):
        return False
    if not cb.flags & TCP_ACK:
        return _drop(skb, drop_reason.TCP_FLAGS)
    acceptable = tcp_ack(sk, cb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT, cb.window)
    if acceptable <= 0:
        if sk.sk_state == TCP_SYN_RECV:
            return True
        if acceptable < 0:
            tcp_send_challenge_ack(sk)
            return _drop(skb, drop_reason.TCP_OLD_ACK)
    if _ack_moves_state(sk, cb):
        consume_skb(skb)
        return False
    if _take_data(sk, skb, cb):
        return True
    if sk.sk_state != TCP_CLOSE:
        _data_snd_check(sk)
        tcp_ack_snd_check(sk)
    tcp_fast_path_check(sk)
    return False
