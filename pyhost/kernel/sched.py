"""Tasks and the one CPU that runs them.

Linux: kernel/sched/core.c. A task is a greenlet, so blocking code keeps its stack. The CPU itself
is a greenlet too: code on it, in whatever context, can be stopped as a whole (`stall`) while the
world outside goes on, as a CPU stops in the middle of an uncached read until the device answers.

    pump (clock event) ─→ CPU greenlet ─→ hardirq → softirq → task greenlet
                    ↑ stall                                   │ schedule()
                    └─────────────────────────────────────────┘
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenlet import GreenletExit, greenlet

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import Event

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.kernel.process import Process

__all__ = ["TASK_DEAD", "TASK_RUNNING", "TASK_SLEEPING", "Scheduler", "Task", "TaskKilled"]

TASK_RUNNING = 0
TASK_SLEEPING = 1
TASK_DEAD = 0x80

SYSCALL_NS = 100
"""What one system call is charged when a task makes many without blocking (about a null syscall on
x86-64).
"""

SPIN_LIMIT_NS = 10_000
"""A task that has used this much CPU without blocking lets simulated time pass by as much."""


class TaskKilled(GreenletExit):
    """Raised in a task that was killed, where it slept, so that it unwinds. Linux: a fatal
    signal.
    """


class Task:
    """A process's thread or a kernel thread. Linux: struct task_struct."""

    __slots__ = ("_glet", "killed", "name", "pid", "process", "sched", "spin_ns", "state")

    def __init__(
        self, sched: Scheduler, fn: Callable[[], object], name: str, process: Process | None
    ) -> None:
        self.sched = sched
        self.name = name
        self.pid = sched.next_pid()
        self.process = process
        self.state = TASK_RUNNING
        self.spin_ns = 0
        self.killed = False
        self._glet = greenlet(lambda: self._main(fn))

    def __repr__(self) -> str:
        return f"<Task {self.pid} {self.name}>"

    def _main(self, fn: Callable[[], object]) -> None:
        try:
            fn()
        finally:
            self.state = TASK_DEAD
            self.sched.task_exited(self)


class Scheduler:
    """The CPU: run queue, interrupt contexts, stalls."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.current: Task | None = None
        self.preempt_count = 0
        self.tasks: dict[int, Task] = {}
        self._pids = 0
        self._run_queue: deque[Task] = deque()
        self._cpu: greenlet | None = None
        self._stalled_in: greenlet | None = None
        self._running = False
        self._kicked: Event | None = None

    # -- tasks -------------------------------------------------------------------------------------

    def next_pid(self) -> int:
        """A new process id. Linux: alloc_pid."""
        self._pids += 1
        return self._pids

    def spawn(self, fn: Callable[[], object], name: str, process: Process | None = None) -> Task:
        """Make a task that runs `fn` and put it on the run queue. Linux: kthread_run,
        kernel_clone.
        """
        task = Task(self, fn, name, process)
        self.tasks[task.pid] = task
        self._run_queue.append(task)
        self.kick()
        return task

    def task_exited(self, task: Task) -> None:
        """The last act of a task. Linux: do_exit."""
        del self.tasks[task.pid]
        if task.process is not None:
            task.process.task_exited(task)

    def wake_up_process(self, task: Task) -> bool:
        """Make a sleeping task runnable; False when it was not sleeping. Linux:
        kernel/sched/core.c.
        """
        if task.state != TASK_SLEEPING:
            return False
        task.state = TASK_RUNNING
        self._run_queue.append(task)
        if not self._running:
            self.kick()
        return True

    def schedule(self) -> None:
        """Give the CPU away until somebody wakes the current task. Linux: __schedule.

        Raises KernelBug in atomic context (hardirq, softirq, BH disabled, no task).
        """
        task = self.current
        if task is None or self.preempt_count:
            name = task.name if task else "swapper"
            raise KernelBug(f"scheduling while atomic: {name}/{self.preempt_count:#x}")
        task.state = TASK_SLEEPING
        task.spin_ns = 0
        assert self._cpu is not None
        self._cpu.switch()
        if task.killed:
            raise TaskKilled

    def schedule_timeout(self, timeout: int | None) -> int:
        """`schedule()` for at most `timeout` ns (None: for ever); returns the ns that were left, 0
        when it ran out.
        """
        if timeout is None:
            self.schedule()
            return 1
        task = self.current
        if task is None:
            raise KernelBug("schedule_timeout outside a task")
        clock = self.kernel.clock
        expires = clock.now + timeout
        event = clock.call_at(expires, lambda: self._wake_sleeper(task))
        try:
            self.schedule()
        finally:
            event.cancel()
        return max(0, expires - clock.now)

    def _wake_sleeper(self, task: Task) -> None:
        self.wake_up_process(task)

    def kill(self, task: Task) -> None:
        """Make `task` unwind at its next sleep, or now when it sleeps. Linux: send_sig(SIGKILL)."""
        task.killed = True
        self.wake_up_process(task)

    def cond_resched(self) -> None:
        """Let other runnable tasks go first. Linux: cond_resched, sched_yield."""
        task = self.current
        if task is None or self.preempt_count:
            raise KernelBug("cond_resched in atomic context")
        assert self._cpu is not None
        self._run_queue.append(task)
        self._cpu.switch()

    def account_syscall(self) -> None:
        """Charge the current task for one system call, and let time pass when it never blocks.

        Python code takes no simulated time, so a program that polls in a loop would stop the world.
        Charging it lets time go on.
        """
        task = self.current
        if task is None:
            return
        task.spin_ns += SYSCALL_NS
        if task.spin_ns >= SPIN_LIMIT_NS:
            self.schedule_timeout(task.spin_ns)

    # -- the CPU -----------------------------------------------------------------------------------

    def kick(self) -> None:
        """Have the CPU run at the present time, after what is already under way."""
        if self._kicked is None and not self._running and self._stalled_in is None:
            self._kicked = self.kernel.clock.call_soon(self._run_kicked)

    def _run_kicked(self) -> None:
        self._kicked = None
        self.run()

    def run(self) -> None:
        """Run interrupts, softirqs and tasks until nothing is runnable or the CPU stalls. Called
        from clock and device events.
        """
        if self._running or self._stalled_in is not None:
            return
        if self._cpu is None or self._cpu.dead:
            self._cpu = greenlet(self._cpu_loop)
        self._enter(self._cpu, 0)

    def _enter(self, where: greenlet, value: int) -> None:
        """Switch from the pump into the CPU; comes back when it idles or stalls."""
        assert self._cpu is not None
        self._cpu.parent = greenlet.getcurrent()
        self._running = True
        try:
            where.switch(value)
        finally:
            self._running = False

    def _cpu_loop(self, _: int) -> None:
        irq = self.kernel.irq
        softirq = self.kernel.softirq
        queue = self._run_queue
        while True:
            if irq.pending:
                irq.do_irq()
            if softirq.pending:
                softirq.do_softirq()
            if queue:
                self._run_task(queue.popleft())
            elif not irq.pending and not softirq.pending:
                self._leave()

    def _leave(self) -> int:
        """Switch from the CPU to the pump; returns what the pump brings on the way back."""
        assert self._cpu is not None
        assert self._cpu.parent is not None
        return int(self._cpu.parent.switch())

    def _run_task(self, task: Task) -> None:
        glet = task._glet
        assert self._cpu is not None
        glet.parent = self._cpu
        self.current = task
        try:
            glet.switch()
        finally:
            self.current = None

    def stall(self, start: Callable[[Callable[[int], None]], None]) -> int:
        """Stop this CPU until the device answers.

        `start(done)` begins the access; the CPU goes on when `done(value)` is called, with `value`
        as the result. A device that answers inside `start` costs no switch. Interrupts stay pending
        meanwhile, tasks do not run.
        """
        answer: list[int] = []
        stalled: list[greenlet] = []

        def done(value: int) -> None:
            if stalled:
                self._stalled_in = None
                self._enter(stalled[0], value)
            else:
                answer.append(value)

        start(done)
        if answer:
            return answer[0]
        if not self._running:
            raise KernelBug("a device that answers late was read outside the CPU")
        here = greenlet.getcurrent()
        stalled.append(here)
        self._stalled_in = here
        return self._leave()
