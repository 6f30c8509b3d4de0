"""UDP sockets: sending, receiving, connecting, options.

Linux: net/ipv4/udp.c, net/ipv4/datagram.c (RFC 768).

Who gets a datagram is decided in udp_table.py, what comes from the wire in udp_input.py.

    udp_sendmsg ─┬─ one call a datagram ─→ ip_append_data → ip_make_skb ─┐
                 └─ MSG_MORE, UDP_CORK ──→ … several calls … ────────────┴→ udp_send_skb

Differences: no multicast, no UDP_SEGMENT, no UDP-Lite, no encapsulation sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.page_frag import PageFrag
from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import csum_fold, csum_tcpudp_nofold
from pyhost.net.core.datagram import skb_copy_datagram_iter, skb_free_datagram, skb_recv_datagram
from pyhost.net.core.dst import DstEntry
from pyhost.net.core.skbuff import CHECKSUM_NONE, CHECKSUM_PARTIAL, SkBuff, kfree_skb_reason
from pyhost.net.core.sock import SHUTDOWN_MASK, TCP_CLOSE, TCP_ESTABLISHED, InetSock, MsgHdr, Proto
from pyhost.net.ipv4.ip_append import (
    InetCork,
    ip_append_data,
    ip_flush_pending,
    ip_make_skb,
    ip_send_skb,
)
from pyhost.net.ipv4.ip_sockglue import (
    ip_cmsg_send,
    ip_getsockopt,
    ip_local_error,
    ip_recv_error,
    ip_setsockopt,
)
from pyhost.net.ipv4.route import RTN_BROADCAST, ip_route_output
from pyhost.net.ipv4.udp_input import udp_err, udp_queue_rcv_skb, udp_rcv
from pyhost.net.ipv4.udp_table import UdpTable, udp_lib_get_port, udp_lib_rehash, udp_lib_unhash
from pyhost.uapi.errno import (
    EACCES,
    EAFNOSUPPORT,
    EDESTADDRREQ,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENOBUFS,
    ENOPROTOOPT,
    EOPNOTSUPP,
)
from pyhost.uapi.ip import IP_SADDR_OFF, IPPROTO_UDP
from pyhost.uapi.socket import (
    AF_INET,
    AF_UNSPEC,
    INT,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_PROBE,
    MSG_TRUNC,
    SOCKADDR_IN,
    SOL_UDP,
    pack_sockaddr_in,
    unpack_sockaddr_in,
)
from pyhost.uapi.udp import CSUM_MANGLED_0, UDP_CHECK_OFF, UDP_CORK, UDP_HDR, UDP_HDR_LEN

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["UdpSock", "udp_init", "udp_prot", "udp_recvmsg", "udp_sendmsg"]

UDP_LEN_MAX = 0xFFFF


class UdpSock(InetSock):
    """Linux: struct udp_sock.

    `cork` is the datagram under construction, `corkflag` the option UDP_CORK.

    `autobound` and `connect_saddr` say what connect() and the first send chose, so that a
    disconnect can take it back.
    """

    __slots__ = ("autobound", "connect_saddr", "cork", "corkflag", "frag", "sk_drops")

    def __init__(self, net: Net, family: int, sock_type: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, sock_type, protocol, prot)
        self.cork: InetCork | None = None
        self.corkflag = False
        self.frag = PageFrag(net.kernel.mem)
        self.autobound = False
        self.connect_saddr = False
        self.sk_drops = 0


# -- sending ---------------------------------------------------------------------------------------


def udp_sendmsg(sk: UdpSock, msg: MsgHdr, length: int) -> int:
    """Send one datagram, or add to one that is under construction; `length` or a negative errno.

    Linux: udp_sendmsg.

    EMSGSIZE (more than 65507 bytes, or than the path takes where DF must be set), EOPNOTSUPP,
    EINVAL, EAFNOSUPPORT, EDESTADDRREQ, EACCES (broadcast without SO_BROADCAST), the route's errors,
    EAGAIN, EFAULT, EPERM (a hook dropped it), ENOBUFS only with IP_RECVERR.
    """
    if length > UDP_LEN_MAX:
        return -EMSGSIZE
    if msg.flags & MSG_OOB:
        return -EOPNOTSUPP
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("udp_sendmsg", 0, size=length)
    if sk.cork is not None:
        added = _append_to_pending(sk, msg, length)
        if added is not None:
            return added
    cork = _new_cork(sk, msg)
    if isinstance(cork, int):
        return cork
    if msg.flags & MSG_PROBE and not length:
        return 0
    if sk.corkflag or msg.flags & MSG_MORE:
        return _start_pending(sk, cork, msg, length)
    err = ip_append_data(sk, cork, sk.frag, msg, length + UDP_HDR_LEN, UDP_HDR_LEN, msg.flags)
    if err:
        ip_flush_pending(cork)
    else:
        err = _udp_send_skb(sk, cork, ip_make_skb(sk, cork))
    return _send_result(sk, cork, err, length)


def _new_cork(sk: UdpSock, msg: MsgHdr) -> InetCork | int:
    """Where this datagram goes: from the message or the connection, with its route."""
    if msg.name:
        if len(msg.name) < SOCKADDR_IN.size:
            return -EINVAL
        family, daddr, dport = unpack_sockaddr_in(msg.name)
        if family not in (AF_INET, AF_UNSPEC):
            return -EAFNOSUPPORT
        if not dport:
            return -EINVAL
        connected = False
    else:
        if sk.sk_state != TCP_ESTABLISHED:
            return -EDESTADDRREQ
        daddr, dport = sk.inet_daddr, sk.inet_dport
        connected = True
    tos = ttl = -1
    if msg.control:
        options = ip_cmsg_send(msg.control)
        if isinstance(options, int):
            return options
        tos, ttl = options
    dst = _route(sk, daddr, connected)
    if isinstance(dst, int):
        return dst
    if dst.type == RTN_BROADCAST and not sk.sk_broadcast:
        return -EACCES
    return InetCork(sk, dst, sk.inet_saddr or dst.saddr, daddr or dst.saddr, dport, tos, ttl)


def _route(sk: UdpSock, daddr: int, connected: bool) -> DstEntry | int:
    """The socket's own route when it is connected and still good, else a look-up."""
    if connected:
        cached = sk.sk_dst_cache
        if cached is not None and cached.check():
            return cached
    dst = ip_route_output(sk.net, daddr, sk.inet_saddr, sk.sk_bindtodevice, sk.tos, sk.sk_mark)
    if isinstance(dst, int):
        if dst == -ENETUNREACH:
            sk.net.count("IpOutNoRoutes")
    elif connected:
        sk.sk_dst_cache = dst
    return dst


def _append_to_pending(sk: UdpSock, msg: MsgHdr, length: int) -> int | None:
    """Add to the datagram under construction; None when another task has finished it meanwhile."""
    sk.lock_sock()
    if sk.cork is None:
        sk.release_sock()
        return None
    return _append_locked(sk, msg, length)


def _start_pending(sk: UdpSock, cork: InetCork, msg: MsgHdr, length: int) -> int:
    """Begin a datagram of several calls; -EINVAL when another task began one meanwhile."""
    sk.lock_sock()
    if sk.cork is not None:
        sk.release_sock()
        return -EINVAL
    sk.cork = cork
    return _append_locked(sk, msg, length)


def _append_locked(sk: UdpSock, msg: MsgHdr, length: int) -> int:
    """Add to the datagram under construction and send it unless more is to come; releases the
    socket.
    """
    cork = sk.cork
    assert cork is not None
    more = sk.corkflag or msg.flags & MSG_MORE
    header = 0 if cork.queue else UDP_HDR_LEN
    flags = msg.flags | (MSG_MORE if more else 0)
    err = (
        ip_append_data(sk, cork, sk.frag, msg, length + header, header, flags)
        if length or header
        else 0
    )
    if err:
        _flush_pending(sk)
    elif not more:
        err = _push_pending(sk)
    sk.release_sock()
    return _send_result(sk, cork, err, length)


def _push_pending(sk: UdpSock) -> int:
    """Send the datagram under construction. Linux: udp_push_pending_frames."""
    cork = sk.cork
    assert cork is not None
    sk.cork = None
    return _udp_send_skb(sk, cork, ip_make_skb(sk, cork))


def _flush_pending(sk: UdpSock) -> None:
    """Give up the datagram under construction. Linux: udp_flush_pending_frames."""
    if sk.cork is not None:
        ip_flush_pending(sk.cork)
        sk.cork = None


def _send_result(sk: UdpSock, cork: InetCork, err: int, length: int) -> int:
    """What a send returns, and its counters."""
    if not err:
        sk.net.count("UdpOutDatagrams")
        return length
    if err == -EMSGSIZE:
        ip_local_error(sk, EMSGSIZE, cork.daddr, cork.dport, cork.fragsize)
    elif err == -ENOBUFS:
        sk.net.count("UdpSndbufErrors")
    return err


def _udp_send_skb(sk: UdpSock, cork: InetCork, skb: SkBuff) -> int:
    """Write the UDP header and hand the datagram to IP.

    Linux: udp_send_skb; -ENOBUFS counts as sent without IP_RECVERR.
    """
    where = skb.transport_header
    length = skb.len - (where - skb.data)
    UDP_HDR.pack_into(skb.buf, where, cork.sport, cork.dport, length, 0)
    if sk.sk_no_check_tx:
        skb.ip_summed = CHECKSUM_NONE
    else:
        _checksum(
            skb, where, length, csum_tcpudp_nofold(cork.saddr, cork.daddr, length, IPPROTO_UDP)
        )
    err = ip_send_skb(sk, skb)
    if err == -ENOBUFS and not sk.recverr:
        sk.net.count("UdpSndbufErrors")
        return 0
    return err


def _checksum(skb: SkBuff, where: int, length: int, pseudo: int) -> None:
    """Leave the sum to the device or compute it. Linux: udp4_hwcsum, udp_csum."""
    if skb.ip_summed == CHECKSUM_PARTIAL:
        skb.csum_start = where
        skb.csum_offset = UDP_CHECK_OFF
        check = pseudo
    else:
        check = csum_fold(skb.checksum(where - skb.data, length, pseudo)) or CSUM_MANGLED_0
    skb.buf[where + UDP_CHECK_OFF : where + UDP_CHECK_OFF + 2] = check.to_bytes(2, "big")


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
        kfree_skb_reason(skb, drop_reason.NOT_SPECIFIED)
        return err
    if not flags & MSG_PEEK:
        sk.net.count("UdpInDatagrams")
    ip, udp = skb.network_header + IP_SADDR_OFF, skb.transport_header
    saddr = int.from_bytes(skb.buf[ip : ip + 4], "big")
    msg.name = pack_sockaddr_in(saddr, skb.buf[udp] << 8 | skb.buf[udp + 1])
    skb_free_datagram(skb)
    return size if flags & MSG_TRUNC else copied


# -- connecting and ending -------------------------------------------------------------------------


def ip4_datagram_connect(sk: UdpSock, addr: bytes) -> int:
    """Fix the peer, and with it the route and the source address.

    Linux: net/ipv4/datagram.c ip4_datagram_connect.

    EINVAL (short address), EAFNOSUPPORT, EACCES (broadcast without SO_BROADCAST), the route's
    errors.
    """
    if len(addr) < SOCKADDR_IN.size:
        return -EINVAL
    family, daddr, dport = unpack_sockaddr_in(addr)
    if family != AF_INET:
        return -EAFNOSUPPORT
    sk.lock_sock()
    try:
        sk.sk_dst_cache = None
        dst = _route(sk, daddr, connected=False)
        if isinstance(dst, int):
            return dst
        if dst.type == RTN_BROADCAST and not sk.sk_broadcast:
            return -EACCES
        _become_connected(sk, dst, daddr or dst.saddr, dport)
        return 0
    finally:
        sk.release_sock()


def _become_connected(sk: UdpSock, dst: DstEntry, daddr: int, dport: int) -> None:
    if not sk.inet_saddr:
        sk.inet_saddr = dst.saddr
    if not sk.inet_rcv_saddr:
        sk.inet_rcv_saddr = dst.saddr
        sk.connect_saddr = True
    sk.inet_daddr, sk.inet_dport = daddr, dport
    sk.sk_state = TCP_ESTABLISHED
    sk.inet_id = sk.net.kernel.random.getrandbits(16)
    sk.sk_dst_cache = dst
    udp_lib_rehash(sk)


def udp_disconnect(sk: UdpSock, _flags: int) -> int:
    """Forget the peer, and the address and port that only the connection had chosen.

    Linux: __udp_disconnect.
    """
    sk.lock_sock()
    sk.sk_state = TCP_CLOSE
    sk.inet_daddr = sk.inet_dport = 0
    sk.sk_dst_cache = None
    if sk.connect_saddr:
        sk.inet_saddr = sk.inet_rcv_saddr = 0
        sk.connect_saddr = False
    if sk.autobound:
        udp_lib_unhash(sk)
        sk.inet_sport = 0
    sk.release_sock()
    return 0


def udp_close(sk: UdpSock, _timeout: int | None) -> None:
    """The program is done with the socket; what is on its way down still leaves.

    Linux: udp_lib_close, sk_common_release.
    """
    sk.lock_sock()
    _flush_pending(sk)
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
    if optname != UDP_CORK:
        return -ENOPROTOOPT
    sk.corkflag = bool(INT.unpack_from(value)[0])
    if not sk.corkflag:
        sk.lock_sock()
        if sk.cork is not None:
            _send_result(sk, sk.cork, _push_pending(sk), 0)
        sk.release_sock()
    return 0


def udp_getsockopt(sk: UdpSock, level: int, optname: int, maxlen: int) -> bytes | int:
    """Linux: udp_lib_getsockopt."""
    if level != SOL_UDP:
        return ip_getsockopt(sk, level, optname, maxlen)
    if optname != UDP_CORK:
        return -ENOPROTOOPT
    return INT.pack(sk.corkflag)[:maxlen]


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
    """Linux: udp_init."""
    net.udp = UdpTable()
    net.inet_protos[IPPROTO_UDP] = udp_rcv
    net.icmp.err_handlers[IPPROTO_UDP] = udp_err
