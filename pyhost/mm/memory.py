"""Physical memory: one numpy array, page frames with reference counts, the buddy allocator, slabs.

Linux: mm/page_alloc.c, mm/slub.c, include/linux/page_ref.h. A physical address is an offset into
the array, and at the same time the kernel's virtual address of that byte (Linux calls this the
direct map). The NIC reads the same array by DMA.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyhost.kernel.bug import KernelBug

__all__ = ["PAGE_MASK", "PAGE_SHIFT", "PAGE_SIZE", "KmemCache", "Memory", "Page"]

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
PAGE_MASK = ~(PAGE_SIZE - 1)
MAX_PAGE_ORDER = 10
SLAB_ORDER = 3
KMALLOC_SIZES = (32, 64, 128, 192, 256, 512, 1024, 2048, 4096, 8192)

POISON_FREE = 0x6B
"""What freed slab memory is filled with (include/linux/poison.h), so that a use after free shows on
the wire.
"""


class Page:
    """A block of 2**order page frames that are owned together. Linux: struct page of a (compound)
    head page.
    """

    __slots__ = ("_memory", "addr", "order", "refcount")

    def __init__(self, memory: Memory, addr: int, order: int) -> None:
        self._memory = memory
        self.addr = addr
        self.order = order
        self.refcount = 1

    def __repr__(self) -> str:
        return f"<Page {self.addr:#x} order {self.order} ref {self.refcount}>"

    @property
    def size(self) -> int:
        """Bytes in the block. Linux: page_size."""
        return PAGE_SIZE << self.order

    def get(self) -> None:
        """Take a reference. Linux: get_page."""
        if self.refcount <= 0:
            raise KernelBug(f"get_page of a free page: {self!r}")
        self.refcount += 1

    def put(self) -> None:
        """Drop a reference; the last one frees the block. Linux: put_page."""
        self.refcount -= 1
        if self.refcount <= 0:
            if self.refcount < 0:
                raise KernelBug(f"put_page of a free page: {self!r}")
            self._memory.free_pages(self)


class KmemCache:
    """Objects of one size. Linux: struct kmem_cache."""

    __slots__ = ("_free", "_memory", "_poison", "in_use", "name", "size")

    def __init__(self, memory: Memory, name: str, size: int) -> None:
        self._memory = memory
        self.name = name
        self.size = (size + 63) & ~63 if size > 32 else size
        self.in_use: set[int] = set()
        self._free: list[int] = []
        self._poison = bytes([POISON_FREE]) * self.size

    def alloc(self) -> int:
        """The address of a free object, content undefined. Linux: kmem_cache_alloc."""
        if not self._free:
            self._grow()
        addr = self._free.pop()
        self.in_use.add(addr)
        return addr

    def free(self, addr: int) -> None:
        """Give an object back. Linux: kmem_cache_free; a double free is a BUG."""
        if addr not in self.in_use:
            raise KernelBug(f"kmem_cache_free({self.name}): {addr:#x} is not in use")
        self.in_use.remove(addr)
        self._memory.buf[addr : addr + self.size] = self._poison
        self._free.append(addr)

    def _grow(self) -> None:
        page = self._memory.alloc_pages(SLAB_ORDER)
        self._memory.slab_pages += 1 << SLAB_ORDER
        count = page.size // self.size
        self._free.extend(page.addr + i * self.size for i in range(count - 1, -1, -1))


class Memory:
    """All RAM of one machine.

    `ram` is a uint8 array of `size` bytes, `buf` a writable memoryview of the same bytes. Page
    frame 0 is never given out, so that address 0 stays a null pointer. Of the `pages_in_use`
    `slab_pages` belong to caches, which keep what they have. The copy counters say how many bytes
    the CPU moved, and how: from and to programs, past the cache, and payload inside the network
    stack (`skb_copy_bytes`). `zerocopy_bytes` were handed to it by reference instead.
    """

    def __init__(self, size: int) -> None:
        if size % (PAGE_SIZE << MAX_PAGE_ORDER):
            raise ValueError(
                f"{size} bytes of RAM: a multiple of {PAGE_SIZE << MAX_PAGE_ORDER} wanted"
            )
        self.size = size
        self.ram: NDArray[np.uint8] = np.zeros(size, dtype=np.uint8)
        self.buf = memoryview(self.ram.data).cast("B")
        self.free_area: list[dict[int, None]] = [{} for _ in range(MAX_PAGE_ORDER + 1)]
        self.pages_in_use = self.slab_pages = 0
        self.copy_from_user_bytes = 0
        self.copy_nocache_bytes = 0
        self.copy_to_user_bytes = 0
        self.skb_copy_bytes = 0
        self.zerocopy_bytes = 0
        self._caches: dict[int, KmemCache] = {}
        self._kmalloc_owner: dict[int, KmemCache | Page] = {}
        self._add_free_blocks()

    def _add_free_blocks(self) -> None:
        block = PAGE_SIZE << MAX_PAGE_ORDER
        for addr in range(self.size - block, 0, -block):
            self.free_area[MAX_PAGE_ORDER][addr] = None
        for order in range(MAX_PAGE_ORDER - 1, -1, -1):
            self.free_area[order][PAGE_SIZE << order] = None

    # -- pages -------------------------------------------------------------------------------------

    def alloc_pages(self, order: int = 0) -> Page:
        """2**order page frames with one reference, content undefined. Raises MemoryError. Linux:
        alloc_pages.
        """
        for have in range(order, MAX_PAGE_ORDER + 1):
            if self.free_area[have]:
                break
        else:
            raise MemoryError(f"out of memory: no free block of order {order}")
        addr, _ = self.free_area[have].popitem()
        while have > order:
            have -= 1
            self.free_area[have][addr + (PAGE_SIZE << have)] = None
        self.pages_in_use += 1 << order
        return Page(self, addr, order)

    def free_pages(self, page: Page) -> None:
        """Give a block back and join it with its free buddies. Linux: __free_one_page; use
        `Page.put`.
        """
        self.pages_in_use -= 1 << page.order
        addr, order = page.addr, page.order
        while order < MAX_PAGE_ORDER:
            buddy = addr ^ (PAGE_SIZE << order)
            if buddy not in self.free_area[order]:
                break
            del self.free_area[order][buddy]
            addr = min(addr, buddy)
            order += 1
        self.free_area[order][addr] = None

    # -- slabs -------------------------------------------------------------------------------------

    def kmem_cache_create(self, name: str, size: int) -> KmemCache:
        """A cache of objects of `size` bytes. Linux: kmem_cache_create."""
        return KmemCache(self, name, size)

    def kmalloc(self, size: int) -> int:
        """The address of at least `size` bytes, content undefined. Raises MemoryError. Linux:
        kmalloc.
        """
        for bucket in KMALLOC_SIZES:
            if size <= bucket:
                cache = self._caches.get(bucket)
                if cache is None:
                    cache = self._caches[bucket] = KmemCache(self, f"kmalloc-{bucket}", bucket)
                addr = cache.alloc()
                self._kmalloc_owner[addr] = cache
                return addr
        page = self.alloc_pages(max(0, (size - 1) >> PAGE_SHIFT).bit_length())
        self._kmalloc_owner[page.addr] = page
        return page.addr

    def kfree(self, addr: int) -> None:
        """Give `kmalloc`'s memory back. Linux: kfree; an unknown address is a BUG."""
        owner = self._kmalloc_owner.pop(addr, None)
        if owner is None:
            raise KernelBug(f"kfree of {addr:#x}, which kmalloc did not give")
        if isinstance(owner, Page):
            owner.put()
        else:
            owner.free(addr)

    @property
    def kmalloc_in_use(self) -> int:
        """Objects that kmalloc gave and nobody freed."""
        return len(self._kmalloc_owner)
