"""Whole transfers between two machines: every byte arrives, whatever the cable does, and nothing is
left behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from pyhost.net.core.netdevice import NETIF_F_TSO
from tests.unit.net.ipv4.tcp.tcp_apps import accept, close, connect, listener, read_all, send, write
from tests.unit.net.support import B_ADDR, Pair, two_hosts


def transfer(pair: Pair, data: bytes, chunk: int = 1 << 16, rcvbuf: int = 0) -> bytes:
    """Send `data` from a to b, close both ends, let everything end."""
    server = listener(pair.b, 7, rcvbuf=rcvbuf)
    got: list[bytes] = []

    def serve() -> None:
        sk = accept(server)
        got.append(read_all(sk, chunk))
        close(sk)
        close(server)

    def client() -> None:
        sk = connect(pair.a, B_ADDR, 7)
        write(sk, data, chunk)
        close(sk)

    pair.b.spawn(serve)
    pair.a.spawn(client)
    pair.run()
    return got[0]


def assert_nothing_left(pair: Pair) -> None:
    for host in (pair.a, pair.b):
        net = host.net
        assert net.skbs.alive == 0
        assert net.sockets_in_use == 0
        assert host.kernel.timers.active == 0
        assert host.kernel.mem.kmalloc_in_use == 0
        tcp = net.tcp
        assert (tcp.memory_allocated, tcp.orphan_count) == (0, 0)
        assert (tcp.ehash, tcp.lhash, tcp.bhash) == ({}, {}, {})


def hostile(seed: int, host: Any, loss: float, dup: float, late: float) -> Callable[[bytes], bool]:
    """A cable that loses, doubles and delays frames, by seed. ARP is spared."""
    rng = random.Random(seed)
    nic = host.nic
    clock = nic.kernel.clock

    def lose(frame: bytes) -> bool:
        if frame[12:14] != b"\x08\x00":
            return False
        draw = rng.random()
        if draw < loss:
            return True
        if draw < loss + dup:
            clock.call_at(clock.now + 2000, lambda: nic.peer.inject(frame))
        elif draw < loss + dup + late:
            clock.call_at(clock.now + rng.randrange(3000, 400_000), lambda: nic.peer.inject(frame))
            return True
        return False

    return lose


@pytest.mark.parametrize("size", [0, 1, 1447, 1448, 1449, 65535, 300_000])
def test_every_byte_arrives_and_nothing_is_left(size: int) -> None:
    pair = two_hosts()
    data = random.Random(size).randbytes(size)
    assert transfer(pair, data) == data
    assert_nothing_left(pair)
    assert not pair.a.net.drops
    assert not pair.b.net.drops


@pytest.mark.claim("S48")
@pytest.mark.parametrize("sack", [0, 1])
@pytest.mark.parametrize("seed", range(8))
def test_a_hostile_cable_changes_no_byte(seed: int, sack: int) -> None:
    """Loss, duplication and reordering in both directions, with SACK and with NewReno."""
    pair = two_hosts(seed=seed, sysctls={"net.ipv4.tcp_sack": str(sack)})
    pair.a.nic.lose = hostile(seed, pair.a, 0.03, 0.02, 0.04)
    pair.b.nic.lose = hostile(seed + 1000, pair.b, 0.03, 0.02, 0.02)
    data = random.Random(seed).randbytes(150_000)
    assert transfer(pair, data, chunk=20_000) == data
    assert_nothing_left(pair)
    assert pair.a.net.mib["TcpRetransSegs"] > 0


@pytest.mark.parametrize(
    "sysctls",
    [
        {"net.ipv4.tcp_timestamps": "0"},
        {"net.ipv4.tcp_window_scaling": "0"},
        {"net.ipv4.tcp_congestion_control": "reno"},
        {
            "net.ipv4.tcp_timestamps": "0",
            "net.ipv4.tcp_sack": "0",
            "net.ipv4.tcp_window_scaling": "0",
        },
    ],
)
def test_every_set_of_options_works(sysctls: dict[str, str]) -> None:
    pair = two_hosts(sysctls=sysctls)
    pair.a.nic.lose = hostile(5, pair.a, 0.02, 0.02, 0.02)
    data = random.Random(5).randbytes(100_000)
    assert transfer(pair, data) == data
    assert_nothing_left(pair)


def test_a_connection_to_oneself_works() -> None:
    """Over lo, which takes super-segments: one skb of many MSS goes down, and checksums stay
    PARTIAL.
    """
    pair = two_hosts()
    assert pair.a.net.devices["lo"].features & NETIF_F_TSO
    server = listener(pair.a, 7)
    data = random.Random(2).randbytes(250_000)
    got: list[bytes] = []

    def serve() -> None:
        sk = accept(server)
        got.append(read_all(sk))
        close(sk)
        close(server)

    def client() -> None:
        sk = connect(pair.a, 0x7F000001, 7)
        write(sk, data)
        close(sk)

    pair.a.spawn(serve)
    pair.a.spawn(client)
    pair.run()
    assert got == [data]
    assert_nothing_left(pair)


def test_a_small_receive_buffer_only_slows_down() -> None:
    pair = two_hosts()
    data = random.Random(3).randbytes(120_000)
    assert transfer(pair, data, rcvbuf=9000) == data
    assert_nothing_left(pair)


def test_both_directions_at_once() -> None:
    pair = two_hosts(seed=4)
    pair.a.nic.lose = hostile(4, pair.a, 0.02, 0.01, 0.02)
    server = listener(pair.b, 7)
    up, down = random.Random(6).randbytes(90_000), random.Random(7).randbytes(90_000)
    got: dict[str, bytes] = {}

    def serve() -> None:
        sk = accept(server)
        pair.b.spawn(lambda: got.__setitem__("up", read_all(sk)))
        write(sk, down)
        sk.lock_sock()
        sk.sk_shutdown |= 2
        sk.sk_prot.shutdown(sk, 2)
        sk.release_sock()

    def client() -> None:
        sk = connect(pair.a, B_ADDR, 7)
        pair.a.spawn(lambda: got.__setitem__("down", read_all(sk)))
        write(sk, up)
        sk.lock_sock()
        sk.sk_shutdown |= 2
        sk.sk_prot.shutdown(sk, 2)
        sk.release_sock()

    pair.b.spawn(serve)
    pair.a.spawn(client)
    pair.run()
    assert got == {"up": up, "down": down}


def test_the_same_seed_gives_the_same_frames_at_the_same_times() -> None:
    def run() -> list[tuple[int, bytes]]:
        pair = two_hosts(seed=11)
        pair.a.nic.lose = hostile(11, pair.a, 0.05, 0.02, 0.05)
        transfer(pair, random.Random(11).randbytes(50_000))
        return pair.a.nic.frames + pair.b.nic.frames

    assert run() == run()


def test_many_small_writes_do_not_exhaust_the_receiver() -> None:
    """A segment of one byte costs the receiver a whole skb, so small ones are joined."""
    pair = two_hosts()
    server = listener(pair.b, 7)
    got: list[bytes] = []

    def serve() -> None:
        sk = accept(server)
        pair.b.kernel.sched.schedule_timeout(2_000_000_000)
        got.append(read_all(sk))

    def client() -> None:
        sk = connect(pair.a, B_ADDR, 7)
        sk.nonagle = 1
        for _ in range(600):
            assert send(sk, b"x") == 1
            pair.a.kernel.sched.schedule_timeout(10_000)
        close(sk)

    pair.b.spawn(serve)
    pair.a.spawn(client)
    pair.run(3_000_000_000)
    assert got == [b"x" * 600]
    assert pair.b.net.mib["TCPRcvCoalesce"] > 0
