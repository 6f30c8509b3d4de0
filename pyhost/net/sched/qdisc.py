"""What a queueing discipline is, and what disciplines have in common.

Linux: include/net/sch_generic.h, and the helpers of net/sched/sch_generic.c that do not run
packets.

A discipline is a `QdiscOps` table. It keeps its packets in `priv`, counts them through `enqueued`
and `dequeued` of its `Qdisc`, and puts what it throws away on `to_free`, which the caller frees
when it has left the qdisc. A discipline with classes has a `QdiscClassOps` table beside it; a class
is named by the minor number of its id, and each class here has one child qdisc.

    root (1:) ─ class 1:1 ─ child (10:)        `parent_q` leads from a child up to its root
              └ class 1:2 ─ child (20:)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyhost.net.core import drop_reason
from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.netdevice import NET_XMIT_CN, NET_XMIT_DROP, NetDevice, NetdevQueue
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.uapi.errno import EINVAL

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = [
    "NOOP_OPS", "NOQUEUE_OPS", "TCQ_F_CAN_BYPASS", "TCQ_F_MQROOT", "TCQ_F_ONETXQUEUE", "Options",
    "Qdisc", "QdiscClassOps", "QdiscOps", "no_options", "psched_mtu", "qdisc_create",
    "qdisc_dequeue_peeked", "qdisc_destroy", "qdisc_peek_dequeued", "qdisc_purge_queue",
    "qdisc_reset", "qdisc_root", "qdisc_tree_reduce_backlog",
]  # fmt: skip

TCQ_F_CAN_BYPASS = 4
TCQ_F_MQROOT = 8
TCQ_F_ONETXQUEUE = 0x10

Options = Mapping[str, Any]
"""A discipline's options by the names of their netlink attributes, in small letters."""

Enqueue = Callable[[SkBuff, "Qdisc", list[SkBuff]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class QdiscClassOps:
    """The classes of a discipline. Linux: struct Qdisc_class_ops.

    `walk` gives the minor numbers in use; `leaf` the child of one of them, `graft` puts another
    child there and returns the old one.
    """

    walk: Callable[[Qdisc], range]
    leaf: Callable[[Qdisc, int], Qdisc]
    graft: Callable[[Qdisc, int, Qdisc], Qdisc]


@dataclass(frozen=True, slots=True, kw_only=True)
class QdiscOps:
    """One discipline.

    Linux: struct Qdisc_ops. Functions return 0 or a negative errno, `enqueue` NET_XMIT_*. `attach`
    puts a discipline with a child for each transmit queue in its place. `dump` gives the options in
    force, `dump_stats` what the discipline counts beside the counters of every qdisc.
    """

    id: str
    enqueue: Enqueue | None
    dequeue: Callable[[Qdisc], SkBuff | None]
    peek: Callable[[Qdisc], SkBuff | None]
    init: Callable[[Qdisc, Options], int]
    reset: Callable[[Qdisc], None]
    destroy: Callable[[Qdisc], None] | None = None
    change: Callable[[Qdisc, Options], int] | None = None
    attach: Callable[[Qdisc], None] | None = None
    change_tx_queue_len: Callable[[Qdisc, int], None] | None = None
    dump: Callable[[Qdisc], dict[str, Any]] | None = None
    dump_stats: Callable[[Qdisc], dict[str, int]] | None = None
    cl_ops: QdiscClassOps | None = None
    static_flags: int = 0


class Qdisc:
    """Linux: struct Qdisc. `qlen` packets and `backlog` bytes wait in it, those on `gso_skb` and
    `skb_bad_txq` included.

    `handle` and `parent` are major << 16 | minor; a default qdisc has handle 0.
    """

    __slots__ = (
        "backlog", "bytes", "deactivated", "dequeue", "dev_queue", "drops", "enqueue", "flags",
        "gso_skb", "handle", "limit", "missed", "net", "ops", "overlimits", "packets", "parent",
        "parent_q", "priv", "qlen", "requeues", "running", "scheduled", "skb_bad_txq",
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
        self.parent_q: Qdisc | None = None
        self.priv: Any = None
        self.gso_skb: deque[SkBuff] = deque()
        self.skb_bad_txq: deque[SkBuff] = deque()
        self.qlen = self.backlog = 0
        self.packets = self.bytes = self.drops = self.requeues = self.overlimits = 0
        self.running = self.missed = self.scheduled = self.deactivated = False

    def __repr__(self) -> str:
        return f"<Qdisc {self.ops.id} {self.dev_queue.dev.name} qlen {self.qlen}>"

    def enqueued(self, skb: SkBuff) -> None:
        """A packet was put in. Linux: qdisc_qstats_backlog_inc, qdisc_qstats_qlen_inc."""
        self.qlen += 1
        self.backlog += qdisc_pkt_len(skb)

    def removed(self, skb: SkBuff) -> None:
        """A packet was taken out. Linux: qdisc_qstats_backlog_dec, qdisc_qstats_qlen_dec."""
        self.qlen -= 1
        self.backlog -= qdisc_pkt_len(skb)

    def dequeued(self, skb: SkBuff) -> None:
        """A packet was taken out to be sent. Linux: qdisc_update_stats_at_dequeue."""
        size = qdisc_pkt_len(skb)
        self.qlen -= 1
        self.backlog -= size
        self.packets += skb.shinfo.gso_segs or 1
        self.bytes += size

    def update_bstats(self, skb: SkBuff) -> None:
        """Linux: qdisc_bstats_update."""
        self.packets += skb.shinfo.gso_segs or 1
        self.bytes += qdisc_pkt_len(skb)

    def drop(self, skb: SkBuff, to_free: list[SkBuff]) -> int:
        """Refuse a packet. Linux: qdisc_drop."""
        self.drops += 1
        to_free.append(skb)
        return NET_XMIT_DROP


# -- disciplines that hold nothing -----------------------------------------------------------------


def _nothing(_: Qdisc) -> None:
    return None


def no_options(_: Qdisc, options: Options) -> int:
    """`init` of a discipline that has no options: 0, or -EINVAL when some are given."""
    return -EINVAL if options else 0


def _noop_enqueue(skb: SkBuff, _: Qdisc, to_free: list[SkBuff]) -> int:
    to_free.append(skb)
    return NET_XMIT_CN


NOOP_OPS = QdiscOps(
    id="noop",
    enqueue=_noop_enqueue,
    dequeue=_nothing,
    peek=_nothing,
    init=no_options,
    reset=_nothing,
)
"""What a queue has while its device cannot send: drops, and says "congestion"."""

NOQUEUE_OPS = QdiscOps(
    id="noqueue", enqueue=None, dequeue=_nothing, peek=_nothing, init=no_options, reset=_nothing
)
"""For devices without a queue (loopback): the packet goes straight to the driver."""


# -- a discipline within another -------------------------------------------------------------------


def qdisc_root(q: Qdisc) -> Qdisc:
    """The qdisc that the transmit queue runs when `q` has something to send. Linux: qdisc_root."""
    root = q.dev_queue.qdisc_sleeping
    return q if root is None else root


def qdisc_tree_reduce_backlog(q: Qdisc, packets: int, size: int) -> None:
    """A qdisc threw away packets it had accepted: its parents count them no longer.

    `packets` may be negative when a super-packet was cut into several. Linux:
    qdisc_tree_reduce_backlog.
    """
    dropped = max(packets, 0)
    parent = q.parent_q
    while parent is not None:
        parent.qlen -= packets
        parent.backlog -= size
        parent.drops += dropped
        parent = parent.parent_q


def qdisc_purge_queue(q: Qdisc) -> None:
    """Throw away what waits in a child that goes; its parents count it no longer. Linux:
    qdisc_purge_queue.
    """
    packets, size = q.qlen, q.backlog
    qdisc_reset(q)
    qdisc_tree_reduce_backlog(q, packets, size)


def qdisc_peek_dequeued(q: Qdisc) -> SkBuff | None:
    """`peek` for a discipline that only knows what comes next by dequeuing it.

    The packet is kept on `gso_skb` and still counted. Linux: qdisc_peek_dequeued.
    """
    if not q.gso_skb:
        skb = q.dequeue(q)
        if skb is None:
            return None
        q.gso_skb.append(skb)
        q.enqueued(skb)
    return q.gso_skb[0]


def qdisc_dequeue_peeked(q: Qdisc) -> SkBuff | None:
    """Take out what `peek` has shown. Linux: qdisc_dequeue_peeked."""
    if q.gso_skb:
        skb = q.gso_skb.popleft()
        q.removed(skb)
        return skb
    return q.dequeue(q)


def psched_mtu(dev: NetDevice) -> int:
    """Bytes of the longest frame, link header included. Linux: psched_mtu."""
    return dev.mtu + dev.hard_header_len


# -- life ------------------------------------------------------------------------------------------


def qdisc_create(
    ops: QdiscOps,
    txq: NetdevQueue,
    options: Options | None = None,
    *,
    parent: Qdisc | None = None,
    classid: int = 0,
    handle: int = 0,
) -> Qdisc | int:
    """A qdisc for a transmit queue or for the class `classid` of `parent`, or a negative errno.

    Linux: qdisc_create, qdisc_create_dflt.
    """
    q = Qdisc(ops, txq)
    q.parent_q, q.parent, q.handle = parent, classid, handle
    error = ops.init(q, options or {})
    if error == 0:
        return q
    if ops.destroy is not None:
        ops.destroy(q)
    return error


def qdisc_reset(q: Qdisc) -> None:
    """Throw away all that waits. Linux: qdisc_reset."""
    q.ops.reset(q)
    for held in (q.gso_skb, q.skb_bad_txq):
        while held:
            kfree_skb_reason(held.popleft(), drop_reason.QDISC_DROP)
    q.qlen = q.backlog = 0


def qdisc_destroy(q: Qdisc) -> None:
    """Linux: qdisc_put, __qdisc_destroy."""
    q.deactivated = True
    qdisc_reset(q)
    if q.ops.destroy is not None:
        q.ops.destroy(q)
    q.dev_queue.dev.qdisc_hash.pop(q.handle, None)
