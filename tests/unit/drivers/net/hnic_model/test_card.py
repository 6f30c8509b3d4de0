from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.drivers.net.hnic_model.card import READ_LATENCY_NS
from tests.unit.drivers.net.hnic.rig import KeepingPort
from tests.unit.drivers.net.hnic_model.card_rig import CardRig


@pytest.fixture
def rig() -> CardRig:
    return CardRig()


def test_the_card_says_who_it_is(rig: CardRig) -> None:
    assert rig.reg(regs.ID) == 0x43494E48
    assert rig.reg(regs.VERSION) == regs.VERSION_RST
    assert rig.reg(regs.FEATURES) & 1 << regs.FEATURES_CSUM_LSB
    assert rig.reg(regs.MAC_LO) == 0x00000002
    assert rig.reg(regs.MAC_HI) == 0x0100
    assert rig.reg(regs.LINK_STATUS) == 10_000 << 8 | 1
    assert rig.reg(regs.MAX_FRAME) == 9600


def test_a_read_takes_its_time_and_sees_the_writes_before_it(rig: CardRig) -> None:
    rig.bus.writel(0xDEADBEEF, regs.SCRATCH)
    before = rig.clock.now
    assert rig.reg(regs.SCRATCH) == 0xDEADBEEF
    assert rig.clock.now == before + READ_LATENCY_NS


def test_registers_keep_only_the_bits_they_have(rig: CardRig) -> None:
    for block in (regs.TXQ_BASE, regs.RXQ_BASE):
        for offset, written, read in (
            (regs.Q_BASE_LO, 0x1234_5FFF, 0x1234_5FC0),
            (regs.Q_BASE_HI, 0xFFFF_FFFF, 0xFFFF_FFFF),
            (regs.Q_SIZE, 0xFF, 12),
            (regs.Q_SIZE, 2, 6),
            (regs.Q_CPL_BASE_LO, 0x3F, 0),
            (regs.Q_CPL_SIZE, 0x17, 7),
            (regs.Q_IRQ_ARM, 0x1_2345, 0x2345),
            (regs.Q_HEAD, 5, 0),
            (regs.Q_CPL_HEAD, 5, 0),
        ):
            rig.bus.writel(written, block + offset)
            assert rig.reg(block + offset) == read
    rig.bus.writel(3, regs.LINK_CFG)
    assert rig.reg(regs.LINK_CFG) == 12
    rig.bus.writel(255, regs.LINK_CFG)
    assert rig.reg(regs.LINK_CFG) == 252
    assert [rig.reg(block + regs.Q_IRQ_VECTOR) for block in (regs.TXQ_BASE, regs.RXQ_BASE)] == [
        0,
        1,
    ]


@pytest.mark.parametrize("offset", [0x038, 0x0FC, 0x128, 0x4034, 0x4100, 0x8100, 0xFFFC])
def test_addresses_without_a_register_read_zero_and_ignore_writes(
    rig: CardRig, offset: int
) -> None:
    rig.bus.writel(0xFFFFFFFF, offset)
    assert rig.reg(offset) == 0


def test_the_cycle_counter_goes_on_at_156_25_mhz(rig: CardRig) -> None:
    rig.clock.run(until=(1 << 35) - READ_LATENCY_NS)
    assert rig.reg(regs.CYCLE_LO) == (1 << 35) * 5 // 32 & 0xFFFFFFFF
    assert rig.reg(regs.CYCLE_HI) == (1 << 35) * 5 // 32 >> 32


def test_reset_keeps_mac_and_link_and_clears_the_queues(rig: CardRig) -> None:
    rig.bus.writel(0x11223344, regs.MAC_LO)
    rig.bus.writel(20, regs.LINK_CFG)
    rig.enable(regs.TXQ_BASE)
    rig.enable(regs.RXQ_BASE)
    rig.bus.writel(1 << regs.CTRL_RESET_LSB, regs.CTRL)
    rig.run()
    assert rig.reg(regs.CTRL) == 0
    assert rig.reg(regs.MAC_LO) == 0x11223344
    assert rig.reg(regs.LINK_CFG) == 20
    for block in (regs.TXQ_BASE, regs.RXQ_BASE):
        assert [rig.reg(block + o) for o in (regs.Q_CTRL, regs.Q_STATUS, regs.Q_BASE_LO)] == [
            0,
            0,
            0,
        ]


def test_attach_plugs_a_card_into_a_machine(rig: CardRig) -> None:
    port = KeepingPort(rig.clock)
    bus = attach_hnic_model(rig.kernel, rig.clock, port, bytes(range(6)), 1_000_000_000)
    assert rig.in_task(lambda: bus.readl(regs.MAC_LO)) == 0x03020100
    assert rig.in_task(lambda: bus.readl(regs.LINK_STATUS)) == 1000 << 8 | 1
    assert set(bus.irqs).isdisjoint(rig.bus.irqs)
