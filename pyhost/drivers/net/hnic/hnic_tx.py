"""Transmit: from skb to descriptors to doorbell, and from completion back to free memory.

Linux: drivers/net/ethernet/intel/igb/igb_main.c (igb_xmit_frame_ring, igb_tso, igb_tx_map,
igb_clean_tx_irq). What the card shall do with a packet (checksum, segmentation, tag) stands in its
first descriptor; igb has a context descriptor for that.
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
    TXD_HDR_LEN_SHIFT,
    TXD_IPV4,
    TXD_L3_START_SHIFT,
    TXD_SOP,
    TXD_TSO,
    TXD_VLAN,
    TXD_VLAN_TCI_SHIFT,
)
from pyhost.drivers.net.hnic.hnic_ring import INDEX_MASK, TxBuffer, TxRing
from pyhost.kernel.bug import KernelBug
from pyhost.net.core.drop_reason import DMA_MAPPING, NOMEM, QUEUE_PURGE, TX_ERROR
from pyhost.net.core.gso import SKB_GSO_TCPV4, skb_tcp_all_headers
from pyhost.net.core.netdevice import NETDEV_TX_BUSY, NETDEV_TX_OK, QUEUE_STATE_DRV_XOFF
from pyhost.net.core.skb_shared_info import SKBTX_HW_TSTAMP, SKBTX_IN_PROGRESS
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_SKB_FRAGS, consume_skb, kfree_skb_reason
from pyhost.net.core.timestamping import skb_tstamp_tx, skb_tx_timestamp
from pyhost.uapi.errqueue import SCM_TSTAMP_SND

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "DESC_NEEDED",
    "TSO_HDR_MAX",
    "TSO_PAYLOAD_MAX",
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

TSO_HDR_MAX = 192
TSO_PAYLOAD_MAX = 65536
"""The longest headers and the most payload that the card cuts up."""

_TXD_BYTES = regs.TXD_BYTES
_TXC_BYTES = regs.TXC_BYTES
_QWORD = Struct("<Q")
_BE16 = Struct("!H")
_TCP_CHECK = 16


def hnic_xmit_frame_ring(ring: TxRing, skb: SkBuff, more: bool) -> int:
    """NETDEV_TX_OK: the packet is the driver's, sent or dropped; NETDEV_TX_BUSY: untouched. Linux:
    igb_xmit_frame_ring.

    Runs with BH disabled, so completions do not come in between: stopping the queue needs no second
    look at the free count.
    """
    trace = ring.trace
    shinfo = skb.shinfo
    if trace.on:
        trace.hit(
            "ndo_start_xmit", skb.key, dev=ring.dev.name, len=skb.len, frags=len(shinfo.frags)
        )
    first = ring.next_to_use
    needed = len(shinfo.frags) + 1
    if ring.unused() < needed:
        ring.stats.tx_busy += 1
        _stop(ring)
        return NETDEV_TX_BUSY
    reason = _prepare(ring, skb, ring.buffers[first & ring.mask])
    if not reason and _tx_map(ring, skb, first):
        ring.next_to_use = first + needed & INDEX_MASK
        if ring.unused() < DESC_NEEDED:
            _stop(ring)
        shinfo = skb.shinfo
        if shinfo.tx_flags:
            if ring.tstamp and shinfo.tx_flags & SKBTX_HW_TSTAMP:
                shinfo.tx_flags |= SKBTX_IN_PROGRESS
            skb_tx_timestamp(skb)
        doorbell = ring.txq.sent_queue_more(ring.buffers[first & ring.mask].bytecount, more)
    else:
        _drop(ring, skb, reason)
        doorbell = not more or ring.txq.state != 0
    if doorbell:
        _ring_doorbell(ring)
    return NETDEV_TX_OK


def _drop(ring: TxRing, skb: SkBuff, reason: str) -> None:
    if not reason:
        ring.stats.mapping_errors += 1
    ring.dev.stats.tx_dropped += 1
    kfree_skb_reason(skb, reason or DMA_MAPPING)


def _prepare(ring: TxRing, skb: SkBuff, buffer: TxBuffer) -> str:
    """How many frames the packet makes and how many bytes they have; of a super-packet also the
    header, which the card wants with a pseudo-header sum that leaves the length to it. Why the
    packet must be dropped, or "". Linux: igb_tso.
    """
    shinfo = skb.shinfo
    buffer.segs = 1
    buffer.bytecount = skb.len
    if not shinfo.gso_size:
        return ""
    header = skb_tcp_all_headers(skb)
    try:
        if not skb.ensure_writable(header):
            return TX_ERROR
    except MemoryError:
        return NOMEM
    where = skb.transport_header + _TCP_CHECK
    length = skb.len - (skb.transport_header - skb.data)
    (check,) = _BE16.unpack_from(skb.buf, where)
    _BE16.pack_into(skb.buf, where, (check - length) % 0xFFFF)
    segs = -(-(skb.len - header) // shinfo.gso_size)
    buffer.segs = segs
    buffer.bytecount = skb.len + (segs - 1) * header
    ring.stats.tso += 1
    return ""


def _stop(ring: TxRing) -> None:
    ring.txq.stop_queue()
    ring.stats.stops += 1


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
    length = skb.len - skb.data_len
    dma = dma_map_single(dev, skb.data, length, DMA_TO_DEVICE, key)
    if dma_mapping_error(dev, dma):
        return False
    slot = first & mask
    buffer = buffers[slot]
    buffer.skb, buffer.dma, buffer.length = skb, dma, length
    word = length | TXD_SOP
    offload = 0
    if skb.ip_summed == CHECKSUM_PARTIAL:
        word |= (
            TXD_CSUM
            | skb.csum_start - skb.data << TXD_CSUM_START_SHIFT
            | skb.csum_offset << TXD_CSUM_OFFSET_SHIFT
        )
        if skb.shinfo.gso_size:
            word, offload = _segmentation(skb, word)
    if skb.vlan_proto:
        word |= TXD_VLAN
        offload |= skb.vlan_tci << TXD_VLAN_TCI_SHIFT
    for index, frag in enumerate(skb.shinfo.frags, first + 1):
        TX_DESC.pack_into(buf, desc + slot * _TXD_BYTES, dma, word, offload, key)
        word = length = frag.size
        offload = 0
        dma = skb_frag_dma_map(dev, frag, 0, length, DMA_TO_DEVICE, key)
        if dma_mapping_error(dev, dma):
            _tx_unmap(ring, first, index - first)
            return False
        slot = index & mask
        buffer = buffers[slot]
        buffer.dma, buffer.length = dma, length
    TX_DESC.pack_into(buf, desc + slot * _TXD_BYTES, dma, word | TXD_EOP, offload, key)
    return True


def _segmentation(skb: SkBuff, word: int) -> tuple[int, int]:
    """The flags and fields with which the card cuts a super-packet."""
    shinfo = skb.shinfo
    word |= TXD_TSO
    if shinfo.gso_type & SKB_GSO_TCPV4:
        word |= TXD_IPV4
    return word, (
        shinfo.gso_size
        | skb_tcp_all_headers(skb) << TXD_HDR_LEN_SHIFT
        | skb.network_header - skb.data << TXD_L3_START_SHIFT
    )


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
    """Take up to `budget` completions; whether that were all. Linux: igb_clean_tx_irq.

    A completion with an error is the queue's last: the queue is stopped and `ring.failed` set.
    """
    buf, cpl, mask, count = ring.buf, ring.cpl.addr, ring.mask, ring.count
    index = ring.cpl_next
    segs = size = 0
    while budget and ring.failed is None:
        where = cpl + (index & mask) * _TXC_BYTES
        (word,) = _QWORD.unpack_from(buf, where + TX_CPL_LAST)
        if bool(word & TXC_PHASE) == bool(index & count):
            break
        dma_rmb()
        index = ring.cpl_next = index + 1 & INDEX_MASK
        budget -= 1
        if word >> TXC_STATUS_SHIFT & TXC_STATUS_MASK:
            _fault(ring, word, where)
        else:
            buffer = _complete(ring, word, where)
            segs += buffer.segs
            size += buffer.bytecount
    if size:
        _account(ring, segs, size)
    return bool(budget)


def _account(ring: TxRing, segs: int, size: int) -> None:
    """So many frames have been sent; the queue goes on if there is room."""
    stats, total, txq = ring.stats, ring.dev.stats, ring.txq
    stats.packets += segs
    stats.bytes += size
    total.tx_packets += segs
    total.tx_bytes += size
    txq.completed_queue(segs, size)
    if (
        txq.state & QUEUE_STATE_DRV_XOFF
        and ring.failed is None
        and ring.unused() >= TX_WAKE_THRESHOLD
        and ring.dev.carrier
    ):
        ring.stats.wakes += 1
        txq.wake_queue()


def _complete(ring: TxRing, word: int, where: int) -> TxBuffer:
    """One packet has left: unmap its pieces, free it."""
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
    if ring.trace.on:
        ring.trace.hit("tx_completion", skb.key, dev=ring.dev.name, status=regs.STATUS_OK)
    if ring.tstamp and skb.shinfo.tx_flags & SKBTX_IN_PROGRESS and skb.sk is not None:
        (stamp,) = _QWORD.unpack_from(ring.buf, where)
        skb_tstamp_tx(skb, skb.sk, SCM_TSTAMP_SND, stamp)
    consume_skb(skb)
    return ring.buffers[first & ring.mask]


def _fault(ring: TxRing, word: int, where: int) -> None:
    """The card refused the oldest packet and stopped the queue: nothing more is given to it, the
    packet is freed. The card may not have read the packet's cookie, nor its last descriptor.
    """
    status = word >> TXC_STATUS_SHIFT & TXC_STATUS_MASK
    (stamp,) = _QWORD.unpack_from(ring.buf, where)
    ring.failed = status, stamp & INDEX_MASK
    ring.txq.stop_queue()
    ring.stats.errors += 1
    ring.dev.stats.tx_errors += 1
    if ring.next_to_clean == ring.next_to_use:
        return
    skb = _take_oldest(ring)
    if ring.trace.on:
        ring.trace.hit("tx_completion", skb.key, dev=ring.dev.name, status=status)
    kfree_skb_reason(skb, TX_ERROR)


def _take_oldest(ring: TxRing) -> SkBuff:
    """Take the oldest packet out of the ring, whatever the card did with it."""
    first = ring.next_to_clean
    count = 1
    left = ring.next_to_use - first & INDEX_MASK
    while count < left and ring.buffers[first + count & ring.mask].skb is None:
        count += 1
    ring.next_to_clean = first + count & INDEX_MASK
    return _tx_unmap(ring, first, count)


def hnic_clean_tx_ring(ring: TxRing) -> None:
    """The queue is off: take the completions that are there, throw away what never was sent. Linux:
    igb_clean_tx_ring.
    """
    hnic_clean_tx_irq(ring, ring.count)
    while ring.next_to_clean != ring.next_to_use:
        kfree_skb_reason(_take_oldest(ring), QUEUE_PURGE)
        ring.stats.reset_drops += 1
    ring.txq.reset_queue()
