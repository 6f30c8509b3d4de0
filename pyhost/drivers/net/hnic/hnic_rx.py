"""Receive: buffers for the card, and from a completion to an skb.

Linux: drivers/net/ethernet/intel/igb/igb_main.c (igb_alloc_rx_buffers, igb_clean_rx_irq,
igb_construct_skb). A short frame is copied and its buffer posted again; of a longer one only the
headers are copied, the rest stays in the buffers, which go with the skb. A frame longer than a
buffer lies in several that follow each other.

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
    RXC_BUFS_MASK,
    RXC_BUFS_SHIFT,
    RXC_COOKIE_SHIFT,
    RXC_CSUM_OK,
    RXC_HASH_SHIFT,
    RXC_HASH_TYPE_MASK,
    RXC_HASH_TYPE_SHIFT,
    RXC_HEAD_SHIFT,
    RXC_IP_OK,
    RXC_LEN_MASK,
    RXC_PHASE,
    RXC_STATUS_MASK,
    RXC_STATUS_SHIFT,
    RXC_VLAN,
    RXC_VLAN_TCI_MASK,
    RXD_BUF_ID_SHIFT,
)
from pyhost.drivers.net.hnic.hnic_ring import INDEX_MASK, RxBuffer, RxRing
from pyhost.kernel.bug import KernelBug
from pyhost.mm.memory import PAGE_SIZE
from pyhost.net.core.dev import netif_receive_skb
from pyhost.net.core.netdevice import NETIF_F_RXCSUM, NETIF_F_RXHASH
from pyhost.net.core.skbuff import CHECKSUM_UNNECESSARY, MAX_SKB_FRAGS, SkBuff, alloc_skb
from pyhost.net.eth import eth_type_trans
from pyhost.uapi.ethernet import ETH_HLEN, ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, VLAN_HLEN
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
_IPV6_HEADER = 40


def hnic_rx_buf_size(mtu: int) -> int:
    """Bytes of a buffer: half a page when a frame of that MTU fits, else a page, of which a jumbo
    frame takes several.
    """
    return _RX_BUF_MIN if mtu + ETH_HLEN + VLAN_HLEN <= _RX_BUF_MIN else PAGE_SIZE


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
            ring.stats.alloc_failed += 1
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
    """Give up to `budget` frames to the stack; how many there were. Linux: igb_clean_rx_irq.

    `ring.failed` is set when the card has stopped the queue.
    """
    buf, cpl, mask, count = ring.buf, ring.cpl.addr, ring.mask, ring.count
    work = packets = size = 0
    while work < budget and ring.failed is None:
        index = ring.cpl_next
        where = cpl + (index & mask) * _RXC_BYTES
        (word,) = _QWORD.unpack_from(buf, where + RX_CPL_LAST)
        if bool(word & RXC_PHASE) == bool(index & count):
            break
        dma_rmb()
        ring.cpl_next = index + 1 & INDEX_MASK
        work += 1
        record = RX_CPL.unpack_from(buf, where)
        status = word >> RXC_STATUS_SHIFT & RXC_STATUS_MASK
        if status and status != regs.STATUS_NO_DESC:
            _fault(ring, status, record[1])
            break
        first = _take_slots(ring, record[0], word)
        if status:
            _no_buffer(ring)
            continue
        length = _receive(ring, first, record)
        if length:
            packets += 1
            size += length
    if packets:
        _account(ring, packets, size)
    return work


def _account(ring: RxRing, packets: int, size: int) -> None:
    stats, total = ring.stats, ring.dev.stats
    stats.packets += packets
    stats.bytes += size
    total.rx_packets += packets
    total.rx_bytes += size


def _take_slots(ring: RxRing, ident: int, word: int) -> int:
    """The card gives back the buffers of one frame: the index of the first."""
    first = ring.next_to_clean
    bufs = word >> RXC_BUFS_SHIFT & RXC_BUFS_MASK
    slot = first & ring.mask
    if ident & RXC_BUF_ID_MASK != slot:
        what = f"completion of buffer {ident & RXC_BUF_ID_MASK}, the oldest is {slot}"
        raise KernelBug(f"{ring.dev.name}: {what}")
    behind = first + bufs & INDEX_MASK
    given = ring.next_to_use - first & INDEX_MASK
    if not 0 < bufs <= given or word >> RXC_HEAD_SHIFT & INDEX_MASK != behind:
        what = f"completion of {bufs} buffers from {first} on, the card has {given}"
        raise KernelBug(f"{ring.dev.name}: {what}")
    ring.next_to_clean = behind
    return first


def _fault(ring: RxRing, status: int, stamp: int) -> None:
    """The card met a fault and stopped the queue; no buffer of it is used any more."""
    ring.failed = status, stamp & INDEX_MASK
    ring.stats.errors += 1
    ring.dev.stats.rx_errors += 1


def _no_buffer(ring: RxRing) -> None:
    """The buffers ended inside a frame: what there is of it is thrown away."""
    ring.stats.errors += 1
    ring.stats.no_desc += 1
    ring.dev.stats.rx_errors += 1


def _receive(ring: RxRing, first: int, record: tuple[int, ...]) -> int:
    """One frame, in the buffers from `first` on: to the stack; its length, or 0 when there is no
    memory for it. A buffer stays in its slot unless the skb takes it along.
    """
    ident, stamp, shape, word = record
    length = shape & RXC_LEN_MASK
    key = ident >> RXC_COOKIE_SHIFT
    bufs = word >> RXC_BUFS_SHIFT & RXC_BUFS_MASK
    if not ETH_HLEN <= length <= bufs * ring.buf_size or bufs > MAX_SKB_FRAGS:
        ring.stats.errors += 1
        ring.dev.stats.rx_errors += 1
        return 0
    skb = alloc_skb(ring.pool, NET_SKB_PAD + RX_COPYBREAK, key)
    if skb is None:
        ring.stats.drops += 1
        ring.dev.stats.rx_dropped += 1
        return 0
    skb.reserve(NET_SKB_PAD)
    if length <= RX_COPYBREAK:
        _copy_frame(ring, ring.buffers[first & ring.mask], skb, length)
    else:
        _take_buffers(ring, first, skb, length)
    if ring.trace.on:
        ring.trace.hit("hnic_rx", key, dev=ring.dev.name, len=length)
    skb.protocol = eth_type_trans(skb, ring.dev)
    if ring.tstamp:
        skb.shinfo.hwtstamp = stamp
    _describe(ring, skb, shape, word)
    netif_receive_skb(skb)
    return length


def _describe(ring: RxRing, skb: SkBuff, shape: int, word: int) -> None:
    """What the card has found out about the frame. Linux: igb_process_skb_fields."""
    features = ring.dev.features
    if features & NETIF_F_RXCSUM:
        if skb.protocol == ETH_P_IP and not word & RXC_IP_OK:
            ring.stats.csum_errors += 1
        elif word & RXC_CSUM_OK:
            skb.ip_summed = CHECKSUM_UNNECESSARY
    if features & NETIF_F_RXHASH and word >> RXC_HASH_TYPE_SHIFT & RXC_HASH_TYPE_MASK:
        skb.hash = shape >> RXC_HASH_SHIFT
    if word & RXC_VLAN:
        skb.vlan_proto = ETH_P_8021Q
        skb.vlan_tci = word & RXC_VLAN_TCI_MASK


def _copy_frame(ring: RxRing, buffer: RxBuffer, skb: SkBuff, length: int) -> None:
    """A short frame: copy it, the buffer is posted again. Linux: igb_can_reuse_rx_page."""
    dma = buffer.dma
    dma_sync_single_for_cpu(ring.dma_dev, dma, length, DMA_FROM_DEVICE)
    assert buffer.page is not None
    start = buffer.page.addr + buffer.offset
    skb.put_data(ring.buf[start : start + length])
    dma_sync_single_for_device(ring.dma_dev, dma, length, DMA_FROM_DEVICE)


def _take_buffers(ring: RxRing, first: int, skb: SkBuff, length: int) -> None:
    """A longer frame: copy its headers, let the skb have the buffers. Linux: igb_construct_skb,
    igb_add_rx_frag.
    """
    size = ring.buf_size
    index = first
    pull = 0
    while length:
        buffer = ring.buffers[index & ring.mask]
        dma_unmap_page(ring.dma_dev, buffer.dma, size, DMA_FROM_DEVICE)
        page, buffer.page = buffer.page, None
        assert page is not None
        used = min(length, size)
        length -= used
        if index == first:
            start = page.addr + buffer.offset
            pull = eth_get_headlen(ring.buf, start)
            skb.put_data(ring.buf[start : start + pull])
        skb.add_rx_frag(page, buffer.offset + pull, used - pull, size)
        pull = 0
        index += 1


def eth_get_headlen(buf: memoryview, start: int) -> int:
    """Bytes of headers of the frame at `start`, which is longer than any header: what is worth
    having linear. Linux: eth_get_headlen.
    """
    network = start + ETH_HLEN
    kind = buf[start + 12] << 8 | buf[start + 13]
    if kind == ETH_P_8021Q:
        kind = buf[network + 2] << 8 | buf[network + 3]
        network += VLAN_HLEN
    headlen = network - start
    if kind == ETH_P_IP:
        proto = buf[network + 9]
        headlen += (buf[network] & 15) * 4
    elif kind == ETH_P_IPV6:
        proto = buf[network + 6]
        headlen += _IPV6_HEADER
    else:
        return headlen
    if proto == IPPROTO_TCP:
        return headlen + (buf[start + headlen + 12] >> 4) * 4
    return headlen + _L4_HEADER.get(proto, 0)
