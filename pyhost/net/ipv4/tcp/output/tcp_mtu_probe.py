"""Finding the path's MTU without ICMP. RFC 4821. Linux: net/ipv4/tcp_output.c (tcp_mtu_probe),
net/ipv4/tcp_timer.c (tcp_mtu_probing), net/ipv4/tcp_input.c (tcp_mtup_probe_*).

A binary search between `mtup_search_low`, which is known to pass, and `mtup_search_high`: now and
then the head of the write queue is sent as one segment of a size between the two. If it is
acknowledged the lower end rises and the MSS with it; if it alone is lost the upper end falls, and
the loss is no sign of congestion. Sysctl tcp_mtu_probing: 0 never, 1 only once segments vanish
without a word (a black hole), 2 always.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.skb_shared_info import MAX_SKB_FRAGS, SkbFrag
from pyhost.net.core.skbuff import consume_skb
from pyhost.net.ipv4.tcp.ack.tcp_skb_shift import tcp_skb_can_collapse
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_current_ssthresh
from pyhost.net.ipv4.tcp.output.tcp_fragment import (
    tcp_set_skb_tso_segs,
    tcp_trim_unsent,
)
from pyhost.net.ipv4.tcp.output.tcp_output import (
    tcp_event_new_data_sent,
    tcp_stream_alloc_skb,
    tcp_transmit_skb,
)
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_pacing_check
from pyhost.net.ipv4.tcp.tcp_mem import tcp_wmem_free_skb
from pyhost.net.ipv4.tcp.tcp_sock import TCP_CA_OPEN, TcpSkbCb
from pyhost.net.ipv4.tcp.tcp_window import (
    tcp_current_mss,
    tcp_mss_to_mtu,
    tcp_mtu_to_mss,
    tcp_sync_mss,
)
from pyhost.uapi.ip import IP_HDR_LEN
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_HDR_LEN, TCP_PSH

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "tcp_mtu_probe",
    "tcp_mtu_probe_lost",
    "tcp_mtu_probing",
    "tcp_mtup_init",
    "tcp_mtup_probe_success",
]  # fmt: skip

PROBE_MIN_CWND = 11

PROBE_SENT = 1
PROBE_WAIT = 0
PROBE_NOT = -1


def tcp_mtup_init(sk: TcpSock) -> None:
    """The connection is made: begin the search if it is asked for. Linux: tcp_mtup_init."""
    tcp = sk.net.tcp
    sk.mtup_enabled = tcp.mtu_probing > 1
    sk.mtup_search_high = sk.mss_clamp + TCP_HDR_LEN + IP_HDR_LEN
    sk.mtup_search_low = tcp_mss_to_mtu(sk, tcp.base_mss)
    sk.mtup_probe_size = 0
    if sk.mtup_enabled:
        sk.mtup_probe_timestamp = sk.net.kernel.clock.now


# -- sending a probe -------------------------------------------------------------------------------


def tcp_mtu_probe(sk: TcpSock) -> int:
    """Send a probe if one is due: PROBE_SENT; PROBE_WAIT when nothing else may leave either, so
    that room for a probe collects; PROBE_NOT. Linux: tcp_mtu_probe.
    """
    if (
        sk.mtup_probe_size
        or sk.icsk_ca_state != TCP_CA_OPEN
        or sk.snd_cwnd < PROBE_MIN_CWND
        or sk.selective_acks
        or sk.dsack is not None
    ):
        return PROBE_NOT
    mss = tcp_current_mss(sk)
    high, low = sk.mtup_search_high, sk.mtup_search_low
    size = tcp_mtu_to_mss(sk, high + low >> 1)
    if size > tcp_mtu_to_mss(sk, high) or high - low < sk.net.tcp.probe_threshold:
        _check_reprobe(sk)
        return PROBE_NOT
    verdict = _probe_fits(sk, size, size + (sk.reordering + 1) * mss)
    if verdict != PROBE_SENT:
        return verdict
    probe = None if tcp_pacing_check(sk) else _build_probe(sk, size)
    if probe is None:
        return PROBE_NOT
    _replace_head(sk, probe, size, mss)
    return _send_probe(sk, probe)


def _send_probe(sk: TcpSock, probe: SkBuff) -> int:
    """If it does not leave, it stays in the write queue and is cut like any other skb. The window
    is one segment smaller meanwhile, because the probe is as much as two.
    """
    if tcp_transmit_skb(sk, probe):
        return PROBE_NOT
    sk.snd_cwnd -= 1
    tcp_event_new_data_sent(sk, probe)
    sk.mtup_probe_size = tcp_mss_to_mtu(sk, probe.len)
    sk.mtu_probe_seq_start = probe.cb.seq
    sk.mtu_probe_seq_end = probe.cb.end_seq
    return PROBE_SENT


def _probe_fits(sk: TcpSock, size: int, needed: int) -> int:
    """Whether there are data and windows for a probe and for enough segments behind it that its
    loss would show.
    """
    if sk.write_seq - sk.snd_nxt & 0xFFFFFFFF < needed or sk.snd_wnd < needed:
        return PROBE_NOT
    if (sk.snd_una + sk.snd_wnd - sk.snd_nxt - needed) & 0x80000000:
        return PROBE_WAIT
    in_flight = sk.packets_in_flight
    if in_flight + 2 > sk.snd_cwnd:
        return PROBE_WAIT if in_flight else PROBE_NOT
    return PROBE_SENT if _can_coalesce_head(sk, size) else PROBE_NOT


def _can_coalesce_head(sk: TcpSock, size: int) -> bool:
    """Whether the first `size` unsent bytes may be one segment.

    Linux: tcp_can_coalesce_send_queue_head.
    """
    for skb, following in pairwise(sk.sk_write_queue):
        if size <= skb.len:
            break
        if not tcp_skb_can_collapse(skb, following):
            return False
        size -= skb.len
    return True


def _build_probe(sk: TcpSock, size: int) -> SkBuff | None:
    """A segment that refers to the first `size` unsent bytes; None when memory or fragments do not
    suffice. Linux: tcp_clone_payload.
    """
    probe = tcp_stream_alloc_skb(sk)
    if probe is None:
        return None
    frags = probe.shinfo.frags
    left = size
    for skb in sk.sk_write_queue:
        for frag in skb.shinfo.frags:
            taken = min(left, frag.size)
            if probe.can_coalesce(frag.page, frag.offset):
                frags[-1].size += taken
            elif len(frags) == MAX_SKB_FRAGS:
                consume_skb(probe)
                return None
            else:
                frag.page.get()
                frags.append(SkbFrag(frag.page, frag.offset, taken))
            left -= taken
            if not left:
                break
        if not left:
            break
    probe.len = probe.data_len = size
    probe.truesize += size
    probe.header_release()
    sk.sk_wmem_queued += probe.truesize
    sk.sk_forward_alloc -= probe.truesize
    return probe


def _replace_head(sk: TcpSock, probe: SkBuff, size: int, mss: int) -> None:
    """Put the probe in front of the write queue and take its bytes off the segments behind it."""
    queue = sk.sk_write_queue
    seq = queue[0].cb.seq
    cb = probe.cb = TcpSkbCb(seq, seq + size & 0xFFFFFFFF, TCP_ACK)
    left = size
    while left:
        skb = queue[0]
        old: TcpSkbCb = skb.cb
        if skb.len <= left:
            left -= skb.len
            cb.flags |= old.flags
            cb.eor = old.eor
            tcp_wmem_free_skb(sk, queue.popleft())
        else:
            cb.flags |= old.flags & ~(TCP_FIN | TCP_PSH)
            tcp_trim_unsent(sk, skb, left)
            tcp_set_skb_tso_segs(skb, mss)
            left = 0
    queue.appendleft(probe)
    tcp_set_skb_tso_segs(probe, size)


def _check_reprobe(sk: TcpSock) -> None:
    """The search is over; long after, begin anew: the path may have become better.

    Linux: tcp_mtu_check_reprobe.
    """
    now = sk.net.kernel.clock.now
    if now - sk.mtup_probe_timestamp >= sk.net.tcp.probe_interval * NSEC_PER_SEC:
        mss = tcp_current_mss(sk)
        sk.mtup_probe_size = 0
        sk.mtup_search_high = sk.mss_clamp + TCP_HDR_LEN + IP_HDR_LEN
        sk.mtup_search_low = tcp_mss_to_mtu(sk, mss)
        sk.mtup_probe_timestamp = now


# -- its end ---------------------------------------------------------------------------------------


def tcp_mtup_probe_success(sk: TcpSock) -> None:
    """The probe was acknowledged: the MSS grows, and the window, counted in segments, shrinks in
    proportion. Linux: tcp_mtup_probe_success.
    """
    sk.prior_ssthresh = tcp_current_ssthresh(sk)
    window = sk.snd_cwnd * tcp_mss_to_mtu(sk, sk.mss_cache)
    sk.snd_cwnd = max(1, window // sk.mtup_probe_size)
    sk.snd_cwnd_cnt = 0
    sk.snd_cwnd_stamp = sk.tcp_mstamp
    sk.snd_ssthresh = tcp_current_ssthresh(sk)
    sk.mtup_search_low = sk.mtup_probe_size
    sk.mtup_probe_size = 0
    tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    sk.net.count("TCPMTUPSuccess")


def tcp_mtu_probe_lost(sk: TcpSock) -> bool:
    """Whether what is lost is a probe and nothing else. Then the path is too narrow for it, which
    says nothing about congestion: the search goes on below, the window is as before the probe.

    Linux: part of tcp_fastretrans_alert, tcp_mtup_probe_failed.
    """
    if not sk.mtup_probe_size or sk.snd_una != sk.mtu_probe_seq_start:
        return False
    sk.mtup_search_high = sk.mtup_probe_size - 1
    sk.mtup_probe_size = 0
    sk.net.count("TCPMTUPFail")
    sk.snd_cwnd += 1
    return True


def tcp_mtu_probing(sk: TcpSock) -> None:
    """The same segment timed out several times: perhaps segments of this size vanish. Begin the
    search, or halve the size that is believed to pass. Linux: tcp_mtu_probing.
    """
    tcp = sk.net.tcp
    if not tcp.mtu_probing:
        return
    if not sk.mtup_enabled:
        sk.mtup_enabled = True
        sk.mtup_probe_timestamp = sk.net.kernel.clock.now
    else:
        mss = min(tcp.base_mss, tcp_mtu_to_mss(sk, sk.mtup_search_low) >> 1)
        mss = max(mss, tcp.mtu_probe_floor, tcp.min_snd_mss)
        sk.mtup_search_low = tcp_mss_to_mtu(sk, mss)
    tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
