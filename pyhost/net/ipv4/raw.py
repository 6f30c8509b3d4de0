"""Raw sockets: IPv4 packets of one protocol, with or without a header made by the program.

Linux: net/ipv4/raw.c.

A raw socket gets a copy of every packet of its protocol that comes to this host, header included,
beside whoever else it is for. IPPROTO_RAW only sends, and always with the program's own header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import ip_compute_csum
from pyhost.net.core.datagram import skb_copy_datagram_iter, skb_free_datagram, skb_recv_datagram
from pyhost.net.core.skbuff import SkBuff, alloc_skb, kfree_skb_reason
from pyhost.net.core.sock import (
    SHUTDOWN_MASK,
    TCP_CLOSE,
    TCP_ESTABLISHED,
    MsgHdr,
    Proto,
    sock_wait_for_wmem,
)
from pyhost.net.core.timestamping import sock_recv_timestamp
from pyhost.net.ipv4.datagram import (
    DatagramSock,
    datagram_destination,
    datagram_disconnect,
    datagram_route,
    datagram_source,
    ip4_datagram_connect,
)
from pyhost.net.ipv4.fib.route import RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, inet_addr_type
from pyhost.net.ipv4.icmp import icmp_err_to_errno
from pyhost.net.ipv4.igmp import ip_mc_drop_socket, ip_mc_sf_allow
from pyhost.net.ipv4.ip.ip_append import (
    InetCork,
    ip_append_data,
    ip_flush_pending,
    ip_make_skb,
    ip_send_skb,
)
from pyhost.net.ipv4.ip.ip_cmsg import IpcmCookie, ip_cmsg_recv, ip_cmsg_send
from pyhost.net.ipv4.ip.ip_errqueue import ip_icmp_error, ip_local_error, ip_recv_error
from pyhost.net.ipv4.ip.ip_output import ip_select_ident
from pyhost.net.ipv4.ip.ip_sockglue import ip_getsockopt, ip_setsockopt
from pyhost.uapi.errno import (
    EADDRNOTAVAIL,
    EFAULT,
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
    ENOPROTOOPT,
    EOPNOTSUPP,
)
from pyhost.uapi.icmp import ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_SOURCE_QUENCH
from pyhost.uapi.ip import (
    IP_CHECK_OFF,
    IP_HDR_LEN,
    IP_ID_OFF,
    IP_MAX_LEN,
    IP_PMTUDISC_DONT,
    IP_PROTOCOL_OFF,
    IP_SADDR_OFF,
    IP_TOT_LEN_OFF,
    IPPROTO_ICMP,
    IpView,
)
from pyhost.uapi.socket import (
    INT,
    IPPROTO_RAW,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_OOB,
    MSG_TRUNC,
    SOCKADDR_IN,
    SOL_RAW,
    pack_sockaddr_in,
    unpack_sockaddr_in,
)

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.net_namespace import Net
    from pyhost.net.socket import Socket

__all__ = ["RawSock", "raw_bind", "raw_icmp_error", "raw_init", "raw_local_deliver", "raw_prot"]

ICMP_FILTER = 1


class RawSock(DatagramSock):
    """Linux: struct raw_sock. `icmp_filter` is a mask of the ICMP types that it does not want."""

    __slots__ = ("icmp_filter", "sk_drops")

    def __init__(self, net: Net, family: int, sock_type: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, sock_type, protocol, prot)
        self.inet_num = self.inet_sport = protocol
        self.hdrincl = protocol == IPPROTO_RAW
        self.icmp_filter = 0
        self.sk_drops = 0


# -- sending ---------------------------------------------------------------------------------------


def raw_sendmsg(sk: RawSock, msg: MsgHdr, length: int) -> int:
    """Send one packet: `length` or a negative errno. Linux: raw_sendmsg.

    EMSGSIZE, EOPNOTSUPP (MSG_OOB), EDESTADDRREQ, EINVAL, EAFNOSUPPORT, EACCES, the route's errors,
    EAGAIN, EFAULT, ENOBUFS only with IP_RECVERR.
    """
    if length > IP_MAX_LEN:
        return -EMSGSIZE
    if msg.flags & MSG_OOB:
        return -EOPNOTSUPP
    target = datagram_destination(sk, msg.name, needs_port=False)
    if isinstance(target, int):
        return target
    daddr, _, connected = target
    ipc = IpcmCookie(sk)
    if msg.control:
        err = ip_cmsg_send(sk, msg.control, ipc)
        if err:
            return err
        connected = False
    datagram_source(sk, daddr, ipc)
    dst = datagram_route(sk, daddr, ipc, msg.flags, connected)
    if isinstance(dst, int):
        return dst
    if sk.hdrincl:
        err = _send_hdrinc(sk, dst, ipc, daddr, msg, length)
    else:
        err = _send_payload(sk, dst, ipc, daddr, msg, length)
    if err == -ENOBUFS and not sk.recverr:
        err = 0
    return err or length


def _send_payload(
    sk: RawSock, dst: DstEntry, ipc: IpcmCookie, daddr: int, msg: MsgHdr, length: int
) -> int:
    """The kernel makes the header, and fragments when it must."""
    cork = InetCork(sk, dst, ipc, ipc.addr or dst.saddr, daddr or dst.saddr, 0)
    err = ip_append_data(sk, cork, sk.frag, msg, length, 0, msg.flags)
    if err:
        ip_flush_pending(cork)
        if err == -EMSGSIZE:
            ip_local_error(sk, EMSGSIZE, daddr, 0, cork.fragsize)
        return err
    return ip_send_skb(sk, ip_make_skb(sk, cork))


def _send_hdrinc(
    sk: RawSock, dst: DstEntry, ipc: IpcmCookie, daddr: int, msg: MsgHdr, length: int
) -> int:
    """The program made the header; length and checksum are always filled in, source address and
    identification where they are 0. Linux: raw_send_hdrinc.
    """
    dev = dst.dev
    if length > dev.mtu:
        ip_local_error(sk, EMSGSIZE, daddr, 0, dev.mtu)
        return -EMSGSIZE
    if length < IP_HDR_LEN:
        return -EINVAL
    err = sock_wait_for_wmem(sk, sk.sndtimeo(bool(msg.flags & MSG_DONTWAIT)))
    if err:
        return err
    room = ((dev.hard_header_len + dev.needed_headroom) & ~15) + 16
    skb = alloc_skb(sk.net.skbs, room + length + 15)
    if skb is None:
        return -ENOBUFS
    skb.reserve(room)
    skb.priority = sk.sk_priority
    skb.mark = ipc.sockc.mark
    skb.dst = dst
    sk.set_owner_w(skb)
    skb.network_header = skb.put(length)
    if not msg.iter.copy_from_iter_full(skb.network_header, length):
        kfree_skb_reason(skb, drop_reason.SEND_ABORTED)
        return -EFAULT
    header_len = IpView(skb.buf, skb.network_header).header_len
    if not IP_HDR_LEN <= header_len <= length:
        kfree_skb_reason(skb, drop_reason.SEND_ABORTED)
        return -EINVAL
    skb.transport_header = skb.network_header + header_len
    _complete_header(sk, skb, header_len, ipc.addr or dst.saddr)
    return ip_send_skb(sk, skb)


def _complete_header(sk: RawSock, skb: SkBuff, header_len: int, saddr: int) -> None:
    buf, where = skb.buf, skb.network_header
    iph = IpView(buf, where)
    if not iph.saddr:
        buf[where + IP_SADDR_OFF : where + IP_SADDR_OFF + 4] = saddr.to_bytes(4, "big")
    if not iph.id:
        ident = ip_select_ident(sk.net, None, skb, iph.frag_off, iph.saddr, iph.daddr, iph.protocol)
        buf[where + IP_ID_OFF : where + IP_ID_OFF + 2] = ident.to_bytes(2, "big")
    buf[where + IP_TOT_LEN_OFF : where + IP_TOT_LEN_OFF + 2] = skb.len.to_bytes(2, "big")
    buf[where + IP_CHECK_OFF : where + IP_CHECK_OFF + 2] = b"\0\0"
    check = ip_compute_csum(buf[where : where + header_len])
    buf[where + IP_CHECK_OFF : where + IP_CHECK_OFF + 2] = check.to_bytes(2, "big")


# -- receiving -------------------------------------------------------------------------------------


def raw_local_deliver(net: Net, skb: SkBuff, protocol: int) -> bool:
    """Give copies of a packet whose `data` is at the transport header to the raw sockets of its
    protocol; whether there was one. Linux: raw_local_deliver, raw_v4_input.
    """
    sockets = net.raw.get(protocol)
    if not sockets:
        return False
    iph = IpView(skb.buf, skb.network_header)
    assert skb.dev is not None
    found = False
    for sk in tuple(sockets):
        if not _matches(sk, iph, skb.dev.ifindex):
            continue
        found = True
        if protocol == IPPROTO_ICMP and skb.len and sk.icmp_filter >> skb.buf[skb.data] & 1:
            continue
        _raw_rcv(sk, skb.clone())
    return found


def _matches(sk: RawSock, iph: IpView, dif: int) -> bool:
    """Linux: raw_v4_match."""
    return (
        sk.inet_daddr in (0, iph.saddr)
        and sk.inet_rcv_saddr in (0, iph.daddr)
        and sk.sk_bindtodevice in (0, dif)
        and ip_mc_sf_allow(sk, iph.daddr, dif)
    )


def _raw_rcv(sk: RawSock, skb: SkBuff) -> None:
    """Linux: raw_rcv, sock_queue_rcv_skb."""
    skb.push(skb.data - skb.network_header)
    skb.dst = None
    if sk.sk_rmem_alloc >= sk.sk_rcvbuf:
        sk.sk_drops += 1
        kfree_skb_reason(skb, drop_reason.SOCKET_RCVBUFF)
        return
    sk.set_owner_r(skb)
    sk.sk_receive_queue.append(skb)
    sk.sk_data_ready(sk)


def raw_recvmsg(sk: RawSock, msg: MsgHdr, length: int, flags: int) -> int:
    """The next packet with its IP header: bytes copied, or all there are with MSG_TRUNC.

    EOPNOTSUPP (MSG_OOB), EAGAIN, EFAULT, the socket's error. Linux: raw_recvmsg.
    """
    if flags & MSG_OOB:
        return -EOPNOTSUPP
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
        kfree_skb_reason(skb, drop_reason.COPY_FAULT)
        return err
    sock_recv_timestamp(msg, sk, skb)
    msg.name = pack_sockaddr_in(IpView(skb.buf, skb.network_header).saddr, 0)
    if sk.cmsg_flags:
        ip_cmsg_recv(msg, sk, skb)
    skb_free_datagram(skb)
    return size if flags & MSG_TRUNC else copied


def raw_icmp_error(net: Net, skb: SkBuff, info: int) -> None:
    """An ICMP error quotes a packet; tell the raw sockets of its protocol. `skb` is as an ICMP
    error handler gets it. Linux: raw_icmp_error, raw_err.
    """
    quoted = IpView(skb.buf, skb.data)
    sockets = net.raw.get(skb.buf[skb.data + IP_PROTOCOL_OFF])
    icmp_type, code = skb.buf[skb.transport_header], skb.buf[skb.transport_header + 1]
    if not sockets or icmp_type == ICMP_SOURCE_QUENCH:
        return
    err = icmp_err_to_errno(icmp_type, code)
    for sk in tuple(sockets):
        if sk.inet_daddr not in (0, quoted.daddr) or sk.inet_rcv_saddr not in (0, quoted.saddr):
            continue
        errno, harderr = err.errno, err.fatal
        if icmp_type == ICMP_DEST_UNREACH and code == ICMP_FRAG_NEEDED:
            errno, harderr = EMSGSIZE, sk.pmtudisc != IP_PMTUDISC_DONT
        if sk.recverr:
            ip_icmp_error(sk, skb, errno, 0, info)
        if sk.recverr or (harderr and sk.sk_state == TCP_ESTABLISHED):
            sk.sk_err = errno
            sk.error_report()


# -- the socket ------------------------------------------------------------------------------------


def raw_hash_sk(sk: RawSock) -> int:
    """From now on the socket gets packets; again when it is connected. Linux: raw_hash_sk."""
    sockets = sk.net.raw.setdefault(sk.inet_num, [])
    if sk not in sockets:
        sockets.append(sk)
    return 0


def raw_unhash_sk(sk: RawSock) -> None:
    """Linux: raw_unhash_sk."""
    sockets = sk.net.raw.get(sk.inet_num, [])
    if sk in sockets:
        sockets.remove(sk)


def raw_sk_init(sk: RawSock) -> int:
    """Linux: raw_sk_init, and the hashing in inet_create."""
    return raw_hash_sk(sk)


def raw_bind(sock: Socket, addr: bytes) -> int:
    """Take a local address: 0, -EINVAL, -EADDRNOTAVAIL. Linux: raw_bind."""
    sk: RawSock = sock.sk
    if sk.sk_state != TCP_CLOSE or len(addr) < SOCKADDR_IN.size:
        return -EINVAL
    _, saddr, _ = unpack_sockaddr_in(addr)
    kind = inet_addr_type(sk.net, saddr) if saddr else RTN_LOCAL
    if kind not in (RTN_LOCAL, RTN_MULTICAST, RTN_BROADCAST):
        return -EADDRNOTAVAIL
    sk.inet_rcv_saddr = saddr
    sk.inet_saddr = saddr if kind == RTN_LOCAL else 0
    sk.sk_dst_cache = None
    return 0


def raw_close(sk: RawSock, _timeout: int | None) -> None:
    """Linux: raw_close, sk_common_release."""
    ip_mc_drop_socket(sk)
    raw_unhash_sk(sk)
    sk.sk_shutdown = SHUTDOWN_MASK
    sk.sock_dead = True
    sk.sk_socket = None
    sk.put()


def raw_disconnect(sk: RawSock, _flags: int) -> int:
    """Linux: __udp_disconnect."""
    datagram_disconnect(sk)
    return 0


def raw_setsockopt(sk: RawSock, level: int, optname: int, value: bytes) -> int:
    """ICMP_FILTER beside the options of level SOL_IP. Linux: raw_setsockopt."""
    if level != SOL_RAW:
        return ip_setsockopt(sk, level, optname, value)
    if optname != ICMP_FILTER:
        return -ENOPROTOOPT
    if sk.inet_num != IPPROTO_ICMP:
        return -EOPNOTSUPP
    sk.icmp_filter = int.from_bytes(value[: INT.size], "little")
    return 0


def raw_getsockopt(sk: RawSock, level: int, optname: int, maxlen: int) -> bytes | int:
    """Linux: raw_getsockopt."""
    if level != SOL_RAW:
        return ip_getsockopt(sk, level, optname, maxlen)
    if optname != ICMP_FILTER:
        return -ENOPROTOOPT
    if sk.inet_num != IPPROTO_ICMP:
        return -EOPNOTSUPP
    return sk.icmp_filter.to_bytes(INT.size, "little")[:maxlen]


def _destroy(sk: RawSock) -> None:
    sk.frag.release()


def _backlog_rcv(sk: RawSock, skb: SkBuff) -> int:
    _raw_rcv(sk, skb)
    return 0


def _get_port(_sk: RawSock, _port: int) -> int:
    return 0


raw_prot = Proto(
    name="RAW",
    obj_size=960,
    no_autobind=True,
    init=raw_sk_init,
    destroy=_destroy,
    close=raw_close,
    connect=ip4_datagram_connect,
    disconnect=raw_disconnect,
    sendmsg=raw_sendmsg,
    recvmsg=raw_recvmsg,
    setsockopt=raw_setsockopt,
    getsockopt=raw_getsockopt,
    backlog_rcv=_backlog_rcv,
    hash=raw_hash_sk,
    unhash=raw_unhash_sk,
    get_port=_get_port,
)
"""Linux: raw_prot."""


def raw_init(net: Net) -> None:
    """Linux: raw_init."""
    net.raw = {}
    net.icmp.raw_error = raw_icmp_error
