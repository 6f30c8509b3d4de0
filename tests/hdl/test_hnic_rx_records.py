"""The FIFO in block RAM keeps order and loses nothing while it fills, wraps and empties."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start

DEPTH = 16


def test_records_come_in_order(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"WIDTH": 16, "DEPTH": DEPTH})


async def run(dut: Any, count: int, pause: float, slow: float) -> None:
    rng = seeded()
    values = [rng.getrandbits(16) for _ in range(count)]
    sink = StreamSink(dut, "rd", ["data"], rng, slow)
    task = cocotb.start_soon(sink.take(count))
    source = StreamSource(dut, "wr", rng, pause)
    taken = 0

    async def reads() -> None:
        nonlocal taken
        while True:
            await RisingEdge(dut.clk)
            taken += int(dut.rd_valid.value) and int(dut.rd_ready.value)

    counter = cocotb.start_soon(reads())
    for index, value in enumerate(values):
        while index - taken >= DEPTH:
            await RisingEdge(dut.clk)
        await source.send([{"data": value}])
    assert [item["data"] for item in await task] == values
    counter.cancel()


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.6], slow=[0.0, 0.7])
async def order_is_kept(dut: Any, pause: float, slow: float) -> None:
    await start(dut, wr_valid=0, rd_ready=0)
    await run(dut, 150, pause, slow)


@cocotb.test()
async def a_word_is_there_after_two_cycles_and_then_one_a_cycle(dut: Any) -> None:
    await start(dut, wr_valid=0, rd_ready=1)
    dut.wr_valid.value = 1
    seen = ""
    for index in range(12):
        dut.wr_data.value = index
        await RisingEdge(dut.clk)
        seen += str(int(dut.rd_valid.value))
        if dut.rd_valid.value:
            assert int(dut.rd_data.value) == index - 2
    assert seen == "001111111111"


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, wr_valid=0, rd_ready=0)
    for count in (1, 2, 3, 10, 40):
        await interrupt(dut, run(dut, 30, 0.1, 0.5), count)
        await reset(dut, wr_valid=0, rd_ready=0)
        assert not dut.rd_valid.value
        await run(dut, 5, 0.0, 0.0)
