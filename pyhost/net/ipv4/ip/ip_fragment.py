"""Reassembly of fragments. Linux: net/ipv4/ip_fragment.c, inet_fragment.c.

Fragments that agree in source, destination, identification and protocol (RFC 791 section 3.2) wait
in a queue until all bytes from 0 to the end of the last one are there. A fragment that is there
already is ignored; one that overlaps others ends the whole queue (RFC 5722 section 4, which Linux
applies to IPv4 too). A queue lives 30 s; all queues of a host together hold at most
`ipfrag_high_thresh` bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.kernel.timer import Timer
from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import ip_compute_csum
from pyhost.net.core.skbuff import CHECKSUM_NONE, CHECKSUM_UNNECESSARY, SkBuff, kfree_skb_reason
from pyhost.uapi.icmp import ICMP_EXC_FRAGTIME, ICMP_TIME_EXCEEDED
from pyhost.uapi.ip import (
    IP_CHECK_OFF,
    IP_DF,
    IP_FRAG_OFF,
    IP_MAX_LEN,
    IP_MF,
    IP_OFFSET,
    IP_TOT_LEN_OFF,
    IpView,
)

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["IpFrags", "ipfrag_init"]


PEER_THRESHOLD = 4096
"""Senders that are remembered. Linux: inet_peer_threshold, which follows the size of memory."""


class FragKey(NamedTuple):
    """What fragments of one packet have in common. Linux: struct frag_v4_compare_key."""

    saddr: int
    daddr: int
    id: int
    protocol: int


class Ipq:
    """Fragments of one packet, sorted by offset.

    Linux: struct ipq. `end` is the packet's length once `last_in`.
    """

    __slots__ = (
        "df_size", "end", "frags", "key", "last_in", "max_size", "meat", "peer_rid", "starts",
        "timer", "truesize",
    )  # fmt: skip

    def __init__(self, key: FragKey, timer: Timer, peer_rid: int) -> None:
        self.key = key
        self.timer = timer
        self.peer_rid = peer_rid
        self.clear()

    def clear(self) -> None:
        """Start anew, without fragments."""
        self.starts: list[int] = []
        self.frags: list[tuple[int, SkBuff]] = []
        self.end = 0
        self.last_in = False
        self.meat = 0
        self.truesize = 0
        self.max_size = 0
        self.df_size = 0

    def complete(self) -> bool:
        """Whether every byte is there."""
        return self.last_in and self.meat == self.end

    def place(self, offset: int, end: int) -> int | None:
        """Where a fragment goes, -1 when its bytes are all there already, None when it overlaps.

        Linux: inet_frag_queue_insert.
        """
        index = bisect_left(self.starts, offset)
        first = index
        if index and self.frags[index - 1][0] > offset:
            first = index - 1
        if first == index and (index == len(self.starts) or self.starts[index] >= end):
            return index
        if self.starts[first] > offset:
            return None
        covered = self.starts[first]
        for start, (stop, _) in zip(self.starts[first:], self.frags[first:], strict=True):
            if start != covered:
                break
            covered = stop
            if covered >= end:
                return -1
        return None


class IpFrags:
    """All reassembly queues of a machine.

    Linux: struct fqdir. `mem` is the truesize of what waits.
    """

    def __init__(self, net: Net) -> None:
        self.net = net
        self.queues: dict[FragKey, Ipq] = {}
        self.mem = 0
        self.peer_rid: dict[int, int] = {}

    def defrag(self, skb: SkBuff) -> SkBuff | None:
        """Take a fragment; the whole packet when this was the last one that was missing.

        Linux: ip_defrag.
        """
        net = self.net
        net.count("IpReasmReqds")
        skb.orphan()
        queue = self._find(IpView(skb.buf, skb.network_header))
        if queue is None:
            net.count("IpReasmFails")
            kfree_skb_reason(skb, drop_reason.NOMEM)
            return None
        return self._queue(queue, skb)

    def _find(self, iph: IpView) -> Ipq | None:
        """The packet's queue, a new one if need be; None when memory is used up, for queues that
        are there too.

        Linux: ip_find, inet_frag_find.
        """
        ipv4 = self.net.ipv4
        if self.mem > ipv4.sysctl_ipfrag_high_thresh:
            return None
        key = FragKey(iph.saddr, iph.daddr, iph.id, iph.protocol)
        queue = self.queues.get(key)
        if queue is not None:
            return queue
        kernel = self.net.kernel
        queue = Ipq(key, Timer(kernel, lambda: self._expire(key)), self.peer_rid.get(key.saddr, 0))
        queue.timer.mod(kernel.clock.now + ipv4.sysctl_ipfrag_time * NSEC_PER_SEC)
        self.queues[key] = queue
        return queue

    def _queue(self, queue: Ipq, skb: SkBuff) -> SkBuff | None:
        """Put one fragment in its place. Linux: ip_frag_queue."""
        iph = IpView(skb.buf, skb.network_header)
        header_len, frag_off = iph.header_len, iph.frag_off
        if self._too_far(queue):
            self._reinit(queue)
        offset = (frag_off & IP_OFFSET) << 3
        end = offset + skb.len - header_len
        more = bool(frag_off & IP_MF)
        if more and end & 7:
            end &= ~7
            if skb.ip_summed != CHECKSUM_UNNECESSARY:
                skb.ip_summed = CHECKSUM_NONE
        bad_end = end < queue.end or (queue.last_in and end != queue.end) if not more else (
            queue.last_in and end > queue.end
        )  # fmt: skip
        if bad_end or end == offset:
            self._discard(queue, skb, drop_reason.IP_INHDR)
            return None
        queue.end = max(queue.end, end)
        queue.last_in |= not more
        index = queue.place(offset, end)
        if index is None:
            self.net.count("IpReasmOverlaps")
            self._discard(queue, skb, drop_reason.DUP_FRAG)
            return None
        if index < 0:
            kfree_skb_reason(skb, drop_reason.DUP_FRAG)
            return None
        size = skb.len
        skb.pull(header_len)
        skb.trim(end - offset)
        self._insert(queue, index, offset, skb)
        queue.max_size = max(queue.max_size, size)
        if frag_off & IP_DF:
            queue.df_size = max(queue.df_size, size)
        return self._reasm(queue) if queue.complete() else None

    def _insert(self, queue: Ipq, index: int, offset: int, skb: SkBuff) -> None:
        queue.starts.insert(index, offset)
        queue.frags.insert(index, (offset + skb.len, skb))
        queue.meat += skb.len
        queue.truesize += skb.truesize
        self.mem += skb.truesize

    def _too_far(self, queue: Ipq) -> bool:
        """Whether the sender has sent so much in between that the identification may have come
        round.

        Linux: ip_frag_too_far.
        """
        distance = self.net.ipv4.sysctl_ipfrag_max_dist
        if not distance:
            return False
        start = queue.peer_rid
        end = queue.peer_rid = self._next_rid(queue.key.saddr)
        return bool(queue.frags) and end - start > distance

    def _next_rid(self, saddr: int) -> int:
        """Count one more fragment from a sender; the sender seen longest ago is forgotten when
        there are too many.

        Linux: inet_getpeer_v4, inet_peer_gc.
        """
        rid = self.peer_rid.pop(saddr, 0) + 1
        if len(self.peer_rid) >= PEER_THRESHOLD:
            del self.peer_rid[next(iter(self.peer_rid))]
        self.peer_rid[saddr] = rid
        return rid

    def _reinit(self, queue: Ipq) -> None:
        """Throw the old fragments away and begin again. Linux: ip_frag_reinit."""
        self.net.count("IpReasmFails")
        self._purge(queue, drop_reason.FRAG_TOO_FAR)
        time = self.net.ipv4.sysctl_ipfrag_time * NSEC_PER_SEC
        queue.timer.mod(self.net.kernel.clock.now + time)

    def _discard(self, queue: Ipq, skb: SkBuff, reason: str) -> None:
        """A fragment that cannot be: nothing of this packet can be trusted.

        Linux: ip_frag_queue, discard_qp.
        """
        self.net.count("IpReasmFails")
        kfree_skb_reason(skb, reason)
        self._kill(queue)
        self._purge(queue, reason)

    def _kill(self, queue: Ipq) -> None:
        """Linux: inet_frag_kill."""
        queue.timer.delete()
        del self.queues[queue.key]

    def _purge(self, queue: Ipq, reason: str) -> None:
        """Linux: inet_frag_rbtree_purge."""
        self.mem -= queue.truesize
        for _, skb in queue.frags:
            kfree_skb_reason(skb, reason)
        queue.clear()

    def _expire(self, key: FragKey) -> None:
        """Time is over: tell the sender if the first fragment is there (RFC 792), and forget the
        rest.

        Linux: ip_expire.
        """
        net = self.net
        queue = self.queues.pop(key)
        net.count("IpReasmTimeout")
        net.count("IpReasmFails")
        if queue.starts and queue.starts[0] == 0:
            net.icmp.send(queue.frags[0][1], ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0)
        self._purge(queue, drop_reason.FRAG_REASM_TIMEOUT)

    def _reasm(self, queue: Ipq) -> SkBuff | None:
        """Join the fragments behind the first one's header. Linux: ip_frag_reasm."""
        net = self.net
        self._kill(queue)
        skb = queue.frags[0][1]
        header_len = skb.transport_header - skb.network_header
        if queue.end + header_len > IP_MAX_LEN:
            net.count("IpReasmFails")
            self._purge(queue, drop_reason.PKT_TOO_BIG)
            return None
        self.mem -= queue.truesize
        if skb.is_cloned():
            skb.expand_head(0, 0)
        _join(skb, [part for _, part in queue.frags[1:]])
        skb.push(header_len)
        keep_df = IP_DF if queue.df_size and queue.df_size == queue.max_size else 0
        _finish_header(skb, header_len, keep_df)
        net.count("IpReasmOKs")
        return skb


def _join(skb: SkBuff, parts: list[SkBuff]) -> None:
    """Hang the other fragments on the first. Linux: inet_frag_reasm_finish."""
    if not parts:
        return
    skb.shinfo.frag_list = [*(skb.shinfo.frag_list or ()), *parts]
    for part in parts:
        skb.len += part.len
        skb.data_len += part.len
        skb.truesize += part.truesize
    if any(part.ip_summed != CHECKSUM_UNNECESSARY for part in parts):
        skb.ip_summed = CHECKSUM_NONE


def _finish_header(skb: SkBuff, header_len: int, frag_off: int) -> None:
    buf, where = skb.buf, skb.network_header
    buf[where + IP_TOT_LEN_OFF : where + IP_TOT_LEN_OFF + 2] = skb.len.to_bytes(2, "big")
    buf[where + IP_FRAG_OFF : where + IP_FRAG_OFF + 2] = frag_off.to_bytes(2, "big")
    buf[where + IP_CHECK_OFF : where + IP_CHECK_OFF + 2] = b"\0\0"
    check = ip_compute_csum(buf[where : where + header_len])
    buf[where + IP_CHECK_OFF : where + IP_CHECK_OFF + 2] = check.to_bytes(2, "big")


def ipfrag_init(net: Net) -> None:
    """Linux: ipfrag_init."""
    net.frags = IpFrags(net)
