"""One-shot interrupts that wait for more: coalescing and moderation, in units of 64 cycles."""

from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.drivers.net.hnic_model.card_rig import DATA, QUEUES, CardRig, rxq, txq, whole

UNIT_NS = 409.6
WIRE_NS = 70  # 60 bytes at 10 Gbit/s take 67.2 ns, events come at whole ones


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable()
    rig.fill(payload(64))
    return rig


def coalesce(rig: CardRig, count: int, time: int) -> None:
    value = count << regs.Q_COALESCE_COUNT_LSB | time << regs.Q_COALESCE_TIME_LSB
    rig.bus.writel(value, txq(0) + regs.Q_COALESCE)


def arm(rig: CardRig, index: int) -> None:
    rig.bus.writel(index, txq(0) + regs.Q_IRQ_ARM)


def send(rig: CardRig, count: int) -> None:
    rig.post(*[whole(DATA, 60, i) for i in range(count)])


def test_an_interrupt_waits_for_count_completions(rig: CardRig) -> None:
    coalesce(rig, 4, 0xFFFF)
    arm(rig, 0)
    send(rig, 3)
    rig.clock.run(until=10_000)
    assert rig.fired == []
    send(rig, 1)
    rig.clock.run(until=20_000)
    assert rig.fired == [0]
    assert rig.reg(regs.STAT_IRQS) == 1


def test_but_not_longer_than_the_first_of_them_is_old(rig: CardRig) -> None:
    coalesce(rig, 10, 20)
    arm(rig, 0)
    send(rig, 2)
    rig.run()
    first = rig.port.sent[1][0]
    assert rig.fired == [0]
    assert rig.fired_at[0] == pytest.approx(first + 20 * UNIT_NS, abs=WIRE_NS)


def test_the_age_counts_from_the_arming_when_completions_were_there_before(rig: CardRig) -> None:
    coalesce(rig, 10, 20)
    send(rig, 2)
    rig.run()
    armed = rig.clock.now
    arm(rig, 0)
    rig.run()
    assert rig.fired_at == [pytest.approx(armed + 20 * UNIT_NS, abs=1)]


@pytest.mark.parametrize(("count", "time"), [(0, 100), (1, 100), (9, 0)])
def test_without_a_count_or_a_time_it_does_not_wait(rig: CardRig, count: int, time: int) -> None:
    coalesce(rig, count, time)
    arm(rig, 0)
    send(rig, 1)
    rig.run()
    assert rig.fired_at == [rig.port.sent[0][0] + 68]


def test_two_interrupts_are_at_least_the_interval_apart(rig: CardRig) -> None:
    rig.bus.writel(50, txq(0) + regs.Q_MODERATION)
    for index in range(4):
        arm(rig, index)
        send(rig, 1)
        rig.run()
    assert rig.fired == [0] * 4
    gaps = [b - a for a, b in zip(rig.fired_at, rig.fired_at[1:], strict=False)]
    assert all(gap >= 50 * UNIT_NS for gap in gaps)
    assert max(gaps) <= 50 * UNIT_NS + 1


def test_settings_count_while_an_interrupt_waits(rig: CardRig) -> None:
    coalesce(rig, 10, 0xFFFF)
    arm(rig, 0)
    send(rig, 1)
    rig.clock.run(until=5000)
    assert rig.fired == []
    coalesce(rig, 0, 0)
    rig.clock.run(until=5001)
    assert rig.fired == [0]


def test_a_fault_does_not_wait_for_more_completions(rig: CardRig) -> None:
    coalesce(rig, 100, 0xFFFF)
    arm(rig, 0)
    rig.post(whole(DATA, 60), whole(DATA, 0))
    rig.clock.run(until=rig.clock.now + 2000)
    assert rig.fired == [0]


def test_arming_a_stopped_queue_fires_at_once(rig: CardRig) -> None:
    rig.post(whole(DATA, 0))
    rig.run()
    arm(rig, 1)
    rig.run()
    assert rig.fired == [0]


def test_a_disabled_queue_is_not_armed(rig: CardRig) -> None:
    coalesce(rig, 5, 10)
    arm(rig, 0)
    send(rig, 1)
    rig.clock.run(until=rig.clock.now + 1000)
    rig.bus.writel(0, txq(0) + regs.Q_CTRL)
    rig.run()
    arm(rig, 9)
    rig.run()
    assert rig.fired == []
    assert rig.reg(txq(0) + regs.Q_IRQ_ARM) == 9


def test_every_queue_has_its_own_vector(rig: CardRig) -> None:
    for queue in range(QUEUES):
        assert rig.reg(txq(queue) + regs.Q_IRQ_VECTOR) == 2 * queue
        assert rig.reg(rxq(queue) + regs.Q_IRQ_VECTOR) == 2 * queue + 1
    rig.enable(txq(3), rxq(5))
    rig.bus.writel(1, regs.RX_CTRL)
    rig.bus.writel(1 << regs.RX_CTRL_RSS_LSB | 1, regs.RX_CTRL)
    rig.bus.writel(0, txq(3) + regs.Q_IRQ_ARM)
    rig.post(whole(DATA, 60), block=txq(3))
    rig.run()
    assert rig.fired == [6]
