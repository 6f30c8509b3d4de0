"""Interrupts, softirqs, tasklets, timers, and the order among them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.softirq import NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, Tasklet
from pyhost.kernel.timer import Timer


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def kernel(clock: VirtualClock) -> Kernel:
    return Kernel(clock)


def test_hardirq_then_softirq_then_task(kernel: Kernel, clock: VirtualClock) -> None:
    seen: list[str] = []
    irq = kernel.irq.alloc_irq()

    def handler(_irq: int) -> None:
        seen.append("irq")
        assert not kernel.softirq.in_softirq()
        kernel.softirq.raise_softirq(NET_RX_SOFTIRQ)
        kernel.softirq.raise_softirq(NET_TX_SOFTIRQ)

    def net_rx() -> None:
        seen.append("rx")
        assert kernel.softirq.in_softirq()

    kernel.irq.request_irq(irq, handler, "device")
    kernel.softirq.open_softirq(NET_RX_SOFTIRQ, net_rx)
    kernel.softirq.open_softirq(NET_TX_SOFTIRQ, lambda: seen.append("tx"))
    kernel.sched.spawn(lambda: seen.append("task"), "task")
    kernel.irq.raise_irq(irq)
    clock.run()
    assert seen == ["irq", "tx", "rx", "task"]
    assert kernel.irq.counts[irq] == 1


def test_an_interrupt_that_nobody_handles_is_logged(kernel: Kernel, clock: VirtualClock) -> None:
    kernel.irq.raise_irq(77)
    clock.run()
    assert [record.text for record in kernel.log.records] == ["irq 77: nobody cared"]


def test_softirqs_wait_until_bottom_halves_are_enabled(kernel: Kernel, clock: VirtualClock) -> None:
    seen: list[str] = []
    kernel.softirq.open_softirq(NET_RX_SOFTIRQ, lambda: seen.append("rx"))

    def task() -> None:
        kernel.softirq.local_bh_disable()
        kernel.softirq.local_bh_disable()
        kernel.softirq.raise_softirq(NET_RX_SOFTIRQ)
        kernel.softirq.local_bh_enable()
        seen.append("still disabled")
        kernel.softirq.local_bh_enable()
        seen.append("enabled")

    kernel.sched.spawn(task, "task")
    clock.run()
    assert seen == ["still disabled", "rx", "enabled"]


def test_enabling_too_often_is_a_bug(kernel: Kernel) -> None:
    with pytest.raises(KernelBug, match="local_bh_enable"):
        kernel.softirq.local_bh_enable()


def test_a_softirq_that_raises_itself_runs_again(kernel: Kernel, clock: VirtualClock) -> None:
    seen: list[int] = []

    def again() -> None:
        seen.append(len(seen))
        if len(seen) < 3:
            kernel.softirq.raise_softirq(NET_RX_SOFTIRQ)

    kernel.softirq.open_softirq(NET_RX_SOFTIRQ, again)
    kernel.softirq.raise_softirq(NET_RX_SOFTIRQ)
    clock.run()
    assert seen == [0, 1, 2]


def test_a_tasklet_runs_once_for_any_number_of_schedules(
    kernel: Kernel, clock: VirtualClock
) -> None:
    seen: list[int] = []
    tasklet = Tasklet(kernel.softirq, lambda: seen.append(1))
    tasklet.schedule()
    tasklet.schedule()
    clock.run()
    assert seen == [1]
    tasklet.schedule()
    clock.run()
    assert seen == [1, 1]


class TestTimer:
    def test_it_runs_in_softirq_at_its_time(self, kernel: Kernel, clock: VirtualClock) -> None:
        seen: list[tuple[int, bool]] = []
        timer = Timer(kernel, lambda: seen.append((clock.now, kernel.softirq.in_softirq())))
        timer.mod(1000)
        assert timer.pending
        clock.run()
        assert seen == [(1000, True)]
        assert not timer.pending

    @pytest.mark.parametrize("moves", [[500, 1000], [1000, 500], [500, 1000, 700], [10, 20, 5]])
    def test_only_the_last_time_counts(
        self, kernel: Kernel, clock: VirtualClock, moves: list[int]
    ) -> None:
        seen: list[int] = []
        timer = Timer(kernel, lambda: seen.append(clock.now))
        for when in moves:
            timer.mod(when)
        clock.run()
        assert seen == [moves[-1]]

    def test_delete_says_whether_it_was_pending(self, kernel: Kernel, clock: VirtualClock) -> None:
        timer = Timer(kernel, lambda: pytest.fail("it was deleted"))
        assert not timer.delete()
        timer.mod(100)
        assert timer.delete()
        assert not timer.delete()
        assert kernel.timers.active == 0
        clock.run()

    def test_a_timer_may_set_itself_again(self, kernel: Kernel, clock: VirtualClock) -> None:
        seen: list[int] = []

        def tick() -> None:
            seen.append(clock.now)
            if len(seen) < 4:
                timer.mod(clock.now + 10)

        timer = Timer(kernel, tick)
        timer.mod(10)
        clock.run()
        assert seen == [10, 20, 30, 40]

    def test_one_deleted_by_another_at_the_same_time_does_not_run(
        self, kernel: Kernel, clock: VirtualClock
    ) -> None:
        second = Timer(kernel, lambda: pytest.fail("it was deleted"))
        first = Timer(kernel, lambda: second.delete() and None)
        first.mod(10)
        second.mod(10)
        clock.run()

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2), st.integers(0, 60)), max_size=20)
    )
    def test_against_a_model(self, actions: list[tuple[int, int, int]]) -> None:
        """Any sequence of mod and delete at any time: the timer runs when the model says."""
        clock = VirtualClock()
        kernel = Kernel(clock)
        seen: list[int] = []
        timer = Timer(kernel, lambda: seen.append(clock.now))
        expected: list[int] = []
        due: int | None = None
        actions = sorted(actions, key=lambda action: action[0])
        for when, kind, delay in actions:
            clock.run(until=when)
            if due is not None and due <= when:
                expected.append(due)
                due = None
            if kind == 2:
                timer.delete()
                due = None
            else:
                timer.mod(when + delay + 1)
                due = when + delay + 1
        clock.run()
        if due is not None:
            expected.append(due)
        assert seen == expected
        assert kernel.timers.active == 0


def test_events_at_one_time_run_in_the_order_they_were_asked_for(clock: VirtualClock) -> None:
    seen: list[int] = []
    for number in range(5):
        clock.call_at(100, lambda number=number: seen.append(number))
    clock.call_at(50, lambda: clock.call_at(10, lambda: seen.append(-1)) and None)
    clock.run()
    assert seen == [-1, 0, 1, 2, 3, 4], "a time in the past means now"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=300))
def test_cancelled_events_never_run_and_the_others_all_do(events: list[tuple[int, bool]]) -> None:
    clock = VirtualClock()
    seen: list[int] = []
    made = [
        (when, keep, clock.call_at(when, lambda when=when: seen.append(when)))
        for when, keep in events
    ]
    for _, keep, event in made:
        if not keep:
            event.cancel()
            event.cancel()
    clock.run()
    assert seen == sorted(when for when, keep in events if keep)
