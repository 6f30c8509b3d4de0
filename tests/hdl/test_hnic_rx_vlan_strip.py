"""A tag is taken out of frames of every length, and the stream has no more gaps than before."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start
from tests.hdl.rx import MAC, Config, judge, mac_words, random_frame

FIELDS = ["data", "count", "last", "keep", "len", "vlan", "tci", "user"]


def test_tags_are_taken_out(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 8})


async def pass_frames(dut: Any, frames: list[bytes], strip: bool, pause: float) -> None:
    rng = seeded()
    config = Config(vlan_strip=strip)
    config.drive(dut)
    items = []
    for number, frame in enumerate(frames):
        items += mac_words(frame, rng, keep=number & 1, len=len(frame), user=number & 255)
    verdicts = [judge(frame, config) for frame in frames]
    size = sum(-(-len(v.frame) // 8) for v in verdicts)
    sink = cocotb.start_soon(StreamSink(dut, "out", FIELDS, rng).take(size))
    await StreamSource(dut, "in", rng, pause).send(items)
    words = iter(await sink)
    for number, verdict in enumerate(verdicts):
        data, word = b"", {"last": 0, "count": 8}
        while not word["last"]:
            assert word["count"] == 8
            word = next(words)
            data += word["data"].to_bytes(8, "little")[: word["count"]]
        assert data == verdict.frame
        assert (word["keep"], word["user"]) == (number & 1, number & 255)
        assert (word["len"], word["vlan"]) == (len(data), verdict.vlan)
        assert word["tci"] == verdict.vlan_tci


@cocotb.test()
@cocotb.parametrize(strip=[True, False], pause=[0.0, 0.4])
async def frames_of_every_length_and_kind(dut: Any, strip: bool, pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    frames = []
    for size in range(1, 50):
        for kind in (b"\x81\x00", b"\x08\x00"):
            frames.append((MAC + MAC + kind + rng.randbytes(40))[:size])
    frames += [random_frame(rng, longest=100) for _ in range(40)]
    rng.shuffle(frames)
    await pass_frames(dut, frames, strip, pause)


@cocotb.test()
async def a_frame_that_comes_without_gaps_leaves_without(dut: Any) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    Config(vlan_strip=True).drive(dut)
    for size in (61, 62, 63, 64, 65, 66, 67, 68, 1518):
        frame = MAC + MAC + b"\x81\x00\x00\x05" + rng.randbytes(size - 16)
        items = mac_words(frame, rng, keep=1, len=size, user=0)
        task = cocotb.start_soon(StreamSource(dut, "in", rng).send(items))
        pattern = ""
        for _ in range(len(items) + 4):
            await RisingEdge(dut.clk)
            pattern += str(int(dut.out_valid.value))
        await task
        assert pattern.strip("0") == "1" * -(-(size - 4) // 8)
