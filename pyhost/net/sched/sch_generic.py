"""How the packets of a qdisc come to the driver. Linux: net/sched/sch_generic.c.

    enqueue ─→ [ qdisc ] ─→ dequeue_skb ─→ sch_direct_xmit ─→ validate ─→ dev_hard_start_xmit
                               ↑ gso_skb (what the driver refused) ←──── NETDEV_TX_BUSY, stopped
                               ↑ skb_bad_txq (for a queue other than that of the bulk)

What a discipline is stands in qdisc.py; the qdiscs of a device that goes up and down, and its
watchdog, in sch_device.py.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.core import drop_reason
from pyhost.net.core.dev_xmit import dev_hard_start_xmit, hard_tx_lock, validate_xmit_skb_list
from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.netdevice import (
    NET_XMIT_MASK,
    NET_XMIT_SUCCESS,
    NETDEV_TX_BUSY,
    NetDevice,
    NetdevQueue,
)
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.sched.qdisc import TCQ_F_CAN_BYPASS, TCQ_F_ONETXQUEUE, Qdisc

__all__ = ["dequeue_skb", "dev_xmit_skb", "qdisc_run", "sch_direct_xmit"]

BULK_PACKETS_OF_A_QUEUE = 8
"""How many more packets a qdisc over several queues gives at once, all for one queue."""

BUSY_RETRY_NS = 10 * NSEC_PER_USEC
"""When a driver refuses a packet though its queue is awake, Linux tries again as soon as
ksoftirqd gets the CPU.
"""


# -- out of the qdisc ------------------------------------------------------------------------------


def dequeue_skb(q: Qdisc) -> tuple[list[SkBuff], bool]:
    """The next packets to send, all for one queue, and whether they still have to be validated.

    What the driver refused comes first. Nothing comes while the queue is stopped. Linux:
    dequeue_skb.
    """
    txq = q.dev_queue
    if q.gso_skb:
        skb = q.gso_skb[0]
        if _queue_of(q, skb).state:
            return [], False
        q.gso_skb.popleft()
        q.removed(skb)
        return [skb], False
    one_queue = q.flags & TCQ_F_ONETXQUEUE
    if one_queue and txq.state:
        return [], True
    found = _held_back(q) if q.skb_bad_txq else q.dequeue(q)
    if found is None:
        return [], True
    skbs = [found]
    if one_queue:
        _bulk_dequeue(q, skbs, txq.avail() - found.len)
    else:
        _bulk_dequeue_slow(q, skbs)
    trace = q.net.kernel.trace
    if trace.on:
        for skb in skbs:
            trace.hit("qdisc_dequeue", skb.key, dev=txq.dev.name, qlen=q.qlen)
    return skbs, True


def _held_back(q: Qdisc) -> SkBuff | None:
    """The packet that was set aside for its queue; None while that is stopped. Linux:
    qdisc_dequeue_skb_bad_txq.
    """
    skb = q.skb_bad_txq[0]
    if _queue_of(q, skb).state:
        return None
    q.skb_bad_txq.popleft()
    q.removed(skb)
    return skb


def _queue_of(q: Qdisc, skb: SkBuff) -> NetdevQueue:
    """Linux: skb_get_tx_queue."""
    tx = q.dev_queue.dev.tx
    return tx[skb.queue_mapping] if len(tx) > 1 else tx[0]


def _bulk_dequeue(q: Qdisc, skbs: list[SkBuff], room: int) -> None:
    """As many more packets as the byte limit of the queue has room for, so that the driver can ring
    its doorbell once. Linux: try_bulk_dequeue_skb.
    """
    while room > 0:
        skb = q.dequeue(q)
        if skb is None:
            return
        room -= skb.len
        skbs.append(skb)


def _bulk_dequeue_slow(q: Qdisc, skbs: list[SkBuff]) -> None:
    """A few more packets of the same queue; the first of another is set aside. Linux:
    try_bulk_dequeue_skb_slow.
    """
    mapping = skbs[0].queue_mapping
    for _ in range(BULK_PACKETS_OF_A_QUEUE):
        skb = q.dequeue(q)
        if skb is None:
            return
        if skb.queue_mapping != mapping:
            q.skb_bad_txq.append(skb)
            q.enqueued(skb)
            return
        skbs.append(skb)


def dev_requeue_skb(skbs: list[SkBuff], q: Qdisc) -> None:
    """Keep what the driver refused at the head of the queue, and try again. Linux: dev_requeue_skb.

    A stopped queue is run again when the driver wakes it. A driver that refuses without stopping
    the queue is in error; it is asked again a little later, as an immediate retry would keep
    simulated time from passing.
    """
    q.gso_skb.extendleft(reversed(skbs))
    q.requeues += len(skbs)
    for skb in skbs:
        q.enqueued(skb)
    if _queue_of(q, skbs[0]).state:
        q.net.netif_schedule(q)
    else:
        clock = q.net.kernel.clock
        clock.call_at(clock.now + BUSY_RETRY_NS, lambda: q.net.netif_schedule(q))


# -- to the driver ---------------------------------------------------------------------------------


def sch_direct_xmit(
    skbs: list[SkBuff], q: Qdisc, dev: NetDevice, txq: NetdevQueue, validate: bool
) -> bool:
    """Send packets past the qdisc's queue; False when the driver would not take all.

    Linux: sch_direct_xmit.
    """
    if validate:
        skbs = validate_xmit_skb_list(skbs, dev)
        if not skbs:
            return True
    rc = NETDEV_TX_BUSY
    if not txq.state:
        hard_tx_lock(txq)
        rc = dev_hard_start_xmit(skbs, dev, txq)
        txq.xmit_lock_owner = False
    if rc < NET_XMIT_MASK:
        return True
    dev_requeue_skb(skbs, q)
    return False


def _qdisc_run(q: Qdisc) -> None:
    """Linux: __qdisc_run; `q.running` is held. After dev_tx_weight packets the rest is left to
    NET_TX softirq.
    """
    quota = q.net.softnet.dev_weight
    dev = q.dev_queue.dev
    while True:
        skbs, validate = dequeue_skb(q)
        if not skbs:
            return
        quota -= len(skbs)
        if not sch_direct_xmit(skbs, q, dev, _queue_of(q, skbs[0]), validate):
            return
        if quota <= 0:
            q.net.netif_schedule(q)
            return


def qdisc_run_begin(q: Qdisc) -> bool:
    """Whether the qdisc is ours to run; if not, who runs it looks again.

    Linux: qdisc_run_begin.
    """
    if q.running:
        q.missed = True
        return False
    q.running = True
    return True


def qdisc_run(q: Qdisc) -> None:
    """Send what waits, unless somebody further up the stack is at it already. Linux: qdisc_run."""
    if qdisc_run_begin(q):
        _qdisc_run(q)
        qdisc_run_end(q)


def qdisc_run_end(q: Qdisc) -> None:
    """Give the qdisc free, and see to it that what came meanwhile is sent. Linux: qdisc_run_end."""
    q.running = False
    if q.missed:
        q.missed = False
        q.net.netif_schedule(q)


def dev_xmit_skb(skb: SkBuff, q: Qdisc, dev: NetDevice, txq: NetdevQueue) -> int:
    """Put a packet through a qdisc that queues; NET_XMIT_*. Linux: __dev_xmit_skb.

    An empty qdisc that may be bypassed never sees it: the packet goes to the driver at once.
    """
    can_bypass = q.flags & TCQ_F_CAN_BYPASS and not q.qlen and not q.deactivated
    if can_bypass and qdisc_run_begin(q):
        q.packets += skb.shinfo.gso_segs or 1
        q.bytes += qdisc_pkt_len(skb)
        if sch_direct_xmit([skb], q, dev, txq, True) and q.qlen:
            _qdisc_run(q)
        qdisc_run_end(q)
        return NET_XMIT_SUCCESS
    to_free: list[SkBuff] = []
    if q.deactivated:
        rc = q.drop(skb, to_free)
    else:
        assert q.enqueue is not None
        trace = q.net.kernel.trace
        if trace.on:
            trace.hit("qdisc_enqueue", skb.key, dev=dev.name, qlen=q.qlen)
        rc = q.enqueue(skb, q, to_free)
        qdisc_run(q)
    for dropped in to_free:
        kfree_skb_reason(dropped, drop_reason.QDISC_DROP)
    return rc
