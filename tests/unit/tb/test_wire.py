"""The link: serialisation, delay, order, and who sees a frame."""

from __future__ import annotations

import pytest

from pyhost.kernel.clock import VirtualClock
from tb.wire import Link

RATE_10G = 10_000_000_000


def make_link(rate: int = RATE_10G, delay_ns: int = 1000):
    """A clock, a link, what each side received (ns, frame, key) and what the capture saw."""
    clock = VirtualClock()
    seen: list[tuple[int, int, bytes, int]] = []
    link = Link(clock, rate, delay_ns, lambda *frame: seen.append(frame))
    received: list[list[tuple[int, bytes, int]]] = [[], []]
    for side, port in enumerate(link.ports):
        port.receive = lambda frame, key, side=side: received[side].append((clock.now, frame, key))
    return clock, link, received, seen


def test_a_frame_arrives_after_its_bits_and_the_delay():
    clock, link, received, _ = make_link()
    link.ports[0].transmit(bytes(60), key=7)
    clock.run()
    # 8 of preamble, 60, 4 of FCS: 72 bytes of 0.8 ns are 57.6 ns, rounded up.
    assert received == [[], [(58 + 1000, bytes(60), 7)]]


def test_the_wire_is_free_again_after_the_gap():
    _, link, _, _ = make_link()
    # 84 bytes of 0.8 ns: the 67.2 ns of a minimum frame at 10 Gbit/s, rounded up.
    assert link.ports[0].transmit(bytes(60), key=1) == 68


def test_a_mac_that_overlaps_two_frames_is_told():
    _, link, _, _ = make_link()
    link.ports[0].transmit(bytes(60), key=1)
    with pytest.raises(ValueError, match="busy until 68"):
        link.ports[0].transmit(bytes(60), key=2)


def test_both_directions_are_independent():
    clock, link, received, _ = make_link()
    link.ports[0].transmit(b"a" * 60, key=1)
    link.ports[1].transmit(b"b" * 60, key=2)
    clock.run()
    assert received == [[(1058, b"b" * 60, 2)], [(1058, b"a" * 60, 1)]]


def test_the_capture_sees_each_frame_once_when_its_first_bit_leaves():
    clock, link, _, seen = make_link()
    link.ports[0].transmit(bytes(100), key=3)
    clock.run()
    assert seen == [(0, 0, bytes(100), 3)]
    assert (link.frames, link.bytes) == (1, 100)


def test_a_mac_with_its_own_timing_reports_start_and_end():
    clock, link, received, seen = make_link(delay_ns=5)
    clock.call_at(58, lambda: link.ports[0].transmitted(0, bytes(60), 9))
    clock.run()
    assert seen == [(0, 0, bytes(60), 9)]
    assert received[1] == [(63, bytes(60), 9)]


@pytest.mark.parametrize(
    ("rate", "expected_ns"), [(1_000_000_000, 672), (RATE_10G, 68), (25_000_000_000, 27)]
)
def test_the_rate_decides_how_long_a_frame_takes(rate, expected_ns):
    _, link, _, _ = make_link(rate)
    assert link.ports[0].frame_ns(60) == expected_ns
