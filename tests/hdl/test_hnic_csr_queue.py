"""The register block of one queue, at another place than the default."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, start

BASE = r.TXQ_BASE + 3 * r.TXQ_STRIDE


@pytest.mark.parametrize("tx", [0, 1])
def test_queue_block_holds_and_pulses(module_simulator: str, tx: int) -> None:
    run_module(__file__, module_simulator, {"BASE": BASE, "VECTOR": 6, "TX": tx})


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
    "status_active": 1,
    "status_error": 1,
    "error_status": 6,
    "error_index": 0x1234,
    "status_drops": 77,
    "status_tail": 7,
    "status_head": 5,
    "status_cpl_head": 4,
}


@cocotb.test()
async def values_are_held_at_this_block_only(dut: Any) -> None:
    await start(dut, **IDLE)
    values = {
        r.Q_BASE_LO: 0x12345640,
        r.Q_BASE_HI: 0x9ABCDEF0,
        r.Q_SIZE: 12,
        r.Q_CPL_BASE_LO: 0xFFFFFFC0,
        r.Q_CPL_BASE_HI: 1,
        r.Q_CPL_SIZE: 9,
        r.Q_CTRL: 1,
        r.Q_IRQ_ARM: 0xFFFE,
        r.Q_COALESCE: 32 << r.Q_COALESCE_COUNT_LSB | 500 << r.Q_COALESCE_TIME_LSB,
        r.Q_MODERATION: 1000,
    }
    shape = {r.Q_RATE: 0x123456, r.Q_BURST: 0xABCDEF, r.Q_PRIORITY: 5}
    tx = bool(dut.TX.value)
    if tx:
        values |= shape
    for offset, value in values.items():
        await write(dut, r.TXQ_BASE + offset, 0xFFFFFFFF)
        await write(dut, BASE + offset, value)
    for offset, value in values.items():
        assert await read(dut, BASE + offset) == value
        assert await read(dut, r.TXQ_BASE + offset) == 0
    assert int(dut.cfg_base.value) == 0x9ABCDEF0_12345640
    assert int(dut.cfg_cpl_base.value) == 0x1_FFFFFFC0
    assert (int(dut.cfg_count.value), int(dut.cfg_time.value)) == (32, 500)
    assert int(dut.cfg_interval.value) == 1000
    outputs = (dut.cfg_rate, dut.cfg_burst, dut.cfg_prio)
    for (offset, value), output in zip(shape.items(), outputs, strict=True):
        await write(dut, BASE + offset, value)
        assert await read(dut, BASE + offset) == int(output.value) == (value if tx else 0)
    await write(dut, BASE + r.Q_BASE_LO, 0xFFFFFFFF)
    assert await read(dut, BASE + r.Q_BASE_LO) == 0xFFFFFFC0


@cocotb.test()
async def status_is_read_from_the_queue(dut: Any) -> None:
    await start(dut, **IDLE)
    for offset, value in (
        (r.Q_STATUS, 1 << r.Q_STATUS_ACTIVE_LSB | 1 << r.Q_STATUS_ERROR_LSB),
        (r.Q_ERROR, 6 << r.Q_ERROR_STATUS_LSB | 0x1234 << r.Q_ERROR_INDEX_LSB),
        (r.Q_DROPS, 77),
        (r.Q_DOORBELL, 7),
        (r.Q_HEAD, 5),
        (r.Q_CPL_HEAD, 4),
        (r.Q_IRQ_VECTOR, 6),
    ):
        assert await read(dut, BASE + offset) == value


@cocotb.test()
async def doorbell_and_arm_are_pulses(dut: Any) -> None:
    await start(dut, **IDLE)
    for offset, pulse, index in (
        (r.Q_DOORBELL, dut.doorbell, dut.doorbell_tail),
        (r.Q_IRQ_ARM, dut.arm, dut.arm_index),
    ):
        dut.wr_en.value, dut.wr_addr.value, dut.wr_data.value = 1, BASE + offset, 0xABCD1234
        await ReadOnly()
        assert pulse.value
        assert int(index.value) == 0x1234
        await RisingEdge(dut.clk)
        dut.wr_en.value = 0
        await ReadOnly()
        assert not pulse.value
        await RisingEdge(dut.clk)


@cocotb.test()
@cocotb.parametrize(register=[r.Q_SIZE, r.Q_CPL_SIZE])
async def a_size_that_cannot_be_becomes_the_nearest_that_can(dut: Any, register: int) -> None:
    await start(dut, **IDLE)
    signal = dut.cfg_size if register == r.Q_SIZE else dut.cfg_cpl_size
    for wanted in range(16):
        await write(dut, BASE + register, wanted)
        assert await read(dut, BASE + register) == min(max(wanted, 6), 12)
        assert int(signal.value) == min(max(wanted, 6), 12)


@cocotb.test()
async def a_queue_reset_stands_until_done_and_keeps_the_settings(dut: Any) -> None:
    await start(dut, **IDLE)
    await write(dut, BASE + r.Q_BASE_LO, 0x1000)
    await write(dut, BASE + r.Q_CTRL, 1 << r.Q_CTRL_ENABLE_LSB)
    dut.reset_done.value = 1  # nobody has asked
    await RisingEdge(dut.clk)
    dut.reset_done.value = 0
    assert await read(dut, BASE + r.Q_CTRL) == 1 << r.Q_CTRL_ENABLE_LSB
    await write(dut, BASE + r.Q_CTRL, 1 << r.Q_CTRL_ENABLE_LSB | 1 << r.Q_CTRL_RESET_LSB)
    assert await read(dut, BASE + r.Q_CTRL) >> r.Q_CTRL_RESET_LSB
    assert dut.cfg_reset.value
    dut.reset_done.value = 1
    await RisingEdge(dut.clk)
    dut.reset_done.value = 0
    assert await read(dut, BASE + r.Q_CTRL) == 0
    assert not dut.cfg_enable.value
    assert await read(dut, BASE + r.Q_BASE_LO) == 0x1000
