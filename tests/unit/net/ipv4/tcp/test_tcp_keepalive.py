"""Keepalive: when an idle connection is asked whether its peer lives (RFC 1122 section 4.2.3.6)."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import TCP

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.sock import TCP_CLOSE, TCP_ESTABLISHED
from pyhost.net.core.sockopt import sock_setsockopt
from pyhost.uapi.errno import ETIMEDOUT
from pyhost.uapi.socket import INT, SO_KEEPALIVE
from pyhost.uapi.tcp import TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_USER_TIMEOUT
from tests.unit.net.ipv4.tcp.tcp_apps import send, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import Script


def kept(idle: int = 10, interval: int = 2, probes: int = 3, **sysctls: str) -> tuple[Script, Any]:
    """A connection with keepalive and its options (s, s, count)."""
    t = Script(sysctls={f"net.ipv4.tcp_{name}": value for name, value in sysctls.items()})
    sk = t.connect()

    def options() -> None:
        set_option(sk, TCP_KEEPIDLE, idle)
        set_option(sk, TCP_KEEPINTVL, interval)
        set_option(sk, TCP_KEEPCNT, probes)
        assert sock_setsockopt(sk, SO_KEEPALIVE, INT.pack(1)) == 0

    t.app(options)
    return t, sk


def sent(t: Script) -> list[tuple[int, str]]:
    """(s, flags) of what was sent."""
    rows = [(when // (1000 * NSEC_PER_MSEC), str(p[TCP].flags)) for when, p in t.got]
    t.got.clear()
    return rows


def test_the_options_of_the_socket_say_when_and_how_often() -> None:
    t, sk = kept(idle=5, interval=3, probes=2)
    t.run(30_000)
    assert sent(t) == [(5, "A"), (8, "A"), (11, "RA")]
    assert (sk.sk_state, sk.sk_err) == (TCP_CLOSE, ETIMEDOUT)
    assert t.net.mib["TCPKeepAlive"] == 2


def test_a_probe_is_empty_and_has_a_number_that_the_peer_had_already() -> None:
    t, _ = kept()
    t.run(10_500)
    tcp = t.expect("A", seq=0, ack=1, size=0)
    assert tcp is not None


def test_an_answer_starts_the_count_anew() -> None:
    t, sk = kept(probes=2)
    for _ in range(5):
        t.run(10_100)
        assert [flags for _, flags in sent(t)] == ["A"]
        t.send("A", ack=1)
    assert (sk.sk_state, sk.icsk_probes_out) == (TCP_ESTABLISHED, 0)


def test_data_from_the_peer_puts_the_probe_off() -> None:
    t, _ = kept()
    t.run(9_000)
    t.send("PA", ack=1, load=b"x")
    t.got.clear()
    t.run(9_000)
    assert not [row for row in sent(t) if row[0] > 9]
    t.run(1_500)
    assert sent(t) == [(19, "A")]


def test_what_is_not_acknowledged_is_the_business_of_the_retransmission_timer() -> None:
    t, sk = kept(idle=1, interval=1, probes=1)
    t.app(lambda: send(sk, b"x"))
    t.run(20_000)
    assert sk.sk_state == TCP_ESTABLISHED
    assert "TCPKeepAlive" not in t.net.mib


def test_the_user_timeout_takes_the_place_of_the_number_of_probes() -> None:
    """RFC 5482: the connection ends at the first probe time after the timeout, not before."""
    t, sk = kept(idle=5, interval=2, probes=2)
    t.app(lambda: set_option(sk, TCP_USER_TIMEOUT, 10_500))
    t.run(10_000)
    assert sk.sk_state == TCP_ESTABLISHED
    t.run(2_000)
    assert [row[0] for row in sent(t)] == [5, 7, 9, 11]
    assert (sk.sk_state, sk.sk_err) == (TCP_CLOSE, ETIMEDOUT)


def test_a_longer_idle_time_moves_a_probe_that_waits_already() -> None:
    t, sk = kept(idle=5)
    t.run(2_000)
    t.app(lambda: set_option(sk, TCP_KEEPIDLE, 20))
    t.run(17_500)
    assert not sent(t)
    t.run(1_000)
    assert sent(t) == [(20, "A")]


def test_a_task_that_owns_the_socket_puts_the_probe_off_by_50_ms() -> None:
    t, sk = kept(idle=5)
    t.app(sk.lock_sock)
    t.run(5_010)
    assert not sent(t)
    sk.release_sock()
    t.run(50)
    assert sent(t) == [(5, "A")]


def test_a_user_timeout_shorter_than_the_idle_time_still_allows_one_probe() -> None:
    t, sk = kept(idle=5, interval=2)
    t.app(lambda: set_option(sk, TCP_USER_TIMEOUT, 1_000))
    t.run(8_000)
    assert sent(t) == [(5, "A"), (7, "RA")]
