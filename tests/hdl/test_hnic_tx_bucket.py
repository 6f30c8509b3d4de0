"""A token bucket against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from tests.hdl.bench import run_module, seeded, start


def test_the_bucket_keeps_its_rate(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


async def begin(dut: Any, rate: int, burst: int) -> None:
    await start(dut, cfg_rate=rate, cfg_burst=burst, charge=0, start=0, status_active=1)


@cocotb.test()
async def the_level_is_exact(dut: Any) -> None:
    rng = seeded()
    for rate, burst in ((0x8000, 3000), (1, 0), (0xFFFFFF, 0xFFFFFF), (77777, 1514)):
        await begin(dut, rate, burst)
        level = Fraction(min(rate, burst << 16), 65536)  # one cycle behind the reset
        for _ in range(400):
            charge = int(rng.random() < 0.02)
            size = rng.choice([84, 1538, 9624, 65535])
            dut.charge.value, dut.charge_bytes.value = charge, size
            await RisingEdge(dut.clk)
            assert bool(dut.allowed.value) == (level >= 0)
            assert bool(dut.status_full.value) == (level == burst)
            level = min(level + Fraction(rate, 65536) - charge * size, Fraction(burst))
        dut.charge.value = 0


@cocotb.test()
async def a_rate_of_zero_is_no_limit(dut: Any) -> None:
    await begin(dut, 0, 100)
    for _ in range(50):
        dut.charge.value, dut.charge_bytes.value = 1, 65535
        await RisingEdge(dut.clk)
        assert dut.allowed.value
        assert dut.status_full.value


@cocotb.test()
async def a_full_bucket_lets_a_burst_through_and_then_the_rate(dut: Any) -> None:
    """Half a byte a cycle, 1000 bytes at once: the debt of 500 is paid in 1000 cycles."""
    await begin(dut, 0x8000, 1000)
    await ClockCycles(dut.clk, 2100)
    assert dut.status_full.value
    dut.charge.value, dut.charge_bytes.value = 1, 1500
    await RisingEdge(dut.clk)
    dut.charge.value = 0
    await ClockCycles(dut.clk, 999)
    assert not dut.allowed.value
    await ClockCycles(dut.clk, 1)
    assert dut.allowed.value


@cocotb.test()
async def nothing_goes_between_a_start_and_its_charge(dut: Any) -> None:
    await begin(dut, 0x8000, 1000)
    await ClockCycles(dut.clk, 100)
    for ends in ("charge", "status_active"):
        dut.start.value = 1
        await RisingEdge(dut.clk)
        assert dut.allowed.value
        dut.start.value = 0
        for _ in range(5):
            await RisingEdge(dut.clk)
            assert not dut.allowed.value
        getattr(dut, ends).value = int(ends == "charge")
        dut.charge_bytes.value = 20
        await RisingEdge(dut.clk)
        dut.charge.value, dut.status_active.value = 0, 1
        await RisingEdge(dut.clk)
        assert dut.allowed.value


@cocotb.test()
async def the_bucket_of_a_queue_that_does_not_run_is_full(dut: Any) -> None:
    await begin(dut, 1, 1000)
    assert not dut.status_full.value
    dut.status_active.value = 0
    await ClockCycles(dut.clk, 2)
    dut.status_active.value = 1
    await RisingEdge(dut.clk)
    assert dut.status_full.value
