"""prio: bands in strict order, each a class with a qdisc of its own. Linux: net/sched/sch_prio.c.

Class 1:n is band n-1. `skb.priority` chooses: a class id of this qdisc names its class, every other
value goes through the priomap (`priority & 15` → band).
"""

from __future__ import annotations

from typing import Any

from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.netdevice import NET_XMIT_SUCCESS
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.sched.pfifo_fast import PRIO2BAND
from pyhost.net.sched.qdisc import (
    Options,
    Qdisc,
    QdiscClassOps,
    QdiscOps,
    qdisc_dequeue_peeked,
    qdisc_destroy,
    qdisc_purge_queue,
    qdisc_reset,
)
from pyhost.net.sched.sch_fifo import PFIFO_OPS, fifo_create_dflt
from pyhost.uapi.errno import EINVAL

__all__ = ["PRIO_OPS"]

TCQ_PRIO_BANDS = 16
TCQ_MIN_PRIO_BANDS = 2
DEFAULT_BANDS = 3
TC_PRIO_MAX = 15


class PrioSched:
    """Linux: struct prio_sched_data."""

    __slots__ = ("prio2band", "queues")

    def __init__(self) -> None:
        self.prio2band: tuple[int, ...] = ()
        self.queues: list[Qdisc] = []


def _classify(skb: SkBuff, q: Qdisc) -> Qdisc:
    """Linux: prio_classify, without filters."""
    prio: PrioSched = q.priv
    priority = skb.priority
    major = priority & 0xFFFF0000
    if not major:
        return prio.queues[prio.prio2band[priority & TC_PRIO_MAX]]
    band = (priority & 0xFFFF) - 1
    if major == q.handle and 0 <= band < len(prio.queues):
        return prio.queues[band]
    return prio.queues[prio.prio2band[0]]


def _enqueue(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    child = _classify(skb, q)
    assert child.enqueue is not None
    size = qdisc_pkt_len(skb)
    rc = child.enqueue(skb, child, to_free)
    if rc == NET_XMIT_SUCCESS:
        q.qlen += 1
        q.backlog += size
    else:
        q.drops += 1
    return rc


def _dequeue(q: Qdisc) -> SkBuff | None:
    for child in q.priv.queues:
        skb = qdisc_dequeue_peeked(child)
        if skb is not None:
            q.dequeued(skb)
            return skb
    return None


def _peek(q: Qdisc) -> SkBuff | None:
    for child in q.priv.queues:
        skb: SkBuff | None = child.ops.peek(child)
        if skb is not None:
            return skb
    return None


def _init(q: Qdisc, options: Options) -> int:
    q.priv = PrioSched()
    return _change(q, options)


def _change(q: Qdisc, options: Options) -> int:
    """Linux: prio_tune. -EINVAL: too few or too many bands, or a priority without a band."""
    prio: PrioSched = q.priv
    bands = options.get("bands", DEFAULT_BANDS)
    prio2band = tuple(options.get("priomap", PRIO2BAND))
    if not TCQ_MIN_PRIO_BANDS <= bands <= TCQ_PRIO_BANDS:
        return -EINVAL
    if len(prio2band) != TC_PRIO_MAX + 1 or max(prio2band) >= bands:
        return -EINVAL
    while len(prio.queues) > bands:
        unused = prio.queues.pop()
        qdisc_purge_queue(unused)
        qdisc_destroy(unused)
    prio.prio2band = prio2band
    limit = q.dev_queue.dev.tx_queue_len
    while len(prio.queues) < bands:
        classid = q.handle | len(prio.queues) + 1
        prio.queues.append(fifo_create_dflt(q, PFIFO_OPS, limit, classid))
    return 0


def _reset(q: Qdisc) -> None:
    for child in q.priv.queues:
        qdisc_reset(child)


def _destroy(q: Qdisc) -> None:
    while q.priv.queues:
        qdisc_destroy(q.priv.queues.pop())


def _dump(q: Qdisc) -> dict[str, Any]:
    return {"bands": len(q.priv.queues), "priomap": q.priv.prio2band}


def _walk(q: Qdisc) -> range:
    return range(1, len(q.priv.queues) + 1)


def _leaf(q: Qdisc, minor: int) -> Qdisc:
    child: Qdisc = q.priv.queues[minor - 1]
    return child


def _graft(q: Qdisc, minor: int, new: Qdisc) -> Qdisc:
    """Linux: prio_graft, qdisc_replace."""
    old: Qdisc = q.priv.queues[minor - 1]
    q.priv.queues[minor - 1] = new
    qdisc_purge_queue(old)
    return old


PRIO_OPS = QdiscOps(
    id="prio",
    enqueue=_enqueue,
    dequeue=_dequeue,
    peek=_peek,
    init=_init,
    change=_change,
    reset=_reset,
    destroy=_destroy,
    dump=_dump,
    cl_ops=QdiscClassOps(walk=_walk, leaf=_leaf, graft=_graft),
)
