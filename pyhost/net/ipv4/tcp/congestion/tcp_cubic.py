"""CUBIC congestion control with HyStart. RFC 9438, and "Taming the Elephants" for HyStart. Linux:
net/ipv4/tcp_cubic.c.

After a loss at `last_max` the window follows W(t) = C·(t-K)³ + W_max: fast away from the loss,
flat where the loss was, then fast again. Linux keeps everything in integers: t in 1/1024 s, C as
410/1024 (`bic_scale` 41), so that cwnd = origin ± 410·|t-K|³ / 2⁴⁰.
"""

from __future__ import annotations

from math import cbrt
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.sock import SK_PACING_NONE
from pyhost.net.ipv4.tcp.congestion.tcp_cong import (
    CA_EVENT_TX_START,
    CongestionOps,
    tcp_cong_avoid_ai,
    tcp_is_cwnd_limited,
    tcp_reno_undo_cwnd,
    tcp_slow_start,
)
from pyhost.net.ipv4.tcp.tcp_sock import TCP_CA_LOSS, after

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = ["CUBIC"]

BICTCP_BETA_SCALE = 1024
BETA = 717
BICTCP_HZ = 10
BIC_SCALE = 41
CUBE_RTT_SCALE = BIC_SCALE * 10
CUBE_FACTOR = (1 << 40) // CUBE_RTT_SCALE
BETA_SCALE = 8 * (BICTCP_BETA_SCALE + BETA) // 3 // (BICTCP_BETA_SCALE - BETA)

HYSTART_ACK_TRAIN = 1
HYSTART_DELAY = 2
HYSTART_MIN_SAMPLES = 8
HYSTART_DELAY_MIN_US = 4000
HYSTART_DELAY_MAX_US = 16000

HZ = 1000
"""CUBIC counts time in ticks, as jiffies of a kernel with HZ=1000."""
NS_PER_TICK = NSEC_PER_SEC // HZ
USEC_PER_SEC = 1_000_000
USEC_PER_MSEC = 1000
US_PER_TICK = USEC_PER_SEC // HZ


class Bictcp:
    """CUBIC's state of one connection. Linux: struct bictcp.

    Delays, `round_start` and `last_ack` in µs; `epoch_start` and `last_time` in ticks.
    """

    __slots__ = (
        "ack_cnt", "bic_k", "bic_origin_point", "cnt", "curr_rtt", "delay_min", "end_seq",
        "epoch_start", "found", "last_ack",
        "last_cwnd", "last_max_cwnd", "last_time", "round_start", "sample_cnt", "tcp_cwnd",
    )  # fmt: skip

    def __init__(self) -> None:
        self.last_max_cwnd = 0
        self.found = False
        self.round_start = self.last_ack = 0
        self.end_seq = 0
        self.reset()

    def reset(self) -> None:
        """Forget the past window. Linux: bictcp_reset; `last_max_cwnd` too."""
        self.cnt = self.last_max_cwnd = self.last_cwnd = self.last_time = 0
        self.bic_origin_point = self.bic_k = self.delay_min = 0
        self.epoch_start = self.ack_cnt = self.tcp_cwnd = 0
        self.curr_rtt = 0xFFFFFFFF
        self.sample_cnt = 0
        self.found = False


def _cube_root(value: int) -> int:
    """The integer cube root, rounded down; exact, where Linux has a table and one Newton step."""
    root = round(cbrt(value))
    while root * root * root > value:
        root -= 1
    while (root + 1) * (root + 1) * (root + 1) <= value:
        root += 1
    return root


def _hystart_reset(sk: TcpSock, ca: Bictcp) -> None:
    """A new round begins. Linux: bictcp_hystart_reset."""
    ca.round_start = ca.last_ack = sk.tcp_mstamp // 1000
    ca.end_seq = sk.snd_nxt
    ca.curr_rtt = 0xFFFFFFFF
    ca.sample_cnt = 0


def cubictcp_init(sk: TcpSock) -> None:
    """Linux: cubictcp_init."""
    sk.ca_priv = ca = Bictcp()
    _hystart_reset(sk, ca)


def cubictcp_cwnd_event(sk: TcpSock, event: int) -> None:
    """Do not count the time that the application was silent. Linux: cubictcp_cwnd_event."""
    ca: Bictcp = sk.ca_priv
    if event == CA_EVENT_TX_START:
        now = sk.net.kernel.clock.now // NS_PER_TICK
        idle = now - sk.lsndtime // NS_PER_TICK
        if ca.epoch_start and idle > 0:
            ca.epoch_start = min(ca.epoch_start + idle, now)


def _new_epoch(ca: Bictcp, cwnd: int, acked: int, now: int) -> None:
    """The first ACK after a reduction fixes K and the plateau."""
    ca.epoch_start = now
    ca.ack_cnt = acked
    ca.tcp_cwnd = cwnd
    if ca.last_max_cwnd <= cwnd:
        ca.bic_k = 0
        ca.bic_origin_point = cwnd
    else:
        ca.bic_k = _cube_root(CUBE_FACTOR * (ca.last_max_cwnd - cwnd))
        ca.bic_origin_point = ca.last_max_cwnd


def _cubic_target(ca: Bictcp, now: int) -> int:
    """W(now + delay_min): where the window should be one RTT from now."""
    since = now - ca.epoch_start - (-ca.delay_min // US_PER_TICK)
    t = (since << BICTCP_HZ) // HZ
    offset = abs(t - ca.bic_k)
    delta = CUBE_RTT_SCALE * (offset * offset * offset) >> (10 + 3 * BICTCP_HZ)
    return ca.bic_origin_point - delta if t < ca.bic_k else ca.bic_origin_point + delta


def _bictcp_update(sk: TcpSock, ca: Bictcp, acked: int) -> None:
    """Compute `cnt`: after how many ACKed segments the window grows by one; anew at most once a
    tick, and for the same window once in 1/32 s. Linux: bictcp_update.
    """
    now = sk.net.kernel.clock.now // NS_PER_TICK
    cwnd = sk.snd_cwnd
    ca.ack_cnt += acked
    if ca.last_cwnd == cwnd and now - ca.last_time <= HZ // 32:
        return
    if not ca.epoch_start or now != ca.last_time:
        ca.last_cwnd = cwnd
        ca.last_time = now
        if not ca.epoch_start:
            _new_epoch(ca, cwnd, acked, now)
        target = _cubic_target(ca, now)
        ca.cnt = cwnd // (target - cwnd) if target > cwnd else 100 * cwnd
        # The path is still unknown: do not be too careful.
        if not ca.last_max_cwnd and ca.cnt > 20:
            ca.cnt = 20
    if sk.net.tcp.cubic.tcp_friendliness:
        _tcp_friendliness(ca, cwnd)
    ca.cnt = max(ca.cnt, 2)


def _tcp_friendliness(ca: Bictcp, cwnd: int) -> None:
    """Never be slower than Reno would be. Linux: the tcp_friendliness part of bictcp_update."""
    delta = cwnd * BETA_SCALE >> 3
    if ca.ack_cnt > delta and delta:
        grown = (ca.ack_cnt - 1) // delta
        ca.tcp_cwnd += grown
        ca.ack_cnt -= grown * delta
    if ca.tcp_cwnd > cwnd:
        ca.cnt = min(ca.cnt, cwnd // (ca.tcp_cwnd - cwnd))


def cubictcp_cong_avoid(sk: TcpSock, _ack: int, acked: int) -> None:
    """Linux: cubictcp_cong_avoid."""
    if not tcp_is_cwnd_limited(sk):
        return
    if sk.snd_cwnd < sk.snd_ssthresh:
        acked = tcp_slow_start(sk, acked)
        if not acked:
            return
    ca: Bictcp = sk.ca_priv
    _bictcp_update(sk, ca, acked)
    tcp_cong_avoid_ai(sk, ca.cnt, acked)


def cubictcp_recalc_ssthresh(sk: TcpSock) -> int:
    """Linux: cubictcp_recalc_ssthresh, with fast convergence (RFC 9438 section 4.7)."""
    ca: Bictcp = sk.ca_priv
    cwnd = sk.snd_cwnd
    ca.epoch_start = 0
    if cwnd < ca.last_max_cwnd and sk.net.tcp.cubic.fast_convergence:
        ca.last_max_cwnd = cwnd * (BICTCP_BETA_SCALE + BETA) // (2 * BICTCP_BETA_SCALE)
    else:
        ca.last_max_cwnd = cwnd
    return max(cwnd * BETA // BICTCP_BETA_SCALE, 2)


def cubictcp_state(sk: TcpSock, new_state: int) -> None:
    """Linux: cubictcp_state."""
    if new_state == TCP_CA_LOSS:
        ca: Bictcp = sk.ca_priv
        ca.reset()
        _hystart_reset(sk, ca)


def _hystart_ack_delay(sk: TcpSock) -> int:
    """How much longer than the RTT the ACKs of a burst may take: what four of the biggest
    super-segments need at the pacing rate, 1 ms at most (µs). Linux: hystart_ack_delay.
    """
    rate = sk.sk_pacing_rate
    return min(USEC_PER_MSEC, sk.sk_gso_max_size * 4 * USEC_PER_SEC // rate) if rate else 0


def _leave_slow_start(sk: TcpSock, ca: Bictcp, how: str) -> None:
    ca.found = True
    cwnd = sk.snd_cwnd
    sk.net.count(f"TCPHystart{how}Detect")
    sk.net.count(f"TCPHystart{how}Cwnd", cwnd)
    sk.snd_ssthresh = cwnd


def _ack_train_is_long(sk: TcpSock, ca: Bictcp) -> bool:
    """Whether ACKs have come close after each other for half of the smallest RTT: then that much
    of the path is full.
    """
    now = sk.tcp_mstamp // 1000
    if now - ca.last_ack > sk.net.tcp.cubic.hystart_ack_delta_us:
        return False
    ca.last_ack = now
    threshold = ca.delay_min + _hystart_ack_delay(sk)
    if sk.sk_pacing_status == SK_PACING_NONE:
        threshold >>= 1
    return now - ca.round_start > threshold


def _delay_has_grown(ca: Bictcp, delay: int) -> bool:
    """Whether the smallest of the first RTTs of this round is well above the smallest ever."""
    ca.curr_rtt = min(ca.curr_rtt, delay)
    if ca.sample_cnt < HYSTART_MIN_SAMPLES:
        ca.sample_cnt += 1
        return False
    margin = min(max(ca.delay_min >> 3, HYSTART_DELAY_MIN_US), HYSTART_DELAY_MAX_US)
    return ca.curr_rtt > ca.delay_min + margin


def _hystart_update(sk: TcpSock, ca: Bictcp, delay: int) -> None:
    """Leave slow start before it loses segments: when the train of ACKs gets long, or when the
    delay grows. Linux: hystart_update.
    """
    if after(sk.snd_una, ca.end_seq):
        _hystart_reset(sk, ca)
    params = sk.net.tcp.cubic
    if sk.snd_cwnd < params.hystart_low_window:
        return
    detect = params.hystart_detect
    if detect & HYSTART_ACK_TRAIN and _ack_train_is_long(sk, ca):
        _leave_slow_start(sk, ca, "Train")
    if detect & HYSTART_DELAY and _delay_has_grown(ca, delay):
        _leave_slow_start(sk, ca, "Delay")


def cubictcp_acked(sk: TcpSock, _acked: int, rtt_us: int) -> None:
    """Take the delay of the last segment (µs, -1: none). Linux: cubictcp_acked."""
    if rtt_us < 0:
        return
    ca: Bictcp = sk.ca_priv
    # The queue drains after a reduction: the delay says little then.
    if ca.epoch_start and sk.net.kernel.clock.now // NS_PER_TICK - ca.epoch_start < HZ:
        return
    delay = rtt_us or 1
    if not ca.delay_min or ca.delay_min > delay:
        ca.delay_min = delay
    if not ca.found and sk.snd_cwnd < sk.snd_ssthresh and sk.net.tcp.cubic.hystart:
        _hystart_update(sk, ca, delay)


CUBIC = CongestionOps(
    name="cubic",
    init=cubictcp_init,
    ssthresh=cubictcp_recalc_ssthresh,
    cong_avoid=cubictcp_cong_avoid,
    undo_cwnd=tcp_reno_undo_cwnd,
    set_state=cubictcp_state,
    cwnd_event=cubictcp_cwnd_event,
    pkts_acked=cubictcp_acked,
)
