"""Tasks, wake-ups, contexts, stalls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.sched import SPIN_LIMIT_NS, SYSCALL_NS, Task
from pyhost.kernel.wait import WaitQueueEntry, WaitQueueHead


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def kernel(clock: VirtualClock) -> Kernel:
    return Kernel(clock)


def test_tasks_run_in_the_order_they_were_made(kernel: Kernel, clock: VirtualClock) -> None:
    seen: list[int] = []
    for number in range(5):
        kernel.sched.spawn(lambda number=number: seen.append(number), f"task{number}")
    assert seen == [], "a task runs from an event, not inside spawn"
    clock.run()
    assert seen == [0, 1, 2, 3, 4]
    assert kernel.sched.tasks == {}


def test_cond_resched_lets_the_others_go_first(kernel: Kernel, clock: VirtualClock) -> None:
    seen: list[str] = []

    def task(name: str) -> None:
        for step in range(3):
            seen.append(f"{name}{step}")
            kernel.sched.cond_resched()

    kernel.sched.spawn(lambda: task("a"), "a")
    kernel.sched.spawn(lambda: task("b"), "b")
    clock.run()
    assert seen == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_schedule_timeout_returns_what_is_left(kernel: Kernel, clock: VirtualClock) -> None:
    left: list[int] = []

    def sleeper() -> None:
        left.append(kernel.sched.schedule_timeout(1000))
        left.append(kernel.sched.schedule_timeout(1000))
        left.append(clock.now)

    task = kernel.sched.spawn(sleeper, "sleeper")
    clock.call_at(1300, lambda: kernel.sched.wake_up_process(task) and None)
    clock.run()
    assert left == [0, 700, 1300]


def test_waking_a_task_that_does_not_sleep_does_nothing(
    kernel: Kernel, clock: VirtualClock
) -> None:
    task = kernel.sched.spawn(lambda: None, "task")
    assert not kernel.sched.wake_up_process(task)
    clock.run()
    assert not kernel.sched.wake_up_process(task), "not even when it is dead"


def test_a_task_that_never_blocks_lets_time_pass(kernel: Kernel, clock: VirtualClock) -> None:
    def spinner() -> None:
        for _ in range(3 * SPIN_LIMIT_NS // SYSCALL_NS):
            kernel.sched.account_syscall()

    kernel.sched.spawn(spinner, "spinner")
    clock.run()
    assert clock.now == 3 * SPIN_LIMIT_NS


def test_an_exception_in_a_task_ends_the_run(kernel: Kernel, clock: VirtualClock) -> None:
    def broken() -> None:
        raise ValueError("broken")

    kernel.sched.spawn(broken, "broken")
    with pytest.raises(ValueError, match="broken"):
        clock.run()


def test_a_killed_task_unwinds_where_it_sleeps(kernel: Kernel, clock: VirtualClock) -> None:
    seen: list[str] = []

    def sleeper() -> None:
        try:
            kernel.sched.schedule()
            seen.append("woke")
        finally:
            seen.append("unwound")

    task = kernel.sched.spawn(sleeper, "sleeper")
    clock.call_at(10, lambda: kernel.sched.kill(task))
    clock.run()
    assert seen == ["unwound"]
    assert kernel.sched.tasks == {}


class TestAtomicContext:
    @pytest.mark.parametrize("sleep", ["schedule", "cond_resched"])
    def test_no_sleep_with_bottom_halves_disabled(
        self, kernel: Kernel, clock: VirtualClock, sleep: str
    ) -> None:
        def task() -> None:
            kernel.softirq.local_bh_disable()
            getattr(kernel.sched, sleep)()

        kernel.sched.spawn(task, "atomic")
        with pytest.raises(KernelBug, match="atomic"):
            clock.run()

    def test_no_sleep_in_softirq(self, kernel: Kernel, clock: VirtualClock) -> None:
        kernel.softirq.open_softirq(5, kernel.sched.schedule)
        kernel.softirq.raise_softirq(5)
        with pytest.raises(KernelBug, match="scheduling while atomic: swapper/0x100"):
            clock.run()

    def test_no_sleep_in_an_interrupt(self, kernel: Kernel, clock: VirtualClock) -> None:
        irq = kernel.irq.alloc_irq()
        kernel.irq.request_irq(irq, lambda _irq: kernel.sched.schedule(), "device")
        kernel.irq.raise_irq(irq)
        with pytest.raises(KernelBug, match="scheduling while atomic: swapper/0x10000"):
            clock.run()

    def test_no_sleep_outside_a_task(self, kernel: Kernel) -> None:
        with pytest.raises(KernelBug):
            kernel.sched.schedule()
        with pytest.raises(KernelBug):
            kernel.sched.schedule_timeout(10)


class TestStall:
    def test_a_device_that_answers_at_once_costs_nothing(
        self, kernel: Kernel, clock: VirtualClock
    ) -> None:
        got: list[int] = []
        kernel.sched.spawn(lambda: got.append(kernel.sched.stall(lambda done: done(7))), "reader")
        clock.run()
        assert (got, clock.now) == ([7], 0)

    def test_the_whole_cpu_waits_for_a_slow_device(
        self, kernel: Kernel, clock: VirtualClock
    ) -> None:
        seen: list[tuple[str, int]] = []

        def reader() -> None:
            def start(done: Callable[[int], None]) -> None:
                clock.call_at(500, lambda: done(42))

            seen.append((f"read {kernel.sched.stall(start)}", clock.now))

        def handler(_irq: int) -> None:
            seen.append(("irq", clock.now))

        irq = kernel.irq.alloc_irq()
        kernel.irq.request_irq(irq, handler, "device")
        kernel.sched.spawn(reader, "reader")
        kernel.sched.spawn(lambda: seen.append(("other", clock.now)), "other")
        clock.call_at(100, lambda: kernel.irq.raise_irq(irq))
        clock.run()
        assert seen == [("read 42", 500), ("irq", 500), ("other", 500)]

    def test_an_interrupt_handler_may_read_a_slow_device(
        self, kernel: Kernel, clock: VirtualClock
    ) -> None:
        seen: list[int] = []

        def start(done: Callable[[int], None]) -> None:
            clock.call_at(clock.now + 100, lambda: done(clock.now))

        irq = kernel.irq.alloc_irq()
        kernel.irq.request_irq(irq, lambda _: seen.append(kernel.sched.stall(start)), "device")
        kernel.irq.raise_irq(irq)
        kernel.irq.raise_irq(irq)
        clock.run()
        assert seen == [100, 200]

    def test_a_late_answer_outside_the_cpu_is_a_bug(
        self, kernel: Kernel, clock: VirtualClock
    ) -> None:
        with pytest.raises(KernelBug, match="outside the CPU"):
            kernel.sched.stall(lambda done: clock.call_at(10, lambda: done(0)) and None)


class TestWaitQueue:
    def test_all_plain_waiters_and_one_exclusive_wake(
        self, kernel: Kernel, clock: VirtualClock
    ) -> None:
        wq = WaitQueueHead(kernel)
        woken: list[str] = []
        open_gate: list[int] = []

        def waiter(name: str, exclusive: bool) -> None:
            wq.wait_event(lambda: bool(open_gate), exclusive)
            woken.append(name)

        for name in ("x1", "x2"):
            kernel.sched.spawn(lambda name=name: waiter(name, True), name)
        for name in ("p1", "p2"):
            kernel.sched.spawn(lambda name=name: waiter(name, False), name)
        clock.run()
        open_gate.append(1)
        wq.wake_up()
        clock.run()
        assert sorted(woken) == ["p1", "p2", "x1"]
        wq.wake_up()
        clock.run()
        assert woken[-1] == "x2"
        assert not wq.active

    def test_a_wake_up_without_the_condition_sleeps_on(
        self, kernel: Kernel, clock: VirtualClock
    ) -> None:
        wq = WaitQueueHead(kernel)
        left: list[int] = []
        kernel.sched.spawn(
            lambda: left.append(wq.wait_event_timeout(lambda: False, 1000)), "waiter"
        )
        for when in (100, 200, 900):
            clock.call_at(when, wq.wake_up)
        clock.run()
        assert (left, clock.now) == ([0], 1000)

    def test_a_condition_that_is_true_does_not_sleep(self, kernel: Kernel) -> None:
        wq = WaitQueueHead(kernel)
        assert wq.wait_event_timeout(lambda: True, 500) == 500
        assert wq.wait_event_timeout(lambda: True, 0) == 1
        assert wq.wait_event_timeout(lambda: True, None) == 1

    def test_a_callback_that_refuses_does_not_use_up_the_wake_up(self, kernel: Kernel) -> None:
        wq = WaitQueueHead(kernel)
        seen: list[int] = []
        refusing = WaitQueueEntry(lambda key: bool(seen.append(key)), exclusive=True)
        taking = WaitQueueEntry(lambda key: seen.append(-key) is None, exclusive=True)
        never = WaitQueueEntry(lambda _key: pytest.fail("one was enough"), exclusive=True)
        for entry in (refusing, taking, never):
            wq.add(entry)
        wq.wake_up(1, 4)
        assert seen == [4, -4]
        wq.remove(never)
        wq.remove(never)


def test_a_killed_waiter_leaves_no_entry(kernel: Kernel, clock: VirtualClock) -> None:
    wq = WaitQueueHead(kernel)
    task: Task = kernel.sched.spawn(lambda: wq.wait_event(lambda: False), "waiter")
    clock.run()
    assert wq.active
    kernel.sched.kill(task)
    clock.run()
    assert not wq.active
