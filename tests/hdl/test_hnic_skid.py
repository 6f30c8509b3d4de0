"""The register slice: order, full rate, and no way through within a cycle."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


def test_skid_keeps_order_and_rate(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"WIDTH": 9})


@cocotb.test()
@cocotb.parametrize(write_pause=[0.0, 0.6], read_pause=[0.0, 0.6])
async def words_keep_their_order(dut: Any, write_pause: float, read_pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0, out_ready=0)
    words = [{"data": rng.randrange(1 << 9)} for _ in range(200)]
    cocotb.start_soon(StreamSource(dut, "in", rng, write_pause).send(words))
    assert await StreamSink(dut, "out", ["data"], rng, read_pause).take(200) == words


@cocotb.test()
async def it_runs_at_full_rate(dut: Any) -> None:
    await start(dut, in_valid=1, in_data=5, out_ready=1)
    for _ in range(3):
        await RisingEdge(dut.clk)
    for _ in range(20):
        await RisingEdge(dut.clk)
        assert dut.in_ready.value
        assert dut.out_valid.value


@cocotb.test()
async def ready_does_not_pass_through_in_one_cycle(dut: Any) -> None:
    await start(dut, in_valid=1, in_data=5, out_ready=0)
    await ClockCycles(dut.clk, 4)
    assert not dut.in_ready.value
    dut.out_ready.value = 1
    await ReadOnly()
    assert not dut.in_ready.value
