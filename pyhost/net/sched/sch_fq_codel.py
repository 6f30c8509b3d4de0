"""fq_codel: a queue for each flow, served in turn, each kept short by codel (RFC 8290).

Linux: net/sched/sch_fq_codel.c.

    hash(flow) ─→ flow.queue        new flows ─→ served first, for one quantum of bytes
                                    old flows ─→ in turn, quantum by quantum

When there are too many packets or bytes in all, the fattest flow loses up to `drop_batch` packets
from its head, at most half of what it has.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.core import drop_reason
from pyhost.net.core.flow_dissector import reciprocal_scale, skb_get_hash
from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.netdevice import NET_XMIT_CN, NET_XMIT_SUCCESS
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.sched.codel import Codel, CodelVars, Entry
from pyhost.net.sched.qdisc import (
    TCQ_F_CAN_BYPASS,
    Options,
    Qdisc,
    QdiscOps,
    psched_mtu,
    qdisc_peek_dequeued,
    qdisc_tree_reduce_backlog,
)
from pyhost.uapi.errno import EINVAL

__all__ = ["FQ_CODEL_OPS"]

DEFAULT_LIMIT = 10 * 1024
DEFAULT_FLOWS = 1024
MAX_FLOWS = 65536
DEFAULT_MEMORY_LIMIT = 32 << 20
DEFAULT_DROP_BATCH = 64
MIN_QUANTUM = 256
MAX_QUANTUM = 1 << 20
TC_PRIO_MAX = 15


class FqCodelFlow(CodelVars):
    """Linux: struct fq_codel_flow, and the flow's codel_vars."""

    __slots__ = ("backlog", "deficit", "listed", "queue")

    def __init__(self) -> None:
        super().__init__()
        self.queue: deque[Entry] = deque()
        self.backlog = 0
        self.deficit = 0
        self.listed = False


class FqCodelSched(Codel):
    """Linux: struct fq_codel_sched_data. `flows` are made as they are used."""

    __slots__ = (
        "drop_batch_size", "drop_overlimit", "drop_overmemory", "flows", "flows_cnt",
        "memory_limit", "memory_usage", "new_flow_count", "new_flows", "old_flows", "quantum",
        "sch",
    )  # fmt: skip

    def __init__(self, sch: Qdisc) -> None:
        dev = sch.dev_queue.dev
        super().__init__(psched_mtu(dev))
        self.sch = sch
        self.flows: dict[int, FqCodelFlow] = {}
        self.flows_cnt = DEFAULT_FLOWS
        self.quantum = psched_mtu(dev)
        self.memory_limit = DEFAULT_MEMORY_LIMIT
        self.memory_usage = 0
        self.drop_batch_size = DEFAULT_DROP_BATCH
        self.drop_overlimit = self.drop_overmemory = self.new_flow_count = 0
        self.new_flows: deque[FqCodelFlow] = deque()
        self.old_flows: deque[FqCodelFlow] = deque()

    # -- codel's view ------------------------------------------------------------------------------

    def take(self, queue: CodelVars) -> Entry | None:
        """Linux: fq_codel_sched's dequeue_func."""
        assert isinstance(queue, FqCodelFlow)
        if not queue.queue:
            return None
        entry = queue.queue.popleft()
        skb = entry[0]
        queue.backlog -= qdisc_pkt_len(skb)
        self.memory_usage -= skb.truesize
        self.sch.removed(skb)
        return entry

    def discard(self, skb: SkBuff) -> None:
        """Linux: fq_codel_sched's drop_func."""
        self.sch.drops += 1
        kfree_skb_reason(skb, drop_reason.QDISC_CONGESTED)

    def backlog_bytes(self) -> int:
        """Linux: sch->qstats.backlog."""
        return self.sch.backlog

    # -- flows -------------------------------------------------------------------------------------

    def flow_of(self, skb: SkBuff) -> FqCodelFlow:
        """Linux: fq_codel_classify, without filters. A priority may name a flow by its class id."""
        priority = skb.priority
        minor = priority & 0xFFFF
        if priority & 0xFFFF0000 == self.sch.handle != 0 and 0 < minor <= self.flows_cnt:
            index = minor - 1
        else:
            index = reciprocal_scale(skb_get_hash(skb), self.flows_cnt)
        flow = self.flows.get(index)
        if flow is None:
            flow = self.flows[index] = FqCodelFlow()
        return flow

    def drop_from_fattest(self, most: int) -> FqCodelFlow:
        """Drop from the head of the longest queue: half of its bytes, at most `most` packets.

        Linux: fq_codel_drop.
        """
        flow = max(self.flows.values(), key=lambda flow: flow.backlog)
        threshold = flow.backlog >> 1
        count = size = 0
        while count < most and size < threshold:
            entry = self.take(flow)
            assert entry is not None
            size += qdisc_pkt_len(entry[0])
            count += 1
            self.sch.drops += 1
            kfree_skb_reason(entry[0], drop_reason.QDISC_OVERLIMIT)
        flow.count += count
        return flow


# -- packets ---------------------------------------------------------------------------------------


def _enqueue(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    """NET_XMIT_CN when packets of the flow of this one had to go for it."""
    fq: FqCodelSched = q.priv
    flow = fq.flow_of(skb)
    size = qdisc_pkt_len(skb)
    flow.queue.append((skb, q.net.kernel.clock.now))
    flow.backlog += size
    q.qlen += 1
    q.backlog += size
    if not flow.listed:
        flow.listed = True
        fq.new_flows.append(flow)
        fq.new_flow_count += 1
        flow.deficit = fq.quantum
    fq.memory_usage += skb.truesize
    memory_limited = fq.memory_usage > fq.memory_limit
    if q.qlen <= q.limit and not memory_limited:
        return NET_XMIT_SUCCESS
    return _make_room(q, fq, flow, size, memory_limited)


def _make_room(
    q: Qdisc, fq: FqCodelSched, flow: FqCodelFlow, size: int, memory_limited: bool
) -> int:
    """The rest of fq_codel_enqueue: drop until the limits hold, and tell the parents.

    A caller that hears NET_XMIT_CN does not count its packet, so one fewer is taken off for it.
    """
    packets, waiting, drops = q.qlen, q.backlog, q.drops
    fattest = fq.drop_from_fattest(fq.drop_batch_size)
    dropped = q.drops - drops
    fq.drop_overlimit += dropped
    if memory_limited:
        fq.drop_overmemory += dropped
    if fattest is flow:
        qdisc_tree_reduce_backlog(q, packets - q.qlen - 1, waiting - q.backlog - size)
        return NET_XMIT_CN
    qdisc_tree_reduce_backlog(q, packets - q.qlen, waiting - q.backlog)
    return NET_XMIT_SUCCESS


def _next_flow(fq: FqCodelSched) -> FqCodelFlow | None:
    """The flow whose turn it is, at the head of its list; one that used up its quantum goes to the
    end of the old ones.
    """
    while True:
        flows = fq.new_flows or fq.old_flows
        if not flows:
            return None
        flow = flows[0]
        if flow.deficit > 0:
            return flow
        flow.deficit += fq.quantum
        flows.popleft()
        fq.old_flows.append(flow)


def _dequeue(q: Qdisc) -> SkBuff | None:
    """Linux: fq_codel_dequeue."""
    fq: FqCodelSched = q.priv
    skb = _take(fq, q.net.kernel.clock.now)
    stats = fq.cstats
    if stats.drop_count:
        qdisc_tree_reduce_backlog(q, stats.drop_count, stats.drop_len)
        stats.drop_count = stats.drop_len = 0
    if skb is not None:
        q.update_bstats(skb)
    return skb


def _take(fq: FqCodelSched, now: int) -> SkBuff | None:
    """What codel lets go of the flow whose turn it is."""
    while True:
        flow = _next_flow(fq)
        if flow is None:
            return None
        skb = fq.codel_dequeue(flow, now)
        if skb is not None:
            flow.deficit -= qdisc_pkt_len(skb)
            return skb
        _retire(fq, flow)


def _retire(fq: FqCodelSched, flow: FqCodelFlow) -> None:
    """An empty flow leaves the lists; a new one only after a round with the old ones, so that it
    cannot come back as a new one at once.
    """
    if fq.new_flows and fq.new_flows[0] is flow:
        fq.new_flows.popleft()
        if fq.old_flows:
            fq.old_flows.append(flow)
            return
    else:
        fq.old_flows.popleft()
    flow.listed = False


# -- options and life ------------------------------------------------------------------------------


def _init(q: Qdisc, options: Options) -> int:
    q.limit = DEFAULT_LIMIT
    fq = q.priv = FqCodelSched(q)
    flows = options.get("flows", DEFAULT_FLOWS)
    if not 0 < flows <= MAX_FLOWS:
        return -EINVAL
    fq.flows_cnt = flows
    return _change(q, options)


def _change(q: Qdisc, options: Options) -> int:
    """Linux: fq_codel_change; target, interval and ce_threshold in us. -EINVAL: a quantum out of
    bounds, or another number of flows.
    """
    fq: FqCodelSched = q.priv
    params = fq.cparams
    quantum = options.get("quantum", fq.quantum)
    if options.get("flows", fq.flows_cnt) != fq.flows_cnt or not 0 < quantum <= MAX_QUANTUM:
        return -EINVAL
    fq.quantum = max(MIN_QUANTUM, quantum)
    if "target" in options:
        params.target = options["target"] * NSEC_PER_USEC
    if "interval" in options:
        params.interval = max(1, options["interval"]) * NSEC_PER_USEC
    if "ce_threshold" in options:
        params.ce_threshold = options["ce_threshold"] * NSEC_PER_USEC
    params.ecn = bool(options.get("ecn", params.ecn))
    q.limit = options.get("limit", q.limit)
    fq.drop_batch_size = max(1, options.get("drop_batch_size", fq.drop_batch_size))
    fq.memory_limit = min(1 << 31, options.get("memory_limit", fq.memory_limit))
    q.flags = q.flags | TCQ_F_CAN_BYPASS if q.limit >= 1 else q.flags & ~TCQ_F_CAN_BYPASS
    packets, waiting = q.qlen, q.backlog
    while q.qlen - len(q.gso_skb) > q.limit or fq.memory_usage > fq.memory_limit:
        fq.drop_from_fattest(1)
    qdisc_tree_reduce_backlog(q, packets - q.qlen, waiting - q.backlog)
    return 0


def _reset(q: Qdisc) -> None:
    fq: FqCodelSched = q.priv
    for flow in fq.flows.values():
        for skb, _ in flow.queue:
            kfree_skb_reason(skb, drop_reason.QDISC_DROP)
    fq.flows.clear()
    fq.new_flows.clear()
    fq.old_flows.clear()
    fq.memory_usage = 0


def _dump(q: Qdisc) -> dict[str, Any]:
    fq: FqCodelSched = q.priv
    params = fq.cparams
    options = {
        "limit": q.limit, "flows": fq.flows_cnt, "quantum": fq.quantum,
        "target": params.target // NSEC_PER_USEC, "interval": params.interval // NSEC_PER_USEC,
        "memory_limit": fq.memory_limit, "ecn": params.ecn, "drop_batch_size": fq.drop_batch_size,
    }  # fmt: skip
    if params.ce_threshold is not None:
        options["ce_threshold"] = params.ce_threshold // NSEC_PER_USEC
    return options


def _dump_stats(q: Qdisc) -> dict[str, int]:
    fq: FqCodelSched = q.priv
    stats = fq.cstats
    return {
        "maxpacket": stats.maxpacket, "drop_overlimit": fq.drop_overlimit,
        "new_flow_count": fq.new_flow_count, "ecn_mark": stats.ecn_mark, "ce_mark": stats.ce_mark,
        "drop_overmemory": fq.drop_overmemory, "memory_usage": fq.memory_usage,
        "new_flows_len": len(fq.new_flows), "old_flows_len": len(fq.old_flows),
    }  # fmt: skip


FQ_CODEL_OPS = QdiscOps(
    id="fq_codel",
    enqueue=_enqueue,
    dequeue=_dequeue,
    peek=qdisc_peek_dequeued,
    init=_init,
    change=_change,
    reset=_reset,
    dump=_dump,
    dump_stats=_dump_stats,
)
