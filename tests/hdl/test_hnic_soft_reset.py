"""The soft reset waits for buses and wire."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from tests.hdl.bench import run_module, start


def test_soft_reset_breaks_no_transfer(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


@cocotb.test()
@cocotb.parametrize(last=["axi_idle", "mac_idle"])
async def reset_comes_after_the_last_transfer(dut: Any, last: str) -> None:
    await start(dut, request=0, axi_idle=0, mac_idle=0)
    assert not dut.quiesce.value
    dut.request.value = 1
    for name in ("axi_idle", "mac_idle"):
        getattr(dut, name).value = name != last
    for _ in range(20):
        await RisingEdge(dut.clk)
        assert not dut.core_rst.value
    assert dut.quiesce.value
    getattr(dut, last).value = 1
    pulses = 0
    for _ in range(10):
        await RisingEdge(dut.clk)
        pulses += int(dut.core_rst.value)
        if dut.done.value:
            assert dut.core_rst.value
            dut.request.value = 0
    assert pulses == 1
    assert not dut.quiesce.value


@cocotb.test()
@cocotb.parametrize(last=["axi_idle", "mac_idle"])
async def what_is_idle_for_one_cycle_only_is_not_idle(dut: Any, last: str) -> None:
    await start(dut, **({"request": 1, "axi_idle": 1, "mac_idle": 1} | {last: 0}))
    await ClockCycles(dut.clk, 4)
    getattr(dut, last).value = 1
    await RisingEdge(dut.clk)
    getattr(dut, last).value = 0
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.core_rst.value
