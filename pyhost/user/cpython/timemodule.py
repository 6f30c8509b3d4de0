"""`time`: the machine's clock. The epoch is the start of the simulation. CPython:
Modules/timemodule.c.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from operator import index
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyhost.uapi.errno import EINVAL, EPERM
from pyhost.user.libc import os_error

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_NSEC_PER_SEC = 1_000_000_000
_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `time`."""
    module = ModuleType("time", time.__doc__)
    module.__dict__.update({k: v for k, v in vars(time).items() if not k.startswith("__")})
    libc = interpreter.libc
    now = libc.now

    def seconds() -> float:
        return now() / _NSEC_PER_SEC

    for name in _CLOCKS:
        module.__dict__[name] = seconds
        module.__dict__[name + "_ns"] = now

    def sleep(secs: float, /) -> None:
        ns = _to_ns(secs)
        if ns < 0:
            raise ValueError("sleep length must be non-negative")
        libc.nanosleep(ns)

    module.__dict__["sleep"] = sleep
    module.__dict__.update(_posix_clocks(now))
    module.__dict__.update(_calendar(interpreter, seconds))
    return module


def _to_ns(secs: Any) -> int:
    if isinstance(secs, float):
        if secs != secs:
            raise ValueError("Invalid value NaN (not a number)")
        # Rounded up: a sleep never ends early.
        return -int(-secs * _NSEC_PER_SEC // 1)
    return index(secs) * _NSEC_PER_SEC


def _posix_clocks(now: Callable[[], int]) -> dict[str, Any]:
    """clock_gettime(2) and its relatives: every clock is the simulated one."""
    known = {value for name, value in vars(time).items() if name.startswith("CLOCK_")}

    def clock_gettime_ns(clk_id: int, /) -> int:
        if clk_id not in known:
            raise os_error(EINVAL)
        return now()

    def clock_gettime(clk_id: int, /) -> float:
        return clock_gettime_ns(clk_id) / _NSEC_PER_SEC

    def clock_getres(clk_id: int, /) -> float:
        if clk_id not in known:
            raise os_error(EINVAL)
        return 1e-9

    def clock_settime(_clk_id: int, _time: Any, /) -> None:
        raise os_error(EPERM)

    return {
        "clock_gettime": clock_gettime,
        "clock_gettime_ns": clock_gettime_ns,
        "clock_getres": clock_getres,
        "clock_settime": clock_settime,
        "clock_settime_ns": clock_settime,
    }


def _calendar(interpreter: Interpreter, seconds: Callable[[], float]) -> dict[str, Any]:
    """The functions that take "now" when they get no argument; strptime, which imports a Python
    module.
    """

    def gmtime(secs: float | None = None, /) -> time.struct_time:
        return time.gmtime(seconds() if secs is None else secs)

    def localtime(secs: float | None = None, /) -> time.struct_time:
        return time.localtime(seconds() if secs is None else secs)

    def ctime(secs: float | None = None, /) -> str:
        return time.ctime(seconds() if secs is None else secs)

    def asctime(*when: Any) -> str:
        return time.asctime(*when or (localtime(),))

    def strftime(format: str, *when: Any) -> str:
        return time.strftime(format, *when or (localtime(),))

    def strptime(data_string: str, format: str = "%a %b %d %H:%M:%S %Y", /) -> time.struct_time:
        parsed: time.struct_time = interpreter.import_module("_strptime")._strptime_time(
            data_string, format
        )
        return parsed

    return {
        "gmtime": gmtime,
        "localtime": localtime,
        "ctime": ctime,
        "asctime": asctime,
        "strftime": strftime,
        "strptime": strptime,
    }
