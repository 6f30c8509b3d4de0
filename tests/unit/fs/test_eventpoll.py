"""epoll: level, edge, once; nested; the lives of items."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from pyhost.uapi.errno import EBADF, EEXIST, EFAULT, EINVAL, ELOOP, ENOENT, EPERM
from pyhost.uapi.fcntl import O_CREAT, O_NONBLOCK, O_RDWR
from pyhost.uapi.poll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    POLLHUP,
    POLLIN,
    POLLOUT,
)
from tests.unit.support import Program, make_kernel, run, run_in_process

MS = 1_000_000


class Epoll:
    """One epoll instance of a program."""

    def __init__(self, p: Program) -> None:
        self.p = p
        self.fd = p("epoll_create1", 0)

    def ctl(self, op: int, fd: int, events: int = 0, data: int = 0) -> int:
        return self.p("epoll_ctl", self.fd, op, fd, self.p.store(struct.pack("<IQ", events, data)))

    def add(self, fd: int, events: int, data: int = 0) -> None:
        assert self.ctl(EPOLL_CTL_ADD, fd, events, data or fd) == 0

    def wait(self, timeout: int = 0, limit: int = 8) -> list[tuple[int, int]]:
        """(data, events) of each event."""
        addr = self.p.room(12 * limit)
        count = self.p("epoll_wait", self.fd, addr, limit, timeout)
        assert count >= 0, f"errno {-count}"
        raw = struct.iter_unpack("<IQ", self.p.load(addr, 12 * count))
        return [(data, events) for events, data in raw]


def in_program(body: Callable[[Program, Epoll], None]) -> None:
    kernel = make_kernel()
    run_in_process(kernel, lambda p: body(p, Epoll(p)))
    assert kernel.mem.pages_in_use == 0


def test_level_reports_as_long_as_it_is_true() -> None:
    def body(p: Program, ep: Epoll) -> None:
        r, w = p.pipe()
        ep.add(r, POLLIN, 0xDEADBEEF12345678)
        assert ep.wait() == []
        p.write(w, b"ab")
        for _ in range(3):
            assert ep.wait() == [(0xDEADBEEF12345678, POLLIN)]
        p.read(r, 2)
        assert ep.wait() == []

    in_program(body)


def test_edge_reports_each_change_once() -> None:
    def body(p: Program, ep: Epoll) -> None:
        r, w = p.pipe()
        p.write(w, b"before")
        ep.add(r, POLLIN | EPOLLET)
        assert ep.wait() == [(r, POLLIN)], "true when it was added"
        assert ep.wait() == []
        p.write(w, b"more")
        assert ep.wait() == [(r, POLLIN)], "a change, although nothing was read"
        assert ep.wait() == []
        p.read(r, 3)
        assert ep.wait() == []

    in_program(body)


def test_a_writer_learns_of_room_by_edge() -> None:
    def body(p: Program, ep: Epoll) -> None:
        r, w = p.pipe(O_NONBLOCK)
        ep.add(w, POLLOUT | EPOLLET)
        assert ep.wait() == [(w, POLLOUT)]
        p.write(w, bytes(70000))
        assert ep.wait() == []
        p.read(r, 4096)
        assert ep.wait() == [(w, POLLOUT)]

    in_program(body)


def test_oneshot_is_off_until_it_is_set_again() -> None:
    def body(p: Program, ep: Epoll) -> None:
        r, w = p.pipe()
        ep.add(r, POLLIN | EPOLLONESHOT)
        p.write(w, b"x")
        assert ep.wait() == [(r, POLLIN)]
        p.write(w, b"y")
        assert ep.wait() == []
        assert ep.ctl(EPOLL_CTL_MOD, r, POLLIN | EPOLLONESHOT, 5) == 0
        assert ep.wait() == [(5, POLLIN)]

    in_program(body)


def test_more_ready_items_than_room_take_turns() -> None:
    def body(p: Program, ep: Epoll) -> None:
        ends = [p.pipe() for _ in range(3)]
        for r, w in ends:
            ep.add(r, POLLIN)
            p.write(w, b"x")
        seen = [ep.wait(limit=1)[0][0] for _ in range(6)]
        assert sorted(seen[:3]) == [r for r, _ in ends]
        assert seen[:3] == seen[3:]

    in_program(body)


def test_an_item_goes_with_the_last_descriptor_of_its_file() -> None:
    def body(p: Program, ep: Epoll) -> None:
        r, w = p.pipe()
        twin = p("dup", r)
        ep.add(r, POLLIN)
        p.write(w, b"x")
        p("close", r)
        assert ep.wait() == [(r, POLLIN)], "the file is still open"
        assert ep.ctl(EPOLL_CTL_DEL, r) == -EBADF
        p("close", twin)
        assert ep.wait() == []
        assert p.process.files.fds[ep.fd].private_data.items == {}

    in_program(body)


def test_a_sleeper_is_woken_by_the_change_or_by_the_timeout() -> None:
    kernel = make_kernel()
    program = Program(kernel)
    got: list[object] = []

    def main() -> None:
        ep = Epoll(program)
        r, w = program.pipe()
        ep.add(r, POLLIN)
        program.spawn(lambda: writer(w))
        got.append((ep.wait(timeout=3), kernel.clock.now))
        got.append((ep.wait(timeout=-1), kernel.clock.now))
        program.process.exit(0)

    def writer(fd: int) -> None:
        kernel.sched.schedule_timeout(10 * MS)
        program("close", fd)

    program.spawn(main)
    run(kernel)
    assert got == [([], 3 * MS), ([(1, POLLHUP)], 10 * MS)]


def test_one_event_wakes_one_of_two_waiting_threads() -> None:
    kernel = make_kernel()
    program = Program(kernel)
    woken: list[int] = []

    def waiter(number: int, ep: Epoll) -> None:
        if ep.wait(timeout=20):
            woken.append(number)

    def main() -> None:
        ep = Epoll(program)
        r, w = program.pipe()
        ep.add(r, POLLIN | EPOLLET)
        program.spawn(lambda: waiter(1, ep))
        program.spawn(lambda: waiter(2, ep))
        kernel.sched.schedule_timeout(MS)
        program.write(w, b"x")
        kernel.sched.schedule_timeout(30 * MS)
        program.process.exit(0)

    program.spawn(main)
    run(kernel)
    assert woken == [1]


def test_an_epoll_file_can_be_polled_itself() -> None:
    def body(p: Program, outer: Epoll) -> None:
        inner = Epoll(p)
        outer.add(inner.fd, POLLIN)
        r, w = p.pipe()
        inner.add(r, POLLIN)
        assert outer.wait() == []
        p.write(w, b"x")
        assert outer.wait() == [(inner.fd, POLLIN)]
        p.read(r, 1)
        assert outer.wait() == []
        assert inner.ctl(EPOLL_CTL_ADD, outer.fd, POLLIN) == -ELOOP

    in_program(body)


@pytest.mark.parametrize("depth", [4, 5])
def test_nesting_is_limited(depth: int) -> None:
    def body(p: Program, ep: Epoll) -> None:
        for _ in range(depth):
            outer = Epoll(p)
            result = outer.ctl(EPOLL_CTL_ADD, ep.fd, POLLIN)
            ep = outer
        assert result == (0 if depth == 4 else -ELOOP)

    in_program(body)


def test_errors_in_linuxs_order() -> None:
    def body(p: Program, ep: Epoll) -> None:
        r, _ = p.pipe()
        event = p.store(bytes(12))
        assert p("epoll_create1", 1) == -EINVAL
        assert p("epoll_ctl", 99, EPOLL_CTL_ADD, r, 4096) == -EFAULT
        assert p("epoll_ctl", 99, EPOLL_CTL_ADD, r, event) == -EBADF
        assert p("epoll_ctl", ep.fd, EPOLL_CTL_ADD, 99, event) == -EBADF
        assert p("epoll_ctl", ep.fd, EPOLL_CTL_ADD, ep.fd, event) == -EINVAL
        assert p("epoll_ctl", r, EPOLL_CTL_ADD, ep.fd, event) == -EINVAL
        assert p("epoll_ctl", ep.fd, EPOLL_CTL_DEL, r, 4096) == -ENOENT
        assert p("epoll_ctl", ep.fd, EPOLL_CTL_MOD, r, event) == -ENOENT
        assert p("epoll_ctl", ep.fd, 9, r, event) == -EINVAL
        regular = p.open("a", O_CREAT | O_RDWR)
        assert p("epoll_ctl", ep.fd, EPOLL_CTL_ADD, regular, event) == -EPERM
        ep.add(r, POLLIN)
        assert ep.ctl(EPOLL_CTL_ADD, r, POLLIN) == -EEXIST
        assert ep.ctl(EPOLL_CTL_MOD, r, POLLIN | EPOLLEXCLUSIVE) == -EINVAL
        assert p("epoll_wait", ep.fd, event, 0, 0) == -EINVAL
        assert p("epoll_wait", ep.fd, -4096, 1, 0) == -EFAULT
        assert p("epoll_wait", 99, event, 1, 0) == -EBADF
        assert p("epoll_wait", r, event, 1, 0) == -EINVAL

    in_program(body)
