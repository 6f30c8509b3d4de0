"""What goes into the store good comes out, with its checksums in, while it wraps and fills."""

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
def test_store_gives_good_frames_with_their_sums(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "BYTES": 4096})


IDLE = {"quiesce": 0, "flush": 0, "in_valid": 0, "enter_ready": 0, "out_ready": 0}


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5], slow=[0.0, 0.7])
async def frames_pass_in_order(dut: Any, pause: float, slow: float) -> None:
    await start(dut, **IDLE)
    await pass_frames(dut, 30, pause, slow)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (3, 10, 30, 70, 150, 300):
        await interrupt(dut, pass_frames(dut, 20, 0.1, 0.5), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        assert not dut.enter_valid.value
        assert dut.status_idle.value
        await pass_frames(dut, 3, 0.0, 0.0)
        await reset(dut, **IDLE)


def words(frame: bytes, lanes: int, about: Item) -> list[Item]:
    out = []
    for pos in range(0, len(frame), lanes):
        part = frame[pos : pos + lanes]
        last = int(pos + lanes >= len(frame))
        noise = part + b"\xa5" * (lanes - len(part))
        word = {"data": int.from_bytes(noise, "little"), "count": len(part), "last": last}
        out.append(about | word | {"error": about["error"] & last})
    return out


async def pass_frames(dut: Any, count: int, pause: float, slow: float) -> None:
    """Good and bad packets, each fault in a queue of its own."""
    rng = seeded()
    lanes = len(dut.in_data) // 8
    items, good, entered, spare = [], [], [], list(range(1, 8))
    for index in range(count):
        frame = rng.randbytes(rng.choice([40, 60, 300, rng.randrange(40, 1500)]))
        l3, l4 = rng.randrange(20), rng.randrange(22, 34)
        error = int(rng.random() < 0.2 and bool(spare))
        about = {
            "error": error,
            "error_index": 3 * index,
            "end": int(error or rng.random() < 0.7),
            "status": r.STATUS_OK,
            "index": index,
            "csum": 1,
            "csum_pos": l4 + 3,
            "l4": l4,
            "l4_len": 0,
            "ipcsum": index & 1,
            "l3": l3,
            "l3_end": l3 + 20,
            "queue": spare.pop() if error else 0,
            "cookie": index,
            "next": index + 1,
        }
        items += words(frame, lanes, about)
        if about["end"]:
            status = r.STATUS_DMA_ERR if error else r.STATUS_OK
            fault = about["error_index"] if error else index
            entered.append((about["queue"], index, index + 1, status, fault))
        if not error:
            csum = checksum(frame[l4:]) or 0xFFFF
            sent = frame[: l4 + 3] + csum.to_bytes(2, "big") + frame[l4 + 5 :]
            if about["ipcsum"]:
                csum = checksum(frame[l3 : l3 + 20])
                sent = sent[: l3 + 10] + csum.to_bytes(2, "big") + sent[l3 + 12 :]
            if about["ipcsum"] and abs(l3 + 10 - l4 - 3) < 2:
                sent = b""  # the two overlap: nobody asks for that
            good.append((index, about["end"], sent))
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    fields = ["queue", "cookie", "next", "status", "index"]
    entering = cocotb.start_soon(StreamSink(dut, "enter", fields, rng, pause).take(len(entered)))
    sink = StreamSink(dut, "out", ["data", "count", "last", "end", "cookie"], rng, slow)
    for index, end, frame in good:
        data, word = b"", {"last": 0}
        while not word["last"]:
            took = await sink.take(1)
            if not took:
                return
            (word,) = took
            assert (word["cookie"], word["end"]) == (index, end)
            data += word["data"].to_bytes(lanes, "little")[: word["count"]]
        assert data == frame or not frame
    assert [tuple(item.values()) for item in await entering] == entered
