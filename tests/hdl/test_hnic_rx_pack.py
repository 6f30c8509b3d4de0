"""Frames lie packed in the store, kept ones one behind the other, and nothing of the others."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSource, number, reset, run_module, seeded, start
from tests.hdl.rx import mac_words

ADDR_W, RECORDS = 5, 8
WORDS = 1 << ADDR_W
IDLE = {"in_valid": 0, "freed": 0, "released": 0}


@pytest.mark.parametrize("width", [64, 128, 512])
def test_frames_are_packed_and_kept_or_dropped(module_simulator: str, width: int) -> None:
    parameters = {"DATA_W": width, "ADDR_W": ADDR_W, "RECORDS": RECORDS, "USER_W": 8}
    run_module(__file__, module_simulator, parameters)


class Store:
    """The RAM, what is in it, and a reader that gives room back."""

    def __init__(self, dut: Any, rng: random.Random) -> None:
        self.dut = dut
        self.rng = rng
        self.lanes = len(dut.ram_wr_data) // 8
        self.memory = [b""] * WORDS
        self.held: list[bytes] = []  # frames sent and kept, not yet read
        self.freed = 0
        self.ends: list[tuple[int, int]] = []
        self.overflows = 0
        self.source = StreamSource(dut, "in", rng)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if dut.ram_wr_en.value:
                word = number(dut.ram_wr_data).to_bytes(self.lanes, "little")
                self.memory[int(dut.ram_wr_addr.value)] = word
            if dut.end_valid.value:
                self.ends.append((int(dut.end_keep.value), int(dut.end_user.value)))
            self.overflows += int(dut.stat_rx_overflow.value)

    async def send(self, frame: bytes, keep: bool, user: int) -> bool:
        """Whether it was kept."""
        self.ends.clear()
        await self.source.send(mac_words_of(frame, self.rng, keep, user))
        while not self.ends:
            await RisingEdge(self.dut.clk)
        ((kept, got),) = self.ends
        assert got == user
        if kept:
            assert keep
            self.held.append(frame)
        return bool(kept)

    async def read(self) -> None:
        """Check the oldest frame and free it."""
        frame = self.held.pop(0)
        size = -(-len(frame) // self.lanes)
        data = b"".join(self.memory[(self.freed + i) % WORDS] for i in range(size))
        assert data[: len(frame)] == frame
        self.freed += size
        self.dut.freed.value = self.freed % (2 * WORDS)
        self.dut.released.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.released.value = 0

    @property
    def room(self) -> int:
        return WORDS - sum(-(-len(frame) // self.lanes) for frame in self.held)


def mac_words_of(frame: bytes, rng: random.Random, keep: bool, user: int) -> list[dict[str, int]]:
    words = mac_words(frame, rng, keep=int(keep), user=user)
    return [{k: v for k, v in word.items() if k != "count"} for word in words]


@cocotb.test()
async def frames_fit_or_are_dropped_whole(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    store = Store(dut, rng)
    overflows = 0
    for user in range(80):
        frame = rng.randbytes(rng.randrange(1, store.lanes * 16))
        keep = rng.random() < 0.8
        fits = -(-len(frame) // store.lanes) <= store.room and len(store.held) < RECORDS
        assert await store.send(frame, keep, user) == (keep and fits)
        overflows += keep and not fits
        while store.held and rng.random() < 0.5:
            await store.read()
        await RisingEdge(dut.clk)
        assert bool(dut.status_empty.value) == (not store.held)
    await RisingEdge(dut.clk)
    assert store.overflows == overflows > 2


@cocotb.test()
async def the_last_word_of_room_is_used(dut: Any) -> None:
    """A frame as long as the store fits, one byte more does not; then it fits again."""
    rng = seeded()
    await start(dut, **IDLE)
    store = Store(dut, rng)
    whole = store.lanes * WORDS
    for size, fits in ((whole, True), (whole + 1, False), (whole - 1, True)):
        assert await store.send(rng.randbytes(size), True, 1) == fits
        assert not await store.send(b"a", True, 2) or not fits
        while store.held:
            await store.read()


@cocotb.test()
async def room_that_comes_too_late_does_not_save_a_frame(dut: Any) -> None:
    """A word of it is missing already; room that comes before any is missing does."""
    rng = seeded()
    await start(dut, **IDLE)
    store = Store(dut, rng)
    lanes = store.lanes // 8
    for late in (True, False):
        assert await store.send(rng.randbytes(store.lanes * WORDS), True, 1)
        frame = rng.randbytes(4 * store.lanes)
        items = mac_words_of(frame, rng, True, 2)
        cut = lanes if late else lanes - 1  # 64-bit words before room comes
        await store.source.send(items[:cut])
        await store.read()
        await RisingEdge(dut.clk)
        store.ends.clear()
        await store.source.send(items[cut:])
        while not store.ends:
            await RisingEdge(dut.clk)
        assert store.ends == [(int(not late), 2)]
    store.held.append(frame)
    await store.read()


@cocotb.test()
async def room_for_records_counts_too(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    store = Store(dut, rng)
    for user in range(RECORDS):
        assert await store.send(b"a", True, user)
    assert not await store.send(b"b", True, 99)
    await store.read()
    assert await store.send(b"c", True, 100)
    while store.held:
        await store.read()


@cocotb.test()
async def a_reset_within_a_frame_forgets_it(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    for cut in (1, 2, 5):
        source = StreamSource(dut, "in", rng)
        await source.send(mac_words_of(rng.randbytes(100), rng, True, 0)[:cut])
        await reset(dut, **IDLE)
        store = Store(dut, rng)
        assert await store.send(rng.randbytes(70), True, 5)
        await store.read()
        await reset(dut, **IDLE)
