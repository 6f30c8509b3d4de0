"""The register window: every register, what it keeps, what a reset does to it."""

from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.drivers.net.hnic_model.card import HnicModel
from pyhost.drivers.net.hnic_model.limits import READ_LATENCY_NS
from tests.unit.drivers.net.hnic.rig import KeepingPort
from tests.unit.drivers.net.hnic_model.card_rig import QUEUES, CardRig, rxq, txq

ALL = 0xFFFF_FFFF
GLOBAL = {
    # register: (reset value, what is left of all ones)
    regs.ID: (0x43494E48, 0x43494E48),
    regs.VERSION: (0x0002_0000, 0x0002_0000),
    regs.FEATURES: (0xFF, 0xFF),
    regs.QUEUES: (QUEUES | QUEUES << 8, QUEUES | QUEUES << 8),
    regs.STATUS: (0, 0),
    regs.LINK_CFG: (12, 0x1FC),
    regs.LINK_STATUS: (10_000 << 8 | 1, 10_000 << 8 | 1),
    regs.MAC_LO: (0x0000_0002, ALL),
    regs.MAC_HI: (0x0100, 0xFFFF),
    regs.MAX_FRAME: (9600, 9600),
    regs.SCRATCH: (0, ALL),
    regs.RX_CTRL: (4, 0x1F),
    regs.MC_HASH_LO: (0, ALL),
    regs.MC_HASH_HI: (0, ALL),
    regs.MAX_SEGS: (32, 32),
    **{regs.RSS_KEY + 4 * i: (0, ALL) for i in range(10)},
    **{regs.RSS_TABLE + 4 * i: (0, 0x07070707) for i in range(32)},
    **dict.fromkeys(range(256, 340, 4), (0, 0)),
}
QUEUE = {
    regs.Q_BASE_LO: (0, ALL & ~63),
    regs.Q_BASE_HI: (0, ALL),
    regs.Q_SIZE: (6, 12),
    regs.Q_CPL_BASE_LO: (0, ALL & ~63),
    regs.Q_CPL_BASE_HI: (0, ALL),
    regs.Q_CPL_SIZE: (6, 12),
    regs.Q_DOORBELL: (0, 0),
    regs.Q_HEAD: (0, 0),
    regs.Q_IRQ_ARM: (0, 0xFFFF),
    regs.Q_CPL_HEAD: (0, 0),
    regs.Q_ERROR: (0, 0),
    regs.Q_COALESCE: (0, 0xFFFF_00FF),
    regs.Q_MODERATION: (0, 0xFFFF),
    regs.Q_DROPS: (0, 0),
}
TX_QUEUE = QUEUE | {
    regs.Q_RATE: (0, 0xFF_FFFF),
    regs.Q_BURST: (16384, 0xFF_FFFF),
    regs.Q_PRIORITY: (0, 7),
}
RX_QUEUE = QUEUE | {regs.Q_RATE: (0, 0), regs.Q_BURST: (0, 0), regs.Q_PRIORITY: (0, 0)}
WINDOW = GLOBAL | {
    block + offset: values
    for base, registers in ((txq, TX_QUEUE), (rxq, RX_QUEUE))
    for block in map(base, (0, 1, QUEUES - 1))
    for offset, values in registers.items()
}


@pytest.fixture
def rig() -> CardRig:
    return CardRig()


def test_a_read_takes_its_time_and_sees_the_writes_before_it(rig: CardRig) -> None:
    rig.bus.writel(0xDEADBEEF, regs.SCRATCH)
    before = rig.clock.now
    assert rig.reg(regs.SCRATCH) == 0xDEADBEEF
    assert rig.clock.now == before + READ_LATENCY_NS


@pytest.mark.parametrize(
    "offset", [0x038, 0x058, 0x0FC, 0x154, 0x228, 0x300, 0x4050, 0x4800, 0x8050, 0x8800, 0xFFFC]
)
def test_addresses_without_a_register_read_zero_and_ignore_writes(
    rig: CardRig, offset: int
) -> None:
    rig.bus.writel(0xFFFFFFFF, offset)
    assert rig.reg(offset) == 0


def test_the_cycle_counter_goes_on_at_156_25_mhz(rig: CardRig) -> None:
    rig.clock.run(until=(1 << 35) - READ_LATENCY_NS)
    assert rig.reg(regs.CYCLE_LO) == (1 << 35) * 5 // 32 & 0xFFFFFFFF
    assert rig.reg(regs.CYCLE_HI) == (1 << 35) * 5 // 32 >> 32


def test_every_register_begins_with_its_reset_value(rig: CardRig) -> None:
    got = {offset: rig.model.register(offset) for offset in WINDOW}
    assert got == {offset: reset for offset, (reset, _) in WINDOW.items()}


def test_every_register_keeps_the_bits_it_has(rig: CardRig) -> None:
    for offset in WINDOW:
        rig.bus.writel(ALL, offset)
    got = {offset: rig.model.register(offset) for offset in WINDOW}
    assert got == {offset: kept for offset, (_, kept) in WINDOW.items()} | {
        regs.STAT_DOORBELL_ERRS: 6
    }


@pytest.mark.parametrize(("register", "written", "kept"), [
    (regs.LINK_CFG, 3, 12),
    (regs.LINK_CFG, 20, 20),
    (txq(0) + regs.Q_SIZE, 2, 6),
    (txq(0) + regs.Q_SIZE, 0x17, 7),
    (rxq(0) + regs.Q_CPL_SIZE, 15, 12),
])  # fmt: skip
def test_values_out_of_range_become_the_nearest_legal_one(
    rig: CardRig, register: int, written: int, kept: int
) -> None:
    rig.bus.writel(written, register)
    assert rig.reg(register) == kept


def test_a_reset_of_the_card_keeps_mac_link_and_counters_alone(rig: CardRig) -> None:
    rig.bus.writel(1, txq(0) + regs.Q_DOORBELL)
    for offset in WINDOW:
        rig.bus.writel(ALL, offset)
    rig.bus.writel(1 << regs.CTRL_RESET_LSB, regs.CTRL)
    rig.run()
    kept = {regs.MAC_LO, regs.MAC_HI, regs.LINK_CFG, regs.SCRATCH}
    got = {offset: rig.model.register(offset) for offset in WINDOW}
    assert got == {offset: values[offset in kept] for offset, values in WINDOW.items()} | {
        regs.STAT_DOORBELL_ERRS: 7
    }
    assert rig.reg(regs.CTRL) == 0


def test_the_time_of_day_is_the_clock_in_nanoseconds(rig: CardRig) -> None:
    rig.clock.run(until=(5 << 32) + 1234 - READ_LATENCY_NS)
    assert rig.reg(regs.TIME_LO) == 1234
    rig.clock.run(until=9 << 32)
    assert rig.reg(regs.TIME_HI) == 5


@pytest.mark.parametrize(("tx_queues", "rx_queues"), [(1, 1), (3, 8), (32, 5), (32, 32)])
def test_a_card_may_have_any_number_of_queues(tx_queues: int, rx_queues: int) -> None:
    rig = CardRig()
    port = KeepingPort(rig.clock)
    card = HnicModel(rig.kernel, rig.clock, port, bytes(6), 10**10, tx_queues, rx_queues)
    assert card.register(regs.QUEUES) == tx_queues | rx_queues << 8
    assert len(card.device.irqs) == 2 * max(tx_queues, rx_queues)
    for queues, block in ((tx_queues, txq), (rx_queues, rxq)):
        assert card.register(block(queues - 1) + regs.Q_SIZE) == 6
        assert queues == 32 or card.register(block(queues) + regs.Q_SIZE) == 0


@pytest.mark.parametrize(("tx_queues", "rx_queues"), [(0, 1), (1, 0), (33, 1), (1, 33)])
def test_a_card_without_queues_or_with_too_many_cannot_be_made(
    tx_queues: int, rx_queues: int
) -> None:
    rig = CardRig()
    with pytest.raises(ValueError, match="1 to 32"):
        HnicModel(rig.kernel, rig.clock, rig.port, bytes(6), 10**10, tx_queues, rx_queues)


def test_attach_plugs_a_card_into_a_machine(rig: CardRig) -> None:
    port = KeepingPort(rig.clock)
    bus = attach_hnic_model(rig.kernel, rig.clock, port, bytes(range(6)), 1_000_000_000)
    assert rig.in_task(lambda: bus.readl(regs.MAC_LO)) == 0x03020100
    assert rig.in_task(lambda: bus.readl(regs.LINK_STATUS)) == 1000 << 8 | 1
    assert set(bus.irqs).isdisjoint(rig.bus.irqs)
