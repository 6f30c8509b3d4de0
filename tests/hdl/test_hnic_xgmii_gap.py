"""The gap: never short by more than 3 bytes, right in the mean."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from tests.hdl.bench import run_module, seeded, start


def test_gap_is_right_in_the_mean(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


async def gap_after(dut: Any, lane: int, lane4: int) -> tuple[int, int]:
    """End a frame, wait for leave to start: (gap in bytes from /T/, start lane)."""
    edge = FallingEdge(dut.clk)  # the MAC answers a leave to start within the cycle
    dut.frame_end.value, dut.end_lane.value, dut.lane4.value, dut.idle.value = 1, lane, lane4, 0
    await edge
    dut.frame_end.value, dut.idle.value = 0, 1
    words = 1
    while not (dut.start_lane0.value or dut.start_lane4.value):
        words += 1
        await edge
    dut.idle.value = 0
    at = 4 if dut.start_lane4.value else 0
    return 8 * words + at - lane - 4 * lane4, at


@cocotb.test()
@cocotb.parametrize(ifg=[12, 13, 40])
async def gaps_are_nearly_exact_and_exact_in_the_mean(dut: Any, ifg: int) -> None:
    rng = seeded()
    await start(dut, cfg_ifg=ifg, frame_end=0, end_lane=0, lane4=0, idle=1)
    await FallingEdge(dut.clk)
    total, lane4, count = 0, 0, 400
    for number in range(1, count + 1):
        gap, at = await gap_after(dut, rng.randrange(8), int(lane4 > 0))
        lane4 = at
        assert ifg - 3 <= gap <= ifg + 3
        total += gap
        assert 0 <= ifg * number - total <= 3


@cocotb.test()
async def a_long_pause_pays_back_what_is_owed(dut: Any) -> None:
    await start(dut, cfg_ifg=12, frame_end=0, end_lane=0, lane4=0, idle=1)
    await FallingEdge(dut.clk)
    assert (await gap_after(dut, 3, 0))[0] == 9
    dut.idle.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    assert (await gap_after(dut, 3, 0))[0] == 9
    assert (await gap_after(dut, 3, 0))[0] == 13
