"""Mutexes, sysctls, processes, the log and the tracer."""

from __future__ import annotations

import pytest

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.lock import Mutex
from pyhost.kernel.sysctl import SysctlError, SysctlTable, one_of, whole_number, whole_numbers
from pyhost.kernel.trace import TraceEvent
from pyhost.uapi.errno import EFAULT, EINVAL, ENOSYS
from tests.unit.support import Program, make_kernel, run, run_in_process


class TestMutex:
    def test_first_come_first_served(self) -> None:
        kernel = Kernel(VirtualClock())
        mutex = Mutex(kernel)
        seen: list[str] = []

        def task(name: str) -> None:
            with mutex:
                seen.append(f"{name} in")
                kernel.sched.schedule_timeout(100)
                seen.append(f"{name} out")

        for name in "abc":
            kernel.sched.spawn(lambda name=name: task(name), name)
        run(kernel)
        assert seen == ["a in", "a out", "b in", "b out", "c in", "c out"]
        assert mutex.owner is None

    def test_a_killed_waiter_does_not_keep_the_lock(self) -> None:
        kernel = Kernel(VirtualClock())
        mutex = Mutex(kernel)
        seen: list[str] = []

        def holder() -> None:
            with mutex:
                kernel.sched.schedule_timeout(100)

        def waiter() -> None:
            with mutex:
                seen.append("locked")

        kernel.sched.spawn(holder, "holder")
        killed = kernel.sched.spawn(waiter, "killed")
        kernel.sched.spawn(waiter, "waiter")
        kernel.clock.call_at(50, lambda: kernel.sched.kill(killed))
        run(kernel)
        assert seen == ["locked"]
        assert mutex.owner is None

    def test_misuse_is_a_bug(self) -> None:
        kernel = Kernel(VirtualClock())
        mutex = Mutex(kernel)
        with pytest.raises(KernelBug, match="free mutex"):
            mutex.unlock()
        with pytest.raises(KernelBug, match="atomic"):
            mutex.lock()

        def twice() -> None:
            mutex.lock()
            mutex.lock()

        kernel.sched.spawn(twice, "twice")
        with pytest.raises(KernelBug, match="twice"):
            run(kernel)


class Settings:
    number = 5
    numbers = (1, 2)
    word = "cubic"


class TestSysctl:
    def table(self) -> tuple[SysctlTable, Settings]:
        table, owner = SysctlTable(), Settings()
        table.register("net.a.number", owner, "number", whole_number(1, 10))
        table.register("net.a.numbers", owner, "numbers", whole_numbers(2))
        table.register("net.a.word", owner, "word", one_of("cubic", "reno"))
        return table, owner

    def test_values_live_where_they_are_used(self) -> None:
        table, owner = self.table()
        table["net.a.number"] = "0x7"
        table["net/a/numbers"] = [8, 9]
        table["net.a.word"] = " reno\n"
        assert (owner.number, owner.numbers, owner.word) == (7, (8, 9), "reno")
        assert table["net.a.numbers"] == (8, 9)
        assert list(table) == ["net.a.number", "net.a.numbers", "net.a.word"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("net.a.number", "0"),
            ("net.a.number", "11"),
            ("net.a.number", "many"),
            ("net.a.numbers", "1"),
            ("net.a.numbers", "1 2 3"),
            ("net.a.word", "vegas"),
            ("net.b", "1"),
        ],
    )
    def test_a_bad_value_changes_nothing_and_names_the_setting(self, name: str, value: str) -> None:
        table, owner = self.table()
        with pytest.raises(SysctlError, match=name):
            table[name] = value
        assert (owner.number, owner.numbers, owner.word) == (5, (1, 2), "cubic")

    def test_a_setting_without_its_attribute_is_refused(self) -> None:
        table, owner = self.table()
        with pytest.raises(AttributeError):
            table.register("x", owner, "nothing", whole_number())


class TestProcess:
    def test_getpid_and_an_unknown_call(self) -> None:
        def program(p: Program) -> None:
            assert p("getpid") == p.process.pid
            assert p("no_such_call", 1, 2) == -ENOSYS

        run_in_process(make_kernel(), program)

    def test_a_call_outside_a_task_is_refused(self) -> None:
        assert make_kernel().syscall("getpid") == -ENOSYS

    def test_exit_ends_the_other_threads_where_they_sleep(self) -> None:
        kernel = make_kernel()
        program = Program(kernel)
        seen: list[str] = []

        def sleeper() -> None:
            try:
                program.read(0, 1)
            finally:
                seen.append("unwound")

        def main() -> None:
            program.pipe()
            program.spawn(sleeper)
            kernel.sched.schedule_timeout(100)
            program("exit", 300)
            seen.append("never")

        program.spawn(main)
        run(kernel)
        assert seen == ["unwound"]
        assert program.process.exit_code == 300 & 0xFF
        assert program.process.tasks == []
        assert kernel.mem.pages_in_use == 0

    def test_a_program_that_makes_calls_in_a_loop_sees_time_pass(self) -> None:
        kernel = make_kernel()

        def program(p: Program) -> int:
            calls = 0
            while not kernel.clock.now:
                p("getpid")
                calls += 1
            return calls

        assert run_in_process(kernel, program) == 100


class TestTimeCalls:
    def test_nanosleep_sleeps_that_long(self) -> None:
        kernel = make_kernel()

        def program(p: Program) -> None:
            request = p.store((2).to_bytes(8, "little") + (500).to_bytes(8, "little"))
            assert p("nanosleep", request, 0) == 0
            assert kernel.clock.now == 2_000_000_500
            addr = p.room(16)
            assert p("clock_gettime", 1, addr) == 0
            assert p.load(addr, 16) == p.load(request, 16)

        run_in_process(kernel, program)

    def test_errors(self) -> None:
        def program(p: Program) -> None:
            one_second_in_ns = (1_000_000_000).to_bytes(8, "little")
            assert p("nanosleep", 4096, 0) == -EFAULT
            assert p("nanosleep", p.store(bytes(8) + one_second_in_ns), 0) == -EINVAL
            assert p("nanosleep", p.store(b"\xff" * 8 + bytes(8)), 0) == -EINVAL
            assert p("clock_gettime", 99, p.room(16)) == -EINVAL
            assert p("clock_gettime", 0, 4096) == -EFAULT

        run_in_process(make_kernel(), program)


def test_warn_counts_and_logs() -> None:
    kernel = Kernel(VirtualClock())
    kernel.warn("odd")
    kernel.clock.call_at(1_500_000_000, lambda: kernel.printk("later"))
    run(kernel)
    assert kernel.warnings == 1
    assert [str(record) for record in kernel.log.records] == [
        "[    0.000000] WARNING: odd",
        "[    1.500000] later",
    ]


def test_the_tracer_is_off_while_nobody_listens() -> None:
    kernel = Kernel(VirtualClock())
    hits: list[TraceEvent] = []
    listener = hits.append
    assert not kernel.trace.on
    kernel.trace.register(listener)
    assert kernel.trace.on
    kernel.trace.hit("here", 7, length=3)
    kernel.trace.unregister(listener)
    assert not kernel.trace.on
    assert [(hit.name, hit.key, hit.fields) for hit in hits] == [("here", 7, {"length": 3})]


def test_everything_random_follows_from_the_seed_and_the_name() -> None:
    def draw(name: str, seed: int) -> float:
        return Kernel(VirtualClock(), name=name, seed=seed).random.random()

    assert draw("a", 1) == draw("a", 1)
    assert len({draw("a", 1), draw("b", 1), draw("a", 2)}) == 3
