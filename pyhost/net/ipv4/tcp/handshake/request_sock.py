"""A connection that begins: what a listener remembers of a SYN. Linux: include/net/request_sock.h,
include/linux/tcp.h, net/core/request_sock.c.

A `RequestSock` stands in the hash table until the handshake's last ACK makes a socket of it. With
TCP Fast Open the socket is there from the SYN on; then the request is in no table, the socket
refers to it (`fastopen_rsk`) until the last ACK, and it counts in the listener's `FastopenQueue`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.sock import TCP_LISTEN, TCP_NEW_SYN_RECV
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_ctx import TFO_SERVER_ENABLE, TFO_SERVER_WO_SOCKOPT1
from pyhost.net.ipv4.tcp.tcp_sock import TCP_RTO_MAX, TCP_TIMEOUT_INIT

if TYPE_CHECKING:
    from pyhost.kernel.timer import Timer
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "FastopenQueue", "RequestSock", "fastopen_queue_tune", "reqsk_fastopen_remove",
    "tcp_fastopen_listen",
]  # fmt: skip

RST_PENALTY = 60 * NSEC_PER_SEC


class RequestSock:
    """A SYN that was answered. Linux: struct tcp_request_sock.

    `hash_key` is (remote, local, remote port << 16 | local port), None when it is in no table.
    `rcv_nxt` is behind the SYN and the data of it that was taken; `child` the socket of a Fast Open
    request until a program has accepted it. `num_timeout` counts how often the answer was waited
    for, `num_retrans` how often it was sent again; times are ns, timestamps as on the wire.
    """

    __slots__ = (
        "acked", "child", "dst", "ecn_ok", "hash_key", "key", "last_oow_ack_time", "listener",
        "mss", "num_retrans", "num_timeout", "rcv_isn", "rcv_nxt", "rcv_wnd", "rcv_wscale",
        "sack_ok", "sk_state", "snd_wscale", "snt_isn", "snt_tsval_first", "snt_tsval_last",
        "stamp", "timer", "ts_recent", "tsoffset", "tstamp_ok", "window_clamp",
        "wscale_ok",
    )  # fmt: skip

    def __init__(
        self, listener: TcpSock, key: tuple[int, int, int], dst: DstEntry, rcv_isn: int
    ) -> None:
        self.sk_state = TCP_NEW_SYN_RECV
        self.listener = listener
        self.key = key
        self.hash_key: tuple[int, int, int] | None = None
        self.dst = dst
        self.rcv_isn = rcv_isn
        self.rcv_nxt = rcv_isn + 1 & 0xFFFFFFFF
        self.snt_isn = self.tsoffset = 0
        self.snt_tsval_first = self.snt_tsval_last = 0
        self.mss = 536
        self.tstamp_ok = self.sack_ok = self.wscale_ok = self.ecn_ok = False
        self.ts_recent = 0
        self.snd_wscale = self.rcv_wscale = 0
        self.rcv_wnd = self.window_clamp = 0
        self.num_timeout = self.num_retrans = 0
        self.last_oow_ack_time = 0
        self.acked = False
        self.child: TcpSock | None = None
        self.stamp = listener.net.kernel.clock.now
        self.timer: Timer | None = None

    @property
    def ports(self) -> int:
        """Our port << 16 | the peer's, as our headers have it."""
        word = self.key[2]
        return (word & 0xFFFF) << 16 | word >> 16

    @property
    def timeout(self) -> int:
        """How long to wait for the last ACK now: 1, 2, 4 … s. Linux: tcp_reqsk_timeout."""
        return min(TCP_TIMEOUT_INIT << self.num_timeout, TCP_RTO_MAX)

    def link(self, timer: Timer) -> None:
        """Be found by the last ACK, and wait for it. Linux: inet_csk_reqsk_queue_hash_add."""
        self.hash_key = self.key
        self.listener.net.tcp.ehash[self.key] = self
        self.listener.listen_children[self.key] = self
        self.timer = timer
        self.arm()

    def arm(self) -> None:
        """Linux: mod_timer of rsk_timer."""
        if self.timer is not None:
            self.timer.mod(self.listener.net.kernel.clock.now + self.timeout)

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


class FastopenQueue:
    """How many Fast Open requests a listener has under way. Linux: struct fastopen_queue.

    `rst_until`: when (ns) each of those that a RST ended is forgotten; until then it counts, so
    that forged SYNs switch Fast Open off before they fill the machine.
    """

    __slots__ = ("max_qlen", "qlen", "rst_until")

    def __init__(self, max_qlen: int) -> None:
        self.max_qlen = max_qlen
        self.qlen = 0
        self.rst_until: deque[int] = deque()

    def has_room(self, now: int) -> bool:
        """Linux: tcp_fastopen_queue_check."""
        if not self.max_qlen:
            return False
        if self.qlen < self.max_qlen:
            return True
        if not self.rst_until or self.rst_until[0] > now:
            return False
        self.rst_until.popleft()
        self.qlen -= 1
        return True


def fastopen_queue_tune(sk: TcpSock, backlog: int) -> None:
    """Allow `backlog` Fast Open requests at a time. Linux: fastopen_queue_tune."""
    limit = min(backlog, sk.net.softnet.somaxconn)
    if sk.fastopenq is None:
        sk.fastopenq = FastopenQueue(limit)
    else:
        sk.fastopenq.max_qlen = limit


def tcp_fastopen_listen(sk: TcpSock, backlog: int) -> None:
    """A listener takes Fast Open without having asked, if sysctl tcp_fastopen says so.

    Linux: __inet_listen_sk.
    """
    wanted = TFO_SERVER_WO_SOCKOPT1 | TFO_SERVER_ENABLE
    if sk.net.tcp.fastopen & wanted == wanted and sk.fastopenq is None:
        fastopen_queue_tune(sk, backlog)


def reqsk_fastopen_remove(sk: TcpSock, req: RequestSock, reset: bool) -> None:
    """The last ACK has come, or the connection has ended before it.

    Linux: reqsk_fastopen_remove.
    """
    queue = req.listener.fastopenq
    sk.fastopen_rsk = None
    if queue is None:
        return
    queue.qlen -= 1
    if req.child is None and reset and req.listener.sk_state == TCP_LISTEN:
        queue.rst_until.append(sk.net.kernel.clock.now + RST_PENALTY)
        queue.qlen += 1
