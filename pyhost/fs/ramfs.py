"""A file system in memory: regular files, directories and two devices.

Linux: fs/ramfs/inode.c, init/do_mounts.c (rootfs).

Names are looked up from the root, whether or not they begin with a slash; there is no current
directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyhost.fs.char_dev import MEM_DEVICES
from pyhost.fs.file import File, FileOperations, Inode, alloc_file
from pyhost.fs.filemap import (
    AddressSpace,
    filemap_splice_read,
    generic_file_read_iter,
    generic_file_write_iter,
)
from pyhost.fs.read_write import generic_file_llseek
from pyhost.fs.splice import iter_file_splice_write
from pyhost.mm.memory import Page
from pyhost.uapi.errno import EEXIST, EISDIR, ENOENT, ENOTDIR, ENXIO
from pyhost.uapi.fcntl import O_ACCMODE, O_CREAT, O_DIRECTORY, O_EXCL, O_PATH, O_RDONLY, O_TRUNC
from pyhost.uapi.stat import S_IFCHR, S_IFDIR, S_IFMT, S_IFREG, S_IFSOCK

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["RamFs", "ramfs_file_operations"]


class RamFs:
    """One mounted file system.

    Linux: struct super_block of rootfs. A directory's `i_private` maps names to inodes.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._last_ino = 0
        self.root = self._directory()
        dev = self._directory()
        self._children(self.root)["dev"] = dev
        for minor, f_op in MEM_DEVICES.items():
            inode = Inode(self.get_next_ino(), S_IFCHR | 0o666, f_op, rdev=1 << 8 | minor)
            self._children(dev)[f_op.name] = inode

    def get_next_ino(self) -> int:
        """A number for an inode that lives in memory alone. Linux: get_next_ino."""
        self._last_ino += 1
        return self._last_ino

    def _directory(self) -> Inode:
        children: dict[str, Inode] = {}
        return Inode(self.get_next_ino(), S_IFDIR | 0o755, children)

    def _children(self, directory: Inode) -> dict[str, Inode]:
        children: dict[str, Inode] = directory.i_private
        return children

    def lookup(self, path: str) -> tuple[Inode, str] | int:
        """The directory that a path ends in, and the last name there ('' for a directory itself).

        Linux: filename_parentat.
        """
        if not path:
            return -ENOENT
        names = [name for name in path.split("/") if name not in ("", ".")]
        directory = self.root
        for name in names[:-1]:
            inode = self._children(directory).get(name)
            if inode is None:
                return -ENOENT
            if not inode.is_directory:
                return -ENOTDIR
            directory = inode
        return directory, names[-1] if names else ""

    def mkdir(self, path: str) -> int:
        """Make a directory. Linux: ramfs_mkdir."""
        where = self.lookup(path)
        if isinstance(where, int):
            return where
        directory, name = where
        children = self._children(directory)
        if not name or name in children:
            return -EEXIST
        children[name] = self._directory()
        return 0

    def mknod(self, path: str, mode: int, private: Any) -> Inode | int:
        """Make something that is no regular file: its inode, -EEXIST, -ENOENT, -ENOTDIR.

        Linux: ramfs_mknod.
        """
        where = self.lookup(path)
        if isinstance(where, int):
            return where
        children = self._children(where[0])
        if not where[1] or where[1] in children:
            return -EEXIST
        inode = children[where[1]] = Inode(self.get_next_ino(), mode, private)
        return inode

    def find(self, path: str) -> Inode | int:
        """What a path leads to; -ENOENT, -ENOTDIR. Linux: kern_path."""
        where = self.lookup(path)
        if isinstance(where, int):
            return where
        directory, name = where
        return self._children(directory).get(name, -ENOENT) if name else directory

    def open(self, path: str, flags: int, mode: int) -> File | int:
        """Open a path, making a regular file with O_CREAT. Linux: do_filp_open.

        ENOENT, EEXIST (O_EXCL), ENOTDIR, EISDIR (a directory for writing).
        """
        where = self.lookup(path)
        if isinstance(where, int):
            return where
        directory, name = where
        children = self._children(directory)
        inode = children.get(name) if name else directory
        if inode is None:
            if not flags & O_CREAT:
                return -ENOENT
            inode = children[name] = self._new_file(mode)
        elif flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL:
            return -EEXIST
        return self._open_inode(inode, flags)

    def _open_inode(self, inode: Inode, flags: int) -> File | int:
        if inode.is_directory:
            if flags & (O_ACCMODE | O_CREAT | O_TRUNC) != O_RDONLY:
                return -EISDIR
            return alloc_file(inode, simple_dir_operations, flags)
        if flags & O_DIRECTORY:
            return -ENOTDIR
        if inode.i_mode & S_IFMT == S_IFSOCK:
            return -ENXIO
        if not inode.is_regular:
            return alloc_file(inode, inode.i_private, flags)
        if flags & O_TRUNC and not flags & O_PATH:
            inode.i_private.truncate()
            inode.i_size = 0
        return alloc_file(inode, ramfs_file_operations, flags)

    def _new_file(self, mode: int) -> Inode:
        memory = self._kernel.mem

        def read_folio(_index: int, page: Page) -> int:
            memory.ram[page.addr : page.addr + page.size] = 0
            return 0

        mapping = AddressSpace(memory, read_folio)
        return Inode(self.get_next_ino(), S_IFREG | mode & 0o7777, mapping)

    def unlink(self, path: str) -> int:
        """Take away a regular file's name; its pages go with its last open file.

        Linux: simple_unlink.
        """
        where = self.lookup(path)
        if isinstance(where, int):
            return where
        children = self._children(where[0])
        inode = children.get(where[1])
        if inode is None:
            return -ENOENT
        if inode.is_directory:
            return -EISDIR
        del children[where[1]]
        inode.i_nlink = 0
        _drop_inode(inode)
        return 0


def _drop_inode(inode: Inode) -> None:
    """Give the pages back when neither a name nor an open file leads to the inode.

    Linux: iput_final.
    """
    if inode.is_regular and not inode.i_nlink and not inode.i_count:
        inode.i_private.truncate()


def _release_file(file: File) -> None:
    """The last reference to an open regular file is gone. Linux: __fput, dput, iput."""
    _drop_inode(file.f_inode)


def _release_nothing(_file: File) -> None:
    """Directories keep nothing for an open file."""


ramfs_file_operations = FileOperations(
    name="ramfs",
    release=_release_file,
    read_iter=generic_file_read_iter,
    write_iter=generic_file_write_iter,
    llseek=generic_file_llseek,
    splice_read=filemap_splice_read,
    splice_write=iter_file_splice_write,
)

simple_dir_operations = FileOperations(name="directory", release=_release_nothing)
