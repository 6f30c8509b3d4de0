from __future__ import annotations

from collections.abc import Callable

import pytest

from pyhost.dma.debug import (
    DMA_ERR_CPU_ADDRESS,
    DMA_ERR_DIRECTION,
    DMA_ERR_FUNCTION,
    DMA_ERR_INVALID_AREA,
    DMA_ERR_LEAK,
    DMA_ERR_NOT_CHECKED,
    DMA_ERR_NOT_MAPPED,
    DMA_ERR_OVERLAP,
    DMA_ERR_SIZE,
    DMA_ERR_SYNC_DIRECTION,
    DMA_ERR_SYNC_NOT_MAPPED,
    DMA_ERR_SYNC_RANGE,
    DMA_ERR_UNMAP_INVALID,
    DmaApiError,
    DmaViolation,
)
from pyhost.dma.mapping import (
    DMA_FROM_DEVICE,
    DMA_MAPPING_ERROR,
    DMA_TO_DEVICE,
    DmaDevice,
    dma_alloc_coherent,
    dma_free_coherent,
    dma_map_page,
    dma_map_single,
    dma_mapping_error,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_page,
    dma_unmap_single,
)
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel

ADDR = 0x10_0000


@pytest.fixture
def dev() -> DmaDevice:
    return DmaDevice(Kernel(VirtualClock()), "hnic")


def give(
    dev: DmaDevice, addr: int, size: int, direction: int = DMA_TO_DEVICE, owner: int = 7
) -> int:
    """A mapping whose error was checked."""
    dma = dma_map_single(dev, addr, size, direction, owner)
    assert not dma_mapping_error(dev, dma)
    return dma


def error_class(act: Callable[[], object]) -> int:
    with pytest.raises(DmaApiError) as caught:
        act()
    return caught.value.error_class


def test_the_device_may_read_every_byte_of_what_was_given_to_it(dev: DmaDevice) -> None:
    give(dev, ADDR, 100)
    dev.check_device_access(ADDR, 100, False)
    dev.check_device_access(ADDR, 1, False)
    dev.check_device_access(ADDR + 99, 1, False)


@pytest.mark.parametrize(
    ("addr", "length"), [(ADDR - 1, 2), (ADDR + 99, 2), (ADDR + 100, 1), (ADDR - 1, 1)]
)
def test_one_byte_beside_a_mapping_is_a_violation_that_names_the_neighbour(
    dev: DmaDevice, addr: int, length: int
) -> None:
    give(dev, ADDR, 100, owner=42)
    with pytest.raises(
        DmaViolation, match=rf"read of {length} bytes at {addr:#x}: not mapped.*skb#42"
    ):
        dev.check_device_access(addr, length, False)


def test_a_write_to_memory_that_is_only_to_be_read_is_a_violation(dev: DmaDevice) -> None:
    give(dev, ADDR, 64, DMA_TO_DEVICE)
    with pytest.raises(DmaViolation, match=r"write of 8 bytes.*wrong direction.*TO_DEVICE"):
        dev.check_device_access(ADDR, 8, True)


def test_a_read_from_memory_that_is_only_to_be_written_is_a_violation(dev: DmaDevice) -> None:
    give(dev, ADDR, 64, DMA_FROM_DEVICE)
    dev.check_device_access(ADDR, 64, True)
    with pytest.raises(DmaViolation, match=r"wrong direction.*FROM_DEVICE"):
        dev.check_device_access(ADDR, 8, False)


def test_use_after_unmap_says_whose_memory_it_was(dev: DmaDevice) -> None:
    dma = give(dev, ADDR, 64, owner=9)
    dma_unmap_single(dev, dma, 64, DMA_TO_DEVICE)
    with pytest.raises(DmaViolation, match=r"was unmapped.*skb#9"):
        dev.check_device_access(dma, 4, False)


def test_nothing_mapped_at_all_is_said_so(dev: DmaDevice) -> None:
    with pytest.raises(DmaViolation, match="nothing is mapped"):
        dev.check_device_access(ADDR, 4, False)


def test_a_mapping_whose_error_nobody_checked_must_not_be_used(dev: DmaDevice) -> None:
    dma_map_single(dev, ADDR, 64, DMA_TO_DEVICE, 3)
    with pytest.raises(DmaViolation, match="dma_mapping_error"):
        dev.check_device_access(ADDR, 4, False)


def test_overlapping_mappings_are_each_usable_until_their_own_unmap(dev: DmaDevice) -> None:
    give(dev, ADDR, 4096, owner=1)
    give(dev, ADDR + 100, 50, owner=2)
    give(dev, ADDR, 4096, owner=3)
    dev.check_device_access(ADDR + 120, 200, False)
    dma_unmap_single(dev, ADDR, 4096, DMA_TO_DEVICE)
    dev.check_device_access(ADDR + 120, 200, False)
    dma_unmap_single(dev, ADDR, 4096, DMA_TO_DEVICE)
    dev.check_device_access(ADDR + 120, 30, False)
    with pytest.raises(DmaViolation):
        dev.check_device_access(ADDR + 120, 31, False)


def test_a_small_mapping_between_two_does_not_hide_the_long_one_below(dev: DmaDevice) -> None:
    give(dev, ADDR, 32768)
    for offset in range(64, 4096, 64):
        give(dev, ADDR + offset, 32)
    dev.check_device_access(ADDR + 4000, 20000, False)


def test_coherent_memory_is_open_both_ways_until_freed(dev: DmaDevice) -> None:
    area = dma_alloc_coherent(dev, 4096, "ring")
    assert area is not None
    cpu, dma = area
    dev.check_device_access(dma, 4096, True)
    dev.check_device_access(dma + 4095, 1, False)
    with pytest.raises(DmaViolation, match=r"nearest.*coherent.*ring"):
        dev.check_device_access(dma + 4095, 2, False)
    dma_free_coherent(dev, 4096, cpu, dma)
    with pytest.raises(DmaViolation, match=r"was unmapped.*ring"):
        dev.check_device_access(dma, 1, False)


def test_unmap_must_agree_with_map(dev: DmaDevice) -> None:
    dma = give(dev, ADDR, 64)
    classes = [
        error_class(lambda: dma_unmap_single(dev, dma + 4, 64, DMA_TO_DEVICE)),
        error_class(lambda: dma_unmap_single(dev, DMA_MAPPING_ERROR, 64, DMA_TO_DEVICE)),
        error_class(lambda: dma_unmap_single(dev, dma, 63, DMA_TO_DEVICE)),
        error_class(lambda: dma_unmap_page(dev, dma, 64, DMA_TO_DEVICE)),
        error_class(lambda: dma_unmap_single(dev, dma, 64, DMA_FROM_DEVICE)),
    ]
    assert classes == [
        DMA_ERR_NOT_MAPPED,
        DMA_ERR_UNMAP_INVALID,
        DMA_ERR_SIZE,
        DMA_ERR_FUNCTION,
        DMA_ERR_DIRECTION,
    ]
    dma_unmap_single(dev, dma, 64, DMA_TO_DEVICE)
    assert error_class(lambda: dma_unmap_single(dev, dma, 64, DMA_TO_DEVICE)) == DMA_ERR_NOT_MAPPED


def test_unmap_of_an_unchecked_mapping_is_found(dev: DmaDevice) -> None:
    dma = dma_map_single(dev, ADDR, 64, DMA_TO_DEVICE)
    assert error_class(lambda: dma_unmap_single(dev, dma, 64, DMA_TO_DEVICE)) == DMA_ERR_NOT_CHECKED


def test_checking_late_and_in_another_order_counts_as_checked(dev: DmaDevice) -> None:
    dma_map_single(dev, ADDR, 64, DMA_TO_DEVICE, 1)
    dma_map_single(dev, ADDR + 4096, 64, DMA_TO_DEVICE, 2)
    assert not dma_mapping_error(dev, ADDR)
    assert not dma_mapping_error(dev, ADDR + 4096)
    dev.check_device_access(ADDR, 64, False)
    dev.check_device_access(ADDR + 4096, 64, False)


def test_coherent_memory_must_be_freed_as_it_was_allocated(dev: DmaDevice) -> None:
    area = dma_alloc_coherent(dev, 4096, "ring")
    assert area is not None
    cpu, dma = area
    assert error_class(lambda: dma_free_coherent(dev, 2048, cpu, dma)) == DMA_ERR_SIZE
    assert error_class(lambda: dma_free_coherent(dev, 4096, cpu + 8, dma)) == DMA_ERR_CPU_ADDRESS
    assert error_class(lambda: dma_free_coherent(dev, 4096, cpu + 8, dma + 8)) == DMA_ERR_NOT_MAPPED
    assert error_class(lambda: dma_unmap_single(dev, dma, 4096, DMA_TO_DEVICE)) == DMA_ERR_FUNCTION


@pytest.mark.parametrize(("addr", "size"), [(0, 64), (4095, 64), (ADDR, 0), ((64 << 20) - 32, 64)])
def test_what_is_not_ram_cannot_be_mapped(dev: DmaDevice, addr: int, size: int) -> None:
    assert (
        error_class(lambda: dma_map_single(dev, addr, size, DMA_TO_DEVICE)) == DMA_ERR_INVALID_AREA
    )


def test_two_buffers_for_the_device_must_not_share_a_cache_line(dev: DmaDevice) -> None:
    give(dev, ADDR, 32, DMA_FROM_DEVICE)
    give(dev, ADDR + 64, 64, DMA_FROM_DEVICE)
    give(dev, ADDR + 32, 32, DMA_TO_DEVICE)
    late = lambda: dma_map_single(dev, ADDR + 32, 16, DMA_FROM_DEVICE)  # noqa: E731
    assert error_class(late) == DMA_ERR_OVERLAP


def test_an_overlap_is_found_behind_mappings_that_are_only_read(dev: DmaDevice) -> None:
    give(dev, ADDR, 4096, DMA_FROM_DEVICE)
    give(dev, ADDR + 1000, 64, DMA_TO_DEVICE)
    give(dev, ADDR + 4096, 64, DMA_FROM_DEVICE)
    late = lambda: dma_map_single(dev, ADDR + 2048, 16, DMA_FROM_DEVICE)  # noqa: E731
    assert error_class(late) == DMA_ERR_OVERLAP


def test_the_device_keeps_off_between_sync_for_cpu_and_sync_for_device(dev: DmaDevice) -> None:
    dma = give(dev, ADDR, 2048, DMA_FROM_DEVICE)
    dma_sync_single_for_cpu(dev, dma, 64, DMA_FROM_DEVICE)
    with pytest.raises(DmaViolation, match="synced for the CPU"):
        dev.check_device_access(dma, 64, True)
    dma_sync_single_for_device(dev, dma, 64, DMA_FROM_DEVICE)
    dev.check_device_access(dma, 64, True)


def test_sync_must_agree_with_map(dev: DmaDevice) -> None:
    dma = give(dev, ADDR, 2048, DMA_FROM_DEVICE)
    classes = [
        error_class(lambda: dma_sync_single_for_cpu(dev, dma + 4096, 64, DMA_FROM_DEVICE)),
        error_class(lambda: dma_sync_single_for_cpu(dev, dma, 2049, DMA_FROM_DEVICE)),
        error_class(lambda: dma_sync_single_for_device(dev, dma, 64, DMA_TO_DEVICE)),
    ]
    assert classes == [DMA_ERR_SYNC_NOT_MAPPED, DMA_ERR_SYNC_RANGE, DMA_ERR_SYNC_DIRECTION]


def test_a_driver_that_leaves_with_mappings_is_told_of_one(dev: DmaDevice) -> None:
    dev.debug.check_unbind()
    page = dev.memory.alloc_pages()
    assert not dma_mapping_error(dev, dma_map_page(dev, page, 8, 16, DMA_TO_DEVICE, 5))
    assert error_class(dev.debug.check_unbind) == DMA_ERR_LEAK
    with pytest.raises(DmaApiError, match=r"1 DMA allocations pending.*page TO_DEVICE of skb#5"):
        dev.debug.check_unbind()
