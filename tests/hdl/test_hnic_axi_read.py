"""Three engines share the read channels of cocotbext-axi's RAM; each gets its own answers."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiRamRead, AxiReadBus

from tests.hdl.bench import StreamSource, interrupt, reset, run_module, seeded, start


def test_each_engine_gets_its_own_answers(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


async def answers(dut: Any, name: str, beats: int) -> list[int]:
    out: list[int] = []
    while len(out) < beats:
        await RisingEdge(dut.clk)
        if dut.rst.value:
            break
        if getattr(dut, f"{name}_r_valid").value:
            assert not dut.r_error.value
            out.append(int(dut.r_data.value))
    return out


@cocotb.test()
@cocotb.parametrize(stalled=[False, True])
async def beats_go_to_who_asked(dut: Any, stalled: bool) -> None:
    _, image = await begin(dut, stalled)
    await exchange(dut, image)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    _, image = await begin(dut, True)
    for count in (1, 2, 5, 12, 40):
        await interrupt(dut, exchange(dut, image), count)
        await reset(dut, txd_ar_valid=0, data_ar_valid=0, rxd_ar_valid=0)
        assert not dut.m_axi_arvalid.value
        assert dut.status_idle.value
        await exchange(dut, image)


async def begin(dut: Any, stalled: bool) -> tuple[AxiRamRead, bytes]:
    """Reset, and a memory of noise."""
    rng = seeded()
    await start(
        dut, txd_ar_valid=0, data_ar_valid=0, rxd_ar_valid=0, m_axi_arready=0, m_axi_rvalid=0
    )
    await FallingEdge(dut.clk)
    ram = AxiRamRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=1 << 16)
    image = rng.randbytes(1 << 16)
    ram.write(0, image)
    if stalled:
        ram.r_channel.set_pause_generator(rng.random() < 0.5 for _ in itertools.count())
        ram.ar_channel.set_pause_generator(rng.random() < 0.5 for _ in itertools.count())
    return ram, image


async def exchange(dut: Any, image: bytes) -> None:
    """Both engines ask at the same time; each gets its own beats."""
    rng = seeded()
    jobs = {}
    for name in ("txd", "data", "rxd"):
        asks, wanted = [], []
        for _ in range(30):
            addr, beats = rng.randrange(0, 4096, 16) + 4096 * rng.randrange(15), rng.randrange(1, 9)
            beats = min(beats, (4096 - addr % 4096) // 16)
            asks.append({"addr": addr, "len": beats - 1, "bytes": beats * 16})
            wanted += [
                int.from_bytes(image[addr + 16 * i : addr + 16 * i + 16], "little")
                for i in range(beats)
            ]
        cocotb.start_soon(StreamSource(dut, f"{name}_ar", rng, 0.2).send(asks))
        jobs[name] = (cocotb.start_soon(answers(dut, name, len(wanted))), wanted)
    for task, wanted in jobs.values():
        assert await task == wanted
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert dut.status_idle.value


@cocotb.test()
async def it_is_not_idle_between_request_and_last_beat(dut: Any) -> None:
    await start(
        dut,
        txd_ar_valid=0,
        data_ar_valid=0,
        rxd_ar_valid=0,
        m_axi_arready=0,
        m_axi_rvalid=0,
        m_axi_rlast=0,
    )
    assert dut.status_idle.value
    await StreamSource(dut, "txd_ar", seeded()).send([{"addr": 0, "len": 1, "bytes": 32}])
    for beat in range(2):
        await RisingEdge(dut.clk)
        assert not dut.status_idle.value
        (
            dut.m_axi_rvalid.value,
            dut.m_axi_rlast.value,
            dut.m_axi_rid.value,
            dut.m_axi_rresp.value,
        ) = 1, beat, 0, 2
        await RisingEdge(dut.clk)
        assert dut.stat_axi_rd_errs.value
        dut.m_axi_rvalid.value = 0
    await RisingEdge(dut.clk)
    assert dut.status_idle.value


@cocotb.test()
async def engines_take_turns(dut: Any) -> None:
    idle = {"txd_ar_valid": 1, "data_ar_valid": 1, "rxd_ar_valid": 1}
    await start(dut, **idle, m_axi_arready=1, m_axi_rvalid=0, m_axi_rlast=0)
    ids = []
    for _ in range(100):
        await RisingEdge(dut.clk)
        if dut.m_axi_arvalid.value:
            ids.append(int(dut.m_axi_arid.value))
    assert len(ids) >= 97
    assert ids == [(ids[0] + i) % 3 for i in range(len(ids))]
    assert not dut.status_idle.value
