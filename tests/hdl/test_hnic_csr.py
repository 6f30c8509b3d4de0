"""The registers of the whole card."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, start


def test_card_registers_hold_and_act(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"MAX_FRAME": 9018})


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


IDLE = {"wr_en": 0, "rd_en": 0, "reset_done": 0, "status_busy": 0}


@cocotb.test()
async def reset_values_are_those_of_the_source(dut: Any) -> None:
    await start(dut, **IDLE)
    for name in (
        "ID",
        "VERSION",
        "FEATURES",
        "QUEUES",
        "CTRL",
        "STATUS",
        "LINK_CFG",
        "LINK_STATUS",
        "MAC_LO",
        "MAC_HI",
    ):
        assert await read(dut, getattr(r, name)) == getattr(r, f"{name}_RST"), name
    assert await read(dut, r.MAX_FRAME) == 9018
    assert await read(dut, 0xFFC) == 0


@cocotb.test()
async def written_values_are_read_back(dut: Any) -> None:
    await start(dut, **IDLE)
    for offset, value in (
        (r.MAC_LO, 0x33221102),
        (r.MAC_HI, 0x5544),
        (r.SCRATCH, 0xFFFFFFFF),
        (r.LINK_CFG, 200),
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
    await write(dut, r.CTRL, 1 << r.CTRL_ENABLE_LSB | 1 << r.CTRL_RESET_LSB)
    await ClockCycles(dut.clk, 5)
    assert dut.reset_request.value
    assert dut.cfg_enable.value
    dut.reset_done.value = 1
    await RisingEdge(dut.clk)
    dut.reset_done.value = 0
    assert await read(dut, r.CTRL) == 0


@cocotb.test()
async def the_cycle_counter_is_read_in_halves(dut: Any) -> None:
    await start(dut, **IDLE)
    first = await read(dut, r.CYCLE_LO)
    await ClockCycles(dut.clk, 10)
    assert await read(dut, r.CYCLE_LO) == first + 12
    assert await read(dut, r.CYCLE_HI) == 0
    dut.status_busy.value = 1
    assert await read(dut, r.STATUS) == 1 << r.STATUS_BUSY_LSB
