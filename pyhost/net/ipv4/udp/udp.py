"""UDP sockets: receiving, connecting, options.

Linux: net/ipv4/udp.c, net/ipv4/datagram.c (RFC 768).

Sending is in udp_sendmsg.py. Who gets a datagram is decided in udp_table.py, what comes from the
wire in udp_input.py.

Differences: no UDP_GRO, no UDP-Lite, no encapsulation sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.sysctl import whole_numbers
from pyhost.mm.memory import PAGE_SIZE
from pyhost.net.core import drop_reason
from pyhost.net.core.datagram import skb_copy_datagram_iter, skb_free_datagram, skb_recv_datagram
from pyhost.net.core.skbuff import kfree_skb_reason
from pyhost.net.core.sock import SHUTDOWN_MASK, MsgHdr, Proto
from pyhost.net.core.timestamping import sock_recv_timestamp
from pyhost.net.ipv4.datagram import datagram_disconnect, ip4_datagram_connect
from pyhost.net.ipv4.igmp import ip_mc_drop_socket
from pyhost.net.ipv4.ip.ip_cmsg import ip_cmsg_recv
from pyhost.net.ipv4.ip.ip_errqueue import ip_recv_error
from pyhost.net.ipv4.ip.ip_sockglue import ip_getsockopt, ip_setsockopt
from pyhost.net.ipv4.udp.udp_input import udp_err, udp_queue_rcv_skb, udp_rcv
from pyhost.net.ipv4.udp.udp_sendmsg import (
    udp_flush_pending,
    udp_push_pending,
    udp_sendmsg,
)
from pyhost.net.ipv4.udp.udp_sock import UdpSock
from pyhost.net.ipv4.udp.udp_table import UdpTable, udp_lib_get_port, udp_lib_rehash, udp_lib_unhash
from pyhost.uapi.errno import EINVAL, ENOPROTOOPT
from pyhost.uapi.ip import IP_SADDR_OFF, IPPROTO_UDP
from pyhost.uapi.socket import (
    INT,
    MSG_ERRQUEUE,
    MSG_PEEK,
    MSG_TRUNC,
    SOL_UDP,
    pack_sockaddr_in,
)
from pyhost.uapi.udp import UDP_CORK, UDP_SEGMENT

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["UdpSock", "udp_init", "udp_prot", "udp_recvmsg", "udp_sendmsg"]

USHRT_MAX = 0xFFFF


# -- receiving -------------------------------------------------------------------------------------


def udp_recvmsg(sk: UdpSock, msg: MsgHdr, length: int, flags: int) -> int:
    """Take the next datagram: bytes copied, or its whole length with MSG_TRUNC. Linux: udp_recvmsg.

    What does not fit is thrown away, and `msg.flags` gets MSG_TRUNC. EAGAIN, EFAULT, the socket's
    pending error.
    """
    if flags & MSG_ERRQUEUE:
        return ip_recv_error(sk, msg, length)
    msg.flags = 0
    skb = skb_recv_datagram(sk, flags)
    if isinstance(skb, int):
        return skb
    size = skb.len
    copied = min(length, size)
    if copied < size:
        msg.flags |= MSG_TRUNC
    err = skb_copy_datagram_iter(skb, 0, msg.iter, copied)
    if err:
        if not flags & MSG_PEEK:
            sk.sk_drops += 1
            sk.net.count("UdpInErrors")
        kfree_skb_reason(skb, drop_reason.COPY_FAULT)
        return err
    if not flags & MSG_PEEK:
        sk.net.count("UdpInDatagrams")
    sock_recv_timestamp(msg, sk, skb)
    ip, udp = skb.network_header + IP_SADDR_OFF, skb.transport_header
    saddr = int.from_bytes(skb.buf[ip : ip + 4], "big")
    msg.name = pack_sockaddr_in(saddr, skb.buf[udp] << 8 | skb.buf[udp + 1])
    if sk.cmsg_flags:
        ip_cmsg_recv(msg, sk, skb)
    skb_free_datagram(skb)
    return size if flags & MSG_TRUNC else copied


# -- connecting and ending -------------------------------------------------------------------------


def udp_disconnect(sk: UdpSock, _flags: int) -> int:
    """Forget the peer, and the address and port that only the connection had chosen.

    Linux: udp_disconnect.
    """
    sk.lock_sock()
    datagram_disconnect(sk)
    if sk.autobound:
        udp_lib_unhash(sk)
        sk.inet_sport = 0
    sk.release_sock()
    return 0


def udp_close(sk: UdpSock, _timeout: int | None) -> None:
    """The program is done with the socket; what is on its way down still leaves.

    Linux: inet_release, udp_lib_close, sk_common_release.
    """
    ip_mc_drop_socket(sk)
    sk.lock_sock()
    udp_flush_pending(sk)
    sk.release_sock()
    udp_lib_unhash(sk)
    sk.sk_shutdown = SHUTDOWN_MASK
    sk.sock_dead = True
    sk.sk_socket = None
    sk.put()


def udp_init_sock(_sk: UdpSock) -> int:
    """Nothing beyond what the constructor does. Linux: udp_init_sock."""
    return 0


def udp_destruct_sock(sk: UdpSock) -> None:
    """The last packet has left too: give back what the sock still holds.

    Linux: udp_destruct_sock.
    """
    sk.frag.release()


# -- options ---------------------------------------------------------------------------------------


def udp_setsockopt(sk: UdpSock, level: int, optname: int, value: bytes) -> int:
    """0 or a negative errno; clearing UDP_CORK sends what was collected.

    Linux: udp_lib_setsockopt.
    """
    if level != SOL_UDP:
        return ip_setsockopt(sk, level, optname, value)
    if len(value) < INT.size:
        return -EINVAL
    number: int = INT.unpack_from(value)[0]
    if optname == UDP_CORK:
        sk.corkflag = bool(number)
        if not sk.corkflag:
            sk.lock_sock()
            if sk.cork is not None:
                udp_push_pending(sk)
            sk.release_sock()
        return 0
    if optname == UDP_SEGMENT:
        if not 0 <= number <= USHRT_MAX:
            return -EINVAL
        sk.gso_size = number
        return 0
    return -ENOPROTOOPT


def udp_getsockopt(sk: UdpSock, level: int, optname: int, maxlen: int) -> bytes | int:
    """Linux: udp_lib_getsockopt."""
    if level != SOL_UDP:
        return ip_getsockopt(sk, level, optname, maxlen)
    if optname == UDP_CORK:
        return INT.pack(sk.corkflag)[:maxlen]
    return INT.pack(sk.gso_size)[:maxlen] if optname == UDP_SEGMENT else -ENOPROTOOPT


udp_prot = Proto(
    name="UDP",
    obj_size=1216,
    no_autobind=False,
    init=udp_init_sock,
    destroy=udp_destruct_sock,
    close=udp_close,
    connect=ip4_datagram_connect,
    disconnect=udp_disconnect,
    sendmsg=udp_sendmsg,
    recvmsg=udp_recvmsg,
    setsockopt=udp_setsockopt,
    getsockopt=udp_getsockopt,
    backlog_rcv=udp_queue_rcv_skb,
    hash=udp_lib_rehash,
    unhash=udp_lib_unhash,
    get_port=udp_lib_get_port,
)
"""Linux: udp_prot."""


def udp_init(net: Net) -> None:
    """Linux: udp_init, and udp_mem as udp_init sizes it: an eighth of memory is too much."""
    limit = max(net.kernel.mem.size // PAGE_SIZE // 8, 128)
    net.udp = UdpTable((limit // 4 * 3, limit, limit // 4 * 6))
    net.kernel.sysctl.register("net.ipv4.udp_mem", net.udp, "sysctl_udp_mem", whole_numbers(3, 0))
    net.inet_protos[IPPROTO_UDP] = udp_rcv
    net.icmp.err_handlers[IPPROTO_UDP] = udp_err
