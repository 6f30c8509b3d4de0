"""Transmit: from skb to descriptors to doorbell, and from completion back to free memory.

Linux: drivers/net/ethernet/intel/igb/igb_main.c (igb_xmit_frame_ring, igb_tx_map,
igb_clean_tx_irq).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.dma.mapping import (
    DMA_TO_DEVICE,
    dma_map_single,
    dma_mapping_error,
    dma_rmb,
    dma_unmap_page,
    dma_unmap_single,
    dma_wmb,
    skb_frag_dma_map,
)
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    TX_CPL_LAST,
    TX_DESC,
    TXC_COOKIE_MASK,
    TXC_HEAD_SHIFT,
    TXC_PHASE,
    TXC_STATUS_MASK,
    TXC_STATUS_SHIFT,
    TXD_CSUM,
    TXD_CSUM_OFFSET_SHIFT,
    TXD_CSUM_START_SHIFT,
    TXD_EOP,
    TXD_SOP,
)
from pyhost.drivers.net.hnic.hnic_ring import INDEX_MASK, TxRing
from pyhost.kernel.bug import KernelBug
from pyhost.net.core.drop_reason import DMA_MAPPING, QUEUE_PURGE, TX_ERROR
from pyhost.net.core.netdevice import NETDEV_TX_BUSY, NETDEV_TX_OK, QUEUE_STATE_DRV_XOFF
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_SKB_FRAGS, consume_skb, kfree_skb_reason
from pyhost.net.core.timestamping import skb_tx_timestamp

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "DESC_NEEDED",
    "TX_WAKE_THRESHOLD",
    "hnic_clean_tx_irq",
    "hnic_clean_tx_ring",
    "hnic_xmit_frame_ring",
]

DESC_NEEDED = MAX_SKB_FRAGS + 1
"""The most one packet can take: the linear part and every fragment. With fewer free the queue is
stopped.
"""

TX_WAKE_THRESHOLD = 2 * DESC_NEEDED
"""Free descriptors at which a stopped queue is woken."""

_TXD_BYTES = regs.TXD_BYTES
_TXC_BYTES = regs.TXC_BYTES
_QWORD = Struct("<Q")


def hnic_xmit_frame_ring(ring: TxRing, skb: SkBuff, more: bool) -> int:
    """NETDEV_TX_OK: the packet is the driver's, sent or dropped; NETDEV_TX_BUSY: untouched. Linux:
    igb_xmit_frame_ring.

    Runs with BH disabled, so completions do not come in between: stopping the queue needs no second
    look at the free count.
    """
    trace = ring.trace
    if trace.on:
        trace.hit(
            "ndo_start_xmit", skb.key, dev=ring.dev.name, len=skb.len, frags=len(skb.shinfo.frags)
        )
    first = ring.next_to_use
    needed = len(skb.shinfo.frags) + 1
    if ring.unused() < needed:
        ring.tx_busy += 1
        _stop(ring)
        return NETDEV_TX_BUSY
    if _tx_map(ring, skb, first):
        ring.next_to_use = first + needed & INDEX_MASK
        if ring.unused() < DESC_NEEDED:
            _stop(ring)
        if skb.shinfo.tx_flags:
            skb_tx_timestamp(skb)
        doorbell = ring.txq.sent_queue_more(ring.buffers[first & ring.mask].bytecount, more)
    else:
        ring.mapping_errors += 1
        ring.dev.stats.tx_dropped += 1
        kfree_skb_reason(skb, DMA_MAPPING)
        doorbell = not more or ring.txq.state != 0
    if doorbell:
        _ring_doorbell(ring)
    return NETDEV_TX_OK


def _stop(ring: TxRing) -> None:
    ring.txq.stop_queue()
    ring.stops += 1


def _ring_doorbell(ring: TxRing) -> None:
    """Tell the card of all descriptors it does not know yet; nothing when there are none."""
    tail = ring.next_to_use
    if tail == ring.tail:
        return
    ring.tail = tail
    dma_wmb()
    if ring.trace.on:
        ring.trace.hit("doorbell", 0, dev=ring.dev.name, tail=tail)
    ring.bus.writel(tail, ring.doorbell_reg)


def _tx_map(ring: TxRing, skb: SkBuff, first: int) -> bool:
    """Map the linear part and each fragment and write their descriptors; False, and all undone,
    when a map fails. Linux: igb_tx_map.
    """
    dev, key, mask, buffers = ring.dma_dev, skb.key, ring.mask, ring.buffers
    desc, buf = ring.desc.addr, ring.buf
    frags = skb.shinfo.frags
    length = skb.len - skb.data_len
    dma = dma_map_single(dev, skb.data, length, DMA_TO_DEVICE, key)
    if dma_mapping_error(dev, dma):
        return False
    slot = first & mask
    buffer = buffers[slot]
    buffer.skb, buffer.dma, buffer.length, buffer.bytecount = skb, dma, length, skb.len
    word = length | TXD_SOP
    if skb.ip_summed == CHECKSUM_PARTIAL:
        word |= (
            TXD_CSUM
            | skb.csum_start - skb.data << TXD_CSUM_START_SHIFT
            | skb.csum_offset << TXD_CSUM_OFFSET_SHIFT
        )
    for index, frag in enumerate(frags, first + 1):
        TX_DESC.pack_into(buf, desc + slot * _TXD_BYTES, dma, word, 0, key)
        word = length = frag.size
        dma = skb_frag_dma_map(dev, frag, 0, length, DMA_TO_DEVICE, key)
        if dma_mapping_error(dev, dma):
            _tx_unmap(ring, first, index - first)
            return False
        slot = index & mask
        buffer = buffers[slot]
        buffer.dma, buffer.length = dma, length
    TX_DESC.pack_into(buf, desc + slot * _TXD_BYTES, dma, word | TXD_EOP, 0, key)
    return True


def _tx_unmap(ring: TxRing, first: int, count: int) -> SkBuff:
    """Undo the maps of a packet's first `count` descriptors; returns its skb, which the slot gives
    up.
    """
    dev, mask, buffers = ring.dma_dev, ring.mask, ring.buffers
    buffer = buffers[first & mask]
    skb = buffer.skb
    if skb is None:
        raise KernelBug(f"{ring.dev.name}: no packet begins at descriptor {first}")
    buffer.skb = None
    dma_unmap_single(dev, buffer.dma, buffer.length, DMA_TO_DEVICE)
    for index in range(first + 1, first + count):
        buffer = buffers[index & mask]
        dma_unmap_page(dev, buffer.dma, buffer.length, DMA_TO_DEVICE)
    return skb


def hnic_clean_tx_irq(ring: TxRing, budget: int) -> bool:
    """Take up to `budget` completions; whether that were all. Linux: igb_clean_tx_irq."""
    buf, cpl, mask, count = ring.buf, ring.cpl.addr, ring.mask, ring.count
    index = ring.cpl_next
    packets = size = 0
    while budget:
        (word,) = _QWORD.unpack_from(buf, cpl + (index & mask) * _TXC_BYTES + TX_CPL_LAST)
        if bool(word & TXC_PHASE) == bool(index & count):
            break
        dma_rmb()
        size += _complete(ring, word)
        packets += 1
        index = ring.cpl_next = index + 1 & INDEX_MASK
        budget -= 1
    txq = ring.txq
    txq.completed_queue(packets, size)
    if txq.state & QUEUE_STATE_DRV_XOFF and ring.unused() >= TX_WAKE_THRESHOLD and ring.dev.carrier:
        ring.wakes += 1
        txq.wake_queue()
    return bool(budget)


def _complete(ring: TxRing, word: int) -> int:
    """One packet is done: unmap its pieces, free it. Returns its bytes as the byte queue limits
    count them.
    """
    first = ring.next_to_clean
    head = word >> TXC_HEAD_SHIFT & INDEX_MASK
    count = head - first & INDEX_MASK
    if not 0 < count <= ring.tail - first & INDEX_MASK:
        given = f"the card has {first} to {ring.tail}"
        raise KernelBug(f"{ring.dev.name}: completion up to descriptor {head}, {given}")
    skb = _tx_unmap(ring, first, count)
    ring.next_to_clean = head
    if word & TXC_COOKIE_MASK != skb.key:
        what = f"completion for packet {word & TXC_COOKIE_MASK}, descriptor {first} is of {skb!r}"
        raise KernelBug(f"{ring.dev.name}: {what}")
    status = word >> TXC_STATUS_SHIFT & TXC_STATUS_MASK
    if ring.trace.on:
        ring.trace.hit("tx_completion", skb.key, dev=ring.dev.name, status=status)
    stats = ring.dev.stats
    if status == regs.STATUS_OK:
        stats.tx_packets += 1
        stats.tx_bytes += skb.len
        consume_skb(skb)
    else:
        stats.tx_errors += 1
        kfree_skb_reason(skb, TX_ERROR)
    return ring.buffers[first & ring.mask].bytecount


def hnic_clean_tx_ring(ring: TxRing) -> None:
    """The queue is off: take the completions that are there, throw away what never was sent. Linux:
    igb_clean_tx_ring.
    """
    hnic_clean_tx_irq(ring, ring.count)
    while ring.next_to_clean != ring.next_to_use:
        first = ring.next_to_clean
        count = 1
        left = ring.next_to_use - first & INDEX_MASK
        while count < left and ring.buffers[first + count & ring.mask].skb is None:
            count += 1
        ring.next_to_clean = first + count & INDEX_MASK
        kfree_skb_reason(_tx_unmap(ring, first, count), QUEUE_PURGE)
    ring.txq.reset_queue()
