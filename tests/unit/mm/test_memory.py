"""Page frames, slabs and page fragments, against simple models."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pyhost.kernel.bug import KernelBug
from pyhost.mm.memory import MAX_PAGE_ORDER, PAGE_SIZE, POISON_FREE, Memory, Page
from pyhost.mm.page_frag import PageFrag

RAM = 8 << 20


class BuddyMachine(RuleBasedStateMachine):
    """Allocate and free blocks at random: they never overlap, and nothing is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(RAM)
        self.pages: list[Page] = []

    @rule(order=st.integers(0, 6))
    def alloc(self, order: int) -> None:
        try:
            page = self.memory.alloc_pages(order)
        except MemoryError:
            return
        assert page.addr % page.size == 0
        assert page.size == PAGE_SIZE << order
        assert page.addr >= PAGE_SIZE, "frame 0 is never given out"
        assert page.addr + page.size <= RAM
        for other in self.pages:
            assert page.addr + page.size <= other.addr or other.addr + other.size <= page.addr
        self.pages.append(page)

    @precondition(lambda self: self.pages)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.pages) - 1))
        self.pages.pop(index).put()

    @invariant()
    def nothing_is_lost(self) -> None:
        free = sum(len(area) << order for order, area in enumerate(self.memory.free_area))
        assert self.memory.pages_in_use == sum(1 << page.order for page in self.pages)
        assert free + self.memory.pages_in_use == RAM // PAGE_SIZE - 1

    def teardown(self) -> None:
        fresh = [set(area) for area in Memory(RAM).free_area]
        for page in self.pages:
            page.put()
        assert [set(area) for area in self.memory.free_area] == fresh, "all buddies are joined"


BuddyMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
TestBuddy = BuddyMachine.TestCase


class TestPage:
    def test_the_last_put_frees(self) -> None:
        memory = Memory(RAM)
        page = memory.alloc_pages(2)
        page.get()
        page.put()
        assert memory.pages_in_use == 4
        page.put()
        assert memory.pages_in_use == 0
        with pytest.raises(KernelBug, match="free page"):
            page.put()
        with pytest.raises(KernelBug, match="free page"):
            page.get()

    def test_memory_runs_out(self) -> None:
        memory = Memory(RAM)
        memory.alloc_pages(MAX_PAGE_ORDER)
        with pytest.raises(MemoryError):
            memory.alloc_pages(MAX_PAGE_ORDER)
        assert memory.alloc_pages(MAX_PAGE_ORDER - 1).addr == RAM // 4

    def test_an_odd_amount_of_ram_is_refused(self) -> None:
        with pytest.raises(ValueError, match="multiple"):
            Memory(RAM + PAGE_SIZE)


class TestSlab:
    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.booleans(), st.integers(1, 40_000)), max_size=60))
    def test_kmalloc_gives_blocks_that_do_not_overlap(
        self, actions: list[tuple[bool, int]]
    ) -> None:
        memory = Memory(RAM)
        held: dict[int, int] = {}
        for free, size in actions:
            if free and held:
                addr = sorted(held)[size % len(held)]
                memory.kfree(addr)
                del held[addr]
                continue
            addr = memory.kmalloc(size)
            for other, length in held.items():
                assert addr + size <= other or other + length <= addr
            held[addr] = size
            memory.buf[addr : addr + size] = bytes(size)
        assert memory.kmalloc_in_use == len(held)

    def test_freed_memory_is_poisoned(self) -> None:
        memory = Memory(RAM)
        addr = memory.kmalloc(100)
        memory.buf[addr : addr + 100] = bytes(100)
        memory.kfree(addr)
        assert bytes(memory.buf[addr : addr + 100]) == bytes([POISON_FREE]) * 100

    def test_freeing_twice_or_what_was_never_given_is_a_bug(self) -> None:
        memory = Memory(RAM)
        addr = memory.kmalloc(10)
        memory.kfree(addr)
        for what in (addr, addr + 1, 0):
            with pytest.raises(KernelBug, match="kfree"):
                memory.kfree(what)
        cache = memory.kmem_cache_create("things", 100)
        thing = cache.alloc()
        cache.free(thing)
        with pytest.raises(KernelBug, match="things"):
            cache.free(thing)

    def test_objects_of_a_cache_lie_on_cache_lines(self) -> None:
        cache = Memory(RAM).kmem_cache_create("things", 100)
        assert cache.size == 128
        assert all(cache.alloc() % 64 == 0 for _ in range(500))
        assert len(cache.in_use) == 500


class TestPageFrag:
    def test_a_block_is_used_again_when_nobody_else_has_it(self) -> None:
        memory = Memory(RAM)
        frag = PageFrag(memory)
        assert frag.refill(32)
        page = frag.page
        assert page is not None
        assert (frag.offset, frag.size) == (0, 32768)
        frag.offset = 32768
        assert frag.refill(1)
        assert (frag.page, frag.offset) == (page, 0)
        page.get()
        frag.offset = 32000
        assert frag.refill(768)
        assert (frag.page, frag.offset) == (page, 32000)
        assert frag.refill(769)
        assert frag.page is not page
        assert page.refcount == 1
        frag.release()
        page.put()
        assert memory.pages_in_use == 0

    def test_short_memory_gives_single_pages_then_nothing(self) -> None:
        memory = Memory(RAM)
        held = []
        while memory.free_area[MAX_PAGE_ORDER]:
            held.append(memory.alloc_pages(MAX_PAGE_ORDER))
        for order in range(MAX_PAGE_ORDER - 1, 2, -1):
            while memory.free_area[order]:
                held.append(memory.alloc_pages(order))
        frag = PageFrag(memory)
        assert frag.refill(32)
        assert frag.size == PAGE_SIZE
        assert frag.page is not None
        frag.page.get()
        frag.offset = PAGE_SIZE
        assert not frag.refill(PAGE_SIZE + 1), "a page is all there is"
        while memory.pages_in_use < RAM // PAGE_SIZE - 1:
            held.append(memory.alloc_pages())
        frag.release()
        held.append(memory.alloc_pages())
        assert not frag.refill(1)
