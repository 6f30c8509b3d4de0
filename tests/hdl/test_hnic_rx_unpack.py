"""Records and words come out of the store in the same order, at the host's pace, without a gap."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import (
    StreamSink,
    StreamSource,
    interrupt,
    reset,
    run_module,
    seeded,
    start,
)

ADDR_W = 6
IDLE = {"rec_valid": 0, "pkt_ready": 0, "out_ready": 0}


@pytest.mark.parametrize("width", [64, 128, 512])
def test_frames_are_read(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "ADDR_W": ADDR_W})


async def ram(dut: Any, frames: list[bytes], rng: random.Random) -> None:
    """A RAM with a registered output, which holds the frames one behind the other."""
    lanes = len(dut.out_data) // 8
    words: list[bytes] = []
    for frame in frames:
        noise = frame + rng.randbytes(-len(frame) % lanes)
        words += [noise[i : i + lanes] for i in range(0, len(noise), lanes)]
    place = 0
    while not dut.rst.value:
        await RisingEdge(dut.clk)
        if dut.ram_rd_en.value:
            assert int(dut.ram_rd_addr.value) == place % (1 << ADDR_W)
            assert int(dut.freed.value) == place % (2 << ADDR_W)
            dut.ram_rd_data.value = int.from_bytes(words[place], "little")
            place += 1


async def run(dut: Any, count: int, pause: float, slow: float) -> str:
    """Read so many frames; gives the pattern of `out_valid`."""
    rng = seeded()
    lanes = len(dut.out_data) // 8
    sizes = [1, lanes, lanes + 1, 2 * lanes]
    frames = [rng.randbytes(rng.choice([*sizes, rng.randrange(1, 300)])) for _ in range(count)]
    memory = cocotb.start_soon(ram(dut, frames, rng))
    pattern = ""

    async def watch() -> None:
        nonlocal pattern
        while True:
            await RisingEdge(dut.clk)
            pattern += str(int(dut.out_valid.value))

    watcher = cocotb.start_soon(watch())
    records = [{"len": len(frame)} for frame in frames]
    cocotb.start_soon(StreamSource(dut, "rec", rng, pause).send(records))
    packets = cocotb.start_soon(StreamSink(dut, "pkt", [], rng, slow).take(count))
    sink = StreamSink(dut, "out", ["data", "count", "last"], rng, slow)
    total = sum(-(-len(frame) // lanes) for frame in frames)
    words = iter(await sink.take(total))
    for frame in frames:
        data, word = b"", {"last": 0}
        while not word["last"]:
            word = next(words)
            data += word["data"].to_bytes(lanes, "little")[: word["count"]]
        assert data == frame
    await packets
    memory.cancel()
    watcher.cancel()
    return pattern


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5], slow=[0.0, 0.6])
async def frames_pass_in_order(dut: Any, pause: float, slow: float) -> None:
    await start(dut, **IDLE)
    await run(dut, 40, pause, slow)


@cocotb.test()
async def there_is_no_gap_between_frames(dut: Any) -> None:
    await start(dut, **IDLE)
    pattern = await run(dut, 40, 0.0, 0.0)
    assert "0" not in pattern.strip("0")


@cocotb.test()
async def words_do_not_wait_for_their_record_and_the_next_frame_does(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    memory = cocotb.start_soon(ram(dut, [b"ab", b"cd"], rng))
    dut.rec_len.value = 2
    dut.rec_valid.value = 1
    dut.out_ready.value = 1
    seen = 0
    for _ in range(6):
        await RisingEdge(dut.clk)
        seen += int(dut.out_valid.value)
        assert dut.pkt_valid.value
        assert not dut.rec_ready.value
    assert seen == 1
    dut.pkt_ready.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk)
        seen += int(dut.out_valid.value)
    assert seen == 2
    memory.cancel()


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (1, 2, 3, 10, 40):
        await interrupt(dut, run(dut, 30, 0.1, 0.5), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        assert not dut.pkt_valid.value
        await run(dut, 5, 0.0, 0.0)
        await reset(dut, **IDLE)
