"""Processes: what the threads of one program share. Linux: kernel/fork.c, kernel/exit.c
(signal_struct, thread group).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.sched import Task
from pyhost.kernel.wait import WaitQueueHead

if TYPE_CHECKING:
    from pyhost.fs.file import FilesStruct
    from pyhost.kernel.kernel import Kernel
    from pyhost.mm.mmap import MmStruct

__all__ = ["SIGPIPE", "Process"]

SIGPIPE = 13


class Process:
    """A program that runs: its memory, its open files, its threads.

    `signals` lists the signals that were sent to it. Python ignores SIGPIPE, and so does every
    process here: the signal is noted, and the system call still ends with EPIPE.
    """

    def __init__(self, kernel: Kernel, name: str, mm: MmStruct, files: FilesStruct) -> None:
        self.kernel = kernel
        self.name = name
        self.pid = kernel.sched.next_pid()
        self.mm = mm
        self.files = files
        self.signals: list[int] = []
        self.tasks: list[Task] = []
        self.exit_code: int | None = None
        self.wait_exit = WaitQueueHead(kernel)
        kernel.processes[self.pid] = self

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self.name}>"

    def spawn(self, fn: Callable[[], object], name: str) -> Task:
        """Make a thread of this process. Linux: clone(CLONE_THREAD)."""
        task = self.kernel.sched.spawn(fn, name, self)
        self.tasks.append(task)
        return task

    def send_sig(self, sig: int) -> None:
        """Linux: send_sig."""
        self.signals.append(sig)

    def exit(self, code: int) -> None:
        """End the process: its other threads are killed, its files closed, its memory given back.
        Linux: do_group_exit.

        Runs in one of its tasks, which may sleep in a close.
        """
        if self.exit_code is not None:
            return
        sched = self.kernel.sched
        for task in tuple(self.tasks):
            if task is not sched.current:
                sched.kill(task)
        while len(self.tasks) > 1:
            sched.cond_resched()
        self.files.close_all()
        self.mm.release()
        self.exit_code = code
        self.wait_exit.wake_up_all()

    def task_exited(self, task: Task) -> None:
        """A thread has ended."""
        self.tasks.remove(task)
