"""A segment in any state but ESTABLISHED, LISTEN and TIME_WAIT. RFC 9293 section 3.10.7.4. Linux:
net/ipv4/tcp_input.c tcp_rcv_state_process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb
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
from pyhost.net.ipv4.tcp.ack.tcp_ack import tcp_ack
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import (
    FLAG_NO_CHALLENGE_ACK,
    FLAG_SLOWPATH,
    FLAG_SYN_ACKED,
    FLAG_UPDATE_TS_RECENT,
)
from pyhost.net.ipv4.tcp.ack.tcp_rtt import tcp_ack_update_rtt
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen import tcp_rcv_synrecv_state_fastopen
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_blackhole import tcp_fastopen_active_disable
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_keepalive_timer
from pyhost.net.ipv4.tcp.handshake.tcp_conn_request import tcp_check_req_fastopen
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_done, tcp_reset, tcp_set_state
from pyhost.net.ipv4.tcp.handshake.tcp_init_transfer import (
    tcp_init_transfer,
    tcp_initialize_rcv_mss,
)
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import tcp_update_metrics
from pyhost.net.ipv4.tcp.handshake.tcp_minisocks import TCP_TIMEWAIT_LEN, tcp_time_wait
from pyhost.net.ipv4.tcp.handshake.tcp_synsent import tcp_rcv_synsent_state_process
from pyhost.net.ipv4.tcp.input.tcp_data import tcp_data_queue
from pyhost.net.ipv4.tcp.input.tcp_delack import (
    tcp_ack_snd_check,
    tcp_fast_path_check,
    tcp_fast_path_on,
)
from pyhost.net.ipv4.tcp.input.tcp_input import tcp_data_snd_check
from pyhost.net.ipv4.tcp.input.tcp_oow import tcp_send_challenge_ack
from pyhost.net.ipv4.tcp.input.tcp_urgent import tcp_urg
from pyhost.net.ipv4.tcp.input.tcp_validate import drop_segment, tcp_validate_incoming
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_update_pacing_rate
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock, after, before
from pyhost.net.ipv4.tcp.tcp_timer import tcp_fin_time
from pyhost.net.ipv4.tcp.tcp_window import TCPOLEN_TSTAMP_ALIGNED
from pyhost.net.ipv4.tcp.user.tcp_close import tcp_shutdown
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TCP_URG

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_rcv_state_process"]

GO_ON = 0
CONSUMED = 1
ABORT = 2
"""What a change of state leaves to do with the segment: process its text, nothing, a reset."""

STEP5 = FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT | FLAG_NO_CHALLENGE_ACK


def tcp_rcv_state_process(sk: TcpSock, skb: SkBuff) -> bool:
    """Process a segment. Owns the skb unless the result is True: answer with a reset.

    Linux: tcp_rcv_state_process.
    """
    cb: TcpSkbCb = skb.cb
    sk.tcp_mstamp = sk.net.kernel.clock.now
    if sk.sk_state == TCP_CLOSE:
        return drop_segment(skb, drop_reason.TCP_CLOSE)
    if sk.sk_state == TCP_SYN_SENT:
        return tcp_rcv_synsent_state_process(sk, skb, cb)
    if sk.fastopen_rsk is not None and not tcp_check_req_fastopen(sk, skb, cb):
        return drop_segment(skb, drop_reason.TCP_FASTOPEN)
    if not cb.flags & (TCP_ACK | TCP_RST | TCP_SYN):
        return drop_segment(skb, drop_reason.TCP_FLAGS)
    if not tcp_validate_incoming(sk, skb, cb):
        return False
    if not cb.flags & TCP_ACK:
        return drop_segment(skb, drop_reason.TCP_FLAGS)
    acceptable = tcp_ack(sk, cb, STEP5, cb.window)
    if acceptable <= 0:
        if sk.sk_state == TCP_SYN_RECV:
            return True
        if acceptable < 0:
            tcp_send_challenge_ack(sk)
            return drop_segment(skb, drop_reason.TCP_OLD_ACK)
    verdict = _ack_moves_state(sk, cb)
    if verdict == ABORT:
        return True
    if verdict == CONSUMED:
        consume_skb(skb)
        return False
    return _text(sk, skb, cb)


# -- what the ACK means ----------------------------------------------------------------------------


def _ack_moves_state(sk: TcpSock, cb: TcpSkbCb) -> int:
    """GO_ON, CONSUMED when the connection is over with it, or ABORT."""
    state = sk.sk_state
    if state == TCP_SYN_RECV:
        _syn_recv_acked(sk, cb)
    elif state == TCP_FIN_WAIT1:
        if sk.fastopen_rsk is not None:
            tcp_rcv_synrecv_state_fastopen(sk)
        if sk.snd_una == sk.write_seq:
            return _fin_wait1_acked(sk, cb)
    elif state == TCP_CLOSING and sk.snd_una == sk.write_seq:
        tcp_time_wait(sk, TCP_TIME_WAIT, 0)
        return CONSUMED
    elif state == TCP_LAST_ACK and sk.snd_una == sk.write_seq:
        tcp_update_metrics(sk)
        tcp_done(sk)
        return CONSUMED
    return GO_ON


def _synack_rtt_meas(sk: TcpSock) -> None:
    """The SYN-ACK gives the first round trip, unless it was sent twice. Linux:
    tcp_synack_rtt_meas.
    """
    request = sk.fastopen_rsk
    sent = sk.syn_stamp
    if request is not None:
        sent = 0 if request.num_retrans else request.stamp
    rtt_us = (sk.tcp_mstamp - sent) // 1000 if sent else -1
    tcp_ack_update_rtt(sk, FLAG_SYN_ACKED, rtt_us, -1, rtt_us)


def _syn_recv_acked(sk: TcpSock, cb: TcpSkbCb) -> None:
    """The last ACK of the handshake, on the side that listened, or of a simultaneous open.

    Linux: tcp_rcv_state_process, case TCP_SYN_RECV.
    """
    sk.delivered += 1
    if not sk.srtt_us:
        _synack_rtt_meas(sk)
    if sk.tstamp_ok:
        sk.advmss -= TCPOLEN_TSTAMP_ALIGNED
    if sk.fastopen_rsk is not None:
        tcp_rcv_synrecv_state_fastopen(sk)
    else:
        sk.retrans_stamp = 0
        tcp_init_transfer(sk)
        sk.copied_seq = sk.rcv_nxt
    tcp_set_state(sk, TCP_ESTABLISHED)
    sk.sk_state_change(sk)
    sk.snd_una = cb.ack_seq
    sk.snd_wnd = cb.window << sk.snd_wscale
    sk.snd_wl1 = cb.seq
    tcp_update_pacing_rate(sk)
    sk.lsndtime = sk.tcp_mstamp
    tcp_initialize_rcv_mss(sk)
    tcp_fast_path_on(sk)
    if sk.sk_shutdown & SEND_SHUTDOWN:
        tcp_shutdown(sk, SEND_SHUTDOWN)


def _fin_wait1_acked(sk: TcpSock, cb: TcpSkbCb) -> int:
    """Our FIN is acknowledged. Linux: tcp_rcv_state_process, case TCP_FIN_WAIT1."""
    tcp_set_state(sk, TCP_FIN_WAIT2)
    sk.sk_shutdown |= SEND_SHUTDOWN
    if not sk.sock_dead:
        sk.sk_state_change(sk)
        return GO_ON
    fin = cb.flags & TCP_FIN
    data_behind = cb.end_seq != cb.seq and after(cb.end_seq - bool(fin) & 0xFFFFFFFF, sk.rcv_nxt)
    if sk.linger2 < 0 or data_behind:
        if data_behind and sk.syn_fastopen and fin:
            tcp_fastopen_active_disable(sk)
        tcp_done(sk)
        sk.net.count("TCPAbortOnData")
        return ABORT
    wait = tcp_fin_time(sk)
    if wait > TCP_TIMEWAIT_LEN:
        inet_csk_reset_keepalive_timer(sk, wait - TCP_TIMEWAIT_LEN)
    elif fin or sk.owned_by_user:
        inet_csk_reset_keepalive_timer(sk, wait)
    else:
        tcp_time_wait(sk, TCP_FIN_WAIT2, wait)
        return CONSUMED
    return GO_ON


# -- urgent pointer and text -----------------------------------------------------------------------


def _text(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Steps 6 and 7. True: new data for a program that is gone, answer with a reset."""
    if cb.flags & TCP_URG:
        tcp_urg(sk, skb, cb)
    state = sk.sk_state
    queued = True
    if state in (TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK) and not before(cb.seq, sk.rcv_nxt):
        queued = False
    elif state != TCP_ESTABLISHED and sk.sk_shutdown & RCV_SHUTDOWN:
        fin = bool(cb.flags & TCP_FIN)
        if cb.end_seq != cb.seq and after(cb.end_seq - fin & 0xFFFFFFFF, sk.rcv_nxt):
            sk.net.count("TCPAbortOnData")
            tcp_reset(sk)
            return True
    if queued:
        tcp_data_queue(sk, skb)
    if sk.sk_state != TCP_CLOSE:
        tcp_data_snd_check(sk)
        tcp_ack_snd_check(sk)
    if not queued:
        return drop_segment(skb, drop_reason.TCP_CLOSE)
    tcp_fast_path_check(sk)
    return False
