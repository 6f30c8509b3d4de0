"""mq: a qdisc of its own for each transmit queue. Linux: net/sched/sch_mq.c.

It never holds a packet: each transmit queue runs the child that is in its place. Class 1:n is the
queue n-1.
"""

from __future__ import annotations

from pyhost.net.core.netdevice import NET_XMIT_CN, NetdevQueue
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.sched.qdisc import (
    TCQ_F_MQROOT,
    TCQ_F_ONETXQUEUE,
    Options,
    Qdisc,
    QdiscClassOps,
    QdiscOps,
    qdisc_create,
    qdisc_destroy,
)
from pyhost.uapi.errno import EOPNOTSUPP

__all__ = ["MQ_OPS", "mq_totals"]


def _enqueue(skb: SkBuff, _: Qdisc, to_free: list[SkBuff]) -> int:
    """No transmit queue has mq itself once it is attached."""
    to_free.append(skb)
    return NET_XMIT_CN


def _nothing(_: Qdisc) -> None:
    return None


def _init(q: Qdisc, options: Options) -> int:
    """A default qdisc for each queue. Linux: mq_init."""
    dev = q.dev_queue.dev
    if q.parent_q is not None or len(dev.tx) < 2 or options:
        return -EOPNOTSUPP
    softnet = q.net.softnet
    children: list[Qdisc] = []
    q.priv = children
    for txq in dev.tx:
        child = qdisc_create(
            softnet.qdiscs[softnet.default_qdisc],
            txq,
            parent=q,
            classid=q.handle | txq.index + 1,
        )
        if isinstance(child, int):
            return child
        child.flags |= TCQ_F_ONETXQUEUE
        children.append(child)
    return 0


def _attach(q: Qdisc) -> None:
    """Linux: mq_attach."""
    for txq, child in zip(q.dev_queue.dev.tx, q.priv, strict=True):
        txq.qdisc_sleeping = child


def _destroy(q: Qdisc) -> None:
    """Linux: mq_destroy."""
    children: list[Qdisc] = q.priv or []
    for child in children:
        qdisc_destroy(child)


def _walk(q: Qdisc) -> range:
    return range(1, len(q.priv) + 1)


def _leaf(q: Qdisc, minor: int) -> Qdisc:
    child: Qdisc = q.priv[minor - 1]
    return child


def _graft(q: Qdisc, minor: int, new: Qdisc) -> Qdisc:
    """Linux: mq_graft; the device is deactivated meanwhile."""
    txq: NetdevQueue = q.dev_queue.dev.tx[minor - 1]
    old: Qdisc = q.priv[minor - 1]
    q.priv[minor - 1] = new
    new.flags |= TCQ_F_ONETXQUEUE
    txq.qdisc_sleeping = new
    return old


def mq_totals(q: Qdisc) -> None:
    """Bring the counters of the root up to date from its children. Linux: mq_dump."""
    children: list[Qdisc] = q.priv
    for name in ("qlen", "backlog", "packets", "bytes", "drops", "requeues", "overlimits"):
        setattr(q, name, sum(getattr(child, name) for child in children))


MQ_OPS = QdiscOps(
    id="mq",
    enqueue=_enqueue,
    dequeue=_nothing,
    peek=_nothing,
    init=_init,
    reset=_nothing,
    destroy=_destroy,
    attach=_attach,
    cl_ops=QdiscClassOps(walk=_walk, leaf=_leaf, graft=_graft),
    static_flags=TCQ_F_MQROOT,
)
