"""The life of a queue: doorbells, disabling, queue reset."""

from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.limits import DOORBELL_LATENCY_NS
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.drivers.net.hnic_model.card_rig import DATA, SIZE, CardRig, rxq, txq, whole

TX = txq(0)
RESET = 1 << regs.Q_CTRL_RESET_LSB


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable(TX)
    rig.fill(payload(9000))
    return rig


def state(rig: CardRig, block: int = TX) -> list[int]:
    names = (regs.Q_CTRL, regs.Q_STATUS, regs.Q_DOORBELL, regs.Q_HEAD, regs.Q_CPL_HEAD)
    return [rig.reg(block + name) for name in names]


def restarts(rig: CardRig) -> None:
    """The queue can be started and begins at index 0."""
    rig.enable(TX)
    rig.post(whole(DATA, 64, 77))
    rig.run()
    done = rig.completion(0)
    assert (done["COOKIE"], done["STATUS"], done["PHASE"], done["HEAD"]) == (77, 0, 1, 1)


@pytest.mark.parametrize("block", [TX, rxq(0)])
@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [(SIZE, SIZE, 0), (SIZE + 1, 0, 1), (10, 9, 1), (10, 10 + SIZE, 1), (0xFFFF, 5, 1)],
)
def test_a_doorbell_beyond_the_ring_or_backwards_is_ignored_and_counted(
    rig: CardRig, block: int, first: int, second: int, wrong: int
) -> None:
    rig.enable(block)
    rig.bus.writel(0, regs.CTRL)
    rig.bus.writel(first, block + regs.Q_DOORBELL)
    rig.bus.writel(second, block + regs.Q_DOORBELL)
    assert rig.reg(regs.STAT_DOORBELL_ERRS) == wrong


def test_a_doorbell_of_a_queue_that_is_off_or_in_reset_is_ignored_and_counted(
    rig: CardRig,
) -> None:
    rig.bus.writel(1, txq(1) + regs.Q_DOORBELL)
    rig.bus.writel(RESET | 1, TX + regs.Q_CTRL)
    rig.bus.writel(1, TX + regs.Q_DOORBELL)
    rig.run()
    assert rig.reg(regs.STAT_DOORBELL_ERRS) == 2


def test_drops_are_counted_of_receive_queues_alone(rig: CardRig) -> None:
    rig.post(whole(DATA, 0))
    rig.run()
    assert rig.reg(regs.STAT_TX_DROPS) == 1
    assert rig.reg(TX + regs.Q_DROPS) == 0


def test_a_reset_of_an_idle_queue_ends_soon_and_keeps_its_settings(rig: CardRig) -> None:
    rig.post(whole(DATA, 64))
    rig.run()
    rig.bus.writel(5, TX + regs.Q_COALESCE)
    rig.bus.writel(RESET | 1, TX + regs.Q_CTRL)
    assert rig.model.register(TX + regs.Q_CTRL) == RESET | 1
    rig.run()
    assert state(rig) == [0] * 5
    assert rig.reg(TX + regs.Q_BASE_LO) == rig.ring(TX)
    assert rig.reg(TX + regs.Q_COALESCE) == 5
    restarts(rig)


def test_a_reset_waits_for_the_frame_on_the_wire_and_writes_no_completion(rig: CardRig) -> None:
    rig.post(*[whole(DATA, 1514, i) for i in range(5)])
    rig.clock.run(until=rig.clock.now + DOORBELL_LATENCY_NS + 100)
    rig.bus.writel(RESET, TX + regs.Q_CTRL)
    rig.clock.run(until=rig.clock.now + 1000)
    assert rig.model.register(TX + regs.Q_CTRL) == RESET
    rig.run()
    assert state(rig) == [0] * 5
    assert len(rig.port.sent) == 1
    assert rig.completion(0)["PHASE"] == 0
    assert rig.reg(regs.STAT_TX_FLUSHED) == 1
    restarts(rig)


def test_a_reset_drops_the_rest_of_a_super_packet(rig: CardRig) -> None:
    shape = {
        "TSO": 1, "CSUM": 1, "IPV4": 1, "L3_START": 14, "CSUM_START": 34, "CSUM_OFFSET": 16,
        "HDR_LEN": 54, "MSS": 1000,
    }  # fmt: skip
    rig.post(whole(DATA, 8054, **shape))
    rig.clock.run(until=rig.clock.now + DOORBELL_LATENCY_NS + 1000)
    rig.bus.writel(RESET, TX + regs.Q_CTRL)
    rig.run()
    assert len(rig.port.sent) == 2
    assert rig.completion(0)["PHASE"] == 0
    restarts(rig)


def test_other_queues_go_on_while_one_is_reset(rig: CardRig) -> None:
    rig.enable(txq(1))
    for block in (TX, txq(1)):
        rig.post(*[whole(DATA, 1000, i) for i in range(4)], block=block)
    rig.clock.run(until=rig.clock.now + DOORBELL_LATENCY_NS + 100)
    rig.bus.writel(RESET, TX + regs.Q_CTRL)
    rig.run()
    assert len(rig.port.sent) == 5
    assert rig.reg(txq(1) + regs.Q_CPL_HEAD) == 4


def test_a_stopped_queue_can_be_disabled_and_stays_at_fault(rig: CardRig) -> None:
    rig.post(whole(DATA, 0), *[whole(DATA, 64)] * 5)
    rig.run()
    rig.bus.writel(0, TX + regs.Q_CTRL)
    rig.run()
    assert rig.reg(TX + regs.Q_STATUS) == 1 << regs.Q_STATUS_ERROR_LSB
    assert rig.error(TX) == (1, regs.STATUS_BAD_DESC, 0)
    rig.bus.writel(1, TX + regs.Q_CTRL)
    rig.run()
    assert rig.reg(TX + regs.Q_STATUS) == 1 << regs.Q_STATUS_ERROR_LSB
    rig.reset_queue(TX)
    restarts(rig)


def test_a_queue_that_is_enabled_again_before_it_has_stopped_goes_on(rig: CardRig) -> None:
    rig.post(*[whole(DATA, 1000, i) for i in range(3)])
    rig.bus.writel(0, TX + regs.Q_CTRL)
    rig.bus.writel(1, TX + regs.Q_CTRL)
    rig.run()
    rig.post(whole(DATA, 64, 9))
    rig.run()
    assert rig.completion(3)["COOKIE"] == 9


def test_rings_are_taken_when_the_queue_starts(rig: CardRig) -> None:
    rig.bus.writel(0x9000_0000, TX + regs.Q_BASE_LO)
    rig.bus.writel(12, TX + regs.Q_SIZE)
    rig.post(whole(DATA, 64, 3))
    rig.run()
    assert rig.completion(0)["COOKIE"] == 3
    assert rig.reg(TX + regs.Q_BASE_LO) == 0x9000_0000


def test_reset_of_a_receive_queue(rig: CardRig) -> None:
    rig.enable(rxq(1))
    rig.post_rx((0, 100, 1), block=rxq(1))
    rig.reset_queue(rxq(1))
    assert state(rig, rxq(1)) == [0] * 5


def test_reset_of_the_card_ends_the_reset_of_a_queue(rig: CardRig) -> None:
    rig.post(*[whole(DATA, 1514, i) for i in range(5)])
    rig.clock.run(until=rig.clock.now + DOORBELL_LATENCY_NS + 100)
    rig.bus.writel(RESET, TX + regs.Q_CTRL)
    rig.bus.writel(1 << regs.CTRL_RESET_LSB, regs.CTRL)
    rig.run()
    assert rig.reg(regs.CTRL) == 0
    assert state(rig) == [0] * 5
    restarts(rig)
