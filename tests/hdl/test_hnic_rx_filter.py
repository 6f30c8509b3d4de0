"""Who a frame is for, and whether it is whole: every kind of address under every setting."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start
from tests.hdl.rx import BROADCAST, MAC, Config, fate, mac_words, random_frame

FIELDS = ["data", "count", "last", "keep", "len", "user"]


def test_wanted_frames_are_kept(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 8})


async def pass_frames(
    dut: Any, config: Config, frames: list[tuple[bytes, bool]], pause: float = 0.0
) -> None:
    """Check the fate of each, and that its words are as they came."""
    rng = seeded()
    config.drive(dut)
    counts: Counter[str] = Counter()

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            counts["filtered"] += int(dut.stat_rx_filtered.value)
            counts["length"] += int(dut.stat_rx_len_errs.value)

    items = []
    for number, (frame, good) in enumerate(frames):
        items += mac_words(frame, rng, good=int(good), user=number & 255)
    watcher = cocotb.start_soon(watch())
    sink = cocotb.start_soon(StreamSink(dut, "out", FIELDS, rng).take(len(items)))
    await StreamSource(dut, "in", rng, pause).send(items)
    words = await sink
    await RisingEdge(dut.clk)
    watcher.cancel()
    fates = [fate(frame, good, config) for frame, good in frames]
    for sent, word in zip(items, words, strict=True):
        assert {name: word[name] for name in ("data", "count", "last")} == {
            name: sent[name] for name in ("data", "count", "last")
        }
    ends = [word for word in words if word["last"]]
    for number, ((frame, _), result, word) in enumerate(zip(frames, fates, ends, strict=True)):
        assert (word["keep"], word["len"], word["user"]) == (
            int(result == "kept"),
            len(frame),
            number & 255,
        ), (result, frame[:20].hex())
    assert counts["filtered"] == fates.count("filtered")
    assert counts["length"] == fates.count("length")


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def any_frame_under_any_setting(dut: Any, pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    for _ in range(8):
        frames = [(random_frame(rng, longest=60), rng.random() < 0.9) for _ in range(20)]
        config = replace(Config.random(rng), enable=rng.random() < 0.8)
        await pass_frames(dut, config, frames, pause)


@cocotb.test()
async def each_setting_lets_its_own_through(dut: Any) -> None:
    """Hashes: each multicast address with its bit alone, and with all but its bit."""
    rng = seeded()
    await start(dut, in_valid=0)
    none = Config(allmulti=False, broadcast=False)
    tail = MAC + b"\x08\x00" + bytes(46)
    near = bytes([MAC[0], *MAC[1:5], MAC[5] ^ 1])
    groups = [bytes([rng.randrange(1, 255, 2)]) + rng.randbytes(5) for _ in range(20)]
    frames = [(dest + tail, True) for dest in (MAC, near, BROADCAST, *groups)]
    for config in (
        none,
        replace(none, broadcast=True),
        replace(none, allmulti=True),
        replace(none, promisc=True),
        replace(none, mc_hash=(1 << 64) - 1),
        *(replace(none, mc_hash=1 << bit) for bit in rng.sample(range(64), 12)),
    ):
        await pass_frames(dut, config, frames)
    control = [(dest + MAC + b"\x88\x08" + bytes(46), True) for dest in (MAC, groups[0])]
    await pass_frames(dut, replace(none, promisc=True), control)


@cocotb.test()
async def length_fields_around_what_is_there(dut: Any) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    for tag in (b"", b"\x81\x00\x00\x05"):
        frames = []
        for there in (0, 1, 2, 3, 46, 300, 1499, 1500, 1501):
            for field in (0, there - 1, there, there + 1, 1500, 1501, 1535, 1536):
                kind = max(field, 0).to_bytes(2, "big")
                frames.append((MAC + MAC + tag + kind + rng.randbytes(there), True))
        await pass_frames(dut, Config(), rng.sample(frames, 30))


@cocotb.test()
async def every_length_from_one_byte_on(dut: Any) -> None:
    """With and without a tag; what is shorter than a header is not wanted."""
    await start(dut, in_valid=0)
    rng = seeded()
    for rest in (b"\x81\x00\x00\x05\x00\x08", b"\x00\x06", b"\x88\x08"):
        frame = MAC + MAC + rest + rng.randbytes(12)
        await pass_frames(dut, Config(), [(frame[:n], True) for n in range(1, len(frame))])


@cocotb.test()
async def a_frame_without_end_is_not_kept(dut: Any) -> None:
    """Longer than its length can say; the next one is as good as any."""
    rng = seeded()
    await start(dut, in_valid=0)
    config = Config()
    config.drive(dut)
    frame = MAC + MAC + b"\x08\x00" + bytes(46)
    items = mac_words(frame, rng, good=1)
    items[2:2] = [items[2]] * 8190
    source = StreamSource(dut, "in", rng)
    await source.send(items)
    await RisingEdge(dut.clk)
    assert dut.out_last.value
    assert not dut.out_keep.value
    assert dut.stat_rx_len_errs.value
    await pass_frames(dut, config, [(frame, True)])
