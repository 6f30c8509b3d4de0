"""`posix`, on which os.py stands. CPython: Modules/posixmodule.c.

Paths name real files. What would start another process, or reach into the real one that runs the
simulation, fails with ENOSYS or stays within the program.
"""

from __future__ import annotations

import errno
import os
import posix
import signal
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from pyhost.user.cpython.posixfiles import PosixFiles
from pyhost.user.libc import os_error

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_NO_PROCESSES = (
    "execv execve fork forkpty login_tty openpty pidfd_open posix_openpt posix_spawn posix_spawnp"
    " system unshare setns"
)
_NO_CHILDREN = "wait wait3 wait4 waitid waitpid"
_LEFT_OUT = (
    "eventfd eventfd_read eventfd_write timerfd_create timerfd_gettime timerfd_gettime_ns"
    " timerfd_settime timerfd_settime_ns"
)
"""Descriptors of the real kernel on which a program would wait for real."""


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `posix`."""
    module = ModuleType("posix", posix.__doc__)
    names = module.__dict__
    names.update({k: v for k, v in vars(posix).items() if not k.startswith("__")})
    for name in _LEFT_OUT.split():
        names.pop(name, None)
    for error, group in ((errno.ENOSYS, _NO_PROCESSES), (errno.ECHILD, _NO_CHILDREN)):
        names.update({name: _failing(error) for name in group.split() if name in names})
    names.update(PosixFiles(interpreter).functions())
    names.update(_process_functions(interpreter))
    names.update(_randomness(interpreter))
    names["environ"] = dict(os.environb)
    return module


def _failing(error: int) -> Callable[..., NoReturn]:
    def fail(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise os_error(error)

    return fail


def _process_functions(interpreter: Interpreter) -> dict[str, Any]:
    libc = interpreter.libc

    def getpid() -> int:
        return libc.call("getpid")

    def kill(pid: int, sig: int, /) -> None:
        if pid != getpid():
            raise os_error(errno.ESRCH)
        if sig:
            interpreter.import_module("_signal").raise_signal(sig)

    def _exit(status: int) -> NoReturn:
        libc.exit_group(status & 0xFF)

    def abort() -> NoReturn:
        libc.exit_group(-signal.SIGABRT)

    def sched_yield() -> None:
        libc.now()
        libc.sleeping(libc.sched.cond_resched)

    def times() -> os.times_result:
        return os.times_result((0.0, 0.0, 0.0, 0.0, libc.now() / 1e9))

    def uname() -> os.uname_result:
        real = os.uname()
        return os.uname_result((real[0], interpreter.kernel.name, *real[2:]))

    def nothing(*_args: Any, **_kwargs: Any) -> None:
        """The environment of the real process stays as it is, and nothing ever forks."""

    return {
        "getpid": getpid,
        # As for a process whose parent is outside its pid namespace.
        "getppid": lambda: 0,
        "kill": kill,
        "killpg": kill,
        "_exit": _exit,
        "abort": abort,
        "sched_yield": sched_yield,
        "times": times,
        "uname": uname,
        "putenv": nothing,
        "unsetenv": nothing,
        "register_at_fork": nothing,
    }


def _randomness(interpreter: Interpreter) -> dict[str, Any]:
    random = interpreter.kernel.random

    def urandom(size: int, /) -> bytes:
        if size < 0:
            raise ValueError("negative argument not allowed")
        return random.randbytes(size)

    def getrandom(size: int, flags: int = 0) -> bytes:
        if size < 0:
            raise os_error(errno.EINVAL)
        return random.randbytes(size)

    return {"urandom": urandom, "getrandom": getrandom}
