"""The one-shot interrupt."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.hdl.bench import run_module, start


def test_interrupt_fires_once_and_misses_nothing(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


async def pulses(dut: Any, cycles: int = 6) -> int:
    count = 0
    for _ in range(cycles):
        await RisingEdge(dut.clk)
        count += int(dut.irq.value)
        if dut.irq.value:
            assert dut.status_busy.value
    return count


async def arm(dut: Any, index: int) -> None:
    dut.arm.value, dut.arm_index.value = 1, index
    await RisingEdge(dut.clk)
    dut.arm.value = 0


@cocotb.test()
async def it_fires_once_after_arming(dut: Any) -> None:
    await start(dut, enable=1, arm=0, cpl_head=0)
    dut.cpl_head.value = 1
    assert await pulses(dut) == 0
    await arm(dut, 1)
    assert await pulses(dut) == 0
    dut.cpl_head.value = 2
    assert await pulses(dut) == 1
    dut.cpl_head.value = 3
    assert await pulses(dut) == 0


@cocotb.test()
async def a_completion_before_arming_fires_at_once(dut: Any) -> None:
    await start(dut, enable=1, arm=0, cpl_head=0xFFFF)
    await arm(dut, 0xFFFE)
    assert await pulses(dut) == 1
    await arm(dut, 0xFFFF)
    dut.cpl_head.value = 0
    assert await pulses(dut) == 1


@cocotb.test()
async def a_disabled_queue_is_not_armed(dut: Any) -> None:
    await start(dut, enable=1, arm=0, cpl_head=0)
    await arm(dut, 0)
    dut.enable.value = 0
    await RisingEdge(dut.clk)
    dut.cpl_head.value = 5
    dut.enable.value = 1
    assert await pulses(dut) == 0
