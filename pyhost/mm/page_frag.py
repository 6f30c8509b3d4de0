"""page_frag: payload memory cut from 32 KiB blocks. Linux: net/core/sock.c skb_page_frag_refill."""

from __future__ import annotations

from pyhost.mm.memory import PAGE_SIZE, Memory, Page

__all__ = ["SKB_FRAG_PAGE_ORDER", "PageFrag"]

SKB_FRAG_PAGE_ORDER = 3


class PageFrag:
    """The block that payload is at present cut from; `offset` is the first free byte. Linux: struct
    page_frag.
    """

    __slots__ = ("_memory", "offset", "page", "size")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.page: Page | None = None
        self.offset = 0
        self.size = 0

    def refill(self, size: int) -> bool:
        """Make sure that at least `size` free bytes are there; False when memory is short.

        A block that nobody else refers to any more is used again from its start.
        """
        page = self.page
        if page is not None:
            if page.refcount == 1:
                self.offset = 0
                return True
            if self.offset + size <= self.size:
                return True
            page.put()
            self.page = None
        for order in (SKB_FRAG_PAGE_ORDER, 0):
            try:
                self.page = self._memory.alloc_pages(order)
            except MemoryError:
                continue
            self.offset = 0
            self.size = PAGE_SIZE << order
            return size <= self.size
        return False

    def release(self) -> None:
        """Drop the block."""
        if self.page is not None:
            self.page.put()
            self.page = None
            self.offset = self.size = 0
