"""`_signal`: who handles which signal. CPython: Modules/signalmodule.c.

Nothing on the emulated host interrupts a program, so a handler runs when the program itself raises
its signal (`raise_signal`, os.kill on its own pid), in the thread that does so. Timers (`alarm`,
`setitimer`) and waiting for signals are left out, and their names with them.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyhost.uapi.errno import EINVAL
from pyhost.user.libc import os_error

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_IGNORED_BY_DEFAULT = frozenset(
    {_signal.SIGCHLD, _signal.SIGCONT, _signal.SIGURG, _signal.SIGWINCH}
)


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `_signal`."""
    module = ModuleType("_signal", _signal.__doc__)
    module.__dict__.update({k: v for k, v in vars(_signal).items() if k.startswith("SIG")})
    handlers = Handlers(interpreter)
    module.__dict__.update(
        NSIG=_signal.NSIG,
        default_int_handler=_signal.default_int_handler,
        getsignal=handlers.getsignal,
        pthread_sigmask=handlers.pthread_sigmask,
        raise_signal=handlers.raise_signal,
        set_wakeup_fd=handlers.set_wakeup_fd,
        siginterrupt=handlers.siginterrupt,
        signal=handlers.signal,
        strsignal=_signal.strsignal,
        valid_signals=_signal.valid_signals,
    )
    return module


class Handlers:
    """The signal dispositions of one process. Linux: struct sighand_struct."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        # As CPython starts: it ignores SIGPIPE and turns SIGINT into KeyboardInterrupt.
        self._handlers: dict[int, Any] = {
            _signal.SIGPIPE: _signal.SIG_IGN,
            _signal.SIGXFSZ: _signal.SIG_IGN,
            _signal.SIGINT: _signal.default_int_handler,
        }
        self._wakeup_fd = -1
        self._blocked: set[int] = set()

    def getsignal(self, signalnum: int, /) -> Any:
        """The present handler."""
        _check(signalnum)
        return self._handlers.get(signalnum, _signal.SIG_DFL)

    def signal(self, signalnum: int, handler: Any, /) -> Any:
        """Set the handler; returns the one before."""
        if self._interpreter.libc.current is not self._interpreter.main_task:
            raise ValueError("signal only works in main thread of the main interpreter")
        _check(signalnum)
        if not callable(handler) and handler not in (_signal.SIG_DFL, _signal.SIG_IGN):
            raise TypeError(
                "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object"
            )
        if signalnum in (_signal.SIGKILL, _signal.SIGSTOP):
            raise os_error(EINVAL)
        before = self.getsignal(signalnum)
        self._handlers[signalnum] = handler
        return before

    def raise_signal(self, signalnum: int, /) -> None:
        """Deliver a signal to the program itself, now."""
        _check(signalnum)
        if signalnum in self._blocked:
            return
        handler = self.getsignal(signalnum)
        if callable(handler):
            handler(signalnum, None)
        elif handler == _signal.SIG_DFL and signalnum not in _IGNORED_BY_DEFAULT:
            self._interpreter.libc.exit_group(-signalnum)

    def set_wakeup_fd(self, fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
        """Remember the descriptor; no signal comes from outside that would be written to it."""
        before, self._wakeup_fd = self._wakeup_fd, fd
        return before

    def siginterrupt(self, signalnum: int, flag: bool, /) -> None:
        """System calls are never interrupted."""
        _check(signalnum)

    def pthread_sigmask(self, how: int, mask: Any, /) -> set[int]:
        """Change what is blocked; returns what was blocked before."""
        before = set(self._blocked)
        signals = {int(sig) for sig in mask}
        if how == _signal.SIG_BLOCK:
            self._blocked |= signals
        elif how == _signal.SIG_UNBLOCK:
            self._blocked -= signals
        elif how == _signal.SIG_SETMASK:
            self._blocked = signals
        else:
            raise os_error(EINVAL)
        return before


def _check(signalnum: int) -> None:
    if not 1 <= signalnum < _signal.NSIG:
        raise ValueError("signal number out of range")
