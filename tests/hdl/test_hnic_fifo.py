"""The FIFO against a list, over depths and pauses."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


@pytest.mark.parametrize("depth", [2, 16])
def test_fifo_gives_back_what_it_was_given_in_order(module_simulator: str, depth: int) -> None:
    run_module(__file__, module_simulator, {"DEPTH": depth, "WIDTH": 12})


@cocotb.test()
@cocotb.parametrize(write_pause=[0.0, 0.7], read_pause=[0.0, 0.7])
async def words_keep_their_order(dut: Any, write_pause: float, read_pause: float) -> None:
    rng = seeded()
    await start(dut, wr_valid=0, rd_ready=0)
    words = [{"data": rng.randrange(1 << 12)} for _ in range(200)]
    source = StreamSource(dut, "wr", rng, write_pause)
    cocotb.start_soon(source.send(words))
    assert await StreamSink(dut, "rd", ["data"], rng, read_pause).take(200) == words


@cocotb.test()
async def it_holds_depth_words_and_a_reset_empties_it(dut: Any) -> None:
    rng = seeded()
    await start(dut, wr_valid=0, rd_ready=0)
    depth = int(dut.DEPTH.value)
    await StreamSource(dut, "wr", rng).send([{"data": i} for i in range(depth)])
    await RisingEdge(dut.clk)
    assert int(dut.level.value) == depth
    assert not dut.wr_ready.value
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    assert int(dut.level.value) == 0
    assert not dut.rd_valid.value
