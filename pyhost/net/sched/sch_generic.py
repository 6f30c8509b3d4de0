"""The packet scheduler's frame: what a qdisc is, and how its packets come to the driver.

Linux: net/sched/sch_generic.c.

    enqueue ─→ [ qdisc ] ─→ dequeue_skb ─→ sch_direct_xmit ─→ validate ─→ dev_hard_start_xmit
                               ↑ gso_skb (what the driver refused) ←──── NETDEV_TX_BUSY, stopped

A discipline is a `QdiscOps` table. It keeps its packets in `priv`, counts them through `enqueued`
and `dequeued` of its `Qdisc`, and puts what it throws away on `to_free`, which the caller frees
when it has left the qdisc.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.kernel.timer import Timer
from pyhost.net.core import drop_reason
from pyhost.net.core.dev_xmit import dev_hard_start_xmit, hard_tx_lock, validate_xmit_skb_list
from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.netdevice import (
    NET_XMIT_CN,
    NET_XMIT_DROP,
    NET_XMIT_MASK,
    NET_XMIT_SUCCESS,
    NETDEV_TX_BUSY,
    NetDevice,
    NetdevQueue,
)
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.uapi.errno import EINVAL

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = [
    "NOOP_OPS", "NOQUEUE_OPS", "TCQ_F_CAN_BYPASS", "TCQ_F_ONETXQUEUE", "Qdisc", "QdiscOps",
    "dequeue_skb", "dev_activate", "dev_deactivate", "qdisc_create", "qdisc_destroy",
    "qdisc_reset", "qdisc_run", "sch_direct_xmit",
]  # fmt: skip

TCQ_F_CAN_BYPASS = 4
TCQ_F_ONETXQUEUE = 0x10

BUSY_RETRY_NS = 10 * NSEC_PER_USEC
"""When a driver refuses a packet though its queue is awake, Linux tries again as soon as
ksoftirqd gets the CPU.
"""

Enqueue = Callable[[SkBuff, "Qdisc", list[SkBuff]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class QdiscOps:
    """One discipline.

    Linux: struct Qdisc_ops. Functions return 0 or a negative errno, `enqueue` NET_XMIT_*.
    """

    id: str
    enqueue: Enqueue | None
    dequeue: Callable[[Qdisc], SkBuff | None]
    peek: Callable[[Qdisc], SkBuff | None]
    init: Callable[[Qdisc, dict[str, Any]], int]
    reset: Callable[[Qdisc], None]
    destroy: Callable[[Qdisc], None] | None = None
    change: Callable[[Qdisc, dict[str, Any]], int] | None = None
    static_flags: int = 0


class Qdisc:
    """Linux: struct Qdisc. `qlen` packets and `backlog` bytes wait in it, those on `gso_skb`
    included.
    """

    __slots__ = (
        "backlog", "bytes", "deactivated", "dequeue", "dev_queue", "drops", "enqueue", "flags",
        "gso_skb", "handle", "limit", "missed", "net", "ops", "overlimits", "packets", "parent",
        "priv", "qlen", "requeues", "running", "scheduled",
    )  # fmt: skip

    def __init__(self, ops: QdiscOps, dev_queue: NetdevQueue) -> None:
        self.ops = ops
        self.dev_queue = dev_queue
        self.net: Net = dev_queue.dev.net
        self.enqueue = ops.enqueue
        self.dequeue = ops.dequeue
        self.flags = ops.static_flags
        self.limit = 0
        self.handle = 0
        self.parent = 0
        self.priv: Any = None
        self.gso_skb: deque[SkBuff] = deque()
        self.qlen = self.backlog = 0
        self.packets = self.bytes = self.drops = self.requeues = self.overlimits = 0
        self.running = self.missed = self.scheduled = self.deactivated = False

    def __repr__(self) -> str:
        return f"<Qdisc {self.ops.id} {self.dev_queue.dev.name} qlen {self.qlen}>"

    def enqueued(self, skb: SkBuff) -> None:
        """A packet was put in. Linux: qdisc_qstats_backlog_inc, qdisc_qstats_qlen_inc."""
        self.qlen += 1
        self.backlog += qdisc_pkt_len(skb)

    def dequeued(self, skb: SkBuff) -> None:
        """A packet was taken out to be sent. Linux: qdisc_update_stats_at_dequeue."""
        self.qlen -= 1
        self.backlog -= qdisc_pkt_len(skb)
        self.update_bstats(skb)

    def update_bstats(self, skb: SkBuff) -> None:
        """Linux: qdisc_bstats_update."""
        self.packets += skb.shinfo.gso_segs or 1
        self.bytes += qdisc_pkt_len(skb)

    def drop(self, skb: SkBuff, to_free: list[SkBuff]) -> int:
        """Refuse a packet. Linux: qdisc_drop."""
        self.drops += 1
        to_free.append(skb)
        return NET_XMIT_DROP


# -- disciplines that hold nothing
# ---------------------------------------------------------------------------------------


def _nothing(_: Qdisc) -> None:
    return None


def _no_options(_: Qdisc, options: dict[str, Any]) -> int:
    return -EINVAL if options else 0


def _noop_enqueue(skb: SkBuff, _: Qdisc, to_free: list[SkBuff]) -> int:
    to_free.append(skb)
    return NET_XMIT_CN


NOOP_OPS = QdiscOps(
    id="noop",
    enqueue=_noop_enqueue,
    dequeue=_nothing,
    peek=_nothing,
    init=_no_options,
    reset=_nothing,
)
"""What a queue has while its device cannot send: drops, and says "congestion"."""

NOQUEUE_OPS = QdiscOps(
    id="noqueue", enqueue=None, dequeue=_nothing, peek=_nothing, init=_no_options, reset=_nothing
)
"""For devices without a queue (loopback): the packet goes straight to the driver."""


# -- running ---------------------------------------------------------------------------------------
# --------------------


def dequeue_skb(q: Qdisc) -> tuple[list[SkBuff], bool]:
    """The next packets to send, and whether they still have to be validated. Linux: dequeue_skb.

    What the driver refused comes first. Nothing comes while the queue is stopped.
    """
    txq = q.dev_queue
    if q.gso_skb:
        if txq.state:
            return [], False
        skb = q.gso_skb.popleft()
        q.qlen -= 1
        q.backlog -= qdisc_pkt_len(skb)
        return [skb], False
    if q.flags & TCQ_F_ONETXQUEUE and txq.state:
        return [], True
    found = q.dequeue(q)
    if found is None:
        return [], True
    trace = q.net.kernel.trace
    if trace.on:
        trace.hit("qdisc_dequeue", found.key, dev=txq.dev.name, qlen=q.qlen)
    return [found], True


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
    if q.dev_queue.state:
        q.net.netif_schedule(q)
    else:
        clock = q.net.kernel.clock
        clock.call_at(clock.now + BUSY_RETRY_NS, lambda: q.net.netif_schedule(q))


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
    txq = q.dev_queue
    while True:
        skbs, validate = dequeue_skb(q)
        if not skbs:
            return
        quota -= len(skbs)
        if not sch_direct_xmit(skbs, q, txq.dev, txq, validate):
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
        q.update_bstats(skb)
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


# -- life ------------------------------------------------------------------------------------------
# --------------------


def qdisc_create(
    ops: QdiscOps, txq: NetdevQueue, options: dict[str, Any] | None = None
) -> Qdisc | int:
    """A qdisc for one transmit queue, or a negative errno. Linux: qdisc_create_dflt."""
    q = Qdisc(ops, txq)
    error = ops.init(q, options or {})
    return q if error == 0 else error


def qdisc_reset(q: Qdisc) -> None:
    """Throw away all that waits. Linux: qdisc_reset."""
    q.ops.reset(q)
    while q.gso_skb:
        kfree_skb_reason(q.gso_skb.popleft(), drop_reason.QDISC_DROP)
    q.qlen = q.backlog = 0


def qdisc_destroy(q: Qdisc) -> None:
    """Linux: qdisc_put, __qdisc_destroy."""
    q.deactivated = True
    qdisc_reset(q)
    if q.ops.destroy is not None:
        q.ops.destroy(q)


def dev_init_scheduler(dev: NetDevice) -> None:
    """Give a new device the qdisc that drops. Linux: dev_init_scheduler.

    A driver that can be told of a hung queue gets a watchdog. Its timer is set by `stop_queue`.
    """
    for txq in dev.tx:
        txq.qdisc = txq.qdisc_sleeping = Qdisc(NOOP_OPS, txq)
    dev.qdisc = dev.tx[0].qdisc
    if hasattr(dev.ops, "ndo_tx_timeout"):
        dev.watchdog_timer = Timer(dev.net.kernel, lambda: _dev_watchdog(dev))


def attach_default_qdiscs(dev: NetDevice) -> None:
    """Linux: attach_default_qdiscs; devices without a queue length get noqueue, others
    net.core.default_qdisc.
    """
    softnet = dev.net.softnet
    ops = softnet.qdiscs[softnet.default_qdisc] if dev.tx_queue_len else NOQUEUE_OPS
    for txq in dev.tx:
        q = qdisc_create(ops, txq)
        if isinstance(q, int):
            raise KernelBug(f"{dev.name}: default qdisc {ops.id}: error {q}")
        q.flags |= TCQ_F_ONETXQUEUE
        txq.qdisc_sleeping = q
    dev.qdisc = dev.tx[0].qdisc_sleeping


def dev_activate(dev: NetDevice) -> None:
    """Let packets through once the device is up and has a carrier. Linux: dev_activate."""
    if dev.qdisc is None or dev.qdisc.ops is NOOP_OPS:
        attach_default_qdiscs(dev)
    if not dev.carrier:
        return
    for txq in dev.tx:
        q = txq.qdisc_sleeping
        assert q is not None
        q.deactivated = False
        txq.qdisc = q
        txq.trans_start = dev.net.kernel.clock.now


def dev_deactivate(dev: NetDevice) -> None:
    """Drop what waits and what comes, until `dev_activate`. Linux: dev_deactivate."""
    for txq in dev.tx:
        q = txq.qdisc_sleeping
        if q is None or q.ops is NOOP_OPS or txq.qdisc is not q:
            continue
        q.deactivated = True
        txq.qdisc = Qdisc(NOOP_OPS, txq)
        qdisc_reset(q)
    if dev.watchdog_timer is not None:
        dev.watchdog_timer.delete()


def _dev_watchdog(dev: NetDevice) -> None:
    """A queue was stopped: if it has been so for watchdog_timeo, tell the driver.

    Linux: dev_watchdog.

    Linux looks at all queues every watchdog_timeo; here the timer runs only while a queue is
    stopped, with the same outcome.
    """
    timer = dev.watchdog_timer
    assert timer is not None
    if not dev.carrier:
        return
    now = dev.net.kernel.clock.now
    stopped = [txq for txq in dev.tx if txq.state]
    for txq in stopped:
        if now - txq.trans_start >= dev.watchdog_timeo:
            _tx_timeout(dev, txq, now)
    if stopped:
        timer.mod(min(txq.trans_start for txq in stopped) + dev.watchdog_timeo)


def _tx_timeout(dev: NetDevice, txq: NetdevQueue, now: int) -> None:
    waited = (now - txq.trans_start) // 1_000_000
    dev.net.kernel.warn(
        f"NETDEV WATCHDOG: {dev.name}: transmit queue {txq.index} timed out {waited} ms"
    )
    txq.trans_start = now
    dev.ops.ndo_tx_timeout(dev, txq.index)  # type: ignore[attr-defined]
