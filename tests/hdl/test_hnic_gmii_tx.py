"""The transmit MAC for GMII, judged by cocotbext-eth's GmiiSink and zlib."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.eth import GmiiFrame, GmiiSink

from tests.hdl.bench import interrupt, reset, run_module, seeded, start
from tests.hdl.frames import SideBand, fcs, send_whole

IDLE = {"cfg_ifg": 12, "hold": 0, "in_valid": 0}


def test_mac_sends_what_ethernet_wants(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 16})


class Watch:
    """The MAC's own account: users and times on the wire, and what it says it sent."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self.users: list[int] = []
        self.times: list[int] = []
        self.words: list[int] = []  # cycles of words in
        self.starts: list[int] = []  # and of frames on the wire
        self.sent: list[tuple[int, int, int]] = []
        self.gaps: list[int] = []
        self.cycle = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut, quiet = self._dut, 1 << 20
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            if dut.rst.value:
                continue
            assert not dut.gmii_tx_er.value
            begins = bool(dut.gmii_tx_en.value) and quiet > 0
            assert bool(dut.wire_valid.value) == begins
            if dut.in_valid.value and dut.in_ready.value:
                self.words.append(self.cycle)
            if begins:
                assert int(dut.gmii_txd.value) == 0x55
                self.users.append(int(dut.wire_user.value))
                self.times.append(int(dut.time_ns.value))
                self.starts.append(self.cycle)
                self.gaps.append(quiet)
            quiet = 0 if dut.gmii_tx_en.value else quiet + 1
            if not dut.gmii_tx_en.value:
                assert int(dut.gmii_txd.value) == 0
            if dut.sent.value:
                self.sent.append(
                    (int(dut.wire_user.value), int(dut.sent_time.value), int(dut.sent_bytes.value))
                )


async def begin(dut: Any, **inputs: int) -> tuple[GmiiSink, Watch]:
    await start(dut, **{**IDLE, **inputs})
    SideBand(dut)
    await FallingEdge(dut.clk)
    sink = GmiiSink(dut.gmii_txd, dut.gmii_tx_er, dut.gmii_tx_en, dut.clk, dut.rst)
    sink.log.setLevel("WARNING")
    return sink, Watch(dut)


async def settle(dut: Any) -> None:
    while dut.status_busy.value:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 2)


def check(sink: GmiiSink, watch: Watch, frames: list[bytes]) -> None:
    got: list[GmiiFrame] = [sink.recv_nowait() for _ in range(sink.count())]
    for frame, seen in zip(frames, got, strict=True):
        padded = frame.ljust(60, b"\0")
        # The sink does not keep the first byte of the preamble: `Watch` checks it.
        assert bytes(seen.data) == b"\x55" * 6 + b"\xd5" + padded + fcs(padded)
        assert seen.error is None
    assert watch.users == list(range(len(frames)))
    assert watch.sent == [
        (index, time, max(60, len(frame)))
        for index, (time, frame) in enumerate(zip(watch.times, frames, strict=True))
    ]


@cocotb.test()
@cocotb.parametrize(ifg=[12, 13, 252])
async def frames_of_every_length_back_to_back(dut: Any, ifg: int) -> None:
    rng = seeded()
    sink, watch = await begin(dut, cfg_ifg=ifg)
    frames = [rng.randbytes(n) for n in [1, 2, 7, 8, 9, *range(58, 78), 1514]]
    await send_whole(dut, frames)
    await settle(dut)
    check(sink, watch, frames)
    assert watch.gaps[1:] == [ifg] * (len(frames) - 1)


@cocotb.test()
async def a_jumbo_frame(dut: Any) -> None:
    sink, watch = await begin(dut)
    frames = [seeded().randbytes(9600), bytes(60)]
    await send_whole(dut, frames)
    await settle(dut)
    check(sink, watch, frames)


@cocotb.test()
async def frames_with_pauses(dut: Any) -> None:
    rng = seeded()
    sink, watch = await begin(dut)
    frames = [rng.randbytes(rng.randrange(1, 90)) for _ in range(25)]
    await send_whole(dut, frames, [0, 90, 100, 0, 101, 111])
    await settle(dut)
    check(sink, watch, frames)
    assert min(watch.gaps) == 12
    assert max(watch.gaps[1:]) > 12


@cocotb.test()
async def the_preamble_comes_two_cycles_after_the_first_word(dut: Any) -> None:
    _, watch = await begin(dut)
    await send_whole(dut, [bytes(60)])
    await settle(dut)
    assert watch.starts[0] - watch.words[0] == 2


@cocotb.test()
async def hold_starts_no_frame_and_stops_none(dut: Any) -> None:
    rng = seeded()
    sink, watch = await begin(dut, hold=1)
    frames = [rng.randbytes(70) for _ in range(3)]
    cocotb.start_soon(send_whole(dut, frames))
    await ClockCycles(dut.clk, 30)
    assert not watch.starts
    dut.hold.value = 0
    await ClockCycles(dut.clk, 5)
    dut.hold.value = 1
    await ClockCycles(dut.clk, 200)
    assert len(watch.starts) == len(watch.sent) == 1
    dut.hold.value = 0
    await settle(dut)
    check(sink, watch, frames)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    rng = seeded()
    sink, watch = await begin(dut)
    for count in (1, 3, 9, 12, 40, 74, 80, 90):
        await interrupt(dut, send_whole(dut, [rng.randbytes(40)] * 3), count)
        await reset(dut, **IDLE)
        assert not dut.gmii_tx_en.value
        assert not dut.status_busy.value
        sink.clear()
        watch.users.clear()
        watch.times.clear()
        watch.sent.clear()
        frames = [rng.randbytes(64)]
        await send_whole(dut, frames)
        await settle(dut)
        check(sink, watch, frames)
