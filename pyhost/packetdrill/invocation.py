"""One system call of the script: its arguments, the call itself, and what came of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.symbols import SYMBOLS
from pyhost.packetdrill.usermem import Frame
from pyhost.packetdrill.values import number, packed
from pyhost.user.abi import IOVEC

if TYPE_CHECKING:
    from pyhost.packetdrill.sockets import Sockets

__all__ = ["Invocation"]


class Invocation:
    """One system call under way: its arguments by index, and the machine it is made on."""

    def __init__(self, sockets: Sockets, spec: ast.Syscall, frame: Frame) -> None:
        self.sockets = sockets
        self.spec = spec
        self.mem = frame
        self.result = 0
        self.returned_at = 0

    # -- arguments ---------------------------------------------------------------------------------

    def count(self, *allowed: int) -> int:
        """The number of arguments, which must be one of `allowed`."""
        actual = len(self.spec.arguments)
        if actual not in allowed:
            wanted = "-".join(map(str, allowed))
            raise ScriptFailure(f"Expected {wanted} args but got {actual}")
        return actual

    def arg(self, index: int) -> ast.Expr:
        """The argument as it stands in the script."""
        return self.spec.arguments[index]

    def num(self, index: int) -> int:
        """A number."""
        return number(self.arg(index))

    def fd(self, index: int) -> int:
        """The live descriptor for the script's."""
        return self.sockets.live_fd(self.num(index))

    def filled(self, index: int) -> bool:
        """Whether the argument is `...`; otherwise it must be NULL."""
        expr = self.arg(index)
        if isinstance(expr, ast.Ellipsis):
            return True
        if isinstance(expr, (ast.Number, ast.Symbol)) and number(expr) == 0:
            return False
        raise ScriptFailure("Expected ... or NULL for buffer")

    def buffer(self, index: int, size: int) -> int:
        """The address of `size` zero bytes for `...`, 0 for NULL."""
        return self.mem.room(size) if self.filled(index) else 0

    def ellipsis(self, index: int) -> None:
        """The argument must be `...`."""
        if not isinstance(self.arg(index), ast.Ellipsis):
            raise ScriptFailure("bad type: ... was expected")

    def iovec(self, expr: ast.Expr) -> int:
        """The address of an iovec array for `[{..., size}, …]`."""
        entries = bytearray()
        for item in expr.items if isinstance(expr, ast.Items) else ():
            if not isinstance(item, ast.Struct) or len(item.fields) != 2:
                raise ScriptFailure("bad type: {..., size} was expected")
            size = number(item.fields[1].value)
            entries += packed(IOVEC, self.mem.room(size), size)
        return self.mem.put(bytes(entries))

    # -- the call ----------------------------------------------------------------------------------

    def enter(self, name: str, *args: int) -> int:
        """Make the call and compare its result with the script's; returns it."""
        self.result = self.sockets.kernel.syscall(name, *args)
        self.returned_at = self.sockets.kernel.clock.now
        return self.result

    def check(self, *, is_fd: bool = False) -> None:
        """Raise ScriptFailure unless the result is what the script says. Any descriptor will do for
        one that the script names.
        """
        actual = max(self.result, -1)
        failed = f"with errno {-self.result} ({os.strerror(-self.result)})"
        errno_text = failed if self.result < 0 else "with errno 0 (Success)"
        if isinstance(self.spec.result, ast.Ellipsis):
            return
        expected = number(self.spec.result)
        if is_fd and expected >= 0:
            if actual < 0:
                raise ScriptFailure(f"Expected non-negative result but got {actual} {errno_text}")
        elif actual != expected:
            raise ScriptFailure(f"Expected result {expected} but got {actual} {errno_text}")
        self._check_errno()

    def _check_errno(self) -> None:
        name = self.spec.errno
        if name is None:
            return
        if name not in SYMBOLS:
            raise ScriptFailure(f"unknown symbol: '{name}'")
        expected, actual = SYMBOLS[name], max(-self.result, 0)
        if expected != actual:
            raise ScriptFailure(
                f"Expected errno {expected} ({os.strerror(expected)}) "
                f"but got {actual} ({os.strerror(actual)})"
            )
