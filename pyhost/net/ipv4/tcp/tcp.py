"""TCP as a protocol of sockets: poll, and the table `tcp_prot`. RFC 9293. Linux: net/ipv4/tcp.c.

Where to look for the rest: writing in tcp_sendmsg.py and tcp_push.py, reading in tcp_recvmsg.py,
the end of a connection in tcp_close.py and tcp_done.py, socket options in tcp_sockopt.py, segments
going out in tcp_output.py and coming in in tcp_input.py, the states and what moves them in
tcp_states.py.

Not supported: urgent data, TCP Fast Open, SYN cookies, MD5 and AO signatures, ECN.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pyhost.net.core.sock import (
    EPOLLERR,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLPRI,
    EPOLLRDHUP,
    EPOLLRDNORM,
    EPOLLWRNORM,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SHUTDOWN_MASK,
    TCP_CLOSE,
    TCP_LISTEN,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    Proto,
)
from pyhost.net.core.stream import sk_stream_memory_free
from pyhost.net.ipv4.tcp.congestion.tcp_cong import RENO, tcp_assign_congestion_control
from pyhost.net.ipv4.tcp.congestion.tcp_cubic import CUBIC
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_accept
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_csk_get_port, inet_unhash
from pyhost.net.ipv4.tcp.input.tcp_err import tcp_v4_err
from pyhost.net.ipv4.tcp.input.tcp_urgent import TCP_URG_VALID
from pyhost.net.ipv4.tcp.output.tcp_tasklet import tcp_tsq_tasklet
from pyhost.net.ipv4.tcp.tcp_ipv4 import tcp_v4_connect, tcp_v4_do_rcv, tcp_v4_rcv
from pyhost.net.ipv4.tcp.tcp_mem import tcp_enter_memory_pressure, tcp_leave_memory_pressure
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet
from pyhost.net.ipv4.tcp.tcp_timer import tcp_init_xmit_timers, tcp_release_cb
from pyhost.net.ipv4.tcp.tcp_window import tcp_receive_window
from pyhost.net.ipv4.tcp.user.tcp_close import (
    tcp_close,
    tcp_disconnect,
    tcp_shutdown,
    tcp_v4_destroy_sock,
)
from pyhost.net.ipv4.tcp.user.tcp_opt_stats import tcp_get_timestamping_opt_stats
from pyhost.net.ipv4.tcp.user.tcp_recvmsg import tcp_recvmsg
from pyhost.net.ipv4.tcp.user.tcp_sendmsg import tcp_sendmsg
from pyhost.net.ipv4.tcp.user.tcp_sockopt import tcp_getsockopt, tcp_set_keepalive, tcp_setsockopt
from pyhost.net.ipv4.tcp.user.tcp_tstamp import tcp_first_tskey
from pyhost.net.socket import sock_poll_wait
from pyhost.uapi.ip import IPPROTO_TCP

if TYPE_CHECKING:
    from pyhost.fs.poll import PollTable
    from pyhost.net.net_namespace import Net
    from pyhost.net.socket import Socket

__all__ = ["TcpNet", "tcp_init", "tcp_poll", "tcp_prot"]

TCP_OBJ_SIZE = 2560


def tcp_init(net: Net) -> None:
    """Bring up TCP on a machine. Linux: tcp_init."""
    net.tcp = TcpNet(net, {"cubic": CUBIC, "reno": RENO}, tcp_tsq_tasklet)
    net.inet_protos[IPPROTO_TCP] = tcp_v4_rcv
    net.icmp.err_handlers[IPPROTO_TCP] = partial(tcp_v4_err, net)


def tcp_v4_init_sock(sk: TcpSock) -> int:
    """Linux: tcp_v4_init_sock, tcp_init_sock."""
    tcp_init_xmit_timers(sk)
    tcp_assign_congestion_control(sk, sk.icsk_ca_ops)
    return 0


def tcp_hash(sk: TcpSock) -> int:
    """Make a listener findable. Linux: inet_hash."""
    if sk.sk_state == TCP_LISTEN:
        sk.net.tcp.lhash.setdefault(sk.inet_num, []).append(sk)
    return 0


# -- poll ------------------------------------------------------------------------------------------


def tcp_poll(sock: Socket, wait: PollTable | None) -> int:
    """The EPOLL* events that are true now. Linux: tcp_poll."""
    sock_poll_wait(sock, wait)
    return tcp_poll_mask(sock.sk)


def tcp_poll_mask(sk: TcpSock) -> int:
    """Linux: tcp_poll, after sock_poll_wait."""
    state = sk.sk_state
    if state == TCP_LISTEN:
        return EPOLLIN | EPOLLRDNORM if sk.accept_queue else 0
    mask = 0
    if sk.sk_shutdown == SHUTDOWN_MASK or state == TCP_CLOSE:
        mask |= EPOLLHUP
    if sk.sk_shutdown & RCV_SHUTDOWN:
        mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP
    if state != TCP_SYN_SENT and (state != TCP_SYN_RECV or sk.fastopen_rsk is not None):
        if _readable(sk):
            mask |= EPOLLIN | EPOLLRDNORM
        if sk.urg_data & TCP_URG_VALID:
            mask |= EPOLLPRI
        if sk.sk_shutdown & SEND_SHUTDOWN or _writeable(sk):
            mask |= EPOLLOUT | EPOLLWRNORM
        else:
            sk.sock_nospace = True
    elif state == TCP_SYN_SENT and sk.defer_connect:
        mask |= EPOLLOUT | EPOLLWRNORM
    if sk.sk_err or sk.sk_error_queue:
        mask |= EPOLLERR
    return mask


def _readable(sk: TcpSock) -> bool:
    """Whether as much can be read as SO_RCVLOWAT asks for; an urgent byte that is next does not
    count. Linux: tcp_stream_is_readable, tcp_epollin_ready.
    """
    wanted = max(sk.sk_rcvlowat, 1)
    if sk.urg_data and sk.urg_seq == sk.copied_seq and not sk.urginline:
        wanted += 1
    available = sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF
    if not available or available & 0x80000000:
        return False
    if available >= wanted or sk.sk_rmem_alloc > sk.sk_rcvbuf:
        return True
    return tcp_receive_window(sk) <= sk.icsk_ack_rcv_mss


def _writeable(sk: TcpSock) -> bool:
    """Linux: sk_stream_is_writeable."""
    return sk.sk_sndbuf - sk.sk_wmem_queued >= sk.sk_wmem_queued >> 1 and sk_stream_memory_free(
        sk, 1
    )


tcp_prot = Proto(
    name="TCP",
    obj_size=TCP_OBJ_SIZE,
    no_autobind=True,
    init=tcp_v4_init_sock,
    destroy=tcp_v4_destroy_sock,
    close=tcp_close,
    connect=tcp_v4_connect,
    disconnect=tcp_disconnect,
    accept=inet_csk_accept,
    sendmsg=tcp_sendmsg,
    recvmsg=tcp_recvmsg,
    setsockopt=tcp_setsockopt,
    getsockopt=tcp_getsockopt,
    shutdown=tcp_shutdown,
    backlog_rcv=tcp_v4_do_rcv,
    release_cb=tcp_release_cb,
    keepalive=tcp_set_keepalive,
    hash=tcp_hash,
    unhash=inet_unhash,
    get_port=inet_csk_get_port,
    enter_memory_pressure=tcp_enter_memory_pressure,
    leave_memory_pressure=tcp_leave_memory_pressure,
    tskey=tcp_first_tskey,
    opt_stats=tcp_get_timestamping_opt_stats,
)
