"""The transmit MAC for XGMII, judged by cocotbext-eth's XgmiiSink and zlib."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.eth import XgmiiSink

from tests.hdl.bench import interrupt, reset, run_module, seeded, start
from tests.hdl.frames import SideBand, fcs, send_whole

IDLE = {"cfg_ifg": 12, "hold": 0, "in_valid": 0}


def test_mac_sends_what_ethernet_wants(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 33})


class Watch:
    """The MAC's own account: users and times on the wire, and what it says it sent."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self.users: list[int] = []
        self.times: list[int] = []
        self.words: list[int] = []  # cycles of words in
        self.starts: list[int] = []  # and of start characters
        self.sent: list[tuple[int, int, int]] = []
        self.cycle = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self._dut
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            if dut.rst.value:
                continue
            lanes = int(dut.xgmii_txd.value).to_bytes(8, "little")
            control = int(dut.xgmii_txc.value)
            begins = [lane for lane in range(8) if lanes[lane] == 0xFB and control >> lane & 1]
            assert begins in ([], [0], [4])
            assert bool(dut.wire_valid.value) == bool(begins)
            if dut.in_valid.value and dut.in_ready.value:
                self.words.append(self.cycle)
            if begins:
                self.users.append(int(dut.wire_user.value))
                self.times.append(int(dut.time_ns.value))
                self.starts.append(self.cycle)
            if dut.sent.value:
                self.sent.append(
                    (int(dut.wire_user.value), int(dut.sent_time.value), int(dut.sent_bytes.value))
                )


async def begin(dut: Any, **inputs: int) -> tuple[XgmiiSink, Watch]:
    await start(dut, **{**IDLE, **inputs})
    SideBand(dut)
    await FallingEdge(dut.clk)
    sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
    sink.log.setLevel("WARNING")
    return sink, Watch(dut)


async def settle(dut: Any) -> None:
    while dut.status_busy.value:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 2)


def check(sink: XgmiiSink, watch: Watch, frames: list[bytes]) -> list[Any]:
    got = [sink.recv_nowait() for _ in range(sink.count())]
    for frame, seen in zip(frames, got, strict=True):
        padded = frame.ljust(60, b"\0")
        assert bytes(seen.data) == b"\x55" * 7 + b"\xd5" + padded + fcs(padded)
        assert seen.ctrl is None
    assert watch.users == list(range(len(frames)))
    assert watch.sent == [
        (index, time, max(60, len(frame)))
        for index, (time, frame) in enumerate(zip(watch.times, frames, strict=True))
    ]
    return got


@cocotb.test()
@cocotb.parametrize(ifg=[12, 13, 40])
async def frames_of_every_length_back_to_back(dut: Any, ifg: int) -> None:
    rng = seeded()
    sink, watch = await begin(dut, cfg_ifg=ifg)
    lengths = [*range(1, 10), *range(56, 90), *range(1505, 1522), 9600]
    frames = [rng.randbytes(n) for n in lengths]
    await send_whole(dut, frames)
    await settle(dut)
    got = check(sink, watch, frames)
    wire = sum(max(60, n) + 12 + ifg for n in lengths[:-1])  # preamble, frame, FCS and gap
    starts = [frame.sim_time_start for frame in got]
    assert abs((starts[-1] - starts[0]) / 6400 - wire / 8) < 1


@cocotb.test()
async def frames_with_pauses(dut: Any) -> None:
    rng = seeded()
    sink, watch = await begin(dut)
    frames = [rng.randbytes(rng.randrange(1, 200)) for _ in range(120)]
    await send_whole(dut, frames, [0, 1, 2, 3, 7, 0, 4])
    await settle(dut)
    check(sink, watch, frames)


@cocotb.test()
async def both_start_lanes_are_used_at_line_rate(dut: Any) -> None:
    sink, watch = await begin(dut)
    frames = [bytes(60)] * 41
    await send_whole(dut, frames)
    await settle(dut)
    got = check(sink, watch, frames)
    assert {frame.start_lane for frame in got} == {0, 4}
    starts = [frame.sim_time_start for frame in got]
    assert abs((starts[-1] - starts[0]) / 40 / 6400 - 84 / 8) < 0.001


@cocotb.test()
async def the_start_comes_two_cycles_after_the_first_word(dut: Any) -> None:
    _, watch = await begin(dut)
    await send_whole(dut, [bytes(60)])
    await settle(dut)
    assert watch.starts[0] - watch.words[0] == 2


@cocotb.test()
async def hold_starts_no_frame_and_stops_none(dut: Any) -> None:
    rng = seeded()
    sink, watch = await begin(dut, hold=1)
    frames = [rng.randbytes(rng.randrange(60, 400)) for _ in range(30)]
    sending = cocotb.start_soon(send_whole(dut, frames))
    await ClockCycles(dut.clk, 30)
    assert not watch.starts
    for count in range(60):
        dut.hold.value = 0
        await ClockCycles(dut.clk, 1 + count % 7)
        dut.hold.value = 1
        await ClockCycles(dut.clk, 2)
        begun = len(watch.starts)
        await ClockCycles(dut.clk, rng.randrange(70))
        assert len(watch.starts) == begun
    dut.hold.value = 0
    await sending
    await settle(dut)
    check(sink, watch, frames)


@cocotb.test()
async def an_idle_mac_sends_idle(dut: Any) -> None:
    await start(dut, **IDLE, time_ns=0)
    for _ in range(5):
        await RisingEdge(dut.clk)
        assert int(dut.xgmii_txd.value) == 0x0707070707070707
        assert int(dut.xgmii_txc.value) == 0xFF
        assert not dut.status_busy.value


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    rng = seeded()
    sink, watch = await begin(dut)
    for count in range(1, 24):
        await interrupt(dut, send_whole(dut, [rng.randbytes(62)] * 3), count)
        await reset(dut, **IDLE)
        assert int(dut.xgmii_txc.value) == 0xFF
        assert not dut.status_busy.value
        sink.clear()
        watch.users.clear()
        watch.times.clear()
        watch.sent.clear()
        frames = [rng.randbytes(64), rng.randbytes(70)]
        await send_whole(dut, frames)
        await settle(dut)
        check(sink, watch, frames)
