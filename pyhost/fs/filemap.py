"""The page cache: a regular file's bytes in page frames. Linux: mm/filemap.c.

An `AddressSpace` maps page numbers to pages; what is in a page that is not there yet comes from
`read_folio`. Reading and writing copy between pages and user memory; splice hands out the pages
themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.fs.file import IOCB_APPEND, File, Inode, Kiocb
from pyhost.mm.memory import PAGE_SHIFT, PAGE_SIZE, Memory, Page
from pyhost.uapi.errno import EFAULT, EFBIG, ENOMEM

if TYPE_CHECKING:
    from pyhost.fs.pipe import PipeInode
    from pyhost.mm.iov_iter import IovIter

__all__ = [
    "AddressSpace", "filemap_splice_read", "generic_file_read_iter", "generic_file_write_iter",
]  # fmt: skip

MAX_LFS_FILESIZE = (1 << 63) - 1


class AddressSpace:
    """The pages of one inode. Linux: struct address_space.

    `read_folio(index, page)` fills a new page and returns 0 or a negative errno. With `nr_max` the
    oldest pages are forgotten when there are more; one that somebody still refers to lives on until
    he is done.
    """

    __slots__ = ("_memory", "_nr_max", "_read_folio", "pages")

    def __init__(
        self, memory: Memory, read_folio: Callable[[int, Page], int], nr_max: int | None = None
    ) -> None:
        self._memory = memory
        self._read_folio = read_folio
        self._nr_max = nr_max
        self.pages: dict[int, Page] = {}

    def get_page(self, index: int) -> Page | int:
        """Page `index`, read in when it is not there;

        The reference stays with the cache. -ENOMEM or what reading says.
        """
        page = self.pages.get(index)
        if page is not None:
            return page
        if self._nr_max is not None and len(self.pages) >= self._nr_max:
            self.pages.pop(next(iter(self.pages))).put()
        try:
            page = self._memory.alloc_pages()
        except MemoryError:
            return -ENOMEM
        err = self._read_folio(index, page)
        if err:
            page.put()
            return err
        self.pages[index] = page
        return page

    def truncate(self) -> None:
        """Forget all pages. Linux: truncate_inode_pages."""
        for page in self.pages.values():
            page.put()
        self.pages.clear()


def generic_file_read_iter(iocb: Kiocb, to: IovIter) -> int:
    """Copy from the page cache until the end of the file.

    Linux: generic_file_read_iter, filemap_read.
    """
    inode: Inode = iocb.ki_filp.f_inode
    mapping: AddressSpace = inode.i_private
    copied = 0
    while to.count and iocb.ki_pos < inode.i_size:
        page = mapping.get_page(iocb.ki_pos >> PAGE_SHIFT)
        if isinstance(page, int):
            return copied or page
        offset = iocb.ki_pos & (PAGE_SIZE - 1)
        want = min(to.count, PAGE_SIZE - offset, inode.i_size - iocb.ki_pos)
        done = to.copy_to_iter(page.addr + offset, want)
        copied += done
        iocb.ki_pos += done
        if done < want:
            return copied or -EFAULT
    return copied


def generic_file_write_iter(iocb: Kiocb, source: IovIter) -> int:
    """Copy into the page cache; with O_APPEND at the end.

    Linux: generic_file_write_iter, generic_perform_write.

    EFBIG: beyond the largest position; EFAULT only when nothing was copied.
    """
    inode: Inode = iocb.ki_filp.f_inode
    mapping: AddressSpace = inode.i_private
    if not source.count:
        return 0
    if iocb.ki_flags & IOCB_APPEND:
        iocb.ki_pos = inode.i_size
    if iocb.ki_pos >= MAX_LFS_FILESIZE:
        return -EFBIG
    written = 0
    while source.count:
        page = mapping.get_page(iocb.ki_pos >> PAGE_SHIFT)
        if isinstance(page, int):
            return written or page
        offset = iocb.ki_pos & (PAGE_SIZE - 1)
        want = min(source.count, PAGE_SIZE - offset)
        done = source.copy_from_iter(page.addr + offset, want)
        written += done
        iocb.ki_pos += done
        inode.i_size = max(inode.i_size, iocb.ki_pos)
        if done < want:
            return written or -EFAULT
    return written


def filemap_splice_read(file: File, pos: int, pipe: PipeInode, size: int, _flags: int) -> int:
    """Put the file's pages into the pipe, by reference, as far as it has room.

    Linux: filemap_splice_read.
    """
    inode = file.f_inode
    mapping: AddressSpace = inode.i_private
    size = min(size, inode.i_size - pos)
    spliced = 0
    while spliced < size and not pipe.full:
        page = mapping.get_page((pos + spliced) >> PAGE_SHIFT)
        if isinstance(page, int):
            return spliced or page
        offset = (pos + spliced) & (PAGE_SIZE - 1)
        part = min(size - spliced, PAGE_SIZE - offset)
        page.get()
        pipe.push(page, offset, part)
        spliced += part
    return spliced
