"""Sending UDP datagrams. Linux: net/ipv4/udp.c udp_sendmsg, udp_send_skb (RFC 768).

    udp_sendmsg ─┬─ one call a datagram ─→ ip_append_data → ip_make_skb ─┐
                 └─ MSG_MORE, UDP_CORK ──→ … several calls … ────────────┴→ udp_send_skb

With UDP_SEGMENT one call sends a row of datagrams of that size: they go down as one super-packet,
which the device or `validate_xmit_skb` cuts.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import csum_fold, csum_tcpudp_nofold
from pyhost.net.core.gso import SKB_GSO_UDP_L4
from pyhost.net.core.scm import cmsgs
from pyhost.net.core.skbuff import CHECKSUM_NONE, CHECKSUM_PARTIAL, SkBuff, kfree_skb_reason
from pyhost.net.core.sock import MsgHdr
from pyhost.net.ipv4.datagram import datagram_destination, datagram_route, datagram_source
from pyhost.net.ipv4.ip.ip_append import (
    InetCork,
    ip_append_data,
    ip_flush_pending,
    ip_make_skb,
    ip_send_skb,
)
from pyhost.net.ipv4.ip.ip_cmsg import IpcmCookie, ip_cmsg_send
from pyhost.net.ipv4.ip.ip_errqueue import ip_local_error
from pyhost.uapi.errno import (
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
    EOPNOTSUPP,
)
from pyhost.uapi.ip import IP_HDR_LEN, IPPROTO_UDP
from pyhost.uapi.socket import (
    MSG_MORE,
    MSG_OOB,
    MSG_PROBE,
    SOL_UDP,
)
from pyhost.uapi.udp import (
    CSUM_MANGLED_0,
    UDP_CHECK_OFF,
    UDP_HDR,
    UDP_HDR_LEN,
    UDP_MAX_SEGMENTS,
    UDP_SEGMENT,
)

if TYPE_CHECKING:
    from pyhost.net.ipv4.udp.udp_sock import UdpSock

__all__ = ["udp_flush_pending", "udp_push_pending", "udp_sendmsg"]

UDP_LEN_MAX = 0xFFFF

_GSO_SIZE = Struct("<H")


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


# -- where to --------------------------------------------------------------------------------------


def _new_cork(sk: UdpSock, msg: MsgHdr) -> InetCork | int:
    """Where this datagram goes: from the message or the connection, with its route."""
    target = datagram_destination(sk, msg.name, needs_port=True)
    if isinstance(target, int):
        return target
    daddr, dport, connected = target
    ipc = IpcmCookie(sk)
    ipc.gso_size = sk.gso_size
    if msg.control:
        err = _udp_cmsg_send(msg.control, ipc) or ip_cmsg_send(sk, msg.control, ipc)
        if err:
            return err
        connected = False
    datagram_source(sk, daddr, ipc)
    dst = datagram_route(sk, daddr, ipc, msg.flags, connected)
    if isinstance(dst, int):
        return dst
    return InetCork(sk, dst, ipc, ipc.addr or dst.saddr, daddr or dst.saddr, dport)


def _udp_cmsg_send(control: bytes, ipc: IpcmCookie) -> int:
    """The messages of level SOL_UDP: 0 or -EINVAL. Linux: udp_cmsg_send."""
    messages = cmsgs(control)
    if isinstance(messages, int):
        return messages
    for level, kind, data in messages:
        if level == SOL_UDP:
            if kind != UDP_SEGMENT or len(data) != _GSO_SIZE.size:
                return -EINVAL
            ipc.gso_size = _GSO_SIZE.unpack(data)[0]
    return 0


# -- several calls a datagram ----------------------------------------------------------------------


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
        udp_flush_pending(sk)
    elif not more:
        err = udp_push_pending(sk)
    sk.release_sock()
    return _send_result(sk, cork, err, length)


def udp_push_pending(sk: UdpSock) -> int:
    """Send the datagram under construction. Linux: udp_push_pending_frames."""
    cork = sk.cork
    assert cork is not None
    sk.cork = None
    return _udp_send_skb(sk, cork, ip_make_skb(sk, cork))


def udp_flush_pending(sk: UdpSock) -> None:
    """Give up the datagram under construction. Linux: udp_flush_pending_frames."""
    if sk.cork is not None:
        ip_flush_pending(sk.cork)
        sk.cork = None


def _send_result(sk: UdpSock, cork: InetCork, err: int, length: int) -> int:
    """What a send returns; its failures are noted."""
    if not err:
        return length
    if err == -EMSGSIZE:
        ip_local_error(sk, EMSGSIZE, cork.daddr, cork.dport, cork.fragsize)
    elif err == -ENOBUFS:
        sk.net.count("UdpSndbufErrors")
    return err


# -- down ------------------------------------------------------------------------------------------


def _udp_send_skb(sk: UdpSock, cork: InetCork, skb: SkBuff) -> int:
    """Write the UDP header and hand the datagram to IP.

    Linux: udp_send_skb; -ENOBUFS counts as sent without IP_RECVERR.
    """
    where = skb.transport_header
    length = skb.len - (where - skb.data)
    UDP_HDR.pack_into(skb.buf, where, cork.sport, cork.dport, length, 0)
    if cork.gso_size:
        err = _prepare_gso(sk, cork, skb, length - UDP_HDR_LEN)
        if err:
            kfree_skb_reason(skb, drop_reason.PKT_TOO_BIG)
            return err
    if sk.sk_no_check_tx:
        skb.ip_summed = CHECKSUM_NONE
    else:
        _checksum(
            skb, where, length, csum_tcpudp_nofold(cork.saddr, cork.daddr, length, IPPROTO_UDP)
        )
    err = ip_send_skb(sk, skb)
    if not err:
        sk.net.count("UdpOutDatagrams")
    elif err == -ENOBUFS and not sk.recverr:
        sk.net.count("UdpSndbufErrors")
        return 0
    return err


def _prepare_gso(sk: UdpSock, cork: InetCork, skb: SkBuff, payload: int) -> int:
    """Mark a packet as a row of datagrams: 0, -EMSGSIZE (one of them does not fit the path),
    -EINVAL (too many of them, or without checksums).
    """
    size = cork.gso_size
    if IP_HDR_LEN + UDP_HDR_LEN + min(payload, size) > cork.fragsize:
        return -EMSGSIZE
    if payload > size * UDP_MAX_SEGMENTS or sk.sk_no_check_tx:
        return -EINVAL
    if payload > size:
        shinfo = skb.shinfo
        shinfo.gso_size = size
        shinfo.gso_type = SKB_GSO_UDP_L4
        shinfo.gso_segs = -(-payload // size)
        skb.ip_summed = CHECKSUM_PARTIAL
    return 0


def _checksum(skb: SkBuff, where: int, length: int, pseudo: int) -> None:
    """Leave the sum to the device or compute it. Linux: udp4_hwcsum, udp_csum."""
    if skb.ip_summed == CHECKSUM_PARTIAL:
        skb.csum_start = where
        skb.csum_offset = UDP_CHECK_OFF
        check = pseudo
    else:
        check = csum_fold(skb.checksum(where - skb.data, length, pseudo)) or CSUM_MANGLED_0
    skb.buf[where + UDP_CHECK_OFF : where + UDP_CHECK_OFF + 2] = check.to_bytes(2, "big")
