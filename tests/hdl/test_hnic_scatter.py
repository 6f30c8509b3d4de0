"""Packed words become beats: each byte in the lane of its address, none lost, none twice."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start
from tests.hdl.test_hnic_dma_write import words

IDLE = {"burst_valid": 0, "in_valid": 0, "out_ready": 0}


@pytest.mark.parametrize("width", [64, 128, 512])
def test_words_become_beats(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width})


def plan(rng: Any, lanes: int, count: int) -> tuple[list[Any], list[Any], list[list[int | None]]]:
    """Words, bursts, and the lanes of each beat (None: not written)."""
    stream: list[Any] = []
    bursts: list[Any] = []
    beats: list[list[int | None]] = []
    for _ in range(count):
        frame = rng.randbytes(rng.randrange(1, 6 * lanes))
        stream += words(frame, lanes)
        kept = rng.choice([len(frame), len(frame), len(frame), rng.randrange(len(frame) + 1)])
        done = 0
        while True:
            size = min(kept - done, rng.randrange(1, 4 * lanes))
            offset = rng.randrange(lanes)
            last = done + size == kept
            bursts.append({"offset": offset, "bytes": size, "last": int(last)})
            spread = [None] * offset + list(frame[done : done + size])
            spread += [None] * (-len(spread) % lanes)
            if size:
                beats += [spread[i : i + lanes] for i in range(0, len(spread), lanes)]
            done += size
            if last:
                break
    return stream, bursts, beats


async def run(dut: Any, count: int, pause: float) -> None:
    rng, lanes = seeded(), len(dut.out_strb)
    stream, bursts, beats = plan(rng, lanes, count)
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(stream))
    sender = cocotb.start_soon(StreamSource(dut, "burst", rng, pause).send(bursts))
    got = await StreamSink(dut, "out", ["data", "strb"], rng, pause).take(len(beats))
    if dut.rst.value:
        return
    for beat, wanted in zip(got, beats, strict=True):
        lanes_of = [
            beat["data"] >> 8 * i & 255 if beat["strb"] >> i & 1 else None for i in range(lanes)
        ]
        assert lanes_of == wanted
    await sender
    for _ in range(10):  # what is left over is taken
        await RisingEdge(dut.clk)
    assert not dut.out_valid.value


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def each_byte_comes_out_in_its_lane(dut: Any, pause: float) -> None:
    await start(dut, **IDLE)
    await run(dut, 150, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (2, 3, 5, 8, 13, 30, 70):
        await interrupt(dut, run(dut, 40, 0.2), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        await run(dut, 4, 0.0)


@cocotb.test()
async def a_beat_goes_out_in_every_cycle(dut: Any) -> None:
    await start(dut, **IDLE)
    rng, lanes = seeded(), len(dut.out_strb)
    frames = 30
    frame = rng.randbytes(4 * lanes)
    cocotb.start_soon(StreamSource(dut, "in", rng).send(words(frame, lanes) * frames))
    burst = {"offset": 1, "bytes": 4 * lanes, "last": 1}
    cocotb.start_soon(StreamSource(dut, "burst", rng).send([burst] * frames))
    dut.out_ready.value = 1
    beats = 0
    for cycle in range(110):
        await RisingEdge(dut.clk)
        beats += int(cycle >= 10 and dut.out_valid.value)
    assert beats == 100
