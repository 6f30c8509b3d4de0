"""The dual-port RAM: what was written is read, a cycle later, and kept."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from tests.hdl.bench import PERIOD_NS, run_module, seeded


def test_ram_reads_what_was_written(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"WIDTH": 24, "ADDR_W": 5})


@cocotb.test()
async def reads_follow_writes(dut: Any) -> None:
    rng = seeded()
    model: dict[int, int] = {}
    Clock(dut.clk, PERIOD_NS, "ns", impl="gpi").start()
    wanted: int | None = None
    for _ in range(600):
        write, read = rng.random() < 0.6, rng.random() < 0.6
        addr, data, place = rng.randrange(32), rng.randrange(1 << 24), rng.randrange(32)
        dut.wr_en.value, dut.wr_addr.value, dut.wr_data.value = write, addr, data
        dut.rd_en.value, dut.rd_addr.value = read, place
        await RisingEdge(dut.clk)
        await ReadOnly()
        if read:
            wanted = model.get(place)
        if wanted is not None:
            assert int(dut.rd_data.value) == wanted
        if write:
            model[addr] = data
        await FallingEdge(dut.clk)
