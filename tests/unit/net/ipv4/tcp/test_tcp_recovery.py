"""Losses: how they are told (RACK, TLP, duplicate ACKs, timer), repaired (PRR), and taken back when
they were none (F-RTO, Eifel, DSACK).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from scapy.layers.inet import TCP

from pyhost.net.ipv4.tcp.tcp_sock import (
    TCP_CA_CWR,
    TCP_CA_DISORDER,
    TCP_CA_LOSS,
    TCP_CA_OPEN,
    TCP_CA_RECOVERY,
    TCP_INFINITE_SSTHRESH,
    TCPCB_SACKED_ACKED,
)
from pyhost.uapi.socket import MSG_EOR
from tests.unit.net.ipv4.tcp.tcp_apps import send
from tests.unit.net.ipv4.tcp.tcp_peer import Script

MSS = 1000
RTT_MS = 20
SACK_OK = [("MSS", MSS), ("SAckOK", b"")]
SACK_TS = [("MSS", MSS + 12), ("SAckOK", b""), ("Timestamp", (1, 0))]
NO_SACK = [("MSS", MSS)]


class Flow(Script):
    """A connection whose peer is 20 ms away, with room in its window. Segments have 1000 bytes, and
    `seg(n)` is where the n-th one begins, counted from 0.
    """

    def __init__(self, options: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(delay_ms=RTT_MS, **kwargs)
        self.sk = self.connect(SACK_OK if options is None else options)
        # The first ACK always counts as news of the window.
        self.ack(0)

    def write(self, segments: int) -> None:
        """Write; where the send buffer is full the program sleeps."""
        self.start(lambda: send(self.sk, bytes(segments * MSS)))

    def seg(self, index: int) -> int:
        return 1 + index * MSS

    def ack(self, upto: int, *blocks: tuple[int, int], ecr: int | None = None, **kw: Any) -> None:
        """Acknowledge segments below `upto`, SACK the given ranges of segments; a timestamp is
        echoed when the connection has them (`ecr`: another one than the last).
        """
        options: list[Any] = []
        if self.timestamps:
            self.tsval += 1
            echo = self.tsecr if ecr is None else ecr
            options = [("NOP", None), ("NOP", None), ("Timestamp", (self.tsval, echo))]
        if blocks:
            edges = [(self.host_isn + self.seg(edge)) % 2**32 for block in blocks for edge in block]
            options += [("NOP", None), ("NOP", None), ("SAck", tuple(edges))]
        self.send("A", ack=self.seg(upto), options=options, **kw)

    def sent(self) -> list[int]:
        """Indices of the segments that have left since the last call; each is whole."""
        indices = []
        while self.got:
            tcp = self.take()[TCP]
            offset = (tcp.seq - self.host_isn - 1) % 2**32
            assert offset % MSS == 0
            assert len(tcp.payload) == MSS
            indices.append(offset // MSS)
        return indices

    def mib(self, name: str) -> int:
        return self.net.mib.get(name, 0)


# -- RACK ------------------------------------------------------------------------------------------


@pytest.mark.claim("S48")
def test_reordering_within_a_quarter_of_the_rtt_costs_nothing() -> None:
    f = Flow()
    f.write(10)
    assert f.sent() == list(range(10))
    f.run(RTT_MS)
    f.ack(0, (1, 3))
    assert f.sk.icsk_ca_state == TCP_CA_DISORDER
    f.silence(3)
    f.ack(3)
    assert (f.sk.icsk_ca_state, f.sk.reord_seen) == (TCP_CA_OPEN, 1)
    assert f.sk.snd_cwnd >= 10
    f.silence(8)
    assert f.mib("TcpRetransSegs") == 0


def test_what_is_missing_a_quarter_of_the_rtt_later_is_lost() -> None:
    """Two segments beyond the hole are no proof by count: the reordering timer decides."""
    f = Flow()
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    f.ack(0, (1, 3), run_ms=0.01)
    f.silence(4)
    f.run(5)
    assert f.sent()[0] == 0
    assert f.sk.icsk_ca_state == TCP_CA_RECOVERY
    assert f.sk.retrans_out == 1


def test_three_segments_beyond_a_hole_prove_a_loss_at_once() -> None:
    f = Flow()
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    f.ack(0, (1, 4))
    assert f.sent() == [0]
    assert f.sk.icsk_ca_state == TCP_CA_RECOVERY


def test_a_retransmission_that_is_lost_again_goes_once_more() -> None:
    """Something that left after the retransmission has arrived, the retransmission has not."""
    f = Flow()
    f.write(14)
    f.sent()
    f.run(RTT_MS)
    f.ack(0, (1, 4))
    f.run(1)
    f.ack(0, (1, 10))
    sent = f.sent()
    assert sent[0] == 0
    assert max(sent) >= 10
    f.run(RTT_MS)
    f.ack(0, (1, max(sent) + 1))
    assert 0 in f.sent()
    assert f.mib("TCPLostRetransmit") == 1


def test_reported_duplicates_widen_the_reordering_window() -> None:
    f = Flow()
    f.sk.reord_seen = 1
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    f.ack(0, (1, 4))
    f.run(9)
    assert f.sent()[0] == 0
    f.ack(4)
    f.run(1)
    f.ack(10)
    f.write(5)
    f.sent()
    assert f.sk.rack.reo_wnd_steps == 1
    f.run(RTT_MS)
    f.ack(11, (0, 1))
    assert f.sk.rack.reo_wnd_steps == 2
    assert f.sk.rack.reo_wnd_persist == 16


# -- tail loss probe -------------------------------------------------------------------------------


@pytest.mark.claim("S48")
def test_a_lost_tail_is_found_by_a_probe_long_before_the_timer() -> None:
    f = Flow()
    f.write(4)
    assert f.sent() == [0, 1, 2, 3]
    f.run(RTT_MS)
    f.ack(1)
    f.silence(RTT_MS)
    f.run(RTT_MS + 10)
    assert f.sent() == [3]
    assert f.mib("TCPLossProbes") == 1
    f.run(RTT_MS)
    f.ack(1, (3, 4))
    assert f.sent() == [1]
    f.run(RTT_MS)
    f.ack(2, (3, 4))
    assert f.sent() == [2]
    f.run(RTT_MS)
    f.ack(4)
    assert f.mib("TCPTimeouts") == 0
    assert f.sk.icsk_ca_state == TCP_CA_OPEN


def test_a_probe_is_new_data_when_there_is_some() -> None:
    f = Flow()
    f.write(12)
    assert f.sent() == list(range(10))
    f.run(3 * RTT_MS)
    assert f.sent() == [10]
    assert f.sk.snd_cwnd == 10


def test_a_probe_that_repaired_the_loss_reduces_the_window_once() -> None:
    f = Flow()
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    f.ack(9)
    cwnd = f.sk.snd_cwnd
    f.run(20 * RTT_MS)
    assert f.sent()[0] == 9
    f.ack(10)
    f.write(1)
    f.run(RTT_MS)
    f.ack(11)
    assert f.mib("TCPLossProbeRecovery") == 1
    assert f.sk.snd_cwnd < cwnd
    assert f.sk.icsk_ca_state == TCP_CA_OPEN


def test_a_probe_that_was_one_too_many_costs_nothing() -> None:
    """The ACK of the original was late; the DSACK says that the probe came as a duplicate."""
    f = Flow()
    f.write(4)
    f.sent()
    f.run(3 * RTT_MS)
    assert f.sent() == [3]
    f.ack(4)
    cwnd = f.sk.snd_cwnd
    f.write(1)
    f.run(RTT_MS)
    f.ack(5, (3, 4))
    assert f.sk.tlp_high_seq is None
    assert f.mib("TCPLossProbeRecovery") == 0
    assert f.sk.snd_cwnd >= cwnd


def test_without_sack_or_when_switched_off_there_is_no_probe() -> None:
    for f in (Flow(NO_SACK), Flow(sysctls={"net.ipv4.tcp_early_retrans": "0"})):
        f.write(3)
        f.sent()
        f.silence(150)
        assert f.mib("TCPLossProbes") == 0


# -- the timer, and taking it back -----------------------------------------------------------------


def timed_out(options: list[Any]) -> Flow:
    """A flow of ten segments whose ACKs do not come back; the timer has fired once."""
    f = Flow(options, sysctls={"net.ipv4.tcp_early_retrans": "0"})
    f.write(20)
    assert f.sent() == list(range(10))
    f.run(240)
    assert f.sent() == [0]
    assert f.sk.icsk_ca_state == TCP_CA_LOSS
    assert f.sk.snd_cwnd == 1
    return f


@pytest.mark.claim("S48")
@pytest.mark.parametrize("options", [SACK_OK, NO_SACK], ids=["SACK", "NewReno"])
def test_a_spurious_timeout_is_undone_by_frto(options: list[Any]) -> None:
    """RFC 5682: the first ACK lets two new segments go, the second acknowledges what was never
    retransmitted.
    """
    f = timed_out(options)
    f.ack(1)
    assert f.sent() == [10, 11]
    f.ack(2)
    assert f.mib("TCPSpuriousRTOs") == 1
    assert f.sk.icsk_ca_state == TCP_CA_OPEN
    assert f.sk.snd_cwnd >= 10
    assert f.sk.snd_ssthresh == TCP_INFINITE_SSTHRESH
    assert not f.sk.lost_out


@pytest.mark.claim("S48")
@pytest.mark.parametrize("options", [SACK_OK, NO_SACK], ids=["SACK", "NewReno"])
def test_a_duplicate_ack_after_a_timeout_says_that_the_loss_is_real(options: list[Any]) -> None:
    f = timed_out(options)
    f.ack(1)
    assert f.sent() == [10, 11]
    f.ack(1, *([(10, 11)] if options is SACK_OK else []))
    assert not f.sk.frto
    assert f.sk.icsk_ca_state == TCP_CA_LOSS
    f.ack(1, *([(10, 12)] if options is SACK_OK else []))
    assert 1 in f.sent()
    assert f.mib("TCPSpuriousRTOs") == 0


@pytest.mark.claim("S48")
def test_a_spurious_timeout_is_undone_by_the_echoed_timestamp() -> None:
    """Eifel (RFC 3522): the ACK echoes the time of the original, not of the copy."""
    f = Flow(SACK_TS, sysctls={"net.ipv4.tcp_early_retrans": "0", "net.ipv4.tcp_frto": "0"})
    f.write(20)
    assert f.sent() == list(range(10))
    original = f.tsecr
    f.run(240)
    assert f.sent() == [0]
    assert f.tsecr != original
    f.ack(1, ecr=original)
    assert f.mib("TCPLossUndo") == 1
    assert f.sk.icsk_ca_state == TCP_CA_OPEN
    assert f.sk.snd_cwnd >= 10


def test_a_real_timeout_is_not_undone_by_the_timestamp_of_the_copy() -> None:
    f = Flow(SACK_TS, sysctls={"net.ipv4.tcp_early_retrans": "0", "net.ipv4.tcp_frto": "0"})
    f.write(20)
    f.sent()
    f.run(240)
    f.sent()
    f.ack(1)
    assert f.mib("TCPLossUndo") == 0
    assert f.sk.icsk_ca_state == TCP_CA_LOSS


@pytest.mark.claim("S48")
def test_a_fast_retransmit_is_undone_when_the_peer_reports_the_duplicate() -> None:
    f = Flow()
    f.write(20)
    assert f.sent() == list(range(10))
    f.run(RTT_MS)
    f.ack(0, (1, 4))
    assert f.sent() == [0]
    ssthresh = f.sk.snd_ssthresh
    assert ssthresh < 10
    f.ack(4)
    f.sent()
    f.ack(4, (0, 1))
    assert f.mib("TCPDSACKUndo") == 1
    assert f.sk.snd_ssthresh == TCP_INFINITE_SSTHRESH
    assert f.sk.snd_cwnd >= 10


def test_a_fast_retransmit_is_undone_by_the_echoed_timestamp() -> None:
    f = Flow(SACK_TS)
    f.write(10)
    f.sent()
    original = f.tsecr
    f.run(RTT_MS)
    f.ack(0, (1, 4), ecr=original)
    f.run(2)
    assert f.sent() == [0]
    f.ack(10, ecr=original)
    assert f.mib("TCPFullUndo") + f.mib("TCPPartialUndo") == 1
    assert f.sk.snd_cwnd >= 10
    assert f.sk.icsk_ca_state == TCP_CA_OPEN


def test_the_timer_backs_off_and_karn_keeps_the_estimate() -> None:
    """RFC 6298 section 5.5: 220 ms, 440 ms, 880 ms …; an ACK of a segment that was sent twice gives
    no RTT sample.
    """
    f = Flow(NO_SACK)
    srtt = f.sk.srtt_us
    f.write(1)
    start = f.clock.now
    f.sent()
    times = []
    f.run(3500)
    while f.got:
        when, _ = f.got.popleft()
        times.append((when - start) / 1e6)
    waits = [b - a for a, b in zip([0, *times], times, strict=False)]
    assert len(waits) == 4
    for earlier, later in pairwise(waits):
        assert later / earlier == pytest.approx(2, rel=0.01)
    assert f.sk.icsk_backoff == 4
    f.ack(1)
    assert f.sk.srtt_us == srtt


def test_an_ack_for_copies_and_originals_together_gives_no_sample() -> None:
    """The ACK was held up by the hole: the time of the segments behind it says nothing (Karn)."""
    f = timed_out(NO_SACK)
    srtt = f.sk.srtt_us
    f.ack(10)
    assert f.sk.srtt_us == srtt


# -- NewReno, SACK details -------------------------------------------------------------------------


def test_newreno_repairs_one_hole_a_round_trip() -> None:
    """RFC 6582: the partial ACK shows the next hole."""
    f = Flow(NO_SACK)
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    for _ in range(3):
        f.ack(0)
    assert f.sent() == [0]
    assert f.sk.icsk_ca_state == TCP_CA_RECOVERY
    f.run(RTT_MS)
    f.ack(4)
    assert f.sent() == [4]
    f.run(RTT_MS)
    f.ack(10)
    f.write(1)
    f.run(RTT_MS)
    f.ack(11)
    assert f.sk.icsk_ca_state == TCP_CA_OPEN


def test_the_first_two_duplicate_acks_let_new_segments_go() -> None:
    """Limited transmit, RFC 3042."""
    f = Flow(NO_SACK)
    f.write(12)
    f.sent()
    f.run(RTT_MS)
    f.ack(0)
    assert f.sent() == [10]
    f.ack(0)
    assert f.sent() == [11]


def test_a_peer_that_forgets_what_it_sacked_gets_everything_again() -> None:
    """Reneging: the new head is SACKed, yet the ACK stops before it."""
    f = Flow()
    f.write(6)
    f.sent()
    f.run(RTT_MS)
    f.ack(0, (1, 3))
    f.run(1)
    f.ack(1)
    f.run(15)
    assert f.mib("TCPSACKReneging") == 1
    assert f.sent()[-1] == 1
    assert not any(skb.cb.sacked & TCPCB_SACKED_ACKED for skb in f.sk.tcp_rtx_queue)
    assert f.sk.icsk_ca_state == TCP_CA_LOSS


def test_sacked_neighbours_become_one() -> None:
    f = Flow(sysctls={"net.ipv4.tcp_recovery": "3"})
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    f.ack(0, (1, 2))
    f.ack(0, (3, 4), (1, 2))
    f.ack(0, (1, 4))
    sacked = [skb for skb in f.sk.tcp_rtx_queue if skb.cb.sacked & TCPCB_SACKED_ACKED]
    assert [(skb.cb.pcount, skb.len) for skb in sacked] == [(3, 3 * MSS)]
    assert f.sk.sacked_out == 3
    assert f.mib("TCPSackMerged") >= 1


def test_small_segments_are_retransmitted_together_but_not_over_the_end_of_a_record() -> None:
    f = Flow(sysctls={"net.ipv4.tcp_early_retrans": "0"})
    f.sk.nonagle = 1
    for flags in (0, 0, MSG_EOR, 0):
        f.app(lambda flags=flags: send(f.sk, bytes(100), flags))
    f.expect_data(1, [100, 100, 100, 100])
    f.run(300)
    assert len(f.take()[TCP].payload) == 300
    assert f.sk.packets_out == 2


def test_an_ack_below_the_window_still_brings_its_sack_blocks() -> None:
    f = Flow()
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    f.ack(2)
    f.sent()
    f.ack(1, (4, 7))
    assert f.sk.sacked_out == 3
    assert f.sent() == [2, 3]


# -- proportional rate reduction -------------------------------------------------------------------


@pytest.mark.claim("S48")
@pytest.mark.parametrize("lost", [1, 4, 9])
def test_prr_sends_what_the_rfc_allows_for_each_ack(lost: int) -> None:
    """The first `lost` of 20 segments are lost, then each ACK SACKs one more. RFC 6937 section 3.1,
    computed here once more; as the ACKs make no progress the conservative bound holds.
    """
    f = Flow(sysctls={"net.ipv4.tcp_congestion_control": "reno"})
    f.write(10)
    f.run(RTT_MS)
    f.sent()
    f.ack(10)
    f.write(60)
    assert f.sent() == list(range(10, 30))
    f.run(RTT_MS)
    base, recover_fs, ssthresh = 10, 20, 10
    delivered = out = limited_transmit = 0
    for sacked in range(1, 21 - lost):
        f.ack(base, (base + lost, base + lost + sacked), run_ms=0.2)
        sent = len(f.sent())
        if sacked < 3:
            limited_transmit += sent
            continue
        delivered += 1
        in_flight = recover_fs + limited_transmit - lost - sacked + out
        if in_flight > ssthresh:
            budget = ceil(Fraction(delivered * ssthresh, recover_fs)) - out
        else:
            budget = min(ssthresh - in_flight, max(delivered - out, 1))
        if delivered == 1:
            budget = max(budget, 1)
        assert sent == budget, (sacked, in_flight)
        out += sent
        assert f.sk.prr_out == out
        assert f.sk.prr_delivered == delivered


# -- ECN -------------------------------------------------------------------------------------------


def ecn_flow() -> Flow:
    f = Flow()
    f.sk.ecn_flags = 1
    return f


@pytest.mark.claim("S48")
def test_an_ece_reduces_the_window_once_and_is_answered_with_cwr() -> None:
    f = ecn_flow()
    f.write(10)
    packets = [f.take() for _ in range(10)]
    assert {packet.tos & 3 for packet in packets} == {2}
    f.run(RTT_MS)
    f.send("AE", ack=f.seg(2))
    assert f.sk.icsk_ca_state == TCP_CA_CWR
    assert f.sk.snd_ssthresh == 7
    f.send("AE", ack=f.seg(4))
    assert f.sk.snd_ssthresh == 7
    f.run(1)
    f.send("AE", ack=f.seg(10))
    f.write(2)
    first, second = f.take(), f.take()
    assert "C" in str(first[TCP].flags)
    assert "C" not in str(second[TCP].flags)
    f.run(RTT_MS)
    f.send("A", ack=f.seg(12))
    assert (f.sk.icsk_ca_state, f.sk.snd_cwnd >= 7) == (TCP_CA_OPEN, True)


def test_retransmissions_and_pure_acks_are_not_ecn_capable() -> None:
    f = ecn_flow()
    f.write(10)
    f.sent()
    f.run(RTT_MS)
    f.ack(0, (1, 4))
    again = f.take()
    assert (again[TCP].seq - f.host_isn, again.tos & 3) == (1, 0)
    f.send("PA", seq=1, ack=1, load=b"x", run_ms=60)
    assert f.got[-1][1].tos & 3 == 0


def test_without_ecn_nothing_is_marked() -> None:
    f = Flow()
    f.write(2)
    assert f.take().tos == 0
    f.send("AE", ack=f.seg(1))
    assert f.sk.icsk_ca_state == TCP_CA_OPEN
