"""The register blocks of several queues side by side: each is its own."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, start

IDLE = {
    "wr_en": 0,
    "rd_en": 0,
    "tick": 0,
    "reset_done": 0,
    "status_active": 0,
    "status_error": 0,
    "status_tail": 0,
    "status_head": 0,
    "status_cpl_head": 0,
    "error_status": 0,
    "error_index": 0,
    "status_drops": 0,
}
ENABLE = 1 << r.Q_CTRL_ENABLE_LSB


@pytest.mark.parametrize("queues", [1, 3, 32])
def test_each_queue_has_its_own_block(module_simulator: str, queues: int) -> None:
    parameters = {"QUEUES": queues, "BASE": r.RXQ_BASE, "VECTOR": 1, "TX": 0}
    run_module(__file__, module_simulator, parameters)


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


def block(queue: int) -> int:
    return r.RXQ_BASE + queue * r.RXQ_STRIDE


@cocotb.test()
async def settings_stay_apart(dut: Any) -> None:
    await start(dut, **IDLE)
    queues = int(dut.QUEUES.value)
    for queue in range(queues):
        await write(dut, block(queue) + r.Q_BASE_LO, queue + 1 << 6)
    assert await read(dut, block(queues) + r.Q_BASE_LO) == 0
    for queue in range(queues):
        assert await read(dut, block(queue) + r.Q_BASE_LO) == queue + 1 << 6
        assert await read(dut, block(queue) + r.Q_IRQ_VECTOR) == 2 * queue + 1
    bases = int(dut.cfg_base.value)
    assert [bases >> 64 * q & 0xFFFFFFFF for q in range(queues)] == [
        q + 1 << 6 for q in range(queues)
    ]


@cocotb.test()
async def a_doorbell_rings_at_one_queue(dut: Any) -> None:
    await start(dut, **IDLE)
    queue = int(dut.QUEUES.value) - 1
    dut.wr_en.value, dut.wr_addr.value, dut.wr_data.value = 1, block(queue) + r.Q_DOORBELL, 0x4321
    await ReadOnly()
    assert int(dut.doorbell.value) == 1 << queue
    assert int(dut.doorbell_tail.value) == 0x4321


@cocotb.test()
async def an_interrupt_is_that_of_its_queue(dut: Any) -> None:
    await start(dut, **IDLE)
    queue = int(dut.QUEUES.value) - 1
    for one in range(queue + 1):
        await write(dut, block(one) + r.Q_CTRL, ENABLE)
        await write(dut, block(one) + r.Q_IRQ_ARM, 0)
    dut.status_cpl_head.value = 1 << 16 * queue
    for _ in range(5):
        await RisingEdge(dut.clk)
        if int(dut.irq.value):
            break
    assert int(dut.irq.value) == 1 << queue
    assert dut.status_busy.value
    await RisingEdge(dut.clk)
    await ReadOnly()
    assert int(dut.irq.value) == 0
    assert not dut.status_busy.value
