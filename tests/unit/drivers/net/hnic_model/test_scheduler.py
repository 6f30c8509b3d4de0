"""Which queue goes next: priority, round robin, rate limit."""

from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.drivers.net.hnic_model.card_rig import DATA, CardRig, txq, whole

CYCLE_NS = 6.4


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable(*map(txq, range(8)))
    rig.fill(payload(1514))
    return rig


def load(rig: CardRig, queue: int, count: int, size: int = 1000) -> None:
    rig.post(*[whole(DATA, size, 100 * queue + i) for i in range(count)], block=txq(queue))


def order(rig: CardRig) -> list[int]:
    rig.run()
    return [key // 100 for _, _, key in rig.port.sent]


def test_queues_of_one_class_take_turns(rig: CardRig) -> None:
    for queue in (5, 0, 2):
        load(rig, queue, 3)
    assert order(rig) == [0, 2, 5] * 3


def test_a_higher_class_goes_first_and_lower_ones_wait(rig: CardRig) -> None:
    for queue, priority in ((1, 3), (2, 7), (4, 3)):
        rig.bus.writel(priority, txq(queue) + regs.Q_PRIORITY)
    for queue in (0, 1, 2, 4):
        load(rig, queue, 2)
    assert order(rig) == [2, 2, 1, 4, 1, 4, 0, 0]


def test_a_packet_of_a_higher_class_does_not_wait_for_more_than_the_one_on_the_wire(
    rig: CardRig,
) -> None:
    rig.bus.writel(1, txq(3) + regs.Q_PRIORITY)
    load(rig, 0, 5)
    rig.clock.run(until=rig.clock.now + 2000)
    load(rig, 3, 1)
    assert order(rig) == [0, 0, 3, 0, 0, 0]


@pytest.mark.parametrize("rate", [1, 65536 // 8, 65536, 2 * 65536])
def test_a_limited_queue_sends_its_burst_and_then_its_rate(rig: CardRig, rate: int) -> None:
    """RATE counts 1/65536 byte a cycle; a packet goes while the bucket is not below zero."""
    rig.bus.writel(rate, txq(0) + regs.Q_RATE)
    rig.bus.writel(3000, txq(0) + regs.Q_BURST)
    load(rig, 0, 20)
    rig.run()
    starts = [start for start, _, _ in rig.port.sent]
    wire_ns = -(-1024 * 8 // 10)
    refill = wire_ns / CYCLE_NS * rate / 65536  # bytes that come while a frame is on the wire
    free = next(n for n in range(1, 20) if n * 1024 - (n - 1) * refill > 3000)
    assert starts[free - 1] - starts[0] == (free - 1) * wire_ns
    gaps = [b - a for a, b in zip(starts[free:], starts[free + 1 :], strict=False)]
    each = 1024 / (rate / 65536) * CYCLE_NS
    assert all(abs(gap - each) <= 2 * CYCLE_NS for gap in gaps)
    assert starts[-1] - starts[free] == pytest.approx(each * (19 - free), abs=3 * CYCLE_NS)


def test_a_limited_queue_does_not_hold_up_the_others(rig: CardRig) -> None:
    rig.bus.writel(7, txq(0) + regs.Q_PRIORITY)
    rig.bus.writel(655, txq(0) + regs.Q_RATE)
    rig.bus.writel(0, txq(0) + regs.Q_BURST)
    load(rig, 0, 2)
    load(rig, 1, 3)
    assert order(rig) == [0, 1, 1, 1, 0]


def test_a_super_packet_takes_what_all_its_frames_take(rig: CardRig) -> None:
    rig.bus.writel(65536, txq(0) + regs.Q_RATE)
    rig.bus.writel(0, txq(0) + regs.Q_BURST)
    shape = {
        "TSO": 1, "CSUM": 1, "IPV4": 1, "L3_START": 14, "CSUM_START": 34, "CSUM_OFFSET": 16,
        "HDR_LEN": 54, "MSS": 1000,
    }  # fmt: skip
    rig.post(whole(DATA, 10054, **shape), whole(DATA, 60))
    rig.run()
    first, last = rig.port.sent[0][0], rig.port.sent[-1][0]
    assert len(rig.port.sent) == 11
    assert last - first == pytest.approx(10 * 1078 * CYCLE_NS, abs=2 * CYCLE_NS)


def test_lifting_the_limit_lets_the_queue_go_at_once(rig: CardRig) -> None:
    rig.bus.writel(1, txq(0) + regs.Q_RATE)
    rig.bus.writel(0, txq(0) + regs.Q_BURST)
    load(rig, 0, 2)
    rig.clock.run(until=100_000)
    assert len(rig.port.sent) == 1
    rig.bus.writel(0, txq(0) + regs.Q_RATE)
    rig.clock.run(until=100_001)
    assert len(rig.port.sent) == 2


def test_a_limited_queue_that_is_disabled_finishes_what_it_was_given(rig: CardRig) -> None:
    rig.bus.writel(65536 // 4, txq(0) + regs.Q_RATE)
    rig.bus.writel(0, txq(0) + regs.Q_BURST)
    load(rig, 0, 4)
    rig.bus.writel(0, txq(0) + regs.Q_CTRL)
    rig.run()
    assert len(rig.port.sent) == 4
    assert rig.reg(txq(0) + regs.Q_STATUS) == 0
