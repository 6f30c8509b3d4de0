"""User address spaces and iov_iter, against a model that is a dict of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhost.kernel.bug import KernelBug
from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.mm.memory import PAGE_SIZE, Memory
from pyhost.mm.mmap import (
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    TASK_SIZE_MAX,
    MmStruct,
    access_ok,
)

RAM = 16 << 20


@pytest.fixture
def memory() -> Memory:
    return Memory(RAM)


class TestAddressSpace:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(1, 5 << 20), min_size=1, max_size=2), st.data())
    def test_every_byte_of_a_mapping_and_none_behind_it(
        self, sizes: list[int], data: st.DataObject
    ) -> None:
        memory = Memory(RAM)
        mm = MmStruct(memory)
        for size in sizes:
            start = mm.mmap(size)
            offset = data.draw(st.integers(0, size - 1))
            length = data.draw(st.integers(1, min(size - offset, 10_000)))
            content = bytes(i % 253 + 1 for i in range(length))
            assert mm.read(start + offset, length) == bytes(length), "mapped memory is zero"
            mm.write(start + offset, content)
            assert mm.read(start + offset, length) == content
            end = start + (size + PAGE_SIZE - 1) // PAGE_SIZE * PAGE_SIZE
            assert mm.get_user(end - 1, 1) == mm.read(end - 1, 1)
            assert mm.get_user(end, 1) is None, "a guard page follows"
            assert mm.get_user(end - 1, 2) is None
        mm.release()
        assert memory.pages_in_use == 0

    def test_protection_is_kept_per_page(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        start = mm.mmap(4 * PAGE_SIZE)
        content = bytes(i % 251 for i in range(4 * PAGE_SIZE))
        mm.write(start, content)
        mm.mprotect(start + PAGE_SIZE, PAGE_SIZE, PROT_READ)
        mm.mprotect(start + 2 * PAGE_SIZE, PAGE_SIZE, PROT_NONE)
        assert mm.read(start, 2 * PAGE_SIZE) == content[: 2 * PAGE_SIZE]
        assert mm.put_user(start + PAGE_SIZE - 1, b"x")
        assert not mm.put_user(start + PAGE_SIZE, b"x")
        assert mm.get_user(start + 2 * PAGE_SIZE, 1) is None
        assert mm.read(start + 3 * PAGE_SIZE, PAGE_SIZE) == content[3 * PAGE_SIZE :]
        mm.mprotect(start, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE)
        assert mm.read(start, 4 * PAGE_SIZE)[PAGE_SIZE:] == content[PAGE_SIZE:]
        mm.munmap(start, 4 * PAGE_SIZE)
        assert memory.pages_in_use == 0

    def test_the_copies_say_what_they_could_not_copy(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        start = mm.mmap(PAGE_SIZE)
        kernel = memory.kmalloc(8192)
        assert mm.copy_to_user(start + 4000, kernel, 200) == 104
        assert mm.copy_from_user(kernel, start + 4000, 200) == 104
        assert mm.copy_from_user(kernel, TASK_SIZE_MAX - 1, 2) == 2
        assert mm.copy_to_user(start, kernel, 4096) == 0
        assert memory.copy_to_user_bytes == 96 + 4096
        assert memory.copy_from_user_bytes == 96

    def test_a_program_that_touches_what_it_has_not_is_stopped(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        with pytest.raises(MemoryError, match="segmentation fault"):
            mm.write(4096, b"x")
        with pytest.raises(MemoryError, match="segmentation fault"):
            mm.read(4096, 1)

    @pytest.mark.parametrize(
        ("addr", "size", "fine"),
        [
            (0, 0, True),
            (0, TASK_SIZE_MAX, True),
            (1, TASK_SIZE_MAX, False),
            (TASK_SIZE_MAX, 0, True),
            (TASK_SIZE_MAX, 1, False),
            (-1, 1, False),
            (5, -1, False),
            (1 << 63, 1, False),
        ],
    )
    def test_access_ok_looks_at_the_range_alone(self, addr: int, size: int, fine: bool) -> None:
        assert access_ok(addr, size) is fine


segments = st.lists(st.integers(0, 9000), min_size=1, max_size=5)


class TestIovIter:
    @settings(max_examples=60, deadline=None)
    @given(segments, st.lists(st.tuples(st.booleans(), st.integers(0, 6000)), max_size=12))
    def test_source_against_a_plain_string(
        self, lengths: list[int], steps: list[tuple[bool, int]]
    ) -> None:
        """Copies, skips and reverts give what slicing the joined buffers gives."""
        memory = Memory(RAM)
        mm = MmStruct(memory)
        whole = b""
        vector = []
        for number, length in enumerate(lengths):
            addr = mm.mmap(max(1, length))
            content = bytes((i * 31 + number * 17) % 256 for i in range(length))
            mm.write(addr, content)
            vector.append((addr, length))
            whole += content
        it = IovIter.iovec(ITER_SOURCE, mm, vector)
        kernel = memory.kmalloc(8192)
        at = 0
        for copy, size in steps:
            if copy:
                got = it.copy_from_iter(kernel, size)
                assert bytes(memory.buf[kernel : kernel + got]) == whole[at : at + size]
                at += got
            elif size % 2:
                back = min(size, at)
                it.revert(back)
                at -= back
            else:
                size = min(size, it.count)
                it.advance(size)
                at += size
            assert it.count == len(whole) - at

    @settings(max_examples=40, deadline=None)
    @given(segments, st.integers(1, 5000))
    def test_destination_against_a_plain_string(self, lengths: list[int], chunk: int) -> None:
        memory = Memory(RAM)
        mm = MmStruct(memory)
        vector = [(mm.mmap(max(1, length)), length) for length in lengths]
        whole = bytes(i * 7 % 256 for i in range(sum(lengths)))
        kernel = memory.kmalloc(8192)
        it = IovIter.iovec(ITER_DEST, mm, vector)
        done = 0
        while it.count:
            part = whole[done : done + chunk]
            memory.buf[kernel : kernel + len(part)] = part
            assert it.copy_to_iter(kernel, len(part)) == len(part)
            done += len(part)
        assert b"".join(mm.read(addr, length) for addr, length in vector if length) == whole

    def test_a_fault_makes_the_copy_short(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        addr = mm.mmap(PAGE_SIZE)
        kernel = memory.kmalloc(8192)
        it = IovIter.ubuf(ITER_SOURCE, mm, addr + 4000, 200)
        assert it.copy_from_iter(kernel, 200) == 96
        assert it.count == 104
        assert it.copy_from_iter(kernel, 200) == 0

    def test_the_full_copies_take_all_or_stay_where_they_were(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        addr = mm.mmap(PAGE_SIZE)
        mm.write(addr + 4000, b"z" * 96)
        kernel = memory.kmalloc(8192)
        it = IovIter.ubuf(ITER_SOURCE, mm, addr + 4000, 200)
        for copy in (it.copy_from_iter_full, it.copy_from_iter_full_nocache):
            assert not copy(kernel, 200)
            assert it.count == 200
            assert copy(kernel, 96)
            assert bytes(memory.buf[kernel : kernel + 96]) == b"z" * 96
            it.revert(96)

    @pytest.mark.claim("S25")
    def test_copies_past_the_cache_are_counted_apart(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        it = IovIter.ubuf(ITER_SOURCE, mm, mm.mmap(1000), 1000)
        kernel = memory.kmalloc(1000)
        it.copy_from_iter(kernel, 300)
        it.copy_from_iter_nocache(kernel, 500)
        assert (memory.copy_from_user_bytes, memory.copy_nocache_bytes) == (300, 500)

    def test_a_kernel_address_is_a_fault(self, memory: Memory) -> None:
        it = IovIter.ubuf(ITER_SOURCE, MmStruct(memory), TASK_SIZE_MAX - 10, 20)
        assert it.copy_from_iter(memory.kmalloc(100), 20) == 0

    def test_pages_come_with_a_reference_each(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        addr = mm.mmap(3 * PAGE_SIZE)
        it = IovIter.ubuf(ITER_SOURCE, mm, addr + 100, 2 * PAGE_SIZE)
        pieces = it.extract_pages(5000, 8)
        assert sum(length for _, _, length in pieces) == 5000
        assert it.count == 2 * PAGE_SIZE - 5000
        before = memory.pages_in_use
        mm.release()
        assert memory.pages_in_use == before, "the references keep the pages"
        for page, _, _ in pieces:
            page.put()
        assert memory.pages_in_use == 0

    def test_bvecs_hand_out_their_own_pages(self, memory: Memory) -> None:
        pages = [memory.alloc_pages() for _ in range(3)]
        it = IovIter.bvec(ITER_SOURCE, memory, [(page, 10, 100) for page in pages])
        it.advance(150)
        assert it.extract_pages(1000, 1) == [(pages[1], 60, 50)]
        assert it.extract_pages(30, 8) == [(pages[2], 10, 30)]
        assert [page.refcount for page in pages] == [1, 2, 2]
        assert it.count == 70

    def test_misuse_is_a_bug(self, memory: Memory) -> None:
        mm = MmStruct(memory)
        it = IovIter.ubuf(ITER_SOURCE, mm, mm.mmap(10), 10)
        with pytest.raises(KernelBug, match="advance"):
            it.advance(11)
        with pytest.raises(KernelBug, match="direction"):
            it.copy_to_iter(0, 1)
        with pytest.raises(KernelBug, match="revert"):
            it.revert(1)
