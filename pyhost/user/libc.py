"""The C library of an emulated process: Python values in, system calls out.

A program's data lies in Python objects, which the kernel cannot see. `Libc` copies it once into the
process's user memory, makes the system call with plain ints as the Linux x86-64 ABI has them, and
turns a negative result into OSError. The copy stands for "the data already lies in user memory":
what the kernel does with it from there is the kernel's business.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from greenlet import GreenletExit, getcurrent

from pyhost.kernel.sched import TASK_DEAD, TaskKilled
from pyhost.uapi.errno import EBADF, EINTR, ENOMEM
from pyhost.user.abi import FD_BASE, TIMESPEC, pack_timespec

if TYPE_CHECKING:
    from pyhost.kernel.process import Process
    from pyhost.kernel.sched import Task

__all__ = ["MAX_BLOCK", "Libc", "os_error"]

MAX_BLOCK = 1 << 20
"""The largest scratch block: a longer write is made in several calls, a longer read brings less
than was asked for.
"""

_PAGE = 4096


def os_error(errno: int) -> OSError:
    """The OSError (of the right subclass) that CPython raises for `errno`."""
    return OSError(errno, os.strerror(errno))


class Libc:
    """System calls of one process, and the scratch blocks in its user memory through which they
    pass data.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.kernel = process.kernel
        self.sched = process.kernel.sched
        self.mm = process.mm
        self._syscall: Callable[..., int] = process.kernel.syscall
        self._free: dict[int, list[int]] = {}
        self._unreferenced: list[int] = []

    # -- entering the kernel -----------------------------------------------------------------------

    def call(self, name: str, *args: int) -> int:
        """One system call; raises OSError. EINTR is retried (PEP 475: no handler of ours ever
        interrupts).
        """
        result = self.raw(name, *args)
        if result < 0:
            raise os_error(-result)
        return result

    def raw(self, name: str, *args: int) -> int:
        """One system call; a negative errno on failure."""
        if self._unreferenced:
            self._close_unreferenced()
        try:
            result = self._syscall(name, *args)
            while result == -EINTR:
                result = self._syscall(name, *args)
        except TaskKilled:
            self.vanish()
        return result

    def sleeping(self, wait: Callable[..., Any], *args: Any) -> Any:
        """Run `wait(*args)`, which sleeps on a wait queue without being a system call (futex,
        vDSO).
        """
        if self._unreferenced:
            self._close_unreferenced()
        try:
            return wait(*args)
        except TaskKilled:
            self.vanish()

    def now(self) -> int:
        """CLOCK_REALTIME in ns. A program that polls the time lets it pass."""
        self.sleeping(self.sched.account_syscall)
        return self.kernel.clock.now

    def vanish(self) -> NoReturn:
        """End the current task where it stands, without running another line of the program. Linux:
        do_exit.

        The kernel's frames have unwound, the program's must not: no `finally` of a killed thread
        runs in CPython either. The stack is kept for ever, because a greenlet that is freed would
        be unwound.
        """
        import ctypes

        task = self.current
        task.state = TASK_DEAD
        self.sched.task_exited(task)
        here = getcurrent()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(here))
        while True:
            assert here.parent is not None
            here.parent.switch()

    @property
    def current(self) -> Task:
        """The task that runs now."""
        task = self.sched.current
        if task is None:
            raise GreenletExit("the program runs outside its tasks")
        return task

    def exit_group(self, code: int) -> NoReturn:
        """End the whole process from the current task. Linux: exit_group(2)."""
        self.sleeping(self.process.exit, code)
        self.vanish()

    # -- scratch memory ----------------------------------------------------------------------------

    def alloc(self, size: int) -> int:
        """User address of a block of at least `size` bytes, to be given back with `free(addr,
        size)`.
        """
        block = _block_size(size)
        kept = self._free.get(block)
        return kept.pop() if kept else self.map(block)

    def free(self, addr: int, size: int) -> None:
        """Give a block of `alloc` back."""
        self._free.setdefault(_block_size(size), []).append(addr)

    def map(self, length: int) -> int:
        """A mapping of its own: anonymous, private, read and write. Linux: mmap(2)."""
        try:
            return self.mm.mmap(length)
        except MemoryError:
            raise os_error(ENOMEM) from None

    # -- calls that most modules need --------------------------------------------------------------

    def write(self, name: str, fd: int, data: memoryview, *args: int) -> int:
        """A call of the form (fd, buf, count, ...) that takes data from the program: write, send,
        sendto.
        """
        if data.nbytes <= MAX_BLOCK:
            return self._write_block(name, fd, data, args)
        done = 0
        while done < data.nbytes:
            block = data[done : done + MAX_BLOCK]
            try:
                taken = self._write_block(name, fd, block, args)
            except OSError:
                if not done:
                    raise
                break
            done += taken
            if taken < block.nbytes:
                break
        return done

    def _write_block(self, name: str, fd: int, data: memoryview, args: tuple[int, ...]) -> int:
        count = data.nbytes
        addr = self.alloc(count)
        try:
            self.mm.write(addr, data)
            return self.call(name, fd, addr, count, *args)
        finally:
            self.free(addr, count)

    def read(self, name: str, fd: int, count: int, *args: int) -> bytes:
        """A call of the form (fd, buf, count, ...) that brings data to the program: read, recv,
        pread64.
        """
        return self.read_counted(name, fd, count, *args)[0]

    def read_counted(self, name: str, fd: int, count: int, *args: int) -> tuple[bytes, int]:
        """As `read`: the data, and the result of the call."""
        count = min(count, MAX_BLOCK)
        addr = self.alloc(count)
        try:
            got = self.call(name, fd, addr, count, *args)
            # A datagram with MSG_TRUNC reports more than was copied.
            return self.mm.read(addr, min(got, count)), got
        finally:
            self.free(addr, count)

    def get_struct(self, name: str, size: int, *args: int) -> bytes:
        """A call whose last argument is a structure of `size` bytes that the kernel fills: fstat,
        clock_gettime.
        """
        addr = self.alloc(size)
        try:
            self.call(name, *args, addr)
            return self.mm.read(addr, size)
        finally:
            self.free(addr, size)

    def nanosleep(self, ns: int) -> None:
        """Linux: nanosleep(2)."""
        addr = self.alloc(TIMESPEC.size)
        try:
            self.mm.write(addr, pack_timespec(ns))
            self.call("nanosleep", addr, 0)
        finally:
            self.free(addr, TIMESPEC.size)

    def close_later(self, fd: int) -> None:
        """Close `fd` at the next system call: for finalizers, which may run in the middle of the
        kernel.
        """
        if fd >= FD_BASE:
            self._unreferenced.append(fd)

    def _close_unreferenced(self) -> None:
        while self._unreferenced:
            fd = self._unreferenced.pop()
            if self.process.exit_code is None and self._syscall("close", fd) == -EBADF:
                self.kernel.warn(f"{self.process}: fd {fd} was closed behind its object's back")


def _block_size(size: int) -> int:
    return _PAGE if size <= _PAGE else 1 << (size - 1).bit_length()
