"""Descriptors become segments; whatever is wrong with them is named once and ends the packet."""

from __future__ import annotations

from typing import Any

import cocotb

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start

MAX_FRAME = 2000
FIELDS = ["queue", "addr", "len", "index", "first", "last", "sop", "status", "next"]
OK, BAD_DESC, TOO_LONG, BAD_TSO = (
    r.STATUS_OK,
    r.STATUS_BAD_DESC,
    r.STATUS_TOO_LONG,
    r.STATUS_BAD_TSO,
)


def test_packets_are_judged(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"MAX_FRAME": MAX_FRAME, "QUEUES": 4})


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


def tso(length: int = 1000, **fields: int) -> int:
    """The first descriptor of an IPv4 super-packet: 14 + 20 + 20 bytes of header."""
    good = {
        "tso": 1,
        "csum": 1,
        "ipv4": 1,
        "csum_start": 34,
        "csum_offset": 16,
        "mss": 500,
        "hdr_len": 54,
        "l3_start": 14,
    }
    return desc(length=length, **{**good, **fields})


async def run(
    dut: Any, descs: list[tuple[int, int]], segs: int, pause: float = 0.3, final: int = 0
) -> list[dict[str, int]]:
    """Feed (descriptor, error) pairs, give back the segments."""
    rng = seeded()
    await start(dut, desc_valid=0, seg_ready=0)
    items = [
        {"data": d, "error": e, "index": 100 + i, "queue": 2, "final": final}
        for i, (d, e) in enumerate(descs)
    ]
    cocotb.start_soon(StreamSource(dut, "desc", rng, pause).send(items))
    return await StreamSink(dut, "seg", FIELDS, rng, pause).take(segs)


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def good_packets_pass(dut: Any, pause: float) -> None:
    descs = [
        desc(0x10, 60, cookie=1),
        desc(0x20, 14, eop=0, cookie=2, csum=1, csum_start=34, csum_offset=16),
        desc(0x31, 700, sop=0, eop=0, csum_start=5),
        desc(0x45, 1286, sop=0),
        desc(0xFFFF_FFFF_0000, 1, cookie=0xFFFFFFFF, vlan=1, vlan_tci=0xABCD),
    ]
    segs = await run(dut, [(d, 0) for d in descs], 5, pause)
    assert [(s["addr"], s["len"], s["first"], s["last"]) for s in segs] == [
        (0x10, 60, 1, 1),
        (0x20, 14, 1, 0),
        (0x31, 700, 0, 0),
        (0x45, 1286, 0, 1),
        (0xFFFF_FFFF_0000, 1, 1, 1),
    ]
    firsts = [descs[0], descs[1], descs[1], descs[1], descs[4]]
    assert [s["sop"] for s in segs] == firsts
    assert [s["index"] for s in segs] == [100, 101, 102, 103, 104]
    assert {s["queue"] for s in segs} == {2}
    ends = [s for s in segs if s["last"]]
    assert [(s["status"], s["next"]) for s in ends] == [(OK, 101), (OK, 104), (OK, 105)]


def segments(count: int, length: int = 10) -> list[int]:
    return [desc(length=length, sop=int(i == 0), eop=int(i == count - 1)) for i in range(count)]


PACKETS: list[tuple[list[int], int]] = [
    ([desc(sop=0)], BAD_DESC),
    ([desc(length=0)], BAD_DESC),
    ([desc(eop=0), desc()], BAD_DESC),
    *[([desc() | 1 << bit], BAD_DESC) for bit in (91, 95, 184, 191, 224, 255)],
    ([desc(eop=0), desc(sop=0) | 1 << 93], BAD_DESC),
    (segments(32), OK),
    ([*segments(33)[:32], desc(sop=0, eop=0)], r.STATUS_TOO_MANY),
    ([*segments(33)[:32], desc(length=0, sop=0)], BAD_DESC),
    ([desc(length=2000)], OK),
    ([desc(length=2001)], TOO_LONG),
    ([desc(length=2000, vlan=1)], OK),
    ([desc(length=2001, vlan=1)], TOO_LONG),
    ([desc(length=1999, eop=0), desc(length=2, sop=0, eop=0)], TOO_LONG),
    ([desc(length=0xFFFFF, eop=0)], TOO_LONG),
    # checksums
    ([desc(csum=1, csum_start=60, csum_offset=3)], r.STATUS_BAD_CSUM),
    ([desc(csum=1, csum_start=60, csum_offset=2)], OK),
    ([desc(csum=1, csum_start=0xFFFF, csum_offset=0xFFFF)], r.STATUS_BAD_CSUM),
    ([desc(eop=0, csum=1, csum_start=60, csum_offset=16), desc(sop=0)], OK),
    ([desc(csum_start=0xFFFF)], OK),
    ([desc(ipcsum=1, ipv4=1, l3_start=44)], OK),
    ([desc(ipcsum=1, ipv4=1, l3_start=45)], r.STATUS_BAD_CSUM),
    ([desc(ipcsum=1, l3_start=14)], r.STATUS_BAD_CSUM),
    ([desc(csum=1, csum_start=11, csum_offset=16)], OK),
    ([desc(csum=1, csum_start=12, csum_offset=16, vlan=1)], OK),
    ([desc(csum=1, csum_start=11, csum_offset=16, vlan=1)], r.STATUS_BAD_CSUM),
    ([desc(csum_start=11, vlan=1)], OK),
    ([desc(ipcsum=1, ipv4=1, l3_start=11, vlan=1)], r.STATUS_BAD_CSUM),
    ([desc(ipcsum=1, ipv4=1, l3_start=12, vlan=1)], OK),
    # TSO
    ([tso(vlan=1, l3_start=12)], OK),
    ([tso(vlan=1, l3_start=11)], BAD_TSO),
    ([tso(l3_start=11)], OK),
    ([tso()], OK),
    ([tso(65536, eop=0), desc(length=54, sop=0)], OK),
    ([tso(65536, eop=0), desc(length=55, sop=0)], TOO_LONG),
    ([tso(65537)], TOO_LONG),
    ([tso(mss=1946)], OK),
    ([tso(mss=1947)], TOO_LONG),
    ([tso(mss=0xFFFF, hdr_len=0xFFFF)], TOO_LONG),
    ([tso(csum=0)], BAD_TSO),
    ([tso(mss=0)], BAD_TSO),
    ([tso(hdr_len=0)], BAD_TSO),
    ([tso(hdr_len=192)], OK),
    ([tso(hdr_len=193)], BAD_TSO),
    ([tso(hdr_len=53)], BAD_TSO),
    ([tso(csum_start=35)], BAD_TSO),
    ([tso(csum_offset=6)], BAD_TSO),
    ([tso(l3_start=15)], BAD_TSO),
    ([tso(ipv4=0, csum_start=54, hdr_len=74)], OK),
    ([tso(ipv4=0, csum_start=54, hdr_len=74, l3_start=15)], BAD_TSO),
    ([tso(ipv4=0, csum_start=54, hdr_len=74, ipcsum=1)], r.STATUS_BAD_CSUM),
    ([tso(54)], BAD_TSO),
    ([tso(55)], OK),
    ([tso(54, eop=0), desc(length=1, sop=0)], OK),
    ([desc(mss=0, hdr_len=999)], OK),
]


@cocotb.test()
async def faults_are_named_and_end_the_packet(dut: Any) -> None:
    descs = [d for packet, _ in PACKETS for d in packet]
    segs = await run(dut, [(d, 0) for d in descs], len(descs), 0.1)
    place = 0
    for packet, status in PACKETS:
        mine, place = segs[place : place + len(packet)], place + len(packet)
        *rest, end = mine
        assert [s["last"] for s in rest] == [0] * len(rest), packet
        assert (end["last"], end["status"]) == (1, status), [hex(d) for d in packet]
        assert (end["len"] == 0) == (status != OK)
        assert end["next"] == end["index"] + 1 == 100 + place
        assert {s["sop"] for s in mine} == {packet[0]}
        assert [s["first"] for s in mine] == [1] + [0] * len(rest)


@cocotb.test()
async def a_descriptor_that_was_not_read_ends_its_packet(dut: Any) -> None:
    noise = desc(eop=0, length=0, cookie=5)
    descs = [(noise, 1), (desc(cookie=7, eop=0), 0), (noise, 1), (desc(), 0)]
    segs = await run(dut, descs, 4)
    assert [s["status"] for s in segs if s["last"]] == [r.STATUS_DESC_ERR] * 2 + [OK]
    assert [s["sop"] for s in segs] == [0, descs[1][0], descs[1][0], descs[3][0]]


@cocotb.test()
async def a_packet_without_an_end_is_a_fault(dut: Any) -> None:
    (seg,) = await run(dut, [(desc(eop=0), 0)], 1, final=1)
    assert (seg["status"], seg["index"], seg["last"]) == (BAD_DESC, 100, 1)
    (seg,) = await run(dut, [(desc(), 0)], 1, final=1)
    assert seg["status"] == OK


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    for count in (3, 5, 8):
        await interrupt(dut, run(dut, [(d, 0) for d in segments(20)], 20), count)
        await reset(dut, desc_valid=0, seg_ready=0)
        assert not dut.seg_valid.value
        (seg,) = await run(dut, [(desc(), 0)], 1)
        assert (seg["status"], seg["first"]) == (OK, 1)
