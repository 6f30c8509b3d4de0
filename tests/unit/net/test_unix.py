"""AF_UNIX stream sockets: pairs, and connections by name."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhost.kernel.kernel import Kernel
from pyhost.kernel.process import SIGPIPE
from pyhost.net.unix import unix_init
from pyhost.uapi.errno import (
    EADDRINUSE,
    EAGAIN,
    ECONNREFUSED,
    EFAULT,
    EINVAL,
    ENOENT,
    ENOTCONN,
    ENXIO,
    EPIPE,
    ESOCKTNOSUPPORT,
)
from pyhost.uapi.fcntl import O_RDONLY
from pyhost.uapi.poll import POLLHUP, POLLIN, POLLOUT, POLLRDHUP
from pyhost.uapi.socket import (
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_WAITALL,
    SHUT_WR,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_STREAM,
)
from tests.unit.support import Program, make_kernel, run, run_in_process


@pytest.fixture
def kernel() -> Kernel:
    return unix_kernel()


def unix_kernel() -> Kernel:
    kernel = make_kernel()
    unix_init(kernel.net)
    return kernel


def pair(p: Program, flags: int = 0) -> tuple[int, int]:
    addr = p.room(8)
    assert p("socketpair", AF_UNIX, SOCK_STREAM | flags, 0, addr) == 0
    return p.load_int(addr), p.load_int(addr + 4)


def revents(p: Program, fd: int) -> int:
    addr = p.store(struct.pack("<ihh", fd, POLLIN | POLLOUT | POLLRDHUP, 0))
    p("poll", addr, 1, 0)
    return int(struct.unpack("<ihh", p.load(addr, 8))[2])


def assert_nothing_left(kernel: Kernel) -> None:
    assert kernel.net.sockets_in_use == 0
    assert kernel.net.skbs.alive == 0
    assert kernel.mem.kmalloc_in_use == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=30_000), max_size=10), st.integers(1, 20_000))
def test_bytes_go_both_ways_in_order(writes: list[bytes], chunk: int) -> None:
    kernel = unix_kernel()
    program = Program(kernel)
    got = bytearray()
    back: list[bytes] = []

    def echo(fd: int) -> None:
        while data := program.read(fd, chunk):
            assert program.write(fd, data) == len(data)
        program("shutdown", fd, SHUT_WR)

    def reader(fd: int) -> None:
        while data := program.read(fd, chunk):
            got.extend(data)
        back.append(bytes(got))
        program.process.exit(0)

    def main() -> None:
        a, b = pair(program)
        program.spawn(lambda: echo(b))
        program.spawn(lambda: reader(a))
        for data in writes:
            assert program.write(a, data) == len(data)
        program("shutdown", a, SHUT_WR)

    program.spawn(main)
    run(kernel)
    assert back == [b"".join(writes)]
    assert_nothing_left(kernel)


def test_a_full_socket_blocks_or_says_eagain(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        a, b = pair(p, SOCK_NONBLOCK)
        assert revents(p, a) == POLLOUT
        sent = p.write(a, bytes(1 << 20))
        assert 100_000 < sent < 300_000
        assert p.write(a, b"x") == -EAGAIN
        assert revents(p, a) == 0
        assert revents(p, b) == POLLIN | POLLOUT
        assert len(p.read(b, 1 << 20)) == sent
        assert p("read", b, p.room(1), 1) == -EAGAIN
        assert revents(p, a) == POLLOUT

    run_in_process(kernel, program)
    assert_nothing_left(kernel)


def test_the_end_of_one_is_seen_by_the_other(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        a, b = pair(p)
        p.write(a, b"last words")
        p("close", a)
        assert revents(p, b) & (POLLHUP | POLLRDHUP | POLLIN) == POLLHUP | POLLRDHUP | POLLIN
        assert p.read(b, 100) == b"last words"
        assert p.read(b, 100) == b""
        data = p.store(b"x")
        assert p("sendto", b, data, 1, MSG_NOSIGNAL, 0, 0) == -EPIPE
        assert p.process.signals == []
        assert p("write", b, data, 1) == -EPIPE
        assert p.process.signals == [SIGPIPE]

    run_in_process(kernel, program)
    assert_nothing_left(kernel)


def test_peek_and_waitall(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        a, b = pair(p)
        p.write(a, b"abc")
        p.write(a, b"def")
        buf = p.room(10)
        assert p("recvfrom", b, buf, 5, MSG_PEEK, 0, 0) == 5
        assert p.load(buf, 5) == b"abcde"
        assert p("recvfrom", b, buf, 2, 0, 0, 0) == 2
        assert p("recvfrom", b, buf, 10, MSG_WAITALL | MSG_DONTWAIT, 0, 0) == 4
        assert p.load(buf, 4) == b"cdef"
        assert p("recvfrom", b, buf, 10, MSG_WAITALL | MSG_DONTWAIT, 0, 0) == -EAGAIN
        assert p("write", a, 4096, 10) == -EFAULT

    run_in_process(kernel, program)
    assert_nothing_left(kernel)


def test_what_it_does_not_do(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        assert p("socketpair", AF_UNIX, SOCK_DGRAM, 0, p.room(8)) == -ESOCKTNOSUPPORT
        fd = p("socket", AF_UNIX, SOCK_STREAM, 0)
        assert p.write(fd, b"x") == -ENOTCONN
        assert p("read", fd, p.room(1), 1) == -EINVAL
        assert p("listen", fd, 1) == -EINVAL
        assert p("shutdown", fd, 9) == -EINVAL
        assert p("socketpair", AF_UNIX, SOCK_STREAM, 0, 4096) == -EFAULT

    run_in_process(kernel, program)
    assert_nothing_left(kernel)


def sockaddr_un(p: Program, path: bytes) -> tuple[int, int]:
    """Address and length of a struct sockaddr_un."""
    raw = struct.pack("<H", AF_UNIX) + path
    return p.store(raw), len(raw)


def test_a_path_outlives_its_socket_until_it_is_unlinked(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        server, client = (p("socket", AF_UNIX, SOCK_STREAM, 0) for _ in "12")
        name = sockaddr_un(p, b"/sock\0")
        assert p("connect", client, *name) == -ENOENT
        assert p("bind", server, *name) == 0
        assert p.open("/sock", O_RDONLY) == -ENXIO
        assert p("connect", client, *name) == -ECONNREFUSED
        assert p("listen", server, 1) == 0
        assert p("connect", client, *name) == 0
        length = p.store(struct.pack("i", 110))
        got = p.room(110)
        assert p("getpeername", client, got, length) == 0
        assert p.load(got, p.load_int(length)) == struct.pack("<H", AF_UNIX) + b"/sock\0"
        assert p("close", server) == p("close", client) == 0
        again = p("socket", AF_UNIX, SOCK_STREAM, 0)
        assert p("connect", again, *name) == -ECONNREFUSED
        assert p("bind", again, *name) == -EADDRINUSE
        assert kernel.rootfs.unlink("/sock") == 0
        assert p("bind", again, *name) == 0

    run_in_process(kernel, program)
    assert_nothing_left(kernel)


def test_connect_sleeps_while_the_backlog_is_full(kernel: Kernel) -> None:
    events: list[str] = []

    def program(p: Program) -> None:
        server, *clients = (p("socket", AF_UNIX, SOCK_STREAM, 0) for _ in "1234")
        name = sockaddr_un(p, b"\0name")
        assert p("bind", server, *name) == p("listen", server, 0) == 0
        assert p("connect", clients[0], *name) == 0

        def second() -> None:
            assert p("connect", clients[1], *name) == 0
            events.append("connected")

        p.spawn(second)
        p("nanosleep", p.store(struct.pack("qq", 1, 0)), 0)
        events.append("accept")
        accepted = p("accept4", server, 0, 0, 0)
        p("nanosleep", p.store(struct.pack("qq", 1, 0)), 0)
        assert p("getsockopt", accepted, 1, 17, cred := p.room(12), p.store(b"\x0c\0\0\0")) == 0
        assert p.load_int(cred) == p.process.pid

    run_in_process(kernel, program)
    assert events == ["accept", "connected"]
    assert_nothing_left(kernel)
