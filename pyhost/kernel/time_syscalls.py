"""System calls about time and the process itself.

Linux: kernel/time/posix-timers.c, kernel/sys.c, kernel/exit.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pyhost.fs.read_write import user_mm
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.kernel.sched import TaskKilled
from pyhost.uapi.errno import EFAULT, EINVAL
from pyhost.uapi.stat import TIMESPEC

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task

__all__ = ["sys_clock_gettime", "sys_exit", "sys_getpid", "sys_nanosleep"]

CLOCK_BOOTTIME = 7
CLOCK_THREAD_CPUTIME_ID = 3
CLOCK_PROCESS_CPUTIME_ID = 2
CPU_CLOCKS = (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID)


def sys_nanosleep(task: Task, rqtp: int, _rmtp: int) -> int:
    """nanosleep(2); nothing interrupts it, so the remaining time is never stored.

    Linux: hrtimer_nanosleep.
    """
    raw = user_mm(task).get_user(rqtp, TIMESPEC.size)
    if raw is None:
        return -EFAULT
    seconds, nanoseconds = TIMESPEC.unpack(raw)
    if seconds < 0 or not 0 <= nanoseconds < NSEC_PER_SEC:
        return -EINVAL
    clock = task.sched.kernel.clock
    expires = clock.now + seconds * NSEC_PER_SEC + nanoseconds
    task.sched.schedule_timeout(expires - clock.now)
    while clock.now < expires:
        task.sched.schedule_timeout(expires - clock.now)
    return 0


def sys_clock_gettime(task: Task, clockid: int, tp: int) -> int:
    """clock_gettime(2):

    All clocks show the time since the start of the simulation; -EINVAL for the CPU clocks. Linux:
    sys_clock_gettime.
    """
    if not 0 <= clockid <= CLOCK_BOOTTIME or clockid in CPU_CLOCKS:
        return -EINVAL
    now = TIMESPEC.pack(*divmod(task.sched.kernel.clock.now, NSEC_PER_SEC))
    return 0 if user_mm(task).put_user(tp, now) else -EFAULT


def sys_getpid(task: Task) -> int:
    """getpid(2). Linux: sys_getpid."""
    assert task.process is not None, "a system call outside a process"
    return task.process.pid


def sys_exit(task: Task, code: int) -> NoReturn:
    """exit_group(2): end the whole process, then unwind the current task. Linux: do_group_exit."""
    assert task.process is not None, "a system call outside a process"
    task.process.exit(code & 0xFF)
    raise TaskKilled
