"""Connections that are not full sockets: those that begin and those that have ended. Linux:
net/ipv4/tcp_minisocks.c, inet_timewait_sock.c.

A `RequestSock` remembers a SYN until the handshake's last ACK makes a socket of it. A
`TimewaitSock` remembers a closed connection, so that a late segment of it is answered and does not
get into a new connection with the same addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.kernel.timer import Timer
from pyhost.net.core.sock import TCP_FIN_WAIT2, TCP_NEW_SYN_RECV, TCP_TIME_WAIT
from pyhost.net.ipv4.inet_hashtables import inet_bind_bucket_put
from pyhost.net.ipv4.tcp_done import tcp_done
from pyhost.net.ipv4.tcp_reply import tcp_v4_send_ack
from pyhost.net.ipv4.tcp_sock import TCP_TIMEOUT_INIT, after, before, between
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.ipv4.inet_hashtables import BindBucket
    from pyhost.net.ipv4.tcp_sock import TcpSkbCb, TcpSock

__all__ = [
    "TCP_TIMEWAIT_LEN", "TCP_TW_ACK", "TCP_TW_RST", "TCP_TW_SUCCESS", "TCP_TW_SYN", "RequestSock",
    "TimewaitSock", "tcp_time_wait", "tcp_timewait_state_process",
]  # fmt: skip

TCP_TIMEWAIT_LEN = 60 * NSEC_PER_SEC
NSEC_PER_TS = 1_000_000

TCP_TW_SUCCESS = 0
TCP_TW_RST = 1
TCP_TW_ACK = 2
TCP_TW_SYN = 3


class RequestSock:
    """A SYN that was answered.

    Linux: struct tcp_request_sock. `hash_key` is (remote, local, remote port << 16 | local port).
    """

    __slots__ = (
        "dst", "hash_key", "listener", "mss", "num_timeout", "rcv_isn", "rcv_wnd", "rcv_wscale",
        "sack_ok", "sk_state",
        "snd_wscale", "snt_isn", "stamp", "timer", "ts_recent", "tsoffset", "tstamp_ok",
        "window_clamp", "wscale_ok",
    )  # fmt: skip

    def __init__(
        self, listener: TcpSock, key: tuple[int, int, int], dst: DstEntry, rcv_isn: int
    ) -> None:
        random = listener.net.kernel.random
        self.sk_state = TCP_NEW_SYN_RECV
        self.listener = listener
        self.hash_key: tuple[int, int, int] | None = key
        self.dst = dst
        self.rcv_isn = rcv_isn
        self.snt_isn = random.getrandbits(32)
        self.tsoffset = random.getrandbits(32)
        self.mss = 536
        self.tstamp_ok = self.sack_ok = self.wscale_ok = False
        self.ts_recent = 0
        self.snd_wscale = self.rcv_wscale = 0
        self.rcv_wnd = self.window_clamp = 0
        self.num_timeout = 0
        self.stamp = listener.net.kernel.clock.now
        self.timer: Timer | None = None

    @property
    def ports(self) -> int:
        """Our port << 16 | the peer's, as our headers have it."""
        assert self.hash_key is not None
        word = self.hash_key[2]
        return (word & 0xFFFF) << 16 | word >> 16

    def arm(self, timer: Timer) -> None:
        """Retransmit the SYN-ACK after 1, 2, 4 … s. Linux: reqsk_timeout."""
        self.timer = timer
        timer.mod(self.listener.net.kernel.clock.now + (TCP_TIMEOUT_INIT << self.num_timeout))

    def unlink(self) -> None:
        """Forget the request. Linux: inet_csk_reqsk_queue_drop."""
        key = self.hash_key
        if key is None:
            return
        self.hash_key = None
        ehash = self.listener.net.tcp.ehash
        if ehash.get(key) is self:
            del ehash[key]
        self.listener.listen_children.pop(key, None)
        if self.timer is not None:
            self.timer.delete()


class TimewaitSock:
    """What is left of a connection.

    Linux: struct tcp_timewait_sock. `substate` is TCP_FIN_WAIT2 or TCP_TIME_WAIT.
    """

    __slots__ = (
        "bind_bucket", "hash_key", "inet_rcv_saddr", "last_oow_ack_time", "net", "ports",
        "rcv_nxt", "rcv_wnd", "rcv_wscale",
        "sk_reuse", "sk_reuseport", "sk_state", "snd_nxt", "substate", "timer", "ts_recent",
        "tsoffset", "tstamp_ok",
    )  # fmt: skip

    def __init__(self, sk: TcpSock, substate: int) -> None:
        self.sk_state = TCP_TIME_WAIT
        self.substate = substate
        self.net = sk.net
        self.hash_key = sk.hash_key
        self.ports = sk.ports
        self.inet_rcv_saddr = sk.inet_rcv_saddr
        self.sk_reuse, self.sk_reuseport = sk.sk_reuse, sk.sk_reuseport
        self.rcv_nxt, self.snd_nxt = sk.rcv_nxt, sk.snd_nxt
        self.rcv_wnd, self.rcv_wscale = sk.rcv_wnd, sk.rcv_wscale
        self.tstamp_ok, self.ts_recent, self.tsoffset = sk.tstamp_ok, sk.ts_recent, sk.tsoffset
        self.last_oow_ack_time = 0
        self.bind_bucket: BindBucket | None = sk.bind_bucket
        if self.bind_bucket is not None:
            self.bind_bucket.owners.append(self)
        self.timer = Timer(sk.net.kernel, self.kill)

    def schedule(self, delay: int) -> None:
        """Linux: inet_twsk_reschedule."""
        self.timer.mod(self.net.kernel.clock.now + delay)

    def kill(self) -> None:
        """The connection is forgotten. Linux: inet_twsk_kill."""
        self.timer.delete()
        tcp = self.net.tcp
        if self.hash_key is not None and tcp.ehash.get(self.hash_key) is self:
            del tcp.ehash[self.hash_key]
        self.hash_key = None
        if self.bind_bucket is not None:
            inet_bind_bucket_put(tcp, self.bind_bucket, self)
            self.bind_bucket = None

    def send_ack(self) -> None:
        """Linux: tcp_v4_timewait_ack."""
        assert self.hash_key is not None
        daddr, saddr, _ = self.hash_key
        stamp = None
        if self.tstamp_ok:
            stamp = (
                self.net.kernel.clock.now // NSEC_PER_TS + self.tsoffset & 0xFFFFFFFF,
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
    rto = (sk.icsk_rto << 2) - (sk.icsk_rto >> 1)
    tw = TimewaitSock(sk, substate)
    if tw.hash_key is not None:
        sk.net.tcp.ehash[tw.hash_key] = tw
    if substate == TCP_TIME_WAIT:
        timeo = TCP_TIMEWAIT_LEN
    tw.schedule(max(timeo, rto))
    sk.net.count("TW")
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
