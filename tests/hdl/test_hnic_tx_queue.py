"""The indices of a queue against a model of the ring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import reset, run_module, seeded, start

BASE = 0x1_0000_0FC0
CPL_BASE = 0x2_0000_0040


@pytest.mark.parametrize("burst", [1, 8, 32])
def test_queue_fetches_and_completes_in_ring_order(module_simulator: str, burst: int) -> None:
    run_module(__file__, module_simulator, {"DESC_BURST": burst})


async def enable(
    dut: Any, size: int, cpl_size: int | None = None, *, begin: Callable[..., Any] = start
) -> None:
    """A reset and a queue with these ring sizes (log2), which runs."""
    await begin(
        dut,
        cfg_card_enable=1,
        cfg_enable=0,
        cfg_base=BASE,
        cfg_size=size,
        cfg_cpl_base=CPL_BASE,
        cfg_cpl_size=size if cpl_size is None else cpl_size,
        doorbell=0,
        fetch_ready=0,
        cpl_issue=0,
        cpl_done=0,
    )
    dut.cfg_enable.value = 1
    await ClockCycles(dut.clk, 2)


async def ring(dut: Any, tail: int) -> None:
    dut.doorbell.value, dut.doorbell_tail.value = 1, tail & 0xFFFF
    await RisingEdge(dut.clk)
    dut.doorbell.value = 0


async def fetch(dut: Any) -> tuple[int, int, int]:
    """Take the standing request: (index, address, count)."""
    dut.fetch_ready.value = 1
    await RisingEdge(dut.clk)
    while not dut.fetch_valid.value:
        await RisingEdge(dut.clk)
    dut.fetch_ready.value = 0
    return int(dut.fetch_index.value), int(dut.fetch_addr.value), int(dut.fetch_count.value)


async def complete(dut: Any, head: int) -> tuple[int, int]:
    """Issue and answer one completion: its (address, phase)."""
    place = int(dut.cpl_addr.value), int(dut.cpl_phase.value)
    dut.cpl_issue.value, dut.cpl_issue_head.value = 1, head & 0xFFFF
    await RisingEdge(dut.clk)
    dut.cpl_issue.value, dut.cpl_done.value = 0, 1
    await RisingEdge(dut.clk)
    dut.cpl_done.value = 0
    await RisingEdge(dut.clk)
    return place


@cocotb.test()
@cocotb.parametrize(size_log2=[6, 8])
async def every_descriptor_is_fetched_once_within_the_rules(dut: Any, size_log2: int) -> None:
    rng = seeded()
    await enable(dut, size_log2)
    size, burst = 1 << size_log2, int(dut.DESC_BURST.value)
    tail = done = 0
    for _ in range(60):
        tail += rng.randrange(1, size + 1)
        await ring(dut, tail)
        while done < tail:
            index, addr, count = await fetch(dut)
            assert index == done & 0xFFFF
            assert addr == BASE + (done % size) * r.TXD_BYTES
            assert 1 <= count <= min(burst, tail - done, size - done % size)
            assert addr // 4096 == (addr + count * r.TXD_BYTES - 1) // 4096
            done += count
        await complete(dut, done)
        assert not dut.fetch_valid.value
    assert tail > 2 * size


@cocotb.test()
async def completions_walk_their_ring_and_toggle_the_phase(dut: Any) -> None:
    await enable(dut, 6)
    for number in range(200):
        await ring(dut, number + 1)
        await fetch(dut)
        assert dut.status_busy.value
        addr, phase = await complete(dut, number + 1)
        assert addr == CPL_BASE + number % 64 * r.TXC_BYTES
        assert phase == 1 - (number // 64 & 1)
    assert int(dut.status_cpl_head.value) == 200
    assert int(dut.status_head.value) == 200
    assert not dut.status_busy.value


@cocotb.test()
async def doorbells_that_cannot_be_are_ignored(dut: Any) -> None:
    await enable(dut, 6)
    dut.doorbell.value, dut.doorbell_tail.value = 1, 65
    await RisingEdge(dut.clk)
    assert dut.stat_doorbell_errs.value
    dut.doorbell.value = 0
    await RisingEdge(dut.clk)
    assert int(dut.status_tail.value) == 0
    await ring(dut, 64)
    await RisingEdge(dut.clk)
    assert int(dut.status_tail.value) == 64


@cocotb.test()
async def a_disabled_queue_stops_after_its_work_and_starts_from_zero(dut: Any) -> None:
    await enable(dut, 6)
    await ring(dut, 1)
    dut.cfg_enable.value = 0
    await ClockCycles(dut.clk, 5)
    assert dut.status_active.value
    await fetch(dut)
    await complete(dut, 1)
    await ClockCycles(dut.clk, 3)
    assert not dut.status_active.value
    assert not dut.status_busy.value
    assert int(dut.status_tail.value) == int(dut.status_head.value) == 0


@cocotb.test()
async def a_disabled_card_fetches_nothing_and_is_not_busy(dut: Any) -> None:
    await enable(dut, 6)
    dut.cfg_card_enable.value = 0
    await ring(dut, 5)
    await ClockCycles(dut.clk, 5)
    assert not dut.fetch_valid.value
    assert not dut.status_busy.value
    dut.cfg_card_enable.value = 1
    assert (await fetch(dut))[0] == 0


@cocotb.test()
async def a_doorbell_needs_a_completion_ring_as_large_as_the_ring(dut: Any) -> None:
    await enable(dut, 6)
    for size, cpl_size, taken in ((7, 6, 0), (7, 7, 3), (6, 9, 3)):
        await enable(dut, size, cpl_size, begin=reset)
        dut.doorbell.value, dut.doorbell_tail.value = 1, 3
        await RisingEdge(dut.clk)
        assert dut.stat_doorbell_errs.value == (taken == 0)
        dut.doorbell.value = 0
        await RisingEdge(dut.clk)
        assert int(dut.status_tail.value) == taken


@cocotb.test()
async def a_running_queue_keeps_its_rings(dut: Any) -> None:
    await enable(dut, 6)
    dut.cfg_base.value = dut.cfg_cpl_base.value = 0xDEAD0000
    dut.cfg_size.value = dut.cfg_cpl_size.value = 12
    await ring(dut, 65)
    await RisingEdge(dut.clk)
    assert int(dut.status_tail.value) == 0
    await ring(dut, 64)
    assert (await fetch(dut))[1] == BASE
    assert int(dut.cpl_addr.value) == CPL_BASE
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    await ring(dut, 1000)
    assert (await fetch(dut))[1] == 0xDEAD0000
    assert int(dut.cpl_addr.value) == 0xDEAD0000
