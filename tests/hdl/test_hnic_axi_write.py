"""Two engines share the write channels of cocotbext-axi's RAM; data follows its address, answers
find their engine.
"""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge

from tests.hdl.bench import StreamSource, interrupt, reset, run_module, seeded, start
from tests.hdl.memory import Memory

SIZE = 1 << 16
ENGINES = {"cpl": 0x1000, "data": 0x8000}
BAD = range(0x8000, 0x9000)
LIMIT = 8
IDLE = {
    "quiesce": 0,
    "cpl_aw_valid": 0,
    "cpl_w_valid": 0,
    "data_aw_valid": 0,
    "data_aw_bytes": 1,
    "data_w_valid": 0,
    "m_axi_awready": 0,
    "m_axi_wready": 0,
    "m_axi_bvalid": 0,
}


@pytest.mark.parametrize("width", [64, 512])
def test_two_engines_share_the_write_channels(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "OUTSTANDING": LIMIT})


async def begin(dut: Any, pause: float = 0.0, latency: int = 0) -> Memory:
    await start(dut, **IDLE)
    await FallingEdge(dut.clk)
    return Memory(dut, seeded(), size=SIZE, pause=pause, latency=latency)


async def answers(dut: Any, name: str, count: int) -> list[int]:
    out: list[int] = []
    while len(out) < count:
        await RisingEdge(dut.clk)
        if dut.rst.value:
            break
        if getattr(dut, f"{name}_b_valid").value:
            out.append(int(dut.b_error.value))
            assert dut.stat_axi_wr_errs.value == dut.b_error.value
    return out


async def run(dut: Any, memory: Memory, count: int, pause: float) -> None:
    """`count` bursts of each engine; a record's beat is half the bus."""
    rng, lanes = seeded(), len(dut.m_axi_wstrb)
    image = bytearray(memory.read(0, SIZE))
    memory.writes.clear()
    tasks = []
    for name, base in ENGINES.items():
        bursts, beats, errors, wanted = [], [], [], []
        for i in range(count):
            addr = base + i * 1024 % 0x4000
            size = lanes if name == "data" else lanes // 2
            length = rng.randrange(1, 9) if name == "data" else rng.choice([1, 2])
            bursts.append({"addr": addr, "len": length - 1})
            if name == "cpl":
                bursts[-1]["size"] = size.bit_length() - 1
            wanted.append((int(name == "data"), addr, length, size))
            bad = addr in memory.write_if.bad
            errors.append(int(bad))
            for beat in range(length):
                place = addr + beat * size
                first = place % lanes
                count_of = rng.randrange(1, size + 1)
                data = rng.randbytes(lanes)
                strb = (1 << count_of) - 1 << first
                beats.append({"data": int.from_bytes(data, "little"), "strb": strb})
                if not bad:
                    image[place : place + count_of] = data[first : first + count_of]
        cocotb.start_soon(StreamSource(dut, f"{name}_aw", rng, pause).send(bursts))
        cocotb.start_soon(StreamSource(dut, f"{name}_w", rng, pause).send(beats))
        tasks.append((name, errors, wanted, cocotb.start_soon(answers(dut, name, count))))
    for name, errors, wanted, task in tasks:
        got = await task
        if dut.rst.value:
            return
        assert got == errors
        assert [w for w in memory.writes if w[0] == int(name == "data")] == wanted
    assert memory.read(0, SIZE) == image
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert dut.status_idle.value


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(0, 0.0), (60, 0.0), (0, 0.4)]))
async def each_burst_lands_where_it_belongs(dut: Any, latency: int, pause: float) -> None:
    await run(dut, await begin(dut, pause, latency), 40, pause)


@cocotb.test()
async def an_error_is_told_to_its_engine(dut: Any) -> None:
    memory = await begin(dut, 0.2)
    memory.write_if.bad = BAD
    await run(dut, memory, 20, 0.2)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    memory = await begin(dut, 0.3)
    for count in (2, 3, 5, 9, 20, 50):
        await interrupt(dut, run(dut, memory, 20, 0.1), count)
        await reset(dut, **IDLE)
        for valid in (dut.m_axi_awvalid, dut.m_axi_wvalid):
            assert not valid.value
        assert dut.status_idle.value
        await run(dut, memory, 2, 0.0)


@cocotb.test()
async def bursts_under_way_are_bounded_for_each_engine(dut: Any) -> None:
    await start(dut, **IDLE | {"m_axi_awready": 1, "m_axi_wready": 1})
    for engine in ENGINES:
        for name, value in {"aw_valid": 1, "aw_addr": 64, "aw_len": 1, "w_valid": 1}.items():
            getattr(dut, f"{engine}_{name}").value = value
    begun = [0, 0]
    for _ in range(80):
        await RisingEdge(dut.clk)
        if dut.m_axi_awvalid.value:
            begun[int(dut.m_axi_awid.value)] += 1
    assert begun == [LIMIT, LIMIT]
    dut.m_axi_bvalid.value, dut.m_axi_bid.value, dut.m_axi_bresp.value = 1, 0, 0
    await RisingEdge(dut.clk)
    dut.m_axi_bvalid.value = 0
    for _ in range(10):
        await RisingEdge(dut.clk)
        if dut.m_axi_awvalid.value:
            begun[int(dut.m_axi_awid.value)] += 1
    assert begun == [LIMIT + 1, LIMIT]


@cocotb.test()
async def quiesced_it_finishes_what_it_began_and_begins_nothing(dut: Any) -> None:
    await start(dut, **IDLE | {"m_axi_awready": 1, "m_axi_wready": 1})
    dut.data_aw_valid.value, dut.data_aw_addr.value, dut.data_aw_len.value = 1, 64, 3
    for _ in range(6):
        await RisingEdge(dut.clk)
        assert not dut.m_axi_wvalid.value
    dut.quiesce.value = 1
    begun = beats = 0
    dut.data_w_valid.value = 1
    for cycle in range(40):
        await RisingEdge(dut.clk)
        begun += int(cycle > 1 and dut.m_axi_awvalid.value)
        beats += int(dut.m_axi_wvalid.value)
        assert not dut.status_idle.value
    assert begun == 0
    assert beats % 4 == 0
    dut.m_axi_bvalid.value, dut.m_axi_bid.value, dut.m_axi_bresp.value = 1, 1, 0
    for _ in range(beats // 4):
        assert not dut.status_idle.value
        await RisingEdge(dut.clk)
    dut.m_axi_bvalid.value = 0
    await RisingEdge(dut.clk)
    assert dut.status_idle.value  # though an engine still asks


@cocotb.test()
async def data_goes_out_in_every_cycle(dut: Any) -> None:
    """Bursts of one beat, a second engine in between: no cycle is lost."""
    await start(dut, **IDLE | {"m_axi_awready": 1, "m_axi_wready": 1})
    for engine in ENGINES:
        for name, value in {"aw_valid": 1, "aw_addr": 64, "aw_len": 0, "w_valid": 1}.items():
            getattr(dut, f"{engine}_{name}").value = value
    beats = 0
    due: list[int] = []
    for cycle in range(120):
        dut.m_axi_bvalid.value = int(bool(due))
        if due:
            dut.m_axi_bid.value, dut.m_axi_bresp.value = due.pop(0), 0
        await RisingEdge(dut.clk)
        if dut.m_axi_awvalid.value:
            due.append(int(dut.m_axi_awid.value))
        beats += int(cycle >= 20 and dut.m_axi_wvalid.value)
    assert beats == 100
