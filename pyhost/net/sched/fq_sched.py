"""The flows of fq: a queue for each socket, served in turn, each packet no sooner than its time.

Linux: net/sched/sch_fq.c; the discipline's table and options are in sch_fq.py.

    sk ─→ flow ──eligible──→ band: new flows, old flows ─→ one quantum of bytes after the other
            └───throttled──→ heap by the time of the next packet ─→ watchdog

A packet's time is `skb.tstamp` if its transport stamped it (earliest departure time), else it is
made here: after each packet the flow waits as long as the packet takes at the socket's pacing rate,
or at the qdisc's `maxrate` if that is less. Three bands share the link by weight. A packet that
finds nothing in its way goes through the internal flow, past all of this.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.core import drop_reason
from pyhost.net.core.flow_dissector import skb_get_hash
from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.netdevice import NET_XMIT_SUCCESS
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.core.sock import (
    SK_PACING_FQ,
    SK_PACING_UNLIMITED,
    TCP_CLOSE,
    TCP_LISTEN,
    TCP_NEW_SYN_RECV,
    Sock,
)
from pyhost.net.ipv4.inet_ecn import inet_ecn_set_ce
from pyhost.net.sched.pfifo_fast import PRIO2BAND
from pyhost.net.sched.qdisc import Qdisc, psched_mtu
from pyhost.net.sched.watchdog import QdiscWatchdog
from pyhost.uapi.ip import IPPROTO_TCP

__all__ = ["FqFlow", "FqSched"]

FQ_BANDS = 3
WEIGHTS = (589824, 196608, 65536)

GC_AGE = 3 * NSEC_PER_SEC
GC_MAX = 8
"""An empty flow that nobody used for so long is forgotten, at most so many at a time."""

FASTPATH_QLEN = 8
"""More than this goes through the fair queues."""

MAX_DELAY = NSEC_PER_SEC
"""A socket's rate may rise, so nothing is put off by more than this on account of one packet."""

NEVER = 1 << 64


class FqFlow:
    """Linux: struct fq_flow. `queue` has (packet, time to send, band); `state` says on which list
    the flow is.
    """

    __slots__ = (
        "age", "band", "credit", "key", "queue", "state", "time_next_packet",
    )  # fmt: skip

    def __init__(self, key: object, credit: int) -> None:
        self.key = key
        self.credit = credit
        self.queue: deque[tuple[SkBuff, int, int]] = deque()
        self.band = 0
        self.time_next_packet = 0
        self.age = 0
        self.state = DETACHED


DETACHED = 0
LISTED = 1
THROTTLED = 2


class FqBand:
    """Linux: struct fq_perband_flows."""

    __slots__ = ("credit", "new_flows", "old_flows", "quantum")

    def __init__(self, quantum: int) -> None:
        self.quantum = quantum
        self.credit = 0
        self.new_flows: deque[FqFlow] = deque()
        self.old_flows: deque[FqFlow] = deque()


class FqSched:
    """Linux: struct fq_sched_data. Rates are bytes a second, times ns. `buckets` and `timer_slack`
    are kept for show: flows stand in a dictionary, and timers here are exact.
    """

    __slots__ = (
        "_throttle_seq", "band_nr", "band_pkt_count", "bands", "buckets", "ce_threshold",
        "flow_max_rate", "flow_plimit", "flow_refill_delay", "flows", "horizon", "horizon_drop",
        "inactive_flows", "initial_quantum", "internal", "low_rate_threshold", "orphan_mask",
        "prio2band", "quantum", "rate_enable", "sch", "stats", "throttled", "throttled_flows",
        "timer_slack", "unthrottle_latency_ns", "watchdog",
    )  # fmt: skip

    def __init__(self, sch: Qdisc) -> None:
        mtu = psched_mtu(sch.dev_queue.dev)
        self.sch = sch
        self.watchdog = QdiscWatchdog(sch)
        self.flow_plimit = 100
        self.quantum = 2 * mtu
        self.initial_quantum = 10 * mtu
        self.flow_refill_delay = 40 * NSEC_PER_MSEC
        self.flow_max_rate = SK_PACING_UNLIMITED
        self.low_rate_threshold = 550_000 // 8
        self.rate_enable = True
        self.orphan_mask = 1023
        self.buckets = 1024
        self.horizon = 10 * NSEC_PER_SEC
        self.horizon_drop = True
        self.ce_threshold = NEVER
        self.timer_slack = 10_000
        self.prio2band: tuple[int, ...] = PRIO2BAND
        self.bands = tuple(FqBand(weight) for weight in WEIGHTS)
        self.band_pkt_count = [0] * FQ_BANDS
        self.stats = dict.fromkeys(
            ("gc", "fastpath", "throttled", "ce_mark", "flows_plimit", "pkts_too_long",
             "horizon_drops", "horizon_caps", "band0_drops", "band1_drops", "band2_drops"), 0
        )  # fmt: skip
        self.forget()

    def forget(self) -> None:
        """Begin without flows."""
        self.flows: dict[object, FqFlow] = {}
        self.internal = FqFlow(None, 0)
        self.throttled: list[tuple[int, int, FqFlow]] = []
        self._throttle_seq = 0
        self.throttled_flows = self.inactive_flows = 0
        self.unthrottle_latency_ns = 0
        self.band_nr = 0
        for index, band in enumerate(self.bands):
            band.new_flows.clear()
            band.old_flows.clear()
            band.credit = 0
            self.band_pkt_count[index] = 0

    # -- in ----------------------------------------------------------------------------------------

    def enqueue(self, skb: SkBuff, to_free: list[SkBuff]) -> int:
        """Linux: fq_enqueue."""
        q, stats = self.sch, self.stats
        band = self.prio2band[skb.priority & 15]
        if self.band_pkt_count[band] >= q.limit:
            stats[f"band{band}_drops"] += 1
            return q.drop(skb, to_free)
        now = q.net.kernel.clock.now
        if skb.tstamp > now + self.horizon:
            if self.horizon_drop:
                stats["horizon_drops"] += 1
                return q.drop(skb, to_free)
            stats["horizon_caps"] += 1
            skb.tstamp = now + self.horizon
        when = skb.tstamp or now
        flow = self._classify(skb, when, now)
        if flow is not self.internal:
            if len(flow.queue) >= self.flow_plimit:
                stats["flows_plimit"] += 1
                return q.drop(skb, to_free)
            self._list(flow, band, now)
        self._insert(flow, skb, when, band)
        q.enqueued(skb)
        return NET_XMIT_SUCCESS

    def _list(self, flow: FqFlow, band: int, now: int) -> None:
        """A flow gets a packet: put it on a list if it is on none."""
        flow.band = band
        if flow.state == DETACHED:
            flow.state = LISTED
            self.bands[band].new_flows.append(flow)
            if now - flow.age > self.flow_refill_delay:
                flow.credit = max(flow.credit, self.quantum)
        self.band_pkt_count[band] += 1
        if not flow.queue:
            self.inactive_flows -= 1

    def _insert(self, flow: FqFlow, skb: SkBuff, when: int, band: int) -> None:
        """In order of time; nearly always at the end. Linux: flow_queue_add."""
        queue = flow.queue
        if not queue or queue[-1][1] <= when:
            queue.append((skb, when, band))
            return
        at = len(queue)
        while at and queue[at - 1][1] > when:
            at -= 1
        queue.insert(at, (skb, when, band))

    def _classify(self, skb: SkBuff, when: int, now: int) -> FqFlow:
        """The flow of a packet: of its socket, or of its addresses if the socket is none of its
        own. Linux: fq_classify.
        """
        sk = skb.sk
        if sk is None or sk.sk_state in (TCP_LISTEN, TCP_NEW_SYN_RECV):
            key: object = skb_get_hash(skb) & self.orphan_mask
            skb.orphan()
            sk = None
        elif sk.sk_state == TCP_CLOSE:
            key = skb_get_hash(skb) & self.orphan_mask
        else:
            key = sk
        if self._fastpath(skb.sk, when, now):
            self.stats["fastpath"] += 1
            self._take_over_pacing(sk if key is sk else None)
            return self.internal
        flow = self.flows.get(key)
        if flow is None:
            self._collect(now)
            flow = self.flows[key] = FqFlow(key, self.initial_quantum)
            self.inactive_flows += 1
            self._take_over_pacing(sk if key is sk else None)
        return flow

    def _take_over_pacing(self, sk: Sock | None) -> None:
        """Tell a socket that it need not pace itself."""
        if sk is not None and self.rate_enable:
            sk.sk_pacing_status = SK_PACING_FQ

    def _fastpath(self, sk: Sock | None, when: int, now: int) -> bool:
        """Whether a packet may go past the fair queues: nothing there could go before it. Linux:
        fq_fastpath_check.
        """
        if when > now:
            return False
        if self.sch.qlen:
            if len(self.flows) != self.inactive_flows + self.throttled_flows:
                return False
            if len(self.internal.queue) >= FASTPATH_QLEN:
                return False
            if self.throttled and self.throttled[0][0] <= now:
                return False
        paced = (
            sk is not None
            and sk.sk_protocol != IPPROTO_TCP
            and sk.sk_max_pacing_rate != SK_PACING_UNLIMITED
        )
        return not paced

    def _collect(self, now: int) -> None:
        """Forget flows that have been idle for long. Linux: fq_gc."""
        if len(self.flows) < 2 * GC_MAX:
            return
        old = [
            flow for flow in self.flows.values()
            if flow.state == DETACHED and now - flow.age > GC_AGE
        ][:GC_MAX]  # fmt: skip
        for flow in old:
            del self.flows[flow.key]
        self.inactive_flows -= len(old)
        self.stats["gc"] += len(old)

    # -- out ---------------------------------------------------------------------------------------

    def dequeue(self) -> SkBuff | None:
        """The next packet whose time has come. Linux: fq_dequeue."""
        q = self.sch
        if not q.qlen:
            return None
        if self.internal.queue:
            skb = self.internal.queue.popleft()[0]
        else:
            found = self._next(q.net.kernel.clock.now)
            if found is None:
                return None
            skb = found
        q.dequeued(skb)
        return skb

    def _next(self, now: int) -> SkBuff | None:
        self._release(now)
        while True:
            band = self._next_band()
            if band is None:
                if self.throttled:
                    self.watchdog.schedule_ns(self.throttled[0][0])
                return None
            flows = band.new_flows or band.old_flows
            flow = flows[0]
            if flow.credit <= 0:
                flow.credit += self.quantum
                flows.popleft()
                self.bands[flow.band].old_flows.append(flow)
                continue
            skb = self._take(flow, band, flows, now)
            if skb is not None:
                return skb

    def _next_band(self) -> FqBand | None:
        """The band whose turn it is, by weight; None when no flow of any may send. Linux:
        fq_pband_head_select and the beginning of fq_dequeue.
        """
        band = self.bands[self.band_nr]
        passed = 0
        while band.credit <= 0 or not (band.new_flows or band.old_flows):
            if passed == FQ_BANDS:
                return None
            self.band_nr = (self.band_nr + 1) % FQ_BANDS
            band = self.bands[self.band_nr]
            band.credit = min(band.credit + band.quantum, band.quantum)
            passed = passed + 1 if band.credit > 0 else 0
        return band

    def _take(self, flow: FqFlow, band: FqBand, flows: deque[FqFlow], now: int) -> SkBuff | None:
        """The packet of the flow at the head of `flows`; None, and the flow is off that list, when
        it has none or none may go yet.
        """
        if not flow.queue:
            flows.popleft()
            if flows is band.new_flows:
                # A round with the old flows first, so that it is not a new one again at once.
                self.bands[flow.band].old_flows.append(flow)
            else:
                flow.state = DETACHED
                flow.age = now
            return None
        skb, when, packet_band = flow.queue[0]
        due = max(when, flow.time_next_packet)
        if due > now:
            flows.popleft()
            flow.time_next_packet = due
            self._throttle(flow, due)
            return None
        flow.queue.popleft()
        if now - due > self.ce_threshold and inet_ecn_set_ce(skb):
            self.stats["ce_mark"] += 1
        if not flow.queue:
            self.inactive_flows += 1
            flow.age = now
        self.band_pkt_count[packet_band] -= 1
        self._pace(flow, band, skb, now)
        return skb

    def _pace(self, flow: FqFlow, band: FqBand, skb: SkBuff, now: int) -> None:
        """Charge a packet to its flow and band, and say when the flow's next one may go."""
        size = qdisc_pkt_len(skb)
        flow.credit -= size
        band.credit -= size
        if not self.rate_enable:
            return
        rate = self.flow_max_rate
        if not skb.tstamp:
            if skb.sk is not None:
                rate = min(skb.sk.sk_pacing_rate, rate)
            if rate <= self.low_rate_threshold:
                flow.credit = 0
            else:
                size = max(size, self.quantum)
                if flow.credit > 0:
                    return
        if rate == SK_PACING_UNLIMITED:
            return
        delay = size * NSEC_PER_SEC // rate if rate else MAX_DELAY
        if delay > MAX_DELAY:
            delay = MAX_DELAY
            self.stats["pkts_too_long"] += 1
        if flow.time_next_packet:
            delay -= min(delay // 2, now - flow.time_next_packet)
        flow.time_next_packet = now + delay

    # -- flows that have to wait -------------------------------------------------------------------

    def _throttle(self, flow: FqFlow, until: int) -> None:
        """Linux: fq_flow_set_throttled; a heap where Linux has a tree."""
        flow.state = THROTTLED
        self._throttle_seq += 1
        heappush(self.throttled, (until, self._throttle_seq, flow))
        self.throttled_flows += 1
        self.stats["throttled"] += 1

    def _release(self, now: int) -> None:
        """Put flows whose time has come back among the old ones. Linux: fq_check_throttled."""
        throttled = self.throttled
        if throttled and throttled[0][0] <= now:
            late = now - throttled[0][0]
            self.unthrottle_latency_ns += late - self.unthrottle_latency_ns // 8
        while throttled and throttled[0][0] <= now:
            flow = heappop(throttled)[2]
            self.throttled_flows -= 1
            flow.state = LISTED
            self.bands[flow.band].old_flows.append(flow)

    # -- life --------------------------------------------------------------------------------------

    def drop_one(self) -> bool:
        """Throw away one packet of any flow, because the limit was lowered; False when there is
        none.
        """
        for flow in (self.internal, *self.flows.values()):
            if flow.queue:
                skb, _, band = flow.queue.popleft()
                if flow is not self.internal:
                    self.band_pkt_count[band] -= 1
                    if not flow.queue:
                        self.inactive_flows += 1
                self.sch.removed(skb)
                self.sch.drops += 1
                kfree_skb_reason(skb, drop_reason.QDISC_OVERLIMIT)
                return True
        return False

    def reset(self) -> None:
        """Throw away everything. Linux: fq_reset."""
        for flow in (self.internal, *self.flows.values()):
            for skb, _, _ in flow.queue:
                kfree_skb_reason(skb, drop_reason.QDISC_DROP)
        self.forget()
        self.watchdog.cancel()
