"""MSG_ZEROCOPY: packets whose frags are the program's own pages, and telling it when they are free.

Linux: net/core/skbuff.c msg_zerocopy_*, skb_zerocopy_iter_*, skb_copy_ubufs;
Documentation/networking/msg_zerocopy.rst.

A `UbufInfo` stands for one or several sends of one socket, numbered id … id + len - 1. Every
`SkbSharedInfo` whose frags are of those sends holds a reference, and the sender holds one while it
works. Pages are pinned by the references that the frags hold.

    sendmsg ──alloc──→ UbufInfo ←──uarg── shinfo of the queued segment (shared with its clones)
                           │       ←──uarg── shinfo of a copy of the head, of a GSO frame …
                           ▼ last reference: data acknowledged, and the driver done
              notification on sk_error_queue: ids id … id + len - 1 are done

Whoever must keep the bytes (a tap, a receiver on this machine, software that sums pages somebody
may still write to) copies them first: then `complete(False)` notes it, and the notification says
so (SO_EE_CODE_ZEROCOPY_COPIED). The data stays right; it only was not free.

The program must not touch the memory before the notification. When it does, the wire has the new
bytes, as in Linux: the card reads the pages when it sends, and again for each retransmission.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.memory import PAGE_MASK, PAGE_SIZE, Page
from pyhost.mm.mlock import mm_account_pinned_pages
from pyhost.net.core.errqueue import SockExterr
from pyhost.net.core.skb_shared_info import (
    SKBFL_DONT_ORPHAN,
    SKBFL_PURE_ZEROCOPY,
    SKBFL_ZEROCOPY_FRAG,
    SkbFrag,
)
from pyhost.net.core.skbuff import (
    MAX_SKB_FRAGS,
    SKB_STRUCT_SIZE,
    SkBuff,
    alloc_skb,
    consume_skb,
    skb_truesize,
)
from pyhost.uapi.errno import EEXIST, EFAULT, EMSGSIZE, ENOMEM
from pyhost.uapi.errqueue import SO_EE_CODE_ZEROCOPY_COPIED, SO_EE_ORIGIN_ZEROCOPY
from pyhost.uapi.socket import SOCK_STREAM

if TYPE_CHECKING:
    from pyhost.mm.iov_iter import IovIter
    from pyhost.net.core.sock import Sock

__all__ = [
    "UbufInfo", "msg_zerocopy_realloc", "skb_copy_ubufs", "skb_orphan_frags_rx", "skb_zcopy_pure",
    "skb_zcopy_set", "skb_zerocopy_iter_dgram", "skb_zerocopy_iter_stream", "zcopy_base_truesize",
    "zerocopy_fill_skb_from_iter",
]  # fmt: skip

BYTE_LIMIT = 1 << 19
CALLS_MAX = 0xFFFF - 1
"""What one `UbufInfo` may stand for: bytes, and calls."""


class UbufInfo:
    """Linux: struct ubuf_info_msgzc. `skb` is the notification, made beforehand so that it cannot
    fail; `num_pg` pages are charged to the user.
    """

    __slots__ = ("bytelen", "id", "len", "num_pg", "refcnt", "sk", "skb", "zerocopy")

    def __init__(self, sk: Sock, skb: SkBuff, size: int, num_pg: int) -> None:
        self.sk = sk
        self.skb = skb
        self.id = sk.sk_zckey
        self.len = 1
        self.bytelen = size
        self.num_pg = num_pg
        self.refcnt = 1
        self.zerocopy = True
        sk.sk_zckey = sk.sk_zckey + 1 & 0xFFFFFFFF
        sk.hold()

    def get(self) -> None:
        """Linux: net_zcopy_get."""
        self.refcnt += 1

    def complete(self, success: bool) -> None:
        """Drop a reference; `success`: nobody copied the bytes. Linux: msg_zerocopy_complete."""
        self.zerocopy = self.zerocopy and success
        self.refcnt -= 1
        if not self.refcnt:
            self._notify()

    def abort(self, have_ref: bool) -> None:
        """The send came to nothing: take its number back. Linux: msg_zerocopy_put_abort."""
        self.sk.sk_zckey = self.sk.sk_zckey - 1 & 0xFFFFFFFF
        self.len -= 1
        if have_ref:
            self.complete(True)

    def _notify(self) -> None:
        """All of it is done: tell the program, unless nothing was sent or nobody is there. Linux:
        __msg_zerocopy_callback.
        """
        sk, skb = self.sk, self.skb
        sk.net.kernel.user.locked_vm -= self.num_pg
        if not self.len or sk.sock_dead:
            consume_skb(skb)
        else:
            code = 0 if self.zerocopy else SO_EE_CODE_ZEROCOPY_COPIED
            last = self.id + self.len - 1 & 0xFFFFFFFF
            if _extend_last(sk, self.id, self.len):
                consume_skb(skb)
            else:
                skb.cb = SockExterr(0, SO_EE_ORIGIN_ZEROCOPY, code=code, info=self.id, data=last)
                sk.sk_error_queue.append(skb)
            sk.error_report()
        sk.put()


def _extend_last(sk: Sock, low: int, count: int) -> bool:
    """Let the newest notification cover the following ids too. Linux:
    skb_zerocopy_notify_extend.
    """
    if not sk.sk_error_queue:
        return False
    note: SockExterr = sk.sk_error_queue[-1].cb
    if note.origin != SO_EE_ORIGIN_ZEROCOPY or low != note.data + 1 & 0xFFFFFFFF:
        return False
    if (note.data - note.info & 0xFFFFFFFF) + 1 + count > 0xFFFFFFFF:
        return False
    note.data = note.data + count & 0xFFFFFFFF
    return True


# -- the sender ------------------------------------------------------------------------------------


def msg_zerocopy_realloc(sk: Sock, size: int, uarg: UbufInfo | None) -> UbufInfo | None:
    """What a send of `size` bytes is noted under: `uarg`, that of the packet which it continues,
    when that has room, else a new one. None for ENOBUFS (pinned pages, option memory). Linux:
    msg_zerocopy_realloc.

    A stream's caller owns a reference; a datagram's only one on a new `UbufInfo`.
    """
    if uarg is None:
        return _alloc(sk, size)
    stream = sk.sk_type == SOCK_STREAM
    if uarg.len == CALLS_MAX or uarg.bytelen + size > BYTE_LIMIT:
        return _alloc(sk, size) if stream else None
    if uarg.id + uarg.len & 0xFFFFFFFF != sk.sk_zckey:
        return _alloc(sk, size)
    pages = mm_account_pinned_pages(sk.net.kernel, size)
    if pages < 0:
        return None
    uarg.num_pg += pages
    uarg.len += 1
    uarg.bytelen += size
    sk.sk_zckey = sk.sk_zckey + 1 & 0xFFFFFFFF
    if stream:
        uarg.get()
    return uarg


def _alloc(sk: Sock, size: int) -> UbufInfo | None:
    """Linux: msg_zerocopy_alloc."""
    skb = sock_omalloc(sk, 0)
    if skb is None:
        return None
    pages = mm_account_pinned_pages(sk.net.kernel, size)
    if pages < 0:
        consume_skb(skb)
        return None
    return UbufInfo(sk, skb, size, pages)


def sock_omalloc(sk: Sock, size: int) -> SkBuff | None:
    """An skb charged to the socket's option memory, None above net.core.optmem_max. Linux:
    sock_omalloc.
    """
    if sk.sk_omem_alloc + skb_truesize(size) > sk.net.softnet.sysctl_optmem_max:
        return None
    skb = alloc_skb(sk.net.skbs, size)
    if skb is not None:
        sk.sk_omem_alloc += skb.truesize
        skb.sk = sk
        skb.destructor = _sock_ofree
    return skb


def _sock_ofree(skb: SkBuff) -> None:
    """Linux: sock_ofree."""
    assert skb.sk is not None
    skb.sk.sk_omem_alloc -= skb.truesize


def skb_zcopy_set(skb: SkBuff, uarg: UbufInfo) -> None:
    """The packet's frags are of this send. Linux: skb_zcopy_set."""
    shinfo = skb.shinfo
    if shinfo.uarg is None:
        uarg.get()
        shinfo.uarg = uarg
        shinfo.flags |= SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN


def skb_zcopy_pure(skb: SkBuff) -> bool:
    """Whether all payload is the program's own pages, for which no memory is charged. Linux:
    skb_zcopy_pure.
    """
    return bool(skb.shinfo.flags & SKBFL_PURE_ZEROCOPY)


def zcopy_base_truesize(skb: SkBuff) -> int:
    """What a pure zero-copy packet is charged: the struct and its head. Linux:
    SKB_TRUESIZE(skb_end_offset(skb)).
    """
    return skb.shinfo.head_size + SKB_STRUCT_SIZE


def zerocopy_fill_skb_from_iter(skb: SkBuff, it: IovIter, size: int) -> tuple[int, int]:
    """Link up to `size` bytes of the program's pages into the packet: (0 or a negative errno, what
    was added to truesize). -EMSGSIZE: no frag is free, -EFAULT; what was linked before stays.
    Linux: zerocopy_fill_skb_from_iter.
    """
    frags = skb.shinfo.frags
    truesize = 0
    err = 0
    while size and it.count:
        if len(frags) == MAX_SKB_FRAGS:
            err = -EMSGSIZE
            break
        pieces = it.extract_pages(size, 1)
        if not pieces:
            err = -EFAULT
            break
        page, offset, length = pieces[0]
        _link(skb, page, offset, length)
        size -= length
        truesize += (offset & ~PAGE_MASK) + length + PAGE_SIZE - 1 & PAGE_MASK
    skb.truesize += truesize
    return err, truesize


def _link(skb: SkBuff, page: Page, offset: int, length: int) -> None:
    if skb.can_coalesce(page, offset):
        skb.shinfo.frags[-1].size += length
        page.put()
    else:
        skb.fill_page_desc(page, offset, length)
    skb.len += length
    skb.data_len += length
    skb.pool.memory.zerocopy_bytes += length


def skb_zerocopy_iter_stream(
    skb: SkBuff, it: IovIter, size: int, uarg: UbufInfo
) -> tuple[int, int]:
    """Link up to `size` bytes of the program's pages into a segment: (bytes or a negative errno,
    what was added to truesize). Linux: skb_zerocopy_iter_stream.

    -EEXIST: the segment carries another send's pages, -EMSGSIZE: it has no frag free, -EFAULT; the
    segment is then as it was.
    """
    if skb.shinfo.uarg is not None and skb.shinfo.uarg is not uarg:
        return -EEXIST, 0
    before = skb.len
    err, truesize = zerocopy_fill_skb_from_iter(skb, it, size)
    linked = skb.len - before
    if err == -EFAULT or (err and not linked):
        it.revert(linked)
        skb.trim(before)
        skb.truesize -= truesize
        skb.pool.memory.zerocopy_bytes -= linked
        return err, 0
    skb_zcopy_set(skb, uarg)
    return linked, truesize


def skb_zerocopy_iter_dgram(sk: Sock, skb: SkBuff, it: IovIter, size: int) -> int:
    """Link `size` bytes of the program's pages into a datagram, and charge them: 0 or a negative
    errno. Linux: skb_zerocopy_iter_dgram.
    """
    err, truesize = zerocopy_fill_skb_from_iter(skb, it, size)
    sk.sk_wmem_alloc += truesize
    return err


# -- who must have the bytes -----------------------------------------------------------------------


def skb_orphan_frags_rx(skb: SkBuff) -> int:
    """The packet will be kept for as long as somebody likes (a tap, a receiver here): make its
    bytes our own. 0 or -ENOMEM. Linux: skb_orphan_frags_rx.
    """
    return 0 if skb.shinfo.uarg is None else skb_copy_ubufs(skb)


def skb_copy_ubufs(skb: SkBuff) -> int:
    """Replace the program's pages by copies, in this packet only: 0 or -ENOMEM. Linux:
    skb_copy_ubufs.
    """
    memory = skb.pool.memory
    frags = skb.shinfo.frags
    total = sum(frag.size for frag in frags)
    try:
        if skb.is_cloned():
            skb.expand_head(0, 0)
            frags = skb.shinfo.frags
        order = max(0, (total - 1) >> 12).bit_length()
        page = memory.alloc_pages(order) if total else None
    except MemoryError:
        return -ENOMEM
    if page is not None:
        at = page.addr
        for frag in frags:
            memory.buf[at : at + frag.size] = memory.buf[frag.addr : frag.addr + frag.size]
            at += frag.size
            frag.page.put()
        memory.skb_copy_bytes += total
        frags[:] = [SkbFrag(page, 0, total)]
    skb.zcopy_clear(False)
    return 0
