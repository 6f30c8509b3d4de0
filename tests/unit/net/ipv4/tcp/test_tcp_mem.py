"""Memory: the pool that all TCP sockets share, the send buffer, and who is woken when."""

from __future__ import annotations

from typing import Any

import pytest

from pyhost.net.core.stream import SOCK_MIN_SNDBUF
from pyhost.net.ipv4.tcp.tcp_mem import (
    sk_mem_uncharge,
    sk_rmem_schedule,
    sk_wmem_schedule,
    tcp_sndbuf_expand,
    tcp_wmem_schedule,
)
from pyhost.uapi.errno import EAGAIN
from pyhost.uapi.socket import MSG_DONTWAIT
from tests.unit.net.ipv4.tcp.tcp_apps import new_socket, send
from tests.unit.net.ipv4.tcp.tcp_peer import Script

PAGE = 4096


def tight(low: int = 10, pressure: int = 20, hard: int = 30) -> tuple[Script, Any]:
    """A machine with few pages for TCP, and a socket that has used its minimum."""
    t = Script(sysctls={"net.ipv4.tcp_mem": f"{low} {pressure} {hard}"})
    sk = new_socket(t.host)
    sk.sk_wmem_queued = sk.sk_rmem_alloc = 5000
    return t, sk


# -- the pool --------------------------------------------------------------------------------------


@pytest.mark.claim("S46")
def test_above_the_hard_limit_a_sender_below_its_buffer_is_refused() -> None:
    """It could not wait for room, as it has room; so it must fail."""
    t, sk = tight()
    sk.sk_sndbuf, sk.sk_sndbuf_lock = 1 << 20, True
    assert sk_wmem_schedule(sk, 29 * PAGE)
    assert not sk_wmem_schedule(sk, 40 * PAGE)
    assert t.net.tcp.memory_allocated == 29


@pytest.mark.claim("S46")
def test_above_the_hard_limit_a_sender_over_its_buffer_is_served() -> None:
    """It will have to wait anyway; its buffer shrinks to half of what is queued."""
    t, sk = tight()
    sk.sk_wmem_queued = 60_000
    sk.sk_sndbuf = 61_000
    assert sk_wmem_schedule(sk, 31 * PAGE)
    assert sk.sk_sndbuf == 30_000
    assert t.net.tcp.memory_pressure


@pytest.mark.claim("S46")
def test_under_pressure_those_who_use_most_are_refused_first() -> None:
    t, greedy = tight()
    modest = new_socket(t.host)
    modest.sk_wmem_queued = 5000
    assert sk_wmem_schedule(greedy, 22 * PAGE)
    assert t.net.tcp.memory_pressure
    greedy.sk_wmem_queued = 22 * PAGE
    greedy.sk_sndbuf = 1 << 20
    greedy.sk_sndbuf_lock = True
    assert not sk_wmem_schedule(greedy, 24 * PAGE)
    assert sk_wmem_schedule(modest, 2 * PAGE)


@pytest.mark.claim("S46")
@pytest.mark.parametrize("schedule", [sk_wmem_schedule, sk_rmem_schedule])
def test_a_socket_below_its_minimum_is_served_under_pressure(schedule: Any) -> None:
    t, other = tight()
    assert sk_wmem_schedule(other, 25 * PAGE)
    small = new_socket(t.host)
    assert schedule(small, PAGE)
    assert t.net.tcp.memory_allocated == 26


def test_nothing_grows_under_pressure_and_all_comes_back() -> None:
    t, sk = tight()
    assert sk_wmem_schedule(sk, 25 * PAGE)
    sk.sk_forward_alloc -= 25 * PAGE
    sk_mem_uncharge(sk, 20 * PAGE)
    assert not t.net.tcp.memory_pressure
    sk_mem_uncharge(sk, 5 * PAGE)
    assert t.net.tcp.memory_allocated == 0


def test_a_writer_gets_as_much_as_can_be_charged() -> None:
    """What tcp_wmem[0] guarantees, when nothing else is left; then nothing."""
    t, sk = tight(1, 2, 2)
    t.net.tcp.memory_allocated = 2
    sk.sk_sndbuf = sk.sk_wmem_queued + 100_000
    sk.sk_sndbuf_lock = True
    sk.sk_wmem_queued = 3000
    assert tcp_wmem_schedule(sk, 50_000) == PAGE
    sk.sk_forward_alloc = 0
    sk.sk_wmem_queued = 5000
    assert tcp_wmem_schedule(sk, 50_000) == 0


# -- the send buffer -------------------------------------------------------------------------------


def test_the_buffer_holds_two_windows_of_skbs() -> None:
    """2 × cwnd × what an MSS costs: a power of two above 1460 + 320 + 320, and an sk_buff."""
    t = Script()
    sk = t.connect()
    sk.snd_cwnd = 100
    tcp_sndbuf_expand(sk)
    assert sk.sk_sndbuf == 2 * 100 * (4096 + 256)
    sk.snd_cwnd = 100_000
    tcp_sndbuf_expand(sk)
    assert sk.sk_sndbuf == t.net.tcp.wmem[2]


@pytest.mark.claim("S22")
def test_a_buffer_that_starves_the_window_grows_with_the_acks() -> None:
    t = Script()
    t.host.dev.gso_max_segs = 1
    sk = t.connect([("MSS", 1460), ("NOP", None), ("WScale", 7)])
    t.send("A", ack=1, window=8000)
    before = sk.sk_sndbuf
    t.start(lambda: send(sk, bytes(400_000)))
    ack = 1
    for _ in range(8):
        ack = (sk.snd_nxt - t.host_isn) % 2**32
        t.send("A", ack=ack, window=8000)
    assert sk.sk_sndbuf > before
    sk.sk_sndbuf_lock = True
    fixed = sk.sk_sndbuf
    for _ in range(4):
        t.send("A", ack=(sk.snd_nxt - t.host_isn) % 2**32, window=8000)
    assert sk.sk_sndbuf == fixed


@pytest.mark.claim("S22")
def test_a_write_may_overrun_the_buffer_by_one_skb() -> None:
    """Room is asked for only when a new skb is begun, and a super-segment is big."""
    t = Script()
    sk = t.connect()
    sk.sk_sndbuf, sk.sk_sndbuf_lock = SOCK_MIN_SNDBUF, True
    sk.snd_cwnd = 1
    taken = t.app(lambda: send(sk, bytes(100_000), MSG_DONTWAIT))
    goal = 22 * 1460
    assert taken == goal + 1460
    assert t.app(lambda: send(sk, b"x", MSG_DONTWAIT)) == -EAGAIN
