"""Segments are cut into the pieces of frames, each frame with its record."""

from __future__ import annotations

import itertools
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles

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
from tests.hdl.tx_packets import FLUSHED, descriptor

MEMORY, TAG, HEADER, HEADER_WAIT = range(4)
PIECE = ["kind", "addr", "len", "last", "index"]
NUMBERS = ["l3", "l4", "csum_pos", "len", "number", "before", "queue", "cookie"]
FLAGS = ["tso", "first", "end", "ipv4", "csum", "ipcsum"]


@pytest.mark.parametrize("queues", [1, 8])
def test_packets_are_cut(module_simulator: str, queues: int) -> None:
    run_module(__file__, module_simulator, {"QUEUES": queues})


IDLE = {"flush": 0, "seg_valid": 0, "piece_ready": 0, "frame_ready": 0}


class Cutter:
    """The same in plain Python, byte range by byte range."""

    def __init__(self, rng: random.Random, cookie: int, queue: int, fault: int) -> None:
        self.rng, self.cookie, self.queue = rng, cookie, queue
        self.tso, self.vlan = rng.randrange(2), rng.randrange(2)
        self.ipv4, self.ipcsum, self.csum = (rng.randrange(2) for _ in range(3))
        self.mss = rng.choice([1, 5, 100, 1460])
        self.header = rng.randrange(54, 193)
        self.l3, self.l4, self.offset = rng.randrange(256), rng.randrange(300), rng.randrange(300)
        self.tci, self.fault = rng.randrange(1 << 16), fault
        length = self.header + rng.randrange(1, 12 * self.mss + 1)
        if not self.tso:
            length = rng.choice([1, 11, 12, 13, 60, 9600])
        self.segs: list[tuple[int, int]] = []
        while length:
            size = min(length, rng.choice([1, 2, 12, 60, length, rng.randrange(1, length + 1)]))
            if len(self.segs) == 31:
                size = length
            self.segs.append((rng.randrange(1 << 48), size))
            length -= size
        self.pieces: list[Item] = []
        self.frames: list[Item] = []

    def items(self) -> list[Item]:
        sop = descriptor(
            csum=self.csum,
            tso=self.tso,
            vlan=self.vlan,
            ipv4=self.ipv4,
            ipcsum=self.ipcsum,
            csum_start=self.l4,
            csum_offset=self.offset,
            l3_start=self.l3,
            mss=self.mss,
            hdr_len=self.header,
            vlan_tci=self.tci,
            cookie=self.cookie,
        )
        final = len(self.segs) - 1
        return [
            {
                "queue": self.queue,
                "addr": addr,
                "len": size if not self.fault or i < final else 0,
                "index": i,
                "first": int(i == 0),
                "last": int(i == final),
                "sop": sop,
                "status": self.fault if i == final else self.rng.randrange(10),
                "next": self.cookie + 1,
            }
            for i, (addr, size) in enumerate(self.segs)
        ]

    def cut(self) -> None:
        """Fill `pieces` and `frames`. With a fault the last segment is not read, and its frame
        ends with an empty piece.
        """
        read = sum(size for _, size in (self.segs[:-1] if self.fault else self.segs))
        edges = [self.header + self.mss * k for k in range(1, 14)] if self.tso else []
        edges = [edge for edge in edges if edge < read or (edge == read and self.fault)] + [read]
        begin = 0
        for number, end in enumerate(edges):
            final = number == len(edges) - 1
            size = self._header(number) if number and begin < end else 0
            size += self._memory(begin, end)
            if self.fault and final:
                self._piece(MEMORY, self.segs[-1][0], 0, len(self.segs) - 1)
            self.pieces[-1]["last"] = 1
            self.frames.append(self._frame(number, final, bool(self.fault) and final, size))
            begin = end

    def _header(self, number: int) -> int:
        size = self.header + 4 * self.vlan
        self._piece(HEADER_WAIT if number == 1 else HEADER, 0, size, None)
        return size

    def _memory(self, begin: int, end: int) -> int:
        size = at = 0
        for i, (addr, length) in enumerate(self.segs):
            low, high = max(begin, at), min(end, at + length)
            cuts = [low, 12, high] if self.vlan and low <= 12 < high else [low, high]
            for a, b in itertools.pairwise(cuts):
                if a == 12 and self.vlan and a < b:
                    self._piece(TAG, None, 4, self.tci)
                    size += 4
                if a < b:
                    self._piece(MEMORY, addr + a - at, b - a, i)
                    size += b - a
            at += length
        return size

    def _piece(self, kind: int, addr: int | None, size: int, index: int | None) -> None:
        values = (kind, addr, size, 0, index)
        self.pieces.append({k: v for k, v in zip(PIECE, values, strict=True) if v is not None})

    def _frame(self, number: int, final: bool, bad: bool, size: int) -> Item:
        def place(value: int) -> int:
            return value + (4 if self.vlan and value >= 12 else 0)

        frame = {
            "first": int(number == 0),
            "end": int(final),
            "number": number,
            "before": number * self.mss,
            "queue": self.queue,
            "cookie": self.cookie,
            "status": self.fault if final else r.STATUS_OK,
        }
        if final:
            frame["next"] = self.cookie + 1
        if bad:
            return frame | {"index": len(self.segs) - 1}
        return frame | {
            "tso": self.tso,
            "ipv4": self.ipv4,
            "csum": self.csum,
            "ipcsum": int(self.ipcsum or (self.tso and self.ipv4)),
            "l3": place(self.l3),
            "l4": place(self.l4),
            "csum_pos": place(self.l4 + self.offset),
            "len": size,
        }


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def pieces_and_records_are_those_of_a_plain_loop(dut: Any, pause: float) -> None:
    await start(dut, **IDLE)
    await cut(dut, 40, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (1, 2, 3, 7, 20, 60, 111):
        await interrupt(dut, cut(dut, 10, 0.1), count)
        await reset(dut, **IDLE)
        assert not dut.piece_valid.value
        assert not dut.frame_valid.value
        await cut(dut, 2, 0.0)
        await reset(dut, **IDLE)


async def cut(dut: Any, count: int, pause: float) -> None:
    rng = seeded()
    queues = int(dut.QUEUES.value)
    packets = []
    for cookie in range(count):
        fault = rng.choice([r.STATUS_OK] * 3 + [r.STATUS_TOO_MANY])
        packets.append(Cutter(rng, cookie, rng.randrange(queues), fault))
        packets[-1].cut()
    items = [item for packet in packets for item in packet.items()]
    pieces = [piece for packet in packets for piece in packet.pieces]
    frames = [frame for packet in packets for frame in packet.frames]
    charged = [frame for frame in frames if not frame["status"]]
    cocotb.start_soon(StreamSource(dut, "seg", rng, pause).send(items))
    fields = FLAGS + NUMBERS + ["next", "status", "index"]
    framing = cocotb.start_soon(StreamSink(dut, "frame", fields, rng, pause).take(len(frames)))
    charging = cocotb.start_soon(
        StreamSink(dut, "charge", ["queue", "bytes"], rng).take(len(charged))
    )
    sink = StreamSink(dut, "piece", PIECE, rng, pause)
    for piece in pieces:
        got = await sink.take(1)
        if not got:
            return
        compare(got, [piece])
    compare(await framing, frames)
    wire = [{"queue": f["queue"], "bytes": max(f["len"], 60) + 24} for f in charged]
    compare(await charging, wire)


def compare(got: list[Item], wanted: list[Item]) -> None:
    """Where something is said of a field, it must be so."""
    for number, (one, other) in enumerate(zip(got, wanted, strict=False)):
        assert {k: one[k] for k in other} == other, number


@cocotb.test()
async def the_pieces_of_a_frame_fit_without_anyone_taking_them(dut: Any) -> None:
    """Its record must come even then."""
    await start(dut, **IDLE)
    rng = seeded()
    packet = Cutter(rng, 1, 0, r.STATUS_OK)
    packet.tso, packet.vlan = 0, 1
    packet.segs = [(1000 * i, 5) for i in range(32)]
    cocotb.start_soon(StreamSource(dut, "seg", rng).send(packet.items()))
    await ClockCycles(dut.clk, 50)
    assert dut.frame_valid.value
    assert dut.frame_len.value == 164


@cocotb.test()
async def a_flushed_packet_ends_with_an_empty_piece(dut: Any) -> None:
    await start(dut, **IDLE)
    rng = seeded()
    packet = Cutter(rng, 1, 0, r.STATUS_OK)
    packet.tso, packet.vlan = 0, 0
    packet.segs = [(1000 * i, 50) for i in range(4)]
    items = packet.items()
    await StreamSource(dut, "seg", rng).send(items[:2])
    dut.flush.value = 1
    await StreamSource(dut, "seg", rng).send(items[2:])
    pieces = await StreamSink(dut, "piece", ["len", "last"], rng).take(3)
    assert pieces == [{"len": 50, "last": 0}] * 2 + [{"len": 0, "last": 1}]
    (frame,) = await StreamSink(dut, "frame", ["status", "end", "next"], rng).take(1)
    assert frame == {"status": FLUSHED, "end": 1, "next": 2}
