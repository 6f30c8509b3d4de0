"""One machine. Linux: init/main.c, and all that Linux keeps in global variables."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import Clock
from pyhost.kernel.irq import IrqController
from pyhost.kernel.printk import KERN_INFO, KERN_WARNING, PrintkLog
from pyhost.kernel.process import Process
from pyhost.kernel.sched import Scheduler
from pyhost.kernel.softirq import Softirq
from pyhost.kernel.sysctl import SysctlTable
from pyhost.kernel.timer import TimerBase
from pyhost.kernel.trace import Tracer
from pyhost.kernel.workqueue import Workqueue
from pyhost.mm.memory import Memory
from pyhost.mm.mlock import UserStruct
from pyhost.uapi.errno import ENOSYS

if TYPE_CHECKING:
    from pyhost.fs.ramfs import RamFs
    from pyhost.net.net_namespace import Net

__all__ = ["Kernel"]


class Kernel:
    """A machine: one CPU, its RAM, and the state that Linux keeps in global variables.

    `pyhost.boot.boot` makes one with file systems and network; on its own it runs tasks, timers and
    interrupts.
    """

    net: Net
    rootfs: RamFs

    def __init__(
        self,
        clock: Clock,
        *,
        name: str = "host",
        number: int = 0,
        seed: int = 0,
        ram_bytes: int = 64 << 20,
    ) -> None:
        self.clock = clock
        self.name = name
        self.number = number
        self.random = random.Random(f"{seed}/{name}")
        self.log = PrintkLog(clock)
        self.trace = Tracer(clock)
        self.sysctl = SysctlTable()
        self.sched = Scheduler(self)
        self.irq = IrqController(self)
        self.softirq = Softirq(self)
        self.timers = TimerBase(self)
        self.system_wq = Workqueue(self)
        self.mem = Memory(ram_bytes)
        self.user = UserStruct()
        self.syscalls: dict[str, Callable[..., int]] = {}
        self.processes: dict[int, Process] = {}
        self.warnings = 0
        self.oops: KernelBug | None = None

    def __repr__(self) -> str:
        return f"<Kernel {self.name}>"

    def printk(self, text: str, level: int = KERN_INFO) -> None:
        """Add a line to the kernel log."""
        self.log.printk(text, level)

    def warn(self, text: str) -> None:
        """WARN(): something is wrong, but the machine goes on; counted, and shown at the end of a
        run.
        """
        self.warnings += 1
        self.printk(f"WARNING: {text}", KERN_WARNING)

    def syscall(self, name: str, *args: int) -> int:
        """Enter the kernel from the current task: a result, or a negative errno.

        Linux: do_syscall_64. What goes wrong inside is the kernel's fault and not the program's:
        it is kept in `oops`, because a program may catch whatever passes through it.
        """
        task = self.sched.current
        function = self.syscalls.get(name)
        if function is None or task is None:
            return -ENOSYS
        if self.trace.on:
            self.trace.hit("sys_enter", 0, name=name, args=args)
        try:
            result = function(task, *args)
        except KernelBug as bug:
            self.oops = self.oops or bug
            raise
        except Exception as error:
            self.oops = KernelBug(f"Oops in sys_{name}: {type(error).__name__}: {error}")
            raise self.oops from error
        self.sched.account_syscall()
        return result
