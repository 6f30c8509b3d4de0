"""pfifo_fast, the default qdisc: three bands, strict priority.

Linux: net/sched/sch_generic.c pfifo_fast.

Each band is a ring of its own with room for `tx_queue_len` packets. Band 0 (interactive) goes
before band 1 (best effort), which goes before band 2 (bulk).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from pyhost.net.core import drop_reason
from pyhost.net.core.netdevice import NET_XMIT_SUCCESS
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.sched.qdisc import TCQ_F_CAN_BYPASS, Options, Qdisc, QdiscOps
from pyhost.uapi.errno import EINVAL

__all__ = ["PFIFO_FAST_OPS", "PRIO2BAND"]

PFIFO_FAST_BANDS = 3

PRIO2BAND = (1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
"""Band of `skb.priority & 15`. Linux: sch_default_prio2band."""


def _enqueue(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    band: deque[SkBuff] = q.priv[PRIO2BAND[skb.priority & 15]]
    if len(band) >= q.limit:
        return q.drop(skb, to_free)
    band.append(skb)
    q.enqueued(skb)
    return NET_XMIT_SUCCESS


def _dequeue(q: Qdisc) -> SkBuff | None:
    for band in q.priv:
        if band:
            skb: SkBuff = band.popleft()
            q.dequeued(skb)
            return skb
    return None


def _peek(q: Qdisc) -> SkBuff | None:
    for band in q.priv:
        if band:
            skb: SkBuff = band[0]
            return skb
    return None


def _init(q: Qdisc, options: Options) -> int:
    if options or not q.dev_queue.dev.tx_queue_len:
        return -EINVAL
    q.limit = q.dev_queue.dev.tx_queue_len
    bands: tuple[deque[SkBuff], ...] = tuple(deque() for _ in range(PFIFO_FAST_BANDS))
    q.priv = bands
    return 0


def _reset(q: Qdisc) -> None:
    for band in q.priv:
        while band:
            kfree_skb_reason(band.popleft(), drop_reason.QDISC_DROP)


def _change_tx_queue_len(q: Qdisc, length: int) -> None:
    """Linux: pfifo_fast_change_tx_queue_len; the newest of a band that is too long now are lost."""
    q.limit = length
    for band in q.priv:
        while len(band) > length:
            skb: SkBuff = band.pop()
            q.removed(skb)
            q.drops += 1
            kfree_skb_reason(skb, drop_reason.QDISC_DROP)


def _dump(_: Qdisc) -> dict[str, Any]:
    return {"bands": PFIFO_FAST_BANDS, "priomap": PRIO2BAND}


PFIFO_FAST_OPS = QdiscOps(
    id="pfifo_fast",
    enqueue=_enqueue,
    dequeue=_dequeue,
    peek=_peek,
    init=_init,
    reset=_reset,
    change_tx_queue_len=_change_tx_queue_len,
    dump=_dump,
    static_flags=TCQ_F_CAN_BYPASS,
)
