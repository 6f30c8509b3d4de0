"""poll(2)."""

from __future__ import annotations

import struct

from pyhost.uapi.errno import EFAULT, EINVAL
from pyhost.uapi.fcntl import O_CREAT, O_RDWR
from pyhost.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT
from tests.unit.support import Program, make_kernel, run, run_in_process

MS = 1_000_000


def poll(p: Program, timeout: int, *wanted: tuple[int, int]) -> list[int]:
    """The revents of each (fd, events); checks that the result counts them."""
    addr = p.store(b"".join(struct.pack("<ihh", fd, events, -1) for fd, events in wanted))
    count = p("poll", addr, len(wanted), timeout)
    raw = struct.iter_unpack("<ihh", p.load(addr, 8 * len(wanted)))
    revents = [got for _, _, got in raw]
    assert count == sum(1 for got in revents if got)
    return revents


def test_what_is_true_at_once_is_reported_without_sleeping() -> None:
    kernel = make_kernel()

    def program(p: Program) -> None:
        r, w = p.pipe()
        regular = p.open("a", O_CREAT | O_RDWR)
        both = POLLIN | POLLOUT
        assert poll(p, -1, (r, both), (w, both), (regular, both), (-5, both), (99, both)) == [
            0, POLLOUT, both, 0, POLLNVAL,
        ]  # fmt: skip
        assert poll(p, 0, (r, POLLIN)) == [0]
        p.write(w, b"x")
        assert poll(p, 0, (r, POLLIN), (r, 0)) == [POLLIN, 0]
        assert kernel.clock.now == 0

    run_in_process(kernel, program)


def test_hangup_and_error_need_not_be_asked_for() -> None:
    def program(p: Program) -> None:
        r, w = p.pipe()
        p("close", w)
        assert poll(p, -1, (r, 0)) == [POLLHUP]
        r, w = p.pipe()
        p("close", 0)
        p("close", r)
        assert poll(p, -1, (w, POLLOUT)) == [POLLOUT | POLLERR]

    run_in_process(make_kernel(), program)


def test_the_timeout_is_kept() -> None:
    kernel = make_kernel()

    def program(p: Program) -> None:
        r, _ = p.pipe()
        assert poll(p, 25, (r, POLLIN)) == [0]
        assert kernel.clock.now == 25 * MS
        assert poll(p, 10) == []
        assert kernel.clock.now == 35 * MS

    run_in_process(kernel, program)


def test_a_change_wakes_the_sleeper_when_it_happens() -> None:
    kernel = make_kernel()
    program = Program(kernel)
    got: list[object] = []

    def main() -> None:
        r1, _ = program.pipe()
        r2, w2 = program.pipe()
        program.spawn(lambda: writer(w2))
        got.extend(poll(program, 1000, (r1, POLLIN), (r2, POLLIN)))
        got.append(kernel.clock.now)
        for fd in (r1, r2):
            assert not program.process.files.fds[fd].private_data.rd_wait.active
            assert program.process.files.fds[fd].f_count == 1
        program.process.exit(0)

    def writer(fd: int) -> None:
        kernel.sched.schedule_timeout(7 * MS)
        program.write(fd, b"x")

    program.spawn(main)
    run(kernel)
    assert got == [0, POLLIN, 7 * MS]


def test_a_file_that_is_closed_while_polled_stays_until_the_end() -> None:
    kernel = make_kernel()
    program = Program(kernel)
    got: list[int] = []

    def main() -> None:
        r, w = program.pipe()
        program.spawn(lambda: (program("close", r), program("close", w)))
        got.extend(poll(program, -1, (r, POLLIN)))
        program.process.exit(0)

    program.spawn(main)
    run(kernel)
    assert got == [POLLHUP]
    assert kernel.mem.pages_in_use == 0


def test_errors() -> None:
    def program(p: Program) -> None:
        assert p("poll", 4096, 1, 0) == -EFAULT
        assert p("poll", p.room(8), 1025, 0) == -EINVAL
        assert p("poll", 0, 0, 0) == 0

    run_in_process(make_kernel(), program)
