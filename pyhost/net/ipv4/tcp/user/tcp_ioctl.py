"""What a program may ask about the queues of a TCP socket. Linux: net/ipv4/tcp.c tcp_ioctl,
include/net/tcp.h tcp_inq.
"""

from __future__ import annotations

from pyhost.net.core.sock import TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT
from pyhost.net.ipv4.tcp.input.tcp_urgent import tcp_at_mark
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock, before
from pyhost.net.socket import Socket
from pyhost.uapi.errno import EINVAL, ENOTTY
from pyhost.uapi.fcntl import SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD

__all__ = ["tcp_ioctl"]

CONNECTING = (TCP_SYN_SENT, TCP_SYN_RECV)


def _inq(sk: TcpSock) -> int:
    """Bytes to be read up to the urgent mark; the FIN does not count. Linux: tcp_inq."""
    if sk.sk_state in CONNECTING:
        return 0
    if (
        sk.urginline
        or not sk.urg_data
        or before(sk.urg_seq, sk.copied_seq)
        or (not before(sk.urg_seq, sk.rcv_nxt))
    ):
        answer = sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF
        return answer - 1 if answer and sk.sock_done else answer
    return sk.urg_seq - sk.copied_seq & 0xFFFFFFFF


def _unsent(sk: TcpSock, first: int) -> int:
    return 0 if sk.sk_state in CONNECTING else sk.write_seq - first & 0xFFFFFFFF


def tcp_ioctl(sock: Socket, cmd: int) -> int:
    """SIOCINQ: bytes to read; SIOCOUTQ: bytes not acknowledged; SIOCOUTQNSD: bytes not sent;
    SIOCATMARK: whether the next byte is the urgent one. -EINVAL on a listener, -ENOTTY.

    Linux: tcp_ioctl.
    """
    sk: TcpSock = sock.sk
    if cmd == SIOCATMARK:
        return int(tcp_at_mark(sk))
    if cmd not in (SIOCINQ, SIOCOUTQ, SIOCOUTQNSD):
        return -ENOTTY
    if sk.sk_state == TCP_LISTEN:
        return -EINVAL
    if cmd == SIOCOUTQ:
        return _unsent(sk, sk.snd_una)
    if cmd == SIOCOUTQNSD:
        return _unsent(sk, sk.snd_nxt)
    sk.lock_sock()
    try:
        return _inq(sk)
    finally:
        sk.release_sock()
