"""The TX queues as a whole, between a model of host memory, a data engine and a MAC."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import deep, number, reset, run_module, seeded, start

MAX_FRAME = 2000
WIRE = 24  # preamble, FCS, gap
OK = r.STATUS_OK


@pytest.mark.parametrize(("width", "queues"), [(128, 4), *deep((512, 8), (64, 1))])
def test_queues_become_segments_and_completions(
    module_simulator: str, width: int, queues: int
) -> None:
    run_module(
        __file__,
        module_simulator,
        {"DATA_W": width, "QUEUES": queues, "DEPTH": 64, "BURST": 8, "MAX_FRAME": MAX_FRAME},
        only="" if width == 128 else "(random.*latency=64|fault|reset)",
    )


@dataclass
class Packet:
    """What is in the descriptors and what must become of it."""

    cookie: int
    lens: list[int]
    status: int = OK
    bad: int = -1  # which descriptor is at fault, for the host or the module
    fields: dict[str, int] = field(default_factory=dict)
    index: int = 0  # of its first descriptor

    def descriptors(self) -> list[int]:
        out = []
        for i, length in enumerate(self.lens):
            desc = (self.cookie << 8 | i) << r.TXD_ADDR_LSB | length << r.TXD_LEN_LSB
            if i == 0:
                desc |= 1 << r.TXD_SOP_LSB | self.cookie << r.TXD_COOKIE_LSB
                for name, value in self.fields.items():
                    desc |= value << getattr(r, f"TXD_{name.upper()}_LSB")
            if i == len(self.lens) - 1:
                desc |= 1 << r.TXD_EOP_LSB
            out.append(desc)
        if self.status == r.STATUS_BAD_DESC:
            out[self.bad] ^= 1 << r.TXD_SOP_LSB
        return out

    @property
    def wire_bytes(self) -> int:
        return max(sum(self.lens), 60) + WIRE


class Ring:
    """A queue as the driver sees it."""

    def __init__(self, number: int) -> None:
        self.base, self.cpl_base = number * 0x4000 + 0xFC0, 0x80000 + number * 0x2000
        self.clear()

    def clear(self) -> None:
        self.tail = self.head = self.cpls = 0
        self.given: deque[Packet] = deque()
        self.came: list[tuple[int, int, int]] = []  # (cookie, status, timestamp)
        self.stopped = False  # by a fault that was reported
        self.went: list[int] = []  # cookies of packets whose segments came out


class Host:
    """Everything around the module, one step a cycle."""

    def __init__(
        self,
        dut: Any,
        latency: int,
        pause: float = 0.0,
        every: float = 0.0,
        wire: int = 5,
        log2: int = 6,
    ) -> None:
        """`every`: cycles from one packet to the next; `wire`: from there to its end."""
        self.dut, self.rng, self.latency, self.pause = dut, seeded(), latency, pause
        self.every, self.wire = every, wire
        self.log2, self.size = log2, 1 << log2
        self.count, self.lanes = int(dut.QUEUES.value), int(dut.DATA_W.value) // 8
        self.rings = [Ring(i) for i in range(self.count)]
        self.memory = bytearray(0x100000)
        self.bad_reads: set[int] = set()
        self.bad_writes: set[int] = set()
        self.bad_data: dict[int, int] = {}  # cookie of a packet: its segment that cannot be read
        self.bells: deque[tuple[int, int]] = deque()
        self.now = 0
        self.reads: deque[tuple[int, int]] = deque()
        self.writes: deque[tuple[int, int, int]] = deque()
        self.segs: list[dict[str, int]] = []
        self.enters: deque[dict[str, int]] = deque()
        self.wires: deque[int] = deque()
        self.packets: list[tuple[int, int, int]] = []  # (cycle, queue, wire bytes)
        self.sizes: dict[int, Packet] = {}
        self.next_at = 0.0
        self.starved = 0
        self.resets = 0
        self.done: list[int] = []
        self.drops = 0
        self._pins: dict[str, int] = {}
        self._faulted = 0

    async def begin(self, *, begin: Any = start, **config: list[int]) -> None:
        """Reset, and all queues enabled; `config` is a value a queue."""
        ones, width = (1 << self.count) - 1, {"prio": 3, "rate": 24, "burst": 24}
        vectors = {
            f"cfg_{name}": sum(v << width[name] * i for i, v in enumerate(values))
            for name, values in ({n: [0] * self.count for n in width} | config).items()
        }
        idle = {"quiesce": 0, "doorbell": 0, "seg_ready": 0, "charge_valid": 0, "enter_valid": 0}
        idle |= {"sent": 0, "cpl_ready": 0, "cpl_done": 0, "cpl_error": 0, "ar_ready": 0}
        await begin(
            self.dut,
            **idle,
            **vectors,
            r_valid=0,
            r_error=0,
            cfg_card_enable=1,
            cfg_enable=0,
            cfg_reset=0,
            cfg_base=sum(ring.base << 64 * i for i, ring in enumerate(self.rings)),
            cfg_cpl_base=sum(ring.cpl_base << 64 * i for i, ring in enumerate(self.rings)),
            cfg_size=sum(self.log2 << 4 * i for i in range(self.count)),
            cfg_cpl_size=sum(self.log2 << 4 * i for i in range(self.count)),
        )
        self.enabled = ones
        self.dut.cfg_enable.value = ones
        await self.steps(2)

    # --- the driver ---

    def room(self, queue: int) -> int:
        ring = self.rings[queue]
        return self.size - (ring.tail - ring.head)

    def give(self, queue: int, packet: Packet, *, bell: bool = True) -> None:
        ring = self.rings[queue]
        packet.index = ring.tail
        for i, desc in enumerate(packet.descriptors()):
            place = ring.base + ring.tail % self.size * r.TXD_BYTES
            self.memory[place : place + r.TXD_BYTES] = desc.to_bytes(r.TXD_BYTES, "little")
            self.bad_reads.discard(place)
            if packet.status == r.STATUS_DESC_ERR and i == packet.bad:
                self.bad_reads.add(place)
            ring.tail += 1
        if packet.status == r.STATUS_DMA_ERR:
            self.bad_data[packet.cookie] = packet.bad
        ring.given.append(packet)
        self.sizes[packet.cookie] = packet
        if bell:
            self.bells.append((queue, ring.tail))

    def wipe(self, queue: int) -> None:
        """No completion in memory."""
        place, size = self.rings[queue].cpl_base, self.size * r.TXC_BYTES
        self.memory[place : place + size] = bytes(size)

    def poll(self, queue: int) -> None:
        """Take the completions that are in memory and check them against what was given."""
        ring = self.rings[queue]
        while True:
            place = ring.cpl_base + ring.cpls % self.size * r.TXC_BYTES
            record = int.from_bytes(self.memory[place : place + r.TXC_BYTES], "little")
            if record >> r.TXC_PHASE_LSB & 1 == ring.cpls // self.size & 1:
                return
            assert not ring.stopped, "a completion behind the last"
            ring.cpls += 1
            packet = ring.given.popleft()
            cookie = record >> r.TXC_COOKIE_LSB & 0xFFFFFFFF
            status = record >> r.TXC_STATUS_LSB & 0xFF
            time = record & (1 << r.TXC_TIMESTAMP_W) - 1
            behind = record >> r.TXC_HEAD_LSB & 0xFFFF
            assert status == packet.status
            whole = packet.index + len(packet.lens)
            if status == OK:
                assert time == cookie << 16
            else:
                assert time == packet.index + packet.bad
                ring.stopped = True
            unread = status == r.STATUS_DESC_ERR and packet.bad == 0
            assert cookie == (0 if unread else packet.cookie)
            data = status in (OK, r.STATUS_DMA_ERR)
            assert behind == (whole if data else packet.index + packet.bad + 1) & 0xFFFF
            ring.head = behind
            ring.came.append((cookie, status, time))

    # --- a cycle ---

    async def steps(self, count: int) -> None:
        for _ in range(count):
            self._drive()
            await RisingEdge(self.dut.clk)
            self.now += 1
            self._sample()

    async def idle(self, limit: int = 5000) -> None:
        """Until the card says that nothing is under way."""
        await self.steps(3)
        while self.dut.status_busy.value:
            await self.steps(1)
            limit -= 1
            assert limit, "busy for ever"
        for queue in range(self.count):
            self.poll(queue)

    def _go(self) -> bool:
        return self.rng.random() >= self.pause

    def _set(self, **pins: int) -> None:
        """Drive what has changed: most cycles change little."""
        for name, value in pins.items():
            if self._pins.get(name) != value:
                self._pins[name] = value
                getattr(self.dut, name).value = value

    def _drive(self) -> None:
        self._ready = self.now >= self.next_at and len(self.enters) < 8 and self._go()
        pins = dict.fromkeys(("doorbell", "r_valid", "sent", "cpl_done", "enter_valid"), 0)
        pins["seg_ready"] = int(self._ready)
        pins["ar_ready"], pins["cpl_ready"] = int(self._go()), int(self._go())
        if self.bells:
            queue, tail = self.bells.popleft()
            pins |= {"doorbell": 1 << queue, "doorbell_tail": tail & 0xFFFF}
        if self.reads and self.reads[0][0] <= self.now and self._go():
            place = self.reads.popleft()[1]
            beat = self.memory[place : place + self.lanes]
            pins |= {"r_valid": 1, "r_data": int.from_bytes(beat, "little")}
            pins["r_error"] = int(
                any(
                    place < bad + r.TXD_BYTES and bad < place + self.lanes for bad in self.bad_reads
                )
            )
        if self.wires and self._go():
            pins |= {"sent": 1, "sent_time": self.wires.popleft() << 16}
        if self.writes and self.writes[0][0] <= self.now:
            _, place, record = self.writes.popleft()
            lost = place in self.bad_writes
            if not lost:
                self.memory[place : place + r.TXC_BYTES] = record.to_bytes(r.TXC_BYTES, "little")
            pins |= {"cpl_done": 1, "cpl_error": int(lost)}
        if self.enters and self.enters[0]["at"] <= self.now:
            pins |= self._enter(self.enters[0])
        self._faulted = 0
        self._set(**pins)

    def _enter(self, packet: dict[str, int]) -> dict[str, int]:
        """The oldest packet leaves the data engine; whether it is dropped is settled as it stands
        there for the first time.
        """
        if not packet["settled"]:
            packet["settled"] = 1
            flush = int(self.dut.flush.value) | self._faulted
            if flush >> packet["queue"] & 1 and not packet["status"]:
                packet["status"], packet["index"] = r.STATUS_DMA_ERR, 0xDEAD
        names = ("queue", "cookie", "status", "next", "index")
        return {"enter_valid": 1} | {f"enter_{name}": packet[name] for name in names}

    def _sample(self) -> None:
        dut = self.dut
        if dut.ar_valid.value and dut.ar_ready.value:
            addr, size = int(dut.ar_addr.value), int(dut.ar_bytes.value)
            first, beats = addr // self.lanes * self.lanes, int(dut.ar_len.value) + 1
            assert beats == -(-(addr + size - first) // self.lanes)
            assert addr // 4096 == (addr + size - 1) // 4096
            self.reads += [(self.now + self.latency, first + i * self.lanes) for i in range(beats)]
        self._sample_seg()
        if dut.enter_valid.value and dut.enter_ready.value:
            packet = self.enters.popleft()
            if packet["status"] == OK:
                self.wires.append(packet["cookie"])
            else:
                self._faulted = 1 << packet["queue"]  # `flush` is up from now on
        if dut.cpl_valid.value and dut.cpl_ready.value:
            self.writes.append(
                (self.now + self.latency, int(dut.cpl_addr.value), int(dut.cpl_record.value))
            )
        self.drops += int(dut.stat_tx_drops.value)
        if done := int(dut.reset_done.value):
            self.done += [i for i in range(self.count) if done >> i & 1]
            self.resets &= ~done
            self.enabled &= ~done
            dut.cfg_reset.value, dut.cfg_enable.value = self.resets, self.enabled
        if not dut.status_busy.value:
            quiet = not (self.reads or self.writes or self.enters or self.wires or self.segs)
            assert quiet, "not busy with something under way"

    def _sample_seg(self) -> None:
        dut = self.dut
        self._set(charge_valid=0)
        if self._ready and not dut.seg_valid.value:
            self.starved += 1
        if not (dut.seg_valid.value and self._ready):
            return
        names = ("queue", "addr", "len", "first", "last", "index", "status", "next", "sop")
        seg = {name: number(getattr(dut, f"seg_{name}")) for name in names}
        assert bool(seg["first"]) == (not self.segs)
        self.segs.append(seg)
        if not seg["last"]:
            return
        segs, self.segs = self.segs, []
        assert {s["queue"] for s in segs} == {seg["queue"]}
        assert {s["sop"] for s in segs} == {segs[0]["sop"]}
        cookie = seg["sop"] >> r.TXD_COOKIE_LSB & 0xFFFFFFFF
        status, index = seg["status"], seg["index"]
        if status == OK:
            packet = self.sizes[cookie]
            assert [s["addr"] for s in segs] == [cookie << 8 | i for i in range(len(segs))]
            assert [s["len"] for s in segs] == packet.lens
            self.packets.append((self.now, seg["queue"], packet.wire_bytes))
            self.rings[seg["queue"]].went.append(cookie)
            self._set(charge_valid=1, charge_queue=seg["queue"])
            self._set(charge_bytes=packet.wire_bytes)
            if cookie in self.bad_data:
                status, index = r.STATUS_DMA_ERR, segs[self.bad_data[cookie]]["index"]
        self.enters.append(
            {
                "at": self.now + self.wire,
                "settled": 0,
                "queue": seg["queue"],
                "cookie": cookie,
                "status": status,
                "next": seg["next"],
                "index": index,
            }
        )
        self.next_at = max(self.next_at, self.now - 4.0) + self.every


def lengths(rng: random.Random) -> list[int]:
    parts = rng.choice([1, 1, 1, 2, 3, 4, rng.randrange(1, 33)])
    return [rng.randrange(1, MAX_FRAME // parts + 1) for _ in range(parts)]


async def traffic(host: Host, total: int, *, first: int = 1) -> None:
    """Random packets on all queues until each has had `total` without a fault or has stopped."""
    rng, left, cookie = host.rng, [total] * host.count, first
    while any(n and not host.rings[i].stopped for i, n in enumerate(left)):
        queue = rng.randrange(host.count)
        host.poll(queue)
        packet = Packet(cookie, lengths(rng))
        if left[queue] and host.room(queue) >= len(packet.lens) and not host.rings[queue].stopped:
            host.give(queue, packet, bell=rng.random() < 0.8 or left[queue] == 1)
            left[queue] -= 1
            cookie += 1
        await host.steps(rng.randrange(1, 12))
    await host.idle()


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(1, 0.0), (64, 0.0), (40, 0.4)]))
async def random_packets_are_completed_in_order(dut: Any, latency: int, pause: float) -> None:
    host = Host(dut, latency, pause)
    await host.begin(prio=[i % 3 for i in range(host.count)])
    await traffic(host, 40)
    for ring in host.rings:
        assert len(ring.came) == 40
        assert [cookie for cookie, _, _ in ring.came] == ring.went
    assert int(dut.status_head.value) == sum(
        (ring.tail & 0xFFFF) << 16 * i for i, ring in enumerate(host.rings)
    )
    assert int(dut.status_cpl_head.value) == sum(40 << 16 * i for i in range(host.count))
    assert host.drops == 0


def faulty(cookie: int) -> list[Packet]:
    """A packet for each kind of fault, and where it is found."""
    tso = {"tso": 1, "csum": 1, "mss": 0, "hdr_len": 54, "csum_start": 34, "csum_offset": 16}
    return [
        Packet(cookie, [60, 60, 60], r.STATUS_DESC_ERR, 2),
        Packet(cookie, [60], r.STATUS_DESC_ERR, 0),
        Packet(cookie, [60, 60], r.STATUS_BAD_DESC, 0),
        Packet(cookie, [60, 60], r.STATUS_BAD_DESC, 1),
        Packet(cookie, [60, 0, 60], r.STATUS_BAD_DESC, 1),
        Packet(cookie, [20] * 40, r.STATUS_TOO_MANY, 32),
        Packet(cookie, [1500, 501, 9], r.STATUS_TOO_LONG, 1),
        Packet(cookie, [500, 500], r.STATUS_BAD_TSO, 0, tso),
        Packet(cookie, [60, 4], r.STATUS_BAD_CSUM, 1, {"csum": 1, "csum_start": 63}),
        Packet(cookie, [60, 60, 60], r.STATUS_DMA_ERR, 1),
    ]


@cocotb.test()
async def a_fault_stops_its_queue_and_no_other(dut: Any) -> None:
    kinds = len(faulty(0))
    cookie = 0
    for kind in range(kinds):
        host = Host(dut, 20, 0.1)
        await host.begin(begin=start if kind == 0 else reset)
        victim = kind % host.count
        for i in range(12):
            for queue in range(host.count):
                cookie += 1
                bad = faulty(cookie)[kind]
                if queue == victim and i == 4:
                    if 0 in bad.lens:
                        bad.status = OK  # the length says it
                    host.give(queue, bad)
                    if 0 in bad.lens:
                        bad.status = r.STATUS_BAD_DESC
                elif queue != victim or i < 4 or host.room(queue) > 2:
                    # An error is of a whole beat: what is at fault is first in it.
                    parts = 2 if queue == victim else host.rng.randrange(1, 3)
                    host.give(queue, Packet(cookie, [60] * parts))
            await host.steps(15)
        await host.idle()
        for queue, ring in enumerate(host.rings):
            if queue == victim:
                assert [status for _, status, _ in ring.came[:4]] == [OK] * 4
                assert len(ring.came) == 5
                assert ring.stopped
            else:
                assert len(ring.came) == 12
        status = faulty(0)[kind].status
        assert int(dut.status_error.value) == 1 << victim
        assert int(dut.error_status.value) == status << 8 * victim
        index = host.rings[victim].came[-1][2]
        assert int(dut.error_index.value) == index << 16 * victim
        assert host.drops >= 1


@cocotb.test()
async def a_packet_without_an_end_is_a_fault(dut: Any) -> None:
    host = Host(dut, 20)
    await host.begin()
    host.give(0, Packet(1, [60]))
    host.give(0, Packet(2, [60, 60], r.STATUS_BAD_DESC, 1), bell=False)
    ring = host.rings[0]
    place = ring.base + 2 * r.TXD_BYTES
    desc = int.from_bytes(host.memory[place : place + r.TXD_BYTES], "little")
    desc &= ~(1 << r.TXD_EOP_LSB | 1 << r.TXD_SOP_LSB)
    host.memory[place : place + r.TXD_BYTES] = desc.to_bytes(r.TXD_BYTES, "little")
    host.bells.append((0, ring.tail))
    await host.idle()
    assert [status for _, status, _ in ring.came] == [OK, r.STATUS_BAD_DESC]
    assert ring.came[-1][2] == 2


@cocotb.test()
async def a_lost_completion_is_a_fault_of_its_queue(dut: Any) -> None:
    host = Host(dut, 20, 0.1)
    await host.begin()
    host.bad_writes.add(host.rings[0].cpl_base + 3 * r.TXC_BYTES)
    for i in range(20):
        for queue in range(host.count):
            host.give(queue, Packet(1 + i * host.count + queue, [60]))
        await host.steps(10)
    await host.idle()
    assert len(host.rings[0].came) == 3
    for ring in host.rings[1:]:
        assert len(ring.came) == 20
    assert int(dut.status_error.value) == 1
    assert int(dut.error_status.value) == r.STATUS_CPL_ERR
    assert int(dut.error_index.value) == 3


@cocotb.test()
async def a_queue_reset_in_flight_leaves_nothing(dut: Any) -> None:
    """Whatever the queue is at, healthy or halted; the others do not notice."""
    host = Host(dut, 15, 0.2)
    await host.begin()
    cookie = 0
    for wait in (1, 4, 9, 19, 24, 33, 41, 60, 90):
        for i in range(10):
            for queue in range(host.count):
                cookie += 1
                bad = queue == 0 and wait % 2 == 0 and i == 3
                if host.room(queue) > 2:
                    host.give(
                        queue,
                        Packet(cookie, [60, 9], r.STATUS_DMA_ERR if bad else OK, 1),
                    )
        await host.steps(len(host.bells) + wait)
        host.resets = 1
        dut.cfg_reset.value = 1
        done = len(host.done)
        while len(host.done) == done:
            await host.steps(1)
        assert host.done[-1] == 0
        ring = host.rings[0]
        went = len(ring.went)
        ring.clear()
        host.wipe(0)
        await host.steps(30)
        assert not any(host.memory[ring.cpl_base : ring.cpl_base + host.size * r.TXC_BYTES])
        assert not int(dut.status_active.value) & 1
        assert not int(dut.status_error.value)
        assert (int(dut.status_tail.value) | int(dut.status_head.value)) & 0xFFFF == 0
        assert went <= 10
        host.enabled |= 1
        dut.cfg_enable.value = host.enabled
        await host.steps(3)
    for queue in range(host.count):
        cookie += 1
        host.give(queue, Packet(cookie, [60]))
    await host.idle()
    assert len(host.rings[0].came) == 1
    for ring in host.rings:
        assert not ring.given


@cocotb.test()
@cocotb.parametrize((("latency", "segments"), [(64, 1), (160, 1), (64, 2), (160, 2)]))
async def a_full_ring_never_starves_the_wire(dut: Any, latency: int, segments: int) -> None:
    """60-byte frames at 10.5 cycles each, the driver refilling behind the completions."""
    host = Host(dut, latency, every=10.5, log2=5 + segments + latency // 160)
    await host.begin()
    given, total = 0, 240 // segments

    def refill(*, bell: bool) -> None:
        nonlocal given
        while given < total and host.room(0) >= segments:
            given += 1
            host.give(0, Packet(given, [30] * segments), bell=bell)

    refill(bell=False)
    host.bells.append((0, host.rings[0].tail))
    while not host.packets:
        await host.steps(1)
    host.starved = 0
    while len(host.packets) < total:
        await host.steps(1)
        host.poll(0)
        refill(bell=True)
    cycles = (host.packets[-1][0] - host.packets[0][0]) / (total - 1)
    dut._log.info("latency %d, %d segments: %.3f cycles a packet", latency, segments, cycles)
    assert host.starved == 0
    assert cycles <= 10.55


@cocotb.test()
async def packets_of_one_descriptor_need_three_cycles(dut: Any) -> None:
    host = Host(dut, 4)
    await host.begin()
    for i in range(host.size):
        host.give(0, Packet(i + 1, [60]), bell=i == host.size - 1)
    await host.idle()
    cycles = (host.packets[-1][0] - host.packets[0][0]) / (len(host.packets) - 1)
    dut._log.info("%.2f cycles a packet of one descriptor", cycles)
    assert cycles <= 4


@cocotb.test()
async def the_way_is_short(dut: Any) -> None:
    """Doorbell to read request, and last beat to segment, in cycles."""
    host = Host(dut, 1)
    await host.begin()
    await host.steps(5)
    host.give(0, Packet(1, [60]))
    at: dict[str, int] = {}
    for _ in range(40):
        await host.steps(1)
        for name in ("doorbell", "ar_valid", "r_valid", "seg_valid"):
            if int(getattr(dut, name).value):
                at.setdefault(name, host.now)
                if name == "r_valid":
                    at[name] = host.now
    dut._log.info("cycles: %s", at)
    assert at["ar_valid"] - at["doorbell"] == 3
    assert at["seg_valid"] - at["r_valid"] == 4


@cocotb.test()
async def a_higher_priority_waits_for_what_has_left_and_no_longer(dut: Any) -> None:
    host = Host(dut, 10, every=20)
    prio = [0] * host.count
    prio[-1] = 5
    await host.begin(prio=prio)
    top, cookie = host.count - 1, 0
    for _ in range(40):
        cookie += 1
        host.give(0, Packet(cookie, [60]))
    await host.steps(100)
    for _ in range(5):
        before = len(host.packets)
        for i in range(3):
            cookie += 1
            host.give(top, Packet(cookie, [60]), bell=i == 2)
        await host.steps(120)
        queues = [queue for _, queue, _ in host.packets[before:]]
        first = queues.index(top)
        assert first <= 3  # what was on its way while the descriptors came
        assert queues[first : first + 4] == [top, top, top, 0]
    await host.idle()


@cocotb.test()
async def rates_are_kept_within_one_percent(dut: Any) -> None:
    """Four limited queues at once; measured from one packet to another, without the latter."""
    host = Host(dut, 20)
    rates = [40.0, 13.7, 2.5, 70.25][: host.count]
    await host.begin(
        rate=[int(rate * 65536) for rate in rates], burst=[1538, 3000, 84, 3000][: host.count]
    )
    cookie = 0
    for _ in range(4500):
        await host.steps(1)
        for queue in range(len(rates)):
            host.poll(queue)
            if host.room(queue) > 30:
                cookie += 1
                host.give(queue, Packet(cookie, [host.rng.choice([60, 700, 1514])]))
    for queue, rate in enumerate(rates):
        mine = [(now, size) for now, which, size in host.packets if which == queue and now > 300]
        measured = sum(size for _, size in mine[:-1]) / (mine[-1][0] - mine[0][0])
        dut._log.info("queue %d: %.3f bytes a cycle of %.3f", queue, measured, rate)
        assert abs(measured / rate - 1) < 0.01


@cocotb.test()
async def the_clock_is_needed_while_a_queue_waits_for_its_bucket(dut: Any) -> None:
    host = Host(dut, 5)
    await host.begin(rate=[0x8000] * host.count, burst=[100] * host.count)
    await host.idle()
    host.give(0, Packet(1, [276]))
    host.give(0, Packet(2, [60]))
    busy = 0
    while len(host.rings[0].came) < 2:
        await host.steps(1)
        host.poll(0)
        busy += int(dut.status_busy.value)
    assert busy > 2 * 200  # half a byte a cycle: a debt of 200 bytes
    await host.idle()
    assert host.now > 2 * (300 + 84)  # both packets, and full again


@cocotb.test()
async def a_reset_of_the_card_leaves_nothing(dut: Any) -> None:
    for i, wait in enumerate((3, 7, 15, 30, 60)):
        host = Host(dut, 10, 0.2)
        await host.begin(begin=start if i == 0 else reset)
        for cookie in range(1, 15):
            host.give(cookie % host.count, Packet(cookie, [60, 5]))
        await host.steps(wait)
    host = Host(dut, 10, 0.2)
    await host.begin(begin=reset)
    assert not dut.status_busy.value
    await traffic(host, 5)
