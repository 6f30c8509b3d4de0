"""Pacing: the rate that follows the window, and the gaps between segments, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from pyhost.net.core.sock import SK_PACING_FQ, SK_PACING_NEEDED, SK_PACING_UNLIMITED
from pyhost.net.core.sockopt import sock_getsockopt, sock_setsockopt
from pyhost.uapi.socket import INT, SO_MAX_PACING_RATE
from tests.unit.net.ipv4.tcp.tcp_apps import close, send
from tests.unit.net.ipv4.tcp.tcp_peer import Script

WIDE = [("MSS", 1460), ("NOP", None), ("WScale", 7)]


def wide_open(t: Script) -> Any:
    """A connection to a peer with a window of 1 MB."""
    sk = t.connect(WIDE, window=65535)
    t.send("A", ack=1, window=8000)
    return sk


def paced(t: Script, rate: int) -> Any:
    """A connection with SO_MAX_PACING_RATE, bytes a second, past the first ten segments."""
    sk = wide_open(t)
    t.app(lambda: send(sk, bytes(14_600)))
    t.got.clear()
    t.send("A", ack=14_601, window=8000)
    sk.snd_cwnd = 50
    sk.min_rtt_us = 100_000
    sk.tcp_wstamp_ns = t.clock.now
    sk.sk_pacing_status = SK_PACING_NEEDED
    sk.sk_max_pacing_rate = sk.sk_pacing_rate = rate
    return sk


def test_the_rate_is_twice_cwnd_over_srtt_in_slow_start_and_1_2_times_later() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"x"))
    t.run(10)
    t.send("A", ack=2)
    plain = sk.snd_cwnd * sk.mss_cache * 8 * 1_000_000 / sk.srtt_us
    assert sk.sk_pacing_rate == pytest.approx(2 * plain, rel=1e-6)
    sk.snd_ssthresh = sk.snd_cwnd
    t.app(lambda: send(sk, b"x"))
    t.run(10)
    t.send("A", ack=3)
    plain = sk.snd_cwnd * sk.mss_cache * 8 * 1_000_000 / sk.srtt_us
    assert sk.sk_pacing_rate == pytest.approx(1.2 * plain, rel=1e-6)


def test_segments_leave_at_the_maximal_rate() -> None:
    """1 000 000 bytes a second and two segments an skb: 2.92 ms from one to the next."""
    t = Script()
    sk = paced(t, 1_000_000)
    t.start(lambda: send(sk, bytes(29_200)))
    t.run(40)
    times = [when for when, _ in t.got]
    starts = sorted(set(times))
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert len(times) == 20
    assert gaps == [2_920_000] * 9


def test_what_came_late_is_made_good_by_half() -> None:
    """The second skb is written 2 ms after the first one's time was over: the third follows it
    after half of its gap.
    """
    t = Script()
    sk = paced(t, 1_000_000)
    t.app(lambda: send(sk, bytes(2920)))
    t.run(10)
    t.start(lambda: send(sk, bytes(5840)))
    t.run(10)
    starts = sorted({when for when, _ in t.got})
    assert [later - earlier for earlier, later in pairwise(starts[1:])] == [1_460_000]


def test_the_first_ten_segments_are_not_paced() -> None:
    t = Script()
    sk = wide_open(t)
    sk.sk_pacing_status = SK_PACING_NEEDED
    sk.sk_max_pacing_rate = sk.sk_pacing_rate = 1000
    t.app(lambda: send(sk, bytes(14_600)))
    assert len({when for when, _ in t.got}) == 1
    assert len(t.got) == 10


def test_with_fq_below_the_departure_time_is_written_on_the_packet() -> None:
    """TCP sends at once and leaves the waiting to the qdisc."""
    t = Script()
    sk = paced(t, 1_000_000)
    sk.sk_pacing_status = SK_PACING_FQ
    stamps: list[int] = []
    start = t.host.nic.ndo_start_xmit

    def note(skb: Any, dev: Any, more: bool) -> int:
        stamps.append(skb.tstamp)
        return start(skb, dev, more)

    t.host.nic.ndo_start_xmit = note  # type: ignore[method-assign]
    now = t.clock.now
    t.app(lambda: send(sk, bytes(5840)))
    assert len({when for when, _ in t.got}) == 1
    assert sorted({stamp - now for stamp in stamps}) == [0, 2_920_000]


def test_a_connection_that_ends_takes_its_pacing_timer_along() -> None:
    t = Script()
    sk = paced(t, 10_000)
    t.start(lambda: send(sk, bytes(14_600)))
    assert sk.pacing_timer.pending
    t.app(lambda: close(sk))
    t.send("R", ack=(sk.snd_nxt - t.host_isn) % 2**32)
    assert not sk.pacing_timer.pending
    assert t.net.sockets_in_use == 0


def test_so_max_pacing_rate_makes_tcp_pace_itself() -> None:
    t = Script()
    sk = t.connect()
    sock = SimpleNamespace(sk=sk)
    assert sk.sk_max_pacing_rate == SK_PACING_UNLIMITED
    t.app(lambda: sock_setsockopt(sk, SO_MAX_PACING_RATE, INT.pack(50_000)))
    assert (sk.sk_max_pacing_rate, sk.sk_pacing_status) == (50_000, SK_PACING_NEEDED)
    value = sock_getsockopt(sock, SO_MAX_PACING_RATE, 8)  # type: ignore[arg-type]
    assert value == (50_000).to_bytes(8, "little")
