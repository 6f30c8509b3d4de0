"""Where the bytes of an sk_buff lie, and reading them.

Linux: include/linux/skbuff.h, net/core/skbuff.c (skb_put, skb_copy_bits, skb_checksum).

    head          data                tail          end
     │  headroom   │  linear payload   │  tailroom   │ skb_shared_info: frags[] ─→ (page, offset,
     size) …
     ▼             ▼                   ▼             ▼
     ┌─────────────┬───────────────────┬─────────────┬──────────┐
     └─────────────┴───────────────────┴─────────────┴──────────┘
       len = (tail - data) + data_len          data_len = bytes in frags and frag_list

Everything here is O(1) but for the content at the end, and nothing here allocates or frees: that is
`SkBuff` (skbuff.py), which is built on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pyhost.kernel.bug import KernelBug, KernelPanic
from pyhost.mm.memory import Page
from pyhost.net.core.checksum import csum_bytes
from pyhost.net.core.skb_shared_info import MAX_SKB_FRAGS, SkbFrag, SkbPool, SkbSharedInfo

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock

__all__ = [
    "CHECKSUM_COMPLETE", "CHECKSUM_NONE", "CHECKSUM_PARTIAL", "CHECKSUM_UNNECESSARY", "SkbGeometry",
]  # fmt: skip

CHECKSUM_NONE = 0
CHECKSUM_UNNECESSARY = 1
CHECKSUM_COMPLETE = 2
CHECKSUM_PARTIAL = 3

PACKET_HOST = 0


class SkbGeometry:
    """The fields of struct sk_buff. Addresses are physical; `buf` is all of RAM, for pack_into and
    slices.

    `key` is the packet's key: it is given when the packet is made, clones keep it, and it goes with
    the descriptor through the NIC to the wire. `cb` belongs to the layer that holds the packet.
    `nohdr`: this one promised not to touch the headers, a clone may write them. `fclone`: the clone
    of this one that was sent last, alive or not. `vlan_proto` is ETH_P_8021Q while `vlan_tci` is a
    tag that stands beside the frame and not in it, else 0.
    """

    __slots__ = (
        "_cloned", "buf", "cb", "csum", "csum_offset", "csum_start", "data", "data_len",
        "destructor", "dev", "dst", "end", "fclone", "hash", "head", "ignore_df", "ip_summed",
        "key", "len", "mac_header", "mark", "network_header", "nfct", "nohdr", "ooo_okay",
        "pkt_type", "pool", "priority", "protocol", "queue_mapping", "shinfo", "sk", "sp", "tail",
        "transport_header", "truesize", "tstamp", "users", "vlan_proto", "vlan_tci",
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
        self.fclone: SkBuff | None = None
        self.sk: Sock | None = None
        self.destructor: Callable[[Any], None] | None = None
        self.dev: NetDevice | None = None
        self.dst: DstEntry | None = None
        self.cb: Any = None
        self.nfct: Any = None
        self.sp: Any = None
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
        self.vlan_proto = 0
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
