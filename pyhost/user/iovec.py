"""Scatter and gather: several Python buffers as one `struct iovec` array in user memory. Linux:
readv(2), sendmsg(2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyhost.user.abi import IOVEC

if TYPE_CHECKING:
    from pyhost.user.libc import Libc

__all__ = ["IovArea", "byte_view", "scatter", "writable_view"]


def byte_view(data: Any) -> memoryview:
    """The bytes of a bytes-like object, without a copy. CPython: the "y*" argument format."""
    try:
        view = memoryview(data)
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"a bytes-like object is required, not {kind!r}") from None
    return view if view.format == "B" and view.ndim == 1 and view.contiguous else view.cast("B")


def writable_view(buffer: Any, caller: str) -> memoryview:
    """The bytes of an object that can be written to. CPython: the "w*" argument format."""
    try:
        view = byte_view(buffer)
    except TypeError:
        view = None
    if view is None or view.readonly:
        kind = type(buffer).__name__
        raise TypeError(f"{caller} must be read-write bytes-like object, not {kind}")
    return view


def scatter(data: bytes, views: Iterable[memoryview]) -> None:
    """Spread `data` over the buffers in their order."""
    done = 0
    for view in views:
        if done >= len(data):
            return
        piece = data[done : done + view.nbytes]
        view[: len(piece)] = piece
        done += len(piece)


class IovArea:
    """An iovec array and room for its buffers, in one scratch block; use with `with`.

    `addr` and `count` are what the system call takes, `data_addr` is where the buffers lie, back to
    back. `lasting`: the kernel refers to the buffers after the call, so they are a mapping of their
    own, which is not used again.
    """

    __slots__ = ("_lasting", "_libc", "_size", "addr", "count", "data_addr")

    def __init__(self, libc: Libc, sizes: Sequence[int], *, lasting: bool = False) -> None:
        self._libc = libc
        self._lasting = lasting
        self.count = len(sizes)
        self._size = IOVEC.size * self.count + sum(sizes)
        self.addr = libc.map(max(self._size, 1)) if lasting else libc.alloc(self._size)
        self.data_addr = self.addr + IOVEC.size * self.count
        entries = bytearray(IOVEC.size * self.count)
        base = self.data_addr
        for index, size in enumerate(sizes):
            IOVEC.pack_into(entries, IOVEC.size * index, base, size)
            base += size
        libc.mm.write(self.addr, entries)

    def gather(self, views: Iterable[memoryview]) -> None:
        """Copy the program's buffers into their places."""
        base = self.data_addr
        for view in views:
            self._libc.mm.write(base, view)
            base += view.nbytes

    def __enter__(self) -> IovArea:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lasting:
            self._libc.mm.munmap(self.addr, max(self._size, 1))
        else:
            self._libc.free(self.addr, self._size)
