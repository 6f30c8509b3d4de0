"""Sockets of the Internet family. Linux: net/ipv4/af_inet.c.

`inet_stream_ops` and `inet_dgram_ops` are what `Socket.ops` is for TCP and UDP; both lead on to
`sk.sk_prot`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.core.datagram import datagram_ioctl, datagram_poll
from pyhost.net.core.sock import (
    RCV_SHUTDOWN,
    SHUTDOWN_MASK,
    TCP_CLOSE,
    TCP_LISTEN,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    InetSock,
    MsgHdr,
    Proto,
)
from pyhost.net.ipv4.fib.devinet_ioctl import DEVINET_COMMANDS, devinet_ioctl, inet_gifconf
from pyhost.net.ipv4.fib.route import RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, inet_addr_type
from pyhost.net.ipv4.ip.inet_offload import ipv4_offload_init
from pyhost.net.ipv4.ip.ip_init import ip_init
from pyhost.net.ipv4.raw import RawSock, raw_bind, raw_prot
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_listen_start
from pyhost.net.ipv4.tcp.handshake.request_sock import tcp_fastopen_listen
from pyhost.net.ipv4.tcp.tcp import tcp_init, tcp_poll, tcp_prot
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.ipv4.tcp.user.inet_connect import inet_stream_connect
from pyhost.net.ipv4.tcp.user.tcp_ioctl import tcp_ioctl
from pyhost.net.ipv4.tcp.user.tcp_rcvlowat import tcp_set_rcvlowat
from pyhost.net.ipv4.tcp.user.tcp_sendmsg import tcp_splice_eof
from pyhost.net.ipv4.tcp.user.tcp_splice_read import tcp_splice_read
from pyhost.net.ipv4.udp.udp import UdpSock, udp_prot
from pyhost.net.socket import (
    SS_CONNECTED,
    SS_CONNECTING,
    SS_DISCONNECTING,
    SS_UNCONNECTED,
    IfIoctl,
    ProtoOps,
    Socket,
    sock_graft,
    sock_init_data,
    sock_no_accept,
    sock_no_listen,
    sock_no_socketpair,
)
from pyhost.uapi.errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EAGAIN,
    EINVAL,
    ENOTCONN,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from pyhost.uapi.fcntl import O_NONBLOCK
from pyhost.uapi.socket import (
    AF_INET,
    AF_UNSPEC,
    INADDR_ANY,
    IPPROTO_IP,
    IPPROTO_MAX,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOCKADDR_FAMILY,
    SOCKADDR_IN,
    pack_sockaddr_in,
    unpack_sockaddr_in,
)

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["InetProtosw", "inet_create", "inet_dgram_ops", "inet_init", "inet_stream_ops"]

CONNECTING = 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECV


class InetProtosw(NamedTuple):
    """One kind of Internet socket.

    Linux: struct inet_protosw; `make_sock` stands for `prot->obj_size`.
    """

    type: int
    protocol: int
    prot: Proto
    ops: ProtoOps
    make_sock: Callable[[Net, int, int, int, Proto], InetSock]


def inet_init(net: Net) -> None:
    """Bring up IPv4 on a machine. Linux: inet_init."""
    ipv4_offload_init(net)
    ip_init(net)
    tcp_init(net)
    net.families[AF_INET] = inet_create


# -- making and ending ------------------------------------------------------------------------


def inet_create(net: Net, sock: Socket, protocol: int) -> int:
    """Find the protocol for type and number, and make its sock. Linux: inet_create.

    EINVAL: the number is out of range; ESOCKTNOSUPPORT: no such type; EPROTONOSUPPORT: no such
    protocol of that type.
    """
    if not 0 <= protocol < IPPROTO_MAX:
        return -EINVAL
    entry = _find_protosw(sock.type, protocol)
    if isinstance(entry, int):
        return entry
    sock.ops = entry.ops
    sk = entry.make_sock(net, AF_INET, sock.type, entry.protocol or protocol, entry.prot)
    sock_init_data(sock, sk)
    err = sk.sk_prot.init(sk)
    if err:
        sk.put()
        sock.sk = None
    return err


def _find_protosw(sock_type: int, protocol: int) -> InetProtosw | int:
    known = [entry for entry in INETSW if entry.type == sock_type]
    for entry in known:
        if entry.protocol == IPPROTO_IP:
            if protocol != IPPROTO_IP:
                return entry
        elif protocol in (entry.protocol, IPPROTO_IP):
            return entry
    return -EPROTONOSUPPORT if known else -ESOCKTNOSUPPORT


def inet_release(sock: Socket) -> int:
    """The socket's file is gone: close the sock, lingering as SO_LINGER says.

    Linux: inet_release.
    """
    sk = sock.sk
    sock.sk = None
    sk.sk_prot.close(sk, sk.sk_lingertime if sk.sk_linger else 0)
    return 0


# -- names ------------------------------------------------------------------------------------


def inet_bind(sock: Socket, addr: bytes) -> int:
    """Take a local address and port. Linux: inet_bind, __inet_bind.

    EINVAL: short sockaddr, or bound already; EAFNOSUPPORT; EADDRNOTAVAIL: not our address;
    EADDRINUSE.
    """
    if len(addr) < SOCKADDR_IN.size:
        return -EINVAL
    family, saddr, port = unpack_sockaddr_in(addr)
    if family != AF_INET and (family != AF_UNSPEC or saddr != INADDR_ANY):
        return -EAFNOSUPPORT
    sk: InetSock = sock.sk
    kind = inet_addr_type(sock.net, saddr) if saddr else RTN_LOCAL
    if kind not in BINDABLE and not _may_bind_anything(sk):
        return -EADDRNOTAVAIL
    sk.lock_sock()
    try:
        return _do_bind(sk, saddr, port, kind)
    finally:
        sk.release_sock()


BINDABLE = (RTN_LOCAL, RTN_MULTICAST, RTN_BROADCAST)


def _may_bind_anything(sk: InetSock) -> bool:
    """Linux: inet_can_nonlocal_bind."""
    return bool(sk.inet_freebind or sk.transparent or sk.net.ipv4.sysctl_ip_nonlocal_bind)


def _do_bind(sk: InetSock, saddr: int, port: int, kind: int) -> int:
    if sk.sk_state != TCP_CLOSE or sk.inet_num:
        return -EINVAL
    sk.inet_rcv_saddr = saddr
    sk.inet_saddr = saddr if kind == RTN_LOCAL else 0
    later = sk.bind_address_no_port and not port
    if not later and sk.sk_prot.get_port(sk, port):
        sk.inet_saddr = sk.inet_rcv_saddr = 0
        return -EADDRINUSE
    sk.inet_sport = sk.inet_num
    sk.inet_daddr = sk.inet_dport = 0
    sk.sk_dst_cache = None
    return 0


def inet_autobind(sk: InetSock) -> int:
    """Take a free port when there is none yet: 0 or -EAGAIN. Linux: inet_autobind."""
    sk.lock_sock()
    try:
        if not sk.inet_num:
            if sk.sk_prot.get_port(sk, 0):
                return -EAGAIN
            sk.inet_sport = sk.inet_num
        return 0
    finally:
        sk.release_sock()


def inet_getname(sock: Socket, peer: int) -> bytes | int:
    """The sockaddr of one end; -ENOTCONN. Linux: inet_getname."""
    sk: InetSock = sock.sk
    if not peer:
        return pack_sockaddr_in(sk.inet_rcv_saddr or sk.inet_saddr, sk.inet_sport)
    if not sk.inet_dport or (peer == 1 and sk.sk_state in (TCP_CLOSE, TCP_SYN_SENT)):
        return -ENOTCONN
    return pack_sockaddr_in(sk.inet_daddr, sk.inet_dport)


# -- connections ------------------------------------------------------------------------------


def inet_dgram_connect(sock: Socket, addr: bytes, flags: int) -> int:
    """connect() on UDP: fix the peer; AF_UNSPEC takes it back. Linux: inet_dgram_connect."""
    sk: InetSock = sock.sk
    if len(addr) < SOCKADDR_FAMILY.size:
        return -EINVAL
    if SOCKADDR_FAMILY.unpack_from(addr)[0] == AF_UNSPEC:
        return sk.sk_prot.disconnect(sk, flags)
    if not sk.inet_num and inet_autobind(sk):
        return -EAGAIN
    return sk.sk_prot.connect(sk, addr)


def inet_listen(sock: Socket, backlog: int) -> int:
    """Wait for connections, or change the backlog. Linux: inet_listen, __inet_listen_sk."""
    sk = sock.sk
    sk.lock_sock()
    try:
        if sock.state != SS_UNCONNECTED or sock.type != SOCK_STREAM:
            return -EINVAL
        if sk.sk_state not in (TCP_CLOSE, TCP_LISTEN):
            return -EINVAL
        sk.sk_max_ack_backlog = backlog
        if sk.sk_state != TCP_LISTEN:
            tcp_fastopen_listen(sk, backlog)
        return 0 if sk.sk_state == TCP_LISTEN else inet_csk_listen_start(sk)
    finally:
        sk.release_sock()


def inet_accept(sock: Socket, newsock: Socket, flags: int) -> int:
    """Take the next connection of a listening socket into `newsock`. Linux: inet_accept."""
    sk: InetSock = sock.sk
    accept = sk.sk_prot.accept
    assert accept is not None
    sk2 = accept(sk, flags)
    if isinstance(sk2, int):
        return sk2
    sk2.lock_sock()
    sock_graft(sk2, newsock)
    newsock.state = SS_CONNECTED
    sk2.release_sock()
    return 0


def inet_shutdown(sock: Socket, how: int) -> int:
    """shutdown(): 0, -EINVAL, or -ENOTCONN, which still shuts down. Linux: inet_shutdown."""
    how += 1
    if how & ~SHUTDOWN_MASK or not how:
        return -EINVAL
    sk: InetSock = sock.sk
    sk.lock_sock()
    try:
        if sock.state == SS_CONNECTING:
            undone = sk.sk_state in (TCP_SYN_SENT, TCP_SYN_RECV, TCP_CLOSE)
            sock.state = SS_DISCONNECTING if undone else SS_CONNECTED
        err = _do_shutdown(sock, sk, how)
        sk.sk_state_change(sk)
        return err
    finally:
        sk.release_sock()


def _do_shutdown(sock: Socket, sk: InetSock, how: int) -> int:
    if sk.sk_state == TCP_SYN_SENT or (sk.sk_state == TCP_LISTEN and how & RCV_SHUTDOWN):
        err = sk.sk_prot.disconnect(sk, O_NONBLOCK)
        sock.state = SS_DISCONNECTING if err else SS_UNCONNECTED
        return err
    if sk.sk_state == TCP_LISTEN:
        return 0
    err = -ENOTCONN if sk.sk_state == TCP_CLOSE else 0
    sk.sk_shutdown |= how
    if sk.sk_prot.shutdown is not None:
        sk.sk_prot.shutdown(sk, how)
    return err


# -- messages and options ---------------------------------------------------------------------


def inet_sendmsg(sock: Socket, msg: MsgHdr, size: int) -> int:
    """Bind to a free port if the protocol wants one, then send.

    Linux: inet_sendmsg, inet_send_prepare.
    """
    sk: InetSock = sock.sk
    prot = sk.sk_prot
    if not sk.inet_num and not prot.no_autobind and inet_autobind(sk):
        return -EAGAIN
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("inet_sendmsg", 0, prot=prot.name, size=size)
    return prot.sendmsg(sk, msg, size)


def inet_recvmsg(sock: Socket, msg: MsgHdr, size: int, flags: int) -> int:
    """Linux: inet_recvmsg."""
    sk: InetSock = sock.sk
    return sk.sk_prot.recvmsg(sk, msg, size, flags)


def sock_common_setsockopt(sock: Socket, level: int, optname: int, value: bytes) -> int:
    """Linux: sock_common_setsockopt."""
    sk: InetSock = sock.sk
    return sk.sk_prot.setsockopt(sk, level, optname, value)


def sock_common_getsockopt(sock: Socket, level: int, optname: int, maxlen: int) -> bytes | int:
    """Linux: sock_common_getsockopt."""
    sk: InetSock = sock.sk
    return sk.sk_prot.getsockopt(sk, level, optname, maxlen)


INET_IF_IOCTL = IfIoctl(DEVINET_COMMANDS, devinet_ioctl, inet_gifconf)

inet_stream_ops = ProtoOps(
    family=AF_INET,
    release=inet_release,
    bind=inet_bind,
    connect=inet_stream_connect,
    socketpair=sock_no_socketpair,
    accept=inet_accept,
    getname=inet_getname,
    poll=tcp_poll,
    listen=inet_listen,
    shutdown=inet_shutdown,
    setsockopt=sock_common_setsockopt,
    getsockopt=sock_common_getsockopt,
    sendmsg=inet_sendmsg,
    recvmsg=inet_recvmsg,
    splice_eof=tcp_splice_eof,
    splice_read=tcp_splice_read,
    ioctl=tcp_ioctl,
    set_rcvlowat=tcp_set_rcvlowat,
    if_ioctl=INET_IF_IOCTL,
)

inet_dgram_ops = ProtoOps(
    family=AF_INET,
    release=inet_release,
    bind=inet_bind,
    connect=inet_dgram_connect,
    socketpair=sock_no_socketpair,
    accept=sock_no_accept,
    getname=inet_getname,
    poll=datagram_poll,
    listen=sock_no_listen,
    shutdown=inet_shutdown,
    setsockopt=sock_common_setsockopt,
    getsockopt=sock_common_getsockopt,
    sendmsg=inet_sendmsg,
    recvmsg=inet_recvmsg,
    ioctl=datagram_ioctl,
    if_ioctl=INET_IF_IOCTL,
)

inet_sockraw_ops = replace(inet_dgram_ops, bind=raw_bind)

INETSW = (
    InetProtosw(SOCK_STREAM, IPPROTO_TCP, tcp_prot, inet_stream_ops, TcpSock),
    InetProtosw(SOCK_DGRAM, IPPROTO_UDP, udp_prot, inet_dgram_ops, UdpSock),
    InetProtosw(SOCK_RAW, IPPROTO_IP, raw_prot, inet_sockraw_ops, RawSock),
)
"""Linux: inetsw_array."""
