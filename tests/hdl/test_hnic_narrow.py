"""Bus words become words of 64 bits, in order and without bubbles."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start
from tests.hdl.frames import words

FIELDS = ["data", "count", "last", "user"]
IDLE = {"in_valid": 0, "out_ready": 0}


@pytest.mark.parametrize("width", [64, 128, 512])
def test_words_become_narrow_without_bubbles(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "USER_W": 9})


async def move(dut: Any, sizes: list[int], write_pause: float, read_pause: float) -> None:
    rng = seeded()
    lanes = len(dut.in_data) // 8
    packets = [rng.randbytes(size) for size in sizes]
    wide = [word for i, packet in enumerate(packets) for word in words(packet, lanes, user=i)]
    narrow = [word for i, packet in enumerate(packets) for word in words(packet, 8, user=i)]
    cocotb.start_soon(StreamSource(dut, "in", rng, write_pause).send(wide))
    got = await StreamSink(dut, "out", FIELDS, rng, read_pause).take(len(narrow))
    for word, want in zip(got, narrow, strict=True):
        bits = (1 << 8 * want["count"]) - 1
        assert {**word, "data": word["data"] & bits} == {**want, "data": want["data"] & bits}


@cocotb.test()
@cocotb.parametrize(write_pause=[0.0, 0.6], read_pause=[0.0, 0.6])
async def packets_of_every_length(dut: Any, write_pause: float, read_pause: float) -> None:
    await start(dut, **IDLE)
    await move(dut, [*range(1, 140), 1514], write_pause, read_pause)


@cocotb.test()
async def there_are_no_bubbles(dut: Any) -> None:
    rng = seeded()
    await start(dut, in_valid=0, out_ready=1)
    lanes = len(dut.in_data) // 8
    packets = [rng.randbytes(size) for size in (64, 60, 1, 65, 9, 8, 130, 7)]
    wide = [word for packet in packets for word in words(packet, lanes, user=0)]
    cocotb.start_soon(StreamSource(dut, "in", rng).send(wide))
    edge = cocotb.triggers.RisingEdge(dut.clk)
    waited = 0
    while not dut.in_valid.value:
        await edge
    while not dut.out_valid.value:
        await edge
        waited += 1
    assert waited <= 1
    for _ in range(sum(-(-len(packet) // 8) for packet in packets)):
        assert dut.out_valid.value
        await edge
    assert not dut.out_valid.value


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (1, 2, 3, 5, 9, 14):
        await interrupt(dut, move(dut, [300] * 9, 0.1, 0.3), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        await move(dut, [70, 3], 0.0, 0.0)
