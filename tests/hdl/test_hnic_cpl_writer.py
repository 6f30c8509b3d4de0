"""Records of both directions land whole at their places; done comes with the answer, each to its
source.
"""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge

from tests.hdl.bench import StreamSource, interrupt, reset, run_module, seeded, start
from tests.hdl.memory import Memory
from tests.hdl.test_hnic_dma_write import IDLE

SIZE = 1 << 16
PLACES = {"tx": 0x1040, "rx": 0x8040}
BYTES = {"tx": 16, "rx": 32}
BAD = range(0x8100, 0x8180)


@pytest.mark.parametrize("width", [64, 128, 256, 512])
def test_records_land_whole(module_simulator: str, width: int) -> None:
    run_module(
        __file__, module_simulator, {"DATA_W": width, "OUTSTANDING": 8}, top="hnic_write_bench"
    )


async def begin(dut: Any, pause: float = 0.0, latency: int = 0) -> Memory:
    await start(dut, **IDLE)
    await FallingEdge(dut.clk)
    return Memory(dut, seeded(), size=SIZE, pause=pause, latency=latency)


async def answers(dut: Any, name: str, count: int) -> list[int]:
    """The error flag of each answer."""
    out: list[int] = []
    while len(out) < count:
        await RisingEdge(dut.clk)
        if dut.rst.value:
            break
        if getattr(dut, f"{name}_done").value:
            out.append(int(getattr(dut, f"{name}_error").value))
    return out


async def run(dut: Any, memory: Memory, count: int, pause: float = 0.3) -> None:
    """`count` records of each source."""
    rng = seeded()
    image = bytearray(memory.read(0, SIZE))
    memory.writes.clear()
    lanes = len(dut.m_axi_wstrb)
    waiting, wanted = {}, {}
    for name, place in PLACES.items():
        size = BYTES[name]
        records = []
        wanted[name] = []
        for i in range(count):
            record, addr = rng.randbytes(size), place + size * i
            bad = addr in memory.write_if.bad
            wanted[name].append(int(bad))
            if not bad:
                image[addr : addr + size] = record
            records.append({"addr": addr, "record": int.from_bytes(record, "little")})
        waiting[name] = cocotb.start_soon(answers(dut, name, count))
        cocotb.start_soon(StreamSource(dut, name, rng, pause).send(records))
    for name, task in waiting.items():
        got = await task
        if dut.rst.value:
            return
        assert got == wanted[name]
    assert memory.read(0, SIZE) == image
    for name, place in PLACES.items():
        part = min(BYTES[name], lanes)
        assert [w for w in memory.writes if abs(w[1] - place) < 0x4000] == [
            (0, place + BYTES[name] * i, BYTES[name] // part, part) for i in range(count)
        ]
    for _ in range(2):
        await RisingEdge(dut.clk)
    assert dut.status_idle.value


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(0, 0.0), (40, 0.0), (0, 0.5)]))
async def records_land_where_they_belong(dut: Any, latency: int, pause: float) -> None:
    await run(dut, await begin(dut, pause, latency), 50)


@cocotb.test()
async def a_failed_write_is_told_to_its_source(dut: Any) -> None:
    memory = await begin(dut, 0.2)
    memory.write_if.bad = BAD
    await run(dut, memory, 40)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    memory = await begin(dut, 0.2)
    for count in (2, 3, 5, 9, 20, 60):
        await interrupt(dut, run(dut, memory, 30), count)
        await reset(dut, **IDLE)
        for valid in (dut.m_axi_awvalid, dut.m_axi_wvalid):
            assert not valid.value
        assert dut.status_idle.value
        await run(dut, memory, 3)


@cocotb.test()
async def sources_take_turns_and_a_record_takes_a_cycle_more_than_its_beats(dut: Any) -> None:
    """Both always have a record: half of them each."""
    await start(dut, **IDLE | {"m_axi_awready": 1, "m_axi_wready": 1})
    lanes = len(dut.m_axi_wstrb)
    dut.tx_valid.value = dut.rx_valid.value = 1
    dut.tx_addr.value, dut.rx_addr.value = PLACES["tx"], PLACES["rx"]
    dut.m_axi_bid.value = dut.m_axi_bresp.value = 0
    taken, beats, due = {"tx": 0, "rx": 0}, 0, 0
    for cycle in range(120):
        dut.m_axi_bvalid.value = int(due > 0)
        await RisingEdge(dut.clk)
        due -= int(dut.m_axi_bvalid.value)
        due += int(dut.m_axi_wvalid.value and dut.m_axi_wlast.value)
        for name in taken:
            taken[name] += int(getattr(dut, f"{name}_ready").value)
        beats += int(cycle >= 20 and dut.m_axi_wvalid.value)
    assert abs(taken["tx"] - taken["rx"]) <= 1
    both = [max(1, size // lanes) for size in BYTES.values()]
    assert abs(beats - 100 * sum(both) // (sum(both) + 2)) <= 2
