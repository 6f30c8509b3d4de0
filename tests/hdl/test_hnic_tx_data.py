"""Judged packets become frames: whole, in order, without a gap, or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import (
    StreamSink,
    StreamSource,
    deep,
    interrupt,
    number,
    reset,
    run_module,
    seeded,
)
from tests.hdl.bench import start as start_bench
from tests.hdl.read_memory import ReadMemory
from tests.hdl.tx_packets import FLUSHED, Buffers, Super, TxPacket, plain, super_packet

IMAGE = 1 << 18
LINE_RATE = {"short": 19.0, "long": 192.25}  # cycles of a frame at 10 Gbit/s: 54+74, 54+1460


@pytest.mark.parametrize("width", [128, *deep(64, 256, 512)])
def test_packets_become_frames(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width}, only="^(?!.*cycles).*$")


@pytest.mark.deep
def test_the_smallest_engine_works_too(module_simulator: str) -> None:
    """Bursts that are shorter than a kept header, two under way."""
    run_module(
        __file__,
        module_simulator,
        {"DATA_W": 128, "BURST_BYTES": 64, "OUTSTANDING": 2, "FIFO_BYTES": 128},
        only=".*(super_packets_are_cut|of_all_kinds.*latency=5|many_small).*",
    )


@pytest.mark.parametrize(
    ("width", "latency"),
    [(128, 64), *deep((64, 64), (256, 64), (128, 1), (128, 160), (512, 1), (512, 64), (512, 160))],
)
def test_frames_leave_as_fast_as_they_should(
    module_simulator: str, width: int, latency: int
) -> None:
    """With each memory at two widths, with one at the others."""
    run_module(
        __file__,
        module_simulator,
        {"DATA_W": width, "QUEUES": 4},
        only=f".*cycles.*latency={latency}$",
    )


IDLE = {
    "quiesce": 0,
    "flush": 0,
    "seg_valid": 0,
    "ar_ready": 0,
    "r_valid": 0,
    "enter_ready": 0,
    "out_ready": 0,
}


async def start(dut: Any) -> None:
    await start_bench(dut, **IDLE)


class FrameSink:
    """Takes frames as the MAC does: once one has begun, each cycle must have a word for it."""

    def __init__(self, dut: Any, rng: random.Random, pause: float) -> None:
        self.dut, self.rng, self.pause = dut, rng, pause
        self.lanes = len(dut.out_data) // 8
        self.frames: list[tuple[bytes, int, int]] = []  # data, cookie, end
        self.ends: list[int] = []
        self.first: int | None = None
        self.now = 0

    async def run(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        data, inside = b"", False
        dut.out_ready.value = ready = 1
        while not dut.rst.value:
            if self.pause:
                ready = int(self.rng.random() >= self.pause)
                dut.out_ready.value = ready
            await edge
            self.now += 1
            if not dut.out_valid.value:
                assert not inside, "a gap within a frame"
                continue
            if self.first is None:
                self.first = self.now
            inside = True
            if not ready:
                continue
            last, count = dut.out_last.value, int(dut.out_count.value)
            assert last or count == self.lanes
            data += number(dut.out_data).to_bytes(self.lanes, "little")[:count]
            if last:
                self.frames.append((data, int(dut.out_cookie.value), int(dut.out_end.value)))
                self.ends.append(self.now)
                data, inside = b"", False


class Rings:
    """The rings' side: gives segments, takes entries, and flushes a queue at its first fault."""

    def __init__(self, dut: Any, packets: Sequence[TxPacket], rng: random.Random, pause: float):
        self.dut, self.packets, self.rng, self.pause = dut, packets, rng, pause
        self.flush = 0
        self.entered: list[dict[str, int]] = []
        self.charged: list[int] = []

    async def run(self) -> None:
        items = [item for packet in self.packets for item in packet.items()]
        source = StreamSource(self.dut, "seg", self.rng, self.pause)
        cocotb.start_soon(source.send(items))
        cocotb.start_soon(self._charges())
        fields = ["queue", "cookie", "next", "status", "index"]
        sink = StreamSink(self.dut, "enter", fields, self.rng, self.pause)
        while len(self.entered) < len(self.packets):
            took = await sink.take(1)
            if not took:
                return
            self.entered += took
            if took[0]["status"] and not self.flush >> took[0]["queue"] & 1:
                self.set_flush(self.flush | 1 << took[0]["queue"])

    async def _charges(self) -> None:
        while not self.dut.rst.value:
            await RisingEdge(self.dut.clk)
            if self.dut.charge_valid.value:
                self.charged.append(int(self.dut.charge_bytes.value))

    def set_flush(self, value: int) -> None:
        self.flush = value
        self.dut.flush.value = value


def expect_flushes(packets: Sequence[TxPacket]) -> None:
    """What comes behind a fault in its queue is dropped."""
    stopped = set()
    for packet in packets:
        if packet.queue in stopped:
            packet.frames, packet.enter_status = [], FLUSHED
        elif packet.enter_status:
            stopped.add(packet.queue)


def numbered(packets: list[TxPacket], queues: int = 1) -> list[TxPacket]:
    """Cookies, queues and descriptor indices."""
    index = 0xFFF0
    for cookie, packet in enumerate(packets):
        packet.cookie, packet.queue, packet.index = cookie + 0x1000, cookie % queues, index
        index = packet.next
    return packets


async def transfer(
    dut: Any,
    memory: ReadMemory,
    packets: list[TxPacket],
    *,
    pause: float = 0.0,
    slow: float = 0.0,
    rng: random.Random | None = None,
) -> tuple[FrameSink, Rings]:
    """All packets through the module; everything that comes out is compared."""
    rng = rng or seeded()
    wanted = [
        (frame, packet.cookie, int(i == len(packet.spans) - 1))
        for packet in packets
        for i, frame in enumerate(packet.frames)
    ]
    serving = cocotb.start_soon(memory.run())
    sink = FrameSink(dut, rng, slow)
    sinking = cocotb.start_soon(sink.run())
    rings = Rings(dut, packets, rng, pause)
    await rings.run()
    if dut.rst.value:
        return sink, rings
    while not dut.status_idle.value:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 3)
    sinking.cancel()
    serving.cancel()
    dut.r_valid.value = 0
    assert [(len(f[0]), *f[1:]) for f in sink.frames] == [(len(f[0]), *f[1:]) for f in wanted]
    for got, want in zip(sink.frames, wanted, strict=True):
        assert got[0] == want[0], (got[1] - 0x1000, got[0].hex(), want[0].hex())
    for got, packet in zip(rings.entered, packets, strict=True):
        assert (got["cookie"], got["queue"]) == (packet.cookie, packet.queue)
        assert (got["status"], got["next"]) == (packet.enter_status, packet.next)
        if packet.enter_index is not None and packet.enter_status != FLUSHED:
            assert got["index"] == packet.enter_index
    return sink, rings


def supply(dut: Any, latency: int, pause: float) -> tuple[random.Random, Buffers, ReadMemory]:
    rng = seeded()
    image = bytearray(rng.randbytes(IMAGE))
    return rng, Buffers(image, rng), ReadMemory(dut, image, rng, latency, pause)


def some_super(rng: random.Random, payload: int = 1500) -> Super:
    """A super-packet of any kind."""
    ipv6 = rng.random() < 0.4
    return Super(
        mss=rng.choice([1, 7, 64, 100, 101, 535, 1000])
        if payload < 100
        else rng.randrange(60, 700),
        payload=rng.randrange(1, payload),
        ipv6=ipv6,
        vlan=rng.random() < 0.5,
        prefix=rng.choice([14, 14, 15, 22, 33, 58]),
        ip_options=rng.choice([0, 1]) if ipv6 else rng.choice([0, 4, 40]),
        tcp_options=rng.choice([0, 12, 40]),
        flags=rng.choice(["A", "PA", "FA", "FPA", "CA", "CEPA", "FPCA"]),
    )


def mixture(rng: random.Random, buffers: Buffers, count: int) -> list[TxPacket]:
    packets = []
    for _ in range(count):
        if rng.random() < 0.4:
            payload = rng.choice([60, 2500])
            packets.append(super_packet(rng, buffers, some_super(rng, payload)))
        else:
            length = rng.choice([1, 12, 14, 60, 61, 128, 1514, rng.randrange(1, 700)])
            packets.append(plain(rng, buffers, length))
    return packets


@cocotb.test()
@cocotb.parametrize((("latency", "pause", "slow"), [(1, 0.0, 0.0), (60, 0.0, 0.8), (5, 0.5, 0.3)]))
async def packets_of_all_kinds_become_frames(
    dut: Any, latency: int, pause: float, slow: float
) -> None:
    await start(dut)
    rng, buffers, memory = supply(dut, latency, pause)
    packets = numbered(mixture(rng, buffers, 24), 8)
    _, rings = await transfer(dut, memory, packets, pause=pause, slow=slow)
    frames = [frame for packet in packets for frame in packet.frames]
    assert rings.charged == [max(len(frame), 60) + 24 for frame in frames]
    assert sum(size for _, size in memory.touched) == sum(s for p in packets for _, s in p.segs)
    assert memory.peak * memory.lanes <= int(dut.FIFO_BYTES.value)


@cocotb.test()
async def super_packets_are_cut_as_scapy_cuts_them(dut: Any) -> None:
    """All kinds of headers and MSS, from one byte to more than there is."""
    await start(dut)
    rng, buffers, memory = supply(dut, 3, 0.1)
    shapes = [
        Super(1, 9, flags="FPCA"),
        Super(1, 1, vlan=True),
        Super(3, 10, ipv6=True, vlan=True, flags="FPA"),
        Super(1000, 999, flags="PA"),
        Super(1000, 1000, flags="FPCA"),
        Super(1000, 1001, ipv6=True, flags="FPCA"),
        Super(1448, 5000, tcp_options=12, flags="CEPA"),
        Super(1460, 4380, vlan=True),
        Super(535, 2000, prefix=58, ip_options=40, tcp_options=40, vlan=True, flags="FPCA"),
        Super(64, 640, prefix=15, ipv6=True, ip_options=1, tcp_options=40),
    ]
    packets = [super_packet(rng, buffers, shape) for shape in shapes]
    packets += [super_packet(rng, buffers, some_super(rng)) for _ in range(10)]
    await transfer(dut, memory, numbered(packets), slow=0.1)


@cocotb.test()
async def many_small_segments_do_not_block_their_own_record(dut: Any) -> None:
    """The longest frame in the most segments, larger than the room for read data."""
    await start(dut)
    rng, buffers, memory = supply(dut, 40, 0.0)
    packets = []
    for length, sizes in [(9600, [290] * 31), (9600, []), (40, [1] * 31), (9000, [1] * 31)]:
        packet = plain(rng, buffers, length)
        packet.segs = buffers.put(
            b"".join(bytes(buffers.image[a : a + n]) for a, n in packet.segs), sizes
        )
        packets.append(packet)
    packets.append(super_packet(rng, buffers, Super(9000, 20000, vlan=True), [700] * 31))
    await transfer(dut, memory, numbered(packets))


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(1, 0.0), (30, 0.4)]))
async def a_fault_drops_its_frame_and_the_rest_of_its_packet(
    dut: Any, latency: int, pause: float
) -> None:
    """Reads that fail at all places, faults of descriptors; other queues go on."""
    await start(dut)
    for round_ in range(3):
        rng, buffers, memory = supply(dut, latency, pause)
        rng.seed(f"{cocotb.RANDOM_SEED}-{round_}")
        packets = numbered(mixture(rng, buffers, 20), 8)
        for packet in rng.sample(packets, 6):
            if rng.random() < 0.3:
                packet.fault(rng.choice([r.STATUS_TOO_LONG, r.STATUS_BAD_TSO, r.STATUS_DESC_ERR]))
                continue
            number_ = rng.choice([0, len(packet.segs) - 1, rng.randrange(len(packet.segs))])
            size = packet.segs[number_][1]
            offset = rng.choice([0, size - 1, rng.randrange(size)])
            memory.bad.add(packet.poison(number_, offset, memory.lanes))
        expect_flushes(packets)
        await transfer(dut, memory, packets, pause=pause, slow=pause / 2, rng=rng)
        await reset(dut, **IDLE) if round_ & 1 else await unflush(dut)


async def unflush(dut: Any) -> None:
    """The queues are reset, their packets are gone."""
    dut.flush.value = 0
    await RisingEdge(dut.clk)


@cocotb.test()
async def a_fault_behind_a_fault_of_a_read_is_not_heard(dut: Any) -> None:
    """The read's descriptor came first."""
    await start(dut)
    rng, buffers, memory = supply(dut, 2, 0.0)
    packet = plain(rng, buffers, 300)
    packet.segs = [(0x1000, 100), (0x1100, 100), (0x1200, 100)]
    numbered([packet])
    packet.fault(r.STATUS_TOO_LONG)
    memory.bad.add(packet.poison(1, 50, memory.lanes))
    await transfer(dut, memory, [packet])


@cocotb.test()
async def a_flushed_queue_leaves_whole_frames_only_and_comes_back(dut: Any) -> None:
    await start(dut)
    for count in (3, 40, 120, 260):
        rng, buffers, memory = supply(dut, 7, 0.1)
        packets = numbered(mixture(rng, buffers, 16), 2)
        rings = Rings(dut, packets, rng, 0.0)
        sink = FrameSink(dut, rng, 0.2)
        tasks = [cocotb.start_soon(memory.run()), cocotb.start_soon(sink.run())]
        giving = cocotb.start_soon(rings.run())
        await ClockCycles(dut.clk, count)
        rings.set_flush(2)
        await giving
        while not dut.status_idle.value:
            await RisingEdge(dut.clk)
        await ClockCycles(dut.clk, 2)
        frames = list(sink.frames)
        for got, packet in zip(rings.entered, packets, strict=True):
            mine = [f[0] for f in frames if f[1] == packet.cookie]
            assert mine == packet.frames[: len(mine)]
            assert got["status"] == (FLUSHED if len(mine) < len(packet.frames) else r.STATUS_OK)
            assert packet.queue == 1 or got["status"] == r.STATUS_OK
        rings.set_flush(0)
        for task in tasks:
            task.cancel()
        dut.r_valid.value = 0
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
    rng, buffers, memory = supply(dut, 1, 0.0)
    await transfer(dut, memory, numbered(mixture(rng, buffers, 6), 2))


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut)
    for count in (2, 5, 10, 25, 60, 150):
        rng, buffers, memory = supply(dut, 4, 0.1)
        packets = numbered(mixture(rng, buffers, 12), 8)
        await interrupt(dut, transfer(dut, memory, packets, pause=0.1, slow=0.2), count)
        await reset(dut, **IDLE)
        assert not dut.ar_valid.value
        assert not dut.out_valid.value
        assert not dut.enter_valid.value
        assert dut.status_idle.value
        rng, buffers, memory = supply(dut, 1, 0.0)
        await transfer(dut, memory, numbered(mixture(rng, buffers, 3), 8))
        await reset(dut, **IDLE)


@cocotb.test()
async def nothing_starts_while_quiesced(dut: Any) -> None:
    await start(dut)
    rng, buffers, memory = supply(dut, 1, 0.0)
    dut.quiesce.value = 1
    packets = numbered([plain(rng, buffers, 200) for _ in range(4)])
    running = cocotb.start_soon(transfer(dut, memory, packets))
    for _ in range(30):
        await RisingEdge(dut.clk)
        assert not dut.ar_valid.value
        assert not dut.out_valid.value
    dut.quiesce.value = 0
    while not dut.out_valid.value:
        await RisingEdge(dut.clk)
    await running


# ---- how fast -----------------------------------------------------------------------------------


async def measure(
    dut: Any,
    name: str,
    latency: int,
    make: Callable[[random.Random, Buffers], TxPacket],
    count: int,
) -> float:
    """Cycles a frame in the steady state, with a ready wire."""
    rng, buffers, memory = supply(dut, latency, 0.0)
    packets = numbered([make(rng, buffers) for _ in range(count)])
    sink, _ = await transfer(dut, memory, packets)
    skip = len(sink.ends) // 2
    cycles = (sink.ends[-1] - sink.ends[skip]) / (len(sink.ends) - 1 - skip)
    dut._log.info(
        "MEASURED %d bits, memory %3d: %-24s %7.2f cycles a frame, first word after %d",
        8 * memory.lanes,
        latency,
        name,
        cycles,
        sink.first,
    )
    await reset(dut, **IDLE)
    return cycles


def frame_of(sizes: Sequence[int], align: int) -> Callable[[random.Random, Buffers], TxPacket]:
    """A frame of the given segments with a checksum."""

    def make(rng: random.Random, buffers: Buffers) -> TxPacket:
        data = rng.randbytes(sum(sizes))
        packet = plain(rng, buffers, len(data), 1)
        packet.segs = buffers.put(data, sizes, align)
        packet.sop, packet.frames = 0, [data]
        return packet

    return make


@cocotb.test()
@cocotb.parametrize(latency=[1, 64, 160])
async def cycles_of_plain_frames(dut: Any, latency: int) -> None:
    await start(dut)
    lanes = len(dut.r_data) // 8
    short = await measure(dut, "60 aligned", latency, frame_of([60], 64), 140)
    odd = await measure(dut, "60 anywhere", latency, frame_of([60], 1), 140)
    full = await measure(dut, "1514 aligned", latency, frame_of([1514], 64), 10)
    away = await measure(dut, "1514 anywhere", latency, frame_of([1514], 1), 10)
    two = await measure(dut, "54+74 anywhere", latency, frame_of([54, 74], 1), 80)
    many = await measure(dut, "54+1460 anywhere", latency, frame_of([54, 1460], 1), 10)
    beats = -(-1514 // lanes)
    assert full <= beats * (1 if lanes == 64 else 1.01)
    assert away <= beats + 3
    if lanes == 64:
        assert max(short, odd) <= 5
    if lanes >= 16:
        assert two < LINE_RATE["short"]
        assert many < LINE_RATE["long"]


@cocotb.test()
@cocotb.parametrize(latency=[1, 64, 160])
async def cycles_of_super_packets(dut: Any, latency: int) -> None:
    """The longest one where a frame's time matters most, shorter ones elsewhere."""
    await start(dut)
    width = len(dut.r_data)
    longest = 65536 if (width, latency) == (128, 64) else 16384
    for mss, options in ((1448, 12), (1460, 0)):
        payload = longest // mss * mss  # full frames only
        shape = Super(mss, payload, tcp_options=options)

        def make(rng: random.Random, buffers: Buffers, shape: Super = shape) -> TxPacket:
            return super_packet(rng, buffers, shape, [54 + shape.tcp_options])

        cycles = await measure(dut, f"{payload} bytes of {mss}", latency, make, 1)
        assert cycles <= (192 if width >= 128 else 210)
