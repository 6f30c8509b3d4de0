"""`fcntl`: flags of emulated descriptors go to the kernel, real ones to the real system. CPython:
Modules/fcntlmodule.c.
"""

from __future__ import annotations

import errno
import fcntl
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyhost.user.abi import FD_BASE
from pyhost.user.iovec import byte_view
from pyhost.user.libc import Libc, os_error

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_UINT_MAX = 0xFFFFFFFF


def _ioctl_buffer(libc: Libc, fd: int, request: int, arg: Any, mutate: bool) -> Any:
    """An ioctl with a structure: a mutable one is changed in place, else the changed bytes are the
    result.
    """
    data = byte_view(arg.encode() if isinstance(arg, str) else arg)
    addr = libc.alloc(data.nbytes)
    try:
        libc.mm.write(addr, data)
        result = libc.call("ioctl", fd, request, addr)
        after = libc.mm.read(addr, data.nbytes)
    finally:
        libc.free(addr, data.nbytes)
    if data.readonly or not mutate:
        return after
    data[:] = after
    return result


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

    def emulated_ioctl(fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
        behind = descriptor(fd)
        if behind < FD_BASE:
            return fcntl.ioctl(behind, request, arg, mutate_flag)
        if isinstance(arg, int):
            return libc.call("ioctl", behind, request & _UINT_MAX, arg)
        return _ioctl_buffer(libc, behind, request & _UINT_MAX, arg, mutate_flag)

    def only_real(function: Any, error: int) -> Any:
        def call(fd: Any, *args: Any) -> Any:
            behind = descriptor(fd)
            if behind >= FD_BASE:
                raise os_error(error)
            return function(behind, *args)

        return call

    module.__dict__.update(
        fcntl=emulated_fcntl,
        ioctl=emulated_ioctl,
        flock=only_real(fcntl.flock, errno.EINVAL),
        lockf=only_real(fcntl.lockf, errno.EINVAL),
    )
    return module
