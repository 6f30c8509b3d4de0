"""EPIPE and SIGPIPE: which ways of sending on which sockets bring a signal.

Each case runs on a machine of ours and in this very process, where the real Linux judges it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from struct import pack
from typing import Any

import pytest

from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.uapi.errno import ECONNRESET, EPIPE
from tests.unit.net.linux_calls import LinuxProgram, needs_linux
from tests.unit.net.test_bad_arguments import conn, message, messages, tcp, udp
from tests.unit.support import run_in_process

NOSIGNAL = 0x4000
SHUT_WR = 1


def shut(p: Any) -> int:
    fd, _ = conn(p)
    assert p("shutdown", fd, SHUT_WR) == 0
    return fd


def reset(p: Any) -> int:
    """A connection that the peer has reset."""
    fd, peer = conn(p)
    assert p("setsockopt", peer, 1, 13, p.store(pack("ii", 1, 0)), 8) == 0
    p("close", peer)
    p("nanosleep", p.store(pack("qq", 0, 10_000_000)), 0)
    return fd


def pair_without_peer(p: Any) -> int:
    where = p.room(8)
    assert p("socketpair", 1, 1, 0, where) == 0
    first, second = (int.from_bytes(p.load(where + at, 4), "little") for at in (0, 4))
    p("close", second)
    return first


def shut_udp(p: Any) -> int:
    fd = udp(p)
    assert p("shutdown", fd, SHUT_WR) == 0
    return fd


def pipe(p: Any, fill: bytes = b"") -> tuple[int, int]:
    where = p.room(8)
    assert p("pipe2", where, 0) == 0
    read, write = (int.from_bytes(p.load(where + at, 4), "little") for at in (0, 4))
    if fill:
        assert p("write", write, p.store(fill), len(fill)) == len(fill)
    return read, write


def write(p: Any, fd: int) -> int:
    return p("write", fd, p.room(1), 1)


def writev(p: Any, fd: int) -> int:
    return p("writev", fd, p.store(pack("QQ", p.room(1), 1)), 1)


def send(p: Any, fd: int, flags: int = 0, size: int = 1) -> int:
    return p("sendto", fd, p.room(1), size, flags, 0, 0)


def sendmsg(p: Any, fd: int, flags: int = 0) -> int:
    return p("sendmsg", fd, p.store(message(p, b"x")), flags)


def sendmmsg(p: Any, fd: int, flags: int = 0) -> int:
    return p("sendmmsg", fd, messages(p, message(p, b"x")), 1, flags)


def splice(p: Any, fd: int) -> int:
    return p("splice", pipe(p, b"x")[0], 0, fd, 0, 1, 0)


def unread_pipe(p: Any) -> int:
    read, write_end = pipe(p)
    p("close", read)
    return write_end


def second(p: Any, fd: int) -> int:
    """The second send, when the first has had the error."""
    assert send(p, fd) == -ECONNRESET
    return send(p, fd)


CASES: list[tuple[str, Callable[[Any], int], Callable[..., int], int, int]] = [
    ("write after shutdown", shut, write, -EPIPE, 1),
    ("writev after shutdown", shut, writev, -EPIPE, 1),
    ("send after shutdown", shut, send, -EPIPE, 1),
    ("send of nothing after shutdown", shut, lambda p, fd: send(p, fd, 0, 0), -EPIPE, 1),
    ("send with MSG_NOSIGNAL after shutdown", shut, lambda p, fd: send(p, fd, NOSIGNAL), -EPIPE, 0),
    ("sendmsg after shutdown", shut, sendmsg, -EPIPE, 1),
    ("sendmsg with MSG_NOSIGNAL", shut, lambda p, fd: sendmsg(p, fd, NOSIGNAL), -EPIPE, 0),
    ("sendmmsg after shutdown", shut, sendmmsg, -EPIPE, 1),
    ("sendmmsg with MSG_NOSIGNAL", shut, lambda p, fd: sendmmsg(p, fd, NOSIGNAL), -EPIPE, 0),
    ("splice after shutdown", shut, splice, -EPIPE, 1),
    ("send without a connection", tcp, send, -EPIPE, 1),
    ("send after a reset", reset, send, -ECONNRESET, 0),
    ("send after a reset that was told", reset, second, -EPIPE, 1),
    ("write to a pair whose other end is gone", pair_without_peer, write, -EPIPE, 1),
    ("send to a pair whose other end is gone", pair_without_peer, send, -EPIPE, 1),
    ("send to such a pair with MSG_NOSIGNAL", pair_without_peer,
     lambda p, fd: send(p, fd, NOSIGNAL), -EPIPE, 0),
    ("send of a datagram after shutdown", shut_udp, send, -EPIPE, 0),
    ("write to a pipe that nobody reads", unread_pipe, write, -EPIPE, 1),
    ("splice to a pipe that nobody reads", unread_pipe, splice, -EPIPE, 1),
]  # fmt: skip
IDS = [row[0] for row in CASES]


@pytest.mark.parametrize(("name", "make", "call", "error", "signals"), CASES, ids=IDS)
def test_the_signals_on_a_machine_of_ours(
    name: str, make: Callable[[Any], int], call: Callable[..., int], error: int, signals: int
) -> None:
    def program(p: Any) -> tuple[int, int]:
        fd = make(p)
        before = len(p.process.signals)
        return call(p, fd), len(p.process.signals) - before

    assert run_in_process(boot(VirtualClock()), program) == (error, signals)


@pytest.fixture
def blocked_sigpipe() -> Iterator[Callable[[], int]]:
    """Count SIGPIPEs that wait, taking them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})

    def count() -> int:
        came = 0
        while signal.sigtimedwait({signal.SIGPIPE}, 0) is not None:
            came += 1
        return came

    yield count
    count()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@needs_linux
@pytest.mark.parametrize(("name", "make", "call", "error", "signals"), CASES, ids=IDS)
def test_the_signals_under_linux(
    name: str,
    make: Callable[[Any], int],
    call: Callable[..., int],
    error: int,
    signals: int,
    blocked_sigpipe: Callable[[], int],
) -> None:
    p = LinuxProgram()
    fd = make(p)
    blocked_sigpipe()
    assert (call(p, fd), blocked_sigpipe()) == (error, signals), name
