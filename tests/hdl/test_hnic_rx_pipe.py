"""The receive pipeline: what comes out of it, and what it says, for frames of every kind."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import (
    PERIOD_NS,
    StreamSink,
    StreamSource,
    deep,
    interrupt,
    reset,
    run_module,
    seeded,
    start,
)
from tests.hdl.rx import MAC, Config, Verdict, fate, judge, mac_words, random_frame

LATENCY = 9
SMALL, LARGE = 4096, 32768
STATS = ("frames", "filtered", "overflow", "len_errs", "csum_errs")
COMPLETION = (
    "cookie", "timestamp", "len", "csum", "hash",
    "vlan_tci", "hash_type", "vlan", "ip_ok", "csum_ok",
)  # fmt: skip
IDLE = {"in_valid": 0, "pkt_ready": 0, "out_ready": 0}
GAP = 1.5  # cycles on the wire beside a frame's words: preamble, FCS, the smallest gap

Sent = tuple[bytes, bool]


@pytest.mark.parametrize("width", [64, *deep(512)])
def test_frames_come_out_judged(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "BYTES": SMALL})


def test_the_card_as_it_is_built(module_simulator: str) -> None:
    only = "full_store|smallest|follows"
    run_module(__file__, module_simulator, {"DATA_W": 128, "BYTES": LARGE}, only=only)


@pytest.mark.deep
def test_one_queue(module_simulator: str) -> None:
    parameters = {"DATA_W": 256, "QUEUES": 1, "BYTES": SMALL}
    run_module(__file__, module_simulator, parameters, only="some_of_every|reset")


class Bench:
    """Sends frames as a MAC does, takes packets, counts events."""

    def __init__(self, dut: Any, rng: random.Random, slow: float = 0.0) -> None:
        self.dut = dut
        self.rng = rng
        self.counts: Counter[str] = Counter()
        self.config = Config()
        self.key = 0
        self.lanes = len(dut.out_data) // 8
        self.source = StreamSource(dut, "in", rng)
        self.packets = StreamSink(dut, "pkt", ["queue", "cpl"], rng, slow)
        self.words = StreamSink(dut, "out", ["data", "count", "last"], rng, slow)
        self.config.drive(dut)
        self.watcher = cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        stats = {name: getattr(self.dut, f"stat_rx_{name}") for name in STATS}
        while True:
            await RisingEdge(self.dut.clk)
            for name, handle in stats.items():
                if handle.value:
                    self.counts[name] += 1
            if stats["frames"].value:
                self.counts["bytes"] += int(self.dut.stat_rx_bytes.value)

    async def configure(self, config: Config) -> None:
        while not self.dut.status_idle.value:
            await RisingEdge(self.dut.clk)
        self.config = config
        config.drive(self.dut)
        await RisingEdge(self.dut.clk)

    async def send(self, frames: list[Sent], gap: float = GAP, pause: float = 0.0) -> None:
        """One after another; `gap` is the mean number of cycles between two."""
        due, passed = 0.0, 0
        for frame, good in frames:
            self.key += 1
            last = {"good": int(good), "time": self.key << 33, "cookie": self.key}
            words = mac_words(frame, self.rng, **last)
            for word in words:
                while self.rng.random() < pause:
                    await RisingEdge(self.dut.clk)
                await self.source.send([word])
            due += len(words) + gap
            passed += len(words)
            while passed < int(due):
                await RisingEdge(self.dut.clk)
                passed += 1

    async def expect(self, frames: list[tuple[int, Verdict]]) -> None:
        """These, each with its key, and in this order."""
        packets = cocotb.start_soon(self.packets.take(len(frames)))
        for _, verdict in frames:
            data = b""
            while True:
                (word,) = await self.words.take(1)
                data += word["data"].to_bytes(self.lanes, "little")[: word["count"]]
                if word["last"]:
                    break
                assert word["count"] == self.lanes
            assert data == verdict.frame
        for (key, verdict), packet in zip(frames, await packets, strict=True):
            assert packet["queue"] == verdict.queue, verdict
            assert packet["cpl"] == completion(key, verdict), (hex(packet["cpl"]), verdict)

    def wanted(self, frames: list[Sent]) -> list[tuple[int, Verdict]]:
        """What is to come of frames that are sent next, with an empty store."""
        return [
            (self.key + number, judge(frame, self.config))
            for number, (frame, good) in enumerate(frames, start=1)
            if fate(frame, good, self.config) == "kept"
        ]

    async def round_trip(self, frames: list[Sent], gap: float = GAP, pause: float = 0.0) -> None:
        """Send them and check everything that comes out; nothing may be left."""
        wanted = self.wanted(frames)
        self.counts.clear()
        receiver = cocotb.start_soon(self.expect(wanted))
        await self.send(frames, gap, pause)
        await receiver
        await ClockCycles(self.dut.clk, LATENCY + 4)
        assert not self.dut.pkt_valid.value
        assert not self.dut.out_valid.value
        assert self.dut.status_idle.value
        fates = Counter(fate(frame, good, self.config) for frame, good in frames)
        kept = [f for f, good in frames if fate(f, good, self.config) == "kept"]
        assert +self.counts == +Counter(
            frames=fates["kept"],
            bytes=sum(map(len, kept)),
            filtered=fates["filtered"],
            len_errs=fates["length"],
            csum_errs=sum(v.error for _, v in wanted),
        )


def completion(key: int, verdict: Verdict) -> int:
    fields = asdict(verdict) | {"cookie": key, "timestamp": key << 33, "len": len(verdict.frame)}
    return sum(int(fields[name]) << getattr(r, f"RXC_{name.upper()}_LSB") for name in COMPLETION)


def queues(dut: Any) -> int:
    return 8 if len(dut.pkt_queue) == 3 else 1


@cocotb.test()
@cocotb.parametrize(slow=[0.0, 0.4])
async def some_of_every_kind(dut: Any, slow: float) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng, slow)
    for turn in range(5):
        await bench.configure(Config.random(rng, queues(dut)) if turn else Config())
        frames = [(random_frame(rng), rng.random() < 0.95) for _ in range(25)]
        gap = 40.0 if slow else GAP  # the store must not fill
        await bench.round_trip(frames, gap, rng.choice([0, 0.2]))


@cocotb.test()
async def headers_cut_off_at_every_byte(dut: Any) -> None:
    """Nothing is claimed of them, and what comes behind them is whole."""
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng)
    await bench.configure(Config(vlan_strip=True))
    addresses = {"dst": MAC.hex(":"), "src": "02:00:00:00:00:02"}
    whole = bytes(Ether(**addresses) / IP() / UDP() / b"behind it")
    for kind in (
        Ether(**addresses) / IP(options=b"\x01" * 8) / TCP(),
        Ether(**addresses) / Dot1Q(vlan=5) / IPv6() / UDP() / b"abc",
    ):
        frame = bytes(kind)
        frames: list[Sent] = []
        for size in range(1, len(frame) + 1):
            frames += [(frame[:size], True), (whole, True)]
        await bench.round_trip(frames, gap=0)


@cocotb.test()
async def frames_of_one_word_at_full_rate(dut: Any) -> None:
    """What a broken wire may give: nothing of it stays, and a good frame behind it is judged."""
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng)
    frames: list[Sent] = []
    for _ in range(12):
        frames += [(rng.randbytes(rng.randrange(1, 9)), False) for _ in range(rng.randrange(12))]
        frames.append((random_frame(rng), True))
    await bench.round_trip(frames, gap=0)


@cocotb.test()
async def receive_off_takes_and_counts_nothing(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng)
    await bench.configure(Config(enable=False, promisc=True))
    await bench.round_trip([(random_frame(rng), True) for _ in range(10)])
    await bench.configure(Config(promisc=True))
    await bench.round_trip([(random_frame(rng), True) for _ in range(10)])


@cocotb.test()
async def smallest_frames_at_the_smallest_gap_all_come(dut: Any) -> None:
    """60 bytes every 9.5 cycles; IPv6 with ports, which have most to hash."""
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng)
    addresses = {"dst": MAC.hex(":"), "src": "02:00:00:00:00:02"}
    small = bytes(Ether(**addresses) / IP() / UDP() / b"").ljust(60, b"\0")
    ports = bytes(Ether(**addresses) / IPv6() / UDP() / b"")
    await bench.round_trip([(rng.choice([small, ports]), True) for _ in range(80)])
    # without any gap, which no wire can do: 8 cycles a frame is what the words themselves take
    await bench.round_trip([(small, True) for _ in range(60)], gap=0)


@cocotb.test()
async def the_packet_follows_its_last_word(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng)
    for size in (*range(60, 76), 1514):
        head = bytes(Ether(dst=MAC.hex(":"), src="02:00:00:00:00:02") / IP() / UDP())
        frame = head + rng.randbytes(size - len(head))
        wanted = bench.wanted([(frame, True)])
        await bench.send([(frame, True)], gap=0)
        taken = get_sim_time("ns")  # the end of the last word's cycle
        while not dut.pkt_valid.value:
            assert not dut.status_idle.value
            await RisingEdge(dut.clk)
        passed = round((get_sim_time("ns") - taken) / PERIOD_NS)
        assert passed == LATENCY, passed
        await bench.expect(wanted)


@cocotb.test()
async def a_full_store_drops_and_counts(dut: Any) -> None:
    """What does not fit is counted; what was kept comes out whole, and then there is room again."""
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng)
    head = bytes(Ether(dst=MAC.hex(":"), src="02:00:00:00:00:02") / IP() / UDP())
    for frame_size in (1514, 64):
        rooms = [size // (-(-frame_size // bench.lanes) * bench.lanes) for size in (SMALL, LARGE)]
        sent: list[Sent] = []
        bench.key, bench.counts = 0, Counter()
        while bench.counts["overflow"] < 5:
            frame = head + rng.randbytes(frame_size - len(head)), True
            sent.append(frame)
            await bench.send([frame])
        await ClockCycles(dut.clk, LATENCY)
        kept = bench.counts["frames"]
        # the store's first word is read before anyone takes it
        assert kept in (*rooms, *(room + 1 for room in rooms))
        assert bench.counts["overflow"] == len(sent) - kept
        bench.key = 0
        wanted = bench.wanted(sent)
        await bench.expect(wanted[:kept])
        await bench.round_trip(sent[:2])


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    bench = Bench(dut, rng, 0.3)
    await bench.configure(Config(promisc=True))
    for count in (3, 9, 20, 41, 90):
        frames = [(random_frame(rng), True) for _ in range(12)]
        await interrupt(dut, bench.send(frames), count)
        await reset(dut, **IDLE)
        assert not dut.pkt_valid.value
        assert not dut.out_valid.value
        assert dut.status_idle.value
        await bench.round_trip(frames[:4])
