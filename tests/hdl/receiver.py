"""A host with receive queues around the bench `hnic_rx_bench`: rings, buffers, completions.

The host knows what each frame must do to memory, from the rules of `docs/hnic.md` and not from the
RTL. All of memory is compared, so a byte written beside its place is seen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, with_timeout

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSource, number, seeded, start
from tests.hdl.memory import Memory

__all__ = ["Completion", "Host", "Queue"]

SIZE = 1 << 19
RINGS = 0x1040  # 64-byte aligned only, so that rings cross 4 KiB at odd places
DATA = 0x40000
STEP = 0x8000  # from the rings of a queue to those of the next


@dataclass
class Completion:
    """What a completion record says."""

    buf_id: int
    length: int
    bufs: int
    head: int
    status: int
    cookie: int


@dataclass
class Queue:
    """The host's side of one queue."""

    number: int
    tail: int = 0
    seen: int = 0  # completions taken
    buffers: deque[tuple[int, int, int]] = field(default_factory=deque)  # address, bytes, id
    head: int = 0
    expected: list[Completion] = field(default_factory=list)
    drops: int = 0
    on: bool = False
    halted: bool = False


class Host:
    """Queues, memory and the wire's side of the engine."""

    def __init__(self, dut: Any, *, ring_log2: int = 6) -> None:
        self.dut = dut
        self.ring_log2 = ring_log2
        self.rng = seeded()
        self.lanes = len(dut.m_axi_wstrb)
        self.queues = [Queue(q) for q in range(int(dut.QUEUES.value))]
        self.next_data = DATA
        self.next_id = 0x10000000
        self.cookie = 0
        self.bursts: list[int] = []  # data bursts up to and with each completed frame

    async def start(self, *, pause: float = 0.0, latency: int = 0) -> Host:
        """Reset, memory, all queues off."""
        dut = self.dut
        idle = dict.fromkeys(
            ["quiesce", "cfg_enable", "cfg_reset", "cfg_base", "cfg_size", "cfg_cpl_base"], 0
        )
        idle |= dict.fromkeys(["cfg_cpl_size", "doorbell", "doorbell_tail", "pkt_valid"], 0)
        idle |= dict.fromkeys(["in_valid", "m_axi_awready", "m_axi_wready", "m_axi_bvalid"], 0)
        idle |= dict.fromkeys(["m_axi_arready", "m_axi_rvalid"], 0)
        await start(dut, cfg_card_enable=1, **idle)
        await FallingEdge(dut.clk)
        self.memory = Memory(
            dut, self.rng, size=SIZE, pause=pause, latency=latency, read_latency=latency
        )
        self.image = bytearray(self.memory.read(0, SIZE))
        self.pkt = StreamSource(dut, "pkt", self.rng, pause / 2)
        self.words = StreamSource(dut, "in", self.rng, pause / 2)
        return self

    # --- the driver ------------------------------------------------------------------------------

    def _field(self, name: str, queue: Queue, width: int, value: int) -> None:
        handle = getattr(self.dut, name)
        old = number(handle) & ~((1 << width) - 1 << width * queue.number)
        handle.value = old | value << width * queue.number

    def ring(self, queue: Queue) -> int:
        return RINGS + STEP * queue.number

    def cpl_ring(self, queue: Queue) -> int:
        return self.ring(queue) + (r.RXD_BYTES << self.ring_log2) + 0x40

    async def enable(self, *queues: Queue) -> None:
        """Start queues with empty rings."""
        for queue in queues:
            for name, width, value in [
                ("cfg_base", 64, self.ring(queue)),
                ("cfg_cpl_base", 64, self.cpl_ring(queue)),
                ("cfg_size", 4, self.ring_log2),
                ("cfg_cpl_size", 4, self.ring_log2),
                ("cfg_enable", 1, 1),
            ]:
                self._field(name, queue, width, value)
                await RisingEdge(self.dut.clk)
            ring = bytes(r.RXC_BYTES << self.ring_log2)
            self._host_write(self.cpl_ring(queue), ring)
            queue.tail = queue.seen = queue.head = 0
            queue.buffers.clear()
            queue.expected.clear()
            queue.on, queue.halted = True, False
        await RisingEdge(self.dut.clk)

    async def reset(self, queue: Queue) -> None:
        """Reset a queue and wait until that is done."""
        self._field("cfg_reset", queue, 1, 1)
        for _ in range(5000):
            await RisingEdge(self.dut.clk)
            if number(self.dut.reset_done) >> queue.number & 1:
                break
        else:
            raise AssertionError("the reset is never done")
        self._field("cfg_reset", queue, 1, 0)
        self._field("cfg_enable", queue, 1, 0)
        queue.on = queue.halted = False
        await RisingEdge(self.dut.clk)

    async def give(self, queue: Queue, sizes: list[int], *, addr: int | None = None) -> None:
        """Give buffers of these sizes, anywhere in memory, and ring the doorbell."""
        for size in sizes:
            place = addr if addr is not None else self.next_data
            if addr is None:
                self.next_data += size + self.rng.choice([0, 1, 3, 17, 64])
                if self.next_data > SIZE - 0x10000:
                    self.next_data = DATA + self.rng.randrange(64)
            slot = self.ring(queue) + r.RXD_BYTES * (queue.tail % (1 << self.ring_log2))
            desc = (
                place << r.RXD_ADDR_LSB | size << r.RXD_LEN_LSB | self.next_id << r.RXD_BUF_ID_LSB
            )
            self._host_write(slot, desc.to_bytes(r.RXD_BYTES, "little"))
            queue.buffers.append((place, size, self.next_id))
            self.next_id += 1
            queue.tail = queue.tail + 1 & 0xFFFF
        self.dut.doorbell.value = 1 << queue.number
        self.dut.doorbell_tail.value = queue.tail
        await RisingEdge(self.dut.clk)
        self.dut.doorbell.value = 0
        await RisingEdge(self.dut.clk)

    def _host_write(self, addr: int, data: bytes) -> None:
        self.memory.write(addr, data)
        self.image[addr : addr + len(data)] = data

    def take(self, queue: Queue) -> list[Completion]:
        """The completions that are there and were not taken."""
        out = []
        while True:
            slot = self.cpl_ring(queue) + r.RXC_BYTES * (queue.seen % (1 << self.ring_log2))
            record = int.from_bytes(self.memory.read(slot, r.RXC_BYTES), "little")
            if record >> r.RXC_PHASE_LSB & 1 == queue.seen >> self.ring_log2 & 1:
                return out

            def get(lsb: int, width: int, record: int = record) -> int:
                return record >> lsb & (1 << width) - 1

            out.append(
                Completion(
                    get(r.RXC_BUF_ID_LSB, 32),
                    get(r.RXC_LEN_LSB, 16),
                    get(r.RXC_BUFS_LSB, 8),
                    get(r.RXC_HEAD_LSB, 16),
                    get(r.RXC_STATUS_LSB, 8),
                    get(r.RXC_COOKIE_LSB, 32),
                )
            )
            self.image[slot : slot + r.RXC_BYTES] = record.to_bytes(r.RXC_BYTES, "little")
            assert get(r.RXC_TIMESTAMP_LSB, 64) == out[-1].cookie * 3
            assert get(r.RXC_HASH_LSB, 32) == out[-1].cookie * 5
            queue.seen += 1

    # --- the wire --------------------------------------------------------------------------------

    def frame(self, queue: Queue, size: int) -> tuple[dict[str, int], list[dict[str, int]]]:
        """A frame for a queue: its record and words; what it must do is noted."""
        self.cookie += 1
        data = self.rng.randbytes(size)
        self._expect(queue, data)
        record = (
            size << r.RXC_LEN_LSB
            | self.cookie << r.RXC_COOKIE_LSB
            | self.cookie * 3 << r.RXC_TIMESTAMP_LSB
            | self.cookie * 5 << r.RXC_HASH_LSB
        )
        parts = [data[i : i + self.lanes] for i in range(0, size, self.lanes)]
        words = [
            {
                "data": int.from_bytes(part, "little"),
                "count": len(part),
                "last": int(i == len(parts) - 1),
            }
            for i, part in enumerate(parts)
        ]
        return {"queue": queue.number, "cpl": record}, words

    def _expect(self, queue: Queue, data: bytes) -> None:
        if not queue.on or queue.halted or not queue.buffers:
            queue.drops += 1
            return
        first = queue.buffers[0][2]
        size, bufs, status, bursts = len(data), 0, 0, 0
        while data:
            if bufs == 255:
                status = r.STATUS_TOO_MANY
                queue.halted = True
                break
            if not queue.buffers:
                status = r.STATUS_NO_DESC
                break
            slot = self.ring(queue) + r.RXD_BYTES * (queue.head % (1 << self.ring_log2))
            place, room, _ = queue.buffers.popleft()
            bufs, queue.head = bufs + 1, queue.head + 1 & 0xFFFF
            if slot in self.memory.read_if.bad or not room:
                bad = slot in self.memory.read_if.bad
                first = 0 if bad and bufs == 1 else first
                status = r.STATUS_DESC_ERR if bad else r.STATUS_BAD_DESC
                queue.halted = True
                break
            step = data[:room]
            data = data[room:]
            burst = int(self.dut.BURST_BYTES.value)
            bursts += (place + len(step) - 1) // burst - place // burst + 1
            if place in self.memory.write_if.bad:
                status = r.STATUS_DMA_ERR
                queue.halted = True
            else:
                self.image[place : place + len(step)] = step
        self.bursts.append((self.bursts or [0])[-1] + bursts)
        queue.expected.append(Completion(first, size, bufs, queue.head, status, self.cookie))

    async def send(self, frames: list[tuple[dict[str, int], list[dict[str, int]]]]) -> None:
        """All frames, as fast as they are taken, which must come to an end."""
        records = cocotb.start_soon(self.pkt.send([record for record, _ in frames]))
        words = cocotb.start_soon(self.words.send([w for _, words in frames for w in words]))
        for task in (words, records):
            await with_timeout(task, 100, "us")

    async def settle(self, limit: int = 4000) -> None:
        """Wait until nothing is under way."""
        quiet = 0
        for _ in range(limit):
            await RisingEdge(self.dut.clk)
            busy = self.dut.status_busy.value or not self.dut.status_idle.value
            quiet = 0 if busy else quiet + 1
            if quiet == 3:
                return
        raise AssertionError("it is never quiet")

    def forgive(self, queue: Queue) -> None:
        """The buffers that a stopped queue still had may have been written."""
        for place, size, _ in queue.buffers:
            self.image[place : place + size] = self.memory.read(place, size)

    def check(self) -> None:
        """All frames did what they had to, and nothing else was written."""
        for queue in self.queues:
            got = self.take(queue) if queue.on else []
            wanted, queue.expected = queue.expected, []
            assert got == wanted, f"queue {queue.number}: {got} instead of {wanted}"
            assert self.status("status_drops", queue, 32) == queue.drops
            assert self.status("status_error", queue, 1) == queue.halted
            if queue.on:
                assert self.status("status_head", queue, 16) == queue.head
                assert self.status("status_cpl_head", queue, 16) == queue.seen
        seen = self.memory.read(0, SIZE)
        assert seen == self.image, [i for i in range(SIZE) if seen[i] != self.image[i]][:9]

    def status(self, name: str, queue: Queue, width: int) -> int:
        return number(getattr(self.dut, name)) >> width * queue.number & (1 << width) - 1

    async def watch(self) -> None:
        """A completion's address never comes before the answers of its frame's data."""
        dut = self.dut
        answered = completions = 0
        while True:
            await ReadOnly()
            if dut.m_axi_awvalid.value and dut.m_axi_awready.value and dut.m_axi_awid.value == 0:
                assert answered >= self.bursts[completions]
                completions += 1
            answered += int(bool(dut.m_axi_bvalid.value) and dut.m_axi_bid.value == 1)
            await RisingEdge(dut.clk)
