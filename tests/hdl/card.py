"""The whole card with memory, wire and driver around it.

Memory and MMIO are cocotbext-axi's, the wire is cocotbext-eth's. What the card reads and writes is
checked to the byte: only rings and segments that the driver gave to it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.queue import Queue
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam
from cocotbext.eth import XgmiiSink

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import PERIOD_NS, seeded

__all__ = ["BAD", "CPL_RING", "PERIOD_PS", "RING", "Card", "cycles", "descriptor"]

RAM_BYTES = 1 << 22
RING = 0x10040  # 64-byte aligned only, so that the ring crosses 4 KiB at an odd place
CPL_RING = 0x30040
DATA = 0x100000
PERIOD_PS = round(PERIOD_NS * 1000)
BAD = 0x3FF000  # reads of this page are answered with SLVERR
XGMII_IDLE = 0x0707070707070707


def descriptor(
    addr: int,
    length: int,
    *,
    sop: bool,
    eop: bool,
    cookie: int,
    csum: tuple[int, int] | None = None,
) -> bytes:
    """One TX descriptor, packed by the generated places."""
    fields = [
        (r.TXD_ADDR_LSB, addr),
        (r.TXD_LEN_LSB, length),
        (r.TXD_SOP_LSB, int(sop)),
        (r.TXD_EOP_LSB, int(eop)),
        (r.TXD_COOKIE_LSB, cookie),
    ]
    if csum is not None:
        fields += [
            (r.TXD_CSUM_LSB, 1),
            (r.TXD_CSUM_START_LSB, csum[0]),
            (r.TXD_CSUM_OFFSET_LSB, csum[1]),
        ]
    return sum(value << lsb for lsb, value in fields).to_bytes(r.TXD_BYTES, "little")


class FaultyRam(AxiRam):
    """A RAM whose last page cannot be read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        good = self.read_if._read

        async def read(address: int, length: int) -> bytes:
            if address >= BAD:
                raise RuntimeError("no such memory")
            return bytes(await good(address, length))

        self.read_if._read = read


class Card:
    """The card with memory, wire and driver around it."""

    def __init__(self, dut: Any, *, gated: bool = False, latency: int = 0) -> None:
        self.dut = dut
        self.rng = seeded()
        self.gated = gated
        self.latency = latency
        self.stops = 0
        self.allowed = bytearray(RAM_BYTES)
        self.mmio_busy = False
        self.size_log2 = 6
        self.tail = 0
        self.consumed = 0
        self.next_data = DATA
        self.irqs: list[int] = []
        self.cookies: list[int] = []

    async def start(self) -> Card:
        """Reset and bring-up."""
        dut = self.dut
        self.mmio_busy = True
        dut.rst.value = 1
        if self.gated:
            cocotb.start_soon(self._gated_clock())
        else:
            Clock(dut.clk, PERIOD_NS, "ns", impl="gpi").start()
        await cycles(4)
        await FallingEdge(dut.clk)  # the models must see no edge before they drive their signals
        self.mmio = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.ram = FaultyRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=RAM_BYTES)
        self.sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
        for model in (self.mmio, self.ram, self.sink):
            for part in ("write_if", "read_if"):
                getattr(model, part, model).log.setLevel("WARNING")
        self.ram.write(0, self.rng.randbytes(RAM_BYTES))
        self.ram.write(CPL_RING, bytes(r.TXC_BYTES << self.size_log2))
        self._hook(self.ram.read_if.ar_channel, self._check_read)
        self._hook(self.ram.write_if.aw_channel, self._check_write)
        # Write data is taken when it comes, as its address is.
        self.ram.write_if.w_channel.queue_occupancy_limit = 2 + self.latency
        cocotb.start_soon(self._watch())
        await cycles(4)
        dut.rst.value = 0
        await self.bring_up()
        return self

    async def bring_up(self) -> None:
        self.tail = self.consumed = 0
        q = r.TXQ_BASE
        await self.write(q + r.Q_BASE_LO, RING)
        await self.write(q + r.Q_SIZE, self.size_log2)
        await self.write(q + r.Q_CPL_BASE_LO, CPL_RING)
        await self.write(q + r.Q_CPL_SIZE, self.size_log2)
        await self.write(q + r.Q_CTRL, 1 << r.Q_CTRL_ENABLE_LSB)
        await self.write(r.CTRL, 1 << r.CTRL_ENABLE_LSB)

    def _hook(self, channel: Any, check: Callable[[Any], None]) -> None:
        """Check each request of a channel; serve it `latency` cycles after it was made, with any
        number under way.
        """
        recv: Callable[[], Awaitable[Any]] = channel.recv
        arrived: Queue[tuple[int, Any]] = Queue()

        async def feed() -> None:
            while True:
                request = await recv()
                check(request)
                arrived.put_nowait((now_ps(), request))

        async def delayed() -> Any:
            when, request = await arrived.get()
            wait = when + self.latency * PERIOD_PS - now_ps()
            if wait > 0:
                await Timer(wait, "ps")
            return request

        async def checked() -> Any:
            request = await recv()
            check(request)
            return request

        if self.latency:
            cocotb.start_soon(feed())
        channel.recv = delayed if self.latency else checked

    def _check_read(self, ar: Any) -> None:
        addr, size = int(ar.araddr), int(ar.aruser)
        assert addr >= BAD or not self.allowed.count(0, addr, addr + size), (hex(addr), size)

    def _check_write(self, aw: Any) -> None:
        addr, size = int(aw.awaddr), int(aw.awlen) + 1 << int(aw.awsize)
        assert addr >= CPL_RING
        assert addr + size <= CPL_RING + (r.TXC_BYTES << self.size_log2)

    async def _gated_clock(self) -> None:
        """A clock that stops at once when the card says it may, as strictly as it can be done."""
        half = Timer(PERIOD_PS // 2, "ps")
        self.dut.clk.value = 0
        running = True
        while True:
            await half
            if not self.mmio_busy and self.dut.status_busy.value == 0:
                if running:
                    self._check_stop()
                running = False
                continue
            running = True
            self.dut.clk.value = 1
            await half
            self.dut.clk.value = 0

    def _check_stop(self) -> None:
        """What stands on the card's outputs while there is no clock must mean nothing."""
        dut = self.dut
        self.stops += 1
        assert (dut.xgmii_txc.value, dut.xgmii_txd.value) == (0xFF, XGMII_IDLE)
        for pulse in (dut.irq, dut.m_wire_cookie_valid):
            assert pulse.value == 0
        for valid in (dut.m_axi_arvalid, dut.m_axi_awvalid, dut.m_axi_wvalid):
            assert valid.value == 0
        for valid in (dut.s_axil_bvalid, dut.s_axil_rvalid):
            assert valid.value == 0

    async def _watch(self) -> None:
        """Collect the side-band and the interrupts; an MMIO answer must keep the clock running."""
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            if self.dut.rst.value:
                continue
            if self.dut.s_axil_bvalid.value or self.dut.s_axil_rvalid.value:
                assert self.dut.status_busy.value
            if self.dut.m_wire_cookie_valid.value:
                self.cookies.append(int(self.dut.m_wire_cookie.value))
            if self.dut.irq.value != 0:
                self.irqs.append(int(self.dut.irq.value))

    async def write(self, offset: int, value: int) -> None:
        self.mmio_busy = True
        await self.mmio.write_dword(offset, value)
        self.mmio_busy = False

    async def read(self, offset: int) -> int:
        self.mmio_busy = True
        value = await self.mmio.read_dword(offset)
        self.mmio_busy = False
        return int(value)

    def place(self, data: bytes, misalign: int) -> int:
        """Put bytes into memory at a fresh address; what lies around them stays noise."""
        addr = self.next_data + misalign
        assert addr + len(data) < BAD
        self.ram.write(addr, data)
        self.next_data = (addr + len(data) + 127) & ~63
        if self.next_data > BAD - 0x10000:
            self.next_data = DATA
        return addr

    def post(self, desc: bytes) -> None:
        slot = self.tail & ((1 << self.size_log2) - 1)
        place = RING + slot * r.TXD_BYTES
        self.ram.write(place, desc)
        self.allowed[place : place + r.TXD_BYTES] = b"\1" * r.TXD_BYTES
        self.tail = (self.tail + 1) & 0xFFFF
        raw = int.from_bytes(desc, "little")
        addr = raw >> r.TXD_ADDR_LSB & ((1 << r.TXD_ADDR_W) - 1)
        length = min(raw >> r.TXD_LEN_LSB & ((1 << r.TXD_LEN_W) - 1), RAM_BYTES - addr)
        self.allowed[addr : addr + length] = b"\1" * length

    def post_packet(
        self,
        segments: Sequence[tuple[int, bytes]],
        cookie: int,
        csum: tuple[int, int] | None = None,
    ) -> None:
        """A packet of (misalignment, bytes) segments."""
        last = len(segments) - 1
        for i, (misalign, data) in enumerate(segments):
            addr = self.place(data, misalign)
            self.post(
                descriptor(addr, len(data), sop=i == 0, eop=i == last, cookie=cookie, csum=csum)
            )

    async def doorbell(self) -> None:
        await self.write(r.TXQ_BASE + r.Q_DOORBELL, self.tail)

    def completion(self) -> tuple[int, int, int] | None:
        """The next (cookie, head, status), or None while the phase bit says it is not there."""
        slot = self.consumed & ((1 << self.size_log2) - 1)
        raw = int.from_bytes(self.ram.read(CPL_RING + slot * r.TXC_BYTES, r.TXC_BYTES), "little")
        phase = raw >> r.TXC_PHASE_LSB & 1
        if phase == (self.consumed >> self.size_log2) & 1:
            return None
        self.consumed += 1

        def get(lsb: int, width: int) -> int:
            return raw >> lsb & ((1 << width) - 1)

        return (
            get(r.TXC_COOKIE_LSB, r.TXC_COOKIE_W),
            get(r.TXC_HEAD_LSB, r.TXC_HEAD_W),
            get(r.TXC_STATUS_LSB, r.TXC_STATUS_W),
        )

    async def completions(self, count: int) -> list[tuple[int, int, int]]:
        """Wait for `count` completions."""
        found: list[tuple[int, int, int]] = []
        for _ in range(20_000):
            while (entry := self.completion()) is not None:
                found.append(entry)
            if len(found) >= count:
                return found
            await cycles(8)
        raise AssertionError(f"{len(found)} of {count} completions")

    async def settle(self) -> None:
        """Until nothing is in flight."""
        for _ in range(20_000):
            await cycles(8)
            if self.dut.status_busy.value == 0:
                return
        raise AssertionError("the card stays busy")

    def frames(self) -> list[bytes]:
        """All frames so far, each with a good preamble and FCS, without the FCS."""
        out = []
        while not self.sink.empty():
            frame = self.sink.recv_nowait()
            assert frame.check_fcs(), "bad FCS"
            assert bytes(frame.get_preamble()) == b"\x55" * 7 + b"\xd5"
            out.append(bytes(frame.get_payload()))
        return out

    def stall(self, share: float) -> None:
        """Let every AXI channel of the memory pause at random."""

        def pauses() -> Iterator[bool]:
            rng = random.Random(self.rng.random())
            while True:
                yield rng.random() < share

        for channel in (
            self.ram.read_if.ar_channel,
            self.ram.read_if.r_channel,
            self.ram.write_if.aw_channel,
            self.ram.write_if.w_channel,
            self.ram.write_if.b_channel,
        ):
            channel.set_pause_generator(pauses())


def now_ps() -> int:
    return round(get_sim_time("ps"))


def cycles(count: int) -> Timer:
    """The time of `count` cycles, whether the clock runs or not."""
    return Timer(PERIOD_PS * count, "ps")
