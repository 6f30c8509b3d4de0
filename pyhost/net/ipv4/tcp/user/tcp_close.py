"""How a program ends a connection: shutdown, close, disconnect.

Linux: net/ipv4/tcp.c, inet_connection_sock.c, tcp_ipv4.c.
"""

from __future__ import annotations

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb, kfree_skb_reason
from pyhost.net.core.sock import (
    SEND_SHUTDOWN,
    SHUTDOWN_MASK,
    TCP_CLOSE,
    TCP_FIN_WAIT2,
    TCP_LISTEN,
    TCP_SYN_SENT,
)
from pyhost.net.core.stream import sk_stream_wait_close
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_blackhole import (
    tcp_fastopen_active_disable_ofo_check,
)
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_destroy_sock,
    inet_csk_reset_keepalive_timer,
)
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_put_port
from pyhost.net.ipv4.tcp.handshake.request_sock import reqsk_fastopen_remove
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_set_state, tcp_write_queue_purge
from pyhost.net.ipv4.tcp.handshake.tcp_minisocks import TCP_TIMEWAIT_LEN, tcp_time_wait
from pyhost.net.ipv4.tcp.input.tcp_ofo import tcp_ofo_purge
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_send_active_reset, tcp_send_fin
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_clear_xmit_timers
from pyhost.net.ipv4.tcp.tcp_oom import tcp_check_oom
from pyhost.net.ipv4.tcp.tcp_sock import TCP_INIT_CWND, TCP_MSS_DEFAULT, TcpSock
from pyhost.net.ipv4.tcp.tcp_states import (
    ON_CLOSE,
    TCPF_CLOSE_WAIT,
    TCPF_ESTABLISHED,
    TCPF_FIN_WAIT1,
    TCPF_FIN_WAIT2,
    TCPF_SYN_RECV,
)
from pyhost.net.ipv4.tcp.tcp_timer import tcp_fin_time
from pyhost.uapi.errno import ECONNRESET
from pyhost.uapi.tcp import TCP_FIN

__all__ = ["tcp_close", "tcp_disconnect", "tcp_shutdown", "tcp_v4_destroy_sock"]

MAY_RESET = TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_SYN_RECV
SENDS_FIN = TCPF_ESTABLISHED | 1 << TCP_SYN_SENT | TCPF_CLOSE_WAIT


def _close_state(sk: TcpSock) -> bool:
    """Take the step of `ON_CLOSE`; whether a FIN must be sent. Linux: tcp_close_state."""
    state, fin = ON_CLOSE[sk.sk_state]
    tcp_set_state(sk, state)
    return fin


def tcp_shutdown(sk: TcpSock, how: int) -> None:
    """End our stream: what is queued is still sent, then a FIN. Linux: tcp_shutdown."""
    if how & SEND_SHUTDOWN and 1 << sk.sk_state & SENDS_FIN and _close_state(sk):
        tcp_send_fin(sk)


# -- close -----------------------------------------------------------------------------------------


def tcp_close(sk: TcpSock, timeout: int | None) -> None:
    """No process refers to the socket any more; linger for `timeout` ns. Linux: tcp_close."""
    sk.lock_sock()
    sk.hold()
    try:
        _close_locked(sk, timeout)
    finally:
        sk.release_sock()
    _close_orphan(sk)
    sk.put()


def _close_locked(sk: TcpSock, timeout: int | None) -> None:
    """Linux: __tcp_close, up to the orphan."""
    sk.sk_shutdown = SHUTDOWN_MASK
    if sk.sk_state == TCP_LISTEN:
        tcp_set_state(sk, TCP_CLOSE)
        _listen_stop(sk)
        return
    unread = _purge_receive_queue(sk)
    if sk.sk_state == TCP_CLOSE:
        return
    if unread:
        sk.net.count("TCPAbortOnClose")
        tcp_set_state(sk, TCP_CLOSE)
        tcp_send_active_reset(sk)
    elif sk.sk_linger and not sk.sk_lingertime:
        sk.net.count("TCPAbortOnData")
        tcp_disconnect(sk, 0)
    elif _close_state(sk):
        tcp_send_fin(sk)
    sk_stream_wait_close(sk, timeout)


def _purge_receive_queue(sk: TcpSock) -> bool:
    """Throw away what was not read; whether there was any data."""
    unread = False
    while sk.sk_receive_queue:
        skb = sk.sk_receive_queue.popleft()
        end = skb.cb.end_seq - bool(skb.cb.flags & TCP_FIN) & 0xFFFFFFFF
        if (sk.copied_seq - end) & 0x80000000:
            unread = True
            kfree_skb_reason(skb, drop_reason.QUEUE_PURGE)
        else:
            consume_skb(skb)
    return unread


def _close_orphan(sk: TcpSock) -> None:
    """The socket goes on by itself until the connection is over.

    Linux: __tcp_close, from sock_orphan on.
    """
    softirq = sk.net.kernel.softirq
    softirq.local_bh_disable()
    sk.sock_dead = True
    sk.sk_socket = None
    sk.net.tcp.orphan_count += 1
    gone = sk.sk_state == TCP_FIN_WAIT2 and _orphan_fin_wait2(sk)
    if not gone:
        if sk.sk_state != TCP_CLOSE and tcp_check_oom(sk, 0):
            tcp_set_state(sk, TCP_CLOSE)
            tcp_send_active_reset(sk)
            sk.net.count("TCPAbortOnMemory")
        if sk.sk_state == TCP_CLOSE:
            if sk.fastopen_rsk is not None:
                reqsk_fastopen_remove(sk, sk.fastopen_rsk, False)
            inet_csk_destroy_sock(sk)
    softirq.local_bh_enable()


def _orphan_fin_wait2(sk: TcpSock) -> bool:
    """Only the peer's FIN is missing; True when a small sock waits for it now, and `sk` is gone."""
    if sk.linger2 < 0:
        tcp_set_state(sk, TCP_CLOSE)
        tcp_send_active_reset(sk)
        sk.net.count("TCPAbortOnLinger")
        return False
    wait = tcp_fin_time(sk)
    if wait > TCP_TIMEWAIT_LEN:
        inet_csk_reset_keepalive_timer(sk, wait - TCP_TIMEWAIT_LEN)
        return False
    tcp_time_wait(sk, TCP_FIN_WAIT2, wait)
    return True


def _listen_stop(sk: TcpSock) -> None:
    """Nobody will accept the connections that wait: reset them, forget the requests.

    Linux: inet_csk_listen_stop.
    """
    for req in tuple(sk.listen_children.values()):
        req.unlink()
    while sk.accept_queue:
        child = sk.accept_queue.popleft()
        sk.sk_ack_backlog -= 1
        softirq = sk.net.kernel.softirq
        softirq.local_bh_disable()
        tcp_disconnect(child, 0)
        child.sock_dead = True
        sk.net.tcp.orphan_count += 1
        child.fastopen_rsk = None
        inet_csk_destroy_sock(child)
        softirq.local_bh_enable()
    sk.fastopenq = None


# -- disconnect ------------------------------------------------------------------------------------


def tcp_disconnect(sk: TcpSock, _flags: int) -> int:
    """Abort, with a reset where the peer must know, and be as new. Always 0.

    Linux: tcp_disconnect.
    """
    state = sk.sk_state
    if state == TCP_LISTEN:
        tcp_set_state(sk, TCP_CLOSE)
        _listen_stop(sk)
    elif state != TCP_CLOSE:
        tcp_set_state(sk, TCP_CLOSE)
        if 1 << state & MAY_RESET or (sk.snd_nxt != sk.write_seq and state != TCP_SYN_SENT):
            tcp_send_active_reset(sk)
            sk.sk_err = ECONNRESET
        elif state == TCP_SYN_SENT:
            sk.sk_err = ECONNRESET
    tcp_clear_xmit_timers(sk)
    _purge_receive_queue(sk)
    tcp_write_queue_purge(sk)
    tcp_ofo_purge(sk)
    _forget_connection(sk)
    sk.error_report()
    return 0


def _forget_connection(sk: TcpSock) -> None:
    """Linux: the second half of tcp_disconnect."""
    sk.inet_dport = sk.inet_daddr = 0
    bucket = sk.bind_bucket
    if bucket is None or bucket.shared_by_connect:
        sk.inet_rcv_saddr = sk.inet_saddr = 0
    sk.sk_shutdown = 0
    sk.srtt_us = sk.rttvar_us = sk.mdev_max_us = 0
    sk.icsk_rto = 1_000_000_000
    sk.icsk_backoff = sk.icsk_retransmits = sk.icsk_probes_out = 0
    sk.snd_cwnd = TCP_INIT_CWND
    sk.snd_ssthresh = 0x7FFFFFFF
    sk.snd_cwnd_cnt = 0
    sk.icsk_ca_state = 0
    sk.mss_clamp = TCP_MSS_DEFAULT
    sk.tstamp_ok = sk.sack_ok = sk.wscale_ok = False
    sk.snd_wscale = sk.rcv_wscale = 0
    sk.ts_recent = sk.ts_recent_stamp = 0
    sk.dsack = None
    sk.defer_connect = False
    sk.fastopen_req = None
    sk.fastopen_client_fail = 0
    sk.syn_fastopen = sk.syn_data = sk.syn_data_acked = False
    sk.urg_data = 0
    sk.sock_done = False
    sk.rcv_nxt = sk.copied_seq = sk.rcv_wup = 0
    sk.total_retrans = 0
    sk.window_clamp = 0
    sk.max_window = 0
    sk.sk_dst_cache = None


def tcp_v4_destroy_sock(sk: TcpSock) -> None:
    """Give back everything a socket holds; harmless when done already.

    Linux: tcp_v4_destroy_sock, inet_sock_destruct.
    """
    tcp_clear_xmit_timers(sk)
    tcp_fastopen_active_disable_ofo_check(sk)
    tcp_write_queue_purge(sk)
    _purge_receive_queue(sk)
    tcp_ofo_purge(sk)
    inet_put_port(sk)
    sk.fastopen_req = None
    sk.frag.release()
