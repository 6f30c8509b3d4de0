"""Inside the simulator: the card between memory and wire (tb/hdl/hnic_bench.v), and one case after
another.
"""

from __future__ import annotations

from typing import Any

from cocotb.triggers import ClockCycles, RisingEdge, ValueChange

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.bench.hw.cases import MIN_FRAME, TSO_HEADER, Build, Case, Kind, wire_cycles

__all__ = ["BenchCard"]

TX_RING = 0x00000
TX_CPL_RING = 0x20000
RX_RING = 0x30000
RX_CPL_RING = 0x40000
TX_DATA = 0x60000
RX_DATA = 0x80000
RX_BUFFERS = 64
RX_BUFFER_BYTES = 2048
RING_ENTRIES = 4096
ENABLE = 1 << r.CTRL_ENABLE_LSB
MAC = bytes.fromhex("020000000001")
CSUM_START = 34
L3_START = 14
TCP_CHECK = 16
GENERATOR_SIZES = 8
RSS_KEY_WORD = 0x6D5A56DA
READ_AHEAD = 40_000
"""Bytes: more than the packet store and the FIFOs before it hold."""
U16 = 1 << 16

Row = dict[str, object]


class BenchCard:
    """Drives the bench; `run` gives one row."""

    def __init__(self, dut: Any, build: Build) -> None:
        self._dut = dut
        self._build = build
        self._bytes = build.axi_data_w // 8
        self._reset_asked = False

    async def start(self) -> None:
        """Power-up."""
        self._dut.rst.value = 1
        await ClockCycles(self._dut.clk, 8)
        self._dut.rst.value = 0
        await ClockCycles(self._dut.clk, 8)

    async def run(self, case: Case) -> Row:
        """Measure one case."""
        dut = self._dut
        await self._write(r.CTRL, 1 << r.CTRL_RESET_LSB)
        while await self._read(r.CTRL):
            pass
        dut.latency.value = round(case.latency_ns * 1000 / self._build.period_ps)
        if case.kind is Kind.LATENCY:
            return await self._latency(case)
        return await (self._transmit(case) if case.kind is Kind.TX else self._receive(case))

    # -- cases -------------------------------------------------------------------------------------

    async def _transmit(self, case: Case) -> Row:
        packets, first, last = self._window(case)
        await self._start_tx(case, packets)
        meter = self._arm_meter(self._dut.u_tx_meter, first, last)
        await self._ring_doorbells(case, packets)
        return await self._row(case, meter, first, last)

    async def _receive(self, case: Case) -> Row:
        packets, first, last = self._window(case)
        for queue in range(len(case.packets)):
            await self._start_rx(queue, len(case.packets))
        await self._write(r.MAC_LO, int.from_bytes(MAC[:4], "little"))
        await self._write(r.MAC_HI, int.from_bytes(MAC[4:], "little"))
        await self._spread(len(case.packets))
        await self._write(r.CTRL, ENABLE)
        await self._settle()
        meter = self._arm_meter(self._dut.u_rx_meter, first, last)
        before = await self._read(r.STAT_RX_FRAMES)
        row = await self._generate(case, packets, meter, first, last)
        while self._dut.status_busy.value:
            await ClockCycles(self._dut.clk, 64)
        await self._settle()
        lost = packets - (await self._read(r.STAT_RX_FRAMES) - before & 0xFFFFFFFF)
        row["lost"] = lost + sum([await self._drops(queue) for queue in range(len(case.packets))])
        return row

    async def _latency(self, case: Case) -> Row:
        await self._start_tx(case, 1)
        meter = self._arm_meter(self._dut.u_tx_meter, 1, 1)
        await self._ring_doorbells(case, 1)
        await self._over(meter)
        rung = int(self._dut.u_mmio.word_ps.value)
        cycles = (int(meter.first_ps.value) - rung) / self._build.period_ps
        return self._describe(case) | {"cycles_per_packet": cycles}

    def _window(self, case: Case) -> tuple[int, int, int]:
        """Packets to send in all, and the first and the last frame that are measured."""
        queues = len(case.packets)
        size = sum(case.frames) / queues
        packets = 6 if case.mss else 960 if queues > 1 else 320 if size > 500 else 1600
        frames = packets * self._frames_a_packet(case)
        # Not measured: what the card has read ahead when the ring runs dry; and when there are many
        # queues, the end, at which those are through that were rung first.
        behind = round(READ_AHEAD / size) + (frames // 2 if queues > 1 else 0)
        return packets, frames // 4 // queues * queues, (frames - behind) // queues * queues

    @staticmethod
    def _frames_a_packet(case: Case) -> int:
        return (sum(case.packets[0]) - TSO_HEADER) // case.mss if case.mss else 1

    # -- rows --------------------------------------------------------------------------------------

    def _describe(self, case: Case) -> Row:
        return {
            "name": case.name,
            "build": self._build.name,
            "axi_data_w": self._build.axi_data_w,
            "frame_bytes": case.frames[0] if len(case.frames) == 1 else None,
            "segments": len(case.packets[0]),
            "queues": len(case.packets),
            "latency_ns": case.latency_ns,
            "cycles_per_packet": None,
            "line_rate": None,
            "axi_efficiency": None,
            "goal_line_rate": case.line_rate,
            "goal_cycles": case.cycles,
        }

    async def _row(self, case: Case, meter: Any, first: int, last: int) -> Row:
        await self._over(meter)
        frames = last - first
        cycles = int(meter.cycles.value) / frames
        beats = int(meter.beats.value) / frames
        mean = sum(case.frames) / len(case.frames)
        row = self._describe(case) | {
            "cycles_per_packet": cycles,
            "axi_efficiency": mean / (beats * self._bytes),
        }
        if not self._build.engine:
            wire = sum(wire_cycles(self._build, size) for size in case.frames) / len(case.frames)
            row["line_rate"] = wire / cycles
        return row

    # -- the card ----------------------------------------------------------------------------------

    async def _start_tx(self, case: Case, packets: int) -> None:
        queues = len(case.packets)
        for queue, segments in enumerate(case.packets):
            words = self._descriptors(case, segments, queue)
            count = packets // queues or 1
            ring = b"".join(words * count)
            entries = RING_ENTRIES // queues
            assert len(ring) <= entries * r.TXD_BYTES
            at = queue * entries
            self._load(TX_RING + at * r.TXD_BYTES, ring)
            await self._configure(
                r.TXQ_BASE + queue * r.TXQ_STRIDE,
                TX_RING + at * r.TXD_BYTES,
                TX_CPL_RING + at * r.TXC_BYTES,
                entries,
            )
        await self._write(r.CTRL, ENABLE)

    def _descriptors(self, case: Case, segments: tuple[int, ...], cookie: int) -> list[bytes]:
        words = []
        address = TX_DATA
        for number, size in enumerate(self._split(segments)):
            fields = {
                r.TXD_ADDR_LSB: address,
                r.TXD_LEN_LSB: size,
                r.TXD_SOP_LSB: int(number == 0),
                r.TXD_COOKIE_LSB: cookie,
                r.TXD_EOP_LSB: int(number == len(self._split(segments)) - 1),
            }
            if case.csum:
                fields |= {
                    r.TXD_CSUM_LSB: 1,
                    r.TXD_CSUM_START_LSB: CSUM_START,
                    r.TXD_CSUM_OFFSET_LSB: TCP_CHECK,
                }
            if case.mss:
                fields |= {
                    r.TXD_TSO_LSB: 1,
                    r.TXD_IPV4_LSB: 1,
                    r.TXD_MSS_LSB: case.mss,
                    r.TXD_HDR_LEN_LSB: TSO_HEADER,
                    r.TXD_L3_START_LSB: L3_START,
                }
            word = sum(value << lsb for lsb, value in fields.items())
            words.append(word.to_bytes(r.TXD_BYTES, "little"))
            address += -(-size // 64) * 64
        return words

    @staticmethod
    def _split(segments: tuple[int, ...]) -> list[int]:
        """Segments as the driver gives them: none above 64 KiB."""
        return [min(size - at, U16) for size in segments for at in range(0, size, U16)]

    async def _ring_doorbells(self, case: Case, packets: int) -> None:
        queues = len(case.packets)
        for queue, segments in enumerate(case.packets):
            count = (packets // queues or 1) * len(self._split(segments))
            await self._write(r.TXQ_BASE + queue * r.TXQ_STRIDE + r.Q_DOORBELL, count)

    async def _start_rx(self, queue: int, queues: int) -> None:
        entries = RING_ENTRIES // queues
        ring = RX_RING + queue * entries * r.RXD_BYTES
        buffers = b"".join(
            (
                RX_DATA + i % RX_BUFFERS * RX_BUFFER_BYTES
                | RX_BUFFER_BYTES << r.RXD_LEN_LSB
                | i << r.RXD_BUF_ID_LSB
            ).to_bytes(r.RXD_BYTES, "little")
            for i in range(entries)
        )
        self._load(ring, buffers)
        block = r.RXQ_BASE + queue * r.RXQ_STRIDE
        completions = RX_CPL_RING + queue * entries * r.RXC_BYTES
        await self._configure(block, ring, completions, entries)
        await self._write(block + r.Q_DOORBELL, entries)

    async def _spread(self, queues: int) -> None:
        """Let the hash choose among the queues."""
        for word in range(r.RSS_KEY_COUNT):
            await self._write(r.RSS_KEY + 4 * word, RSS_KEY_WORD)
        for word in range(r.RSS_TABLE_COUNT):
            entries = [(4 * word + i) % queues for i in range(4)]
            await self._write(r.RSS_TABLE + 4 * word, int.from_bytes(bytes(entries), "little"))
        await self._write(r.RX_CTRL, (1 << r.RX_CTRL_RSS_LSB) * (queues > 1))

    async def _generate(self, case: Case, packets: int, meter: Any, first: int, last: int) -> Row:
        """Let the generator send, or, with GMII, the card itself, whose wire is a loop."""
        if self._build.gmii:
            self._load(TX_DATA, self._frame(case.frames[0]))
            await self._start_tx(case, packets)
            await self._ring_doorbells(case, packets)
            return await self._row(case, meter, first, last)
        generator = self._dut.u_generator
        frame = self._frame(max(case.frames))
        for at in range(0, len(frame), 8):
            generator.words[at // 8].value = int.from_bytes(frame[at : at + 8], "little")
        for number in range(GENERATOR_SIZES):
            generator.sizes[number].value = case.frames[number % len(case.frames)]
        generator.count.value = int(generator.sent.value) + packets
        return await self._row(case, meter, first, last)

    @staticmethod
    def _frame(size: int) -> bytes:
        """A UDP datagram of the least size, without a checksum, to the card's address, and what
        follows it.
        """
        total = (MIN_FRAME - L3_START).to_bytes(2, "big")
        addresses = bytes([10, 0, 0, 2, 10, 0, 0, 1])
        ip = b"\x45\x00" + total + bytes(4) + b"\x40\x11" + bytes(2) + addresses
        udp = bytes(2) + b"\x00\x09" + (MIN_FRAME - CSUM_START).to_bytes(2, "big") + bytes(2)
        return (MAC + MAC[:5] + b"\x02" + b"\x08\x00" + ip + udp).ljust(size, b"\xa5")[:size]

    async def _drops(self, queue: int) -> int:
        return await self._read(r.RXQ_BASE + queue * r.RXQ_STRIDE + r.Q_DROPS)

    async def _configure(self, block: int, ring: int, completions: int, entries: int) -> None:
        log2 = entries.bit_length() - 1
        await self._write(block + r.Q_BASE_LO, ring)
        await self._write(block + r.Q_SIZE, log2)
        await self._write(block + r.Q_CPL_BASE_LO, completions)
        await self._write(block + r.Q_CPL_SIZE, log2)
        await self._write(block + r.Q_CTRL, 1 << r.Q_CTRL_ENABLE_LSB)

    # -- the bench ---------------------------------------------------------------------------------

    def _load(self, address: int, data: bytes) -> None:
        """Put `data` into the memory; `address` is a multiple of the bus width."""
        step = self._bytes
        data = data.ljust(-(-len(data) // step) * step, b"\0")
        mem = self._dut.u_memory.mem
        for at in range(0, len(data), step):
            mem[(address + at) // step].value = int.from_bytes(data[at : at + step], "little")

    def _arm_meter(self, meter: Any, first: int, last: int) -> Any:
        meter.first.value = first
        meter.last.value = last
        meter.run.value = not meter.run.value
        return meter

    async def _over(self, meter: Any) -> None:
        await RisingEdge(self._dut.clk)
        await RisingEdge(self._dut.clk)
        if not meter.over.value:
            await RisingEdge(meter.over)

    async def _settle(self) -> None:
        await ClockCycles(self._dut.clk, 2000)

    async def _write(self, offset: int, value: int) -> None:
        await self._access(offset, value)

    async def _read(self, offset: int) -> int:
        await self._access(offset, None)
        return int(self._dut.u_mmio.rdata.value)

    async def _access(self, offset: int, value: int | None) -> None:
        mmio = self._dut.u_mmio
        mmio.addr.value = offset
        mmio.write.value = value is not None
        mmio.wdata.value = value or 0
        mmio.go.value = not mmio.done.value
        await ValueChange(mmio.done)
