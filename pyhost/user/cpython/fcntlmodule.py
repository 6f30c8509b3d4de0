"""`fcntl`: flags of emulated descriptors go to the kernel, real ones to the real system. CPython:
Modules/fcntlmodule.c.
"""

from __future__ import annotations

import errno
import fcntl
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyhost.user.abi import FD_BASE
from pyhost.user.libc import os_error

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `fcntl`."""
    module = ModuleType("fcntl", fcntl.__doc__)
    module.__dict__.update({k: v for k, v in vars(fcntl).items() if not k.startswith("__")})
    libc = interpreter.libc
    resolve = interpreter.stdio.resolve

    def descriptor(fd: Any) -> int:
        return resolve(fd if isinstance(fd, int) else fd.fileno())

    def emulated_fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        behind = descriptor(fd)
        if behind < FD_BASE:
            return fcntl.fcntl(behind, cmd, arg)
        if not isinstance(arg, int):
            raise os_error(errno.EINVAL)
        return libc.call("fcntl", behind, cmd, arg)

    def only_real(function: Any, error: int) -> Any:
        def call(fd: Any, *args: Any) -> Any:
            behind = descriptor(fd)
            if behind >= FD_BASE:
                raise os_error(error)
            return function(behind, *args)

        return call

    module.__dict__.update(
        fcntl=emulated_fcntl,
        ioctl=only_real(fcntl.ioctl, errno.ENOTTY),
        flock=only_real(fcntl.flock, errno.EINVAL),
        lockf=only_real(fcntl.lockf, errno.EINVAL),
    )
    return module
