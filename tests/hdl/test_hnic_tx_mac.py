"""The MAC, judged by cocotbext-eth's XgmiiSink and zlib."""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.eth import XgmiiSink

from tests.hdl.bench import Item, run_module, seeded, start


def test_mac_sends_what_ethernet_wants(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 16})


def words(frame: bytes, user: int) -> list[Item]:
    return [
        {
            "data": int.from_bytes(frame[p : p + 8], "little"),
            "count": len(frame[p : p + 8]),
            "last": int(p + 8 >= len(frame)),
            "user": user,
        }
        for p in range(0, len(frame), 8)
    ]


async def feed(dut: Any, frames: list[bytes], pauses: list[int]) -> None:
    """Give frames to the MAC, without a pause within a frame, with `pauses` between frames."""
    for number, (frame, pause) in enumerate(zip(frames, itertools.cycle(pauses))):
        for item in words(frame, number):
            for name, value in item.items():
                getattr(dut, f"in_{name}").value = value
            dut.in_valid.value = 1
            await RisingEdge(dut.clk)
            while not dut.in_ready.value:
                await RisingEdge(dut.clk)
        dut.in_valid.value = 0
        if pause:
            await ClockCycles(dut.clk, pause)


async def watch(dut: Any, cookies: list[int], lengths: list[int]) -> None:
    while True:
        await RisingEdge(dut.clk)
        if dut.sent.value:
            lengths.append(int(dut.sent_bytes.value))
        if dut.wire_valid.value:
            lanes = int(dut.xgmii_txd.value).to_bytes(8, "little")
            control = int(dut.xgmii_txc.value)
            assert [lane for lane in (0, 4) if lanes[lane] == 0xFB and control >> lane & 1]
            cookies.append(int(dut.wire_user.value))


async def run(dut: Any, frames: list[bytes], pauses: list[int]) -> list[Any]:
    await start(dut, cfg_ifg=12, cycle=0, in_valid=0)
    await FallingEdge(dut.clk)
    sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
    sink.log.setLevel("WARNING")
    cookies: list[int] = []
    lengths: list[int] = []
    cocotb.start_soon(watch(dut, cookies, lengths))
    await feed(dut, frames, pauses)
    while dut.status_busy.value:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 2)
    got = [sink.recv_nowait() for _ in range(sink.count())]
    assert cookies == list(range(len(frames)))
    assert lengths == [max(60, len(frame)) for frame in frames]
    for frame, seen in zip(frames, got, strict=True):
        padded = frame.ljust(60, b"\0")
        assert bytes(seen.data) == b"\x55" * 7 + b"\xd5" + padded + zlib.crc32(padded).to_bytes(
            4, "little"
        )
    return got


@cocotb.test()
async def frames_of_every_length_back_to_back(dut: Any) -> None:
    rng = seeded()
    frames = [rng.randbytes(n) for n in [*range(1, 10), *range(56, 90), *range(1505, 1522), 9600]]
    await run(dut, frames, [0])


@cocotb.test()
async def frames_with_pauses(dut: Any) -> None:
    rng = seeded()
    await run(
        dut, [rng.randbytes(rng.randrange(1, 200)) for _ in range(120)], [0, 1, 2, 3, 7, 0, 4]
    )


@cocotb.test()
async def both_start_lanes_are_used_at_line_rate(dut: Any) -> None:
    got = await run(dut, [bytes(60)] * 41, [0])
    assert {frame.start_lane for frame in got} == {0, 4}
    starts = [frame.sim_time_start for frame in got]
    assert abs((starts[-1] - starts[0]) / 40 / 6400 - 84 / 8) < 0.1


@cocotb.test()
async def an_idle_mac_sends_idle(dut: Any) -> None:
    await start(dut, cfg_ifg=12, cycle=0, in_valid=0)
    for _ in range(5):
        await RisingEdge(dut.clk)
        assert int(dut.xgmii_txd.value) == 0x0707070707070707
        assert int(dut.xgmii_txc.value) == 0xFF
        assert not dut.status_busy.value
