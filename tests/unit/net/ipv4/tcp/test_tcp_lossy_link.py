"""Two machines on a cable that loses, doubles and delays frames, by seed. Whatever it does, every
byte arrives, and at every ACK the sender's counters say what the tags in its queue say.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from pyhost.kernel.trace import TraceEvent
from pyhost.net.core.netdevice import NETIF_F_SG
from pyhost.net.core.sock import TCP_SYN_SENT
from pyhost.net.ipv4.tcp.tcp_sock import (
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSock,
    after,
    before,
)
from tests.unit.net.ipv4.tcp.test_tcp_transfer import assert_nothing_left, transfer
from tests.unit.net.support import Host, Pair, two_hosts

MS = 1_000_000


def tagged(sk: TcpSock, bit: int) -> int:
    return sum(skb.cb.pcount for skb in sk.tcp_rtx_queue if skb.cb.sacked & bit)


def assert_counters_are_true(sk: TcpSock) -> None:
    """The queue is without gaps, and its tags add up to the counters."""
    queue = sk.tcp_rtx_queue
    assert sk.packets_out == sum(skb.cb.pcount for skb in queue)
    assert sk.retrans_out == tagged(sk, TCPCB_SACKED_RETRANS)
    assert sk.lost_out == tagged(sk, TCPCB_LOST)
    if sk.sack_ok:
        assert sk.sacked_out == tagged(sk, TCPCB_SACKED_ACKED)
    assert sk.sacked_out + sk.lost_out <= sk.packets_out
    assert sk.packets_in_flight >= 0
    assert sk.snd_cwnd >= 1
    for skb in queue:
        cb = skb.cb
        assert cb.sacked & (TCPCB_SACKED_ACKED | TCPCB_LOST) != TCPCB_SACKED_ACKED | TCPCB_LOST
        assert cb.pcount == 1 or cb.gso_size
        assert -(-skb.len // (cb.gso_size or skb.len or 1)) in (cb.pcount, 0)
        assert sum(frag.size for frag in skb.shinfo.frags) == skb.len
    for left, right in zip(queue, list(queue)[1:], strict=False):
        assert left.cb.end_seq == right.cb.seq
    if queue:
        assert queue[-1].cb.end_seq == sk.snd_nxt
    assert not after(sk.snd_una, sk.snd_nxt)
    assert not after(sk.snd_nxt, sk.write_seq)
    assert sk.sk_wmem_queued == sum(skb.truesize for skb in (*queue, *sk.sk_write_queue))


class Watch:
    """Looks at every connection of a machine each time an ACK comes in."""

    def __init__(self, host: Host) -> None:
        self.net = host.net
        self.acks = 0
        self.right_edge: dict[TcpSock, int] = {}
        host.kernel.trace.register(self.hit)

    def hit(self, event: TraceEvent) -> None:
        if event.name != "tcp_ack":
            return
        self.acks += 1
        for sk in self.net.tcp.ehash.values():
            if isinstance(sk, TcpSock):
                assert_counters_are_true(sk)
                self.assert_window_was_not_taken_back(sk)

    def assert_window_was_not_taken_back(self, sk: TcpSock) -> None:
        if sk.sk_state == TCP_SYN_SENT:
            return
        edge = sk.rcv_wup + sk.rcv_wnd & 0xFFFFFFFF
        assert not before(edge, self.right_edge.get(sk, edge))
        self.right_edge[sk] = edge


def bad_cable(rng: random.Random, host: Any, loss: float, dup: float, late: float) -> None:
    """Let the frames of a machine meet with loss, duplication and delay. ARP is spared."""
    nic, clock = host.nic, host.kernel.clock

    def lose(frame: bytes) -> bool:
        if frame[12:14] != b"\x08\x00":
            return False
        draw = rng.random()
        if draw < loss:
            return True
        if draw < loss + dup:
            clock.call_at(clock.now + 2 * MS, lambda: nic.peer.inject(frame))
        elif draw < loss + dup + late:
            clock.call_at(clock.now + rng.randrange(MS, 30 * MS), lambda: nic.peer.inject(frame))
            return True
        return False

    nic.lose = lose


def lossy_transfer(
    seed: int, sysctls: dict[str, str], size: int = 250_000, **options: Any
) -> tuple[Pair, bytes, bytes]:
    rng = random.Random(seed)
    pair = two_hosts(seed=seed, delay_ns=rng.randrange(1, 20) * MS, sysctls=sysctls, **options)
    loss, dup, late = (rng.random() * most for most in (0.12, 0.05, 0.15))
    bad_cable(rng, pair.a, loss, dup, late)
    bad_cable(rng, pair.b, loss / 2, dup, late)
    data = rng.randbytes(size)
    return pair, data, transfer(pair, data, chunk=rng.choice([700, 3000, 20_000, 1 << 16]))


@pytest.mark.claim("S48")
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "sysctls",
    [
        {},
        {"net.ipv4.tcp_timestamps": "0"},
        {"net.ipv4.tcp_sack": "0"},
        {"net.ipv4.tcp_congestion_control": "reno", "net.ipv4.tcp_ecn": "1"},
        {"net.ipv4.tcp_recovery": "0", "net.ipv4.tcp_early_retrans": "0"},
        {"net.ipv4.tcp_frto": "0", "net.ipv4.tcp_retrans_collapse": "0"},
    ],
    ids=["defaults", "no timestamps", "NewReno", "reno and ECN", "RFC 6675", "no F-RTO"],
)
def test_counters_stay_true_and_every_byte_arrives(
    seed: int, sysctls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watches: list[Watch] = []
    made = Host.__init__

    def watched(self: Host, *args: Any) -> None:
        made(self, *args)
        watches.append(Watch(self))

    monkeypatch.setattr(Host, "__init__", watched)
    pair, data, got = lossy_transfer(seed, sysctls)
    assert got == data
    assert_nothing_left(pair)
    assert min(watch.acks for watch in watches) > 0


@pytest.mark.parametrize("seed", range(100, 106))
def test_super_segments_are_cut_and_joined_without_losing_count(seed: int) -> None:
    """A device with TSO: one skb of the retransmit queue holds many segments. The cable works on
    whole skbs here, which this device hands over uncut, so it is loss that matters.
    """
    rng = random.Random(seed)
    pair = two_hosts(seed=seed, features=NETIF_F_SG, delay_ns=5 * MS)
    watch = Watch(pair.a)
    bad_cable(rng, pair.a, 0.06, 0.02, 0.05)
    data = rng.randbytes(600_000)
    assert transfer(pair, data) == data
    assert_nothing_left(pair)
    mib = pair.a.net.mib
    assert watch.acks > 0
    assert mib["TcpRetransSegs"] > 0
    assert mib["TCPSackShifted"] + mib["TCPSackMerged"] > 0
