"""Path MTU discovery without ICMP (RFC 4821)."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import TCP

from pyhost.kernel.clock import NSEC_PER_SEC
from tests.unit.net.ipv4.tcp_apps import send
from tests.unit.net.ipv4.tcp_peer import Script

WIDE = [("MSS", 1460), ("NOP", None), ("WScale", 7)]


def probing(mode: int = 2, base: int = 512) -> tuple[Script, Any]:
    """A connection that sends 512-byte segments on a path of 1500, and may probe."""
    sysctls = {"tcp_mtu_probing": mode, "tcp_base_mss": base, "tcp_timestamps": 0}
    t = Script(sysctls={f"net.ipv4.{name}": str(value) for name, value in sysctls.items()})
    sk = t.connect(WIDE, window=65535)
    t.send("A", ack=1, window=8000)
    sk.snd_cwnd = 12
    return t, sk


def sizes(t: Script) -> list[int]:
    return [len(t.take()[TCP].payload) for _ in range(len(t.got))]


def test_a_probe_half_way_between_what_passes_and_the_mtu_goes_first() -> None:
    """search_low 552, search_high 1500: the probe makes a packet of 1026 bytes."""
    t, sk = probing()
    assert sk.mss_cache == 512
    t.app(lambda: send(sk, bytes(6000)))
    assert sizes(t)[:3] == [986, 512, 512]
    assert (sk.snd_cwnd, sk.mtup_probe_size) == (11, 1026)


def test_an_acknowledged_probe_raises_the_mss_and_shrinks_the_window_in_proportion() -> None:
    t, sk = probing()
    t.app(lambda: send(sk, bytes(6000)))
    t.got.clear()
    cwnd = sk.snd_cwnd
    t.send("A", ack=987, window=8000)
    assert sk.mss_cache == 986
    assert sk.snd_cwnd <= cwnd * 552 // 1026 + 1
    assert t.net.mib["TCPMTUPSuccess"] == 1


def test_the_bytes_of_the_stream_stay_in_order() -> None:
    t, sk = probing()
    data = bytes(range(250)) * 24
    t.app(lambda: send(sk, data))
    assert b"".join(bytes(t.take()[TCP].payload) for _ in range(len(t.got))) == data
    assert sk.sk_wmem_queued == sum(skb.truesize for skb in sk.tcp_rtx_queue)


@pytest.mark.parametrize(
    "change",
    [
        lambda sk: setattr(sk, "snd_cwnd", 10),
        lambda sk: setattr(sk, "mtup_probe_size", 1026),
        lambda sk: setattr(sk, "dsack", (1, 2)),
        lambda sk: setattr(sk, "snd_wnd", 3000),
        lambda sk: setattr(sk, "mtup_enabled", False),
    ],
    ids=["small window", "probe under way", "SACK to send", "small peer window", "off"],
)
def test_no_probe_when_its_loss_could_not_be_told(change: Any) -> None:
    t, sk = probing()
    change(sk)
    t.app(lambda: send(sk, bytes(6000)))
    sent = sizes(t)
    assert sent
    assert 986 not in sent


def test_no_probe_with_too_little_data_behind_it() -> None:
    t, sk = probing()
    t.app(lambda: send(sk, bytes(2900)))
    assert 986 not in sizes(t)


def test_the_search_ends_when_the_interval_is_small_and_begins_anew_after_ten_minutes() -> None:
    t, sk = probing()
    t.net.tcp.slow_start_after_idle = 0
    sk.mtup_search_low = sk.mtup_search_high - 7
    t.app(lambda: send(sk, bytes(6000)))
    assert sk.mtup_probe_size == 0
    t.send("A", ack=6001, window=8000)
    t.run(600_000)
    t.app(lambda: send(sk, bytes(3000)))
    assert sk.mtup_probe_timestamp == pytest.approx(t.clock.now, abs=NSEC_PER_SEC)


def test_a_black_hole_shrinks_the_segments_once_probing_is_allowed() -> None:
    """Mode 1: nothing is done until the same segment has timed out a few times."""
    t, sk = probing(mode=1, base=536)
    assert not sk.mtup_enabled
    t.app(lambda: send(sk, bytes(1400)))
    t.expect("PA", size=1400)
    t.run(20_000)
    assert sk.mtup_enabled
    assert sk.mss_cache <= 536
    assert min(sizes(t)) <= 536
