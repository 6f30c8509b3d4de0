"""The geometry and the life of an sk_buff."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhost.kernel.bug import KernelBug, KernelPanic
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.mm.memory import PAGE_SIZE
from pyhost.net.core.checksum import csum_bytes
from pyhost.net.core.skb_shared_info import SKBFL_SHARED_FRAG
from pyhost.net.core.skbuff import (
    CHECKSUM_NONE,
    CHECKSUM_PARTIAL,
    MAX_SKB_FRAGS,
    SKB_SHINFO_SIZE,
    SKB_SMALL_HEAD_SIZE,
    SKB_STRUCT_SIZE,
    SkbPool,
    SkbSharedInfo,
    SkBuff,
    alloc_skb,
    consume_skb,
    kfree_skb_reason,
    skb_truesize,
)


def make_pool() -> SkbPool:
    return SkbPool(Kernel(VirtualClock(), ram_bytes=16 << 20))


@pytest.fixture
def pool() -> Iterator[SkbPool]:
    """A pool that must be as it was when the test ends: no skb, no head, no page more."""
    pool = make_pool()
    pages = pool.memory.pages_in_use
    yield pool
    assert pool.alive == 0
    assert not pool.small_heads.in_use
    assert pool.memory.kmalloc_in_use == 0
    slab_pages = pool.memory.pages_in_use - pages
    assert slab_pages % 8 == 0, "a page leaked"


def new_skb(pool: SkbPool, size: int = 256, reserve: int = 64) -> SkBuff:
    skb = alloc_skb(pool, size)
    assert skb is not None
    skb.reserve(reserve)
    return skb


def add_frag(skb: SkBuff, data: bytes, offset: int = 0) -> None:
    page = skb.pool.memory.alloc_pages()
    start = page.addr + offset
    skb.buf[start : start + len(data)] = data
    skb.add_rx_frag(page, offset, len(data), len(data))


def geometry_holds(skb: SkBuff) -> bool:
    shinfo = skb.shinfo
    paged = sum(frag.size for frag in shinfo.frags) + sum(
        part.len for part in shinfo.frag_list or ()
    )
    return (
        skb.head <= skb.data <= skb.tail <= skb.end
        and skb.data_len == paged
        and skb.len == skb.tail - skb.data + skb.data_len
        and skb.headlen == skb.tail - skb.data
        and skb.headroom == skb.data - skb.head
        and skb.tailroom == (0 if skb.data_len else skb.end - skb.tail)
    )


# -- S13, S14: geometry --------------------------------------------------------------------------


@pytest.mark.claim("S13")
def test_a_new_skb_is_empty_and_all_tailroom(pool: SkbPool) -> None:
    skb = alloc_skb(pool, 512)
    assert skb is not None
    assert (skb.head, skb.data, skb.tail) == (skb.head,) * 3
    assert (skb.len, skb.data_len, skb.headroom, skb.tailroom) == (0, 0, 0, 512)
    assert skb.end == skb.head + 512
    consume_skb(skb)


@pytest.mark.claim("S14")
def test_the_worked_example_of_the_source_text() -> None:
    pool = make_pool()
    head = 0x1000
    shinfo = SkbSharedInfo(head + 0x800, 4096)
    skb = SkBuff(pool, head, 0x800, shinfo, skb_truesize(0x800), key=1)
    skb.reserve(128)
    assert skb.data == skb.tail == 0x1080
    assert skb.put(100) == 0x1080
    assert skb.tail == 0x10E4
    assert skb.push(20) == 0x106C
    assert (skb.head, skb.data, skb.tail, skb.end) == (0x1000, 0x106C, 0x10E4, 0x1800)
    assert skb.len == 120


@pytest.mark.claim("S14")
def test_the_worked_example_on_allocated_memory(pool: SkbPool) -> None:
    skb = alloc_skb(pool, 2048)
    assert skb is not None
    skb.reserve(128)
    skb.put(100)
    skb.push(20)
    offsets = [at - skb.head for at in (skb.data, skb.tail, skb.end)]
    assert offsets == [0x6C, 0xE4, 0x800]
    assert skb.len == 120
    consume_skb(skb)


@pytest.mark.claim("S13")
def test_data_len_counts_what_is_not_linear(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"head")
    add_frag(skb, b"x" * 1000)
    assert (skb.len, skb.data_len, skb.headlen) == (1004, 1000, 4)
    assert skb.tailroom == 0
    assert geometry_holds(skb)
    consume_skb(skb)


# -- S15: O(1), and panics -----------------------------------------------------------------------


@pytest.mark.claim("S15")
def test_push_and_pull_move_no_byte(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(bytes(range(100)))
    before = bytes(skb.buf[skb.head : skb.end])
    skb.push(40)
    skb.pull(60)
    skb.push(20)
    assert bytes(skb.buf[skb.head : skb.end]) == before
    assert skb.to_bytes() == bytes(range(100))
    consume_skb(skb)


@pytest.mark.claim("S15")
def test_push_beyond_the_headroom_panics(pool: SkbPool) -> None:
    skb = new_skb(pool, reserve=16)
    skb.push(16)
    with pytest.raises(KernelPanic, match="skb_under_panic"):
        skb.push(1)
    consume_skb(skb)


@pytest.mark.claim("S15")
def test_put_beyond_the_tailroom_panics(pool: SkbPool) -> None:
    skb = new_skb(pool, size=128, reserve=0)
    skb.put(128)
    with pytest.raises(KernelPanic, match="skb_over_panic"):
        skb.put(1)
    consume_skb(skb)


def test_put_on_a_nonlinear_skb_is_a_bug(pool: SkbPool) -> None:
    skb = new_skb(pool)
    add_frag(skb, b"data")
    with pytest.raises(KernelBug, match="nonlinear"):
        skb.put(1)
    consume_skb(skb)


def test_pull_of_more_than_there_is_gives_none_and_changes_nothing(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"abcd")
    assert skb.pull(5) is None
    assert skb.to_bytes() == b"abcd"
    consume_skb(skb)


def test_pull_into_the_frags_is_a_bug(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"abcd")
    add_frag(skb, b"efgh")
    with pytest.raises(KernelBug, match="skb_pull"):
        skb.pull(5)
    consume_skb(skb)


# -- S16: shared info ----------------------------------------------------------------------------


@pytest.mark.claim("S16")
def test_shared_info_lies_at_end(pool: SkbPool) -> None:
    for size in (64, 384, 448, 2048):
        skb = alloc_skb(pool, size)
        assert skb is not None
        assert skb.shinfo.addr == skb.end == skb.head + size
        assert skb.shinfo.head_size >= size + SKB_SHINFO_SIZE
        consume_skb(skb)


@pytest.mark.claim("S16")
def test_shared_info_lists_frags_and_gso_fields(pool: SkbPool) -> None:
    skb = new_skb(pool)
    add_frag(skb, b"first", offset=7)
    add_frag(skb, b"second", offset=4000)
    skb.shinfo.gso_size, skb.shinfo.gso_segs, skb.shinfo.gso_type = 1448, 2, 1
    frags = [(frag.offset, frag.size) for frag in skb.shinfo.frags]
    assert skb.shinfo.nr_frags == 2
    assert frags == [(7, 5), (4000, 6)]
    assert skb.shinfo.frags[0].addr == skb.shinfo.frags[0].page.addr + 7
    twin = skb.clone()
    assert twin.shinfo is skb.shinfo
    consume_skb(twin)
    consume_skb(skb)


@pytest.mark.claim("S16")
def test_frag_list_counts_as_data_and_is_freed_with_the_skb(pool: SkbPool) -> None:
    skb, part = new_skb(pool), new_skb(pool)
    skb.put_data(b"head")
    part.put_data(b"tail")
    skb.shinfo.frag_list = [part]
    skb.len += part.len
    skb.data_len += part.len
    assert geometry_holds(skb)
    assert skb.to_bytes() == b"headtail"
    consume_skb(skb)


def test_the_eighteenth_frag_is_a_bug(pool: SkbPool) -> None:
    skb = new_skb(pool)
    for _ in range(MAX_SKB_FRAGS):
        add_frag(skb, b"x")
    page = pool.memory.alloc_pages()
    with pytest.raises(KernelBug, match="17 frags"):
        skb.fill_page_desc(page, 0, 1)
    page.put()
    consume_skb(skb)


def test_only_bytes_that_go_on_in_the_same_page_coalesce(pool: SkbPool) -> None:
    skb = new_skb(pool)
    other = pool.memory.alloc_pages()
    assert not skb.can_coalesce(other, 0)
    add_frag(skb, b"abc", offset=10)
    page = skb.shinfo.frags[0].page
    assert skb.can_coalesce(page, 13)
    assert not skb.can_coalesce(page, 14)
    assert not skb.can_coalesce(other, 13)
    other.put()
    consume_skb(skb)


# -- truesize ------------------------------------------------------------------------------------


def test_truesize_is_the_block_and_the_struct(pool: SkbPool) -> None:
    small, large = alloc_skb(pool, 320), alloc_skb(pool, 1500)
    assert small is not None
    assert large is not None
    assert small.truesize == SKB_SMALL_HEAD_SIZE + SKB_STRUCT_SIZE == 960
    assert large.truesize == 2048 + SKB_STRUCT_SIZE
    assert skb_truesize(256) == 832
    consume_skb(small)
    consume_skb(large)


def test_alloc_returns_none_when_memory_is_short() -> None:
    pool = make_pool()
    blocks = []
    while True:
        skb = alloc_skb(pool, 2 << 20)
        if skb is None:
            break
        blocks.append(skb)
    assert 0 < len(blocks) < 8
    assert pool.alive == len(blocks)


# -- clones and copies ---------------------------------------------------------------------------


def test_a_clone_shares_the_bytes_and_has_no_owner(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"shared")
    freed: list[int] = []
    skb.destructor = lambda dying: freed.append(dying.key)
    twin = skb.clone()
    assert (twin.head, twin.data, twin.len, twin.key) == (skb.head, skb.data, 6, skb.key)
    assert twin.destructor is None
    assert twin.sk is None
    assert skb.is_cloned()
    assert twin.is_cloned()
    skb.buf[skb.data] = ord("S")
    assert twin.to_bytes() == b"Shared"
    consume_skb(skb)
    assert freed == [twin.key]
    assert not twin.is_cloned()
    assert twin.to_bytes() == b"Shared"
    consume_skb(twin)


def test_moving_data_in_a_clone_leaves_the_original(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"abcdef")
    twin = skb.clone()
    twin.push(14)
    twin.pull(16)
    assert (skb.to_bytes(), twin.to_bytes()) == (b"abcdef", b"cdef")
    consume_skb(twin)
    consume_skb(skb)


def test_a_copy_has_its_own_head_and_the_same_pages(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"head")
    skb.reset_network_header()
    add_frag(skb, b"page")
    copy = skb.pskb_copy()
    assert copy is not None
    page = skb.shinfo.frags[0].page
    assert page.refcount == 2
    assert copy.shinfo is not skb.shinfo
    assert copy.network_header - copy.data == skb.network_header - skb.data
    copy.buf[copy.data] = ord("H")
    assert (skb.to_bytes(), copy.to_bytes()) == (b"headpage", b"Headpage")
    assert geometry_holds(copy)
    consume_skb(skb)
    assert page.refcount == 1
    consume_skb(copy)
    assert page.refcount == 0


def test_expand_head_keeps_bytes_headers_and_frags(pool: SkbPool) -> None:
    skb = new_skb(pool, size=64, reserve=16)
    skb.put_data(b"0123456789")
    skb.transport_header = skb.data + 4
    skb.csum_start = skb.transport_header
    add_frag(skb, b"page")
    twin = skb.clone()
    skb.expand_head(100, 200)
    assert skb.to_bytes() == twin.to_bytes() == b"0123456789page"
    assert skb.headroom == 116
    assert skb.end - skb.tail >= 200
    assert skb.transport_header - skb.data == skb.csum_start - skb.data == 4
    assert not skb.is_cloned()
    assert not twin.is_cloned()
    assert geometry_holds(skb)
    consume_skb(twin)
    consume_skb(skb)


def test_pulling_into_a_frag_list_that_a_clone_shares_leaves_the_clone_alone(pool: SkbPool) -> None:
    skb = build(pool, b"head", [], [b"abcdef"])
    twin = skb.clone()
    assert skb.may_pull(6)
    assert twin.to_bytes() == skb.to_bytes() == b"headabcdef"
    consume_skb(twin)
    consume_skb(skb)


def test_a_clone_may_write_headers_once_the_original_has_promised_not_to(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.header_release()
    twin = skb.clone()
    assert (twin.header_cloned(), twin.is_cloned()) == (False, True)
    head = twin.head
    assert twin.ensure_writable(0)
    assert twin.head == head
    tap = twin.clone()
    assert twin.header_cloned()
    consume_skb(tap)
    assert not twin.header_cloned()
    consume_skb(skb)
    consume_skb(twin)


def test_a_header_that_another_clone_reads_is_copied_before_it_is_written(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"header")
    twin = skb.clone()
    assert twin.ensure_writable(6)
    twin.buf[twin.data : twin.data + 6] = b"HEADER"
    assert (skb.to_bytes(), twin.to_bytes()) == (b"header", b"HEADER")
    assert not twin.ensure_writable(7)
    consume_skb(skb)
    consume_skb(twin)


def test_truesize_follows_the_head_unless_somebody_pays_for_it(pool: SkbPool) -> None:
    skb = new_skb(pool)
    before = skb.truesize
    skb.expand_head(4096, 0)
    assert skb.truesize > before
    consume_skb(skb)


# -- ends ----------------------------------------------------------------------------------------


def test_the_last_reference_frees_and_runs_the_destructor_once(pool: SkbPool) -> None:
    skb = new_skb(pool)
    ends: list[int] = []
    skb.destructor = lambda dying: ends.append(dying.len)
    skb.get()
    consume_skb(skb)
    assert ends == []
    consume_skb(skb)
    assert ends == [0]


def test_freeing_twice_is_a_bug(pool: SkbPool) -> None:
    skb = new_skb(pool)
    consume_skb(skb)
    with pytest.raises(KernelBug, match="freed twice"):
        consume_skb(skb)


def test_orphan_runs_the_destructor_now_and_not_again(pool: SkbPool) -> None:
    skb = new_skb(pool)
    ends: list[int] = []
    skb.destructor = lambda dying: ends.append(dying.key)
    skb.orphan()
    assert ends == [skb.key]
    consume_skb(skb)
    assert len(ends) == 1


def test_a_drop_is_counted_by_reason_and_an_end_is_not(pool: SkbPool) -> None:
    consume_skb(new_skb(pool))
    kfree_skb_reason(new_skb(pool), "TCP_CSUM")
    kfree_skb_reason(new_skb(pool), "TCP_CSUM")
    shared = new_skb(pool).get()
    kfree_skb_reason(shared, "NOMEM")
    assert pool.drops == {"TCP_CSUM": 2}
    consume_skb(shared)


def test_keys_are_never_zero_and_stay_in_the_machine_s_block(pool: SkbPool) -> None:
    assert pool.first_key == 1
    pool.next_key = 999_999_999
    assert pool.new_key() == 999_999_999
    assert pool.new_key() == 1


def test_two_machines_never_give_the_same_key() -> None:
    clock = VirtualClock()
    keys = [SkbPool(Kernel(clock, number=number)).new_key() for number in range(4)]
    assert keys == [1, 1_000_000_001, 2_000_000_001, 3_000_000_001]


# -- checksum ------------------------------------------------------------------------------------


def ones_complement(data: bytes) -> int:
    """RFC 1071, word by word."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(
    parts=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5),
    start=st.integers(0, 9),
)
def test_checksum_help_sums_from_csum_start_over_all_frags(parts: list[bytes], start: int) -> None:
    skb = new_skb(make_pool())
    skb.put_data(bytes(range(30)))
    for part in parts:
        add_frag(skb, part, offset=1)
    skb.ip_summed = CHECKSUM_PARTIAL
    skb.csum_start = skb.data + start
    skb.csum_offset = 16
    before = skb.to_bytes()
    skb.checksum_help()
    after = skb.to_bytes()
    expected = ~ones_complement(before[start:]) & 0xFFFF or 0xFFFF
    assert int.from_bytes(after[start + 16 : start + 18], "big") == expected
    assert after[: start + 16] + after[start + 18 :] == before[: start + 16] + before[start + 18 :]
    assert skb.ip_summed == CHECKSUM_NONE


def test_pages_that_somebody_may_write_to_are_copied_before_they_are_summed(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(bytes(20))
    add_frag(skb, b"from a file!")
    page = skb.shinfo.frags[0].page
    page.get()
    skb.shinfo.flags |= SKBFL_SHARED_FRAG
    skb.csum_start, skb.csum_offset = skb.data, 16
    skb.checksum_help()
    pool.buf[page.addr : page.addr + 4] = b"late"
    page.put()
    assert skb.to_bytes()[20:] == b"from a file!"
    assert pool.memory.skb_copy_bytes == 12
    assert ones_complement(skb.to_bytes()) == 0xFFFF
    consume_skb(skb)


def test_checksum_help_leaves_the_header_of_a_clone_alone(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"abcdefghijklmnop" + bytes(24))
    skb.csum_start, skb.csum_offset = skb.data, 16
    twin = skb.clone()
    twin.checksum_help()
    assert skb.to_bytes() == b"abcdefghijklmnop" + bytes(24)
    assert ones_complement(twin.to_bytes()) == 0xFFFF
    consume_skb(skb)
    consume_skb(twin)


def test_a_zero_checksum_is_stored_as_ffff(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(b"\xff\xff\x00\x00")
    skb.ip_summed, skb.csum_start, skb.csum_offset = CHECKSUM_PARTIAL, skb.data, 2
    skb.checksum_help()
    assert skb.to_bytes() == b"\xff\xff\xff\xff"
    consume_skb(skb)


def test_checksum_help_refuses_gso_and_a_start_outside_the_linear_part(pool: SkbPool) -> None:
    skb = new_skb(pool)
    skb.put_data(bytes(20))
    add_frag(skb, bytes(20))
    skb.csum_start, skb.csum_offset = skb.data + 20, 0
    with pytest.raises(KernelBug):
        skb.checksum_help()
    skb.csum_start = skb.data
    skb.shinfo.gso_size = 10
    with pytest.raises(KernelBug):
        skb.checksum_help()
    consume_skb(skb)


# -- against a model of plain bytes --------------------------------------------------------------

HEADROOM = 48
pieces = st.lists(st.binary(min_size=1, max_size=80), max_size=4)
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["push", "pull", "put", "trim", "may_pull", "linearize", "clone", "drop_clone",
             "expand_head", "copy"]
        ),
        st.integers(0, 200),
    ),
    max_size=25,
)  # fmt: skip


def build(pool: SkbPool, linear: bytes, frags: list[bytes], parts: list[bytes]) -> SkBuff:
    skb = new_skb(pool, size=HEADROOM + len(linear) + 32, reserve=HEADROOM)
    skb.put_data(linear)
    for index, data in enumerate(frags):
        add_frag(skb, data, offset=index * 3)
    for data in parts:
        part = new_skb(pool)
        part.put_data(data)
        skb.shinfo.frag_list = [*(skb.shinfo.frag_list or []), part]
        skb.len += len(data)
        skb.data_len += len(data)
    return skb


def apply(skb: SkBuff, model: bytes, name: str, size: int) -> tuple[SkBuff, bytes]:
    """Do one step to the skb and to the model; steps that would panic are made smaller."""
    if name == "push":
        size = min(size, skb.headroom)
        old = bytes(skb.buf[skb.data - size : skb.data])
        skb.push(size)
        return skb, old + model
    if name == "pull":
        size = min(size, skb.headlen)
        skb.pull(size)
        return skb, model[size:]
    if name == "put" and not skb.data_len:
        data = bytes([size]) * min(size, skb.tailroom)
        if not skb.is_cloned():
            skb.put_data(data)
            model += data
        return skb, model
    if name == "trim":
        skb.trim(size)
        return skb, model[:size]
    if name == "may_pull":
        assert skb.may_pull(size) == (size <= len(model))
        assert skb.headlen >= size or size > len(model)
    elif name == "linearize":
        skb.linearize()
        assert skb.data_len == 0
    elif name == "expand_head":
        skb.expand_head(size, size)
    elif name == "copy":
        copy = skb.pskb_copy()
        assert copy is not None
        consume_skb(skb)
        skb = copy
    return skb, model


@given(linear=st.binary(max_size=100), frags=pieces, parts=pieces, program=steps)
def test_any_sequence_of_operations_agrees_with_plain_bytes(
    linear: bytes, frags: list[bytes], parts: list[bytes], program: list[tuple[str, int]]
) -> None:
    pool = make_pool()
    pages = pool.memory.pages_in_use
    skb = build(pool, linear, frags, parts)
    model = linear + b"".join(frags) + b"".join(parts)
    clones: list[tuple[SkBuff, bytes]] = []
    for name, size in program:
        if name == "clone":
            clones.append((skb.clone(), model))
        elif name == "drop_clone" and clones:
            consume_skb(clones.pop()[0])
        else:
            skb, model = apply(skb, model, name, size)
        assert skb.to_bytes() == model
        assert geometry_holds(skb)
        for twin, content in clones:
            assert twin.to_bytes() == content
            assert geometry_holds(twin)
    for twin, _ in clones:
        consume_skb(twin)
    consume_skb(skb)
    assert pool.alive == 0
    assert not pool.small_heads.in_use
    assert pool.memory.kmalloc_in_use == 0
    assert (pool.memory.pages_in_use - pages) % 8 == 0


@given(
    linear=st.binary(max_size=40),
    frags=pieces,
    offset=st.integers(0, 200),
    size=st.integers(0, 300),
)
def test_copy_bits_gives_any_range(
    linear: bytes, frags: list[bytes], offset: int, size: int
) -> None:
    skb = build(make_pool(), linear, frags, [])
    model = linear + b"".join(frags)
    if offset + size > len(model):
        with pytest.raises(KernelBug):
            skb.copy_bits(offset, size)
    else:
        assert skb.copy_bits(offset, size) == model[offset : offset + size]


def test_frags_may_lie_across_a_page_border_in_a_bigger_block(pool: SkbPool) -> None:
    skb = new_skb(pool)
    page = pool.memory.alloc_pages(3)
    data = bytes(range(256)) * 20
    start = page.addr + PAGE_SIZE - 100
    skb.buf[start : start + len(data)] = data
    skb.add_rx_frag(page, PAGE_SIZE - 100, len(data), len(data))
    assert skb.to_bytes() == data
    assert csum_bytes(data) == skb.checksum(0, len(data))
    consume_skb(skb)
