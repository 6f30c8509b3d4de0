"""Receive: buffers for the card, and from a completion to an skb.

Linux: drivers/net/ethernet/intel/igb/igb_main.c (igb_alloc_rx_buffers, igb_clean_rx_irq,
igb_construct_skb). A short frame is copied and its buffer posted again; of a longer one only the
headers are copied, the rest stays in the buffer, which goes with the skb.

A slot keeps its index: buffers are taken and posted in ring order, so the slot to fill next is
always the oldest empty one.
"""

from __future__ import annotations

from struct import Struct

from pyhost.dma.mapping import (
    DMA_FROM_DEVICE,
    dma_map_page,
    dma_mapping_error,
    dma_rmb,
    dma_sync_single_for_cpu,
    dma_sync_single_for_device,
    dma_unmap_page,
    dma_wmb,
)
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    RX_CPL,
    RX_CPL_LAST,
    RX_DESC,
    RXC_BUF_ID_MASK,
    RXC_COOKIE_SHIFT,
    RXC_CSUM_OK,
    RXC_LEN_MASK,
    RXC_PHASE,
    RXC_STATUS_MASK,
    RXC_STATUS_SHIFT,
    RXD_BUF_ID_SHIFT,
)
from pyhost.drivers.net.hnic.hnic_ring import INDEX_MASK, RxBuffer, RxRing
from pyhost.kernel.bug import KernelBug
from pyhost.net.core.dev import netif_receive_skb
from pyhost.net.core.netdevice import NETIF_F_RXCSUM
from pyhost.net.core.skbuff import CHECKSUM_UNNECESSARY, SkBuff, alloc_skb
from pyhost.net.eth import eth_type_trans
from pyhost.uapi.ethernet import ETH_HLEN, ETH_P_IP, VLAN_HLEN
from pyhost.uapi.ip import IPPROTO_TCP, IPPROTO_UDP

__all__ = [
    "RX_COPYBREAK",
    "hnic_alloc_rx_buffers",
    "hnic_clean_rx_irq",
    "hnic_clean_rx_ring",
    "hnic_rx_buf_size",
]

RX_COPYBREAK = 256
"""Frames up to this size are copied whole; no more than this is copied of any frame."""

NET_SKB_PAD = 64
_RX_BUF_MIN = 2048
_QWORD = Struct("<Q")
_RXD_BYTES = regs.RXD_BYTES
_RXC_BYTES = regs.RXC_BYTES
_L4_HEADER = {IPPROTO_TCP: 20, IPPROTO_UDP: 8}


def hnic_rx_buf_size(mtu: int) -> int:
    """Bytes a buffer must have for the frames of an MTU: at least 2048, whole cache lines."""
    return max(_RX_BUF_MIN, mtu + ETH_HLEN + VLAN_HLEN + 63 & ~63)


# -- buffers ---------------------------------------------------------------------------------------


def hnic_alloc_rx_buffers(ring: RxRing) -> bool:
    """Fill every empty slot and tell the card; False when memory was short. Linux:
    igb_alloc_rx_buffers.
    """
    index = ring.next_to_use
    behind = index + ring.unused()
    while index < behind:
        slot = index & ring.mask
        buffer = ring.buffers[slot]
        if buffer.page is None and not _alloc_buffer(ring, buffer):
            ring.alloc_failed += 1
            break
        word = ring.buf_size | slot << RXD_BUF_ID_SHIFT
        RX_DESC.pack_into(ring.buf, ring.desc.addr + slot * _RXD_BYTES, buffer.dma, word)
        index += 1
    tail = index & INDEX_MASK
    if tail != ring.next_to_use:
        ring.next_to_use = tail
        dma_wmb()
        ring.bus.writel(tail, ring.doorbell_reg)
    return ring.unused() == 0


def _alloc_buffer(ring: RxRing, buffer: RxBuffer) -> bool:
    """Cut a buffer from the current page and map it. Linux: igb_alloc_mapped_page."""
    frag, size = ring.frag, ring.buf_size
    if not frag.refill(size) or frag.page is None:
        return False
    page, offset = frag.page, frag.offset
    dma = dma_map_page(
        ring.dma_dev, page, offset, size, DMA_FROM_DEVICE, f"{ring.dev.name} RX buffer"
    )
    if dma_mapping_error(ring.dma_dev, dma):
        return False
    page.get()
    frag.offset = offset + size
    buffer.page, buffer.offset, buffer.dma = page, offset, dma
    return True


def hnic_clean_rx_ring(ring: RxRing) -> None:
    """The queue is off: unmap and free every buffer. Linux: igb_clean_rx_ring."""
    for buffer in ring.buffers:
        if buffer.page is not None:
            dma_unmap_page(ring.dma_dev, buffer.dma, ring.buf_size, DMA_FROM_DEVICE)
            buffer.page.put()
            buffer.page = None
    ring.frag.release()


# -- frames ----------------------------------------------------------------------------------------


def hnic_clean_rx_irq(ring: RxRing, budget: int) -> int:
    """Give up to `budget` frames to the stack; how many there were. Linux: igb_clean_rx_irq."""
    buf, cpl, mask, count = ring.buf, ring.cpl.addr, ring.mask, ring.count
    work = 0
    while work < budget:
        index = ring.next_to_clean
        where = cpl + (index & mask) * _RXC_BYTES
        (word,) = _QWORD.unpack_from(buf, where + RX_CPL_LAST)
        if bool(word & RXC_PHASE) == bool(index & count):
            break
        dma_rmb()
        ident, _, shape, _ = RX_CPL.unpack_from(buf, where)
        if ident & RXC_BUF_ID_MASK != index & mask:
            what = f"completion of buffer {ident & RXC_BUF_ID_MASK}, the oldest is {index & mask}"
            raise KernelBug(f"{ring.dev.name}: {what}")
        ring.next_to_clean = index + 1 & INDEX_MASK
        work += 1
        key = ident >> RXC_COOKIE_SHIFT
        _receive(ring, ring.buffers[index & mask], word, shape & RXC_LEN_MASK, key)
    return work


def _receive(ring: RxRing, buffer: RxBuffer, word: int, length: int, key: int) -> None:
    """One frame: to the stack, or counted as an error; the buffer stays in its slot unless the skb
    takes it along.
    """
    stats = ring.dev.stats
    if (
        word >> RXC_STATUS_SHIFT & RXC_STATUS_MASK != regs.STATUS_OK
        or not ETH_HLEN <= length <= ring.buf_size
    ):
        stats.rx_errors += 1
        return
    skb = alloc_skb(ring.pool, NET_SKB_PAD + RX_COPYBREAK, key)
    if skb is None:
        stats.rx_dropped += 1
        return
    skb.reserve(NET_SKB_PAD)
    if length <= RX_COPYBREAK:
        _copy_frame(ring, buffer, skb, length)
    else:
        _take_buffer(ring, buffer, skb, length)
    if word & RXC_CSUM_OK and ring.dev.features & NETIF_F_RXCSUM:
        skb.ip_summed = CHECKSUM_UNNECESSARY
    stats.rx_packets += 1
    stats.rx_bytes += length
    if ring.trace.on:
        ring.trace.hit("hnic_rx", key, dev=ring.dev.name, len=length)
    skb.protocol = eth_type_trans(skb, ring.dev)
    netif_receive_skb(skb)


def _copy_frame(ring: RxRing, buffer: RxBuffer, skb: SkBuff, length: int) -> None:
    """A short frame: copy it, the buffer is posted again. Linux: igb_can_reuse_rx_page."""
    dma = buffer.dma
    dma_sync_single_for_cpu(ring.dma_dev, dma, length, DMA_FROM_DEVICE)
    assert buffer.page is not None
    start = buffer.page.addr + buffer.offset
    skb.put_data(ring.buf[start : start + length])
    dma_sync_single_for_device(ring.dma_dev, dma, length, DMA_FROM_DEVICE)


def _take_buffer(ring: RxRing, buffer: RxBuffer, skb: SkBuff, length: int) -> None:
    """A longer frame: copy its headers, let the skb have the buffer. Linux: igb_construct_skb."""
    dma_unmap_page(ring.dma_dev, buffer.dma, ring.buf_size, DMA_FROM_DEVICE)
    page, buffer.page = buffer.page, None
    assert page is not None
    start = page.addr + buffer.offset
    pull = eth_get_headlen(ring.buf, start)
    skb.put_data(ring.buf[start : start + pull])
    skb.add_rx_frag(page, buffer.offset + pull, length - pull, ring.buf_size)


def eth_get_headlen(buf: memoryview, start: int) -> int:
    """Bytes of headers of the frame at `start`, which is longer than any header: what is worth
    having linear. Linux: eth_get_headlen.
    """
    if buf[start + 12] << 8 | buf[start + 13] != ETH_P_IP:
        return ETH_HLEN
    network = start + ETH_HLEN
    headlen = ETH_HLEN + (buf[network] & 15) * 4
    proto = buf[network + 9]
    if proto == IPPROTO_TCP:
        return headlen + (buf[start + headlen + 12] >> 4) * 4
    return headlen + _L4_HEADER.get(proto, 0)
