"""iov_iter: where the bytes of a read or write come from or go to. Linux: lib/iov_iter.c."""

from __future__ import annotations

from collections.abc import Sequence

from pyhost.kernel.bug import KernelBug
from pyhost.mm.memory import Memory, Page
from pyhost.mm.mmap import PROT_READ, PROT_WRITE, TASK_SIZE_MAX, MmStruct

__all__ = [
    "ITER_BVEC",
    "ITER_DEST",
    "ITER_IOVEC",
    "ITER_KVEC",
    "ITER_SOURCE",
    "ITER_UBUF",
    "BioVec",
    "IovIter",
]

ITER_UBUF = 0
ITER_IOVEC = 1
ITER_BVEC = 2
ITER_KVEC = 3

ITER_DEST = 0
ITER_SOURCE = 1

BioVec = tuple[Page, int, int]
"""(page, offset, bytes). Linux: struct bio_vec."""


class IovIter:
    """A position in a list of buffers. Make one with `ubuf`, `iovec`, `kvec` or `bvec`.

    `count` is what is left. ITER_SOURCE iterators are read from, ITER_DEST ones are written to.
    """

    __slots__ = (
        "_bvecs",
        "_memory",
        "_mm",
        "_offset",
        "_seg",
        "_segments",
        "count",
        "direction",
        "kind",
    )

    def __init__(
        self,
        kind: int,
        direction: int,
        memory: Memory,
        mm: MmStruct | None,
        segments: Sequence[tuple[int, int]],
        bvecs: Sequence[BioVec] = (),
    ) -> None:
        self.kind = kind
        self.direction = direction
        self._memory = memory
        self._mm = mm
        self._segments = segments
        self._bvecs = bvecs
        self._seg = 0
        self._offset = 0
        self.count = sum(length for _, length in segments)

    @classmethod
    def ubuf(cls, direction: int, mm: MmStruct, uaddr: int, length: int) -> IovIter:
        """One buffer of a process. Linux: iov_iter_ubuf."""
        return cls(ITER_UBUF, direction, mm.memory, mm, ((uaddr, length),))

    @classmethod
    def iovec(cls, direction: int, mm: MmStruct, segments: Sequence[tuple[int, int]]) -> IovIter:
        """Several buffers (address, bytes) of a process. Linux: iov_iter_init."""
        return cls(ITER_IOVEC, direction, mm.memory, mm, segments)

    @classmethod
    def kvec(cls, direction: int, memory: Memory, segments: Sequence[tuple[int, int]]) -> IovIter:
        """Kernel buffers (address, bytes). Linux: iov_iter_kvec."""
        return cls(ITER_KVEC, direction, memory, None, segments)

    @classmethod
    def bvec(cls, direction: int, memory: Memory, bvecs: Sequence[BioVec]) -> IovIter:
        """Pages, as splice and sendfile hand them over. Linux: iov_iter_bvec."""
        segments = [(page.addr + offset, length) for page, offset, length in bvecs]
        return cls(ITER_BVEC, direction, memory, None, segments, bvecs)

    # -- position ----------------------------------------------------------------------------------

    def advance(self, size: int) -> None:
        """Skip `size` bytes. Linux: iov_iter_advance."""
        if size > self.count:
            raise KernelBug(f"iov_iter_advance by {size}, {self.count} left")
        self.count -= size
        self._offset += size
        while self._seg < len(self._segments) and self._offset >= self._segments[self._seg][1]:
            self._offset -= self._segments[self._seg][1]
            self._seg += 1

    def revert(self, size: int) -> None:
        """Go back by `size` bytes. Linux: iov_iter_revert."""
        self.count += size
        while size > self._offset:
            size -= self._offset
            self._seg -= 1
            if self._seg < 0:
                raise KernelBug("iov_iter_revert beyond the start")
            self._offset = self._segments[self._seg][1]
        self._offset -= size

    # -- copies ------------------------------------------------------------------------------------

    def copy_from_iter(self, dst: int, size: int) -> int:
        """Copy up to `size` bytes to the kernel address `dst` and advance; short only on a fault.
        Linux: copy_from_iter.
        """
        copied = self._copy(dst, size, ITER_SOURCE)
        self._memory.copy_from_user_bytes += copied
        return copied

    def copy_from_iter_nocache(self, dst: int, size: int) -> int:
        """As `copy_from_iter` with stores that bypass the cache, and accounted so. Linux:
        copy_from_iter_nocache.
        """
        copied = self._copy(dst, size, ITER_SOURCE)
        self._memory.copy_nocache_bytes += copied
        return copied

    def copy_from_iter_full_nocache(self, dst: int, size: int) -> bool:
        """All or nothing: on a fault the iterator stays where it was. Linux:
        copy_from_iter_full_nocache.
        """
        copied = self.copy_from_iter_nocache(dst, size)
        if copied == size:
            return True
        self.revert(copied)
        return False

    def copy_from_iter_full(self, dst: int, size: int) -> bool:
        """All or nothing: on a fault the iterator stays where it was. Linux:
        copy_from_iter_full.
        """
        copied = self.copy_from_iter(dst, size)
        if copied == size:
            return True
        self.revert(copied)
        return False

    def copy_to_iter(self, src: int, size: int) -> int:
        """Copy up to `size` bytes from the kernel address `src` and advance; short only on a fault.
        Linux: copy_to_iter.
        """
        copied = self._copy(src, size, ITER_DEST)
        self._memory.copy_to_user_bytes += copied
        return copied

    def _copy(self, kernel_addr: int, size: int, direction: int) -> int:
        if direction != self.direction:
            raise KernelBug("iov_iter used in the wrong direction")
        buf = self._memory.buf
        size = min(size, self.count)
        copied = 0
        while copied < size:
            base, length = self._segments[self._seg]
            want = min(size - copied, length - self._offset)
            start = base + self._offset
            done = 0
            for addr, run in self._runs(start, want, direction):
                here = kernel_addr + copied + done
                if direction == ITER_SOURCE:
                    buf[here : here + run] = buf[addr : addr + run]
                else:
                    buf[addr : addr + run] = buf[here : here + run]
                done += run
            self.advance(done)
            copied += done
            if done < want:
                break
        return copied

    def _runs(self, start: int, size: int, direction: int) -> list[tuple[int, int]]:
        """Physical (address, bytes) of a piece of the current segment, up to the first fault."""
        mm = self._mm
        if mm is None:
            return [(start, size)]
        if start + size > TASK_SIZE_MAX:
            return []
        prot = PROT_READ if direction == ITER_SOURCE else PROT_WRITE
        return [(page.addr + offset, run) for page, offset, run in mm.runs(start, size, prot)]

    # -- pages -------------------------------------------------------------------------------------

    def extract_pages(self, size: int, max_pages: int) -> list[BioVec]:
        """Take up to `size` bytes as pages with a reference each, and advance; empty on a fault,
        and for kernel buffers, which have no pages to give. Linux: iov_iter_extract_pages.
        """
        out: list[BioVec] = []
        while size > 0 and self.count and len(out) < max_pages:
            piece = self._next_page(size)
            if piece is None:
                break
            piece[0].get()
            out.append(piece)
            self.advance(piece[2])
            size -= piece[2]
        return out

    def _next_page(self, size: int) -> BioVec | None:
        self.advance(0)
        base, length = self._segments[self._seg]
        size = min(size, length - self._offset)
        if self.kind == ITER_BVEC:
            page, offset, _ = self._bvecs[self._seg]
            return page, offset + self._offset, size
        if self._mm is None:
            return None
        prot = PROT_READ if self.direction == ITER_SOURCE else PROT_WRITE
        return next(self._mm.runs(base + self._offset, size, prot), None)
