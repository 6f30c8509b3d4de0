"""The DMA API for drivers. Linux: include/linux/dma-mapping.h, kernel/dma/mapping.c,
kernel/dma/direct.c.

Mapping is direct: a bus address is the physical address. That is not for a driver to know: it gives
the device only what a map returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.dma.debug import (
    DMA_BIDIRECTIONAL,
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_PAGE,
    DMA_SINGLE,
    DMA_TO_DEVICE,
    DmaDebug,
)
from pyhost.mm.memory import PAGE_SHIFT, Page

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.core.skbuff import SkbFrag

__all__ = [
    "DMA_BIDIRECTIONAL", "DMA_FROM_DEVICE", "DMA_MAPPING_ERROR", "DMA_TO_DEVICE", "DmaDevice",
    "dma_alloc_coherent", "dma_free_coherent", "dma_map_page", "dma_map_single",
    "dma_mapping_error", "dma_rmb", "dma_set_mask", "dma_sync_single_for_cpu",
    "dma_sync_single_for_device", "dma_unmap_page", "dma_unmap_single", "dma_wmb",
    "skb_frag_dma_map",
]  # fmt: skip


class DmaDevice:
    """A device as the DMA API sees it. Linux: struct device, its DMA fields.

    `dma_mask` is the highest bus address the device can reach. `fault(addr, size)` makes a map fail
    when it returns true (Linux: lib/fault-inject.c). `check_device_access(addr, length, write)` is
    for whoever carries out the device's accesses: it raises `DmaViolation` when the device must not
    do that. `_coherent` keeps the pages of coherent memory by address.
    """

    __slots__ = ("_coherent", "check_device_access", "debug", "dma_mask", "fault", "memory", "name")

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.name = name
        self.memory = kernel.mem
        self.debug = DmaDebug(kernel.mem, name)
        self.check_device_access = self.debug.check_device_access
        self.dma_mask = (1 << 32) - 1
        self.fault: Callable[[int, int], bool] | None = None
        self._coherent: dict[int, Page] = {}

    def keep(self, page: Page) -> None:
        """Remember the pages of a coherent area."""
        self._coherent[page.addr] = page

    def forget(self, addr: int) -> Page:
        """The pages of the coherent area at `addr`, no longer remembered."""
        return self._coherent.pop(addr)


def dma_set_mask(dev: DmaDevice, mask: int) -> None:
    """The device can reach bus addresses up to `mask`. Linux: dma_set_mask_and_coherent."""
    dev.dma_mask = mask


def _map(dev: DmaDevice, addr: int, size: int, direction: int, kind: int, owner: int | str) -> int:
    if addr + size - 1 > dev.dma_mask or (dev.fault is not None and dev.fault(addr, size)):
        return DMA_MAPPING_ERROR
    dev.debug.map(addr, size, direction, kind, owner)
    return addr


def dma_map_single(
    dev: DmaDevice, addr: int, size: int, direction: int, owner: int | str = 0
) -> int:
    """Give `size` bytes at physical address `addr` to the device; a bus address for
    `dma_mapping_error`. Linux: dma_map_single.

    `owner` names the bytes in messages: the key of a packet, or a text.
    """
    return _map(dev, addr, size, direction, DMA_SINGLE, owner)


def dma_map_page(
    dev: DmaDevice, page: Page, offset: int, size: int, direction: int, owner: int | str = 0
) -> int:
    """Give a piece of a page to the device; a bus address for `dma_mapping_error`. Linux:
    dma_map_page.
    """
    return _map(dev, page.addr + offset, size, direction, DMA_PAGE, owner)


def skb_frag_dma_map(
    dev: DmaDevice, frag: SkbFrag, offset: int, size: int, direction: int, owner: int | str = 0
) -> int:
    """Give `size` bytes from `offset` of a fragment to the device. Linux: skb_frag_dma_map."""
    return _map(dev, frag.page.addr + frag.offset + offset, size, direction, DMA_PAGE, owner)


def dma_mapping_error(dev: DmaDevice, addr: int) -> bool:
    """Whether a map failed; must be asked for each before the device gets the address. Linux:
    dma_mapping_error.
    """
    if addr == DMA_MAPPING_ERROR:
        return True
    dev.debug.mapping_error(addr)
    return False


def dma_unmap_single(dev: DmaDevice, addr: int, size: int, direction: int) -> None:
    """Take back what `dma_map_single` gave; same address, size and direction. Linux:
    dma_unmap_single.
    """
    dev.debug.unmap(addr, size, direction, DMA_SINGLE)


def dma_unmap_page(dev: DmaDevice, addr: int, size: int, direction: int) -> None:
    """Take back what `dma_map_page` or `skb_frag_dma_map` gave. Linux: dma_unmap_page."""
    dev.debug.unmap(addr, size, direction, DMA_PAGE)


def dma_sync_single_for_cpu(dev: DmaDevice, addr: int, size: int, direction: int) -> None:
    """Let the CPU at mapped bytes; the device must keep off meanwhile. Linux:
    dma_sync_single_for_cpu.
    """
    dev.debug.sync(addr, size, direction, True)


def dma_sync_single_for_device(dev: DmaDevice, addr: int, size: int, direction: int) -> None:
    """Hand the bytes back to the device, in either direction. Linux: dma_sync_single_for_device."""
    dev.debug.sync(addr, size, direction, False)


def dma_alloc_coherent(dev: DmaDevice, size: int, owner: str) -> tuple[int, int] | None:
    """Zeroed memory that CPU and device share: (address for the CPU, bus address), None when there
    is none. Linux: dma_alloc_coherent.
    """
    try:
        page = dev.memory.alloc_pages(max(0, (size - 1) >> PAGE_SHIFT).bit_length())
    except MemoryError:
        return None
    if page.addr + size - 1 > dev.dma_mask:
        page.put()
        return None
    dev.memory.ram[page.addr : page.addr + page.size] = 0
    dev.keep(page)
    dev.debug.alloc_coherent(page.addr, size, owner)
    return page.addr, page.addr


def dma_free_coherent(dev: DmaDevice, size: int, cpu_addr: int, addr: int) -> None:
    """Give coherent memory back. Linux: dma_free_coherent."""
    dev.debug.free_coherent(cpu_addr, addr, size)
    dev.forget(cpu_addr).put()


def dma_wmb() -> None:
    """Stores before it are visible to the device before stores after it. Linux: dma_wmb.

    Stores reach memory in program order here, as on x86, where this is a barrier for the compiler
    alone. Drivers must have it in place nevertheless: it is where a machine with a store buffer
    would drain it.
    """


def dma_rmb() -> None:
    """Loads before it are done before loads after it. Linux: dma_rmb; see `dma_wmb` for what that
    means here.
    """
