from __future__ import annotations

import pytest

from pyhost.dma.mapping import (
    DMA_TO_DEVICE,
    DmaDevice,
    dma_alloc_coherent,
    dma_free_coherent,
    dma_map_page,
    dma_map_single,
    dma_mapping_error,
    dma_set_mask,
    skb_frag_dma_map,
)
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.mm.memory import Memory
from pyhost.net.core.skbuff import SkbFrag


@pytest.fixture
def dev() -> DmaDevice:
    return DmaDevice(Kernel(VirtualClock()), "hnic")


def test_what_the_device_cannot_reach_cannot_be_mapped(dev: DmaDevice) -> None:
    dma_set_mask(dev, 0xFFFF)
    assert not dma_mapping_error(dev, dma_map_single(dev, 0xFF00, 256, DMA_TO_DEVICE))
    assert dma_mapping_error(dev, dma_map_single(dev, 0xFF01, 256, DMA_TO_DEVICE))
    assert len(dev.debug.outstanding()) == 1


def test_an_injected_fault_fails_the_map_and_leaves_no_mapping(dev: DmaDevice) -> None:
    dev.fault = lambda addr, size: size == 100
    assert dma_mapping_error(dev, dma_map_single(dev, 0x8000, 100, DMA_TO_DEVICE))
    assert not dma_mapping_error(dev, dma_map_single(dev, 0x8000, 101, DMA_TO_DEVICE))
    assert len(dev.debug.outstanding()) == 1


def test_a_fragment_is_mapped_where_it_lies_in_its_page(dev: DmaDevice) -> None:
    page = dev.memory.alloc_pages(1)
    frag = SkbFrag(page, 4095, 3)
    assert skb_frag_dma_map(dev, frag, 1, 2, DMA_TO_DEVICE) == page.addr + 4096
    assert dma_map_page(dev, page, 5, 2, DMA_TO_DEVICE) == page.addr + 5


def test_coherent_memory_is_zeroed_and_given_back(dev: DmaDevice) -> None:
    dirty = dev.memory.alloc_pages(1)
    dev.memory.ram[dirty.addr : dirty.addr + 8192] = 0xFF
    dirty.put()
    before = dev.memory.pages_in_use
    area = dma_alloc_coherent(dev, 5000, "ring")
    assert area is not None
    cpu, dma = area
    assert cpu % 4096 == 0
    assert not dev.memory.ram[cpu : cpu + 8192].any()
    assert dev.memory.pages_in_use == before + 2
    dma_free_coherent(dev, 5000, cpu, dma)
    assert dev.memory.pages_in_use == before


def test_coherent_memory_out_of_reach_or_out_of_stock_is_none() -> None:
    kernel = Kernel(VirtualClock(), ram_bytes=4 << 20)
    dev = DmaDevice(kernel, "hnic")
    memory: Memory = kernel.mem
    before = memory.pages_in_use
    dma_set_mask(dev, 0xFFF)
    assert dma_alloc_coherent(dev, 64, "ring") is None
    dma_set_mask(dev, 0xFFFFFFFF)
    assert dma_alloc_coherent(dev, 8 << 20, "ring") is None
    assert memory.pages_in_use == before
    assert dev.debug.outstanding() == []
