"""Descriptors out of beats, for each bus width."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 256, 512])
def test_descriptors_come_out_whole(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width})


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def bursts_become_descriptors(dut: Any, pause: float) -> None:
    rng = seeded()
    await start(dut, burst_valid=0, beat_valid=0, desc_ready=0)
    lanes = len(dut.beat_data) // 8
    bursts, beats, wanted = [], [], []
    index = 60
    for _ in range(40):
        count = rng.randrange(1, 9)
        half = index & 1
        bursts.append({"half": half, "count": count, "index": index & 0xFFFF})
        start_byte = half * r.TXD_BYTES if lanes > r.TXD_BYTES else 0
        descs = [rng.randbytes(r.TXD_BYTES) for _ in range(count)]
        image = rng.randbytes(start_byte) + b"".join(descs)
        image += rng.randbytes(-len(image) % lanes)
        errors = [rng.random() < 0.1 for _ in range(len(image) // lanes)]
        for i, error in enumerate(errors):
            beats.append(
                {
                    "data": int.from_bytes(image[i * lanes : (i + 1) * lanes], "little"),
                    "error": int(error),
                }
            )
        for i, desc in enumerate(descs):
            place = start_byte + i * r.TXD_BYTES
            span = range(place // lanes, (place + r.TXD_BYTES - 1) // lanes + 1)
            index += 1
            wanted.append(
                {
                    "data": int.from_bytes(desc, "little"),
                    "error": int(any(errors[j] for j in span)),
                    "next": index & 0xFFFF,
                }
            )

    dut.burst_valid.value = 1

    async def feed_bursts() -> None:
        for burst in bursts:
            for name, value in burst.items():
                getattr(dut, f"burst_{name}").value = value
            await RisingEdge(dut.clk)
            while not dut.burst_done.value:
                await RisingEdge(dut.clk)
        dut.burst_valid.value = 0

    cocotb.start_soon(feed_bursts())
    cocotb.start_soon(StreamSource(dut, "beat", rng, pause).send(beats))
    assert (
        await StreamSink(dut, "desc", ["data", "error", "next"], rng, pause).take(len(wanted))
        == wanted
    )
