"""Super-segments: how big they get, who cuts them, and when one waits to become bigger."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO
from pyhost.net.ipv4.tcp.tcp_window import tcp_send_mss
from pyhost.uapi.socket import MSG_EOR
from pyhost.uapi.tcp import TCP_NODELAY
from tests.unit.net.ipv4.tcp.tcp_apps import send, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import PLAIN_OPTIONS, SYN_OPTIONS, Script

TSO = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO
WIDE = [("MSS", 1460), ("NOP", None), ("WScale", 7)]


def wide_open(t: Script, options: list[Any] | None = None) -> Any:
    """A connection to a peer with a window of 1 MB."""
    sk = t.connect(WIDE if options is None else options, window=65535)
    t.send("A", ack=1, window=8000)
    return sk


def sizes(t: Script) -> list[int]:
    """Payload of everything that was sent."""
    return [len(t.take()[TCP].payload) for _ in range(len(t.got))]


def wait_for_ack(t: Script, sk: Any, rtt_ms: float, size: int = 1) -> None:
    """One exchange of `size` bytes, so that the RTT is known."""
    t.app(lambda: send(sk, bytes(size)))
    t.run(rtt_ms)
    t.got.clear()
    t.send("A", ack=(sk.snd_nxt - t.host_isn) % 2**32, window=8000)


# -- who cuts --------------------------------------------------------------------------------------


@pytest.mark.claim("S24")
def test_one_skb_holds_a_write_and_software_cuts_it_for_a_plain_device() -> None:
    """Every frame has at most one MSS; PSH is on the last frame alone, and the identification goes
    up by one a frame, as if TCP had made five segments.
    """
    t = Script()
    sk = wide_open(t)
    t.app(lambda: send(sk, bytes(6000)))
    (skb,) = sk.tcp_rtx_queue
    assert (skb.len, skb.cb.pcount, skb.cb.gso_size) == (6000, 5, 1460)
    packets = [t.take() for _ in range(5)]
    assert not t.got
    assert [len(packet[TCP].payload) for packet in packets] == [1460] * 4 + [160]
    assert [str(packet[TCP].flags) for packet in packets] == ["A"] * 4 + ["PA"]
    first = packets[0][IP].id
    assert [packet[IP].id for packet in packets] == [first + step for step in range(5)]


def test_a_device_with_tso_gets_the_super_segment_whole() -> None:
    t = Script(features=TSO)
    sk = wide_open(t)
    t.app(lambda: send(sk, bytes(6000)))
    (packet,) = [t.take() for _ in range(len(t.got))]
    assert (len(packet[TCP].payload), str(packet[TCP].flags)) == (6000, "PA")
    before = packet[IP].id
    t.send("A", ack=6001, window=8000)
    t.app(lambda: send(sk, b"x"))
    assert t.take()[IP].id == before + 5


def test_the_receiver_gets_the_same_stream_with_and_without_tso() -> None:
    streams = []
    for features in (0, NETIF_F_SG, TSO):
        t = Script(features=features)
        sk = wide_open(t)
        data = bytes(range(256)) * 50
        t.app(partial(send, sk, data))
        streams.append(b"".join(bytes(t.take()[TCP].payload) for _ in range(len(t.got))))
    assert streams == [bytes(range(256)) * 50] * 3


# -- size goal -------------------------------------------------------------------------------------


def test_the_size_goal_is_64_kib_in_whole_segments() -> None:
    """65536 less the room for headers and one byte, as Linux has it: 44 segments of 1460."""
    t = Script()
    sk = wide_open(t)
    assert tcp_send_mss(sk) == (1460, 44 * 1460)


def test_with_timestamps_the_size_goal_is_45_segments_of_1448() -> None:
    t = Script()
    sk = wide_open(t, SYN_OPTIONS)
    assert tcp_send_mss(sk) == (1448, 45 * 1448)


def test_the_size_goal_is_bound_to_half_of_the_biggest_window() -> None:
    t = Script()
    sk = t.connect(window=20_000)
    assert tcp_send_mss(sk) == (1460, 6 * 1460)


def test_a_device_that_takes_one_segment_a_packet_gets_one_skb_a_segment() -> None:
    """`gso_max_segs 1` of a device is how Linux is made to send one-MSS skbs. PSH is then on the
    last segment of the write alone.
    """
    t = Script()
    t.host.dev.gso_max_segs = 1
    sk = t.connect(window=20_000)
    assert tcp_send_mss(sk) == (1460, 1460)
    t.app(lambda: send(sk, bytes(4000)))
    assert [skb.len for skb in sk.tcp_rtx_queue] == [1460, 1460, 1080]
    assert [str(t.take()[TCP].flags) for _ in range(3)] == ["A", "A", "PA"]


# -- autosize --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rtt_ms", "segments"), [(0.05, 44), (100, 2)])
def test_a_super_segment_is_what_the_pacing_rate_sends_in_a_millisecond(
    rtt_ms: float, segments: int
) -> None:
    """At 1 MB/s that is less than a segment. On a short path the whole 64 KiB are added to it, far
    away nothing, which leaves the least number, tcp_min_tso_segs.
    """
    t = Script()
    sk = wide_open(t)
    wait_for_ack(t, sk, rtt_ms)
    sk.snd_cwnd = 200
    sk.min_rtt_us = round(rtt_ms * 1000)
    sk.sk_pacing_rate = 1_000_000
    sk.sk_sndbuf = 1 << 20
    t.app(lambda: send(sk, bytes(140_000)))
    assert max(skb.cb.pcount for skb in sk.tcp_rtx_queue) == segments


def test_a_skb_is_filled_up_from_the_next_before_it_leaves() -> None:
    """Four one-MSS skbs were queued while the window was full; they leave as two pairs."""
    t = Script()
    t.host.dev.gso_max_segs = 1
    sk = wide_open(t)
    sk.snd_cwnd = 1
    t.app(lambda: send(sk, bytes(5 * 1460)))
    assert [skb.len for skb in sk.sk_write_queue] == [1460] * 4
    t.got.clear()
    sk.sk_gso_max_segs, sk.snd_cwnd = 8, 20
    t.send("A", ack=1461, window=8000)
    assert sizes(t) == [1460] * 4
    assert [skb.len for skb in sk.tcp_rtx_queue] == [2920, 2920]


def test_a_record_that_ends_is_never_joined_with_the_next() -> None:
    t = Script()
    sk = wide_open(t)
    t.app(lambda: set_option(sk, TCP_NODELAY, 1))
    sk.snd_cwnd = 2
    t.app(lambda: send(sk, bytes(2920)))
    t.got.clear()
    t.app(lambda: send(sk, bytes(400), MSG_EOR))
    t.app(lambda: send(sk, bytes(400), MSG_EOR))
    sk.snd_cwnd = 10
    t.send("A", ack=2921, window=8000)
    assert sizes(t) == [400, 400]


# -- waiting to become bigger ----------------------------------------------------------------------


def deferring(t: Script, **sysctls: int) -> Any:
    """A connection whose window of 10 is full of one flight, 0.6 ms old, on a path of 1 ms, with
    more to send.
    """
    for name, value in sysctls.items():
        setattr(t.net.tcp, name, value)
    sk = wide_open(t)
    wait_for_ack(t, sk, 1.0)
    sk.snd_cwnd = sk.snd_ssthresh = 10
    t.start(lambda: send(sk, bytes(60_000)))
    assert sk.packets_out == 10
    t.got.clear()
    t.run(0.5)
    return sk


def test_a_small_opening_of_the_window_is_not_used_at_once() -> None:
    """One segment was acknowledged and the next ACK is near: it waits, because a third of the
    window (tcp_tso_win_divisor) is not free yet.
    """
    t = Script()
    deferring(t)
    t.send("A", ack=1462, window=8000)
    assert sizes(t) == []
    t.send("A", ack=1 + 3 * 1460, window=8000)
    assert sizes(t) == []
    t.send("A", ack=2 + 4 * 1460, window=8000)
    assert len(sizes(t)) >= 3


def test_without_a_divisor_more_than_three_segments_are_sent_at_once() -> None:
    t = Script()
    deferring(t, tso_win_divisor=0)
    t.send("A", ack=2 + 2 * 1460, window=8000)
    assert sizes(t) == []
    t.send("A", ack=2 + 4 * 1460, window=8000)
    assert len(sizes(t)) >= 4


def test_nothing_is_deferred_when_the_last_write_is_long_ago() -> None:
    t = Script()
    sk = deferring(t)
    sk.tcp_wstamp_ns -= 2 * NSEC_PER_MSEC
    t.send("A", ack=1462, window=8000)
    assert sizes(t) == [1460]


def test_nagle_cuts_a_partial_tail_off_a_super_segment() -> None:
    t = Script()
    sk = t.connect(PLAIN_OPTIONS)
    t.app(lambda: send(sk, b"small"))
    t.expect("PA", load=b"small")
    t.app(lambda: send(sk, bytes(3000)))
    assert sizes(t) == [1460, 1460]
    t.send("A", ack=6)
    assert sizes(t) == [80]
