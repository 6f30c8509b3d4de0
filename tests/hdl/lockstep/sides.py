"""The two that are played the same steps: the Verilog card and its Python model."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest.mock import patch

from cocotbext.eth import XgmiiFrame

from pyhost.bus.master import BusError
from pyhost.drivers.net.hnic_model import card as model_card
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.trace import Tracer
from tests.hdl.card import BAD, RAM_BYTES, Card, cycles
from tests.hdl.lockstep.scenario import Action, Frame, Poke, Reset, Settle, Write

__all__ = ["ModelSide", "RtlSide"]

RATE_BPS = 10_000_000_000
QUEUE_SHIFT = 24
"""The queue in a packet's cookie."""
READ, WRITE = 1, 2
PATIENCE = 250_000
"""How often eight cycles are waited for the card to come to rest."""
WIRE_EXTRA = 24
"""Bytes of preamble, FCS and gap."""

Sent = dict[int, list[tuple[int, bytes]]]
"""Frames of each queue, with their cookies."""


class _Side:
    """What both have in common: the wire's end, interrupts by vector."""

    def __init__(self) -> None:
        self.sent: Sent = {}
        self.irqs: Counter[int] = Counter()

    def keep(self, frame: bytes, cookie: int) -> None:
        """A frame has left."""
        self.sent.setdefault(cookie >> QUEUE_SHIFT, []).append((cookie, frame))

    def take_sent(self) -> Sent:
        """What has left since the last call."""
        sent, self.sent = self.sent, {}
        return sent

    def take_irqs(self) -> Counter[int]:
        """Interrupts since the last call, by vector."""
        irqs, self.irqs = self.irqs, Counter()
        return irqs


# -- the Verilog card ------------------------------------------------------------------------------


class _KeyedFrame(XgmiiFrame):  # type: ignore[misc]
    """A frame that puts its key on the side-band as it begins."""

    begin: Any = None

    def normalize(self) -> None:
        super().normalize()
        if self.begin is not None:
            self.begin()


class _QuietCard(Card):
    """The card as it comes out of reset: nothing is started."""

    async def bring_up(self) -> None:
        pass

    async def settle(self) -> None:
        """Until nothing is in flight, which may take long behind a rate limit."""
        await cycles(8)
        for _ in range(PATIENCE):
            if self._quiet():
                return
            await cycles(8)
        raise AssertionError("the card stays busy")


class RtlSide(_Side):
    """The Verilog card, its memory and its wire."""

    def __init__(self, dut: Any, stall: float, latency: int) -> None:
        super().__init__()
        self._dut = dut
        self._stall = stall
        self.card = _QuietCard(dut, latency=latency)

    async def start(self) -> bytes:
        """Out of reset; the memory's content."""
        await self.card.start()
        if self._stall:
            self.card.stall(self._stall)
        return bytes(self.card.ram.read(0, RAM_BYTES))

    async def play(self, actions: list[Action]) -> None:
        """One step."""
        card = self.card
        for action in actions:
            match action:
                case Poke(addr, data, grant, size):
                    card.ram.write(addr, data[: RAM_BYTES - addr])
                    _permit(card.allowed, addr, size or len(data), grant)
                case Write(offset, value):
                    await card.write(offset, value)
                case Frame():
                    await self._receive(action)
                case Settle():
                    await card.settle()
                case Reset(offset):
                    await card.write(offset, 2)
                    while await card.read(offset) & 2:
                        pass
        await card.settle()
        frames = card.frames()
        assert len(frames) == len(card.cookies), (len(frames), card.cookies)
        for frame, cookie in zip(frames, card.cookies, strict=True):
            self.keep(frame, cookie)
        for mask in card.irqs:
            self.irqs.update(vector for vector in range(mask.bit_length()) if mask >> vector & 1)
        card.cookies.clear()
        card.irqs.clear()

    async def _receive(self, frame: Frame) -> None:
        wire = _KeyedFrame.from_payload(frame.data, min_len=0)
        if not frame.good:
            wire.data[-1] ^= 0x10
        dut = self._dut

        def begin() -> None:
            dut.s_wire_cookie.value = frame.key

        wire.begin = begin
        source = self.card.source
        source.send_nowait(wire)
        # It has queued a copy, which does not know when it begins.
        source.queue._queue[-1] = wire

    async def read(self, offset: int) -> int:
        """A register."""
        return await self.card.read(offset)

    def memory(self) -> bytes:
        """All of it."""
        return bytes(self.card.ram.read(0, RAM_BYTES))


# -- the model -------------------------------------------------------------------------------------


class _Memory:
    """Host memory in place of the model's bus master: the last page does not answer, the rest is
    checked to the byte.
    """

    def __init__(self) -> None:
        self.data = bytearray(RAM_BYTES)
        self.allowed = bytearray(RAM_BYTES)

    def read(self, addr: int, length: int) -> bytes:
        """BusMaster.read."""
        self._check(addr, length, READ)
        if addr + length > BAD:
            raise BusError(f"read of {length} bytes at {addr:#x}")
        return bytes(self.data[addr : addr + length])

    def write(self, addr: int, data: bytes) -> None:
        """BusMaster.write: what there is memory for is written."""
        self._check(addr, len(data), WRITE)
        end = min(addr + len(data), BAD)
        if addr < end:
            self.data[addr:end] = data[: end - addr]
        if addr + len(data) > BAD:
            raise BusError(f"write of {len(data)} bytes at {addr:#x}")

    def _check(self, addr: int, length: int, what: int) -> None:
        end = min(addr + length, BAD)
        if addr < end:
            assert self.allowed[addr:end].count(what) == end - addr, (
                f"{'read' if what == READ else 'write'} of {addr:#x}, {length} bytes"
            )


class _Irqs:
    """Interrupt numbers that are vectors."""

    def __init__(self, fired: Counter[int]) -> None:
        self._next = -1
        self.fired = fired

    def alloc_irq(self) -> int:
        self._next += 1
        return self._next

    def raise_irq(self, number: int) -> None:
        self.fired[number] += 1


class _Machine:
    """As much of a kernel as a card in its slot needs."""

    def __init__(self, clock: VirtualClock, fired: Counter[int]) -> None:
        self.irq = _Irqs(fired)
        self.trace = Tracer(clock)
        self.mem = None


class ModelSide(_Side):
    """The model on a virtual clock; memory is an array of bytes."""

    PACE_NS = 60
    """Between two actions of the driver."""

    def __init__(self, image: bytes, mac: bytes, tx_queues: int, rx_queues: int) -> None:
        super().__init__()
        self._clock = VirtualClock()
        self._memory = _Memory()
        self._memory.data[:] = image
        self._machine = _Machine(self._clock, self.irqs)
        self.receive: Any = None
        with (
            patch.object(model_card, "BusMaster", lambda dma: self._memory),
            patch("pyhost.bus.device.DmaDevice"),
        ):
            self.card = model_card.HnicModel(
                self._machine,  # type: ignore[arg-type]
                self._clock, self, mac, RATE_BPS, tx_queues, rx_queues,
            )  # fmt: skip

    def transmit(self, frame: bytes, key: int) -> None:
        """WirePort.transmit."""
        self.keep(bytes(frame), key)

    def play(self, actions: list[Action]) -> None:
        """One step."""
        clock, card, memory = self._clock, self.card, self._memory
        for action in actions:
            match action:
                case Poke(addr, data, grant, size):
                    data = data[: RAM_BYTES - addr]
                    memory.data[addr : addr + len(data)] = data
                    _permit(memory.allowed, addr, size or len(data), grant)
                case Write(offset, value):
                    card.write(offset, value)
                case Frame(data, key, good):
                    clock.run(clock.now + (len(data) + WIRE_EXTRA) * 8 // 10)
                    card.rx.mac.receive(data, key, good)
                case Settle():
                    clock.run()
                case Reset(offset):
                    card.write(offset, 2)
                    while card.register(offset) & 2:
                        clock.run(clock.now + self.PACE_NS)
            clock.run(clock.now + self.PACE_NS)
        clock.run()

    def take_irqs(self) -> Counter[int]:
        """Interrupts since the last call, by vector."""
        irqs = super().take_irqs()
        self._machine.irq.fired = self.irqs
        return irqs

    def read(self, offset: int) -> int:
        """A register."""
        return self.card.register(offset)

    def memory(self) -> bytes:
        """All of it."""
        return bytes(self._memory.data)

    def copy(self, memory: bytes, span: range) -> None:
        """Take over what the other side has in its memory."""
        self._memory.data[span.start : span.stop] = memory[span.start : span.stop]


def _permit(allowed: bytearray, addr: int, size: int, grant: str) -> None:
    what = {"": 0, "r": READ, "w": WRITE}[grant]
    size = min(size, RAM_BYTES - addr)
    allowed[addr : addr + size] = bytes([what]) * size
