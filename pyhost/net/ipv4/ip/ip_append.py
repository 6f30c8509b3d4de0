"""Building datagrams out of user data: one buffer a fragment, filled by one or more calls
(corking).

Linux: net/ipv4/ip_output.c __ip_append_data, __ip_make_skb, ip_append_data, ip_push_pending_frames,
ip_flush_pending_frames.

    queue:  [20 IP │ 8 UDP │ payload … ] [20 IP │ payload … ] [20 IP │ payload … ]
                 └── __ip_make_skb ──→  one skb whose frag_list holds the rest

One skb is one fragment from the start, so ip_do_fragment can let them go as they are.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_IP_CSUM, NETIF_F_SG
from pyhost.net.core.skbuff import (
    CHECKSUM_NONE,
    CHECKSUM_PARTIAL,
    MAX_SKB_FRAGS,
    SkBuff,
    alloc_skb,
    kfree_skb_reason,
)
from pyhost.net.core.sock import MsgHdr, sock_wait_for_wmem
from pyhost.net.core.timestamping import sock_tx_timestamp
from pyhost.net.core.ubuf import msg_zerocopy_realloc, skb_zcopy_set, skb_zerocopy_iter_dgram
from pyhost.net.ipv4.ip.ip_output import (
    ip_dont_fragment,
    ip_local_out,
    ip_push_header,
    ip_select_ident,
    ip_select_ttl,
    ip_sk_ignore_df,
    ip_sk_use_pmtu,
    net_xmit_errno,
)
from pyhost.net.ipv4.ip.ip_sockglue import rt_tos2priority
from pyhost.uapi.errno import EFAULT, EMSGSIZE, ENOBUFS
from pyhost.uapi.ip import IP_DF, IP_HDR_LEN, IP_MAX_LEN, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE
from pyhost.uapi.net_tstamp import SOF_TIMESTAMPING_OPT_ID
from pyhost.uapi.socket import MSG_DONTWAIT, MSG_MORE, MSG_ZEROCOPY

if TYPE_CHECKING:
    from pyhost.mm.page_frag import PageFrag
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.sock import InetSock
    from pyhost.net.core.ubuf import UbufInfo
    from pyhost.net.ipv4.ip.ip_cmsg import IpcmCookie

__all__ = ["InetCork", "ip_append_data", "ip_flush_pending", "ip_make_skb", "ip_send_skb"]


class InetCork:
    """A datagram under construction. Linux: struct inet_cork and the queue beside it.

    `length` counts transport header and payload; `fragsize` is the MTU; with `gso_size` it is a row
    of datagrams of that many bytes each, not cut here; `tx_flags` (SKBTX_*) asks for timestamps of
    the first fragment.
    """

    __slots__ = (
        "daddr", "dport", "dst", "fragsize", "gso_size", "length", "mark", "priority", "queue",
        "saddr", "sport", "tos", "ttl", "tx_flags",
    )  # fmt: skip

    def __init__(
        self,
        sk: InetSock,
        dst: DstEntry,
        ipc: IpcmCookie,
        saddr: int,
        daddr: int,
        dport: int,
    ) -> None:
        self.dst = dst
        self.saddr = saddr
        self.daddr = daddr
        self.sport = sk.inet_sport
        self.dport = dport
        self.tos = sk.tos if ipc.tos < 0 else ipc.tos
        self.ttl = ip_select_ttl(sk, dst) if ipc.ttl < 0 else ipc.ttl
        self.priority = sk.sk_priority if ipc.tos < 0 else rt_tos2priority(ipc.tos)
        self.mark = ipc.sockc.mark
        self.gso_size = ipc.gso_size
        self.fragsize = dst.mtu() if ip_sk_use_pmtu(sk) else dst.dev.mtu
        self.length = 0
        self.tx_flags = sock_tx_timestamp(ipc.sockc.tsflags)
        self.queue: deque[SkBuff] = deque()


class _ZeroCopy:
    """One call with MSG_ZEROCOPY. `uarg` is what it is noted under; `own` says that it is new and
    the call holds a reference; `pages`: the program's pages are linked, else they are copied after
    all and only the notification is due.
    """

    __slots__ = ("own", "pages", "uarg")

    def __init__(self, uarg: UbufInfo, own: bool, pages: bool) -> None:
        self.uarg = uarg
        self.own = own
        self.pages = pages
        if not pages:
            uarg.zerocopy = False

    def end(self, err: int) -> None:
        """The call is over. Linux: the label error of __ip_append_data."""
        if err:
            self.uarg.abort(self.own)
        elif self.own:
            self.uarg.complete(True)


def ip_append_data(
    sk: InetSock,
    cork: InetCork,
    frag: PageFrag,
    msg: MsgHdr,
    length: int,
    transhdrlen: int,
    flags: int,
) -> int:
    """Add `length` bytes (with `transhdrlen` bytes of transport header left free in the first call)
    to the datagram.

    0, or -EMSGSIZE, -EFAULT, -ENOBUFS, -EAGAIN and the socket's own errors; what was built before
    stays. Linux: __ip_append_data.
    """
    mtu = IP_MAX_LEN if cork.gso_size else cork.fragsize
    maxfraglen = ((mtu - IP_HDR_LEN) & ~7) + IP_HDR_LEN
    limit = IP_MAX_LEN if ip_sk_ignore_df(sk) else mtu
    if cork.length + length > limit - IP_HDR_LEN:
        return -EMSGSIZE
    whole = transhdrlen and length + IP_HDR_LEN <= mtu and not flags & MSG_MORE
    partial = bool(whole and cork.dst.dev.features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM))
    zc = None
    if flags & MSG_ZEROCOPY and length and sk.sk_zerocopy:
        zc = _begin_zerocopy(sk, cork, length, partial)
        if zc is None:
            return -ENOBUFS
    cork.length += length
    left = length
    err = 0
    while (left > 0 or not cork.queue) and not err:
        room = _room(cork, mtu, maxfraglen, left) if cork.queue else 0
        if room > 0:
            size = min(room, left)
            err = _fill(sk, cork.queue[-1], frag, msg, size, zc)
        else:
            size = transhdrlen
            err = _new_fragment(sk, cork, maxfraglen, left, transhdrlen, flags, zc)
            if partial and not err:
                cork.queue[-1].ip_summed = CHECKSUM_PARTIAL
            transhdrlen = 0
        if not err:
            left -= size
    if err:
        cork.length -= left
    if zc is not None:
        zc.end(err)
    return err


def _begin_zerocopy(sk: InetSock, cork: InetCork, length: int, partial: bool) -> _ZeroCopy | None:
    """MSG_ZEROCOPY: note the send; None when memory for that is short. The program's pages are
    linked when the device gathers and sums. Linux: __ip_append_data.
    """
    tail = cork.queue[-1].shinfo.uarg if cork.queue else None
    uarg = msg_zerocopy_realloc(sk, length, tail)
    if uarg is None:
        return None
    pages = bool(cork.dst.dev.features & NETIF_F_SG) and partial
    return _ZeroCopy(uarg, tail is None, pages)


def _room(cork: InetCork, mtu: int, maxfraglen: int, left: int) -> int:
    """Bytes that still fit the last fragment; one that others follow ends at a multiple of 8."""
    have = cork.queue[-1].len
    room = mtu - have
    return room if left <= room else maxfraglen - have


def _new_fragment(
    sk: InetSock,
    cork: InetCork,
    maxfraglen: int,
    left: int,
    transhdrlen: int,
    flags: int,
    zc: _ZeroCopy | None,
) -> int:
    """Start a fragment: buffer, network header, and what the one before holds beyond a multiple of
    8.
    """
    previous = cork.queue[-1] if cork.queue else None
    gap = max(0, previous.len - maxfraglen) if previous is not None else 0
    if cork.gso_size or (zc is not None and zc.pages):
        size = transhdrlen + gap + IP_HDR_LEN
    else:
        size = _linear_size(cork, maxfraglen, left + gap, flags)
    if previous is None:
        err = sock_wait_for_wmem(sk, sk.sndtimeo(bool(flags & MSG_DONTWAIT)))
        if err:
            return err
    elif sk.sk_wmem_alloc > 2 * sk.sk_sndbuf:
        return -ENOBUFS
    dev = cork.dst.dev
    hh_len = ((dev.hard_header_len + dev.needed_headroom) & ~15) + 16
    skb = alloc_skb(sk.net.skbs, hh_len + size + 15)
    if skb is None:
        return -ENOBUFS
    skb.ip_summed = CHECKSUM_NONE
    skb.reserve(hh_len)
    skb.network_header = skb.put(IP_HDR_LEN)
    skb.transport_header = skb.network_header + IP_HDR_LEN
    if transhdrlen:
        skb.put(transhdrlen)
    if gap and previous is not None:
        skb.put_data(previous.copy_bits(maxfraglen, gap))
        previous.trim(maxfraglen)
    sk.set_owner_w(skb)
    if cork.tx_flags:
        _mark_tstamp(sk, cork, skb)
    if zc is not None:
        skb_zcopy_set(skb, zc.uarg)
    cork.queue.append(skb)
    return 0


def _linear_size(cork: InetCork, maxfraglen: int, datalen: int, flags: int) -> int:
    """Bytes of the buffer of a fragment for `datalen` bytes or as many of them as it may have; a
    whole one when more will come that cannot go to pages.
    """
    if flags & MSG_MORE and not cork.dst.dev.features & NETIF_F_SG:
        return cork.fragsize
    return maxfraglen if datalen > cork.fragsize - IP_HDR_LEN else datalen + IP_HDR_LEN


def _mark_tstamp(sk: InetSock, cork: InetCork, skb: SkBuff) -> None:
    """The first fragment carries the mark, numbered with OPT_ID. Linux: __ip_append_data."""
    skb.shinfo.tx_flags, cork.tx_flags = cork.tx_flags, 0
    if sk.sk_tsflags & SOF_TIMESTAMPING_OPT_ID:
        skb.shinfo.tskey = sk.sk_tskey
        sk.sk_tskey = sk.sk_tskey + 1 & 0xFFFFFFFF


def _fill(
    sk: InetSock, skb: SkBuff, frag: PageFrag, msg: MsgHdr, size: int, zc: _ZeroCopy | None
) -> int:
    """Add `size` bytes of user data to the end of a fragment: copied to the linear part first, then
    to pages; or the program's own pages.

    Linux: ip_generic_getfrag, skb_zerocopy_iter_dgram.
    """
    if zc is not None and zc.pages:
        return skb_zerocopy_iter_dgram(sk, skb, msg.iter, size)
    if not skb.data_len and skb.tailroom >= size:
        where = skb.put(size)
        return 0 if msg.iter.copy_from_iter_full(where, size) else -EFAULT
    while size:
        if not frag.refill(1):
            return -ENOBUFS
        page = frag.page
        assert page is not None
        merge = skb.can_coalesce(page, frag.offset)
        if not merge and skb.shinfo.nr_frags >= MAX_SKB_FRAGS:
            return -EMSGSIZE
        run = min(size, frag.size - frag.offset)
        if not msg.iter.copy_from_iter_full(page.addr + frag.offset, run):
            return -EFAULT
        if merge:
            skb.shinfo.frags[-1].size += run
        else:
            page.get()
            skb.fill_page_desc(page, frag.offset, run)
        frag.offset += run
        skb.len += run
        skb.data_len += run
        skb.truesize += run
        sk.sk_wmem_alloc += run
        size -= run
    return 0


def ip_make_skb(sk: InetSock, cork: InetCork) -> SkBuff:
    """Join the fragments into one packet and give it its IP header. Linux: __ip_make_skb."""
    queue = cork.queue
    skb = queue.popleft()
    for part in queue:
        part.pull(IP_HDR_LEN)
        skb.len += part.len
        skb.data_len += part.len
        skb.truesize += part.truesize
        part.destructor = None
        part.sk = None
    if queue:
        skb.shinfo.frag_list = list(queue)
        queue.clear()
    dst = cork.dst
    skb.ignore_df = ip_sk_ignore_df(sk)
    always = sk.pmtudisc in (IP_PMTUDISC_DO, IP_PMTUDISC_PROBE)
    fits = skb.len <= cork.fragsize and ip_dont_fragment(sk, dst)
    frag_off = IP_DF if always or fits else 0
    saddr, daddr, protocol = cork.saddr, cork.daddr, sk.sk_protocol
    ident = ip_select_ident(sk.net, sk, skb, frag_off, saddr, daddr, protocol)
    skb.pull(IP_HDR_LEN)
    ip_push_header(skb, cork.tos, ident, frag_off, cork.ttl, protocol, saddr, daddr)
    skb.priority = cork.priority
    skb.mark = cork.mark
    skb.dst = dst
    return skb


def ip_send_skb(sk: InetSock, skb: SkBuff) -> int:
    """Send a finished datagram: 0 or a negative errno; congestion further down is no error.

    Linux: ip_send_skb.
    """
    err = ip_local_out(sk.net, sk, skb)
    if err > 0:
        err = net_xmit_errno(err)
    if err:
        sk.net.count("IpOutDiscards")
    return err


def ip_flush_pending(cork: InetCork) -> None:
    """Throw away a datagram that is not finished. Linux: ip_flush_pending_frames."""
    while cork.queue:
        kfree_skb_reason(cork.queue.pop(), drop_reason.QUEUE_PURGE)
    cork.length = 0
