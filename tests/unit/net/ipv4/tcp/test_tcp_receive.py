"""What TCP does with what comes in: ACKs, losses, order, windows."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP

from pyhost.net.ipv4.tcp.ack.tcp_rtt import tcp_rtt_estimator, tcp_set_rto
from pyhost.uapi.errno import EAGAIN
from pyhost.uapi.socket import MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL
from tests.unit.net.ipv4.tcp.tcp_apps import new_socket, recv, send
from tests.unit.net.ipv4.tcp.tcp_peer import SYN_OPTIONS, Script

SACK_OPTIONS = [("MSS", 1460), ("SAckOK", b"")]


def sack(t: Script, *blocks: tuple[int, int]) -> list[object]:
    edges = tuple((t.host_isn + edge) % 2**32 for block in blocks for edge in block)
    return [("NOP", None), ("NOP", None), ("SAck", edges)]


# -- loss ------------------------------------------------------------------------------------------


@pytest.mark.claim("S48")
def test_the_retransmission_timer_doubles_and_the_window_falls_to_one() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(14_600)))
    start = t.clock.now
    t.expect_data(1, [1460] * 10)
    t.run(3500)
    times = []
    while t.got:
        when, packet = t.got.popleft()
        assert (packet[TCP].seq - t.host_isn) % 2**32 == 1
        times.append(round((when - start) / 1e6))
    assert times == pytest.approx([200, 600, 1400, 3000], abs=2)
    assert (sk.snd_cwnd, sk.snd_ssthresh, sk.icsk_retransmits) == (1, 7, 4)
    t.send("A", ack=1461)
    t.expect_data(1461, [1460, 1460])


@pytest.mark.claim("S48")
def test_three_duplicate_acks_retransmit_without_sack() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(14_600)))
    t.expect_data(1, [1460] * 10)
    t.send("A", ack=1461)
    t.send("A", ack=1461)
    t.send("A", ack=1461)
    t.silence()
    t.send("A", ack=1461)
    t.expect_data(1461, [1460])
    assert sk.snd_ssthresh == 7
    t.send("A", ack=14_601)
    t.silence()
    assert (sk.packets_out, sk.lost_out, sk.retrans_out, sk.sacked_out) == (0, 0, 0, 0)


@pytest.mark.claim("S48")
def test_sack_tells_which_segments_to_send_again() -> None:
    t = Script()
    sk = t.connect(SACK_OPTIONS)
    t.app(lambda: send(sk, bytes(14_600)))
    t.expect_data(1, [1460] * 10)
    at = [1 + 1460 * i for i in range(11)]
    t.send("A", ack=1, options=sack(t, (at[1], at[3])))
    t.silence()
    t.send("A", ack=1, options=sack(t, (at[4], at[6]), (at[1], at[3])))
    t.expect_data(1, [1460])
    t.send("A", ack=1, options=sack(t, (at[4], at[10]), (at[1], at[3])))
    t.expect_data(at[3], [1460])
    t.silence()
    t.send("A", ack=at[10])
    t.silence()
    assert (sk.packets_out, sk.lost_out, sk.retrans_out, sk.sacked_out) == (0, 0, 0, 0)
    assert sk.snd_cwnd == sk.snd_ssthresh == 7


def test_a_retransmitted_segment_gives_no_rtt_sample() -> None:
    """Karn's rule: the timeout that backoff made stays until a fresh segment is acknowledged."""
    t = Script()
    sk = t.connect()
    srtt = sk.srtt_us
    t.app(lambda: send(sk, b"x"))
    t.run(250)
    t.send("A", ack=2)
    assert sk.srtt_us == srtt
    t.app(lambda: send(sk, b"y"))
    t.run(10)
    t.send("A", ack=3)
    assert sk.srtt_us > srtt


def test_the_rtt_estimator_follows_rfc_6298_with_a_floor_under_the_variance() -> None:
    sk = new_socket(Script().host)
    tcp_rtt_estimator(sk, 100_000)
    tcp_set_rto(sk)
    assert (sk.srtt_us >> 3, sk.icsk_rto) == (100_000, 300_000_000)
    for _ in range(50):
        tcp_rtt_estimator(sk, 100_000)
    tcp_set_rto(sk)
    assert sk.icsk_rto == 300_000_000
    tcp_rtt_estimator(sk, 500_000)
    tcp_set_rto(sk)
    assert sk.srtt_us >> 3 == 150_000
    assert sk.icsk_rto > 500_000_000


# -- order -----------------------------------------------------------------------------------------


def test_segments_out_of_order_are_kept_and_reported() -> None:
    t = Script()
    sk = t.connect(SACK_OPTIONS)
    t.send("A", seq=11, ack=1, load=b"second ten")
    packet = t.expect("A", ack=1)
    edges = dict(packet[TCP].options)["SAck"]
    assert [(edge - t.isn) % 2**32 for edge in edges] == [11, 21]
    t.send("A", seq=1, ack=1, load=b"first ten ")
    t.expect("A", ack=21)
    assert t.app(lambda: recv(sk, 100)) == b"first ten second ten"


def test_overlapping_segments_give_each_byte_once() -> None:
    t = Script()
    sk = t.connect(SACK_OPTIONS)
    t.send("A", seq=5, ack=1, load=b"efghij")
    t.send("A", seq=3, ack=1, load=b"cdef")
    t.send("A", seq=1, ack=1, load=b"abcd")
    t.send("A", seq=8, ack=1, load=b"hijkl")
    assert t.app(lambda: recv(sk, 100)) == b"abcdefghijkl"


def test_a_duplicate_is_answered_with_a_dsack() -> None:
    t = Script()
    sk = t.connect(SACK_OPTIONS)
    t.send("PA", seq=1, ack=1, load=b"hello")
    assert t.app(lambda: recv(sk, 100)) == b"hello"
    t.got.clear()
    t.send("PA", seq=1, ack=1, load=b"hello")
    packet = t.expect("A", ack=6)
    assert [(edge - t.isn) % 2**32 for edge in dict(packet[TCP].options)["SAck"]] == [1, 6]


def test_an_old_timestamp_is_dropped() -> None:
    """PAWS, RFC 7323 section 5."""
    t = Script()
    sk = t.connect(SYN_OPTIONS)
    t.tsval = 5000
    t.send("PA", seq=1, ack=1, load=b"new")
    old = [("NOP", None), ("NOP", None), ("Timestamp", (10, t.tsecr))]
    t.send("PA", seq=4, ack=1, load=b"old", options=old)
    assert t.app(lambda: recv(sk, 100)) == b"new"
    assert t.net.drops == {"TCP_RFC7323_PAWS": 1}


def test_a_wrong_checksum_is_dropped() -> None:
    t = Script()
    t.connect()
    good = t.host.nic.inject
    t.host.nic.inject = lambda frame: good(frame[:-1] + bytes([frame[-1] ^ 1]))  # type: ignore[method-assign]
    t.send("PA", seq=1, ack=1, load=bytes(100))
    assert t.net.drops == {"TCP_CSUM": 1}


# -- delayed ACKs, windows -------------------------------------------------------------------------


def test_the_first_segments_are_acknowledged_at_once_and_later_ones_wait() -> None:
    t = Script()
    sk = t.connect()
    t.send("PA", seq=1, ack=1, load=b"x")
    t.expect("A", ack=2)
    sk.icsk_ack_quick = 0
    t.send("PA", seq=2, ack=1, load=b"y")
    t.silence(30)
    t.run(15)
    t.expect("A", ack=3)


def test_every_second_full_segment_is_acknowledged_at_once() -> None:
    t = Script()
    sk = t.connect()
    for i in range(4):
        t.send("A", seq=1 + i * 1460, ack=1, load=bytes(1460))
    t.app(lambda: recv(sk, 10_000))
    sk.icsk_ack_quick = 0
    sk.window_clamp = sk.rcv_ssthresh
    t.got.clear()
    t.send("A", seq=5841, ack=1, load=bytes(1460))
    t.silence()
    t.send("A", seq=7301, ack=1, load=bytes(1460))
    t.expect("A", ack=8761)


def test_data_carries_the_ack() -> None:
    t = Script()
    sk = t.connect()
    sk.icsk_ack_pingpong = 1
    t.send("PA", seq=1, ack=1, load=b"question")
    t.silence()
    t.app(lambda: send(sk, b"answer"))
    t.expect("PA", ack=9, load=b"answer")
    t.silence(50)


def test_the_window_closes_when_nobody_reads_and_opens_when_somebody_does() -> None:
    t = Script()
    sk = t.connect()
    seq = 1
    edges = []
    window = 1
    while window:
        t.send("A", seq=seq, ack=1, load=bytes(1460))
        t.run(50)
        seq += 1460
        assert seq < 300_000
        while t.got:
            tcp = t.take()[TCP]
            window = tcp.window
            edges.append((tcp.ack + window) % 2**32)
    assert edges == sorted(edges)
    t.send("A", seq=seq, ack=1, load=bytes(1460))
    assert "TCP_ZEROWINDOW" in t.net.drops
    t.got.clear()
    t.app(lambda: recv(sk, 300_000), 1)
    assert t.take()[TCP].window > 0


# -- reading ---------------------------------------------------------------------------------------


def test_peek_leaves_the_data_and_waitall_waits_for_all() -> None:
    t = Script()
    sk = t.connect()
    t.send("PA", seq=1, ack=1, load=b"abc")
    assert t.app(lambda: recv(sk, 2, MSG_PEEK)) == b"ab"
    assert t.app(lambda: recv(sk, 10, MSG_PEEK)) == b"abc"
    result = t.start(lambda: recv(sk, 6, MSG_WAITALL))
    assert not result
    t.send("PA", seq=4, ack=1, load=b"defgh")
    assert result == [b"abcdef"]
    assert t.app(lambda: recv(sk, 10, MSG_DONTWAIT)) == b"gh"
    assert t.app(lambda: recv(sk, 10, MSG_DONTWAIT)) == -EAGAIN
