"""The rings of a card under test, as a driver keeps them: descriptors, buffers, completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyhost.drivers.net.hnic import hnic_regs as r

if TYPE_CHECKING:
    from tests.hdl.card import Card

__all__ = ["RxCompletion", "RxRing", "TxCompletion", "TxRing", "descriptor", "field"]

QUEUE_BYTES = 0x8000
TX_AREA = 0x010000
RX_AREA = 0x110000
CPL_OFFSET = 0x4040
RING_OFFSET = 0x40  # 64-byte aligned only, so that a ring crosses 4 KiB at an odd place
INDEX = 0xFFFF


class TxCompletion(NamedTuple):
    """What a driver reads of a TX completion; `fault` is the index of the descriptor at fault."""

    cookie: int
    head: int
    status: int
    fault: int = 0


class RxCompletion(NamedTuple):
    """What a driver reads of an RX completion, and the frame as it lies in the buffers."""

    frame: bytes
    head: int
    status: int
    record: int

    def get(self, name: str) -> int:
        """The field `name` of the record."""
        return field(self.record, "RXC", name)


def field(record: int, prefix: str, name: str) -> int:
    """A field of a record, by its generated place."""
    lsb, width = getattr(r, f"{prefix}_{name}_LSB"), getattr(r, f"{prefix}_{name}_W")
    return int(record >> lsb & (1 << width) - 1)


def descriptor(
    addr: int,
    length: int,
    *,
    sop: bool,
    eop: bool,
    cookie: int,
    csum_at: tuple[int, int] | None = None,
    **fields: int,
) -> bytes:
    """One TX descriptor, packed by the generated places; `fields` by their names in lower case."""
    named = {"addr": addr, "len": length, "sop": int(sop), "eop": int(eop), "cookie": cookie}
    if csum_at is not None:
        named |= {"csum": 1, "csum_start": csum_at[0], "csum_offset": csum_at[1]}
    word = 0
    for name, value in (named | fields).items():
        word |= value << getattr(r, f"TXD_{name.upper()}_LSB")
    return word.to_bytes(r.TXD_BYTES, "little")


class _Ring:
    """What both directions have in common."""

    def __init__(
        self, card: Card, block: int, area: int, desc_bytes: int, cpl_bytes: int, size_log2: int
    ) -> None:
        self.card = card
        self.block = block
        self.ring = area + RING_OFFSET
        self.cpl_ring = area + CPL_OFFSET
        self.size_log2 = size_log2
        self.tail = 0
        self.consumed = 0
        self._desc_bytes = desc_bytes
        self._cpl_bytes = cpl_bytes

    @property
    def size(self) -> int:
        """Descriptors in the ring."""
        return 1 << self.size_log2

    async def start(self) -> None:
        """Tell the card of the rings and enable the queue."""
        card = self.card
        self.tail = self.consumed = 0
        bytes_in_all = self._cpl_bytes << self.size_log2
        card.ram.write(self.cpl_ring, bytes(bytes_in_all))
        card.may_write(self.cpl_ring, bytes_in_all)
        await self.write(r.Q_BASE_LO, self.ring)
        await self.write(r.Q_SIZE, self.size_log2)
        await self.write(r.Q_CPL_BASE_LO, self.cpl_ring)
        await self.write(r.Q_CPL_SIZE, self.size_log2)
        await self.write(r.Q_CTRL, 1 << r.Q_CTRL_ENABLE_LSB)

    async def reset(self) -> None:
        """Reset the queue and wait until it is done."""
        await self.write(r.Q_CTRL, 1 << r.Q_CTRL_RESET_LSB)
        while await self.read(r.Q_CTRL):
            pass

    async def write(self, register: int, value: int) -> None:
        """Write a register of the queue's block."""
        await self.card.write(self.block + register, value)

    async def read(self, register: int) -> int:
        """Read a register of the queue's block."""
        return await self.card.read(self.block + register)

    async def doorbell(self) -> None:
        """Give the card what was posted."""
        await self.write(r.Q_DOORBELL, self.tail)

    def post(self, desc: bytes) -> None:
        """Put one descriptor into the next slot."""
        place = self.ring + (self.tail & self.size - 1) * self._desc_bytes
        self.card.ram.write(place, desc)
        self.card.may_read(place, self._desc_bytes)
        self.tail = self.tail + 1 & INDEX

    def _record(self) -> int | None:
        """The next completion record, None while its phase bit says that it is not there."""
        slot = self.consumed & self.size - 1
        place = self.cpl_ring + slot * self._cpl_bytes
        raw = int.from_bytes(self.card.ram.read(place, self._cpl_bytes), "little")
        phase = raw >> (8 * self._cpl_bytes - 1)
        if phase == self.consumed >> self.size_log2 & 1:
            return None
        self.consumed = self.consumed + 1 & INDEX
        return raw


class TxRing(_Ring):
    """A transmit queue."""

    def __init__(self, card: Card, queue: int, size_log2: int = 6) -> None:
        area = TX_AREA + queue * QUEUE_BYTES
        block = r.TXQ_BASE + queue * r.TXQ_STRIDE
        super().__init__(card, block, area, r.TXD_BYTES, r.TXC_BYTES, size_log2)

    def post(self, desc: bytes) -> None:
        """Put one descriptor into the next slot; the card may read what it names."""
        super().post(desc)
        raw = int.from_bytes(desc, "little")
        self.card.may_read(field(raw, "TXD", "ADDR"), field(raw, "TXD", "LEN"))

    def post_packet(
        self,
        segments: Sequence[tuple[int, bytes]],
        cookie: int,
        csum_at: tuple[int, int] | None = None,
        **fields: int,
    ) -> None:
        """A packet of (misalignment, bytes) segments; `fields` stand in its first descriptor."""
        last = len(segments) - 1
        for i, (misalign, data) in enumerate(segments):
            addr = self.card.place(data, misalign)
            more = fields if i == 0 else {}
            asked = csum_at if i == 0 else None
            self.post(
                descriptor(
                    addr, len(data), sop=i == 0, eop=i == last, cookie=cookie, csum_at=asked, **more
                )
            )

    def completion(self) -> TxCompletion | None:
        """The next completion, if it is there."""
        raw = self._record()
        if raw is None:
            return None
        status = field(raw, "TXC", "STATUS")
        fault = field(raw, "TXC", "TIMESTAMP") if status else 0
        return TxCompletion(field(raw, "TXC", "COOKIE"), field(raw, "TXC", "HEAD"), status, fault)

    async def completions(self, count: int) -> list[TxCompletion]:
        """Wait for `count` completions."""
        found: list[TxCompletion] = []

        def enough() -> bool:
            while (entry := self.completion()) is not None:
                found.append(entry)
            return len(found) >= count

        await self.card.until(enough, lambda: f"{len(found)} of {count} completions")
        return found


class RxRing(_Ring):
    """A receive queue. Buffers are posted in ring order and remembered by index."""

    def __init__(self, card: Card, queue: int, size_log2: int = 6) -> None:
        area = RX_AREA + queue * QUEUE_BYTES
        block = r.RXQ_BASE + queue * r.RXQ_STRIDE
        super().__init__(card, block, area, r.RXD_BYTES, r.RXC_BYTES, size_log2)
        self._buffers: dict[int, tuple[int, int]] = {}
        self._head = 0

    async def start(self) -> None:
        """Tell the card of the rings and enable the queue."""
        self._buffers.clear()
        self._head = 0
        await super().start()

    def post_buffer(self, size: int, misalign: int = 0) -> None:
        """Give a buffer of `size` bytes at a fresh address."""
        addr = self.card.place(bytes(size), misalign)
        self.card.may_write(addr, size)
        self._buffers[self.tail] = addr, size
        word = (
            addr << r.RXD_ADDR_LSB | size << r.RXD_LEN_LSB | 0xB0000 + self.tail << r.RXD_BUF_ID_LSB
        )
        self.post(word.to_bytes(r.RXD_BYTES, "little"))

    def completion(self) -> RxCompletion | None:
        """The next completion with its frame, if it is there."""
        raw = self._record()
        if raw is None:
            return None
        head, length = field(raw, "RXC", "HEAD"), field(raw, "RXC", "LEN")
        used = field(raw, "RXC", "BUFS")
        assert head == self._head + used & INDEX
        assert not used or field(raw, "RXC", "BUF_ID") == 0xB0000 + self._head
        frame = b""
        for index in range(used):
            addr, size = self._buffers.pop(self._head + index & INDEX)
            frame += bytes(self.card.ram.read(addr, min(size, length - len(frame))))
            self.card.may_not_write(addr, size)
        self._head = head
        return RxCompletion(frame, head, field(raw, "RXC", "STATUS"), raw)

    async def completions(self, count: int) -> list[RxCompletion]:
        """Wait for `count` completions."""
        found: list[RxCompletion] = []

        def enough() -> bool:
            while (entry := self.completion()) is not None:
                found.append(entry)
            return len(found) >= count

        await self.card.until(enough, lambda: f"{len(found)} of {count} completions")
        return found
