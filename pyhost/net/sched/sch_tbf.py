"""tbf: a token bucket that limits the rate. Linux: net/sched/sch_tbf.c.

Tokens are nanoseconds of sending time. They come with time, up to what `burst` bytes take at
`rate`; a packet needs its own length's worth. A second bucket of `mtu` bytes at `peakrate` keeps
the burst itself from leaving at the speed of the device. Packets stay in order: what may not leave
yet waits in the child qdisc (bfifo of `limit` bytes unless another is grafted), and the watchdog
knows when its time has come.
"""

from __future__ import annotations

from typing import Any

from pyhost.net.core import drop_reason
from pyhost.net.core.dev_xmit import netif_skb_features
from pyhost.net.core.gso import qdisc_pkt_len, skb_gso_segment, skb_gso_validate_mac_len
from pyhost.net.core.netdevice import NET_XMIT_DROP, NET_XMIT_SUCCESS, NETIF_F_GSO_MASK
from pyhost.net.core.skbuff import SkBuff, consume_skb, kfree_skb_reason
from pyhost.net.sched.qdisc import (
    Options,
    Qdisc,
    QdiscClassOps,
    QdiscOps,
    qdisc_dequeue_peeked,
    qdisc_destroy,
    qdisc_purge_queue,
    qdisc_reset,
    qdisc_tree_reduce_backlog,
)
from pyhost.net.sched.sch_fifo import BFIFO_OPS, fifo_create_dflt
from pyhost.net.sched.watchdog import QdiscWatchdog, psched_l2t_ns
from pyhost.uapi.errno import EINVAL

__all__ = ["TBF_OPS"]


class TbfSched:
    """Linux: struct tbf_sched_data. Rates are bytes a second (0: no peak rate), `buffer`, `mtu`,
    `tokens`, `ptokens` are ns, `max_size` is the longest packet that can ever pass, bytes.
    """

    __slots__ = (
        "buffer", "burst", "limit", "max_size", "mtu", "mtu_bytes", "peakrate", "ptokens", "qdisc",
        "rate", "t_c", "tokens", "watchdog",
    )  # fmt: skip

    def __init__(self, q: Qdisc) -> None:
        self.watchdog = QdiscWatchdog(q)
        self.qdisc: Qdisc | None = None
        self.rate = self.peakrate = self.limit = self.burst = self.mtu_bytes = 0
        self.max_size = self.buffer = self.mtu = 0
        self.tokens = self.ptokens = self.t_c = 0

    @property
    def child(self) -> Qdisc:
        """Where the packets wait."""
        assert self.qdisc is not None
        return self.qdisc

    def fill(self, now: int) -> None:
        """Both buckets full. Linux: tbf_reset."""
        self.tokens, self.ptokens, self.t_c = self.buffer, self.mtu, now

    def after(self, now: int, size: int) -> tuple[int, int]:
        """What the two buckets would hold after a packet of `size` bytes; negative: too early by as
        much.
        """
        elapsed = now - self.t_c
        ptokens = 0
        if self.peakrate:
            ptokens = min(elapsed + self.ptokens, self.mtu) - psched_l2t_ns(self.peakrate, size)
        tokens = min(elapsed + self.tokens, self.buffer) - psched_l2t_ns(self.rate, size)
        return tokens, ptokens


# -- packets ---------------------------------------------------------------------------------------


def _enqueue(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    tbf: TbfSched = q.priv
    size = qdisc_pkt_len(skb)
    if size > tbf.max_size:
        if skb.shinfo.gso_size and skb_gso_validate_mac_len(skb, tbf.max_size):
            return _segment(skb, q, to_free)
        return q.drop(skb, to_free)
    rc = _enqueue_child(skb, tbf.child, to_free)
    if rc == NET_XMIT_SUCCESS:
        q.qlen += 1
        q.backlog += size
    else:
        q.drops += 1
    return rc


def _enqueue_child(skb: SkBuff, child: Qdisc, to_free: list[SkBuff]) -> int:
    assert child.enqueue is not None
    return child.enqueue(skb, child, to_free)


def _segment(skb: SkBuff, q: Qdisc, to_free: list[SkBuff]) -> int:
    """A super-packet that the bucket can never hold goes as frames. Linux: tbf_segment."""
    dev = q.dev_queue.dev
    segments = skb_gso_segment(skb, netif_skb_features(skb, dev) & ~NETIF_F_GSO_MASK)
    if isinstance(segments, int):
        return q.drop(skb, to_free)
    size = qdisc_pkt_len(skb)
    taken = taken_bytes = 0
    for segment in segments:
        length = segment.len
        if _enqueue_child(segment, q.priv.child, to_free) == NET_XMIT_SUCCESS:
            taken += 1
            taken_bytes += length
        else:
            q.drops += 1
    q.qlen += taken
    q.backlog += taken_bytes
    if not taken:
        kfree_skb_reason(skb, drop_reason.QDISC_DROP)
        return NET_XMIT_DROP
    qdisc_tree_reduce_backlog(q, 1 - taken, size - taken_bytes)
    consume_skb(skb)
    return NET_XMIT_SUCCESS


def _dequeue(q: Qdisc) -> SkBuff | None:
    """The next packet if both buckets allow it; else the watchdog is set. Linux: tbf_dequeue."""
    tbf: TbfSched = q.priv
    child = tbf.child
    shown = child.ops.peek(child)
    if shown is None:
        return None
    now = q.net.kernel.clock.now
    tokens, ptokens = tbf.after(now, qdisc_pkt_len(shown))
    if tokens < 0 or ptokens < 0:
        tbf.watchdog.schedule_ns(now + max(-tokens, -ptokens))
        q.overlimits += 1
        return None
    skb = qdisc_dequeue_peeked(child)
    if skb is None:
        return None
    tbf.t_c, tbf.tokens, tbf.ptokens = now, tokens, ptokens
    q.dequeued(skb)
    return skb


def _peek(q: Qdisc) -> SkBuff | None:
    child: Qdisc = q.priv.child
    return child.ops.peek(child)


# -- options and life ------------------------------------------------------------------------------


def _init(q: Qdisc, options: Options) -> int:
    q.priv = TbfSched(q)
    return _change(q, options)


def _change(q: Qdisc, options: Options) -> int:
    """Linux: tbf_change. -EINVAL: no rate, no burst or no limit, or a peak rate without its mtu."""
    tbf: TbfSched = q.priv
    rate, burst, limit = options.get("rate", 0), options.get("burst", 0), options.get("limit", 0)
    peakrate, mtu = options.get("peakrate", 0), options.get("mtu", 0)
    if rate <= 0 or burst <= 0 or limit <= 0 or (peakrate and mtu <= 0):
        return -EINVAL
    if peakrate and peakrate <= rate:
        q.net.kernel.warn(f"sch_tbf: peakrate {peakrate} is lower than or equals to rate {rate} !")
    tbf.rate, tbf.burst, tbf.limit = rate, burst, limit
    tbf.peakrate, tbf.mtu_bytes = peakrate, mtu if peakrate else 0
    tbf.max_size = min(burst, mtu) if peakrate else burst
    tbf.buffer = psched_l2t_ns(rate, burst)
    tbf.mtu = psched_l2t_ns(peakrate, mtu) if peakrate else 0
    if tbf.qdisc is None:
        tbf.qdisc = fifo_create_dflt(q, BFIFO_OPS, limit, q.handle | 1)
    elif tbf.qdisc.ops is BFIFO_OPS:
        tbf.qdisc.limit = limit
    tbf.fill(q.net.kernel.clock.now)
    return 0


def _reset(q: Qdisc) -> None:
    tbf: TbfSched = q.priv
    qdisc_reset(tbf.child)
    tbf.fill(q.net.kernel.clock.now)
    tbf.watchdog.cancel()


def _destroy(q: Qdisc) -> None:
    tbf: TbfSched = q.priv
    if tbf.qdisc is not None:
        qdisc_destroy(tbf.qdisc)


def _dump(q: Qdisc) -> dict[str, Any]:
    tbf: TbfSched = q.priv
    return {
        "rate": tbf.rate, "burst": tbf.burst, "peakrate": tbf.peakrate, "mtu": tbf.mtu_bytes,
        "limit": tbf.limit,
    }  # fmt: skip


def _walk(_: Qdisc) -> range:
    return range(1, 2)


def _leaf(q: Qdisc, _: int) -> Qdisc:
    child: Qdisc = q.priv.child
    return child


def _graft(q: Qdisc, _: int, new: Qdisc) -> Qdisc:
    """Linux: tbf_graft, qdisc_replace."""
    tbf: TbfSched = q.priv
    old = tbf.child
    tbf.qdisc = new
    qdisc_purge_queue(old)
    return old


TBF_OPS = QdiscOps(
    id="tbf",
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
"""Linux shows the child as class 1:1; there is no other."""
