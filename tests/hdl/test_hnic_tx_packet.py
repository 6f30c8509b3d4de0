"""Descriptors become packets; whatever is wrong with them is named once, at the packet's end."""

from __future__ import annotations

from typing import Any

import cocotb

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


def test_packets_are_judged(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"MAX_FRAME": 2000, "DEPTH": 8})


def desc(addr: int = 0x1000, length: int = 64, *, sop: int = 1, eop: int = 1, **fields: int) -> int:
    """A descriptor as a number; `fields` by their names in the register map."""
    value = (
        addr << r.TXD_ADDR_LSB
        | length << r.TXD_LEN_LSB
        | sop << r.TXD_SOP_LSB
        | eop << r.TXD_EOP_LSB
    )
    for name, number in fields.items():
        value |= number << getattr(r, f"TXD_{name.upper()}_LSB")
    return value


async def run(
    dut: Any, descs: list[tuple[int, int]], segs: int, opens: int, closes: int, pause: float = 0.3
) -> Any:
    """Feed (descriptor, error) pairs, give back what came out of the three FIFOs."""
    rng = seeded()
    await start(dut, desc_valid=0)
    items = [{"data": d, "error": e, "next": i + 1} for i, (d, e) in enumerate(descs)]
    cocotb.start_soon(StreamSource(dut, "desc", rng, pause).send(items))
    seg = cocotb.start_soon(StreamSink(dut, "seg", ["addr", "len", "last"], rng, pause).take(segs))
    names = ["csum", "csum_start", "csum_offset", "cookie"]
    opened = cocotb.start_soon(StreamSink(dut, "open", names, rng, pause).take(opens))
    closed = cocotb.start_soon(
        StreamSink(dut, "close", ["next", "status"], rng, pause).take(closes)
    )
    return await seg, await opened, [(c["next"], c["status"]) for c in await closed]


@cocotb.test()
async def good_packets_pass(dut: Any) -> None:
    descs = [
        desc(0x10, 60, cookie=1),
        desc(0x20, 14, eop=0, cookie=2, csum=1, csum_start=34, csum_offset=16),
        desc(0x31, 700, sop=0, eop=0, cookie=99, csum_start=5),
        desc(0x45, 1286, sop=0),
        desc(0xFFFF_FFFF_0000, 1, cookie=0xFFFFFFFF),
    ]
    segs, opens, closes = await run(dut, [(d, 0) for d in descs], 5, 3, 3)
    assert [(s["addr"], s["len"], s["last"]) for s in segs] == [
        (0x10, 60, 1),
        (0x20, 14, 0),
        (0x31, 700, 0),
        (0x45, 1286, 1),
        (0xFFFF_FFFF_0000, 1, 1),
    ]
    assert [o["cookie"] for o in opens] == [1, 2, 0xFFFFFFFF]
    assert (opens[1]["csum"], opens[1]["csum_start"], opens[1]["csum_offset"]) == (1, 34, 16)
    assert closes == [(1, r.STATUS_OK), (4, r.STATUS_OK), (5, r.STATUS_OK)]


@cocotb.test()
async def faults_are_named(dut: Any) -> None:
    bad, ok = r.STATUS_BAD_DESC, r.STATUS_OK
    packets: list[tuple[list[tuple[int, int]], int]] = [
        ([(desc(sop=0), 0)], bad),
        ([(desc(length=0), 0)], bad),
        ([(desc(tso=1), 0)], bad),
        ([(desc(vlan=1), 0)], bad),
        ([(desc(eop=0), 0), (desc(), 0)], bad),
        ([(desc(length=2001), 0)], r.STATUS_TOO_LONG),
        ([(desc(length=1999, eop=0), 0), (desc(length=2, sop=0), 0)], r.STATUS_TOO_LONG),
        ([(desc(length=0xFFFFF, eop=0), 0), (desc(length=0xFFFFF, sop=0), 0)], r.STATUS_TOO_LONG),
        ([(desc(csum=1, csum_start=60, csum_offset=3), 0)], r.STATUS_BAD_CSUM),
        ([(desc(csum=1, csum_start=60, csum_offset=2), 0)], ok),
        ([(desc(csum_start=0xFFFF), 0)], ok),
        ([(desc(cookie=5), 1)], r.STATUS_DESC_ERR),
        ([(desc(eop=0), 0), (0, 1)], r.STATUS_DESC_ERR),
        ([(desc(), 0)], ok),
    ]
    descs = [d for descs, _ in packets for d in descs]
    _, opens, closes = await run(dut, descs, 17, len(packets), len(packets))
    assert [status for _, status in closes] == [status for _, status in packets]
    ends = [sum(len(p[0]) for p in packets[: i + 1]) for i in range(len(packets))]
    assert [index for index, _ in closes] == ends
    assert opens[11]["cookie"] == 0


@cocotb.test()
async def nothing_is_read_after_a_fault(dut: Any) -> None:
    descs = [
        desc(1, 10, eop=0),
        desc(2, 0, sop=0, eop=0),
        desc(3, 10, sop=0, eop=0),
        desc(4, 10, sop=0),
    ]
    segs, _, _ = await run(dut, [(d, 0) for d in descs], 2, 1, 1)
    assert [(s["len"], s["last"]) for s in segs] == [(10, 0), (0, 1)]
