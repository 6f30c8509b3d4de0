"""The one-shot interrupt."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.hdl.bench import run_module, start

IDLE = {
    "enable": 1,
    "arm": 0,
    "cpl_head": 0,
    "error": 0,
    "tick": 1,
    "cfg_count": 0,
    "cfg_time": 0,
    "cfg_interval": 0,
}


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
    await start(dut, **IDLE)
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
    await start(dut, **(IDLE | {"cpl_head": 0xFFFF}))
    await arm(dut, 0xFFFE)
    assert await pulses(dut) == 1
    await arm(dut, 0xFFFF)
    dut.cpl_head.value = 0
    assert await pulses(dut) == 1


@cocotb.test()
async def a_disabled_queue_is_not_armed(dut: Any) -> None:
    await start(dut, **IDLE)
    await arm(dut, 0)
    dut.enable.value = 0
    await RisingEdge(dut.clk)
    dut.cpl_head.value = 5
    dut.enable.value = 1
    assert await pulses(dut) == 0


async def cycles_to_irq(dut: Any, limit: int = 200) -> int:
    for count in range(limit):
        await RisingEdge(dut.clk)
        if dut.irq.value:
            return count
        assert dut.status_busy.value
    raise AssertionError("no interrupt")


@cocotb.test()
async def coalescing_waits_for_the_count(dut: Any) -> None:
    await start(dut, **(IDLE | {"cfg_count": 4, "cfg_time": 1000}))
    await arm(dut, 0)
    for head in (1, 2, 3):
        dut.cpl_head.value = head
        assert await pulses(dut) == 0
    dut.cpl_head.value = 4
    assert await pulses(dut) == 1


@cocotb.test()
async def coalescing_waits_no_longer_than_the_time(dut: Any) -> None:
    await start(dut, **(IDLE | {"cfg_count": 200, "cfg_time": 50}))
    await arm(dut, 0)
    assert await pulses(dut, 100) == 0
    dut.cpl_head.value = 1
    assert 50 <= await cycles_to_irq(dut) <= 53


@cocotb.test()
async def an_error_does_not_wait(dut: Any) -> None:
    await start(dut, **(IDLE | {"cfg_count": 200, "cfg_time": 1000}))
    await arm(dut, 0)
    dut.error.value = 1
    assert await pulses(dut) == 1


@cocotb.test()
async def interrupts_keep_their_distance(dut: Any) -> None:
    await start(dut, **(IDLE | {"cfg_interval": 80}))
    await arm(dut, 0)
    dut.cpl_head.value = 1
    assert await cycles_to_irq(dut) < 4
    await arm(dut, 1)
    dut.cpl_head.value = 2
    assert 76 <= await cycles_to_irq(dut) <= 82
    await RisingEdge(dut.clk)
    assert await pulses(dut, 100) == 0
    assert not dut.status_busy.value


@cocotb.test()
async def times_are_counted_in_ticks(dut: Any) -> None:
    await start(dut, **(IDLE | {"cfg_count": 9, "cfg_time": 1, "tick": 0}))
    await arm(dut, 0)
    dut.cpl_head.value = 1
    assert await pulses(dut, 50) == 0
    dut.tick.value = 1
    assert await pulses(dut) == 1
