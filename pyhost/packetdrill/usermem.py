"""The memory through which a system call of the script passes its arguments."""

from __future__ import annotations

from types import TracebackType

from pyhost.mm.mmap import MmStruct

__all__ = ["Frame"]


class Frame:
    """User memory for the time of one call; use with `with`.

    Each block has pages of its own. Pages that the kernel has pinned live on after the call.
    """

    def __init__(self, mm: MmStruct) -> None:
        self._mm = mm
        self._blocks: list[tuple[int, int]] = []

    def room(self, size: int) -> int:
        """The address of `size` zero bytes."""
        addr = self._mm.mmap(max(size, 1))
        self._blocks.append((addr, max(size, 1)))
        return addr

    def put(self, data: bytes) -> int:
        """The address of a copy of `data`."""
        addr = self.room(len(data))
        self._mm.write(addr, data)
        return addr

    def get(self, addr: int, size: int) -> bytes:
        """What lies at `addr` now."""
        return self._mm.read(addr, size)

    def __enter__(self) -> Frame:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for addr, size in self._blocks:
            self._mm.munmap(addr, size)
