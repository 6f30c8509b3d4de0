"""Pipes: order, blocking, atomic writes, the two ends' lives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhost.kernel.process import SIGPIPE
from pyhost.uapi.errno import EAGAIN, EFAULT, EINVAL, EPIPE
from pyhost.uapi.fcntl import F_GETPIPE_SZ, O_APPEND, O_NONBLOCK
from tests.unit.support import Program, make_kernel, run, run_in_process


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=9000), max_size=12), st.integers(1, 20000))
def test_what_goes_in_comes_out_in_order(writes: list[bytes], chunk: int) -> None:
    kernel = make_kernel()
    program = Program(kernel)
    got: list[bytes] = []

    def writer() -> None:
        for data in writes:
            assert program.write(1, data) == len(data)
        program("close", 1)

    def reader() -> None:
        assert program.pipe() == (0, 1)
        program.spawn(writer)
        while data := program.read(0, chunk):
            got.append(data)
        program.process.exit(0)

    program.spawn(reader)
    run(kernel)
    assert b"".join(got) == b"".join(writes)
    assert kernel.mem.pages_in_use == 0


def test_a_full_pipe_takes_no_more_and_says_how_much_it_took() -> None:
    def program(p: Program) -> None:
        r, w = p.pipe(O_NONBLOCK)
        assert p("fcntl", w, F_GETPIPE_SZ, 0) == 65536
        assert p.write(w, bytes(70000)) == 65536
        assert p.write(w, b"x") == -EAGAIN
        assert len(p.read(r, 4095)) == 4095
        assert p.write(w, b"x") == -EAGAIN, "the first page is not empty yet"
        assert len(p.read(r, 1)) == 1
        assert p.write(w, b"x") == 1

    run_in_process(make_kernel(), program)


def test_an_empty_pipe_is_eagain_or_the_end() -> None:
    def program(p: Program) -> None:
        r, w = p.pipe(O_NONBLOCK)
        addr = p.room(10)
        assert p("read", r, addr, 0) == 0
        assert p("read", r, addr, 10) == -EAGAIN
        p("close", w)
        assert p("read", r, addr, 10) == 0

    run_in_process(make_kernel(), program)


def test_small_writes_share_a_page() -> None:
    def program(p: Program) -> None:
        _, w = p.pipe(O_NONBLOCK)
        for _ in range(64 * 1024 // 16):
            assert p.write(w, bytes(16)) == 16
        assert p.write(w, b"x") == -EAGAIN
        assert len(p.process.files.fds[w].private_data.bufs) == 16

    run_in_process(make_kernel(), program)


@pytest.mark.parametrize("size", [1, 100, 4095, 4096])
def test_a_write_of_up_to_pipe_buf_goes_in_whole_or_not_at_all(size: int) -> None:
    def program(p: Program) -> None:
        r, w = p.pipe(O_NONBLOCK)
        data = p.store(bytes(size))
        while (got := p("write", w, data, size)) != -EAGAIN:
            assert got == size
        pipe = p.process.files.fds[r].private_data
        assert pipe.available % size == 0

    run_in_process(make_kernel(), program)


def test_blocking_writers_do_not_mix_their_atomic_writes() -> None:
    kernel = make_kernel()
    program = Program(kernel)
    got = bytearray()

    def writer(mark: bytes) -> None:
        for _ in range(20):
            assert program.write(1, mark * 3000) == 3000

    def reader() -> None:
        program.pipe()
        for mark in (b"a", b"b", b"c"):
            program.spawn(lambda mark=mark: writer(mark))
        while len(got) < 3 * 20 * 3000:
            got.extend(program.read(0, 777))
        program.process.exit(0)

    program.spawn(reader)
    run(kernel)
    assert len(got) == 180_000
    blocks = {bytes(got[i : i + 3000]) for i in range(0, len(got), 3000)}
    assert blocks == {b"a" * 3000, b"b" * 3000, b"c" * 3000}


def test_without_a_reader_sigpipe_and_epipe() -> None:
    def program(p: Program) -> None:
        r, w = p.pipe()
        p("close", r)
        assert p("write", w, p.store(b""), 0) == 0, "no byte, no look at the readers"
        assert p.process.signals == []
        assert p.write(w, b"x") == -EPIPE
        assert p.process.signals == [SIGPIPE]

    run_in_process(make_kernel(), program)


def test_a_reader_that_leaves_ends_a_sleeping_writer() -> None:
    kernel = make_kernel()
    program = Program(kernel)
    got: list[int] = []

    def main() -> None:
        program.pipe()
        program.spawn(lambda: program("close", 0))
        got.append(program.write(1, bytes(100_000)))
        got.append(len(program.process.signals))
        program.process.exit(0)

    program.spawn(main)
    run(kernel)
    assert got == [65536, 1]


def test_a_fault_puts_nothing_in() -> None:
    def program(p: Program) -> None:
        r, w = p.pipe(O_NONBLOCK)
        addr = p.room(4096)
        assert p("write", w, addr + 4000, 200) == -EFAULT
        assert p.write(w, b"abc") == 3
        assert p("write", w, addr + 4090, 20) == -EFAULT, "also when the page is shared"
        assert p.read(r, 100) == b"abc"
        assert p("write", w, addr, 9000) == 4096, "a whole page before the fault counts"
        assert p("read", r, 4096, 10) == -EFAULT

    run_in_process(make_kernel(), program)


def test_pipe2_knows_its_flags() -> None:
    def program(p: Program) -> None:
        addr = p.room(8)
        assert p("pipe2", addr, O_APPEND) == -EINVAL
        assert p("pipe2", 4096, 0) == -EFAULT
        assert p.process.files.fds == {}

    run_in_process(make_kernel(), program)
