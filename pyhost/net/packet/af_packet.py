"""AF_PACKET: frames as they come and go at a device. Linux: net/packet/af_packet.c.

A socket hooks itself into the device layer when it is bound to a protocol other than 0:

- ETH_P_ALL: `net.ptype_all`, sees what comes in and, just before the driver, what goes out;
- any other EtherType: sees what comes in of that type only.

With no socket open the lists are empty and nothing is copied. A packet that is seen is a clone: the
bytes are shared, not copied. SOCK_RAW frames have their link header, SOCK_DGRAM ones do not (the
address has what was in it).

Packets wait in `sk_receive_queue` while their truesize fits into sk_rcvbuf; the others are counted
as drops (PACKET_STATISTICS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.net.core import drop_reason
from pyhost.net.core.datagram import (
    datagram_ioctl,
    datagram_poll,
    skb_copy_datagram_iter,
    skb_free_datagram,
    skb_recv_datagram,
)
from pyhost.net.core.dev import (
    NETDEV_DOWN,
    NETDEV_UNREGISTER,
    dev_add_pack,
    dev_direct_xmit,
    dev_get_by_index,
    dev_queue_xmit,
    dev_remove_pack,
    register_netdevice_notifier,
)
from pyhost.net.core.netdevice import (
    IFF_LOOPBACK,
    IFF_UP,
    NET_XMIT_CN,
    NET_XMIT_MASK,
    NETDEV_TX_BUSY,
    NetDevice,
    PacketType,
)
from pyhost.net.core.scm import put_cmsg
from pyhost.net.core.skbuff import (
    CHECKSUM_NONE,
    CHECKSUM_PARTIAL,
    SkBuff,
    alloc_skb,
    consume_skb,
    kfree_skb_reason,
)
from pyhost.net.core.sock import (
    MsgHdr,
    Proto,
    sock_wait_for_wmem,
)
from pyhost.net.core.timestamping import sock_recv_timestamp
from pyhost.net.eth import eth_header
from pyhost.net.ipv4.fib.devinet_ioctl import DEVINET_COMMANDS, devinet_ioctl, inet_gifconf
from pyhost.net.packet.internal import PacketSock, packet_flush_mclist
from pyhost.net.packet.sockopt import packet_getsockopt, packet_setsockopt
from pyhost.net.packet.tap import PacketTap
from pyhost.net.socket import (
    IfIoctl,
    ProtoOps,
    Socket,
    sock_init_data,
    sock_no_accept,
    sock_no_connect,
    sock_no_listen,
    sock_no_shutdown,
    sock_no_socketpair,
)
from pyhost.uapi.errno import (
    EFAULT,
    EINVAL,
    EMSGSIZE,
    ENETDOWN,
    ENOBUFS,
    ENODEV,
    ENOPROTOOPT,
    ENOTCONN,
    ENXIO,
    EOPNOTSUPP,
    ESOCKTNOSUPPORT,
)
from pyhost.uapi.ethernet import (
    ARPHRD_ETHER,
    ARPHRD_LOOPBACK,
    ETH_ALEN,
    ETH_HLEN,
    ETH_P_802_3_MIN,
    ETH_P_8021Q,
    ETH_P_ALL,
    PACKET_LOOPBACK,
    PACKET_OUTGOING,
    VLAN_HLEN,
)
from pyhost.uapi.if_packet import (
    PACKET_AUXDATA,
    TP_STATUS_CSUM_VALID,
    TP_STATUS_CSUMNOTREADY,
    TP_STATUS_USER,
    TP_STATUS_VLAN_TPID_VALID,
    TP_STATUS_VLAN_VALID,
    TPACKET_AUXDATA,
    SockaddrLl,
)
from pyhost.uapi.socket import (
    AF_PACKET,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_PEEK,
    MSG_TRUNC,
    SOCK_DGRAM,
    SOCK_RAW,
    SOL_PACKET,
)

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["PACKET_OPS", "PACKET_PROT", "PacketSock", "PacketTap", "packet_init"]

_RESERVED = 32
"""Headroom of a packet that a program sends: LL_RESERVED_SPACE of Ethernet."""


# -- hooks in the device layer ---------------------------------------------------------------------


def _register_prot_hook(sk: PacketSock, dev: NetDevice | None) -> None:
    """Linux: register_prot_hook."""
    if not sk.num or sk.hook is not None:
        return
    sk.hook = PacketType(sk.num, lambda skb, via: _packet_rcv(sk, skb, via), dev, sk)
    dev_add_pack(sk.net, sk.hook)


def _unregister_prot_hook(sk: PacketSock) -> None:
    """Linux: unregister_prot_hook."""
    if sk.hook is not None:
        dev_remove_pack(sk.net, sk.hook)
        sk.hook = None


# -- receiving -------------------------------------------------------------------------------------


def _unshare(skb: SkBuff) -> SkBuff:
    """A struct of our own over the same bytes. Linux: skb_share_check."""
    if skb.users == 1:
        return skb
    twin = skb.clone()
    consume_skb(skb)
    return twin


def _packet_rcv(sk: PacketSock, skb: SkBuff, dev: NetDevice) -> int:
    """A packet passes by. Linux: packet_rcv."""
    unwanted = sk.ignore_outgoing and skb.pkt_type == PACKET_OUTGOING
    if skb.pkt_type == PACKET_LOOPBACK or unwanted:
        consume_skb(skb)
        return 0
    if sk.sk_rmem_alloc >= sk.sk_rcvbuf:
        sk.tp_drops += 1
        kfree_skb_reason(skb, drop_reason.PACKET_SOCK_ERROR)
        return 0
    skb = _unshare(skb)
    if sk.sk_type == SOCK_RAW:
        skb.push(skb.data - skb.mac_header)
    elif skb.pkt_type == PACKET_OUTGOING:
        skb.pull(skb.network_header - skb.data)
    skb.cb = SockaddrLl(skb.protocol, dev.ifindex, _hatype(dev), skb.pkt_type, _source(skb)).emit()
    skb.dst = None
    sk.set_owner_r(skb)
    sk.tp_packets += 1
    sk.sk_receive_queue.append(skb)
    sk.sk_data_ready(sk)
    return 0


def _source(skb: SkBuff) -> bytes:
    start = skb.mac_header + ETH_ALEN
    return bytes(skb.buf[start : start + ETH_ALEN])


def _hatype(dev: NetDevice) -> int:
    return ARPHRD_LOOPBACK if dev.flags & IFF_LOOPBACK else ARPHRD_ETHER


def _packet_recvmsg(sk: PacketSock, msg: MsgHdr, size: int, flags: int) -> int:
    """One packet; what does not fit is lost, and MSG_TRUNC set. Linux: packet_recvmsg.

    With MSG_TRUNC in `flags` the result is the packet's own length.
    """
    if flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE):
        return -EINVAL
    skb = skb_recv_datagram(sk, flags)
    if isinstance(skb, int):
        return skb
    length = copied = skb.len
    if copied > size:
        copied = size
        msg.flags |= MSG_TRUNC
    error = skb_copy_datagram_iter(skb, 0, msg.iter, copied)
    msg.name = skb.cb
    sock_recv_timestamp(msg, sk, skb)
    if sk.auxdata:
        put_cmsg(msg, SOL_PACKET, PACKET_AUXDATA, _auxdata(skb, length))
    skb_free_datagram(skb)
    if error:
        return error
    return length if flags & MSG_TRUNC else copied


def _auxdata(skb: SkBuff, length: int) -> bytes:
    """What a tap must know to judge a packet. Linux: struct tpacket_auxdata in packet_recvmsg."""
    status = TP_STATUS_USER
    if skb.ip_summed == CHECKSUM_PARTIAL:
        status |= TP_STATUS_CSUMNOTREADY
    elif skb.pkt_type != PACKET_OUTGOING and skb.ip_summed != CHECKSUM_NONE:
        status |= TP_STATUS_CSUM_VALID
    tci, tpid = skb.vlan_tci, skb.vlan_proto
    if tpid:
        status |= TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID
    offset = max(skb.network_header - skb.data, 0)
    return TPACKET_AUXDATA.pack(status, length, length, 0, offset, tci, tpid)


# -- sending ---------------------------------------------------------------------------------------


def _packet_sendmsg(sk: PacketSock, msg: MsgHdr, size: int) -> int:
    """Send one frame (SOCK_RAW: with its header, SOCK_DGRAM: without). Linux: packet_snd.

    -ENXIO: no such device; -ENETDOWN: it is down; -EINVAL: bad address or short header; -EMSGSIZE:
    longer than the device's MTU; -ENOBUFS: dropped on the way, or no memory; -EAGAIN, -EPIPE,
    errors of the socket.
    """
    target = _target(sk, msg.name)
    if isinstance(target, int):
        return target
    dev, proto, daddr = target
    raw = sk.sk_type == SOCK_RAW
    if not dev.flags & IFF_UP:
        return -ENETDOWN
    link = ETH_HLEN if raw else 0
    if size > dev.mtu + link + VLAN_HLEN:
        return -EMSGSIZE
    error = sock_wait_for_wmem(sk, sk.sndtimeo(bool(msg.flags & MSG_DONTWAIT)))
    if error:
        return error
    skb = alloc_skb(sk.net.skbs, _RESERVED + dev.needed_headroom + size)
    if skb is None:
        return -ENOBUFS
    error = _fill(skb, sk, msg, size, dev, proto, daddr)
    if error:
        kfree_skb_reason(skb, drop_reason.SEND_ABORTED)
        return error
    return _transmit(sk, skb) or size


def _target(sk: PacketSock, name: bytes | None) -> tuple[NetDevice, int, bytes] | int:
    """Device, protocol and address, from the message or as bound. Linux: packet_snd's beginning."""
    if name is None:
        ifindex, proto, daddr = sk.ifindex, sk.num, b""
    else:
        try:
            addr = SockaddrLl.parse(name)
        except ValueError:
            return -EINVAL
        ifindex, proto, daddr = addr.ifindex, addr.protocol, addr.addr
    dev = dev_get_by_index(sk.net, ifindex)
    if dev is None:
        return -ENXIO
    if sk.sk_type == SOCK_DGRAM and name is not None and len(daddr) < ETH_ALEN:
        return -EINVAL
    return dev, proto, daddr[:ETH_ALEN]


def _fill(
    skb: SkBuff, sk: PacketSock, msg: MsgHdr, size: int, dev: NetDevice, proto: int, daddr: bytes
) -> int:
    """The packet's bytes and its fields. Linux: packet_alloc_skb, packet_snd."""
    raw = sk.sk_type == SOCK_RAW
    skb.reserve(_RESERVED + dev.needed_headroom)
    if raw and size < ETH_HLEN:
        return -EINVAL
    if not msg.iter.copy_from_iter_full(skb.put(size), size):
        return -EFAULT
    skb.network_header = skb.data + (ETH_HLEN if raw else 0)
    if not raw:
        eth_header(skb, dev, proto, daddr or bytes(ETH_ALEN))
    skb.reset_mac_header()
    wire_type = skb.buf[skb.data + 12] << 8 | skb.buf[skb.data + 13]
    if skb.len > dev.mtu + ETH_HLEN and wire_type != ETH_P_8021Q:
        return -EMSGSIZE
    skb.protocol = proto
    if raw and proto in (0, ETH_P_ALL) and wire_type >= ETH_P_802_3_MIN:
        skb.protocol = wire_type
    skb.dev = dev
    skb.priority = sk.sk_priority
    skb.mark = sk.sk_mark
    skb.transport_header = skb.network_header
    sk.set_owner_w(skb)
    return 0


def _transmit(sk: PacketSock, skb: SkBuff) -> int:
    """0 or -ENOBUFS or what the device layer says. Linux: packet_xmit, packet_direct_xmit."""
    if sk.qdisc_bypass:
        rc = dev_direct_xmit(skb)
        if rc == NETDEV_TX_BUSY:
            kfree_skb_reason(skb, drop_reason.FULL_RING)
    else:
        rc = dev_queue_xmit(skb)
    if rc <= 0:
        return rc
    return 0 if rc & NET_XMIT_MASK == NET_XMIT_CN else -ENOBUFS


# -- the socket ------------------------------------------------------------------------------------


def _packet_create(net: Net, sock: Socket, protocol: int) -> int:
    """socket(AF_PACKET, type, htons(protocol)). Linux: packet_create."""
    if sock.type not in (SOCK_RAW, SOCK_DGRAM):
        return -ESOCKTNOSUPPORT
    proto = int.from_bytes((protocol & 0xFFFF).to_bytes(2, "little"), "big")
    sk = PacketSock(net, sock.type, proto, PACKET_PROT)
    sock.ops = PACKET_OPS
    sock_init_data(sock, sk)
    _register_prot_hook(sk, None)
    return 0


def _packet_release(sock: Socket) -> int:
    """Linux: packet_release."""
    sk: PacketSock | None = sock.sk
    if sk is None:
        return 0
    _unregister_prot_hook(sk)
    packet_flush_mclist(sk)
    sk.sock_dead = True
    sk.sk_socket = None
    sock.sk = None
    while sk.sk_receive_queue:
        kfree_skb_reason(sk.sk_receive_queue.popleft(), drop_reason.QUEUE_PURGE)
    sk.put()
    return 0


def _packet_bind(sock: Socket, name: bytes) -> int:
    """Limit the socket to a device (0: all) and, unless 0, change its protocol.

    Linux: packet_bind, packet_do_bind.

    A device that is down leaves the socket bound with ENETDOWN pending.
    """
    sk: PacketSock = sock.sk
    try:
        addr = SockaddrLl.parse(name)
    except ValueError:
        return -EINVAL
    if addr.family != AF_PACKET:
        return -EINVAL
    dev = dev_get_by_index(sk.net, addr.ifindex)
    if addr.ifindex and dev is None:
        return -ENODEV
    _unregister_prot_hook(sk)
    sk.num = addr.protocol or sk.num
    sk.ifindex = addr.ifindex
    if dev is None or dev.flags & IFF_UP:
        _register_prot_hook(sk, dev)
    else:
        sk.sk_err = ENETDOWN
        sk.error_report()
    return 0


def _packet_getname(sock: Socket, peer: int) -> bytes | int:
    """Linux: packet_getname."""
    if peer:
        return -EOPNOTSUPP
    sk: PacketSock = sock.sk
    dev = dev_get_by_index(sk.net, sk.ifindex)
    if dev is None:
        return SockaddrLl(sk.num, sk.ifindex).emit()
    return SockaddrLl(sk.num, sk.ifindex, _hatype(dev), 0, dev.addr).emit()


def _nothing(_: PacketSock) -> int:
    return 0


def _packet_backlog_rcv(_: PacketSock, _skb: SkBuff) -> int:
    raise KernelBug("a packet socket has no backlog")


PACKET_PROT = Proto(
    name="PACKET",
    obj_size=1344,
    no_autobind=True,
    init=_nothing,
    destroy=_unregister_prot_hook,
    close=lambda sk, _timeout: sk.put(),
    connect=lambda _sk, _addr: -EOPNOTSUPP,
    disconnect=lambda _sk, _flags: -ENOTCONN,
    sendmsg=_packet_sendmsg,
    recvmsg=_packet_recvmsg,
    setsockopt=lambda _sk, _level, _name, _value: -ENOPROTOOPT,
    getsockopt=lambda _sk, _level, _name, _size: -ENOPROTOOPT,
    backlog_rcv=_packet_backlog_rcv,
    hash=_nothing,
    unhash=lambda _sk: None,
    get_port=lambda _sk, _port: 0,
)

PACKET_OPS = ProtoOps(
    family=AF_PACKET,
    release=_packet_release,
    bind=_packet_bind,
    connect=sock_no_connect,
    socketpair=sock_no_socketpair,
    accept=sock_no_accept,
    getname=_packet_getname,
    poll=datagram_poll,
    listen=sock_no_listen,
    shutdown=sock_no_shutdown,
    setsockopt=packet_setsockopt,
    getsockopt=packet_getsockopt,
    sendmsg=lambda sock, msg, size: _packet_sendmsg(sock.sk, msg, size),
    recvmsg=lambda sock, msg, size, flags: _packet_recvmsg(sock.sk, msg, size, flags),
    ioctl=datagram_ioctl,
    if_ioctl=IfIoctl(DEVINET_COMMANDS, devinet_ioctl, inet_gifconf),
)


def _packet_notifier(net: Net, dev: NetDevice, event: int) -> None:
    """A device goes down: its sockets hear nothing more, and learn why. Linux: packet_notifier."""
    if event not in (NETDEV_DOWN, NETDEV_UNREGISTER):
        return
    for hooks in (net.ptype_all, *net.softnet.ptype_specific.values()):
        for ptype in tuple(hooks):
            if ptype.dev is dev and isinstance(ptype.sk, PacketSock):
                _unregister_prot_hook(ptype.sk)
                ptype.sk.sk_err = ENETDOWN
                ptype.sk.error_report()


def packet_init(net: Net) -> None:
    """Make AF_PACKET known. Linux: packet_init."""
    net.families[AF_PACKET] = _packet_create
    register_netdevice_notifier(net, lambda dev, event: _packet_notifier(net, dev, event))
