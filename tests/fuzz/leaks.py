"""What must not be left behind: memory."""

from __future__ import annotations

from pyhost.fs.file import Inode
from pyhost.kernel.kernel import Kernel

__all__ = ["loose_pages"]


def loose_pages(kernel: Kernel) -> int:
    """The pages in use that neither a cache of small objects nor a file explains."""
    mem = kernel.mem
    return mem.pages_in_use - mem.slab_pages - _file_pages(kernel.rootfs.root)


def _file_pages(inode: Inode) -> int:
    """The pages that the files below an inode of the ramfs hold."""
    if inode.is_directory:
        return sum(_file_pages(child) for child in inode.i_private.values())
    return len(inode.i_private.pages) if inode.is_regular else 0
