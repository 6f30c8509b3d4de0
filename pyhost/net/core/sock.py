"""struct sock: the network side of a socket. Linux: include/net/sock.h, net/core/sock.c.

The socket lock is owned by a task (`lock_sock`, may sleep) or taken for a moment by softirq code
(`bh_lock_sock`). A packet that comes while a task owns the lock goes to the backlog, and
`release_sock` processes it.

Memory accounts: `sk_wmem_alloc` starts at 1 and counts the truesize of what is on its way down;
`sk_wmem_queued` that of all the stream data that is kept until it is acknowledged; `sk_rmem_alloc`
what waits to be read. The destructor of an skb gives its bytes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.sched import Task
from pyhost.kernel.wait import WaitQueueHead
from pyhost.mm.iov_iter import IovIter
from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.uapi.errno import EAGAIN, EINTR, EPIPE, ERESTARTSYS

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net
    from pyhost.net.socket import Socket

__all__ = [
    "EPOLLERR",
    "EPOLLHUP",
    "EPOLLIN",
    "EPOLLOUT",
    "EPOLLPRI",
    "EPOLLRDHUP",
    "EPOLLRDNORM",
    "EPOLLWRBAND",
    "EPOLLWRNORM",
    "MAX_SCHEDULE_TIMEOUT",
    "RCV_SHUTDOWN",
    "SEND_SHUTDOWN",
    "SHUTDOWN_MASK",
    "SK_PACING_FQ",
    "SK_PACING_NEEDED",
    "SK_PACING_NONE",
    "SK_PACING_UNLIMITED",
    "TCP_CLOSE",
    "TCP_CLOSE_WAIT",
    "TCP_CLOSING",
    "TCP_ESTABLISHED",
    "TCP_FIN_WAIT1",
    "TCP_FIN_WAIT2",
    "TCP_LAST_ACK",
    "TCP_LISTEN",
    "TCP_NEW_SYN_RECV",
    "TCP_SYN_RECV",
    "TCP_SYN_SENT",
    "TCP_TIME_WAIT",
    "InetSock",
    "MsgHdr",
    "Proto",
    "Sock",
]  # fmt: skip

TCP_ESTABLISHED = 1
TCP_SYN_SENT = 2
TCP_SYN_RECV = 3
TCP_FIN_WAIT1 = 4
TCP_FIN_WAIT2 = 5
TCP_TIME_WAIT = 6
TCP_CLOSE = 7
TCP_CLOSE_WAIT = 8
TCP_LAST_ACK = 9
TCP_LISTEN = 10
TCP_CLOSING = 11
TCP_NEW_SYN_RECV = 12

RCV_SHUTDOWN = 1
SEND_SHUTDOWN = 2
SHUTDOWN_MASK = 3

EPOLLIN = 0x001
EPOLLPRI = 0x002
EPOLLOUT = 0x004
EPOLLERR = 0x008
EPOLLHUP = 0x010
EPOLLRDNORM = 0x040
EPOLLWRNORM = 0x100
EPOLLWRBAND = 0x200
EPOLLRDHUP = 0x2000

SK_PACING_NONE = 0
SK_PACING_NEEDED = 1
SK_PACING_FQ = 2
"""Who paces a socket's packets (`sk_pacing_status`): nobody, TCP itself, a qdisc on the way."""

SK_PACING_UNLIMITED = (1 << 64) - 1
"""`sk_pacing_rate` and `sk_max_pacing_rate` are bytes a second; this is Linux's ~0UL."""

BUSY_POLL_BUDGET = 8
"""Packets that one round of busy polling takes at most, unless SO_BUSY_POLL_BUDGET says so."""

NOBODY = (0, 0xFFFFFFFF, 0xFFFFFFFF)
"""Process, user and group of a peer that is not on this machine, or not there. SO_PEERCRED."""

MAX_SCHEDULE_TIMEOUT = None
"""`sk_sndtimeo` and `sk_rcvtimeo` are ns, None waits for ever."""


class MsgHdr:
    """A message on its way through sendmsg or recvmsg. Linux: struct msghdr.

    `name` is a raw sockaddr (in: destination, out: source), `control` raw cmsgs (of a receive at
    most `controllen` bytes), `flags` MSG_* (out
    flags for recvmsg), `iocb_nowait` set for a non-blocking file.
    """

    __slots__ = ("control", "controllen", "flags", "iter", "name")

    def __init__(
        self, it: IovIter, flags: int = 0, name: bytes | None = None, control: bytes = b""
    ) -> None:
        self.iter = it
        self.flags = flags
        self.name = name
        self.control = control
        self.controllen = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proto:
    """One protocol's functions. Linux: struct proto. All return 0 or a positive result, or a
    negative errno.

    `recvmsg` gets the length wanted and the MSG_* flags; a blocking call sleeps in it. Optional
    entries are None where the protocol has none.
    """

    name: str
    obj_size: int
    no_autobind: bool
    init: Callable[[Any], int]
    destroy: Callable[[Any], None]
    close: Callable[[Any, int | None], None]
    connect: Callable[[Any, bytes], int]
    disconnect: Callable[[Any, int], int]
    sendmsg: Callable[[Any, MsgHdr, int], int]
    recvmsg: Callable[[Any, MsgHdr, int, int], int]
    setsockopt: Callable[[Any, int, int, bytes], int]
    getsockopt: Callable[[Any, int, int, int], bytes | int]
    backlog_rcv: Callable[[Any, SkBuff], int]
    hash: Callable[[Any], int]
    unhash: Callable[[Any], None]
    get_port: Callable[[Any, int], int]
    accept: Callable[[Any, int], Any] | None = None
    shutdown: Callable[[Any, int], None] | None = None
    release_cb: Callable[[Any], None] | None = None
    keepalive: Callable[[Any, bool], None] | None = None
    enter_memory_pressure: Callable[[Any], None] | None = None
    leave_memory_pressure: Callable[[Any], None] | None = None
    tskey: Callable[[Any, bool], int | None] | None = None
    opt_stats: Callable[[Any, SkBuff], bytes] | None = None


class Sock:
    """Linux: struct sock. Protocols extend it (`InetSock`, `TcpSock`, `UdpSock`, `PacketSock`).

    `users` is the reference count (sk_refcnt); bytes on their way down keep the sock alive through
    `sk_wmem_alloc`.
    """

    __slots__ = (
        "_backlog", "_lock_waiters", "net", "owner", "sk_ack_backlog", "sk_backlog_len",
        "sk_bindtodevice", "sk_broadcast", "sk_busy_poll_budget", "sk_cookie", "sk_data_ready",
        "sk_debug", "sk_dst_cache", "sk_err", "sk_err_soft", "sk_error_queue", "sk_family",
        "sk_forward_alloc", "sk_keepopen", "sk_linger", "sk_lingertime", "sk_ll_usec",
        "sk_localroute", "sk_mark", "sk_max_ack_backlog", "sk_max_pacing_rate", "sk_no_check_tx",
        "sk_omem_alloc", "sk_pacing_rate", "sk_pacing_status", "sk_peer_cred",
        "sk_prefer_busy_poll", "sk_priority", "sk_prot", "sk_protocol", "sk_rcvbuf",
        "sk_rcvbuf_lock", "sk_rcvlowat", "sk_rcvtimeo", "sk_receive_queue", "sk_reuse",
        "sk_reuseport", "sk_rmem_alloc", "sk_rx_tstamp", "sk_select_err_queue", "sk_shutdown",
        "sk_sndbuf", "sk_sndbuf_lock", "sk_sndtimeo", "sk_socket", "sk_state", "sk_state_change",
        "sk_timestamp", "sk_tsflags", "sk_tskey", "sk_tstamp_new", "sk_tx_queue_mapping",
        "sk_txrehash", "sk_type", "sk_wmem_alloc", "sk_wmem_queued", "sk_wq", "sk_write_space",
        "sk_zckey", "sk_zerocopy", "sock_dead", "sock_nospace", "urginline", "users",
    )  # fmt: skip

    def __init__(self, net: Net, family: int, sock_type: int, protocol: int, prot: Proto) -> None:
        self.net = net
        self.sk_family = family
        self.sk_type = sock_type
        self.sk_protocol = protocol
        self.sk_prot = prot
        self.sk_state = TCP_CLOSE
        self.sk_socket: Socket | None = None
        self.sk_wq = WaitQueueHead(net.kernel)
        self.users = 1
        self.owner: Task | None = None
        self._lock_waiters: deque[Task] = deque()
        self._backlog: deque[SkBuff] = deque()
        self.sk_backlog_len = 0
        self.sk_receive_queue: deque[SkBuff] = deque()
        self.sk_error_queue: deque[SkBuff] = deque()
        self.sk_wmem_alloc = 1
        self.sk_rmem_alloc = 0
        self.sk_wmem_queued = 0
        self.sk_forward_alloc = 0
        self.sk_sndbuf = net.softnet.sysctl_wmem_default
        self.sk_rcvbuf = net.softnet.sysctl_rmem_default
        self.sk_sndbuf_lock = self.sk_rcvbuf_lock = False
        self.sk_sndtimeo: int | None = MAX_SCHEDULE_TIMEOUT
        self.sk_rcvtimeo: int | None = MAX_SCHEDULE_TIMEOUT
        self.sk_rcvlowat = 1
        self.sk_err = 0
        self.sk_err_soft = 0
        self.sk_shutdown = 0
        self.sk_ack_backlog = 0
        self.sk_max_ack_backlog = 0
        self.sk_priority = 0
        self.sk_mark = 0
        self.sk_reuse = self.sk_reuseport = False
        self.sk_keepopen = self.sk_broadcast = False
        self.sk_no_check_tx = False
        self.sk_linger = False
        self.sk_lingertime = 0
        self.sk_bindtodevice = 0
        self.sk_timestamp = self.sk_tsflags = self.sk_tskey = 0
        self.sk_tstamp_new = self.sk_rx_tstamp = False
        self.sk_zckey = self.sk_omem_alloc = 0
        self.sk_pacing_status = SK_PACING_NONE
        self.sk_pacing_rate = self.sk_max_pacing_rate = SK_PACING_UNLIMITED
        self.sk_tx_queue_mapping: tuple[NetDevice, int] | None = None
        self.sk_zerocopy = False
        self.sock_dead = False
        self.sock_nospace = False
        self.urginline = False
        self.sk_debug = self.sk_localroute = self.sk_select_err_queue = False
        self.sk_prefer_busy_poll = False
        self.sk_cookie = self.sk_ll_usec = 0
        self.sk_busy_poll_budget = BUSY_POLL_BUDGET
        self.sk_txrehash = 1
        self.sk_peer_cred = NOBODY
        self.sk_dst_cache: DstEntry | None = None
        self.sk_data_ready: Callable[[Sock], None] = sock_def_readable
        self.sk_write_space: Callable[[Sock], None] = sock_def_write_space
        self.sk_state_change: Callable[[Sock], None] = sock_def_wakeup
        net.sockets_in_use += 1

    # -- lock --------------------------------------------------------------------------------------

    def lock_sock(self) -> None:
        """Own the socket; sleeps while another task does. Linux: lock_sock."""
        sched = self.net.kernel.sched
        task = sched.current
        if task is None or sched.preempt_count:
            raise KernelBug("lock_sock in atomic context")
        if self.owner is None:
            self.owner = task
            return
        if self.owner is task:
            raise KernelBug(f"{task}: lock_sock taken twice")
        self._lock_waiters.append(task)
        try:
            while self.owned_by_user:
                sched.schedule()
            self.owner = task
        finally:
            self._lock_waiters.remove(task)

    def release_sock(self) -> None:
        """Process the backlog, run what was deferred, and let the next one in. Linux:
        release_sock.
        """
        if self.owner is None:
            raise KernelBug("release_sock of a socket that nobody owns")
        if self._backlog:
            self.flush_backlog()
        if self.sk_prot.release_cb is not None:
            self.sk_prot.release_cb(self)
        self.owner = None
        if self._lock_waiters:
            self.net.kernel.sched.wake_up_process(self._lock_waiters[0])

    @property
    def owned_by_user(self) -> bool:
        """Whether a task owns the lock, so that softirq code must use the backlog. Linux:
        sock_owned_by_user.
        """
        return self.owner is not None

    def add_backlog(self, skb: SkBuff, limit: int) -> bool:
        """Leave a packet for `release_sock`; False when the backlog holds more than `limit` bytes.
        Linux: sk_add_backlog.
        """
        if self.sk_backlog_len + self.sk_rmem_alloc > limit:
            return False
        self._backlog.append(skb)
        self.sk_backlog_len += skb.truesize
        return True

    def flush_backlog(self) -> None:
        """Give every packet of the backlog to the protocol. Linux: __release_sock."""
        softirq = self.net.kernel.softirq
        while self._backlog:
            skb = self._backlog.popleft()
            softirq.local_bh_disable()
            self.sk_prot.backlog_rcv(self, skb)
            softirq.local_bh_enable()
        self.sk_backlog_len = 0

    # -- references --------------------------------------------------------------------------------

    def hold(self) -> None:
        """Linux: sock_hold."""
        self.users += 1

    def put(self) -> None:
        """Linux: sock_put; the last reference drops the one that `sk_wmem_alloc` holds for
        itself.
        """
        self.users -= 1
        if self.users == 0:
            self.wmem_sub(1)
        elif self.users < 0:
            raise KernelBug("sock_put of a free sock")

    def wmem_sub(self, size: int) -> None:
        """`size` bytes have left the host; the sock ends with the last of them. Linux: sk_free."""
        self.sk_wmem_alloc -= size
        if self.sk_wmem_alloc == 0:
            self._destruct()

    def _destruct(self) -> None:
        """Linux: __sk_free, sk_destruct."""
        for queue in (self.sk_receive_queue, self.sk_error_queue):
            while queue:
                kfree_skb_reason(queue.popleft(), drop_reason.QUEUE_PURGE)
        self.sk_dst_cache = None
        if self.sk_rx_tstamp:
            self.net.softnet.netstamp_needed -= 1
        self.sk_prot.destroy(self)
        self.net.sockets_in_use -= 1

    # -- memory ------------------------------------------------------------------------------------

    def set_owner_w(self, skb: SkBuff) -> None:
        """Charge a packet that goes down. Linux: skb_set_owner_w."""
        skb.orphan()
        skb.sk = self
        skb.destructor = sock_wfree
        self.sk_wmem_alloc += skb.truesize

    def set_owner_r(self, skb: SkBuff) -> None:
        """Charge a packet that waits to be read. Linux: skb_set_owner_r."""
        skb.orphan()
        skb.sk = self
        skb.destructor = sock_rfree
        self.sk_rmem_alloc += skb.truesize

    # -- errors ------------------------------------------------------------------------------------

    def sock_error(self) -> int:
        """The pending error as a negative number, and forget it; 0 when there is none. Linux:
        sock_error.
        """
        err, self.sk_err = self.sk_err, 0
        return -err

    def sndtimeo(self, noblock: bool) -> int | None:
        """How long a send may sleep: ns, 0 not at all, None for ever. Linux: sock_sndtimeo."""
        return 0 if noblock else self.sk_sndtimeo

    def rcvtimeo(self, noblock: bool) -> int | None:
        """How long a receive may sleep. Linux: sock_rcvtimeo."""
        return 0 if noblock else self.sk_rcvtimeo

    def error_report(self) -> None:
        """Tell who waits that `sk_err` is set. Linux: sk_error_report, sock_def_error_report."""
        self.sk_wq.wake_up_all(EPOLLERR)


class InetSock(Sock):
    """Linux: struct inet_sock. Addresses and ports are in host order; `inet_num` is the local port
    as bound.
    """

    __slots__ = (
        "bind_address_no_port", "cmsg_flags", "hdrincl", "inet_daddr", "inet_dport",
        "inet_freebind", "inet_id", "inet_num", "inet_rcv_saddr", "inet_saddr", "inet_sport",
        "local_port_range", "mc_addr", "mc_all", "mc_index", "mc_list", "mc_loop", "mc_ttl",
        "min_ttl", "pmtudisc", "recverr", "tos", "transparent", "uc_index", "uc_ttl",
    )  # fmt: skip

    def __init__(self, net: Net, family: int, sock_type: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, sock_type, protocol, prot)
        self.inet_saddr = self.inet_rcv_saddr = self.inet_daddr = 0
        self.inet_num = self.inet_sport = self.inet_dport = 0
        self.inet_id = 0
        self.inet_freebind = False
        self.transparent = False
        self.bind_address_no_port = False
        self.hdrincl = False
        self.tos = 0
        self.uc_ttl = -1
        self.uc_index = 0
        self.min_ttl = 0
        self.pmtudisc = 0 if net.ipv4.sysctl_ip_no_pmtu_disc else 1
        self.recverr = False
        self.cmsg_flags = 0
        self.local_port_range: tuple[int, int] | None = None
        self.mc_index = self.mc_addr = 0
        self.mc_ttl = 1
        self.mc_loop = self.mc_all = True
        self.mc_list: list[tuple[int, int]] = []


def sock_wfree(skb: SkBuff) -> None:
    """A packet has left the host. Linux: sock_wfree."""
    sk = skb.sk
    assert sk is not None
    left = sk.sk_wmem_alloc - skb.truesize
    sk.sk_wmem_alloc = left + 1
    if left > 0:
        sk.sk_write_space(sk)
    sk.wmem_sub(1)


def sock_rfree(skb: SkBuff) -> None:
    """A received packet was read. Linux: sock_rfree."""
    sk = skb.sk
    assert sk is not None
    sk.sk_rmem_alloc -= skb.truesize


def sock_def_readable(sk: Sock) -> None:
    """Linux: sock_def_readable."""
    sk.sk_wq.wake_up(1, EPOLLIN | EPOLLPRI | EPOLLRDNORM)


def sock_def_wakeup(sk: Sock) -> None:
    """Linux: sock_def_wakeup."""
    sk.sk_wq.wake_up_all()


def sock_def_write_space(sk: Sock) -> None:
    """Wake writers when at least half of the send buffer is free. Linux: sock_def_write_space."""
    if sk.sk_wmem_alloc * 2 <= sk.sk_sndbuf:
        sk.sk_wq.wake_up(1, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)


def sock_intr_errno(timeo: int | None) -> int:
    """What a sleep that a signal cut short returns. Linux: sock_intr_errno."""
    return -ERESTARTSYS if timeo is None else -EINTR


def sk_wait_event(sk: Sock, timeo: int | None, condition: Callable[[], bool]) -> int | None:
    """Release the socket, sleep until `condition()` or for `timeo` ns, lock it again; returns what
    is left of `timeo`. Linux: sk_wait_event.
    """
    sk.release_sock()
    try:
        left = sk.sk_wq.wait_event_timeout(condition, timeo)
    finally:
        sk.lock_sock()
    return None if timeo is None else left


def sock_wait_for_wmem(sk: Sock, timeo: int | None) -> int:
    """Wait until a datagram's worth of send buffer is free: 0, or -EAGAIN, -EPIPE, the socket's
    error. Linux: sock_alloc_send_pskb.
    """
    while True:
        if sk.sk_err:
            return sk.sock_error()
        if sk.sk_shutdown & SEND_SHUTDOWN:
            return -EPIPE
        if sk.sk_wmem_alloc - 1 < sk.sk_sndbuf:
            return 0
        if timeo == 0:
            return -EAGAIN
        left = sk.sk_wq.wait_event_timeout(
            lambda: bool(
                sk.sk_err or sk.sk_shutdown & SEND_SHUTDOWN or sk.sk_wmem_alloc - 1 < sk.sk_sndbuf
            ),
            timeo,
        )
        if timeo is not None:
            timeo = left
