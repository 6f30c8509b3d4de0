"""Kept frames come out with their records, dropped ones never, while the store wraps and fills."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time

from tests.hdl.bench import (
    PERIOD_NS,
    StreamSink,
    StreamSource,
    interrupt,
    reset,
    run_module,
    seeded,
    start,
)
from tests.hdl.test_hnic_rx_pack import mac_words_of

IDLE = {"in_valid": 0, "rec_valid": 0, "pkt_ready": 0, "out_ready": 0}
VERDICT_CYCLES = 4  # from a frame's end to its record


@pytest.mark.parametrize("width", [64, 128, 512])
def test_store_gives_what_was_kept(module_simulator: str, width: int) -> None:
    parameters = {"DATA_W": width, "BYTES": 2048, "REC_W": 8, "USER_W": 8}
    run_module(__file__, module_simulator, parameters)


async def run(dut: Any, count: int, slow: float) -> tuple[int, int]:
    """How many frames were kept, how many overflowed."""
    rng = seeded()
    lanes = len(dut.out_data) // 8
    frames = [(rng.randbytes(rng.randrange(1, 300)), rng.random() < 0.8) for _ in range(count)]
    kept: list[int] = []
    overflows = 0

    async def verdicts() -> None:
        """A record for each kept frame, some cycles behind."""
        nonlocal overflows
        edge = RisingEdge(dut.clk)
        line: list[int | None] = [None] * VERDICT_CYCLES
        while not dut.rst.value:
            await edge
            overflows += int(dut.stat_rx_overflow.value)
            ended = dut.end_valid.value and dut.end_keep.value
            line.append(int(dut.end_user.value) if ended else None)
            user = line.pop(0)
            dut.rec_valid.value = int(user is not None)
            if user is not None:
                kept.append(user)
                dut.rec_len.value = len(frames[user][0])
                dut.rec_data.value = user ^ 0xA5
        dut.rec_valid.value = 0

    async def receive() -> int:
        packets = StreamSink(dut, "pkt", ["len", "data"], rng, slow)
        words = StreamSink(dut, "out", ["data", "count", "last"], rng, slow)
        done = 0
        while True:
            (packet,) = await packets.take(1) or [None]
            if packet is None:
                return done
            data, word = b"", {"last": 0}
            while not word["last"]:
                (word,) = await words.take(1) or [{"last": 1, "data": 0, "count": 0}]
                data += word["data"].to_bytes(lanes, "little")[: word["count"]]
            user = packet["data"] ^ 0xA5
            if dut.rst.value:
                return done
            assert user == kept[done]
            assert frames[user][1]
            assert packet["len"] == len(data)
            assert data == frames[user][0]
            done += 1
            finished.append(user)

    finished: list[int] = []
    judge = cocotb.start_soon(verdicts())
    receiver = cocotb.start_soon(receive())
    source = StreamSource(dut, "in", rng)
    for user, (frame, keep) in enumerate(frames):
        await source.send(mac_words_of(frame, rng, keep, user))
        if dut.rst.value:
            return 0, 0
    await ClockCycles(dut.clk, VERDICT_CYCLES + 2)
    while len(finished) < len(kept) or not dut.status_empty.value:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 4)
    assert finished == kept
    assert dut.status_empty.value
    judge.cancel()
    receiver.cancel()
    dut.pkt_ready.value = dut.out_ready.value = dut.rec_valid.value = 0
    assert len(kept) + overflows == sum(keep for _, keep in frames)
    return len(kept), overflows


@cocotb.test()
async def a_fast_host_gets_everything(dut: Any) -> None:
    await start(dut, **IDLE)
    assert (await run(dut, 100, 0.0))[1] == 0


@cocotb.test()
async def a_slow_host_gets_whole_frames(dut: Any) -> None:
    await start(dut, **IDLE)
    kept, overflows = await run(dut, 100, 0.9)
    assert kept > 10
    assert overflows > 10


@cocotb.test()
async def record_and_words_follow(dut: Any) -> None:
    """2 cycles to the record, 3 to the first word."""
    rng = seeded()
    await start(dut, **IDLE)
    await StreamSource(dut, "in", rng).send(mac_words_of(b"frame", rng, True, 1))
    await StreamSource(dut, "rec", rng).send([{"len": 5, "data": 1}])
    taken = get_sim_time("ns")  # the end of the record's cycle
    passed = {}
    for _ in range(5):
        await RisingEdge(dut.clk)
        for name in ("pkt", "out"):
            if getattr(dut, f"{name}_valid").value and name not in passed:
                passed[name] = round((get_sim_time("ns") - taken) / PERIOD_NS)
    assert passed == {"pkt": 2, "out": 3}


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (3, 20, 60, 200):
        task = cocotb.start_soon(run(dut, 30, 0.4))
        await interrupt(dut, idle(dut), count)
        await reset(dut, **IDLE)
        await task
        assert not dut.out_valid.value
        assert not dut.pkt_valid.value
        assert dut.status_empty.value
        await run(dut, 5, 0.0)


async def idle(dut: Any) -> None:
    while True:
        await RisingEdge(dut.clk)
