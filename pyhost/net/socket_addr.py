"""Socket addresses between a program and the kernel. Linux: net/socket.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.uapi.errno import EFAULT, EINVAL
from pyhost.uapi.socket import INT, SOCKADDR_STORAGE_SIZE

if TYPE_CHECKING:
    from pyhost.mm.mmap import MmStruct

__all__ = ["move_addr_to_kernel", "move_addr_to_user"]


def move_addr_to_kernel(mm: MmStruct, uaddr: int, length: int) -> bytes | int:
    """The sockaddr at a user address. Linux: move_addr_to_kernel."""
    if not 0 <= length <= SOCKADDR_STORAGE_SIZE:
        return -EINVAL
    if not length:
        return b""
    raw = mm.get_user(uaddr, length)
    return -EFAULT if raw is None else raw


def move_addr_to_user(mm: MmStruct, addr: bytes, uaddr: int, ulen: int) -> int:
    """Store a sockaddr as far as the program has room, and its full length.

    Linux: move_addr_to_user.
    """
    raw = mm.get_user(ulen, INT.size)
    if raw is None:
        return -EFAULT
    room: int = INT.unpack(raw)[0]
    if room < 0:
        return -EINVAL
    if not mm.put_user(uaddr, addr[:room]) or not mm.put_user(ulen, INT.pack(len(addr))):
        return -EFAULT
    return 0
