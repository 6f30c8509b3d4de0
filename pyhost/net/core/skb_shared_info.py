"""What sk_buffs share: pages, segmentation, and the memory they come from.

Linux: include/linux/skbuff.h (skb_shared_info, skb_frag_t), net/core/skbuff.c (the head caches).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.memory import Page

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.ubuf import UbufInfo

__all__ = [
    "MAX_SKB_FRAGS", "SKBFL_DONT_ORPHAN", "SKBFL_PURE_ZEROCOPY", "SKBFL_SHARED_FRAG",
    "SKBFL_ZEROCOPY_ENABLE", "SKBFL_ZEROCOPY_FRAG", "SKBTX_ANY_TSTAMP", "SKBTX_HW_TSTAMP",
    "SKBTX_IN_PROGRESS", "SKBTX_SCHED_TSTAMP", "SKBTX_SW_TSTAMP", "SKB_SHINFO_SIZE",
    "SKB_SMALL_HEAD_SIZE", "SkbFrag", "SkbPool", "SkbSharedInfo",
]  # fmt: skip

MAX_SKB_FRAGS = 17
SKB_SHINFO_SIZE = 320
SKB_SMALL_HEAD_SIZE = 704

SKBFL_ZEROCOPY_ENABLE = 1
SKBFL_SHARED_FRAG = 2
SKBFL_PURE_ZEROCOPY = 4
SKBFL_DONT_ORPHAN = 8
SKBFL_ZEROCOPY_FRAG = SKBFL_ZEROCOPY_ENABLE | SKBFL_SHARED_FRAG
"""`SkbSharedInfo.flags`: the frags are a program's own pages; somebody may still write to them;
there is nothing else in the packet; a copy of the packet may refer to them too.
"""

SKBTX_HW_TSTAMP = 1
SKBTX_SW_TSTAMP = 2
SKBTX_IN_PROGRESS = 4
SKBTX_SCHED_TSTAMP = 64
SKBTX_ANY_TSTAMP = SKBTX_HW_TSTAMP | SKBTX_SW_TSTAMP | SKBTX_SCHED_TSTAMP
"""`SkbSharedInfo.tx_flags`: at which points of its way down the packet is to be timestamped."""

KEYS_PER_MACHINE = 1_000_000_000
"""Decimal, so that the machine can be read off a key: skb#1000000007 is the seventh of machine
1.
"""


class SkbFrag:
    """A piece of a page. Linux: skb_frag_t."""

    __slots__ = ("offset", "page", "size")

    def __init__(self, page: Page, offset: int, size: int) -> None:
        self.page = page
        self.offset = offset
        self.size = size

    @property
    def addr(self) -> int:
        """Physical address of the first byte."""
        return self.page.addr + self.offset


class SkbSharedInfo:
    """What clones share beside the bytes; it lies at `skb.end`. Linux: struct skb_shared_info.

    `dataref` counts the skbs over these bytes, `payload_refs` those of them that promised to leave
    the headers alone (Linux: the upper half of dataref). `uarg` is who wants to know when the frags
    are no longer used, a reference (Linux: destructor_arg). `tskey` tells timestamps apart.
    `hwtstamp` is when the card received the frame, ns of its clock, 0 if it did not say.
    """

    __slots__ = (
        "addr", "dataref", "flags", "frag_list", "frags", "gso_segs", "gso_size", "gso_type",
        "head_size", "hwtstamp", "payload_refs", "tskey", "tx_flags", "uarg",
    )  # fmt: skip

    def __init__(self, addr: int, head_size: int) -> None:
        self.addr = addr
        self.head_size = head_size
        self.dataref = 1
        self.payload_refs = 0
        self.frags: list[SkbFrag] = []
        self.frag_list: list[SkBuff] | None = None
        self.gso_size = 0
        self.gso_segs = 0
        self.gso_type = 0
        self.tx_flags = 0
        self.flags = 0
        self.tskey = 0
        self.hwtstamp = 0
        self.uarg: UbufInfo | None = None

    @property
    def nr_frags(self) -> int:
        """How many of `frags` are in use."""
        return len(self.frags)


class SkbPool:
    """Where one machine's sk_buffs come from, and the account of how they ended.

    Packet keys are 32 bits. Each machine of a simulation has a block of them, so that a key in a
    capture or a waveform names one packet and the machine that made it.
    """

    __slots__ = (
        "alive",
        "buf",
        "drops",
        "first_key",
        "kernel",
        "memory",
        "next_key",
        "small_heads",
    )

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.memory = kernel.mem
        self.buf = kernel.mem.buf
        self.small_heads = kernel.mem.kmem_cache_create("skbuff_small_head", SKB_SMALL_HEAD_SIZE)
        self.first_key = kernel.number * KEYS_PER_MACHINE + 1
        self.next_key = self.first_key
        self.alive = 0
        self.drops: dict[str, int] = {}

    def new_key(self) -> int:
        """The next packet key, never 0; the block begins anew when it is used up."""
        key = self.next_key
        last = self.first_key + KEYS_PER_MACHINE - 2
        self.next_key = key + 1 if key < last else self.first_key
        return key
