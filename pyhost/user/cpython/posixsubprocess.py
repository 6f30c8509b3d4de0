"""`_posixsubprocess`: there is one program on the emulated host, and it cannot start another.
CPython: Modules/_posixsubprocess.c.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from pyhost.uapi.errno import ENOSYS
from pyhost.user.libc import os_error

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]


def make_module(_interpreter: Interpreter) -> ModuleType:
    """The program's `_posixsubprocess`."""

    def fork_exec(*_args: Any) -> NoReturn:
        raise os_error(ENOSYS)

    module = ModuleType("_posixsubprocess", "fork(2) and execve(2), which the machine lacks.")
    module.__dict__["fork_exec"] = fork_exec
    return module
