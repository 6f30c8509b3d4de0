"""What goes into the store good comes out, with its checksum, while it wraps and fills."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from scapy.utils import checksum

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import (
    Item,
    StreamSink,
    StreamSource,
    interrupt,
    reset,
    run_module,
    seeded,
    start,
)


@pytest.mark.parametrize("width", [64, 128, 512])
def test_store_gives_good_packets_and_their_sums(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "BYTES": 4096})


def words(frame: bytes, lanes: int, error: int = 0) -> list[Item]:
    """A frame as words of the gather stage."""
    out = []
    for pos in range(0, max(len(frame), 1), lanes):
        part = frame[pos : pos + lanes]
        noise = part + b"\xa5" * (lanes - len(part))
        last = int(pos + lanes >= len(frame))
        out.append(
            {
                "data": int.from_bytes(noise, "little"),
                "count": len(part),
                "last": last,
                "error": error & last,
            }
        )
    return out


IDLE = {
    "quiesce": 0,
    "in_valid": 0,
    "open_valid": 0,
    "close_valid": 0,
    "enter_ready": 0,
    "out_ready": 0,
}


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5], slow=[0.0, 0.7])
async def packets_pass_in_order(dut: Any, pause: float, slow: float) -> None:
    await start(dut, **IDLE)
    await pass_packets(dut, 40, pause, slow)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (3, 10, 30, 70, 150, 300):
        await interrupt(dut, pass_packets(dut, 20, 0.1, 0.5), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        assert not dut.enter_valid.value
        assert dut.status_idle.value
        await pass_packets(dut, 3, 0.0, 0.0)


async def pass_packets(dut: Any, count: int, pause: float, slow: float) -> None:
    """Good and bad packets through the store; noise around them must not come out."""
    rng = seeded()
    lanes = len(dut.in_data) // 8
    items, opens, closes, good = [], [], [], []
    for index in range(count):
        frame = rng.randbytes(rng.choice([1, 60, 300, rng.randrange(1, 1500)]))
        status = rng.choice([r.STATUS_OK] * 4 + [r.STATUS_BAD_DESC])
        first = rng.randrange(len(frame))
        items += words(frame, lanes)
        opens.append({"csum": 1, "csum_start": first, "csum_offset": 3, "cookie": index})
        closes.append({"next": index + 1, "status": status})
        if status == r.STATUS_OK:
            good.append((index, frame, first))
    for name, values in (("open", opens), ("close", closes), ("in", items)):
        cocotb.start_soon(StreamSource(dut, name, rng, pause if name == "in" else 0.0).send(values))
    entered = cocotb.start_soon(
        StreamSink(dut, "enter", ["cookie", "status"], rng, pause).take(count)
    )
    sink = StreamSink(
        dut, "out", ["data", "count", "last", "cookie", "csum_pos", "csum_value"], rng, slow
    )
    for index, frame, first in good:
        data, word = b"", {"last": 0}
        while not word["last"]:
            (word,) = await sink.take(1)
            data += word["data"].to_bytes(8, "little")[: word["count"]]
        assert data == frame
        assert (word["cookie"], word["csum_pos"]) == (index, first + 3)
        assert word["csum_value"].to_bytes(2, "little") == (
            checksum(frame[first:]) or 0xFFFF
        ).to_bytes(2, "big")
    assert [e["status"] for e in await entered] == [c["status"] for c in closes]
