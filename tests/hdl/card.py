"""The whole card with memory, wire and driver around it.

Memory and MMIO are cocotbext-axi's, the wire is cocotbext-eth's, both ways. What the card reads and
writes is checked to the byte: only rings, segments and buffers that the driver gave to it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.queue import Queue
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam
from cocotbext.eth import GmiiFrame, GmiiSink, GmiiSource, XgmiiFrame, XgmiiSink, XgmiiSource

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import PERIOD_NS, seeded
from tests.hdl.card_rings import RxRing, TxRing

__all__ = ["BAD", "MAC", "PERIOD_PS", "Card", "cycles"]

RAM_BYTES = 1 << 22
DATA = 0x220000
PERIOD_PS = round(PERIOD_NS * 1000)
BAD = 0x3FF000  # accesses to this page are answered with SLVERR
XGMII_IDLE = 0x0707070707070707
MAC = bytes.fromhex("020000000001")
PREAMBLE = b"\x55" * 7 + b"\xd5"
READ, WRITE = 1, 2


class FaultyRam(AxiRam):  # type: ignore[misc]
    """A RAM whose last page can be neither read nor written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        good_read, good_write = self.read_if._read, self.write_if._write

        async def read(address: int, length: int) -> bytes:
            if address >= BAD:
                raise RuntimeError("no such memory")
            return bytes(await good_read(address, length))

        async def write(address: int, data: bytes) -> None:
            if address >= BAD:
                raise RuntimeError("no such memory")
            await good_write(address, data)

        self.read_if._read = read
        self.write_if._write = write


class Card:
    """The card with memory, wire and driver around it; `tx` and `rx` are its queues' rings."""

    def __init__(self, dut: Any, *, gated: bool = False, latency: int = 0) -> None:
        self.dut = dut
        self.rng = seeded()
        self.gated = gated
        self.latency = latency
        self.stops = 0
        self.allowed = bytearray(RAM_BYTES)
        self.mmio_busy = False
        self.next_data = DATA
        self.tx = [TxRing(self, queue) for queue in range(int(dut.TX_QUEUES.value))]
        self.rx = [RxRing(self, queue) for queue in range(int(dut.RX_QUEUES.value))]
        self.irqs: list[int] = []
        self.cookies: list[int] = []

    async def start(self) -> Card:
        """Reset, and bring-up of the first TX queue."""
        dut = self.dut
        self.mmio_busy = True
        dut.rst.value = 1
        dut.time_ns.value = 0
        dut.s_wire_cookie.value = 0
        if self.gated:
            cocotb.start_soon(self._gated_clock())
        else:
            Clock(dut.clk, PERIOD_NS, "ns", impl="gpi").start()
        await cycles(4)
        await FallingEdge(dut.clk)  # the models must see no edge before they drive their signals
        self.mmio = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.ram = FaultyRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=RAM_BYTES)
        self._connect_wire()
        for model in (self.mmio, self.ram, self.sink, self.source):
            for part in ("write_if", "read_if"):
                getattr(model, part, model).log.setLevel("WARNING")
        self.ram.write(0, self.rng.randbytes(RAM_BYTES))
        self._hook(self.ram.read_if.ar_channel, self._check_read)
        self._hook(self.ram.write_if.aw_channel, self._check_write)
        # Write data is taken when it comes, as its address is.
        self.ram.write_if.w_channel.queue_occupancy_limit = 2 + self.latency
        cocotb.start_soon(self._watch())
        cocotb.start_soon(self._tell_time())
        await cycles(4)
        dut.rst.value = 0
        await self.bring_up()
        return self

    def _connect_wire(self) -> None:
        dut = self.dut
        if int(dut.GMII.value):
            self.frame: Any = GmiiFrame
            self.preamble = PREAMBLE[1:]  # the sink does not keep the first byte
            self.sink = GmiiSink(dut.gmii_txd, dut.gmii_tx_er, dut.gmii_tx_en, dut.clk, dut.rst)
            self.source = GmiiSource(dut.gmii_rxd, dut.gmii_rx_er, dut.gmii_rx_dv, dut.clk, dut.rst)
        else:
            self.frame = XgmiiFrame
            self.preamble = PREAMBLE
            self.sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
            self.source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk, dut.rst)

    async def bring_up(self) -> None:
        """Start the first TX queue and enable the card."""
        await self.tx[0].start()
        await self.write(r.CTRL, 1 << r.CTRL_ENABLE_LSB)

    async def bring_up_rx(self, queues: int = 1, buffers: int = 32, size: int = 2048) -> None:
        """Start receive queues with buffers of `size` bytes, and the station address."""
        await self.write(r.MAC_LO, int.from_bytes(MAC[:4], "little"))
        await self.write(r.MAC_HI, int.from_bytes(MAC[4:], "little"))
        for ring in self.rx[:queues]:
            await ring.start()
            for _ in range(buffers):
                ring.post_buffer(size, self.rng.randrange(64))
            await ring.doorbell()

    # -- what the card may touch ------------------------------------------------------------------

    def may_read(self, addr: int, size: int) -> None:
        """The driver has given these bytes to be read."""
        self._permit(addr, size, READ)

    def may_write(self, addr: int, size: int) -> None:
        """The driver has given these bytes to be written."""
        self._permit(addr, size, WRITE)

    def may_not_write(self, addr: int, size: int) -> None:
        """The driver has taken a buffer back."""
        self.allowed[addr : addr + size] = bytes(size)

    def _permit(self, addr: int, size: int, what: int) -> None:
        size = min(size, RAM_BYTES - addr)
        self.allowed[addr : addr + size] = bytes([what]) * size

    def _check_read(self, ar: Any) -> None:
        addr, size = int(ar.araddr), int(ar.aruser)
        asked = self.allowed[addr : addr + size]
        assert addr >= BAD or asked.count(READ) == size, f"read of {addr:#x}, {size} bytes"

    def _check_write(self, aw: Any) -> None:
        addr, size = int(aw.awaddr), int(aw.awuser)
        asked = self.allowed[addr : addr + size]
        assert addr >= BAD or asked.count(WRITE) == size, f"write of {addr:#x}, {size} bytes"

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

    async def _gated_clock(self) -> None:
        """A clock that stops at once when the card says it may, as strictly as it can be done."""
        half = Timer(PERIOD_PS // 2, "ps")
        self.dut.clk.value = 0
        running = True
        while True:
            await half
            if not self.mmio_busy and self.source.idle() and self.dut.status_busy.value == 0:
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

    async def _tell_time(self) -> None:
        """The time of day, as it will be at the next rising edge."""
        while True:
            await FallingEdge(self.dut.clk)
            self.dut.time_ns.value = (now_ps() + PERIOD_PS // 2) // 1000

    async def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.mmio_busy = True
        await self.mmio.write_dword(offset, value)
        self.mmio_busy = False

    async def read(self, offset: int) -> int:
        """Read a register."""
        self.mmio_busy = True
        value = await self.mmio.read_dword(offset)
        self.mmio_busy = False
        return int(value)

    def place(self, data: bytes, misalign: int) -> int:
        """Put bytes into memory at a fresh address; what lies around them stays noise."""
        if self.next_data + misalign + len(data) > BAD:
            self.next_data = DATA
        addr = self.next_data + misalign
        self.ram.write(addr, data)
        self.next_data = (addr + len(data) + 127) & ~63
        return addr

    async def receive(self, frame: bytes, cookie: int = 0) -> None:
        """Put a frame on the wire to the card, padded to the least size."""
        self.dut.s_wire_cookie.value = cookie
        await self.source.send(self.frame.from_payload(frame))

    async def until(self, over: Callable[[], bool], say: Callable[[], str]) -> None:
        """Wait until `over()`; `say()` tells how far it came when that takes too long."""
        for _ in range(20_000):
            if over():
                return
            await cycles(8)
        raise AssertionError(say())

    async def settle(self) -> None:
        """Until nothing is in flight."""
        await cycles(8)
        await self.until(self._quiet, lambda: "the card stays busy")

    def _quiet(self) -> bool:
        return bool(self.source.idle()) and self.dut.status_busy.value == 0

    def frames(self) -> list[bytes]:
        """All frames so far, each with a good preamble and FCS, without the FCS."""
        out = []
        while not self.sink.empty():
            frame = self.sink.recv_nowait()
            assert frame.check_fcs(), "bad FCS"
            assert bytes(frame.get_preamble()) == self.preamble
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
