"""Work that may sleep."""

from __future__ import annotations

import pytest

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.workqueue import WorkStruct, cancel_work_sync, flush_work, schedule_work


@pytest.fixture
def kernel() -> Kernel:
    return Kernel(VirtualClock())


def run(kernel: Kernel) -> None:
    kernel.clock.run()  # type: ignore[attr-defined]


def sleeper(kernel: Kernel, log: list[str], name: str) -> WorkStruct:
    """Work that takes 1000 ns."""

    def work() -> None:
        log.append(f"{name} begins")
        kernel.sched.schedule_timeout(1000)
        log.append(f"{name} ends")

    return WorkStruct(kernel, work)


def test_work_asked_for_in_softirq_runs_in_a_task_and_may_sleep(kernel: Kernel) -> None:
    log: list[str] = []
    work = sleeper(kernel, log, "work")
    kernel.softirq.local_bh_disable()
    assert schedule_work(work)
    assert not schedule_work(work)
    kernel.softirq.local_bh_enable()
    assert log == []
    run(kernel)
    assert log == ["work begins", "work ends"]
    assert kernel.clock.now == 1000


def test_work_is_done_one_after_the_other(kernel: Kernel) -> None:
    log: list[str] = []
    for name in ("a", "b"):
        schedule_work(sleeper(kernel, log, name))
    run(kernel)
    assert log == ["a begins", "a ends", "b begins", "b ends"]


def test_work_can_ask_for_itself_again(kernel: Kernel) -> None:
    runs: list[int] = []

    def again() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            schedule_work(work)

    work = WorkStruct(kernel, again)
    schedule_work(work)
    run(kernel)
    assert runs == [0, 1, 2]


def test_an_idle_machine_has_no_worker(kernel: Kernel) -> None:
    schedule_work(sleeper(kernel, [], "work"))
    run(kernel)
    assert kernel.sched.tasks == {}
    log: list[str] = []
    schedule_work(sleeper(kernel, log, "later"))
    run(kernel)
    assert log == ["later begins", "later ends"]


def test_cancel_takes_back_what_has_not_begun(kernel: Kernel) -> None:
    log: list[str] = []
    first, second = sleeper(kernel, log, "first"), sleeper(kernel, log, "second")
    schedule_work(first)
    schedule_work(second)
    kernel.sched.spawn(lambda: cancel_work_sync(second), "test")
    run(kernel)
    assert log == ["first begins", "first ends"]
    assert schedule_work(second)
    run(kernel)
    assert log[2:] == ["second begins", "second ends"]


@pytest.mark.parametrize("wait", [cancel_work_sync, flush_work])
def test_what_has_begun_is_waited_for(kernel: Kernel, wait: object) -> None:
    log: list[str] = []
    work = sleeper(kernel, log, "work")

    def waiter() -> None:
        kernel.sched.schedule_timeout(500)
        wait(work)  # type: ignore[operator]
        log.append("waited")

    schedule_work(work)
    kernel.sched.spawn(waiter, "test")
    run(kernel)
    assert log == ["work begins", "work ends", "waited"]


def test_flush_waits_for_work_that_has_not_begun(kernel: Kernel) -> None:
    log: list[str] = []
    work = sleeper(kernel, log, "work")
    schedule_work(sleeper(kernel, log, "before"))
    schedule_work(work)

    def waiter() -> None:
        flush_work(work)
        log.append("flushed")

    kernel.sched.spawn(waiter, "test")
    run(kernel)
    assert log[-2:] == ["work ends", "flushed"]


def test_work_that_waits_for_its_own_end_is_a_bug(kernel: Kernel) -> None:
    work = WorkStruct(kernel, lambda: flush_work(work))
    schedule_work(work)
    with pytest.raises(KernelBug, match="its own end"):
        run(kernel)
