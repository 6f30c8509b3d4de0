"""Random system calls: 20 000 of them, by seed, from many threads of one process.

Each gets what a broken or hostile program would pass: descriptors that are open, closed or of the
wrong kind, addresses that are mapped, read-only or nowhere, lengths beyond all bounds. The kernel
may refuse, but it must not stumble; and when the process ends nothing of it may stay.
"""

from __future__ import annotations

import random

import pytest

from pyhost.fs.file import FilesStruct
from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.kernel.process import Process
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.drop_reason import NOT_SPECIFIED
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.uapi.fcntl import O_CREAT, O_NONBLOCK, O_RDWR
from pyhost.uapi.socket import AF_INET, INT, SOCK_DGRAM, SOCK_STREAM, pack_sockaddr_in
from tests.fuzz.arguments import SIGNATURES, Arguments
from tests.fuzz.leaks import loose_pages
from tests.unit.net.ipv4.tcp.tcp_apps import (
    accept,
    close,
    connect,
    listener,
    new_socket,
    recv,
    send,
)
from tests.unit.net.ipv4.tcp.test_tcp_transfer import assert_nothing_left
from tests.unit.net.support import A_ADDR, B_ADDR, Pair, two_hosts

CALLS = 20_000
SEEDS = range(4)
PORTS = [0, 7, 9, 5000]
MAX_ERRNO = 4095
THREADS = 6
WEIGHTS = {
    "socket": 12, "connect": 12, "bind": 8, "listen": 6, "accept4": 8, "setsockopt": 16,
    "sendto": 8, "sendmsg": 8, "close": 2, "dup3": 1, "getpid": 1, "shutdown": 2,
}  # fmt: skip
"""How often a system call comes, where it is not 4: many sockets shall live, and for long."""

REFURNISH = 100
"""After so many calls there is something to work on again, unless ENOUGH descriptors are open."""
ENOUGH = 300

SHALL_SUCCEED = {
    "accept4", "connect", "epoll_ctl", "epoll_wait", "getsockopt", "ioctl", "listen", "poll",
    "recvfrom", "recvmmsg", "recvmsg", "sendfile", "sendmmsg", "sendmsg", "sendto", "setsockopt",
    "shutdown", "splice",
}  # fmt: skip
"""Calls that must have gone through at least once, or the test sees nothing of them."""

STUCK_NS = 50 * NSEC_PER_MSEC
SETTLE_NS = 4 * 3600 * NSEC_PER_SEC


class RandomProgram:
    """A process that makes `calls` random system calls.

    A thread that sleeps longer than STUCK_NS stays where it is and another takes its place, so
    blocking calls are among them; all end with the process.
    """

    def __init__(self, pair: Pair, seed: int, calls: int) -> None:
        self.kernel = pair.a.kernel
        self.process = Process(self.kernel, "random", MmStruct(self.kernel.mem), FilesStruct())
        rng = random.Random(seed)
        self.arguments = Arguments(rng, self.process.mm, [A_ADDR, B_ADDR, 0x7F000001, 0], PORTS)
        self.names = [name for name in sorted(SIGNATURES) for _ in range(WEIGHTS.get(name, 4))]
        self.left = calls
        self.made: dict[str, int] = {}
        self.succeeded: dict[str, int] = {}

    def start(self) -> None:
        """Let the supervisor and the first threads run."""
        self.process.spawn(self._supervise, "supervisor")

    def _supervise(self) -> None:
        seen, workers = -1, 0
        while self.left:
            if self.left == seen or workers < THREADS:
                workers += 1
                self.process.spawn(self._work, f"worker {workers}")
            seen = self.left
            self.kernel.sched.schedule_timeout(STUCK_NS)
        self.process.exit(0)

    def _furnish(self) -> None:
        """Open what there is to work on: connections, a listener, datagram sockets, a pipe."""
        syscall, mm = self.kernel.syscall, self.process.mm
        where = mm.mmap(64)
        for kind, port in (
            (SOCK_STREAM, PORTS[1]),
            (SOCK_STREAM, PORTS[1]),
            (SOCK_DGRAM, PORTS[2]),
        ):
            fd = syscall("socket", AF_INET, kind, 0)
            mm.write(where, pack_sockaddr_in(B_ADDR, port))
            syscall("connect", fd, where, 16)
        fd = syscall("socket", AF_INET, SOCK_STREAM, 0)
        mm.write(where, pack_sockaddr_in(0, PORTS[-1]))
        syscall("bind", fd, where, 16)
        syscall("listen", fd, 8)
        syscall("socket", AF_INET, SOCK_DGRAM, 0)
        syscall("pipe2", where, O_NONBLOCK)
        syscall("write", INT.unpack_from(mm.read(where, 8), 4)[0], where, 64)
        mm.write(where, b"/furniture\0")
        fd = syscall("open", where, O_CREAT | O_RDWR, 0o600)
        syscall("write", fd, where, 64)
        syscall("epoll_create1", 0)

    def _work(self) -> None:
        while self.left:
            if not self.left % REFURNISH and len(self.process.files.fds) < ENOUGH:
                self._furnish()
            self.left -= 1
            name = self.arguments.rng.choice(self.names)
            self._call(name)
            if self.arguments.rng.random() < 0.05:
                self.kernel.sched.schedule_timeout(NSEC_PER_MSEC)

    def _call(self, name: str) -> None:
        result = self.kernel.syscall(name, *self.arguments.draw(name))
        assert result >= -MAX_ERRNO, f"{name}: {result}"
        self.made[name] = self.made.get(name, 0) + 1
        if result >= 0:
            self.succeeded[name] = self.succeeded.get(name, 0) + 1
        self.arguments.kinds.look(self.process.files)


def keep_a_peer(pair: Pair, program: RandomProgram) -> None:
    """Machine b: a server that reads everything, and a client that keeps connecting to a."""
    server = listener(pair.b, PORTS[1])

    def read_all(sk: TcpSock) -> None:
        """Say something, then read to the end."""
        send(sk, bytes(5000))
        while isinstance(data := recv(sk, 65536), bytes) and data:
            pass
        close(sk)

    def serve() -> None:
        while program.left:
            sk = accept(server, nonblock=True)
            if isinstance(sk, int):
                pair.b.kernel.sched.schedule_timeout(NSEC_PER_MSEC)
            else:
                pair.b.spawn(lambda sk=sk: read_all(sk))
        close(server)

    def call() -> None:
        while program.left:
            sk = new_socket(pair.b)
            connect(pair.b, A_ADDR, PORTS[-1], sk)
            close(sk)
            pair.b.kernel.sched.schedule_timeout(5 * NSEC_PER_MSEC)

    pair.b.spawn(serve)
    pair.b.spawn(call)


def run_random_program(seed: int, calls: int) -> tuple[Pair, RandomProgram, int]:
    """Let it all happen, and settle; also the loose pages that there were before."""
    pair = two_hosts(seed=seed)
    before = loose_pages(pair.a.kernel)
    program = RandomProgram(pair, seed, calls)
    program.start()
    keep_a_peer(pair, program)
    pair.clock.run(stop=lambda: program.process.exit_code is not None)
    pair.clock.run(until=pair.clock.now + SETTLE_NS)
    return pair, program, before


@pytest.mark.parametrize("seed", SEEDS)
def test_random_system_calls_break_nothing_and_leave_nothing_behind(seed: int) -> None:
    pair, program, pages = run_random_program(seed, CALLS // len(SEEDS))
    assert pair.a.kernel.oops is None
    assert pair.a.kernel.warnings == 0
    assert sum(program.made.values()) > CALLS // len(SEEDS) * 0.9
    assert NOT_SPECIFIED not in pair.a.net.drops
    assert set(program.succeeded) >= SHALL_SUCCEED
    assert_nothing_left(pair)
    assert loose_pages(pair.a.kernel) == pages


def test_every_system_call_is_known_to_the_generator() -> None:
    pair = two_hosts()
    assert set(pair.a.kernel.syscalls) - {"exit"} == set(SIGNATURES)
