"""sk_buff: the packet, from the socket to the driver and back.

Linux: include/linux/skbuff.h, net/core/skbuff.c.

Who owns what: an `SkBuff` has `users` references; the last one frees the struct, runs the
destructor (which gives the bytes back to the socket's account) and drops one `dataref`. Clones
share head, frags and `SkbSharedInfo`; the last `dataref` frees them. A queued TCP original is never
handed down: its clone travels, and dies when the NIC has sent it.

Where the bytes lie and how they are read is in skb_geometry.py; frags that are a program's own
pages in ubuf.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.net.core.checksum import csum_fold
from pyhost.net.core.drop_reason import SKB_CONSUMED
from pyhost.net.core.skb_geometry import (
    CHECKSUM_COMPLETE,
    CHECKSUM_NONE,
    CHECKSUM_PARTIAL,
    CHECKSUM_UNNECESSARY,
    SkbGeometry,
)
from pyhost.net.core.skb_shared_info import (
    MAX_SKB_FRAGS,
    SKB_SHINFO_SIZE,
    SKB_SMALL_HEAD_SIZE,
    SKBFL_DONT_ORPHAN,
    SKBFL_SHARED_FRAG,
    SKBFL_ZEROCOPY_FRAG,
    SkbFrag,
    SkbPool,
    SkbSharedInfo,
)

if TYPE_CHECKING:
    from pyhost.net.core.sock import Sock

__all__ = [
    "CHECKSUM_COMPLETE", "CHECKSUM_NONE", "CHECKSUM_PARTIAL", "CHECKSUM_UNNECESSARY",
    "MAX_SKB_FRAGS", "MAX_TCP_HEADER", "SKB_SHINFO_SIZE", "SKB_SMALL_HEAD_SIZE", "SKB_STRUCT_SIZE",
    "SkBuff", "SkbFrag", "SkbPool", "SkbSharedInfo", "alloc_skb", "consume_skb", "kfree_skb_reason",
    "skb_fclone_busy", "skb_truesize",
]  # fmt: skip

SKB_STRUCT_SIZE = 256
MAX_TCP_HEADER = 320


def skb_truesize(size: int) -> int:
    """What an skb with `size` bytes of data is charged. Linux: SKB_TRUESIZE."""
    return size + SKB_STRUCT_SIZE + SKB_SHINFO_SIZE


class SkBuff(SkbGeometry):
    """Linux: struct sk_buff."""

    __slots__ = ()

    # -- making bytes linear -----------------------------------------------------------------------

    def may_pull(self, size: int) -> bool:
        """Make sure that the first `size` bytes are linear; False when the packet is shorter.
        Linux: pskb_may_pull.
        """
        missing = size - (self.len - self.data_len)
        if missing <= 0:
            return True
        if size > self.len:
            return False
        self._pull_tail(missing)
        return True

    def linearize(self) -> None:
        """Move everything into the linear part. Linux: skb_linearize."""
        if self.data_len:
            self._pull_tail(self.data_len)

    def _pull_tail(self, size: int) -> None:
        """Move `size` bytes from the frags to the end of the linear part, in a bigger head when
        needed. Linux: __pskb_pull_tail.
        """
        if self.tail + size > self.end or self.is_cloned():
            self.expand_head(0, max(0, self.tail + size - self.end))
        moved = self.copy_bits(self.headlen, size)
        self.buf[self.tail : self.tail + size] = moved
        self.pool.memory.skb_copy_bytes += size
        self.tail += size
        self.data_len -= size
        self._drop_front(size)
        if not self.data_len:
            self.zcopy_clear(False)

    def _drop_front(self, size: int) -> None:
        """Forget the first `size` bytes behind the linear part."""
        frags = self.shinfo.frags
        while size and frags:
            first = frags[0]
            taken = min(size, first.size)
            first.offset += taken
            first.size -= taken
            size -= taken
            if not first.size:
                first.page.put()
                del frags[0]
        parts = self.shinfo.frag_list
        while size and parts:
            part = parts[0]
            taken = min(size, part.len)
            if taken == part.len:
                consume_skb(part)
                del parts[0]
            else:
                part = parts[0] = _own(part)
                part.may_pull(taken)
                part.pull(taken)
            size -= taken

    def trim(self, length: int) -> None:
        """Cut the packet to `length` bytes. Linux: pskb_trim."""
        cut = self.len - length
        if cut <= 0:
            return
        if self.is_cloned():
            self.expand_head(0, 0)
        cut = self._trim_frag_list(cut)
        frags = self.shinfo.frags
        while cut and frags:
            last = frags[-1]
            taken = min(cut, last.size)
            last.size -= taken
            cut -= taken
            self.len -= taken
            self.data_len -= taken
            if not last.size:
                last.page.put()
                frags.pop()
        self.len -= cut
        self.tail -= cut

    def _trim_frag_list(self, cut: int) -> int:
        """Take up to `cut` bytes off the end of the frag_list; what is left of `cut`."""
        parts = self.shinfo.frag_list
        while cut and parts:
            taken = min(cut, parts[-1].len)
            if taken == parts[-1].len:
                consume_skb(parts.pop())
            else:
                last = parts[-1] = _own(parts[-1])
                last.trim(last.len - taken)
            self.len -= taken
            self.data_len -= taken
            cut -= taken
        return cut

    def checksum_help(self) -> None:
        """Compute what CHECKSUM_PARTIAL left to the device. Linux: net/core/dev.c
        skb_checksum_help.

        Pages that somebody may still write to are copied first, else the sum could be of other
        bytes than those that leave.
        """
        offset = self.csum_start - self.data
        if self.shinfo.gso_size or not 0 <= offset <= self.headlen - 2 - self.csum_offset:
            raise KernelBug(f"skb_checksum_help: {self!r} csum_start {offset}")
        if self.shinfo.flags & SKBFL_SHARED_FRAG:
            self.linearize()
        self.ensure_writable(offset + self.csum_offset + 2)
        check = csum_fold(self.checksum(offset, self.len - offset)) or 0xFFFF
        where = self.csum_start + self.csum_offset
        self.buf[where : where + 2] = check.to_bytes(2, "big")
        self.ip_summed = CHECKSUM_NONE

    # -- sharing and copies ------------------------------------------------------------------------

    def is_cloned(self) -> bool:
        """Whether another skb shares head and frags. Linux: skb_cloned."""
        return self._cloned and self.shinfo.dataref != 1

    def header_cloned(self) -> bool:
        """Whether another skb reads the headers of this one. Linux: skb_header_cloned."""
        shinfo = self.shinfo
        return self._cloned and shinfo.dataref - shinfo.payload_refs != 1

    def header_release(self) -> None:
        """Promise to leave the headers to the clones. Linux: __skb_header_release."""
        self.nohdr = True
        self.shinfo.payload_refs += 1

    def clone(self) -> SkBuff:
        """A second struct over the same bytes: no owner, same key. Linux: skb_clone."""
        twin = SkBuff(
            self.pool, self.head, self.end - self.head, self.shinfo, self.truesize, self.key
        )
        _copy_header(twin, self)
        twin.data, twin.tail = self.data, self.tail
        twin.len, twin.data_len = self.len, self.data_len
        twin.mac_header = self.mac_header
        twin.network_header = self.network_header
        twin.transport_header = self.transport_header
        twin.csum_start = self.csum_start
        self._cloned = twin._cloned = True
        self.shinfo.dataref += 1
        self.pool.alive += 1
        return twin

    def pskb_copy(self, headroom: int | None = None) -> SkBuff | None:
        """A copy with a head of its own and the same frags, None when memory is short. Linux:
        __pskb_copy.
        """
        room = self.headroom if headroom is None else headroom
        copy = alloc_skb(
            self.pool, room + self.headlen + (0 if self.data_len else self.tailroom), self.key
        )
        if copy is None:
            return None
        copy.reserve(room)
        copy.put_data(self.buf[self.data : self.tail])
        _copy_header(copy, self)
        shift = copy.data - self.data
        copy.mac_header = self.mac_header + shift
        copy.network_header = self.network_header + shift
        copy.transport_header = self.transport_header + shift
        copy.csum_start = self.csum_start + shift
        _share_frags(copy.shinfo, self.shinfo)
        copy.len, copy.data_len = self.len, self.data_len
        copy.truesize += self.data_len
        return copy

    def expand_head(self, nhead: int, ntail: int) -> None:
        """Move to a head of our own with more room; raises MemoryError. Linux: pskb_expand_head.

        Addresses change. `truesize` follows the head unless somebody was charged for it.
        """
        size = (self.end - self.head + nhead + ntail + 63) & ~63
        head, head_size = _alloc_head(self.pool, size)
        shinfo = SkbSharedInfo(head + size, head_size)
        _share_frags(shinfo, self.shinfo)
        shinfo.tx_flags, shinfo.tskey = self.shinfo.tx_flags, self.shinfo.tskey
        shinfo.hwtstamp = self.shinfo.hwtstamp
        shift = head + nhead - self.head
        used = self.tail - self.head
        self.buf[head + nhead : head + nhead + used] = self.buf[self.head : self.tail]
        if self.sk is None:
            self.truesize += head_size - self.shinfo.head_size
        _release_data(self)
        self.head, self.end, self.shinfo = head, head + size, shinfo
        self.data += shift
        self.tail += shift
        self.mac_header += shift
        self.network_header += shift
        self.transport_header += shift
        self.csum_start += shift
        self._cloned = self.nohdr = False

    def ensure_writable(self, size: int) -> bool:
        """Make the first `size` bytes linear and ours alone, for headers; False when the packet is
        shorter. Raises MemoryError. Linux: skb_ensure_writable.
        """
        if not self.may_pull(size):
            return False
        if self.header_cloned():
            self.expand_head(0, 0)
        return True

    # -- frags that are a program's own pages ------------------------------------------------------

    def zcopy_clear(self, zerocopy: bool) -> None:
        """The program's pages are no longer used; `zerocopy`: they were never copied. Linux:
        skb_zcopy_clear.
        """
        shinfo = self.shinfo
        uarg = shinfo.uarg
        if uarg is not None:
            shinfo.uarg = None
            shinfo.flags &= ~(SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN)
            uarg.complete(zerocopy)

    # -- ownership ---------------------------------------------------------------------------------

    def orphan(self) -> None:
        """Run the destructor now and forget the socket. Linux: skb_orphan."""
        if self.destructor is not None:
            destructor, self.destructor = self.destructor, None
            destructor(self)
        self.sk = None

    def get(self) -> SkBuff:
        """Take a reference. Linux: skb_get."""
        self.users += 1
        return self


def skb_fclone_busy(sk: Sock, skb: SkBuff) -> bool:
    """Whether the clone of `skb` that was sent last is still on its way down, in `sk`'s account.
    Clones that a tap or the error queue keeps do not count. Linux: skb_fclone_busy.
    """
    twin = skb.fclone
    return twin is not None and twin.users > 0 and twin.sk is sk


def _own(part: SkBuff) -> SkBuff:
    """The part of a frag_list itself, or a clone of it when others refer to it too."""
    if part.users == 1:
        return part
    twin = part.clone()
    consume_skb(part)
    return twin


def _copy_header(new: SkBuff, old: SkBuff) -> None:
    """What both clone and copy take over. Linux: __copy_skb_header; `cb` is copied as a
    reference.
    """
    new.dev = old.dev
    new.dst = old.dst
    new.cb = old.cb
    new.nfct = old.nfct
    new.sp = old.sp
    new.protocol = old.protocol
    new.pkt_type = old.pkt_type
    new.ip_summed = old.ip_summed
    new.csum = old.csum
    new.csum_offset = old.csum_offset
    new.priority = old.priority
    new.mark = old.mark
    new.hash = old.hash
    new.queue_mapping = old.queue_mapping
    new.tstamp = old.tstamp
    new.vlan_proto = old.vlan_proto
    new.vlan_tci = old.vlan_tci
    new.ignore_df = old.ignore_df


def _share_frags(new: SkbSharedInfo, old: SkbSharedInfo) -> None:
    """Refer to the same frags. A program's pages may have any number of users (SKBFL_DONT_ORPHAN,
    which all of them have here), so nothing is copied. Linux: pskb_expand_head, skb_zerocopy_clone.
    """
    for frag in old.frags:
        frag.page.get()
        new.frags.append(SkbFrag(frag.page, frag.offset, frag.size))
    if old.frag_list is not None:
        new.frag_list = [part.get() for part in old.frag_list]
    new.gso_size, new.gso_segs, new.gso_type = old.gso_size, old.gso_segs, old.gso_type
    new.flags = old.flags
    if old.uarg is not None:
        old.uarg.get()
        new.uarg = old.uarg


def _alloc_head(pool: SkbPool, size: int) -> tuple[int, int]:
    """Memory for `size` bytes and the shared info behind them: (address, bytes of the block)."""
    need = size + SKB_SHINFO_SIZE
    if need <= SKB_SMALL_HEAD_SIZE:
        return pool.small_heads.alloc(), SKB_SMALL_HEAD_SIZE
    return pool.memory.kmalloc(need), 1 << (need - 1).bit_length()


def alloc_skb(pool: SkbPool, size: int, key: int = 0) -> SkBuff | None:
    """An empty skb with `size` bytes between head and end, None when memory is short. Linux:
    alloc_skb.

    Linux lets `end` grow into what the allocator rounded up; here it is where the caller asked for
    it.
    """
    size = (size + 63) & ~63
    try:
        head, head_size = _alloc_head(pool, size)
    except MemoryError:
        return None
    pool.alive += 1
    shinfo = SkbSharedInfo(head + size, head_size)
    return SkBuff(pool, head, size, shinfo, head_size + SKB_STRUCT_SIZE, key or pool.new_key())


def _release_data(skb: SkBuff) -> None:
    """Drop one dataref; the last one frees frags and head. Linux: skb_release_data."""
    shinfo = skb.shinfo
    if skb.nohdr:
        shinfo.payload_refs -= 1
    shinfo.dataref -= 1
    if shinfo.dataref:
        return
    if shinfo.uarg is not None:
        skb.zcopy_clear(True)
    for frag in shinfo.frags:
        frag.page.put()
    for part in shinfo.frag_list or ():
        consume_skb(part)
    if shinfo.head_size == SKB_SMALL_HEAD_SIZE:
        skb.pool.small_heads.free(skb.head)
    else:
        skb.pool.memory.kfree(skb.head)


def _free(skb: SkBuff) -> None:
    if skb.users < 0:
        raise KernelBug(f"{skb!r} freed twice")
    skb.dst = None
    skb.nfct = None
    if skb.destructor is not None:
        destructor, skb.destructor = skb.destructor, None
        destructor(skb)
    skb.sk = None
    skb.pool.alive -= 1
    _release_data(skb)


def consume_skb(skb: SkBuff) -> None:
    """Drop a reference at the normal end of a packet. Linux: consume_skb."""
    skb.users -= 1
    if skb.users <= 0:
        _free(skb)


def kfree_skb_reason(skb: SkBuff, reason: str) -> None:
    """Drop a reference because the packet is thrown away, and count why. Linux:
    kfree_skb_reason.
    """
    skb.users -= 1
    if skb.users > 0:
        return
    if reason is not SKB_CONSUMED:
        pool = skb.pool
        pool.drops[reason] = pool.drops.get(reason, 0) + 1
        trace = pool.kernel.trace
        if trace.on:
            trace.hit("kfree_skb", skb.key, reason=reason)
    _free(skb)
