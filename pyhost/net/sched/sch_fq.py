"""fq: fair queue and pacing, the discipline and its options. Linux: net/sched/sch_fq.c.

What it does with packets stands in fq_sched.py.
"""

from __future__ import annotations

from typing import Any

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.sched.fq_sched import FQ_BANDS, NEVER, FqSched
from pyhost.net.sched.qdisc import Options, Qdisc, QdiscOps, qdisc_peek_dequeued
from pyhost.uapi.errno import EINVAL

__all__ = ["FQ_OPS"]

DEFAULT_LIMIT = 10_000
MAX_QUANTUM = 1 << 20
MAX_BUCKETS = 256 * 1024
MIN_WEIGHT = 16384


def _enqueue(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    fq: FqSched = q.priv
    return fq.enqueue(skb, to_free)


def _dequeue(q: Qdisc) -> SkBuff | None:
    fq: FqSched = q.priv
    return fq.dequeue()


def _init(q: Qdisc, options: Options) -> int:
    q.limit = DEFAULT_LIMIT
    q.priv = FqSched(q)
    return _change(q, options)


def _change(q: Qdisc, options: Options) -> int:
    """Linux: fq_change. Rates are bytes a second; refill_delay, horizon and ce_threshold us, the
    timer's slack ns. -EINVAL: a value out of bounds; nothing is changed then.
    """
    fq: FqSched = q.priv
    if not _legal(options):
        return -EINVAL
    q.limit = options.get("limit", q.limit)
    fq.flow_plimit = options.get("flow_limit", fq.flow_plimit)
    fq.quantum = options.get("quantum", fq.quantum)
    fq.initial_quantum = options.get("initial_quantum", fq.initial_quantum)
    fq.flow_max_rate = options.get("maxrate", fq.flow_max_rate)
    fq.low_rate_threshold = options.get("low_rate_threshold", fq.low_rate_threshold)
    fq.rate_enable = bool(options.get("pacing", fq.rate_enable))
    fq.orphan_mask = options.get("orphan_mask", fq.orphan_mask)
    fq.buckets = options.get("buckets", fq.buckets)
    fq.timer_slack = options.get("timer_slack", fq.timer_slack)
    fq.horizon_drop = bool(options.get("horizon_drop", fq.horizon_drop))
    fq.prio2band = tuple(options.get("priomap", fq.prio2band))
    if "refill_delay" in options:
        fq.flow_refill_delay = options["refill_delay"] * NSEC_PER_USEC
    if "horizon" in options:
        fq.horizon = options["horizon"] * NSEC_PER_USEC
    if "ce_threshold" in options:
        fq.ce_threshold = options["ce_threshold"] * NSEC_PER_USEC
    for band, weight in zip(fq.bands, options.get("weights", ()), strict=False):
        band.quantum = weight
    while q.qlen > q.limit and fq.drop_one():
        pass
    return 0


def _legal(options: Options) -> bool:
    quantum = options.get("quantum", 1)
    buckets = options.get("buckets", 1)
    priomap = options.get("priomap")
    weights = options.get("weights")
    return (
        0 < quantum <= MAX_QUANTUM
        and 0 < buckets <= MAX_BUCKETS
        and not buckets & buckets - 1
        and (priomap is None or (len(priomap) == 16 and max(priomap) < FQ_BANDS))
        and (weights is None or (len(weights) == FQ_BANDS and min(weights) >= MIN_WEIGHT))
    )


def _reset(q: Qdisc) -> None:
    fq: FqSched = q.priv
    fq.reset()


def _dump(q: Qdisc) -> dict[str, Any]:
    """Linux: fq_dump."""
    fq: FqSched = q.priv
    options = {
        "limit": q.limit, "flow_limit": fq.flow_plimit, "buckets": fq.buckets,
        "orphan_mask": fq.orphan_mask, "priomap": fq.prio2band,
        "weights": tuple(band.quantum for band in fq.bands), "pacing": fq.rate_enable,
        "quantum": fq.quantum, "initial_quantum": fq.initial_quantum,
        "low_rate_threshold": fq.low_rate_threshold,
        "refill_delay": fq.flow_refill_delay // NSEC_PER_USEC, "timer_slack": fq.timer_slack,
        "horizon": fq.horizon // NSEC_PER_USEC, "horizon_drop": fq.horizon_drop,
        "maxrate": fq.flow_max_rate,
    }  # fmt: skip
    if fq.ce_threshold != NEVER:
        options["ce_threshold"] = fq.ce_threshold // NSEC_PER_USEC
    return options


def _dump_stats(q: Qdisc) -> dict[str, int]:
    """Linux: fq_dump_stats."""
    fq: FqSched = q.priv
    return {
        "flows": len(fq.flows), "inactive": fq.inactive_flows,
        "throttled_flows": fq.throttled_flows, "latency": fq.unthrottle_latency_ns, **fq.stats,
    }  # fmt: skip


FQ_OPS = QdiscOps(
    id="fq",
    enqueue=_enqueue,
    dequeue=_dequeue,
    peek=qdisc_peek_dequeued,
    init=_init,
    change=_change,
    reset=_reset,
    destroy=_reset,
    dump=_dump,
    dump_stats=_dump_stats,
)
