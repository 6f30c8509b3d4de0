"""Connections without a process, and TIME_WAIT: how many a machine keeps, and for how long."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import TCP

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.sock import TCP_CLOSE, TCP_FIN_WAIT1
from pyhost.uapi.errno import EHOSTUNREACH
from tests.unit.net.ipv4.tcp.tcp_apps import close, send
from tests.unit.net.ipv4.tcp.tcp_peer import Script


def orphan(t: Script) -> Any:
    """A closed connection whose data and FIN the peer does not acknowledge."""
    sk = t.connect()
    t.app(lambda: send(sk, bytes(100)))
    t.app(lambda: close(sk))
    assert sk.sk_state == TCP_FIN_WAIT1
    t.got.clear()
    return sk


def flags(t: Script) -> list[str]:
    return [str(t.take()[TCP].flags) for _ in range(len(t.got))]


def test_close_above_tcp_max_orphans_is_a_reset() -> None:
    t = Script(sysctls={"net.ipv4.tcp_max_orphans": "0"})
    sk = t.connect()
    t.app(lambda: send(sk, bytes(100)))
    t.got.clear()
    t.app(lambda: close(sk))
    assert "R" in flags(t)[-1]
    assert sk.sk_state == TCP_CLOSE
    assert t.net.mib["TCPAbortOnMemory"] == 1


def test_an_orphan_that_gets_nowhere_counts_double_when_the_timer_fires() -> None:
    """With an ICMP error one orphan counts as two, which is above the limit of one."""
    t = Script(sysctls={"net.ipv4.tcp_max_orphans": "1"})
    sk = orphan(t)
    t.run(400)
    assert sk.sk_state == TCP_FIN_WAIT1
    sk.sk_err_soft = EHOSTUNREACH
    t.got.clear()
    t.run(2000)
    assert sk.sk_state == TCP_CLOSE
    assert flags(t)[-1] == "RA"
    assert (t.net.mib["TCPAbortOnMemory"], t.net.tcp.orphan_count) == (1, 0)


def test_memory_over_the_hard_limit_ends_orphans_that_hold_some() -> None:
    t = Script()
    sk = orphan(t)
    t.net.tcp.mem = (0, 0, 0)
    t.run(500)
    assert sk.sk_state == TCP_FIN_WAIT1, "it holds next to nothing"
    sk.sk_wmem_queued += 10000
    t.run(2000)
    assert sk.sk_state == TCP_CLOSE
    sk.sk_wmem_queued -= 10000


def test_an_orphan_with_a_closed_window_gives_up_after_tcp_orphan_retries() -> None:
    t = Script(sysctls={"net.ipv4.tcp_orphan_retries": "2"})
    sk = t.connect()
    t.send("A", ack=1, window=0)
    t.app(lambda: send(sk, bytes(100)))
    t.app(lambda: close(sk))
    t.run(30000)
    assert sk.sk_state == TCP_CLOSE
    assert t.net.mib["TCPAbortOnTimeout"] == 1


def test_no_more_time_wait_than_tcp_max_tw_buckets() -> None:
    t = Script(sysctls={"net.ipv4.tcp_max_tw_buckets": "0"})
    sk = t.connect()
    t.app(lambda: close(sk))
    t.send("FA", seq=1, ack=2)
    assert (t.net.tcp.tw_count, t.net.mib["TCPTimeWaitOverflow"]) == (0, 1)
    assert not t.net.tcp.ehash


def closed_window(t: Script) -> Any:
    """An orphan whose data does not fit the peer's window."""
    sk = t.connect()
    t.send("A", ack=1, window=0)
    t.app(lambda: send(sk, bytes(100)))
    t.app(lambda: close(sk))
    return sk


def test_an_orphan_with_a_closed_window_is_given_up_when_there_are_too_many() -> None:
    t = Script(sysctls={"net.ipv4.tcp_max_orphans": "1"})
    sk = closed_window(t)
    sk.sk_err_soft = EHOSTUNREACH
    t.run(1500)
    assert sk.sk_state == TCP_CLOSE
    assert flags(t)[-1] == "RA"
    assert t.net.mib["TCPAbortOnMemory"] == 1


def test_an_orphan_that_waits_the_longest_time_already_is_not_probed_again() -> None:
    """After 40 s and 80 s the next wait would be 160 s, above the limit of the timer."""
    t = Script()
    sk = t.connect()
    t.send("A", ack=1, window=0)
    sk.icsk_rto = 40 * NSEC_PER_SEC
    t.app(lambda: send(sk, bytes(100)))
    sk.sk_err_soft = EHOSTUNREACH
    t.app(lambda: close(sk))
    t.run(250_000)
    assert sk.sk_state == TCP_CLOSE
    assert t.net.mib["TCPWinProbe"] == 2
