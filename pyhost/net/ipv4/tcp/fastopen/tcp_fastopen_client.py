"""TCP Fast Open for the program that connects: sending before there is a connection. RFC 7413
section 4.2. Linux: net/ipv4/tcp.c tcp_sendmsg_fastopen, net/ipv4/tcp_input.c
tcp_rcv_fastopen_synack.

    program                          first connection            later ones
    sendto(MSG_FASTOPEN)             SYN asks for a cookie, the  SYN has cookie and data; the call
                                     data waits for the SYN-ACK  returns what fitted
    TCP_FASTOPEN_CONNECT, connect()  the same SYN                sends nothing: the first write does
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import TCP_CLOSE, MsgHdr
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_ctx import TFO_CLIENT_ENABLE
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenCookie, FastopenRequest
from pyhost.net.ipv4.tcp.handshake.tcp_connect import tcp_connect
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_set_state
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.ipv4.tcp.user.inet_connect import inet_stream_connect_locked
from pyhost.uapi.errno import EALREADY, EOPNOTSUPP
from pyhost.uapi.fcntl import O_NONBLOCK
from pyhost.uapi.socket import AF_UNSPEC, MSG_DONTWAIT, SOCKADDR_FAMILY

if TYPE_CHECKING:
    from pyhost.net.core.ubuf import UbufInfo

__all__ = ["tcp_sendmsg_fastopen"]


def tcp_sendmsg_fastopen(
    sk: TcpSock, msg: MsgHdr, size: int, uarg: UbufInfo | None
) -> tuple[int, int]:
    """Connect and send in one: (0 or a negative errno, bytes that left with the SYN). The socket is
    locked.

    -EOPNOTSUPP: not allowed, or AF_UNSPEC; -EALREADY: one is under way; else as connect().
    -EINPROGRESS with bytes is success. Linux: tcp_sendmsg_fastopen.
    """
    name = msg.name or None
    if not sk.net.tcp.fastopen & TFO_CLIENT_ENABLE:
        return -EOPNOTSUPP, 0
    if name and len(name) >= SOCKADDR_FAMILY.size and _family(name) == AF_UNSPEC:
        return -EOPNOTSUPP, 0
    if sk.fastopen_req is not None:
        return -EALREADY, 0
    sk.fastopen_req = FastopenRequest(FastopenCookie(), msg, size, uarg=uarg)
    if sk.defer_connect and tcp_connect(sk):
        tcp_set_state(sk, TCP_CLOSE)
        sk.inet_dport = 0
    flags = O_NONBLOCK if msg.flags & MSG_DONTWAIT else 0
    assert sk.sk_socket is not None
    err = inet_stream_connect_locked(sk.sk_socket, name, flags, True)
    copied = 0
    if sk.fastopen_req is not None:
        copied = sk.fastopen_req.copied
        sk.fastopen_req = None
        sk.defer_connect = False
    return err, copied


def _family(name: bytes) -> int:
    family: int = SOCKADDR_FAMILY.unpack_from(name)[0]
    return family
