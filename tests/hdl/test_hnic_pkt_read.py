"""Records become frames without a gap; every packet is entered for its completion."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

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
from tests.hdl.tx_packets import FLUSHED


@pytest.mark.parametrize(("width", "queues"), [(64, 1), (128, 8), (512, 32)])
def test_frames_leave_the_store_in_order(module_simulator: str, width: int, queues: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "ADDR_W": 7, "QUEUES": queues})


IDLE = {"quiesce": 0, "flush": 0, "rec_valid": 0, "enter_ready": 0, "out_ready": 0}
ABOUT = ["count", "last", "end", "pos", "cookie", "csum", "ipcsum", "csums"]


async def ram(dut: Any, given: list[int]) -> None:
    """The addresses of the words that come out, in order."""
    place = 0
    while not dut.rst.value:
        await RisingEdge(dut.clk)
        if dut.out_valid.value and dut.out_ready.value:
            given.append(place)
        if dut.ram_rd_en.value:
            place = int(dut.ram_rd_addr.value)


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def frames_come_out_of_the_ring(dut: Any, pause: float) -> None:
    await start(dut, **IDLE)
    await read(dut, 60, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (1, 2, 5, 11, 40, 90):
        await interrupt(dut, read(dut, 20, 0.3), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        assert not dut.enter_valid.value
        assert int(dut.freed.value) == 0
        await read(dut, 3, 0.0)
        await reset(dut, **IDLE)


def record(index: int, length: int, **fields: int) -> Item:
    return {
        "len": length,
        "csum": index & 1,
        "ipcsum": index >> 1 & 1,
        "end": 1,
        "status": r.STATUS_OK,
        "index": 5 * index,
        "queue": 0,
        "cookie": 7 * index,
        "next": index,
        "csums": index * 0x0123456789ABCDEF % (1 << 64),
        **fields,
    }


async def read(dut: Any, count: int, pause: float) -> None:
    """Good frames of packets with one or more; faults are each in a queue of their own."""
    rng = seeded()
    lanes, queues = int(dut.DATA_W.value) // 8, int(dut.QUEUES.value)
    spare = list(range(1, queues))
    records, wanted, entered, place = [], [], [], 0
    for index in range(count):
        given = record(index, rng.randrange(1, 20 * lanes), end=int(rng.random() < 0.7))
        if rng.random() < 0.3 and spare:
            given |= {"status": r.STATUS_TOO_LONG, "queue": spare.pop(), "end": 1}
        records.append(given)
        if given["end"]:
            entered.append({k: given[k] for k in ("queue", "cookie", "next", "status", "index")})
        if given["status"] == r.STATUS_OK:
            places = [(place + i) % 128 for i in range(-(-given["len"] // lanes))]
            wanted.append((given, places))
            place += len(places)
    given_words: list[int] = []
    cocotb.start_soon(ram(dut, given_words))
    cocotb.start_soon(StreamSource(dut, "rec", rng).send(records))
    fields = ["queue", "cookie", "next", "status", "index"]
    entering = cocotb.start_soon(StreamSink(dut, "enter", fields, rng, pause).take(len(entered)))
    sink = StreamSink(dut, "out", ABOUT, rng, pause)
    for given, places in wanted:
        for i in range(len(places)):
            took = await sink.take(1)
            if not took:
                return
            last = int(i == len(places) - 1)
            size = given["len"] - lanes * i if last else lanes
            same = {k: given[k] for k in ("end", "cookie", "csum", "ipcsum", "csums")}
            assert took == [{"count": size, "last": last, "pos": i * lanes} | same]
    assert await entering == entered
    await RisingEdge(dut.clk)
    assert given_words == [p for _, places in wanted for p in places]
    assert int(dut.freed.value) == place % 256


@cocotb.test()
async def frames_follow_each_other_without_a_gap_and_quiesce_starts_none(dut: Any) -> None:
    rng = seeded()
    await start(dut, **(IDLE | {"quiesce": 1, "enter_ready": 1, "out_ready": 1}))
    lanes = int(dut.DATA_W.value) // 8
    lengths = [1, 6 * lanes, lanes, lanes + 1, 5]
    records = [record(i, length) for i, length in enumerate(lengths)]
    cocotb.start_soon(StreamSource(dut, "rec", rng).send(records))
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.out_valid.value
        assert not dut.enter_valid.value
    dut.quiesce.value = 0
    while not dut.out_valid.value:
        await RisingEdge(dut.clk)
    for i in range(7):
        assert dut.out_valid.value
        if i == 1:
            dut.quiesce.value = 1  # the second frame has begun
        await RisingEdge(dut.clk)
    assert not dut.out_valid.value
    assert dut.status_idle.value
    dut.quiesce.value = 0
    while not dut.out_valid.value:
        await RisingEdge(dut.clk)
    for _ in range(4):
        assert dut.out_valid.value
        await RisingEdge(dut.clk)


@cocotb.test()
async def a_fault_stops_its_queue_before_flush_rises(dut: Any) -> None:
    """Until flush has come and gone; what is dropped gives its room back."""
    rng = seeded()
    await start(dut, **(IDLE | {"out_ready": 1}))
    lanes = int(dut.DATA_W.value) // 8
    other = int(dut.QUEUES.value) - 1

    async def enter(*records: Item) -> list[int]:
        cocotb.start_soon(StreamSource(dut, "rec", rng).send(records))
        took = await StreamSink(dut, "enter", ["status"], rng).take(len(records))
        return [item["status"] for item in took]

    bad = record(1, 3 * lanes, status=r.STATUS_DMA_ERR)
    good = record(2, 3 * lanes)
    assert await enter(bad, good) == [r.STATUS_DMA_ERR, FLUSHED]
    assert int(dut.freed.value) == 3
    if other:
        assert await enter(record(3, 1, queue=other)) == [r.STATUS_OK]
    dut.flush.value = 1
    assert await enter(good) == [FLUSHED]
    dut.flush.value = 0
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert await enter(good) == [r.STATUS_OK]
    dut.flush.value = 1 << other
    assert await enter(record(4, 2 * lanes + 1, queue=other)) == [FLUSHED]
