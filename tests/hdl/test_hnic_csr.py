"""The registers of the whole card."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, start


def test_card_registers_hold_and_act(module_simulator: str) -> None:
    run_module(
        __file__,
        module_simulator,
        {"MAX_FRAME": 9018, "TX_QUEUES": 5, "RX_QUEUES": 3, "FEATURES": 0x5A, "SPEED": 1000},
    )


async def write(dut: Any, offset: int, value: int) -> None:
    dut.wr_en.value, dut.wr_addr.value, dut.wr_data.value = 1, offset, value
    await RisingEdge(dut.clk)
    dut.wr_en.value = 0


async def read(dut: Any, offset: int) -> int:
    dut.rd_en.value, dut.rd_addr.value = 1, offset
    await RisingEdge(dut.clk)
    dut.rd_en.value = 0
    await RisingEdge(dut.clk)
    return int(dut.rd_data.value)


IDLE = {
    "wr_en": 0,
    "rd_en": 0,
    "reset_done": 0,
    "status_busy": 0,
    "status_paused": 0,
    "time_ns": 0x1122334455667788,
}


@cocotb.test()
async def reset_values_are_those_of_the_source(dut: Any) -> None:
    await start(dut, **IDLE)
    for name in (
        "ID",
        "VERSION",
        "CTRL",
        "STATUS",
        "LINK_CFG",
        "MAC_LO",
        "MAC_HI",
        "RX_CTRL",
        "MC_HASH_LO",
        "MC_HASH_HI",
        "MAX_SEGS",
    ):
        assert await read(dut, getattr(r, name)) == getattr(r, f"{name}_RST"), name
    assert await read(dut, r.MAX_FRAME) == 9018
    assert await read(dut, r.QUEUES) == 5 << r.QUEUES_TXQ_LSB | 3 << r.QUEUES_RXQ_LSB
    assert await read(dut, r.FEATURES) == 0x5A
    assert await read(dut, r.LINK_STATUS) == 1 << r.LINK_STATUS_UP_LSB | 1000 << 8
    assert await read(dut, 0xFFC) == 0


@cocotb.test()
async def time_of_day_is_read_in_halves(dut: Any) -> None:
    await start(dut, **IDLE)
    assert await read(dut, r.TIME_LO) == 0x55667788
    dut.time_ns.value = 0
    assert await read(dut, r.TIME_HI) == 0x11223344


@cocotb.test()
async def pause_shows_in_the_link(dut: Any) -> None:
    await start(dut, **(IDLE | {"status_paused": 1}))
    assert await read(dut, r.LINK_STATUS) >> r.LINK_STATUS_PAUSED_LSB & 1


@cocotb.test()
async def receive_settings_reach_the_filter(dut: Any) -> None:
    await start(dut, **IDLE)
    for name in ("promisc", "allmulti", "broadcast", "vlan_strip", "rss"):
        lsb = getattr(r, f"RX_CTRL_{name.upper()}_LSB")
        await write(dut, r.RX_CTRL, 1 << lsb)
        assert await read(dut, r.RX_CTRL) == 1 << lsb
        assert getattr(dut, f"cfg_{name}").value == 1
    await write(dut, r.RX_CTRL, 0xFFFFFFFF)
    assert await read(dut, r.RX_CTRL) == 0x1F
    await write(dut, r.MC_HASH_LO, 0x01234567)
    await write(dut, r.MC_HASH_HI, 0x89ABCDEF)
    await RisingEdge(dut.clk)
    assert int(dut.cfg_mc_hash.value) == 0x89ABCDEF01234567
    await write(dut, r.MAC_LO, 0x33221102)
    await write(dut, r.MAC_HI, 0x5544)
    await RisingEdge(dut.clk)
    assert int(dut.cfg_mac.value).to_bytes(6, "little") == bytes.fromhex("021122334455")


@cocotb.test()
async def the_tick_comes_every_64_cycles(dut: Any) -> None:
    await start(dut, **IDLE)
    ticks = []
    for cycle in range(256):
        await RisingEdge(dut.clk)
        if dut.tick.value:
            ticks.append(cycle)
    assert [late - early for early, late in itertools.pairwise(ticks)] == [64, 64, 64]


@cocotb.test()
async def written_values_are_read_back(dut: Any) -> None:
    await start(dut, **IDLE)
    for offset, value in (
        (r.MAC_LO, 0x33221102),
        (r.MAC_HI, 0x5544),
        (r.SCRATCH, 0xFFFFFFFF),
        (r.LINK_CFG, 200 | 1 << r.LINK_CFG_PAUSE_LSB),
        (r.RX_CTRL, 0x1F),
        (r.MC_HASH_LO, 0x89ABCDEF),
        (r.MC_HASH_HI, 0x01234567),
    ):
        await write(dut, offset, value)
        assert await read(dut, offset) == value
    for asked, kept in ((0, 12), (11, 12), (255, 252)):
        await write(dut, r.LINK_CFG, asked)
        assert await read(dut, r.LINK_CFG) == kept == int(dut.cfg_ifg.value)
    await write(dut, r.ID, 0)
    assert await read(dut, r.ID) == r.ID_RST


@cocotb.test()
async def a_reset_request_stands_until_done_and_disables(dut: Any) -> None:
    await start(dut, **IDLE)
    await write(dut, r.RX_CTRL, 0x1F)
    await write(dut, r.MC_HASH_LO, 1)
    await write(dut, r.SCRATCH, 5)
    await write(dut, r.CTRL, 1 << r.CTRL_ENABLE_LSB | 1 << r.CTRL_RESET_LSB)
    await ClockCycles(dut.clk, 5)
    assert dut.reset_request.value
    assert dut.cfg_enable.value
    dut.reset_done.value = 1
    await RisingEdge(dut.clk)
    dut.reset_done.value = 0
    assert await read(dut, r.CTRL) == 0
    assert await read(dut, r.RX_CTRL) == r.RX_CTRL_RST
    assert await read(dut, r.MC_HASH_LO) == 0
    assert await read(dut, r.SCRATCH) == 5


@cocotb.test()
async def the_cycle_counter_is_read_in_halves(dut: Any) -> None:
    await start(dut, **IDLE)
    first = await read(dut, r.CYCLE_LO)
    await ClockCycles(dut.clk, 10)
    assert await read(dut, r.CYCLE_LO) == first + 12
    assert await read(dut, r.CYCLE_HI) == 0
    dut.status_busy.value = 1
    assert await read(dut, r.STATUS) == 1 << r.STATUS_BUSY_LSB
