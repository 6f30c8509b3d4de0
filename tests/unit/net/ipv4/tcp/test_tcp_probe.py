"""Window probes, and segments that this very host drops."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import TCP

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.netdevice import NET_XMIT_CN, NET_XMIT_DROP
from pyhost.net.core.skbuff import kfree_skb_reason
from pyhost.net.ipv4.ip.ip_output import ip_queue_xmit
from pyhost.net.ipv4.tcp.output import tcp_output
from pyhost.uapi.errno import ETIMEDOUT
from pyhost.uapi.tcp import TCP_USER_TIMEOUT
from tests.unit.net.ipv4.tcp.tcp_apps import send, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import Script


class FullQueue:
    """A qdisc without room, as the transport sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        self.code = NET_XMIT_DROP
        self.times: list[int] = []
        real = ip_queue_xmit

        def drop(sk: Any, skb: Any) -> int:
            if not self.on:
                return real(sk, skb)
            self.times.append(sk.net.kernel.clock.now)
            if self.code == NET_XMIT_CN:
                real(sk, skb)
            else:
                kfree_skb_reason(skb, "QDISC_DROP")
            return self.code

        monkeypatch.setattr(tcp_output, "ip_queue_xmit", drop)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> FullQueue:
    return FullQueue(monkeypatch)


def warm(t: Script, rtt_ms: float = 100) -> Any:
    """A connection with a known RTT."""
    sk = t.connect()
    t.app(lambda: send(sk, bytes(24)))
    t.run(rtt_ms)
    t.send("A", ack=25)
    t.got.clear()
    return sk


def test_what_the_qdisc_drops_is_tried_again_every_500_ms(full: FullQueue) -> None:
    """With nothing on the way it is the probe timer that tries, without backing off: it is this
    host that is short of room, not the path (TCP_RESOURCE_PROBE_INTERVAL).
    """
    t = Script()
    sk = warm(t)
    full.on = True
    start = t.clock.now
    t.app(lambda: send(sk, bytes(24)))
    t.run(2500)
    offsets = [round((when - start) / NSEC_PER_MSEC) for when in full.times]
    first = round(sk.icsk_rto / NSEC_PER_MSEC)
    assert offsets == [0, *range(first, 2500, 500)]
    assert (sk.icsk_probes_out, sk.icsk_backoff) == (len(offsets) - 1, 0)
    assert sk.packets_out == 0
    full.on = False
    t.run(500)
    t.expect("PA", seq=25, size=24)
    assert sk.icsk_probes_out == 0


def test_a_local_drop_reduces_the_window(full: FullQueue) -> None:
    t = Script()
    sk = warm(t)
    full.on = True
    t.app(lambda: send(sk, bytes(24)))
    assert sk.icsk_ca_state == 2
    assert sk.sk_wmem_alloc == 1


def test_congestion_in_the_qdisc_counts_as_sent(full: FullQueue) -> None:
    """NET_XMIT_CN: somebody's packet was dropped, perhaps not ours."""
    t = Script()
    sk = warm(t)
    full.on, full.code = True, NET_XMIT_CN
    t.app(lambda: send(sk, bytes(24)))
    assert (sk.packets_out, sk.icsk_ca_state) == (1, 2)


def test_user_timeout_ends_probing(full: FullQueue) -> None:
    t = Script()
    sk = warm(t)
    t.app(lambda: set_option(sk, TCP_USER_TIMEOUT, 3000))
    full.on = True
    t.app(lambda: send(sk, bytes(24)))
    t.run(sk.icsk_rto / NSEC_PER_MSEC + 2950)
    assert sk.sk_err == 0
    t.run(100)
    assert (sk.sk_err, sk.sk_state) == (ETIMEDOUT, 7)


def test_the_last_probe_comes_when_the_user_timeout_ends() -> None:
    """The wait is cut to what is left of TCP_USER_TIMEOUT."""
    t = Script()
    sk = t.connect(window=2920)
    t.app(lambda: set_option(sk, TCP_USER_TIMEOUT, 900))
    t.app(lambda: send(sk, bytes(5000)))
    t.send("A", ack=2921, window=0)
    start = t.clock.now
    t.got.clear()
    t.run(2000)
    offsets = [round((when - start) / NSEC_PER_MSEC) for when, _ in t.got]
    assert offsets[:2] == [200, 600]
    assert sk.sk_err == ETIMEDOUT
    assert all(len(packet[TCP].payload) == 0 for _, packet in t.got)


def test_a_window_of_ten_bytes_gets_ten_bytes_and_a_push() -> None:
    """Sender-side silly window avoidance waits; the probe timer sends what fits."""
    t = Script()
    sk = t.connect(window=5000)
    t.app(lambda: send(sk, bytes(1460)))
    t.expect("PA", size=1460)
    t.send("A", ack=1461, window=10)
    t.app(lambda: send(sk, bytes(500)))
    t.silence(150)
    t.run(100)
    t.expect("PA", seq=1461, size=10)
    assert [skb.len for skb in sk.sk_write_queue] == [490]
