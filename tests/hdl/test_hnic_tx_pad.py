"""Short frames grow to 60 bytes of which the rest is 0; long ones stay as they are."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


def test_frames_are_padded_to_sixty_bytes(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 8})


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def every_length_around_the_minimum(dut: Any, pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0, out_ready=0)
    frames = [rng.randbytes(n) for n in [*range(1, 90), 1514, 60, 1, 61, 9600, 59]]
    items = []
    for number, frame in enumerate(frames):
        for pos in range(0, len(frame), 8):
            part = frame[pos : pos + 8]
            noise = part + b"\x5a" * (8 - len(part))
            items.append(
                {
                    "data": int.from_bytes(noise, "little"),
                    "count": len(part),
                    "last": int(pos + 8 >= len(frame)),
                    "user": number,
                }
            )
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    sink = StreamSink(dut, "out", ["data", "count", "last", "user"], rng, pause)
    for number, frame in enumerate(frames):
        data, word, size = b"", {"last": 0, "count": 0}, 0
        while not word["last"]:
            (word,) = await sink.take(1)
            assert word["user"] == number
            assert word["last"] or word["count"] == 8
            data += word["data"].to_bytes(8, "little")
            size += word["count"]
        assert size == max(60, len(frame))
        assert data == frame.ljust(len(data), b"\0")
