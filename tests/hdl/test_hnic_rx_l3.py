"""What is behind the Ethernet header begins at a word's beginning, whatever stands before it."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start
from tests.hdl.rx import MAC, Config, mac_words, random_frame, split

FIELDS = ["data", "count", "first", "last", "type", "front"]


def test_words_begin_behind_the_header(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


@cocotb.test()
@cocotb.parametrize(strip=[True, False], pause=[0.0, 0.4])
async def frames_of_every_length_and_kind(dut: Any, strip: bool, pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    Config(vlan_strip=strip).drive(dut)
    frames = []
    for size in range(1, 50):
        for kind in (b"\x81\x00", b"\x08\x00"):
            frames.append((MAC + MAC + kind + rng.randbytes(40))[:size])
    frames += [random_frame(rng, longest=100) for _ in range(40)]
    rng.shuffle(frames)
    items = [word for frame in frames for word in mac_words(frame, rng)]
    source = cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    sink = StreamSink(dut, "out", FIELDS, rng)
    for frame in frames:
        data, ended, word = b"", False, {"last": 0}
        while not word["last"]:
            (word,) = await sink.take(1)
            assert word["first"] == int(not data and not ended)
            assert not ended or word["count"] == 0
            ended = word["count"] < 8
            data += word["data"].to_bytes(8, "big")[: word["count"]]
        l3, kind, tci = split(frame)
        assert data == frame[l3:]
        if len(frame) >= 14 or len(frame) <= 8:
            assert word["type"] == kind
        between = 0 if strip or tci is None else tci + kind
        assert word["front"] == between
    await source
