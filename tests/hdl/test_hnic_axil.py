"""The AXI4-Lite slave against cocotbext-axi's master and a model of 16 registers."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from tests.hdl.bench import run_module, seeded, start


def test_axi_lite_slave_answers_everything_with_okay(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


async def registers(dut: Any, model: dict[int, int]) -> None:
    """The block behind the slave: registers at 0..60, and the rule that others give 0."""
    word = 0
    while True:
        dut.rd_data.value = word
        await RisingEdge(dut.clk)
        if dut.wr_en.value:
            model[int(dut.wr_addr.value)] = int(dut.wr_data.value)
        word = model.get(int(dut.rd_addr.value), 0) if dut.rd_en.value else 0


@cocotb.test()
@cocotb.parametrize(stalled=[False, True])
async def reads_see_writes(dut: Any, stalled: bool) -> None:
    rng = seeded()
    idle = [f"s_axil_{name}" for name in ("awvalid", "wvalid", "arvalid", "bready", "rready")]
    await start(dut, rd_data=0, **dict.fromkeys(idle, 0))
    await FallingEdge(dut.clk)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
    model: dict[int, int] = {}
    cocotb.start_soon(registers(dut, model))
    if stalled:
        pattern = [rng.random() < 0.6 for _ in range(97)]
        master.write_if.b_channel.set_pause_generator(itertools.cycle(pattern))
        master.write_if.w_channel.set_pause_generator(itertools.cycle(pattern[::-1]))
        master.read_if.r_channel.set_pause_generator(itertools.cycle(pattern[7:]))
    wanted: dict[int, int] = {}
    for _ in range(60):
        addr = 4 * rng.randrange(16)
        if rng.random() < 0.5:
            wanted[addr] = rng.randrange(1 << 32)
            answer = await master.write(addr, wanted[addr].to_bytes(4, "little"))
        else:
            answer = await master.read(addr, 4)
            assert int.from_bytes(answer.data, "little") == wanted.get(addr, 0)
        assert answer.resp == AxiResp.OKAY
    assert model == wanted


@cocotb.test()
async def a_write_without_all_strobes_changes_nothing(dut: Any) -> None:
    idle = [f"s_axil_{name}" for name in ("awvalid", "wvalid", "arvalid", "bready", "rready")]
    await start(dut, rd_data=0, **dict.fromkeys(idle, 0))
    await FallingEdge(dut.clk)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
    model: dict[int, int] = {}
    cocotb.start_soon(registers(dut, model))
    for offset, size in ((0, 1), (2, 2), (1, 3)):
        assert (await master.write(offset, bytes(size))).resp == AxiResp.OKAY
    assert model == {}
