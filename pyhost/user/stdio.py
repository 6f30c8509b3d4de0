"""File descriptors 0, 1 and 2 of a process.

Under a simulator the program's standard output is not descriptor 1 of the operating system's
process, so the three are mapped. A program may close them or put something else in their place
(dup2), which changes the map and never the real descriptors.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyhost.user.abi import FD_BASE

__all__ = ["Stdio"]


class Stdio:
    """The program's fd numbers 0…2 → real descriptors, or emulated ones after a dup2."""

    def __init__(self, fds: Sequence[int]) -> None:
        self._map: dict[int, int] = dict(enumerate(fds))

    def resolve(self, fd: int) -> int:
        """The descriptor behind the program's `fd`: below FD_BASE a real one; -1 when standard
        descriptor `fd` is closed.
        """
        return self._map.get(fd, -1) if 0 <= fd <= 2 else fd

    def is_standard(self, fd: int) -> bool:
        """Whether `fd` is one of the mapped three."""
        return 0 <= fd <= 2

    def close(self, fd: int) -> int:
        """Forget standard descriptor `fd`; returns the emulated descriptor that was behind it, else
        -1.
        """
        behind = self._map.pop(fd, -1)
        return behind if behind >= FD_BASE else -1

    def replace(self, fd: int, behind: int) -> None:
        """Put the descriptor `behind` in place of standard descriptor `fd`."""
        self._map[fd] = behind
