"""Connections that have ended. Linux: net/ipv4/tcp_minisocks.c, inet_timewait_sock.c.

A `TimewaitSock` remembers a closed connection, so that a late segment of it is answered and does
not get into a new connection with the same addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.kernel.timer import Timer
from pyhost.net.core.sock import TCP_FIN_WAIT2, TCP_TIME_WAIT
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_bind_bucket_put
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_done
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import tcp_update_metrics
from pyhost.net.ipv4.tcp.output.tcp_reply import tcp_v4_send_ack
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import after, before, between
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.handshake.inet_hashtables import BindBucket
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock

__all__ = [
    "TCP_TIMEWAIT_LEN", "TCP_TW_ACK", "TCP_TW_RST", "TCP_TW_SUCCESS", "TCP_TW_SYN", "TimewaitSock",
    "tcp_time_wait", "tcp_timewait_state_process",
]  # fmt: skip

TCP_TIMEWAIT_LEN = 60 * NSEC_PER_SEC
LOOPBACK_NET = 127
MAX_UNSCALED_WINDOW = 65535

TCP_TW_SUCCESS = 0
TCP_TW_RST = 1
TCP_TW_ACK = 2
TCP_TW_SYN = 3


class TimewaitSock:
    """What is left of a connection.

    Linux: struct tcp_timewait_sock. `substate` is TCP_FIN_WAIT2 or TCP_TIME_WAIT.
    """

    __slots__ = (
        "bind_bucket", "hash_key", "inet_rcv_saddr", "last_oow_ack_time", "net", "ports", "rcv_nxt",
        "rcv_wnd", "rcv_wscale", "sk_bindtodevice", "sk_reuse", "sk_reuseport", "sk_state",
        "snd_nxt", "substate", "timer", "ts_recent", "ts_recent_stamp", "tsoffset", "tstamp_ok",
    )  # fmt: skip

    def __init__(self, sk: TcpSock, substate: int) -> None:
        self.sk_state = TCP_TIME_WAIT
        self.substate = substate
        self.net = sk.net
        self.hash_key = sk.hash_key
        self.ports = sk.ports
        self.inet_rcv_saddr = sk.inet_rcv_saddr
        self.sk_bindtodevice = sk.sk_bindtodevice
        self.sk_reuse, self.sk_reuseport = sk.sk_reuse, sk.sk_reuseport
        self.rcv_nxt, self.snd_nxt = sk.rcv_nxt, sk.snd_nxt
        self.rcv_wnd, self.rcv_wscale = sk.rcv_wnd, sk.rcv_wscale
        self.tstamp_ok, self.ts_recent, self.tsoffset = sk.tstamp_ok, sk.ts_recent, sk.tsoffset
        self.ts_recent_stamp = sk.ts_recent_stamp
        self.last_oow_ack_time = 0
        self.bind_bucket: BindBucket | None = sk.bind_bucket
        if self.bind_bucket is not None:
            self.bind_bucket.owners.append(self)
        self.timer = Timer(sk.net.kernel, self.kill)
        if self.hash_key is not None:
            sk.net.tcp.tw_count += 1

    def schedule(self, delay: int) -> None:
        """Linux: inet_twsk_reschedule."""
        self.timer.mod(self.net.kernel.clock.now + delay)

    def kill(self) -> None:
        """The connection is forgotten. Linux: inet_twsk_kill."""
        self.timer.delete()
        tcp = self.net.tcp
        if self.hash_key is not None:
            tcp.tw_count -= 1
        if self.hash_key is not None and tcp.ehash.get(self.hash_key) is self:
            del tcp.ehash[self.hash_key]
        self.hash_key = None
        if self.bind_bucket is not None:
            inet_bind_bucket_put(tcp, self.bind_bucket, self)
            self.bind_bucket = None

    def give_way(self, sk: TcpSock) -> bool:
        """Whether a new connection may have the addresses already (sysctl tcp_tw_reuse: 1 yes, 2
        over loopback). The timestamps tell its segments from old ones, so the last one must be a
        second old; its numbers begin beyond the old window. Linux: tcp_twsk_unique.
        """
        reuse = self.net.tcp.tw_reuse
        local = sk.inet_daddr >> 24 == LOOPBACK_NET or sk.inet_daddr == sk.inet_saddr
        age = self.net.kernel.clock.now - self.ts_recent_stamp
        if not reuse or (reuse == 2 and not local) or not self.tstamp_ok or age <= NSEC_PER_SEC:
            return False
        sk.write_seq = (self.snd_nxt + MAX_UNSCALED_WINDOW + 2 & 0xFFFFFFFF) or 1
        sk.ts_recent, sk.ts_recent_stamp = self.ts_recent, self.ts_recent_stamp
        sk.tsoffset = self.tsoffset
        self.kill()
        return True

    def send_ack(self) -> None:
        """Linux: tcp_v4_timewait_ack."""
        assert self.hash_key is not None
        daddr, saddr, _ = self.hash_key
        stamp = None
        if self.tstamp_ok:
            stamp = (
                tcp_ns_to_ts(self.net.kernel.clock.now) + self.tsoffset & 0xFFFFFFFF,
                self.ts_recent,
            )
        window = self.rcv_wnd >> self.rcv_wscale
        tcp_v4_send_ack(
            self.net, saddr, daddr, self.ports, self.snd_nxt, self.rcv_nxt, window, stamp
        )


def tcp_time_wait(sk: TcpSock, substate: int, timeo: int) -> None:
    """Let a small sock wait for the end in the place of `sk`, for at least `timeo` ns.

    Linux: tcp_time_wait.
    """
    tcp = sk.net.tcp
    if tcp.tw_count >= tcp.max_tw_buckets:
        sk.net.count("TCPTimeWaitOverflow")
        tcp_update_metrics(sk)
        tcp_done(sk)
        return
    rto = (sk.icsk_rto << 2) - (sk.icsk_rto >> 1)
    tw = TimewaitSock(sk, substate)
    if tw.hash_key is not None:
        sk.net.tcp.ehash[tw.hash_key] = tw
    if substate == TCP_TIME_WAIT:
        timeo = TCP_TIMEWAIT_LEN
    tw.schedule(max(timeo, rto))
    sk.net.count("TW")
    tcp_update_metrics(sk)
    tcp_done(sk)


def _paws_reject(tw: TimewaitSock, options: TcpOptions, flags: int) -> bool:
    """Whether the segment's timestamp is older than the last one (RFC 7323 section 5).

    Linux: tcp_paws_reject.
    """
    if not tw.tstamp_ok or options.timestamp is None or flags & TCP_RST:
        return False
    return before(options.timestamp[0], tw.ts_recent)


def _learn_timestamp(tw: TimewaitSock, options: TcpOptions) -> None:
    if tw.tstamp_ok and options.timestamp is not None:
        tw.ts_recent = options.timestamp[0]
        tw.ts_recent_stamp = tw.net.kernel.clock.now or 1


def _in_fin_wait2(tw: TimewaitSock, cb: TcpSkbCb, options: TcpOptions, reject: bool) -> int:
    """The peer may still send its FIN, but nobody is there to read data."""
    in_window = between(cb.seq, tw.rcv_nxt, tw.rcv_nxt + tw.rcv_wnd) or cb.end_seq == tw.rcv_nxt
    if reject or not in_window:
        return TCP_TW_SUCCESS if cb.flags & TCP_RST else TCP_TW_ACK
    if cb.flags & TCP_RST:
        tw.kill()
        return TCP_TW_SUCCESS
    if cb.flags & TCP_SYN and not before(cb.seq, tw.rcv_nxt):
        return TCP_TW_RST
    if not cb.flags & TCP_ACK or not after(cb.end_seq, tw.rcv_nxt) or cb.end_seq == cb.seq:
        return TCP_TW_SUCCESS
    if not cb.flags & TCP_FIN or cb.end_seq != (tw.rcv_nxt + 1) & 0xFFFFFFFF:
        return TCP_TW_RST
    tw.substate = TCP_TIME_WAIT
    tw.rcv_nxt = cb.end_seq
    _learn_timestamp(tw, options)
    tw.schedule(TCP_TIMEWAIT_LEN)
    return TCP_TW_ACK


def tcp_timewait_state_process(tw: TimewaitSock, cb: TcpSkbCb, options: TcpOptions) -> int:
    """A segment for a connection that has ended: TCP_TW_*.

    Linux: tcp_timewait_state_process (RFC 9293 section 3.10.7.4).
    """
    reject = _paws_reject(tw, options, cb.flags)
    if tw.substate == TCP_FIN_WAIT2:
        return _in_fin_wait2(tw, cb, options, reject)
    reset = cb.flags & TCP_RST
    if not reject and cb.seq == tw.rcv_nxt and (cb.seq == cb.end_seq or reset):
        if reset and not tw.net.tcp.rfc1337:
            tw.kill()
            return TCP_TW_SUCCESS
        tw.schedule(TCP_TIMEWAIT_LEN)
        _learn_timestamp(tw, options)
        return TCP_TW_SUCCESS
    newer = (
        options.timestamp is not None
        and tw.tstamp_ok
        and before(tw.ts_recent, options.timestamp[0])
    )
    fresh = newer or after(cb.seq, tw.rcv_nxt)
    if fresh and not reject and cb.flags & (TCP_SYN | TCP_RST | TCP_ACK) == TCP_SYN:
        return TCP_TW_SYN
    if reset:
        return TCP_TW_SUCCESS
    if reject or cb.flags & TCP_ACK:
        tw.schedule(TCP_TIMEWAIT_LEN)
    return TCP_TW_ACK
