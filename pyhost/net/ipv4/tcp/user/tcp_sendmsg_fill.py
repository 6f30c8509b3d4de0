"""Putting the bytes of a message into a segment: copied, spliced, or the program's own pages.

Linux: net/ipv4/tcp.c, the three branches of tcp_sendmsg_locked, net/core/skbuff.c
skb_splice_from_iter.

                what a frag refers to               memory charged    who may still write to it
    copy_in     a page of the socket (page_frag)    yes               nobody
    splice_in   a page of a file or pipe            yes               whoever writes the file
    zerocopy_in the program's memory                pure: only the    the program, which promised
                                                    struct            not to

A segment may hold bytes of several kinds. One that holds nothing but the program's pages is "pure":
its payload is the program's memory already, so the socket is not charged for it. When something
else is added the charge is made up for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.skb_shared_info import (
    MAX_SKB_FRAGS,
    SKBFL_PURE_ZEROCOPY,
    SKBFL_SHARED_FRAG,
)
from pyhost.net.core.ubuf import skb_zcopy_pure, skb_zerocopy_iter_stream, zcopy_base_truesize
from pyhost.net.ipv4.tcp.tcp_mem import sk_wmem_schedule, tcp_wmem_schedule
from pyhost.uapi.errno import EEXIST, EFAULT, EMSGSIZE
from pyhost.uapi.socket import MSG_DONTWAIT, MSG_NO_SHARED_FRAGS

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import MsgHdr
    from pyhost.net.core.ubuf import UbufInfo
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = ["NEW_SEGMENT", "NO_MEMORY", "TcpSend", "copy_in", "splice_in", "zerocopy_in"]

FRAG_MIN = 32

NO_MEMORY = 0
NEW_SEGMENT = -1
"""What a fill function returns beside the bytes it took (positive) and -EFAULT: memory is short;
the segment can take no more frags. No errno of theirs is -1 (EPERM).
"""


class TcpSend:
    """One call of `tcp_sendmsg_locked`: the message and how far it got.

    `fill(send, skb, size)` puts up to `size` bytes into a segment. `copied` bytes are in the write
    queue, `copied_syn` left in a Fast Open SYN; `started` segments were begun since the backlog was
    last looked at. `uarg` is what a zero-copy send is noted under, a reference.
    """

    __slots__ = (
        "copied",
        "copied_syn",
        "fill",
        "flags",
        "goal",
        "msg",
        "mss",
        "size",
        "sk",
        "started",
        "timeo",
        "tsflags",
        "uarg",
    )  # fmt: skip

    def __init__(self, sk: TcpSock, msg: MsgHdr, size: int, fill: Fill) -> None:
        self.sk = sk
        self.msg = msg
        self.size = size
        self.flags = msg.flags
        self.timeo: int | None = sk.sndtimeo(bool(msg.flags & MSG_DONTWAIT))
        self.tsflags = sk.sk_tsflags
        self.mss = self.goal = 0
        self.copied = self.copied_syn = self.started = 0
        self.uarg: UbufInfo | None = None
        self.fill = fill


Fill = Callable[[TcpSend, "SkBuff", int], int]


def _account(sk: TcpSock, skb: SkBuff, size: int) -> None:
    """`size` bytes were added to the segment's fragments, and memory was reserved for them."""
    skb.len += size
    skb.data_len += size
    skb.truesize += size
    sk.sk_wmem_queued += size
    sk.sk_forward_alloc -= size


def _downgrade_pure(sk: TcpSock, skb: SkBuff) -> bool:
    """Make up for the charge of a pure segment; False when memory is short. Linux:
    tcp_downgrade_zcopy_pure.
    """
    extra = skb.truesize - zcopy_base_truesize(skb)
    if not sk_wmem_schedule(sk, extra):
        return False
    sk.sk_forward_alloc -= extra
    skb.shinfo.flags &= ~SKBFL_PURE_ZEROCOPY
    return True


def copy_in(send: TcpSend, skb: SkBuff, size: int) -> int:
    """Copy up to `size` bytes of the message into page fragments of the socket's own. Linux: the
    copy branch of tcp_sendmsg_locked.
    """
    sk = send.sk
    frag = sk.frag
    if not frag.refill(FRAG_MIN):
        return NO_MEMORY
    page = frag.page
    assert page is not None
    shinfo = skb.shinfo
    frags = shinfo.frags
    last = frags[-1] if frags else None
    merge = last is not None and last.page is page and last.offset + last.size == frag.offset
    if not merge and len(frags) >= MAX_SKB_FRAGS:
        return NEW_SEGMENT
    if shinfo.flags & SKBFL_PURE_ZEROCOPY and not _downgrade_pure(sk, skb):
        return NO_MEMORY
    size = tcp_wmem_schedule(sk, min(size, frag.size - frag.offset))
    if not size:
        return NO_MEMORY
    if not send.msg.iter.copy_from_iter_full_nocache(page.addr + frag.offset, size):
        return -EFAULT
    if merge and last is not None:
        last.size += size
    else:
        page.get()
        skb.fill_page_desc(page, frag.offset, size)
    frag.offset += size
    _account(sk, skb, size)
    return size


def splice_in(send: TcpSend, skb: SkBuff, size: int) -> int:
    """Link up to `size` bytes of the message's pages; nothing is copied. Linux:
    skb_splice_from_iter.
    """
    sk, msg, shinfo = send.sk, send.msg, skb.shinfo
    room = MAX_SKB_FRAGS - len(shinfo.frags)
    if room <= 0:
        return NEW_SEGMENT
    if shinfo.flags & SKBFL_PURE_ZEROCOPY and not _downgrade_pure(sk, skb):
        return NO_MEMORY
    size = tcp_wmem_schedule(sk, size)
    if not size:
        return NO_MEMORY
    pieces = msg.iter.extract_pages(size, room)
    if not pieces:
        return -EFAULT
    taken = 0
    for page, offset, length in pieces:
        if skb.can_coalesce(page, offset):
            shinfo.frags[-1].size += length
            page.put()
        else:
            skb.fill_page_desc(page, offset, length)
        taken += length
    if not msg.flags & MSG_NO_SHARED_FRAGS:
        shinfo.flags |= SKBFL_SHARED_FRAG
    skb.pool.memory.zerocopy_bytes += taken
    _account(sk, skb, taken)
    return taken


def zerocopy_in(send: TcpSend, skb: SkBuff, size: int) -> int:
    """Link up to `size` bytes of the program's own memory; nothing is copied. Linux: the
    MSG_ZEROCOPY branch of tcp_sendmsg_locked.
    """
    sk, uarg = send.sk, send.uarg
    assert uarg is not None
    if not skb.len:
        skb.shinfo.flags |= SKBFL_PURE_ZEROCOPY
    if not skb_zcopy_pure(skb):
        size = tcp_wmem_schedule(sk, size)
        if not size:
            return NO_MEMORY
    taken, truesize = skb_zerocopy_iter_stream(skb, send.msg.iter, size, uarg)
    if taken < 0:
        return NEW_SEGMENT if taken in (-EMSGSIZE, -EEXIST) else -EFAULT
    sk.sk_wmem_queued += truesize
    if not skb_zcopy_pure(skb):
        sk.sk_forward_alloc -= truesize
    return taken
