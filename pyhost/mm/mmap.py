"""A process's address space. Linux: mm/mmap.c, mm/gup.c, arch/x86/lib/usercopy_64.c.

User addresses mean nothing to the rest of the kernel: `MmStruct` translates them, and says where
they stop being valid. That is where EFAULT comes from.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator

from pyhost.mm.memory import MAX_PAGE_ORDER, PAGE_SHIFT, PAGE_SIZE, Memory, Page

__all__ = ["PROT_NONE", "PROT_READ", "PROT_WRITE", "TASK_SIZE_MAX", "MmStruct", "access_ok"]

PROT_NONE = 0
PROT_READ = 1
PROT_WRITE = 2

TASK_SIZE_MAX = (1 << 47) - PAGE_SIZE
MMAP_BASE = 0x7F00_0000_0000


def access_ok(uaddr: int, size: int) -> bool:
    """Whether the range lies in user space at all; says nothing about a mapping being there. Linux:
    access_ok.
    """
    return uaddr >= 0 and size >= 0 and uaddr + size <= TASK_SIZE_MAX


class _Vma:
    """A mapped block: `length` bytes at `start`, backed by one contiguous `page`. Linux: struct
    vm_area_struct.
    """

    __slots__ = ("length", "page", "prot", "start")

    def __init__(self, start: int, length: int, prot: int, page: Page) -> None:
        self.start = start
        self.length = length
        self.prot = prot
        self.page = page

    def __lt__(self, other: _Vma) -> bool:
        return self.start < other.start


class MmStruct:
    """Linux: struct mm_struct. Mapped memory is backed at once; blocks of up to 4 MiB are
    physically contiguous.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._vmas: list[_Vma] = []
        self._starts: list[int] = []
        self._next = MMAP_BASE

    # -- mappings ----------------------------------------------------------------------------------

    def mmap(self, length: int, prot: int = PROT_READ | PROT_WRITE) -> int:
        """Map `length` bytes of zeroed memory and return their address; an unmapped guard page
        follows. Linux: mmap(MAP_ANONYMOUS).
        """
        start = self._next
        done = 0
        while done < length:
            left = length - done
            order = min(MAX_PAGE_ORDER, ((left - 1) >> PAGE_SHIFT).bit_length())
            page = self.memory.alloc_pages(order)
            self.memory.ram[page.addr : page.addr + page.size] = 0
            size = min(page.size, (left + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))
            insort(self._vmas, _Vma(start + done, size, prot, page))
            done += size
        self._next = start + done + PAGE_SIZE
        self._starts = [vma.start for vma in self._vmas]
        return start

    def munmap(self, uaddr: int, length: int) -> None:
        """Unmap the blocks that lie in the range; `uaddr` and `length` as `mmap` was given. Linux:
        munmap.
        """
        for vma in [vma for vma in self._vmas if uaddr <= vma.start < uaddr + length]:
            self._vmas.remove(vma)
            vma.page.put()
        self._starts = [vma.start for vma in self._vmas]

    def mprotect(self, uaddr: int, length: int, prot: int) -> None:
        """Change what may be done with the pages of the range, splitting blocks where needed.
        Linux: mprotect.
        """
        for vma in [
            v for v in self._vmas if v.start < uaddr + length and uaddr < v.start + v.length
        ]:
            self._split(vma, uaddr)
        for vma in [
            v for v in self._vmas if v.start < uaddr + length and uaddr < v.start + v.length
        ]:
            self._split(vma, uaddr + length)
        for vma in self._vmas:
            if uaddr <= vma.start < uaddr + length:
                vma.prot = prot
        self._starts = [vma.start for vma in self._vmas]

    def _split(self, vma: _Vma, uaddr: int) -> None:
        """Split at the page border at or below `uaddr`. The second half moves to a block of its
        own.
        """
        cut = (uaddr & ~(PAGE_SIZE - 1)) - vma.start
        if not 0 < cut < vma.length:
            return
        rest = vma.length - cut
        page = self.memory.alloc_pages(((rest - 1) >> PAGE_SHIFT).bit_length())
        source = vma.page.addr + cut
        self.memory.buf[page.addr : page.addr + rest] = self.memory.buf[source : source + rest]
        insort(self._vmas, _Vma(vma.start + cut, rest, vma.prot, page))
        vma.length = cut

    def release(self) -> None:
        """Unmap everything. Linux: exit_mmap."""
        for vma in self._vmas:
            vma.page.put()
        self._vmas.clear()
        self._starts.clear()

    # -- translation -------------------------------------------------------------------------------

    def _find(self, uaddr: int, prot: int) -> _Vma | None:
        index = bisect_right(self._starts, uaddr) - 1
        if index < 0:
            return None
        vma = self._vmas[index]
        if uaddr >= vma.start + vma.length or vma.prot & prot != prot:
            return None
        return vma

    def runs(self, uaddr: int, length: int, prot: int) -> Iterator[tuple[Page, int, int]]:
        """The physically contiguous pieces (page, offset in it, bytes) of a user range, up to the
        first address that faults.
        """
        while length > 0:
            vma = self._find(uaddr, prot)
            if vma is None:
                return
            offset = uaddr - vma.start
            size = min(length, vma.length - offset)
            yield vma.page, offset, size
            uaddr += size
            length -= size

    def copy_from_user(self, dst: int, uaddr: int, length: int) -> int:
        """Copy to the kernel address `dst`; returns the bytes that could NOT be copied, 0 when all
        is well.
        """
        buf = self.memory.buf
        left = length
        if uaddr + length <= TASK_SIZE_MAX:
            for page, offset, size in self.runs(uaddr, length, PROT_READ):
                source = page.addr + offset
                buf[dst : dst + size] = buf[source : source + size]
                dst += size
                left -= size
        self.memory.copy_from_user_bytes += length - left
        return left

    def copy_to_user(self, uaddr: int, src: int, length: int) -> int:
        """Copy from the kernel address `src`; returns the bytes that could NOT be copied, 0 when
        all is well.
        """
        buf = self.memory.buf
        left = length
        if uaddr + length <= TASK_SIZE_MAX:
            for page, offset, size in self.runs(uaddr, length, PROT_WRITE):
                target = page.addr + offset
                buf[target : target + size] = buf[src : src + size]
                src += size
                left -= size
        self.memory.copy_to_user_bytes += length - left
        return left

    def get_user(self, uaddr: int, length: int) -> bytes | None:
        """A few bytes of user memory (a struct), None on a fault. Linux: get_user, copy_from_user
        of an argument.
        """
        if uaddr < 0 or uaddr + length > TASK_SIZE_MAX:
            return None
        data = b"".join(
            bytes(self.memory.buf[page.addr + offset : page.addr + offset + size])
            for page, offset, size in self.runs(uaddr, length, PROT_READ)
        )
        return data if len(data) == length else None

    def put_user(self, uaddr: int, data: bytes) -> bool:
        """Store a few bytes (a struct) in user memory; False on a fault, when part may be stored.
        Linux: put_user.
        """
        if uaddr < 0 or uaddr + len(data) > TASK_SIZE_MAX:
            return False
        done = 0
        for page, offset, size in self.runs(uaddr, len(data), PROT_WRITE):
            self.memory.buf[page.addr + offset : page.addr + offset + size] = data[
                done : done + size
            ]
            done += size
        return done == len(data)

    # -- the program's own loads and stores --------------------------------------------------------

    def write(self, uaddr: int, data: bytes | bytearray | memoryview) -> None:
        """The program stores `data` at `uaddr`. Raises MemoryError where Linux would send
        SIGSEGV.
        """
        view = memoryview(data).cast("B")
        done = 0
        for page, offset, size in self.runs(uaddr, len(view), PROT_WRITE):
            self.memory.buf[page.addr + offset : page.addr + offset + size] = view[
                done : done + size
            ]
            done += size
        if done != len(view):
            raise MemoryError(f"segmentation fault: store to {uaddr + done:#x}")

    def read(self, uaddr: int, length: int) -> bytes:
        """The program loads `length` bytes. Raises MemoryError where Linux would send SIGSEGV."""
        data = self.get_user(uaddr, length)
        if data is None:
            raise MemoryError(f"segmentation fault: load of {length} bytes at {uaddr:#x}")
        return data
