"""Addresses, lengths and structures that no Python program could pass, at the bare system calls.

Each case runs on a machine of ours and in this very process, where the real Linux judges it.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import Any

import pytest

from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.uapi.errno import (
    EAGAIN,
    EBADF,
    EFAULT,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENOBUFS,
    ENOTSOCK,
)
from pyhost.uapi.socket import MSGHDR, pack_sockaddr_in
from tests.unit.net.linux_calls import LinuxProgram, needs_linux
from tests.unit.support import run_in_process

BAD = 1
KERNEL = 0xFFFF_8880_0000_0000
LO = 0x7F000001
NAME = pack_sockaddr_in(LO, 0)
STREAM, DGRAM = 1, 2
DONTWAIT, WAITFORONE = 0x40, 0x10000


def tcp(p: Any) -> int:
    return p("socket", 2, STREAM, 0)


def udp(p: Any) -> int:
    """A datagram socket that is connected to itself."""
    fd = p("socket", 2, DGRAM, 0)
    assert p("bind", fd, p.store(NAME), 16) == 0
    name = p.room(16)
    assert p("getsockname", fd, name, p.store(pack("i", 16))) == 0
    assert p("connect", fd, name, 16) == 0
    return fd


def conn(p: Any) -> tuple[int, int]:
    listener, client, name = tcp(p), tcp(p), p.room(16)
    assert p("bind", listener, p.store(NAME), 16) == 0
    assert p("listen", listener, 1) == 0
    assert p("getsockname", listener, name, p.store(pack("i", 16))) == 0
    assert p("connect", client, name, 16) == 0
    server = p("accept4", listener, 0, 0, 0)
    p("close", listener)
    return client, server


def message(p: Any, data: bytes, **fields: int) -> bytes:
    """A struct user_msghdr of one piece."""
    given = {"name": 0, "namelen": 0, "vec": 0, "n": 1, "control": 0, "controllen": 0} | fields
    given["vec"] = given["vec"] or p.store(pack("QQ", p.store(data), len(data)))
    return MSGHDR.pack(*given.values(), 0)


def messages(p: Any, *each: bytes) -> int:
    """An array of struct mmsghdr."""
    return p.store(b"".join(one + bytes(8) for one in each))


def lengths(p: Any, where: int, count: int) -> list[int]:
    """The msg_len of `count` struct mmsghdrs."""
    return [int.from_bytes(p.load(where + 64 * at + 56, 4), "little") for at in range(count)]


def sent_and_lengths(p: Any, fd: int, *each: bytes) -> tuple[int, list[int]]:
    where = messages(p, *each)
    return p("sendmmsg", fd, where, len(each), 0), lengths(p, where, len(each))


def received(p: Any, sizes: tuple[int, ...], count: int, flags: int, timeout: int = 0) -> Any:
    """Datagrams of `sizes` are sent to oneself, then `count` are asked for."""
    fd = udp(p)
    for size in sizes:
        assert p("sendto", fd, p.room(size), size, 0, 0, 0) == size
    where = messages(p, *[message(p, bytes(100)) for _ in range(count)])
    got = p("recvmmsg", fd, where, count, flags, timeout)
    return got, lengths(p, where, max(got, 0))


def sockopt_room(p: Any, room: int) -> int:
    return p("getsockopt", tcp(p), 1, 3, p.room(8), p.store(pack("i", room)))


def recv_after_refusal(p: Any) -> tuple[int, int]:
    """The ICMP error of a datagram to a closed port is the first thing that recvmmsg says."""
    fd, closed, name = p("socket", 2, DGRAM, 0), p("socket", 2, DGRAM, 0), p.room(16)
    assert p("bind", closed, p.store(NAME), 16) == 0
    assert p("getsockname", closed, name, p.store(pack("i", 16))) == 0
    assert p("connect", fd, name, 16) == 0
    p("close", closed)
    assert p("sendto", fd, p.room(1), 1, 0, 0, 0) == 1
    p("nanosleep", p.store(pack("qq", 0, 10_000_000)), 0)
    where = messages(p, message(p, bytes(10)))
    first = p("recvmmsg", fd, where, 1, DONTWAIT, 0)
    return first, p("recvmmsg", fd, where, 1, DONTWAIT, 0)


Case = tuple[str, Callable[[Any], object], object]

CASES: list[Case] = [
    # -- addresses that lead nowhere ---------------------------------------------------------------
    ("write from nowhere", lambda p: p("write", conn(p)[0], BAD, 1), -EFAULT),
    ("write of a kernel address", lambda p: p("write", conn(p)[0], KERNEL, 1), -EFAULT),
    ("send from nowhere", lambda p: p("sendto", conn(p)[0], BAD, 1, 0, 0, 0), -EFAULT),
    ("send of a datagram from nowhere", lambda p: p("sendto", udp(p), BAD, 1, 0, 0, 0), -EFAULT),
    ("send of nothing from nowhere", lambda p: p("sendto", udp(p), BAD, 0, 0, 0, 0), 0),
    ("send beyond the end of memory on no socket",
     lambda p: p("sendto", 999, KERNEL, 1, 0, 0, 0), -EFAULT),
    ("send to an address nowhere",
     lambda p: p("sendto", udp(p), p.room(1), 1, 0, BAD, 16), -EFAULT),
    ("send to an address of a negative length",
     lambda p: p("sendto", udp(p), p.room(1), 1, 0, p.room(16), -1), -EINVAL),
    ("send to an address that is too long",
     lambda p: p("sendto", udp(p), p.room(1), 1, 0, p.room(200), 129), -EINVAL),
    ("send to an address that is too short",
     lambda p: p("sendto", udp(p), p.room(1), 1, 0, p.store(NAME), 8), -EINVAL),
    ("recv to nowhere", lambda p: p("recvfrom", tcp(p), KERNEL, 1, 0, 0, 0), -EFAULT),
    ("recv of a datagram to nowhere",
     lambda p: (fd := udp(p), p("sendto", fd, p.room(1), 1, 0, 0, 0),
                p("recvfrom", fd, BAD, 1, 0, 0, 0))[-1], -EFAULT),
    ("recv of a datagram's sender to nowhere",
     lambda p: (fd := udp(p), p("sendto", fd, p.room(1), 1, 0, 0, 0),
                p("recvfrom", fd, p.room(1), 1, 0, BAD, p.store(pack("i", 16))))[-1], -EFAULT),
    ("recv of a datagram's sender of a negative length",
     lambda p: (fd := udp(p), p("sendto", fd, p.room(1), 1, 0, 0, 0),
                p("recvfrom", fd, p.room(1), 1, 0, p.room(16), p.store(pack("i", -1))))[-1],
     -EINVAL),
    ("bind to an address nowhere", lambda p: p("bind", tcp(p), BAD, 16), -EFAULT),
    ("bind to a short address", lambda p: p("bind", tcp(p), p.store(NAME), 15), -EINVAL),
    ("bind to a negative length", lambda p: p("bind", tcp(p), p.store(NAME), -1), -EINVAL),
    ("bind to an overlong address", lambda p: p("bind", tcp(p), p.room(200), 129), -EINVAL),
    ("connect to an address nowhere", lambda p: p("connect", tcp(p), BAD, 16), -EFAULT),
    ("connect to a short address", lambda p: p("connect", tcp(p), p.store(NAME), 1), -EINVAL),
    ("connect of UDP to a short address",
     lambda p: p("connect", udp(p), p.store(NAME), 8), -EINVAL),
    ("connect on no descriptor", lambda p: p("connect", 999, BAD, 16), -EBADF),
    ("connect on a pipe with an address nowhere",
     lambda p: (where := p.room(8), p("pipe2", where, 0),
                p("connect", int.from_bytes(p.load(where, 4), "little"), BAD, 16))[-1], -EFAULT),
    ("connect on a pipe",
     lambda p: (where := p.room(8), p("pipe2", where, 0),
                p("connect", int.from_bytes(p.load(where, 4), "little"), p.store(NAME), 16))[-1],
     -ENOTSOCK),
    ("getsockname to nowhere",
     lambda p: p("getsockname", tcp(p), BAD, p.store(pack("i", 16))), -EFAULT),
    ("getsockname without a length", lambda p: p("getsockname", tcp(p), p.room(16), 0), -EFAULT),
    ("getsockname of a negative length",
     lambda p: p("getsockname", tcp(p), p.room(16), p.store(pack("i", -1))), -EINVAL),
    ("getsockname of no length",
     lambda p: (size := p.store(pack("i", 0)), p("getsockname", tcp(p), BAD, size),
                p.load(size, 4))[1:], (0, pack("i", 16))),
    ("accept with unknown flags", lambda p: p("accept4", tcp(p), 0, 0, 1), -EINVAL),
    ("socketpair to nowhere", lambda p: p("socketpair", 1, 1, 0, BAD), -EFAULT),
    ("setsockopt from nowhere", lambda p: p("setsockopt", tcp(p), 1, 2, BAD, 4), -EFAULT),
    ("setsockopt of a negative length",
     lambda p: p("setsockopt", tcp(p), 1, 2, p.room(4), -1), -EINVAL),
    ("getsockopt to nowhere",
     lambda p: p("getsockopt", tcp(p), 1, 3, BAD, p.store(pack("i", 4))), -EFAULT),
    ("getsockopt without a length", lambda p: p("getsockopt", tcp(p), 1, 3, p.room(4), 0), -EFAULT),
    ("getsockopt of a negative length", lambda p: sockopt_room(p, -1), -EINVAL),
    ("getsockopt of no length", lambda p: sockopt_room(p, 0), 0),
    ("ioctl to nowhere", lambda p: p("ioctl", conn(p)[0], 0x541B, BAD), -EFAULT),
    ("FIONBIO from nowhere", lambda p: p("ioctl", conn(p)[0], 0x5421, BAD), -EFAULT),
    ("SIOCGIFADDR from nowhere", lambda p: p("ioctl", tcp(p), 0x8915, BAD), -EFAULT),
    ("SIOCGIFCONF from nowhere", lambda p: p("ioctl", tcp(p), 0x8912, BAD), -EFAULT),
    ("SIOCGIFCONF of one interface",
     lambda p: (conf := p.store(pack("i4xQ", 79, where := p.room(80))),
                p("ioctl", tcp(p), 0x8912, conf), p.load(conf, 4), p.load(where, 3),
                p.load(where + 20, 4))[1:],
     (0, pack("i", 40), b"lo\0", b"\x7f\0\0\1")),
    ("poll of nowhere", lambda p: p("poll", BAD, 1, 0), -EFAULT),
    ("poll of too many", lambda p: p("poll", p.room(8), 1 << 30, 0), -EINVAL),
    ("epoll_wait to nowhere",
     lambda p: (e := p("epoll_create1", 0), fd := conn(p)[0],
                p("epoll_ctl", e, 1, fd, p.store(pack("=IQ", 4, 0))),
                p("epoll_wait", e, BAD, 1, 0))[-1], -EFAULT),
    ("epoll_wait for nothing",
     lambda p: p("epoll_wait", p("epoll_create1", 0), BAD, 0, 0), -EINVAL),
    ("epoll_wait for less than nothing",
     lambda p: p("epoll_wait", p("epoll_create1", 0), BAD, -1, 0), -EINVAL),
    ("epoll_wait on a socket", lambda p: p("epoll_wait", tcp(p), p.room(12), 1, 0), -EINVAL),
    ("epoll_ctl from nowhere", lambda p: p("epoll_ctl", p("epoll_create1", 0), 1, tcp(p), BAD),
     -EFAULT),
    ("epoll_ctl of an unknown kind",
     lambda p: p("epoll_ctl", p("epoll_create1", 0), 9, tcp(p), p.room(12)), -EINVAL),
    ("epoll_create1 with unknown flags", lambda p: p("epoll_create1", 1), -EINVAL),
    # -- struct msghdr -----------------------------------------------------------------------------
    ("sendmsg from nowhere", lambda p: p("sendmsg", udp(p), BAD, 0), -EFAULT),
    ("sendmsg with too many pieces",
     lambda p: p("sendmsg", udp(p), p.store(message(p, b"x", n=1025)), 0), -EMSGSIZE),
    ("sendmsg with pieces nowhere",
     lambda p: p("sendmsg", udp(p), p.store(message(p, b"x", vec=BAD)), 0), -EFAULT),
    ("sendmsg with a negative name length",
     lambda p: p("sendmsg", udp(p), p.store(message(p, b"x", name=p.room(16), namelen=1 << 31)), 0),
     -EINVAL),
    ("sendmsg with a negative name length and no name",
     lambda p: p("sendmsg", udp(p), p.store(message(p, b"x", namelen=1 << 31)), 0), 1),
    ("sendmsg with a name nowhere",
     lambda p: p("sendmsg", udp(p), p.store(message(p, b"x", name=BAD, namelen=16)), 0), -EFAULT),
    ("sendmsg with too much control",
     lambda p: p("sendmsg", udp(p), p.store(message(p, b"x", controllen=1 << 31)), 0), -ENOBUFS),
    ("sendmsg with control nowhere",
     lambda p: p("sendmsg", udp(p), p.store(message(p, b"x", control=BAD, controllen=32)), 0),
     -EFAULT),
    ("sendmsg with a control message longer than its room",
     lambda p: p("sendmsg", udp(p),
                 p.store(message(p, b"x", control=p.store(pack("Qii", 99, 0, 2)), controllen=16)),
                 0), -EINVAL),
    ("sendmsg with a control message shorter than its head",
     lambda p: p("sendmsg", udp(p),
                 p.store(message(p, b"x", control=p.store(pack("Qii", 15, 0, 2)), controllen=16)),
                 0), -EINVAL),
    ("recvmsg into nowhere", lambda p: p("recvmsg", udp(p), BAD, DONTWAIT), -EFAULT),
    ("recvmsg with too many pieces",
     lambda p: p("recvmsg", udp(p), p.store(message(p, b"x", n=1025)), DONTWAIT), -EMSGSIZE),
    ("writev with too many pieces",
     lambda p: p("writev", udp(p), p.room(16 * 1025), 1025), -EINVAL),
    ("writev with a negative piece",
     lambda p: p("writev", udp(p), p.store(pack("Qq", p.room(1), -1)), 1), -EINVAL),
    ("writev from nowhere", lambda p: p("writev", udp(p), BAD, 1), -EFAULT),
    # -- sendmmsg, recvmmsg ------------------------------------------------------------------------
    ("sendmmsg on no socket", lambda p: p("sendmmsg", 999, BAD, 1, 0), -EBADF),
    ("sendmmsg of none", lambda p: p("sendmmsg", udp(p), BAD, 0, 0), 0),
    ("sendmmsg from nowhere", lambda p: p("sendmmsg", udp(p), BAD, 1, 0), -EFAULT),
    ("sendmmsg of three",
     lambda p: sent_and_lengths(p, udp(p), *[message(p, bytes(n)) for n in (5, 0, 70)]),
     (3, [5, 0, 70])),
    ("sendmmsg that fails at the third",
     lambda p: sent_and_lengths(p, udp(p), message(p, b"ab"), message(p, b"c"),
                                message(p, b"", vec=BAD), message(p, b"d")), (2, [2, 1, 0, 0])),
    ("sendmmsg that fails at once",
     lambda p: sent_and_lengths(p, udp(p), message(p, b"", vec=BAD), message(p, b"x")),
     (-EFAULT, [0, 0])),
    ("sendmmsg of more than 1024",
     lambda p: p("sendmmsg", udp(p), messages(p, *[message(p, b"")] * 1100), 1100, 0), 1024),
    ("sendmmsg on a stream that is full stops in the middle",
     lambda p: (fd := conn(p)[0],
                p("setsockopt", fd, 1, 7, p.store(pack("i", 4096)), 4),
                p("fcntl", fd, 4, 0o4000),
                1 <= p("sendmmsg", fd, messages(p, *[message(p, bytes(1 << 19))] * 40), 40, 0) < 40
                )[-1], True),
    ("recvmmsg on no socket", lambda p: p("recvmmsg", 999, BAD, 1, 0, 0), -EBADF),
    ("recvmmsg with a time that is none",
     lambda p: p("recvmmsg", 999, BAD, 1, 0, p.store(pack("qq", 0, 10**9))), -EINVAL),
    ("recvmmsg with a time below zero",
     lambda p: p("recvmmsg", 999, BAD, 1, 0, p.store(pack("qq", -1, 0))), -EINVAL),
    ("recvmmsg with a time nowhere", lambda p: p("recvmmsg", 999, BAD, 1, 0, BAD), -EFAULT),
    ("recvmmsg of none", lambda p: p("recvmmsg", udp(p), BAD, 0, 0, 0), 0),
    ("recvmmsg into nowhere", lambda p: p("recvmmsg", udp(p), BAD, 1, DONTWAIT, 0), -EFAULT),
    ("recvmmsg when there is nothing", lambda p: received(p, (), 2, DONTWAIT), (-EAGAIN, [])),
    ("recvmmsg of all", lambda p: received(p, (3, 0, 50), 3, 0), (3, [3, 0, 50])),
    ("recvmmsg of fewer than asked for", lambda p: received(p, (3, 4), 5, DONTWAIT), (2, [3, 4])),
    ("recvmmsg of more than 1024 at the end of a stream",
     lambda p: (ends := conn(p), p("close", ends[1]),
                p("recvmmsg", ends[0], messages(p, *[message(p, b"")] * 1100), 1100, 0, 0))[-1],
     1100),
    ("recvmmsg that waits for one", lambda p: received(p, (3, 4), 5, WAITFORONE), (2, [3, 4])),
    ("recvmmsg whose time is over after the first",
     lambda p: received(p, (3, 4), 2, 0, p.store(pack("qq", 0, 0))), (1, [3])),
    ("recvmmsg of one after an error", recv_after_refusal, (-111, -EAGAIN)),
    # -- what counts as connected ------------------------------------------------------------------
    ("connect of a connected stream with an address",
     lambda p: p("connect", conn(p)[0], p.store(NAME), 16), -EISCONN),
    ("splice of a negative length",
     lambda p: p("splice", 999, 0, 998, 0, -1, 0), -EBADF),
    ("splice with unknown flags", lambda p: p("splice", 999, 0, 998, 0, 1, 16), -EINVAL),
    ("splice of nothing", lambda p: p("splice", 999, 0, 998, 0, 0, 0), 0),
]  # fmt: skip


IDS = [name for name, _, _ in CASES]
PAIRS = [(call, outcome) for _, call, outcome in CASES]


@pytest.mark.parametrize(("call", "outcome"), PAIRS, ids=IDS)
def test_the_outcome_on_a_machine_of_ours(call: Callable[[Any], object], outcome: object) -> None:
    kernel = boot(VirtualClock())
    assert run_in_process(kernel, call) == outcome
    assert kernel.oops is None


@needs_linux
@pytest.mark.parametrize(("call", "outcome"), PAIRS, ids=IDS)
def test_the_outcome_under_linux(call: Callable[[Any], object], outcome: object) -> None:
    assert call(LinuxProgram()) == outcome
