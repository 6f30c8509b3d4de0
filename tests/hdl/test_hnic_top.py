"""The card from doorbell to XGMII.

AXI is judged by cocotbext-axi, frames by cocotbext-eth, checksums by scapy.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam
from cocotbext.eth import XgmiiSink

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import PERIOD_NS, run_module, seeded

RAM_BYTES = 1 << 22
RING = 0x10040  # 64-byte aligned only, so that the ring crosses 4 KiB at an odd place
CPL_RING = 0x30040
DATA = 0x100000
PERIOD_PS = round(PERIOD_NS * 1000)
BAD = 0x3FF000  # reads of this page are answered with SLVERR


@pytest.mark.parametrize("width", [64, 128, 512])
@pytest.mark.claim("S43")
def test_card_sends_what_the_ring_names(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"AXI_DATA_W": width})


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

    def __init__(self, dut: Any, *, gated: bool = False) -> None:
        self.dut = dut
        self.rng = seeded()
        self.gated = gated
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

    async def _gated_clock(self) -> None:
        """A clock that stops while the card says it may."""
        half = Timer(PERIOD_PS // 2, "ps")
        self.dut.clk.value = 0
        while True:
            await half
            if not self.mmio_busy and self.dut.status_busy.value == 0:
                continue
            self.dut.clk.value = 1
            await half
            self.dut.clk.value = 0

    async def _watch(self) -> None:
        """Collect the side-band and the interrupts."""
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            if self.dut.rst.value:
                continue
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
        self.ram.write(RING + slot * r.TXD_BYTES, desc)
        self.tail = (self.tail + 1) & 0xFFFF

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


def cycles(count: int) -> Timer:
    """The time of `count` cycles, whether the clock runs or not."""
    return Timer(PERIOD_PS * count, "ps")


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\0")


async def send_all(card: Card, packets: Sequence[Sequence[tuple[int, bytes]]]) -> None:
    """Send packets in doorbell batches and compare wire, side-band and completions."""
    room = 1 << card.size_log2
    todo = list(enumerate(packets))
    expected: list[tuple[int, int, int]] = []
    got: list[tuple[int, int, int]] = []
    while todo or len(got) < len(expected):
        used = (card.tail - (got[-1][1] if got else 0)) & 0xFFFF
        batch = card.rng.randrange(1, 9)
        while todo and batch and used + len(todo[0][1]) <= room:
            index, segments = todo.pop(0)
            card.post_packet(segments, cookie=0xC0000000 + index)
            expected.append((0xC0000000 + index, card.tail, r.STATUS_OK))
            used += len(segments)
            batch -= 1
        await card.doorbell()
        got += await card.completions(1)
    assert got == expected
    await card.settle()
    assert card.frames() == [padded(b"".join(data for _, data in p)) for p in packets]
    assert card.cookies[-len(packets) :] == [0xC0000000 + i for i in range(len(packets))]


@cocotb.test()
async def one_frame(dut: Any) -> None:
    card = await Card(dut).start()
    await send_all(card, [[(2, bytes(range(60)))]])


@cocotb.test()
async def frames_of_many_sizes(dut: Any) -> None:
    card = await Card(dut).start()
    sizes = [
        *range(1, 20),
        *range(55, 76),
        127,
        128,
        129,
        511,
        512,
        513,
        1513,
        1514,
        1515,
        4097,
        9600,
    ]
    await send_all(card, [[(card.rng.randrange(64), card.rng.randbytes(n))] for n in sizes])


@cocotb.test()
async def segments_at_odd_addresses_and_page_borders(dut: Any) -> None:
    card = await Card(dut).start()
    card.stall(0.3)
    packets = []
    for _ in range(40):
        count = card.rng.choice([1, 2, 3, 5, 17])
        packets.append(
            [
                (
                    card.rng.choice([card.rng.randrange(64), 4096 - 64 - card.rng.randrange(40)]),
                    card.rng.randbytes(n),
                )
                for n in (
                    card.rng.choice([1, 2, 7, 14, 54, 66, card.rng.randrange(1, 400)])
                    for _ in range(count)
                )
            ]
        )
    await send_all(card, packets)


@cocotb.test()
async def rings_wrap_and_the_phase_toggles(dut: Any) -> None:
    card = await Card(dut).start()
    await send_all(card, [[(i % 5, bytes([i & 255]) * 60)] for i in range(200)])


@cocotb.test()
async def checksums_are_those_of_scapy(dut: Any) -> None:
    from scapy.all import IP, TCP, UDP, Ether, IPv6, Raw

    card = await Card(dut).start()
    wanted = []
    for i in range(30):
        payload = card.rng.randbytes(card.rng.choice([0, 1, 2, 3, 25, 26, 200, 1400, 1401]))
        layer = card.rng.choice([TCP(sport=1, dport=2, seq=i), UDP(sport=3, dport=4)])
        net = card.rng.choice(
            [IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fe80::1", dst="fe80::2")]
        )
        frame = bytes(
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / net / layer / Raw(payload)
        )
        wanted.append(frame)
        start = 14 + (20 if isinstance(net, IP) else 40)
        offset = 16 if isinstance(layer, TCP) else 6
        pseudo = pseudo_header_sum(frame, start, 6 if isinstance(layer, TCP) else 17)
        place = start + offset
        asked = frame[:place] + struct.pack(">H", pseudo) + frame[place + 2 :]
        cut = card.rng.randrange(1, len(asked))
        card.post_packet(
            [(card.rng.randrange(16), asked[:cut]), (1, asked[cut:])], i, (start, offset)
        )
    await card.doorbell()
    assert all(status == r.STATUS_OK for _, _, status in await card.completions(len(wanted)))
    await card.settle()
    assert card.frames() == [padded(frame) for frame in wanted]
    assert await card.read(r.STAT_TX_CSUMS) == len(wanted)


def pseudo_header_sum(frame: bytes, start: int, protocol: int) -> int:
    """What CHECKSUM_PARTIAL leaves in the checksum field: the folded sum, not complemented."""
    addresses = frame[26:34] if start == 34 else frame[22:54]
    words = struct.unpack(f">{len(addresses) // 2}H", addresses)
    total = sum(words) + protocol + len(frame) - start
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@cocotb.test()
async def a_checksum_of_zero_is_sent_as_ffff(dut: Any) -> None:
    card = await Card(dut).start()
    frame = bytearray(64)
    frame[14:16] = b"\xff\xff"
    card.post_packet([(3, bytes(frame))], 1, (14, 6))
    await card.doorbell()
    await card.completions(1)
    await card.settle()
    frame[20:22] = b"\xff\xff"
    assert card.frames() == [bytes(frame)]


@cocotb.test()
async def packets_in_doubt_are_dropped_and_named(dut: Any) -> None:
    card = await Card(dut).start()
    good = card.rng.randbytes(100)
    addr = card.place(good, 5)

    def desc(address: int = addr, length: int = 100, cookie: int = 0, **flags: Any) -> bytes:
        return descriptor(address, length, cookie=cookie, **({"sop": True, "eop": True} | flags))

    cases: list[tuple[list[bytes], int]] = [
        ([desc(sop=False)], r.STATUS_BAD_DESC),
        ([desc(eop=False), desc()], r.STATUS_BAD_DESC),
        ([desc(length=0)], r.STATUS_BAD_DESC),
        (
            [desc(eop=False), desc(sop=False, length=0, eop=False), desc(sop=False)],
            r.STATUS_BAD_DESC,
        ),
        (
            [(int.from_bytes(desc(), "little") | 1 << r.TXD_TSO_LSB).to_bytes(32, "little")],
            r.STATUS_BAD_DESC,
        ),
        ([desc(length=9601)], r.STATUS_TOO_LONG),
        ([desc(length=(1 << 20) - 1)], r.STATUS_TOO_LONG),
        ([desc(length=9000, eop=False), desc(length=601, sop=False)], r.STATUS_TOO_LONG),
        ([desc(csum=(90, 9))], r.STATUS_BAD_CSUM),
        ([desc(csum=(0xFFFF, 0xFFFF))], r.STATUS_BAD_CSUM),
        ([desc(address=BAD)], r.STATUS_DMA_ERR),
        ([desc(eop=False), desc(address=BAD - 10, length=20, sop=False)], r.STATUS_DMA_ERR),
    ]
    wanted = []
    for number, (descs, status) in enumerate(cases):
        for one in descs:
            card.post(
                (int.from_bytes(one, "little") | number << r.TXD_COOKIE_LSB).to_bytes(32, "little")
            )
        wanted.append((number, card.tail, status))
        card.post(desc(cookie=1000 + number))
        wanted.append((1000 + number, card.tail, r.STATUS_OK))
    await card.doorbell()
    assert await card.completions(len(wanted)) == wanted
    await card.settle()
    assert card.frames() == [good] * len(cases)
    assert await card.read(r.STAT_TX_DROPS) == len(cases)
    assert await card.read(r.STAT_AXI_RD_ERRS) > 0


@cocotb.test()
async def a_descriptor_that_cannot_be_read_is_completed_with_an_error(dut: Any) -> None:
    card = await Card(dut).start()
    await card.write(r.TXQ_BASE + r.Q_CTRL, 0)
    await card.write(r.TXQ_BASE + r.Q_BASE_LO, BAD)
    await card.write(r.TXQ_BASE + r.Q_CTRL, 1)
    await card.write(r.TXQ_BASE + r.Q_DOORBELL, 3)
    assert await card.completions(3) == [(0, i + 1, r.STATUS_DESC_ERR) for i in range(3)]
    await card.settle()
    assert card.frames() == []


@cocotb.test()
async def the_interrupt_is_one_shot_and_never_early(dut: Any) -> None:
    card = await Card(dut).start()
    card.ram.write_if.b_channel.pause = True
    await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, 0)
    card.post_packet([(0, bytes(60))], 1)
    await card.doorbell()
    await card.completions(1)
    await cycles(50)
    assert card.irqs == []
    assert await card.read(r.TXQ_BASE + r.Q_CPL_HEAD) == 0
    card.ram.write_if.b_channel.pause = False
    await card.settle()
    assert card.irqs == [1]
    card.post_packet([(0, bytes(60))], 2)
    await card.doorbell()
    await card.completions(1)
    await card.settle()
    assert card.irqs == [1]
    await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, 2)
    await card.settle()
    assert card.irqs == [1]
    await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, 1)
    await card.settle()
    assert card.irqs == [1, 1]
    assert await card.read(r.STAT_IRQS) == 2


@cocotb.test()
async def every_address_answers(dut: Any) -> None:
    card = await Card(dut).start()
    assert await card.read(r.ID) == r.ID_RST
    assert await card.read(r.MAX_FRAME) == 9600
    for hole in (
        0x038,
        0x0FC,
        0x200,
        0x3FFC,
        r.TXQ_BASE + 0x34,
        r.TXQ_BASE + 0xFC,
        r.RXQ_BASE,
        0xFFFC,
    ):
        await card.write(hole, 0xFFFFFFFF)
        assert await card.read(hole) == 0, hex(hole)
    await card.write(r.SCRATCH, 0x12345678)
    await card.mmio.write(r.SCRATCH, b"\xff\xff")
    assert await card.read(r.SCRATCH) == 0x12345678
    await card.write(r.TXQ_BASE + r.Q_DOORBELL, 65)
    assert await card.read(r.TXQ_BASE + r.Q_DOORBELL) == 0
    assert await card.read(r.STAT_DOORBELL_ERRS) == 1
    assert await card.read(r.TXQ_BASE + r.Q_IRQ_VECTOR) == 0


@cocotb.test()
async def a_soft_reset_in_flight_leaves_a_working_card(dut: Any) -> None:
    card = await Card(dut).start()
    card.stall(0.4)
    for delay in (1, 7, 20, 33, 60, 100, 170, 300):
        for i in range(12):
            card.post_packet([(i, card.rng.randbytes(300)), (3, card.rng.randbytes(90))], i)
        await card.doorbell()
        await cycles(delay)
        await card.write(r.CTRL, 1 << r.CTRL_RESET_LSB)
        while await card.read(r.CTRL):
            pass
        await card.settle()
        card.frames()
        card.ram.write(CPL_RING, bytes(r.TXC_BYTES << card.size_log2))
        await card.bring_up()
        await send_all(card, [[(1, card.rng.randbytes(77))], [(9, card.rng.randbytes(200))]])


@cocotb.test()
async def a_disabled_queue_finishes_what_it_was_given(dut: Any) -> None:
    card = await Card(dut).start()
    for i in range(9):
        card.post_packet([(i, bytes([i]) * 70)], i)
    await card.doorbell()
    await card.write(r.TXQ_BASE + r.Q_CTRL, 0)
    await card.settle()
    assert len(card.frames()) == 9
    assert await card.read(r.TXQ_BASE + r.Q_STATUS) == 0
    assert await card.read(r.TXQ_BASE + r.Q_HEAD) == 0


@cocotb.test()
async def it_works_with_a_clock_that_stops_when_idle(dut: Any) -> None:
    card = await Card(dut, gated=True).start()
    for i, size in enumerate((1, 60, 61, 64, 200, 1514)):
        card.irqs.clear()
        await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, i)
        card.post_packet([(i, bytes([i + 1]) * size)], i)
        await card.doorbell()
        await card.settle()
        assert card.completion() == (i, i + 1, r.STATUS_OK)
        assert card.frames() == [padded(bytes([i + 1]) * size)]
        assert card.irqs == [1]
        stopped_at = await card.read(r.CYCLE_LO)
        await cycles(1000)
        assert await card.read(r.CYCLE_LO) - stopped_at < 100


async def cycles_per_frame(card: Card, size: int, count: int) -> float:
    """Mean distance of start characters with a full ring."""
    for i in range(count):
        card.post_packet([(2, bytes(size))], i)
    await card.doorbell()
    await card.completions(count)
    await card.settle()
    starts = []
    while not card.sink.empty():
        starts.append(card.sink.recv_nowait().sim_time_sfd)
    return (starts[-1] - starts[count // 4]) / (count - 1 - count // 4) / (PERIOD_PS)


@cocotb.test()
async def full_rings_leave_no_more_than_the_gap(dut: Any) -> None:
    card = await Card(dut).start()
    wide = len(dut.m_axi_rdata) >= 128
    small = await cycles_per_frame(card, 60, 48)
    large = await cycles_per_frame(card, 1514, 24)
    dut._log.info("cycles a frame: %.2f of 60 bytes, %.2f of 1514 bytes", small, large)
    if wide:
        assert small <= (60 + 4 + 8 + 12) / 8 + 0.2
    assert (1514 + 24) / 8 - 0.2 <= large <= (1514 + 24) / 8 * (1.01 if wide else 1.2)


@cocotb.test()
async def the_way_of_one_frame_is_short(dut: Any) -> None:
    card = await Card(dut).start()
    card.post_packet([(0, bytes(60))], 7)
    cocotb.start_soon(card.doorbell())
    while not (dut.s_axil_wvalid.value and dut.s_axil_wready.value):
        await RisingEdge(dut.clk)
    cycles = 0
    while not dut.m_wire_cookie_valid.value:
        await RisingEdge(dut.clk)
        await ReadOnly()
        cycles += 1
    dut._log.info("doorbell to start character: %d cycles", cycles)
    assert cycles < 70
