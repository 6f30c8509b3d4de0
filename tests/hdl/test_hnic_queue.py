"""The indices of a queue against a model of the ring, from doorbell to completion and back."""

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
TX = {"DESC_BYTES": r.TXD_BYTES, "CPL_BYTES": r.TXC_BYTES, "RX": 0}
RX = {"DESC_BYTES": r.RXD_BYTES, "CPL_BYTES": r.RXC_BYTES, "RX": 1}


@pytest.mark.parametrize(
    "parameters",
    [
        {**TX, "DEPTH": 64, "BURST": 8},
        {**TX, "DEPTH": 16, "BURST": 1},
        {**RX, "DEPTH": 64, "BURST": 32},
    ],
    ids=["tx", "tx-small", "rx"],
)
def test_queue_keeps_ring_order(module_simulator: str, parameters: dict[str, int]) -> None:
    run_module(__file__, module_simulator, parameters)


async def enable(
    dut: Any, size: int, cpl_size: int | None = None, *, begin: Callable[..., Any] = start
) -> None:
    """A reset and a queue with these ring sizes (log2), which runs."""
    await begin(
        dut,
        cfg_card_enable=1,
        cfg_enable=0,
        cfg_reset=0,
        cfg_base=BASE,
        cfg_size=size,
        cfg_cpl_base=CPL_BASE,
        cfg_cpl_size=size if cpl_size is None else cpl_size,
        doorbell=0,
        fetch_ready=0,
        fetched=0,
        take=0,
        start=0,
        finish=0,
        halt=0,
        cpl_issue=0,
        cpl_done=0,
        cpl_error=0,
    )
    dut.cfg_enable.value = 1
    await ClockCycles(dut.clk, 2)


async def pulse(dut: Any, **inputs: int) -> None:
    """One cycle with these inputs; those that are pulses fall behind it."""
    for name, value in inputs.items():
        getattr(dut, name).value = value
    await RisingEdge(dut.clk)
    for name in inputs:
        getattr(dut, name).value = 0


async def ring(dut: Any, tail: int) -> None:
    await pulse(dut, doorbell=1, doorbell_tail=tail & 0xFFFF)


async def fetch(dut: Any, *, answer: bool = True) -> tuple[int, int, int]:
    """Take the standing request: (index, address, count); its descriptors come with `answer`."""
    dut.fetch_ready.value = 1
    await RisingEdge(dut.clk)
    while not dut.fetch_valid.value:
        await RisingEdge(dut.clk)
    dut.fetch_ready.value = 0
    count = int(dut.fetch_count.value)
    got = int(dut.fetch_index.value), int(dut.fetch_addr.value), count
    if answer:
        await pulse(dut, fetched=1, fetched_count=count)
    return got


async def packet(dut: Any, descs: int) -> None:
    """Take the descriptors of one packet."""
    await RisingEdge(dut.clk)
    assert dut.held_valid.value
    for i in range(descs):
        await pulse(dut, take=1, start=int(i == 0))


async def complete(dut: Any, head: int, error: int = 0) -> tuple[int, int]:
    """Issue and answer the completion of a packet, end it: its (address, phase)."""
    place = int(dut.cpl_addr.value), int(dut.cpl_phase.value)
    await pulse(dut, cpl_issue=1, cpl_issue_head=head & 0xFFFF, finish=1)
    await pulse(dut, cpl_done=1, cpl_error=error)
    await RisingEdge(dut.clk)
    return place


def is_rx(dut: Any) -> bool:
    return bool(int(dut.RX.value))


@cocotb.test()
@cocotb.parametrize(size_log2=[6, 8])
async def every_descriptor_is_fetched_once_within_the_rules(dut: Any, size_log2: int) -> None:
    rng = seeded()
    await enable(dut, size_log2)
    size, burst, depth = 1 << size_log2, int(dut.BURST.value), int(dut.DEPTH.value)
    desc_bytes = int(dut.DESC_BYTES.value)
    tail = fetched = taken = 0
    while tail < 5 * size:
        tail += rng.randrange(1, size - (tail - taken) + 1)
        await ring(dut, tail)
        while taken < tail:
            await ClockCycles(dut.clk, 3)
            while dut.fetch_valid.value:
                index, addr, count = await fetch(dut)
                assert index == fetched & 0xFFFF
                assert addr == BASE + (fetched % size) * desc_bytes
                assert 1 <= count <= min(burst, tail - fetched, size - fetched % size)
                assert addr // 4096 == (addr + count * desc_bytes - 1) // 4096
                fetched += count
                assert fetched - taken <= depth
                await ClockCycles(dut.clk, 3)
            assert fetched == tail or depth - (fetched - taken) < burst
            assert dut.held_end.value
            assert int(dut.take_index.value) == taken & 0xFFFF
            some = rng.randrange(1, fetched - taken + 1)
            await packet(dut, some)
            taken += some
            await RisingEdge(dut.clk)
            assert bool(dut.held_more.value) == (fetched - taken > 1)
            assert bool(dut.held_valid.value) == (fetched > taken)
            await complete(dut, taken)
            if rng.random() < 0.3:
                break
    assert tail > 2 * size


@cocotb.test()
async def what_was_asked_for_is_held_only_when_it_came(dut: Any) -> None:
    await enable(dut, 6)
    await ring(dut, 1)
    await fetch(dut, answer=False)
    await ClockCycles(dut.clk, 5)
    assert not dut.held_valid.value
    assert not dut.held_end.value
    assert dut.status_busy.value
    await pulse(dut, fetched=1, fetched_count=1)
    await RisingEdge(dut.clk)
    assert dut.held_valid.value
    assert dut.held_end.value
    assert bool(dut.status_busy.value) != is_rx(dut)


@cocotb.test()
async def completions_walk_their_ring_and_toggle_the_phase(dut: Any) -> None:
    await enable(dut, 6)
    for number in range(200):
        await ring(dut, number + 1)
        await fetch(dut)
        await packet(dut, 1)
        await RisingEdge(dut.clk)
        assert dut.status_busy.value
        addr, phase = await complete(dut, number + 1)
        assert addr == CPL_BASE + number % 64 * int(dut.CPL_BYTES.value)
        assert phase == 1 - (number // 64 & 1)
    assert int(dut.status_cpl_head.value) == 200
    assert int(dut.status_head.value) == 200
    assert not dut.status_busy.value


@cocotb.test()
async def doorbells_that_cannot_be_are_ignored(dut: Any) -> None:
    await enable(dut, 6)
    for tail, taken in ((65, 0), (0xFFFF, 0), (5, 5), (4, 5), (5, 5), (65, 5), (64, 64)):
        before = int(dut.status_tail.value)
        dut.doorbell.value, dut.doorbell_tail.value = 1, tail
        await RisingEdge(dut.clk)
        assert dut.stat_doorbell_errs.value == (tail != taken)
        dut.doorbell.value = 0
        await RisingEdge(dut.clk)
        assert int(dut.status_tail.value) == taken
        assert taken >= before


@cocotb.test()
async def a_disabled_queue_stops_and_starts_from_zero(dut: Any) -> None:
    """TX after its work; RX as soon as no frame is under way, whatever it still has."""
    await enable(dut, 6)
    await ring(dut, 1)
    await fetch(dut)
    await packet(dut, 1)
    if is_rx(dut):
        await ring(dut, 40)
        await fetch(dut)
        await ClockCycles(dut.clk, 3)
        if dut.fetch_valid.value:
            await fetch(dut)
    dut.cfg_enable.value = 0
    await ClockCycles(dut.clk, 5)
    assert dut.status_active.value
    assert not dut.held_valid.value
    await complete(dut, 1)
    for _ in range(50):
        await RisingEdge(dut.clk)
        if dut.fetch_valid.value:
            await fetch(dut)
    assert not dut.status_active.value
    assert not dut.status_busy.value
    assert int(dut.status_tail.value) == int(dut.status_head.value) == 0
    dut.cfg_enable.value = 1
    await ClockCycles(dut.clk, 3)
    assert not dut.held_valid.value
    await ring(dut, 1)
    assert (await fetch(dut))[0] == 0


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


@cocotb.test()
async def the_first_fault_stops_the_queue_and_shows_when_all_is_quiet(dut: Any) -> None:
    await enable(dut, 6)
    await ring(dut, 64)
    await fetch(dut)
    await packet(dut, 1)
    await pulse(dut, halt=1, halt_status=r.STATUS_DMA_ERR, halt_index=7)
    await pulse(dut, halt=1, halt_status=r.STATUS_BAD_DESC, halt_index=8)
    await RisingEdge(dut.clk)
    assert dut.flush.value
    assert not dut.held_valid.value
    assert not dut.status_error.value
    await complete(dut, 1)
    for _ in range(20):
        await RisingEdge(dut.clk)
        if dut.fetch_valid.value:  # asked for before the fault
            await fetch(dut)
    assert dut.status_error.value
    assert not dut.fetch_valid.value
    assert not dut.status_busy.value
    assert int(dut.error_status.value) == r.STATUS_DMA_ERR
    assert int(dut.error_index.value) == 7
    assert int(dut.status_cpl_head.value) == 1
    dut.cfg_enable.value = 0
    await ClockCycles(dut.clk, 3)
    dut.cfg_enable.value = 1
    await ClockCycles(dut.clk, 3)
    assert dut.status_error.value
    assert not dut.status_active.value
    assert not dut.status_busy.value


@cocotb.test()
async def a_lost_completion_write_is_a_fault_and_is_not_counted(dut: Any) -> None:
    await enable(dut, 6)
    await ring(dut, 3)
    taken = 0
    while taken < 3:
        taken += (await fetch(dut))[2]
        await ClockCycles(dut.clk, 2)
    for i in range(3):
        await packet(dut, 1)
        if i < 2:
            await pulse(dut, cpl_issue=1, cpl_issue_head=i + 1, finish=1)
    await pulse(dut, cpl_done=1)
    await pulse(dut, cpl_done=1, cpl_error=1)
    await RisingEdge(dut.clk)
    assert int(dut.error_status.value) == r.STATUS_CPL_ERR
    assert int(dut.error_index.value) == 1
    await complete(dut, 3)
    assert int(dut.status_cpl_head.value) == 1
    assert dut.status_error.value


@cocotb.test()
async def a_reset_waits_for_what_is_under_way_and_leaves_nothing(dut: Any) -> None:
    await enable(dut, 6)
    for halted in (0, 1):
        await ring(dut, 64)
        _, _, held = await fetch(dut)
        await packet(dut, 1)
        await fetch(dut, answer=False)
        if halted:
            await pulse(dut, halt=1, halt_status=1, halt_index=0)
        dut.cfg_reset.value = 1
        await ClockCycles(dut.clk, 6)
        dut.fetch_ready.value = 1
        await ClockCycles(dut.clk, 6)
        dut.fetch_ready.value = 0
        assert dut.flush.value
        assert not dut.reset_done.value
        fetched = int(dut.fetch_index.value)
        await pulse(dut, cpl_issue=1, cpl_issue_head=1, finish=1)
        await pulse(dut, fetched=1, fetched_count=fetched - held)
        await RisingEdge(dut.clk)
        assert not dut.reset_done.value
        assert dut.status_busy.value
        await pulse(dut, cpl_done=1)
        await RisingEdge(dut.clk)
        assert dut.reset_done.value
        await RisingEdge(dut.clk)
        assert not dut.reset_done.value
        assert not dut.status_active.value
        assert not dut.status_error.value
        dut.cfg_reset.value = dut.cfg_enable.value = 0
        await RisingEdge(dut.clk)
        assert not dut.status_busy.value
        assert int(dut.status_tail.value) == int(dut.status_cpl_head.value) == 0
        assert int(dut.error_status.value) == r.STATUS_OK
        dut.cfg_enable.value = 1
        await ClockCycles(dut.clk, 3)
        assert not dut.held_valid.value
        assert not dut.fetch_valid.value
