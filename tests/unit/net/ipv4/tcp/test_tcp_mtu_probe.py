"""Path MTU discovery without ICMP (RFC 4821)."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import TCP

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.ipv4.tcp.tcp_sock import TCP_CA_RECOVERY
from tests.unit.net.ipv4.tcp.tcp_apps import send
from tests.unit.net.ipv4.tcp.tcp_peer import Script

PROBE_SYSCTLS = {"mtu_probing": "2", "base_mss": "512", "timestamps": "0"}
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


def test_a_lost_probe_lowers_the_search_and_leaves_the_window() -> None:
    """What followed the probe arrives, so the path is too narrow and not congested."""
    t = Script(sysctls={f"net.ipv4.tcp_{k}": v for k, v in PROBE_SYSCTLS.items()})
    sk = t.connect([("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)], window=65535)
    t.send("A", ack=1, window=8000)
    sk.snd_cwnd = 12
    t.app(lambda: send(sk, bytes(6000)))
    assert sizes(t)[0] == 986
    right = (t.host_isn + 987) % 2**32
    for end in range(1, 5):
        sack = [("NOP", None), ("NOP", None), ("SAck", (right, right + end * 512))]
        t.send("A", ack=1, window=8000, options=sack)
    assert t.net.mib["TCPMTUPFail"] == 1
    assert (sk.mtup_search_high, sk.mtup_probe_size) == (1025, 0)
    assert sk.snd_cwnd >= 12
    assert (1, 512) in [((p[TCP].seq - t.host_isn) % 2**32, len(p[TCP].payload)) for _, p in t.got]


def test_a_loss_in_front_of_the_probe_is_a_loss() -> None:
    t = Script(sysctls={f"net.ipv4.tcp_{k}": v for k, v in PROBE_SYSCTLS.items()})
    sk = t.connect([("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)], window=65535)
    t.send("A", ack=1, window=8000)
    sk.mtup_enabled = False
    t.app(lambda: send(sk, bytes(4096)))
    sk.mtup_probe_size, sk.mtu_probe_seq_start = 1026, sk.snd_una + 512
    right = (t.host_isn + 513) % 2**32
    for end in range(1, 5):
        sack = [("NOP", None), ("NOP", None), ("SAck", (right, right + end * 512))]
        t.send("A", ack=1, window=8000, options=sack)
    assert "TCPMTUPFail" not in t.net.mib
    assert sk.icsk_ca_state == TCP_CA_RECOVERY
