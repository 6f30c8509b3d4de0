"""Headers are edited at every place, word by word, and nothing beside them."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest

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
def test_headers_are_edited(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "USER_W": 16})


IDLE = {"in_valid": 0, "frame_valid": 0, "out_ready": 0}
SEQ, IDENT = 0xFFFFF123, 0xFFF0  # the numbers that were kept, near their overflow


def some_record(rng: random.Random, length: int, user: int) -> Item:
    tso = rng.random() < 0.7
    ipv4 = rng.randrange(2)
    l3 = rng.randrange(14, 60)
    number = rng.choice([0, 1, rng.randrange(1 << 16)]) if tso else 0
    return {
        "tso": int(tso),
        "first": int(number == 0),
        "end": rng.randrange(2),
        "ipv4": ipv4,
        "ipcsum": int(ipv4 and (tso or rng.random() < 0.5)),
        "l3": l3,
        "l4": rng.randrange(l3 + (20 if ipv4 else 40), 140),
        "len": length,
        "number": number,
        "before": rng.randrange(1 << 16) if number else 0,
        "user": user,
    }


def edited(frame: bytes, record: Item) -> bytes:
    """By RFC 791, 8200 and 9293, one field after another."""
    out = bytearray(frame)
    l3, l4 = record["l3"], record["l4"]

    def put(place: int, value: int, size: int) -> None:
        out[place : place + size] = (value % (1 << 8 * size)).to_bytes(size, "big")

    if record["ipcsum"]:
        put(l3 + 10, 0, 2)
    if not record["tso"]:
        return bytes(out)
    if record["ipv4"]:
        put(l3 + 2, len(frame) - l3, 2)
        put(l3 + 4, IDENT + record["number"], 2) if record["number"] else None
    else:
        put(l3 + 4, len(frame) - l3 - 40, 2)
    if not record["end"]:
        out[l4 + 13] &= ~0x09
    if record["number"]:
        put(l4 + 4, SEQ + record["before"], 4)
        out[l4 + 13] &= ~0x80
    return bytes(out)


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def frames_are_edited_as_their_records_say(dut: Any, pause: float) -> None:
    await start(dut, **IDLE)
    await edit(dut, 60, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (1, 2, 3, 5, 8, 13, 40):
        await interrupt(dut, edit(dut, 10, 0.2), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        assert dut.in_pos.value == 0
        await edit(dut, 2, 0.0)


async def edit(dut: Any, count: int, pause: float) -> None:
    rng = seeded()
    lanes = len(dut.in_data) // 8
    dut.seq.value, dut.id.value = SEQ, IDENT
    items, records, wanted = [], [], []
    for user in range(count):
        frame = rng.randbytes(rng.randrange(160, 500))
        record = some_record(rng, len(frame), user)
        error, index = rng.randrange(2), rng.randrange(1 << 16)
        for pos in range(0, len(frame), lanes):
            part = frame[pos : pos + lanes]
            last = int(pos + lanes >= len(frame))
            items.append(
                {
                    "data": int.from_bytes(part.ljust(lanes, b"\xa5"), "little"),
                    "count": len(part),
                    "last": last,
                    "error": error & last,
                    "error_index": index,
                }
            )
        records.append(record)
        wanted.append((frame, record, error, index))
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    cocotb.start_soon(StreamSource(dut, "frame", rng, pause).send(records))
    about = ["l3", "l3_end", "l4", "l4_len", "user"]
    fields = ["data", "count", "last", "error", "error_index", *about]
    sink = StreamSink(dut, "out", fields, rng, pause)
    for frame, record, error, index in wanted:
        data, word = b"", {"last": 0}
        while not word["last"]:
            took = await sink.take(1)
            if not took:
                return
            (word,) = took
            l4_len = len(frame) - record["l4"] if record["tso"] else 0
            assert (word["l3"], word["l4"]) == (record["l3"], record["l4"])
            assert (word["l4_len"], word["user"]) == (l4_len, record["user"])
            if len(data) + lanes > record["l3"]:
                assert word["l3_end"] == record["l3"] + 4 * (frame[record["l3"]] & 15)
            data += word["data"].to_bytes(lanes, "little")[: word["count"]]
        assert (word["error"], word["error_index"]) == (error, index)
        assert data == edited(frame, record)


@cocotb.test()
async def no_word_is_taken_without_its_record(dut: Any) -> None:
    await start(dut, **(IDLE | {"in_valid": 1, "in_last": 1, "in_count": 1, "out_ready": 1}))
    assert not dut.in_ready.value
    assert not dut.out_valid.value
