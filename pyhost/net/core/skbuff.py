"""sk_buff: the packet, from the socket to the driver and back.

Linux: include/linux/skbuff.h, net/core/skbuff.c.

    head          data                tail          end
     │  headroom   │  linear payload   │  tailroom   │ skb_shared_info: frags[] ─→ (page, offset,
     size) …
     ▼             ▼                   ▼             ▼
     ┌─────────────┬───────────────────┬─────────────┬──────────┐
     └─────────────┴───────────────────┴─────────────┴──────────┘
       len = (tail - data) + data_len          data_len = bytes in frags and frag_list

Who owns what: an `SkBuff` has `users` references; the last one frees the struct, runs the
destructor (which gives the bytes back to the socket's account) and drops one `dataref`. Clones
share head, frags and `SkbSharedInfo`; the last `dataref` frees them. A queued TCP original is never
handed down: its clone travels, and dies when the NIC has sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pyhost.kernel.bug import KernelBug, KernelPanic
from pyhost.mm.memory import Page
from pyhost.net.core.checksum import csum_bytes, csum_fold
from pyhost.net.core.drop_reason import SKB_CONSUMED
from pyhost.net.core.skb_shared_info import (
    MAX_SKB_FRAGS,
    SKB_SHINFO_SIZE,
    SKB_SMALL_HEAD_SIZE,
    SkbFrag,
    SkbPool,
    SkbSharedInfo,
)

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.sock import Sock

__all__ = [
    "CHECKSUM_COMPLETE",
    "CHECKSUM_NONE",
    "CHECKSUM_PARTIAL",
    "CHECKSUM_UNNECESSARY",
    "MAX_SKB_FRAGS",
    "MAX_TCP_HEADER",
    "SKB_SHINFO_SIZE",
    "SKB_STRUCT_SIZE",
    "SkBuff",
    "SkbFrag",
    "SkbPool",
    "SkbSharedInfo",
    "alloc_skb",
    "consume_skb",
    "kfree_skb_reason",
    "skb_truesize",
]

SKB_STRUCT_SIZE = 256
MAX_TCP_HEADER = 320

CHECKSUM_NONE = 0
CHECKSUM_UNNECESSARY = 1
CHECKSUM_COMPLETE = 2
CHECKSUM_PARTIAL = 3

PACKET_HOST = 0


def skb_truesize(size: int) -> int:
    """What an skb with `size` bytes of data is charged. Linux: SKB_TRUESIZE."""
    return size + SKB_STRUCT_SIZE + SKB_SHINFO_SIZE


class SkBuff:
    """Linux: struct sk_buff. Addresses are physical; `buf` is all of RAM, for pack_into and slices.

    `key` is the packet's key: it is given when the packet is made, clones keep it, and it goes with
    the descriptor through the NIC to the wire. `cb` belongs to the layer that holds the packet.
    """

    __slots__ = (
        "_cloned", "buf", "cb", "csum", "csum_offset", "csum_start", "data", "data_len",
        "destructor", "dev", "dst", "end", "hash", "head", "ignore_df", "ip_summed", "key", "len",
        "mac_header", "mark", "network_header", "nfct", "nohdr", "ooo_okay", "pkt_type", "pool",
        "priority", "protocol", "queue_mapping", "shinfo", "sk", "tail", "transport_header",
        "truesize", "tstamp", "users", "vlan_tci",
    )  # fmt: skip

    def __init__(
        self, pool: SkbPool, head: int, size: int, shinfo: SkbSharedInfo, truesize: int, key: int
    ) -> None:
        self.pool = pool
        self.buf = pool.buf
        self.head = self.data = self.tail = head
        self.end = head + size
        self.shinfo = shinfo
        self.truesize = truesize
        self.key = key
        self.len = 0
        self.data_len = 0
        self.users = 1
        self._cloned = False
        self.nohdr = False
        self.sk: Sock | None = None
        self.destructor: Callable[[SkBuff], None] | None = None
        self.dev: NetDevice | None = None
        self.dst: DstEntry | None = None
        self.cb: Any = None
        self.nfct: Any = None
        self.protocol = 0
        self.pkt_type = PACKET_HOST
        self.ip_summed = CHECKSUM_NONE
        self.csum = 0
        self.csum_start = 0
        self.csum_offset = 0
        self.mac_header = self.network_header = self.transport_header = head
        self.priority = 0
        self.mark = 0
        self.hash = 0
        self.queue_mapping = 0
        self.tstamp = 0
        self.vlan_tci = 0
        self.ignore_df = False
        self.ooo_okay = False

    def __repr__(self) -> str:
        return f"skb#{self.key} len={self.len} data_len={self.data_len}"

    # -- geometry ----------------------------------------------------------------------------------

    @property
    def headroom(self) -> int:
        """Free bytes before `data`. Linux: skb_headroom."""
        return self.data - self.head

    @property
    def tailroom(self) -> int:
        """Free bytes after `tail`; 0 when there are frags. Linux: skb_tailroom."""
        return 0 if self.data_len else self.end - self.tail

    @property
    def headlen(self) -> int:
        """Bytes in the linear part. Linux: skb_headlen."""
        return self.len - self.data_len

    def reserve(self, size: int) -> None:
        """Make headroom in an empty skb. Linux: skb_reserve."""
        self.data += size
        self.tail += size

    def put(self, size: int) -> int:
        """Add `size` bytes at the end of the linear part; returns the address of the first. Linux:
        skb_put.
        """
        if self.data_len:
            raise KernelBug("skb_put on a nonlinear skb")
        start = self.tail
        self.tail = start + size
        self.len += size
        if self.tail > self.end:
            self._panic("skb_over_panic", size)
        return start

    def push(self, size: int) -> int:
        """Add `size` bytes in front; returns the new `data`. Linux: skb_push."""
        self.data -= size
        self.len += size
        if self.data < self.head:
            self._panic("skb_under_panic", size)
        return self.data

    def pull(self, size: int) -> int | None:
        """Take `size` bytes off the front; None when fewer are there. Linux: skb_pull."""
        if size > self.len:
            return None
        if size > self.len - self.data_len:
            raise KernelBug(f"skb_pull of {size} bytes, {self.headlen} are linear")
        self.len -= size
        self.data += size
        return self.data

    def _panic(self, what: str, size: int) -> None:
        raise KernelPanic(
            f"{what}: {self!r} put:{size} head:{self.head:#x} data:{self.data:#x} "
            f"tail:{self.tail:#x} end:{self.end:#x} "
            f"dev:{self.dev.name if self.dev else '<NULL>'}"
        )

    def put_data(self, data: bytes | memoryview) -> None:
        """Append bytes to the linear part. Linux: skb_put_data."""
        start = self.put(len(data))
        self.buf[start : start + len(data)] = data

    def reset_mac_header(self) -> None:
        """Linux: skb_reset_mac_header."""
        self.mac_header = self.data

    def reset_network_header(self) -> None:
        """Linux: skb_reset_network_header."""
        self.network_header = self.data

    def reset_transport_header(self) -> None:
        """Linux: skb_reset_transport_header."""
        self.transport_header = self.data

    # -- fragments ---------------------------------------------------------------------------------

    def add_rx_frag(self, page: Page, offset: int, size: int, truesize: int) -> None:
        """Append a page piece; the reference passes to the skb. Linux: skb_add_rx_frag."""
        self.fill_page_desc(page, offset, size)
        self.len += size
        self.data_len += size
        self.truesize += truesize

    def fill_page_desc(self, page: Page, offset: int, size: int) -> None:
        """Append to frags[] without touching the lengths. Linux: skb_fill_page_desc."""
        if len(self.shinfo.frags) >= MAX_SKB_FRAGS:
            raise KernelBug(f"more than {MAX_SKB_FRAGS} frags")
        self.shinfo.frags.append(SkbFrag(page, offset, size))

    def can_coalesce(self, page: Page, offset: int) -> bool:
        """Whether bytes at (page, offset) go on where the last frag ends. Linux:
        skb_can_coalesce.
        """
        frags = self.shinfo.frags
        if not frags:
            return False
        last = frags[-1]
        return last.page is page and last.offset + last.size == offset

    # -- content -----------------------------------------------------------------------------------

    def runs(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """The pieces (physical address, bytes) of `length` bytes from `offset` on: linear part,
        frags, frag_list.
        """
        headlen = self.len - self.data_len
        if offset < headlen:
            size = min(length, headlen - offset)
            yield self.data + offset, size
            length -= size
            offset = 0
        else:
            offset -= headlen
        for frag in self.shinfo.frags:
            if length <= 0:
                return
            if offset < frag.size:
                size = min(length, frag.size - offset)
                yield frag.page.addr + frag.offset + offset, size
                length -= size
                offset = 0
            else:
                offset -= frag.size
        for part in self.shinfo.frag_list or ():
            if length <= 0:
                return
            if offset < part.len:
                size = min(length, part.len - offset)
                yield from part.runs(offset, size)
                length -= size
                offset = 0
            else:
                offset -= part.len

    def copy_bits(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on, as a copy. Raises KernelBug beyond the end. Linux:
        skb_copy_bits.
        """
        if offset + length > self.len:
            raise KernelBug(f"skb_copy_bits {offset}+{length} of {self!r}")
        buf = self.buf
        if offset + length <= self.len - self.data_len:
            start = self.data + offset
            return bytes(buf[start : start + length])
        return b"".join([buf[addr : addr + size] for addr, size in self.runs(offset, length)])

    def to_bytes(self) -> bytes:
        """All bytes from `data` on."""
        return self.copy_bits(0, self.len)

    def checksum(self, offset: int, length: int, csum: int = 0) -> int:
        """One's complement sum (not inverted, 16 bits) of a range, added to `csum`. Linux:
        skb_checksum.
        """
        return csum_bytes(self.copy_bits(offset, length), csum)

    def checksum_help(self) -> None:
        """Compute what CHECKSUM_PARTIAL left to the device. Linux: net/core/dev.c
        skb_checksum_help.
        """
        offset = self.csum_start - self.data
        if self.shinfo.gso_size or not 0 <= offset <= self.headlen - 2 - self.csum_offset:
            raise KernelBug(f"skb_checksum_help: {self!r} csum_start {offset}")
        check = csum_fold(self.checksum(offset, self.len - offset)) or 0xFFFF
        where = self.csum_start + self.csum_offset
        self.buf[where : where + 2] = check.to_bytes(2, "big")
        self.ip_summed = CHECKSUM_NONE

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
        self.tail += size
        self.data_len -= size
        self._drop_front(size)

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
                if part.users > 1:
                    parts[0] = part.clone()
                    consume_skb(part)
                    part = parts[0]
                part.may_pull(taken)
                part.pull(taken)
            size -= taken

    def trim(self, length: int) -> None:
        """Cut the packet to `length` bytes. Linux: pskb_trim."""
        cut = self.len - length
        if cut <= 0:
            return
        if self.is_cloned() or self.shinfo.frag_list:
            self.expand_head(0, 0)
            self.linearize()
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

    # -- copies ------------------------------------------------------------------------------------

    def is_cloned(self) -> bool:
        """Whether another skb shares head and frags. Linux: skb_cloned."""
        return self._cloned and self.shinfo.dataref != 1

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
        copy.len, copy.data_len, copy.truesize = (
            self.len,
            self.data_len,
            copy.truesize + self.data_len,
        )
        return copy

    def expand_head(self, nhead: int, ntail: int) -> None:
        """Move to a head of our own with more room; raises MemoryError. Linux: pskb_expand_head.
        Addresses change.
        """
        size = (self.end - self.head + nhead + ntail + 63) & ~63
        head, head_size = _alloc_head(self.pool, size)
        shinfo = SkbSharedInfo(head + size, head_size)
        _share_frags(shinfo, self.shinfo)
        shift = head + nhead - self.head
        used = self.tail - self.head
        self.buf[head + nhead : head + nhead + used] = self.buf[self.head : self.tail]
        if self.shinfo.dataref == 1:
            shinfo.destructor_arg, self.shinfo.destructor_arg = self.shinfo.destructor_arg, None
        _release_data(self)
        self.head, self.end, self.shinfo = head, head + size, shinfo
        self.data += shift
        self.tail += shift
        self.mac_header += shift
        self.network_header += shift
        self.transport_header += shift
        self.csum_start += shift
        self._cloned = False

    def cow_head(self, headroom: int) -> None:
        """Make `headroom` bytes in front writable, unshared. Linux: skb_cow_head."""
        need = headroom - self.headroom
        if need > 0 or (self.is_cloned() and not self.nohdr):
            self.expand_head((max(0, need) + 63) & ~63, 0)

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


def _copy_header(new: SkBuff, old: SkBuff) -> None:
    """What both clone and copy take over. Linux: __copy_skb_header; `cb` is copied as a
    reference.
    """
    new.dev = old.dev
    new.dst = old.dst
    new.cb = old.cb
    new.nfct = old.nfct
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
    new.vlan_tci = old.vlan_tci
    new.ignore_df = old.ignore_df


def _share_frags(new: SkbSharedInfo, old: SkbSharedInfo) -> None:
    for frag in old.frags:
        frag.page.get()
        new.frags.append(SkbFrag(frag.page, frag.offset, frag.size))
    if old.frag_list is not None:
        new.frag_list = [part.get() for part in old.frag_list]
    new.gso_size, new.gso_segs, new.gso_type = old.gso_size, old.gso_segs, old.gso_type
    new.tx_flags, new.flags = old.tx_flags, old.flags


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
    shinfo.dataref -= 1
    if shinfo.dataref:
        return
    if shinfo.destructor_arg is not None:
        shinfo.destructor_arg()
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
