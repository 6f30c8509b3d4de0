"""Checksums are put into frames at any place; nothing else changes."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 512])
def test_checksum_bytes_are_put_in_place(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "USER_W": 8})


IDLE = {"in_valid": 0, "out_ready": 0}


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def only_the_fields_change(dut: Any, pause: float) -> None:
    await start(dut, **IDLE)
    await insert(dut, 80, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (1, 2, 5, 9):
        await interrupt(dut, insert(dut, 10, 0.3), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        await insert(dut, 2, 0.0)


async def insert(dut: Any, count: int, pause: float) -> None:
    rng = seeded()
    lanes = len(dut.in_data) // 8
    items, wanted = [], []
    for number in range(count):
        frame = bytearray(rng.randbytes(rng.randrange(4, 10 * lanes)))
        first = rng.randrange(len(frame) - 3)
        second = rng.randrange(first + 2, len(frame) - 1)
        places = [first, second] if rng.random() < 0.5 else [second, first]
        values = [rng.randbytes(2), rng.randbytes(2)]
        on = [rng.random() < 0.7, rng.random() < 0.7]
        for pos in range(0, len(frame), lanes):
            part = bytes(frame[pos : pos + lanes])
            items.append(
                {
                    "data": int.from_bytes(part, "little"),
                    "count": len(part),
                    "last": int(pos + lanes >= len(frame)),
                    "user": number,
                    "pos": pos,
                    "csum": int(on[0]),
                    "csum_pos": places[0],
                    "csum_value": int.from_bytes(values[0], "little"),
                    "ipcsum": int(on[1]),
                    "ipcsum_pos": places[1],
                    "ipcsum_value": int.from_bytes(values[1], "little"),
                }
            )
        for place, value, is_on in zip(places, values, on, strict=True):
            if is_on:
                frame[place : place + 2] = value
        wanted.append((number, bytes(frame)))
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    sink = StreamSink(dut, "out", ["data", "count", "last", "user"], rng, pause)
    for number, frame in wanted:
        data, word = b"", {"last": 0}
        while not word["last"]:
            took = await sink.take(1)
            if not took:
                return
            (word,) = took
            assert word["user"] == number
            data += word["data"].to_bytes(lanes, "little")[: word["count"]]
        assert data == frame
