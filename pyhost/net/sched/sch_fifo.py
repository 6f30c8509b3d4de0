"""pfifo and bfifo: one queue, limited in packets or in bytes. Linux: net/sched/sch_fifo.c."""

from __future__ import annotations

from collections import deque
from typing import Any

from pyhost.net.core import drop_reason
from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.netdevice import NET_XMIT_SUCCESS
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.sched.qdisc import (
    TCQ_F_CAN_BYPASS,
    Options,
    Qdisc,
    QdiscOps,
    psched_mtu,
    qdisc_create,
)

__all__ = ["BFIFO_OPS", "PFIFO_OPS", "fifo_create_dflt"]


def _pfifo_enqueue(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    if q.qlen >= q.limit:
        return q.drop(skb, to_free)
    q.priv.append(skb)
    q.enqueued(skb)
    return NET_XMIT_SUCCESS


def _bfifo_enqueue(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    if q.backlog + qdisc_pkt_len(skb) > q.limit:
        return q.drop(skb, to_free)
    q.priv.append(skb)
    q.enqueued(skb)
    return NET_XMIT_SUCCESS


def _dequeue(q: Qdisc) -> SkBuff | None:
    queue: deque[SkBuff] = q.priv
    if not queue:
        return None
    skb = queue.popleft()
    q.dequeued(skb)
    return skb


def _peek(q: Qdisc) -> SkBuff | None:
    queue: deque[SkBuff] = q.priv
    return queue[0] if queue else None


def _pfifo_init(q: Qdisc, options: Options) -> int:
    queue: deque[SkBuff] = deque()
    q.priv = queue
    return _pfifo_change(q, options)


def _bfifo_init(q: Qdisc, options: Options) -> int:
    queue: deque[SkBuff] = deque()
    q.priv = queue
    return _bfifo_change(q, options)


def _pfifo_change(q: Qdisc, options: Options) -> int:
    q.limit = options.get("limit", q.dev_queue.dev.tx_queue_len)
    _allow_bypass(q, q.limit >= 1)
    return 0


def _bfifo_change(q: Qdisc, options: Options) -> int:
    dev = q.dev_queue.dev
    q.limit = options.get("limit", dev.tx_queue_len * psched_mtu(dev))
    _allow_bypass(q, q.limit >= psched_mtu(dev))
    return 0


def _allow_bypass(q: Qdisc, room: bool) -> None:
    """A queue that would take any packet when it is empty may be passed by."""
    q.flags = q.flags | TCQ_F_CAN_BYPASS if room else q.flags & ~TCQ_F_CAN_BYPASS


def _reset(q: Qdisc) -> None:
    queue: deque[SkBuff] = q.priv
    while queue:
        kfree_skb_reason(queue.popleft(), drop_reason.QDISC_DROP)


def _dump(q: Qdisc) -> dict[str, Any]:
    return {"limit": q.limit}


PFIFO_OPS = QdiscOps(
    id="pfifo",
    enqueue=_pfifo_enqueue,
    dequeue=_dequeue,
    peek=_peek,
    init=_pfifo_init,
    change=_pfifo_change,
    reset=_reset,
    dump=_dump,
)

BFIFO_OPS = QdiscOps(
    id="bfifo",
    enqueue=_bfifo_enqueue,
    dequeue=_dequeue,
    peek=_peek,
    init=_bfifo_init,
    change=_bfifo_change,
    reset=_reset,
    dump=_dump,
)


def fifo_create_dflt(parent: Qdisc, ops: QdiscOps, limit: int, classid: int) -> Qdisc:
    """The fifo that a class has until it is given another qdisc. Linux: fifo_create_dflt,
    qdisc_create_dflt.
    """
    q = qdisc_create(ops, parent.dev_queue, {"limit": limit}, parent=parent, classid=classid)
    assert isinstance(q, Qdisc)
    return q
