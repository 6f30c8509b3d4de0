"""The driver and the limits of its queue: bytes under way, burst after burst, a card that hangs."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from pyhost.drivers.net.hnic.hnic_tx import DESC_NEEDED, TX_WAKE_THRESHOLD
from pyhost.drivers.net.hnic_model.queue import QueueBlock
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import dev_close, dev_queue_xmit
from pyhost.net.core.skbuff import SkBuff
from tests.unit.drivers.net.hnic.rig import Rig, payload


def send(rig: Rig, size: int, seed: int = 1) -> int:
    """Through the qdisc, as the stack does."""
    return dev_queue_xmit(rig.skb(payload(size, seed=seed)))


def in_ring(rig: Rig) -> int:
    """Bytes of the packets that the card has not completed."""
    tx = rig.tx
    return sum(
        buffer.skb.len
        for buffer in tx.buffers
        if buffer.skb is not None
    )  # fmt: skip


class Watcher:
    """Looks at every call of ndo_start_xmit."""

    def __init__(self, rig: Rig, check: Callable[[], None]) -> None:
        self.more: list[bool] = []
        ops = rig.dev.ops
        original = ops.ndo_start_xmit

        def watched(skb: SkBuff, dev: nd.NetDevice, more: bool) -> int:
            check()
            self.more.append(more)
            return original(skb, dev, more)

        ops.ndo_start_xmit = watched  # type: ignore[method-assign]


# -- bytes under way -------------------------------------------------------------------------------


def test_the_limit_knows_the_bytes_in_the_ring_at_any_time() -> None:
    """Sent less completed is what is in the ring, never negative, 0 in the end."""
    rig = Rig(bql=True)
    dql = rig.tx.txq.dql
    rng = random.Random(3)
    for index in range(300):
        send(rig, rng.randrange(60, 1515), seed=index)
        assert dql.inflight == in_ring(rig) >= 0
        if rng.random() < 0.3:
            rig.clock.run(until=rig.clock.now + rng.randrange(5000))
            assert dql.inflight == in_ring(rig)
    rig.run()
    assert dql.num_queued == dql.num_completed == rig.dev.stats.tx_bytes
    assert len(rig.port.sent) == 300


def test_a_stopped_queue_never_sees_a_packet() -> None:
    rig = Rig(tx_count=64, bql=True)

    def check() -> None:
        assert rig.tx.txq.state == 0

    Watcher(rig, check)
    for index in range(500):
        send(rig, 1000, seed=index)
    rig.run()
    assert rig.port.frames() == [payload(1000, seed=index) for index in range(500)]
    assert rig.tx.stats.tx_busy == 0


def test_the_card_has_few_bytes_and_is_never_idle_under_load() -> None:
    rig = Rig(bql=True)
    most = 0

    def check() -> None:
        nonlocal most
        if rig.clock.now > 300_000:
            most = max(most, rig.tx.txq.dql.inflight)

    Watcher(rig, check)
    for index in range(900):
        send(rig, 1500, seed=index)
    rig.run()
    starts = [start for start, _, _ in rig.port.sent]
    wire_ns = 1220  # 1524 bytes at 10 Gbit/s, rounded up
    assert starts[-1] - starts[300] == pytest.approx(599 * wire_ns, rel=0.02)
    assert most < 256 * 1500 / 4


def test_a_burst_rings_the_doorbell_once() -> None:
    rig = Rig(bql=True)
    rig.tx.txq.dql.min_limit = 30_000
    send(rig, 1000)
    rig.run()
    rig.tx.txq.stop_queue()
    for index in range(10):
        send(rig, 1000, seed=index)
    watcher = Watcher(rig, lambda: None)
    events = rig.events()
    rig.tx.txq.wake_queue()
    rig.run()
    # The first of the ten came while the qdisc was empty, and was refused by the queue.
    assert watcher.more == [False] + [True] * 8 + [False]
    assert [event.name for event in events].count("doorbell") == 2
    assert rig.model.tx.queues[0].tail == rig.tx.next_to_use


def test_a_burst_that_the_limit_cuts_short_rings_all_the_same() -> None:
    rig = Rig(bql=True)
    rig.tx.txq.dql.min_limit = 2500
    send(rig, 1000)
    rig.run()
    for index in range(10):
        send(rig, 1000, seed=index)
        if rig.tx.txq.state:
            assert rig.model.tx.queues[0].tail == rig.tx.next_to_use
    rig.run()
    assert len(rig.port.sent) == 11


def test_going_down_and_up_begins_with_nothing_under_way() -> None:
    rig = Rig(bql=True)
    for index in range(20):
        send(rig, 1000, seed=index)
    rig.down()
    txq = rig.dev.tx[0]
    assert (txq.dql.inflight, txq.dql.limit) == (0, 0)
    assert not txq.state & nd.QUEUE_STATE_STACK_XOFF


def test_packets_the_card_refuses_count_as_completed() -> None:
    rig = Rig(bql=True)
    bad = rig.skb(payload(500))
    bad.ip_summed, bad.csum_start, bad.csum_offset = 3, bad.data + 499, 16
    rig.xmit(bad)
    send(rig, 100)
    rig.run()
    assert rig.dev.stats.tx_errors == 1
    assert rig.tx.txq.dql.inflight == 0


def test_a_packet_that_was_not_mapped_is_not_counted() -> None:
    rig = Rig(bql=True)
    rig.bus.dma.fault = lambda addr, size: True
    send(rig, 500)
    assert rig.tx.txq.dql.num_queued == 0


@pytest.mark.parametrize("bql", [False, True])
def test_a_queue_with_room_is_never_left_stopped(bql: bool) -> None:
    rig = Rig(tx_count=64, bql=bql)
    rng = random.Random(9)
    for index in range(400):
        cuts = tuple(sorted(rng.sample(range(20, 900), rng.choice([0, 1, 5, 16]))))
        dev_queue_xmit(rig.skb(payload(1000, seed=index), cuts))
        rig.clock.run(until=rig.clock.now + rng.randrange(1500))
        if rig.tx.txq.state & nd.QUEUE_STATE_DRV_XOFF:
            assert rig.tx.unused() < TX_WAKE_THRESHOLD or rig.tx.cpl_next != (
                rig.model.tx.queues[0].cpl_head
            )
    rig.run()
    assert rig.tx.txq.state == 0
    assert rig.tx.unused() == 64 >= DESC_NEEDED
    assert len(rig.port.sent) == 400
    assert rig.dev.tx[0].trans_timeout == 0


# -- a card that hangs -----------------------------------------------------------------------------


def hang(rig: Rig, *, deaf: bool = False) -> None:
    """The card stops in the middle of its work until the queue is reset; a `deaf` one until all of
    it is.
    """
    engine, pause = rig.model.tx, rig.model.mac.pause
    on_reset, reset = engine.on_reset, engine.reset
    pause.until = rig.clock.now + 3600 * NSEC_PER_SEC

    def reset_queue(queue: QueueBlock) -> None:
        if not deaf:
            pause.until = 0
            on_reset(queue)

    def reset_card(done: Callable[[], None]) -> None:
        pause.until = 0
        reset(done)

    engine.on_reset = reset_queue  # type: ignore[method-assign]
    engine.reset = reset_card  # type: ignore[method-assign]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_queue_that_hangs_is_reset_after_five_seconds_and_the_card_if_need_be(deaf: bool) -> None:
    rig = Rig(bql=True)
    send(rig, 500)
    rig.run()
    alive = rig.dev.net.skbs.alive
    began = rig.clock.now
    hang(rig, deaf=deaf)
    for index in range(5):
        send(rig, 500, seed=index)
    rig.clock.run(until=began + 5 * NSEC_PER_SEC - 1000)
    assert rig.adapter.tx_timeout_count == 0
    rig.run()
    assert (rig.adapter.tx_timeout_count, rig.adapter.reset_count) == (1, deaf)
    assert rig.adapter.tx_stats[0].resets == (not deaf)
    assert rig.dev.tx[0].trans_timeout == 1
    assert rig.dev.carrier
    log = [record.text for record in rig.kernel.log.records]
    assert any("NETDEV WATCHDOG: eth0: transmit queue 0 timed out 5000 ms" in text for text in log)
    assert ("WARNING: eth0: Reset adapter" in log) is deaf
    # What the queue had is lost, and if the card is reset what waited behind it; nothing leaks.
    assert rig.dev.net.skbs.alive == alive
    lost = {"QUEUE_PURGE": 2, "QDISC_DROP": 3} if deaf else {"QUEUE_PURGE": 2}
    assert rig.dev.net.drops == lost
    assert rig.port.frames()[1:] == ([] if deaf else [payload(500, seed=i) for i in (2, 3, 4)])
    sent = len(rig.port.sent)
    for index in range(50):
        send(rig, 700, seed=index)
    rig.run()
    assert len(rig.port.sent) == sent + 50
    assert rig.adapter.tx_timeout_count == 1
    rig.down()
    rig.bus.dma.debug.check_unbind()


def test_a_card_that_is_slow_is_left_alone() -> None:
    rig = Rig(bql=True)
    for index in range(300):
        send(rig, 1500, seed=index)
        rig.clock.run(until=rig.clock.now + NSEC_PER_SEC // 10)
    assert rig.adapter.tx_timeout_count == 0
    assert rig.kernel.warnings == 0


def test_going_down_while_the_card_is_reset_waits_for_the_end() -> None:
    rig = Rig(bql=True)
    hang(rig, deaf=True)
    send(rig, 500)
    send(rig, 500)
    rig.clock.run(until=rig.clock.now + 5 * NSEC_PER_SEC + 1_000_000)
    assert rig.adapter.tx_timeout_count == 1
    rig.down()
    assert not rig.adapter.tx
    assert rig.dev.net.skbs.alive == 0
    rig.bus.dma.debug.check_unbind()


def test_a_reset_that_has_not_begun_is_taken_back_when_the_interface_goes_down() -> None:
    rig = Rig(bql=True)

    def late() -> int:
        rig.adapter.recovery.tx_timeout(0)
        dev_close(rig.dev)
        return 0

    rig.in_task(late)
    assert not rig.adapter.tx
    assert rig.kernel.warnings == 0
