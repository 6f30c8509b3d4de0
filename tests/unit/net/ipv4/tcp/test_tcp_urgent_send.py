"""Sending urgent data with MSG_OOB: the pointer in the headers."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP

from pyhost.net.ipv4.tcp.tcp_window import tcp_send_mss
from pyhost.uapi.socket import MSG_OOB
from tests.unit.net.ipv4.tcp.tcp_apps import send
from tests.unit.net.ipv4.tcp.tcp_peer import SYN_OPTIONS, Script


def urgent(t: Script) -> list[tuple[int, int, bool, int]]:
    """(relative sequence number, length, URG, pointer) of all that was sent."""
    rows = []
    for _ in range(len(t.got)):
        tcp = t.take()[TCP]
        seq = (tcp.seq - t.host_isn) % 2**32
        rows.append((seq, len(tcp.payload), "U" in str(tcp.flags), tcp.urgptr))
    return rows


@pytest.mark.parametrize("options", [[("MSS", 1460)], SYN_OPTIONS])
def test_the_pointer_says_what_lies_behind_the_urgent_byte(options: list[object]) -> None:
    t = Script()
    sk = t.connect(options)
    t.app(lambda: send(sk, b"abc", MSG_OOB))
    assert urgent(t) == [(1, 3, True, 3)]


def held_back(t: Script, data: bytes) -> None:
    """Urgent data that waits for the congestion window, and then goes all at once."""
    sk = t.connect([("MSS", 1460), ("NOP", None), ("WScale", 7)])
    t.send("A", ack=1, window=4096)
    sk.sk_sndbuf = 1 << 20
    t.app(lambda: send(sk, b"x"))
    t.got.clear()
    sk.snd_cwnd = 1
    t.app(lambda: send(sk, data, MSG_OOB), 1.0)
    sk.snd_cwnd = 10
    t.send("A", ack=2, window=4096)


def test_segments_before_the_urgent_byte_point_to_it_too_and_none_is_longer_than_one_mss() -> None:
    t = Script()
    held_back(t, bytes(3000))
    assert urgent(t) == [(2, 1460, True, 3000), (1462, 1460, True, 1540), (2922, 80, True, 80)]


def test_nagle_holds_nothing_back_until_the_urgent_byte_is_acknowledged() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"abc", MSG_OOB))
    t.app(lambda: send(sk, b"d"))
    assert urgent(t) == [(1, 3, True, 3), (4, 1, False, 0)]
    t.send("A", ack=5)
    assert sk.snd_up is None
    t.app(lambda: send(sk, b"e"))
    t.app(lambda: send(sk, b"f"))
    assert urgent(t) == [(5, 1, False, 0)]


def test_a_retransmission_points_to_the_urgent_byte_still() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"abc", MSG_OOB))
    t.got.clear()
    t.run(1500)
    assert urgent(t)[-1] == (1, 3, True, 3)


def test_what_is_farther_than_the_field_can_say_is_said_to_be_as_far_as_it_can() -> None:
    t = Script()
    held_back(t, bytes(80000))
    assert urgent(t)[0] == (2, 1460, True, 0xFFFF)


def test_a_closed_window_is_told_of_urgent_data_by_an_extra_probe() -> None:
    t = Script()
    sk = t.connect()
    t.send("A", ack=1, window=0)
    t.app(lambda: send(sk, b"abc", MSG_OOB))
    t.run(1500)
    rows = urgent(t)
    assert rows[:2] == [(1, 0, True, 3), (0, 0, True, 4)]


def test_urgent_data_is_cut_into_single_segments_from_the_start() -> None:
    sk = Script().connect()
    assert tcp_send_mss(sk, oob=True) == (1460, 1460)
    assert tcp_send_mss(sk)[1] > 1460
