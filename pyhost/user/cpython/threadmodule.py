"""`_thread`: threads are tasks of the process. CPython: Modules/_threadmodule.c.

Both ways in which threading.py waits for a thread are here: `_set_sentinel` (until 3.12) and
`_ThreadHandle` (3.13).
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from weakref import WeakSet

from greenlet import GreenletExit

from pyhost.kernel.bug import KernelBug
from pyhost.user import frames
from pyhost.user.cpython.locks import Lock, RLock
from pyhost.user.cpython.threadlocal import Local

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `_thread`."""
    module = ModuleType("_thread", _thread.__doc__)
    names = {"__module__": "_thread", "__slots__": ()}
    lock = type("lock", (Lock,), names | {"libc": interpreter.libc})
    rlock = type("RLock", (RLock,), names | {"lock_type": lock})
    handle: Any = type("_ThreadHandle", (ThreadHandle,), names | {"lock_type": lock})
    local: Any = type("_local", (Local,), names | {"libc": interpreter.libc, "impls": WeakSet()})
    threads = Threads(interpreter, handle, local)
    libc = interpreter.libc

    def get_ident() -> int:
        return libc.current.pid

    def exit() -> NoReturn:
        raise SystemExit

    module.__dict__.update(
        LockType=lock,
        RLock=rlock,
        TIMEOUT_MAX=_thread.TIMEOUT_MAX,
        _ExceptHookArgs=_thread._ExceptHookArgs,
        _count=lambda: len(threads.started),
        _excepthook=threads.excepthook,
        _local=local,
        _is_main_interpreter=lambda: True,
        allocate=lock,
        allocate_lock=lock,
        daemon_threads_allowed=lambda: True,
        error=RuntimeError,
        exit=exit,
        exit_thread=exit,
        get_ident=get_ident,
        get_native_id=get_ident,
        lock=lock,
        stack_size=lambda size=0, /: 0,
        start_new=threads.start_new_thread,
        start_new_thread=threads.start_new_thread,
    )
    if hasattr(_thread, "_set_sentinel"):
        module.__dict__["_set_sentinel"] = threads.set_sentinel
    else:
        module.__dict__.update(
            _ThreadHandle=handle,
            _get_main_thread_ident=lambda: threads.main_ident,
            _make_thread_handle=handle.of_ident,
            _shutdown=threads.join_all,
            start_joinable_thread=threads.start_joinable_thread,
        )
    return module


class ThreadHandle:
    """`_thread._ThreadHandle` (3.13): what `Thread.join` waits on."""

    __slots__ = ("_done", "ident")

    lock_type: ClassVar[type[Lock]]

    def __init__(self) -> None:
        self.ident: int | None = None
        self._done = self.lock_type()

    @classmethod
    def of_ident(cls, ident: int) -> ThreadHandle:
        """The handle of a thread that runs already."""
        handle = cls()
        handle.begin(ident)
        return handle

    def begin(self, ident: int) -> None:
        """The thread `ident` runs from now on."""
        self.ident = ident
        self._done.acquire()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the thread, at most `timeout` seconds."""
        if self.ident is None:
            raise RuntimeError("thread not started")
        if self.ident == self._done.libc.current.pid and not self.is_done():
            raise RuntimeError("Cannot join current thread")
        forever = timeout is None or timeout < 0
        if self._done.acquire(True, -1 if forever or timeout is None else timeout):
            self._done.release()

    def is_done(self) -> bool:
        """Whether the thread has ended."""
        return self.ident is not None and not self._done.locked()

    def _set_done(self) -> None:
        if self._done.locked():
            self._done.release()


class Threads:
    """The threads of one program."""

    def __init__(
        self, interpreter: Interpreter, handle_type: type[ThreadHandle], local_type: type[Local]
    ) -> None:
        self._interpreter = interpreter
        self._libc = interpreter.libc
        self._handle_type = handle_type
        self._local_type = local_type
        self._joinable: dict[ThreadHandle, None] = {}
        self._sentinels: dict[int, Lock] = {}
        self.started: dict[int, Task] = {}
        self.main_ident = interpreter.libc.current.pid

    def start_new_thread(
        self,
        function: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        /,
    ) -> int:
        """Start a thread; returns its identifier."""
        if not callable(function):
            raise TypeError("first arg must be callable")
        if not isinstance(args, tuple):
            raise TypeError("2nd arg must be a tuple")
        if kwargs is not None and not isinstance(kwargs, dict):
            raise TypeError("optional 3rd arg must be a dictionary")
        return self._spawn(lambda: function(*args, **kwargs or {}), function).pid

    def start_joinable_thread(
        self,
        function: Callable[[], object],
        *,
        handle: ThreadHandle | None = None,
        daemon: bool = True,
    ) -> ThreadHandle:
        """Start a thread on which `join_all` waits unless it is a daemon (3.13)."""
        handle = self._handle_type() if handle is None else handle
        if handle.ident is not None:
            raise RuntimeError("thread already started")
        handle.begin(self._spawn(function, function, handle).pid)
        if not daemon:
            self._joinable[handle] = None
        return handle

    def _spawn(
        self, call: Callable[[], object], function: object, handle: ThreadHandle | None = None
    ) -> Task:
        def run() -> None:
            try:
                self._call(call, function)
            finally:
                self._ended(task, handle)

        name = f"{self._interpreter.process.name}/{len(self.started) + 1}"
        task = self._interpreter.process.spawn(run, name)
        self.started[task.pid] = task
        return task

    def _call(self, call: Callable[[], object], function: object) -> None:
        try:
            call()
        except (SystemExit, GreenletExit):
            pass
        except (KernelBug, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._interpreter.write_unraisable(
                f"Exception ignored in thread started by: {function!r}", error
            )

    def _ended(self, task: Task, handle: ThreadHandle | None) -> None:
        del self.started[task.pid]
        self._local_type.forget(task.pid)
        sentinel = self._sentinels.pop(task.pid, None)
        if sentinel is not None and sentinel.locked():
            sentinel.release()
        if handle is not None:
            self._joinable.pop(handle, None)
            handle._set_done()

    def set_sentinel(self) -> Lock:
        """A lock that is released when the current thread ends (until 3.12)."""
        lock = self._handle_type.lock_type()
        self._sentinels[self._libc.current.pid] = lock
        return lock

    def join_all(self) -> None:
        """Wait for all threads that are no daemons (3.13). CPython: thread_shutdown."""
        me = self._libc.current.pid
        while waiting := [handle for handle in self._joinable if handle.ident != me]:
            waiting[0].join()

    def excepthook(self, args: Any) -> None:
        """threading.excepthook. CPython: thread_excepthook."""
        if args.exc_type is SystemExit:
            return
        stderr = self._interpreter.sys.stderr
        if stderr is None and args.thread is not None:
            stderr = args.thread._stderr
        if stderr is None:
            return
        name = self._libc.current.pid if args.thread is None else args.thread.name
        value = args.exc_type() if args.exc_value is None else args.exc_value
        text = frames.format_exception(args.exc_type, value, args.exc_traceback)
        stderr.write(f"Exception in thread {name}:\n{text}")
        stderr.flush()
