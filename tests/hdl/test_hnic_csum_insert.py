"""Two bytes are replaced wherever they lie, and no others."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


def test_checksum_bytes_are_put_in_place(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 8})


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def only_the_field_changes(dut: Any, pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0, out_ready=0)
    items, wanted = [], []
    for number in range(80):
        frame = bytearray(rng.randbytes(rng.randrange(2, 80)))
        place, value, on = rng.randrange(len(frame) - 1), rng.randbytes(2), rng.random() < 0.8
        for pos in range(0, len(frame), 8):
            part = bytes(frame[pos : pos + 8])
            items.append(
                {
                    "data": int.from_bytes(part, "little"),
                    "count": len(part),
                    "last": int(pos + 8 >= len(frame)),
                    "user": number,
                    "index": pos // 8,
                    "csum": int(on),
                    "csum_pos": place,
                    "csum_value": int.from_bytes(value, "little"),
                }
            )
        if on:
            frame[place : place + 2] = value
        wanted.append((number, bytes(frame)))
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    sink = StreamSink(dut, "out", ["data", "count", "last", "user"], rng, pause)
    for number, frame in wanted:
        data, word = b"", {"last": 0}
        while not word["last"]:
            (word,) = await sink.take(1)
            assert word["user"] == number
            data += word["data"].to_bytes(8, "little")[: word["count"]]
        assert data == frame
