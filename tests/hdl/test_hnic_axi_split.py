"""Reads are cut into bursts that cross nothing and lose nothing."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start


@pytest.mark.parametrize("burst", [64, 512, 4096])
def test_bursts_cover_the_read_and_cross_no_border(module_simulator: str, burst: int) -> None:
    run_module(__file__, module_simulator, {"BURST_BYTES": burst, "USER_W": 8})


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def bursts_cover_the_read(dut: Any, pause: float) -> None:
    await start(dut, in_valid=0, out_ready=0)
    await cut(dut, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, in_valid=0, out_ready=0)
    for count in (1, 2, 7, 40):
        await interrupt(dut, cut(dut, 0.3), count)
        await reset(dut, in_valid=0, out_ready=0)
        assert not dut.out_valid.value
    await cut(dut, 0.0)


async def cut(dut: Any, pause: float) -> None:
    """Reads of many lengths and places: their bursts are those of a plain loop."""
    rng = seeded()
    burst = int(dut.BURST_BYTES.value)
    reads, wanted = [], []
    for length in [0, 1, 2, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 9600, 70000]:
        for near in (0, 1, burst - 1, 4095, rng.randrange(4096)):
            addr = (rng.randrange(1 << 40) << 12) + near
            last = rng.randrange(2)
            user = rng.randrange(256)
            reads.append({"addr": addr, "len": length, "last": last, "user": user})
            place, left = addr, length
            while True:
                step = min(left, burst - place % burst)
                left -= step
                ends = int(last and not left)
                wanted.append({"addr": place, "bytes": step, "last": ends, "user": user})
                place += step
                if not left:
                    break
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(reads))
    sink = StreamSink(dut, "out", ["addr", "bytes", "last", "user"], rng, pause)
    assert await sink.take(len(wanted)) == wanted
