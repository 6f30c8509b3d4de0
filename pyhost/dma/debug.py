"""The shadow map of the DMA API: what is mapped, in which direction, by whom, and whether it is
used as promised.

Linux: kernel/dma/debug.c (CONFIG_DMA_API_DEBUG), whose checks of the driver are here under the same
numbers (`DMA_ERR_*`). Beyond Linux, which cannot see a device's accesses, every read and write of
the device is checked too (`check_device_access`).

A mapping lives from map to unmap in two parallel lists sorted by address. Mappings may overlap (two
packets may send the same page), so a search walks down from the last start at or below the address,
at most as far as the longest mapping reaches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque

from pyhost.kernel.bug import KernelBug
from pyhost.mm.memory import PAGE_SIZE, Memory

__all__ = [
    "DMA_BIDIRECTIONAL", "DMA_COHERENT", "DMA_ERR_CPU_ADDRESS", "DMA_ERR_DIRECTION",
    "DMA_ERR_FUNCTION", "DMA_ERR_INVALID_AREA", "DMA_ERR_LEAK", "DMA_ERR_NOT_CHECKED",
    "DMA_ERR_NOT_MAPPED", "DMA_ERR_OVERLAP", "DMA_ERR_SIZE", "DMA_ERR_SYNC_DIRECTION",
    "DMA_ERR_SYNC_NOT_MAPPED", "DMA_ERR_SYNC_RANGE", "DMA_ERR_UNMAP_INVALID", "DMA_FROM_DEVICE",
    "DMA_MAPPING_ERROR", "DMA_PAGE", "DMA_SINGLE", "DMA_TO_DEVICE", "DmaApiError", "DmaDebug",
    "DmaMapping", "DmaViolation",
]  # fmt: skip

DMA_MAPPING_ERROR = (1 << 64) - 1
"""What a failed map returns; only `dma_mapping_error` may look at it."""

DMA_BIDIRECTIONAL = 0
DMA_TO_DEVICE = 1
DMA_FROM_DEVICE = 2

DMA_SINGLE = 0
DMA_PAGE = 1
DMA_COHERENT = 2

DMA_ERR_NOT_MAPPED = 1
DMA_ERR_UNMAP_INVALID = 2
DMA_ERR_SIZE = 3
DMA_ERR_FUNCTION = 4
DMA_ERR_CPU_ADDRESS = 5
DMA_ERR_DIRECTION = 7
DMA_ERR_NOT_CHECKED = 8
DMA_ERR_SYNC_NOT_MAPPED = 9
DMA_ERR_SYNC_RANGE = 10
DMA_ERR_SYNC_DIRECTION = 11
DMA_ERR_INVALID_AREA = 16
DMA_ERR_OVERLAP = 19
DMA_ERR_LEAK = 20

_DIRECTIONS = ("BIDIRECTIONAL", "TO_DEVICE", "FROM_DEVICE")
_KINDS = ("single", "page", "coherent")
_CACHELINE = 64
_HISTORY = 256
"""Unmapped ranges that are remembered, to tell a use after unmap from a wild access."""


class DmaApiError(KernelBug):
    """A driver broke the rules of the DMA API; `error_class` is a DMA_ERR_*."""

    def __init__(self, error_class: int, text: str) -> None:
        super().__init__(f"DMA-API: {text}")
        self.error_class = error_class


class DmaViolation(KernelBug):
    """A device touched memory that was not given to it for that."""


class DmaMapping:
    """One range given to the device. Linux: struct dma_debug_entry.

    `owner` is the key of the packet whose bytes these are, or the name of what lies there.
    `cpu_owned` is true between sync_for_cpu and sync_for_device.
    """

    __slots__ = ("addr", "checked", "cpu_owned", "direction", "end", "kind", "owner")

    def __init__(self, addr: int, size: int, direction: int, kind: int, owner: int | str) -> None:
        self.addr = addr
        self.end = addr + size
        self.direction = direction
        self.kind = kind
        self.owner = owner
        self.checked = False
        self.cpu_owned = False

    def __repr__(self) -> str:
        owner = f"skb#{self.owner}" if isinstance(self.owner, int) else self.owner
        what = f"{_KINDS[self.kind]} {_DIRECTIONS[self.direction]}"
        return f"[{self.addr:#x}, {self.end:#x}) {what} of {owner}"


class DmaDebug:
    """The shadow map of one device."""

    __slots__ = (
        "_coherent",
        "_history",
        "_last",
        "_longest",
        "_maps",
        "_memory",
        "_starts",
        "name",
    )

    def __init__(self, memory: Memory, name: str) -> None:
        self.name = name
        self._memory = memory
        self._coherent: list[DmaMapping] = []
        self._starts: list[int] = []
        self._maps: list[DmaMapping] = []
        self._longest = 0
        self._last: DmaMapping | None = None
        self._history: deque[DmaMapping] = deque(maxlen=_HISTORY)

    # -- what the driver does ----------------------------------------------------------------------

    def map(self, addr: int, size: int, direction: int, kind: int, owner: int | str) -> None:
        """A range was mapped. Linux: debug_dma_map_page."""
        if addr < PAGE_SIZE or size <= 0 or addr + size > self._memory.size:
            raise DmaApiError(
                DMA_ERR_INVALID_AREA, f"{self.name}: map of invalid area {addr:#x}, {size} bytes"
            )
        mapping = DmaMapping(addr, size, direction, kind, owner)
        if direction != DMA_TO_DEVICE:
            self._check_overlap(mapping)
        starts = self._starts
        index = bisect_right(starts, addr)
        starts.insert(index, addr)
        self._maps.insert(index, mapping)
        if size > self._longest:
            self._longest = size
        self._last = mapping

    def mapping_error(self, addr: int) -> None:
        """The driver looked whether the map that gave `addr` had failed. Linux:
        debug_dma_mapping_error.
        """
        last = self._last
        if last is not None and last.addr == addr and not last.checked:
            last.checked = True
            return
        for mapping in self._at(addr):
            if not mapping.checked:
                mapping.checked = True
                return

    def unmap(self, addr: int, size: int, direction: int, kind: int) -> None:
        """A range was unmapped. Linux: check_unmap: exactly once, as it was mapped."""
        index = bisect_left(self._starts, addr)
        starts, maps = self._starts, self._maps
        end = addr + size
        while index < len(starts) and starts[index] == addr:
            mapping = maps[index]
            if (
                mapping.end == end
                and mapping.direction == direction
                and mapping.kind == kind
                and mapping.checked
            ):
                del starts[index]
                del maps[index]
                self._history.append(mapping)
                return
            index += 1
        raise self._unmap_error(addr, size, direction, kind)

    def sync(self, addr: int, size: int, direction: int, for_cpu: bool) -> None:
        """Ownership of a mapped range changes for a while. Linux: check_sync."""
        mapping = self._covering(addr, addr + 1)
        if mapping is None:
            raise DmaApiError(
                DMA_ERR_SYNC_NOT_MAPPED,
                f"{self.name}: sync of unmapped memory {addr:#x}, {size} bytes",
            )
        if addr + size > mapping.end:
            raise DmaApiError(
                DMA_ERR_SYNC_RANGE,
                f"{self.name}: sync of {size} bytes at {addr:#x} outside {mapping!r}",
            )
        if direction != mapping.direction:
            raise DmaApiError(
                DMA_ERR_SYNC_DIRECTION,
                f"{self.name}: sync as {_DIRECTIONS[direction]} of {addr:#x}, it is {mapping!r}",
            )
        mapping.cpu_owned = for_cpu

    def alloc_coherent(self, addr: int, size: int, owner: str) -> None:
        """Memory for both sides was allocated. Linux: debug_dma_alloc_coherent."""
        self._coherent.append(DmaMapping(addr, size, DMA_BIDIRECTIONAL, DMA_COHERENT, owner))

    def free_coherent(self, cpu_addr: int, addr: int, size: int) -> None:
        """It was freed. Linux: debug_dma_free_coherent."""
        for area in self._coherent:
            if area.addr != addr:
                continue
            if area.end - addr != size:
                raise DmaApiError(
                    DMA_ERR_SIZE, f"{self.name}: free of {size} bytes, but it is {area!r}"
                )
            if cpu_addr != addr:
                raise DmaApiError(
                    DMA_ERR_CPU_ADDRESS,
                    f"{self.name}: free with CPU address {cpu_addr:#x}, but it is {area!r}",
                )
            self._coherent.remove(area)
            self._history.append(area)
            return
        raise self._unmap_error(addr, size, DMA_BIDIRECTIONAL, DMA_COHERENT)

    # -- what the device does ----------------------------------------------------------------------

    def check_device_access(self, addr: int, length: int, write: bool) -> None:
        """The device reads or writes `length` bytes at bus address `addr`; raises `DmaViolation`
        when it must not.
        """
        end = addr + length
        for area in self._coherent:
            if area.addr <= addr and end <= area.end:
                return
        wrong = DMA_TO_DEVICE if write else DMA_FROM_DEVICE
        maps = self._maps
        index = bisect_right(self._starts, addr)
        floor = addr - self._longest
        while index:
            index -= 1
            mapping = maps[index]
            if mapping.addr < floor:
                break
            if (
                end <= mapping.end
                and mapping.direction != wrong
                and mapping.checked
                and not mapping.cpu_owned
            ):
                return
        raise DmaViolation(self._explain_access(addr, length, write))

    # -- leaks -------------------------------------------------------------------------------------

    def outstanding(self) -> list[DmaMapping]:
        """All that is mapped or allocated at present, coherent areas first."""
        return self._coherent + self._maps

    def check_unbind(self) -> None:
        """The driver leaves the device: nothing may be left. Linux: dma_debug_device_change."""
        left = self.outstanding()
        if left:
            raise DmaApiError(
                DMA_ERR_LEAK,
                f"{self.name}: driver has {len(left)} DMA allocations pending, one is {left[0]!r}",
            )

    # -- searching and explaining ------------------------------------------------------------------

    def _at(self, addr: int) -> list[DmaMapping]:
        """All mappings that start at `addr`."""
        return self._maps[bisect_left(self._starts, addr) : bisect_right(self._starts, addr)]

    def _covering(self, addr: int, end: int) -> DmaMapping | None:
        """The latest-starting mapping that holds all of [addr, end)."""
        index = bisect_right(self._starts, addr)
        floor = addr - self._longest
        while index:
            index -= 1
            mapping = self._maps[index]
            if mapping.addr < floor:
                break
            if end <= mapping.end:
                return mapping
        return None

    def _check_overlap(self, new: DmaMapping) -> None:
        """Two mappings that the device may write must not share a cache line. Linux:
        active_cacheline_insert.
        """
        first = new.addr & -_CACHELINE
        behind = (new.end + _CACHELINE - 1) & -_CACHELINE
        index = bisect_left(self._starts, behind)
        while index:
            index -= 1
            mapping = self._maps[index]
            if mapping.addr + self._longest <= first:
                return
            if mapping.end > first and mapping.direction != DMA_TO_DEVICE:
                raise DmaApiError(
                    DMA_ERR_OVERLAP,
                    f"{self.name}: cacheline tracking: {new!r} overlaps {mapping!r}",
                )

    def _unmap_error(self, addr: int, size: int, direction: int, kind: int) -> DmaApiError:
        """Why an unmap fits no mapping, judged by the one that fits best."""
        how = f"{_KINDS[kind]} {_DIRECTIONS[direction]}"
        what = f"{self.name}: unmap of {addr:#x}, {size} bytes, {how}"
        if addr == DMA_MAPPING_ERROR:
            return DmaApiError(DMA_ERR_UNMAP_INVALID, f"{self.name}: unmap of DMA_MAPPING_ERROR")
        candidates = self._at(addr) + [area for area in self._coherent if area.addr == addr]
        if not candidates:
            return DmaApiError(DMA_ERR_NOT_MAPPED, f"{what}: not mapped{self._nearest(addr, size)}")
        best = max(
            candidates,
            key=lambda m: (m.end == addr + size) + (m.kind == kind) + (m.direction == direction),
        )
        if best.end != addr + size:
            return DmaApiError(DMA_ERR_SIZE, f"{what}: wrong size, it is {best!r}")
        if best.kind != kind:
            return DmaApiError(DMA_ERR_FUNCTION, f"{what}: wrong function, it is {best!r}")
        if best.direction != direction:
            return DmaApiError(DMA_ERR_DIRECTION, f"{what}: wrong direction, it is {best!r}")
        return DmaApiError(
            DMA_ERR_NOT_CHECKED, f"{what}: nobody called dma_mapping_error() for {best!r}"
        )

    def _explain_access(self, addr: int, length: int, write: bool) -> str:
        what = f"{self.name}: DMA {'write' if write else 'read'} of {length} bytes at {addr:#x}"
        mapping = self._covering(addr, addr + length)
        if mapping is None:
            return f"{what}: not mapped{self._nearest(addr, length)}"
        if mapping.direction == (DMA_TO_DEVICE if write else DMA_FROM_DEVICE):
            return f"{what}: wrong direction, it is {mapping!r}"
        if mapping.cpu_owned:
            return f"{what}: synced for the CPU, it is {mapping!r}"
        return f"{what}: nobody called dma_mapping_error() for {mapping!r}"

    def _nearest(self, addr: int, length: int) -> str:
        """What lies near an address that nothing covers: a range that was unmapped there, or the
        closest mapping.
        """
        for old in reversed(self._history):
            if old.addr < addr + length and addr < old.end:
                return f"; was unmapped: {old!r}"
        maps = self.outstanding()
        if not maps:
            return "; nothing is mapped"
        near = min(maps, key=lambda m: max(m.addr - addr, addr - m.end, 0))
        return f"; nearest is {near!r}"
