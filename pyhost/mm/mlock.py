"""Accounting of pages that user memory must keep in place. Linux: net/core/skbuff.c
mm_account_pinned_pages, kernel/user.c (user_struct.locked_vm).

One user runs everything on a machine, so the account is the machine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.memory import PAGE_SHIFT
from pyhost.uapi.errno import ENOBUFS

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["RLIMIT_MEMLOCK", "UserStruct", "mm_account_pinned_pages"]

RLIMIT_MEMLOCK = 8 << 20
"""Linux: MLOCK_LIMIT, bytes."""


class UserStruct:
    """Linux: struct user_struct. `locked_vm` counts pages."""

    __slots__ = ("locked_vm", "rlimit_memlock")

    def __init__(self) -> None:
        self.locked_vm = 0
        self.rlimit_memlock = RLIMIT_MEMLOCK


def mm_account_pinned_pages(kernel: Kernel, size: int) -> int:
    """Charge the pages that `size` bytes may touch: their number, -ENOBUFS above RLIMIT_MEMLOCK.
    Linux: mm_account_pinned_pages.
    """
    if not size:
        return 0
    user = kernel.user
    pages = (size >> PAGE_SHIFT) + 2
    if user.locked_vm + pages > user.rlimit_memlock >> PAGE_SHIFT:
        return -ENOBUFS
    user.locked_vm += pages
    return pages
