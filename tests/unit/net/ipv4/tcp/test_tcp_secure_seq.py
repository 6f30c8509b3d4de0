"""First sequence numbers and timestamps: hard to guess, and never going back."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet

from tests.unit.net.ipv4.tcp.tcp_apps import send
from tests.unit.net.ipv4.tcp.tcp_peer import SYN_OPTIONS, Script


def tsval(packet: Packet) -> int:
    return int(dict(packet[TCP].options)["Timestamp"][0])


def test_a_new_connection_between_the_same_ends_begins_beyond_the_old_one() -> None:
    t = Script()
    secure = t.net.tcp.secure_seq
    before = secure.tcp_seq(1, 2, 3, 4)
    t.run(1)
    assert (secure.tcp_seq(1, 2, 3, 4) - before) % 2**32 == 1_000_000 // 64


def test_each_pair_of_ends_has_numbers_of_its_own() -> None:
    secure = Script().net.tcp.secure_seq
    ends = [(1, 2, 3, 4), (2, 1, 3, 4), (1, 2, 4, 3), (1, 2, 3, 5)]
    assert len({secure.tcp_seq(*end) for end in ends}) == len(ends)
    assert secure.tcp_ts_off(1, 2) != secure.tcp_ts_off(2, 1)


def test_all_connections_between_two_machines_share_one_timestamp_clock() -> None:
    """So that PAWS takes the segments of a new connection."""
    t = Script()
    t.connect(SYN_OPTIONS)
    offset = t.net.tcp.secure_seq.tcp_ts_off(0x0A000001, 0x0A000002)
    t.run(5)
    sk = t.connect(SYN_OPTIONS)
    assert sk.tsoffset == offset


@pytest.mark.parametrize(("mode", "shown"), [("1", None), ("2", 1000)])
def test_tcp_timestamps_2_tells_the_uptime(mode: str, shown: int | None) -> None:
    t = Script(sysctls={"net.ipv4.tcp_timestamps": mode})
    sk = t.connect(SYN_OPTIONS)
    t.app(lambda: send(sk, b"x"))
    assert (tsval(t.take()) == shown) is (shown is not None)


def test_an_echo_in_the_first_millisecond_counts() -> None:
    """The clock of the option does not begin at 0, which would mean that there is no echo."""
    t = Script(sysctls={"net.ipv4.tcp_timestamps": "2"})
    sk = t.connect(SYN_OPTIONS)
    assert t.clock.now < 1_000_000
    assert sk.rcv_tsecr == 1000
