"""TCP as a protocol of sockets: sendmsg, poll, and the table `tcp_prot`. RFC 9293. Linux:
net/ipv4/tcp.c.

Where to look for the rest: reading in tcp_recvmsg.py, the end of a connection in tcp_close.py and
tcp_done.py, socket options in tcp_sockopt.py, segments going out in tcp_output.py and coming in in
tcp_input.py, the states and what moves them in tcp_states.py.

Not supported: urgent data, TCP Fast Open, SYN cookies, MD5 and AO signatures, ECN.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pyhost.net.core.sock import (
    EPOLLERR,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    EPOLLRDNORM,
    EPOLLWRNORM,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SHUTDOWN_MASK,
    TCP_CLOSE,
    TCP_LISTEN,
    TCP_SYN_SENT,
    MsgHdr,
    Proto,
)
from pyhost.net.core.stream import (
    sk_stream_error,
    sk_stream_memory_free,
    sk_stream_wait_connect,
    sk_stream_wait_memory,
)
from pyhost.net.ipv4.inet_connection_sock import inet_csk_accept
from pyhost.net.ipv4.inet_hashtables import inet_csk_get_port, inet_unhash
from pyhost.net.ipv4.tcp_close import (
    tcp_close,
    tcp_disconnect,
    tcp_shutdown,
    tcp_v4_destroy_sock,
    tcp_v4_err,
)
from pyhost.net.ipv4.tcp_cong import RENO, tcp_assign_congestion_control
from pyhost.net.ipv4.tcp_cubic import CUBIC
from pyhost.net.ipv4.tcp_ipv4 import tcp_v4_connect, tcp_v4_do_rcv, tcp_v4_rcv
from pyhost.net.ipv4.tcp_mem import (
    sk_forced_mem_schedule,
    sk_wmem_schedule,
    tcp_enter_memory_pressure,
    tcp_leave_memory_pressure,
    tcp_wmem_free_skb,
    tcp_wmem_schedule,
)
from pyhost.net.ipv4.tcp_output import (
    TSQ_THROTTLED,
    tcp_push_one,
    tcp_push_pending_frames,
    tcp_queue_skb,
    tcp_slow_start_after_idle_check,
    tcp_stream_alloc_skb,
    tcp_tsq_handler,
)
from pyhost.net.ipv4.tcp_recvmsg import tcp_recvmsg
from pyhost.net.ipv4.tcp_sock import TCP_NAGLE_CORK, TCP_NAGLE_PUSH, TcpSkbCb, TcpSock, after
from pyhost.net.ipv4.tcp_sockopt import tcp_getsockopt, tcp_set_keepalive, tcp_setsockopt
from pyhost.net.ipv4.tcp_states import TCPF_CAN_SEND, TCPF_SYN_RECV
from pyhost.net.ipv4.tcp_sysctl import TcpNet
from pyhost.net.ipv4.tcp_timer import tcp_init_xmit_timers, tcp_release_cb
from pyhost.net.ipv4.tcp_window import tcp_send_mss
from pyhost.net.socket import sock_poll_wait
from pyhost.uapi.errno import EAGAIN, EFAULT, EPIPE
from pyhost.uapi.ip import IPPROTO_TCP
from pyhost.uapi.socket import (
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_MORE,
    MSG_NO_SHARED_FRAGS,
    MSG_SPLICE_PAGES,
)
from pyhost.uapi.tcp import TCP_ACK, TCP_PSH

if TYPE_CHECKING:
    from pyhost.fs.poll import PollTable
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net
    from pyhost.net.socket import Socket

__all__ = [
    "TcpNet", "tcp_init", "tcp_poll", "tcp_prot", "tcp_sendmsg", "tcp_sendmsg_locked",
    "tcp_splice_eof",
]  # fmt: skip

FRAG_MIN = 32
MAX_SKB_FRAGS = 17
SKBFL_SHARED_FRAG = 2
SPLICE_BATCH = 8
BACKLOG_FLUSH_EVERY = 16
TCP_OBJ_SIZE = 2560


def tcp_init(net: Net) -> None:
    """Bring up TCP on a machine. Linux: tcp_init."""
    net.tcp = TcpNet(net, {"cubic": CUBIC, "reno": RENO}, tcp_tsq_handler)
    net.inet_protos[IPPROTO_TCP] = tcp_v4_rcv
    net.icmp.err_handlers[IPPROTO_TCP] = partial(tcp_v4_err, net)


def tcp_v4_init_sock(sk: TcpSock) -> int:
    """Linux: tcp_v4_init_sock, tcp_init_sock."""
    tcp_init_xmit_timers(sk)
    tcp_assign_congestion_control(sk, sk.icsk_ca_ops)
    return 0


def tcp_hash(sk: TcpSock) -> int:
    """Make a listener findable. Linux: inet_hash."""
    if sk.sk_state == TCP_LISTEN:
        sk.net.tcp.lhash.setdefault(sk.inet_num, []).append(sk)
    return 0


# -- sendmsg ---------------------------------------------------------------------------------------


def tcp_sendmsg(sk: TcpSock, msg: MsgHdr, size: int) -> int:
    """Queue `size` bytes and send what may be sent: bytes taken, or a negative errno.

    Linux: tcp_sendmsg.
    """
    sk.lock_sock()
    try:
        return tcp_sendmsg_locked(sk, msg, size)
    finally:
        sk.release_sock()


def _mark_push(sk: TcpSock, skb: SkBuff) -> None:
    """Linux: tcp_mark_push."""
    skb.cb.flags |= TCP_PSH
    sk.pushed_seq = sk.write_seq


def _forced_push(sk: TcpSock) -> bool:
    """Whether half of the peer's biggest window was written since the last PSH.

    Linux: forced_push.
    """
    return after(sk.write_seq, sk.pushed_seq + (sk.max_window >> 1) & 0xFFFFFFFF)


def _should_autocork(sk: TcpSock, skb: SkBuff, size_goal: int) -> bool:
    """Whether a small tail may wait until what is below has left, to be joined by more.

    Linux: tcp_should_autocork.
    """
    return bool(
        skb.len < size_goal
        and sk.net.tcp.autocorking
        and sk.tcp_rtx_queue
        and sk.sk_wmem_alloc > skb.truesize
        and not skb.cb.eor
    )


def _push(sk: TcpSock, flags: int, mss: int, nonagle: int, size_goal: int) -> None:
    """The end of a write: mark PSH and send. Linux: tcp_push."""
    if not sk.sk_write_queue:
        return
    skb = sk.sk_write_queue[-1]
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("tcp_push", skb.key, mss=mss, nonagle=nonagle)
    if not flags & MSG_MORE or _forced_push(sk):
        _mark_push(sk, skb)
    if _should_autocork(sk, skb, size_goal):
        if not sk.tsq_flags & TSQ_THROTTLED:
            sk.net.count("TCPAutoCorking")
            sk.tsq_flags |= TSQ_THROTTLED
        if sk.sk_wmem_alloc > skb.truesize:
            return
    if flags & MSG_MORE:
        nonagle = TCP_NAGLE_CORK
    tcp_push_pending_frames(sk, mss, nonagle)


def _new_segment(sk: TcpSock) -> SkBuff | None:
    """An empty segment at the end of the write queue; None when memory is short.

    Linux: tcp_stream_alloc_skb, tcp_skb_entail.
    """
    skb = tcp_stream_alloc_skb(sk)
    if skb is None:
        return None
    if not sk.sk_write_queue and not sk.tcp_rtx_queue:
        sk_forced_mem_schedule(sk, skb.truesize)
    elif not sk_wmem_schedule(sk, skb.truesize):
        skb.cb = None
        sk.sk_wmem_queued += skb.truesize
        sk.sk_forward_alloc -= skb.truesize
        tcp_wmem_free_skb(sk, skb)
        return None
    skb.cb = TcpSkbCb(sk.write_seq, sk.write_seq, TCP_ACK)
    tcp_queue_skb(sk, skb)
    sk.nonagle &= ~TCP_NAGLE_PUSH
    tcp_slow_start_after_idle_check(sk)
    return skb


def _account(sk: TcpSock, skb: SkBuff, size: int) -> None:
    """`size` bytes were added to the segment's fragments."""
    skb.len += size
    skb.data_len += size
    skb.truesize += size
    sk.sk_wmem_queued += size
    sk.sk_forward_alloc -= size
    sk.write_seq = sk.write_seq + size & 0xFFFFFFFF
    cb = skb.cb
    cb.end_seq = cb.end_seq + size & 0xFFFFFFFF
    cb.pcount = 1


NO_MEMORY = 0
NEW_SEGMENT = -1


def _copy_in(sk: TcpSock, skb: SkBuff, msg: MsgHdr, size: int) -> int:
    """Copy up to `size` bytes of the message into page fragments of the segment.

    The bytes copied; NO_MEMORY, NEW_SEGMENT when the fragments are used up, -EFAULT. Linux: the
    copy branch of tcp_sendmsg_locked.
    """
    frag = sk.frag
    if not frag.refill(FRAG_MIN):
        return NO_MEMORY
    page = frag.page
    assert page is not None
    frags = skb.shinfo.frags
    last = frags[-1] if frags else None
    merge = last is not None and last.page is page and last.offset + last.size == frag.offset
    if not merge and len(frags) >= MAX_SKB_FRAGS:
        return NEW_SEGMENT
    size = tcp_wmem_schedule(sk, min(size, frag.size - frag.offset))
    if not size:
        return NO_MEMORY
    if not msg.iter.copy_from_iter_full_nocache(page.addr + frag.offset, size):
        return -EFAULT
    if merge and last is not None:
        last.size += size
    else:
        page.get()
        skb.fill_page_desc(page, frag.offset, size)
    frag.offset += size
    _account(sk, skb, size)
    return size


def _splice_in(sk: TcpSock, skb: SkBuff, msg: MsgHdr, size: int) -> int:
    """Link up to `size` bytes of the message's pages into the segment, nothing is copied. Results
    as `_copy_in`. Linux: skb_splice_from_iter.
    """
    room = MAX_SKB_FRAGS - len(skb.shinfo.frags)
    if room <= 0:
        return NEW_SEGMENT
    size = tcp_wmem_schedule(sk, size)
    if not size:
        return NO_MEMORY
    pieces = msg.iter.extract_pages(size, min(room, SPLICE_BATCH))
    if not pieces:
        return -EFAULT
    taken = 0
    for page, offset, length in pieces:
        if skb.can_coalesce(page, offset):
            skb.shinfo.frags[-1].size += length
            page.put()
        else:
            skb.fill_page_desc(page, offset, length)
        taken += length
    if not msg.flags & MSG_NO_SHARED_FRAGS:
        skb.shinfo.flags |= SKBFL_SHARED_FRAG
    _account(sk, skb, taken)
    return taken


def _remove_empty_tail(sk: TcpSock) -> None:
    """A segment was begun and nothing came into it. Linux: tcp_remove_empty_skb."""
    queue = sk.sk_write_queue
    if queue and queue[-1].cb.seq == queue[-1].cb.end_seq:
        tcp_wmem_free_skb(sk, queue.pop())


def _push_full_segment(sk: TcpSock, skb: SkBuff, mss: int) -> None:
    """A segment is full and more is to come: do not let the wire wait for the rest."""
    if _forced_push(sk):
        _mark_push(sk, skb)
        tcp_push_pending_frames(sk, mss, TCP_NAGLE_PUSH)
    elif skb is sk.sk_write_queue[0]:
        tcp_push_one(sk, mss)


def _wait_for_space(
    sk: TcpSock, flags: int, copied: int, mss: int, goal: int, timeo: int | None
) -> tuple[int, int | None]:
    """Send what is there, and sleep until there is room: (0 or a negative errno, what is left of
    `timeo`).
    """
    sk.sock_nospace = True
    _remove_empty_tail(sk)
    if copied:
        _push(sk, flags & ~MSG_MORE, mss, TCP_NAGLE_PUSH, goal)
    return sk_stream_wait_memory(sk, timeo)


def tcp_sendmsg_locked(sk: TcpSock, msg: MsgHdr, size: int) -> int:
    """As `tcp_sendmsg`, with the socket locked. Linux: tcp_sendmsg_locked.

    -EPIPE (with SIGPIPE), -EAGAIN, -EFAULT when not even the first piece could be copied, the
    socket's error. What was queued before a failure is returned instead of the error.
    """
    flags = msg.flags
    timeo = sk.sndtimeo(bool(flags & MSG_DONTWAIT))
    if not 1 << sk.sk_state & TCPF_CAN_SEND:
        err = sk_stream_wait_connect(sk, timeo)
        if err:
            return sk_stream_error(sk, flags, err)
    sk.sock_nospace = False
    fill = _splice_in if flags & MSG_SPLICE_PAGES else _copy_in
    trace = sk.net.kernel.trace
    mss, goal = tcp_send_mss(sk)
    err = -EPIPE if sk.sk_err or sk.sk_shutdown & SEND_SHUTDOWN else 0
    copied = started = 0
    queue = sk.sk_write_queue
    while copied < size and not err:
        skb = queue[-1] if queue else None
        if skb is None or skb.len >= goal or skb.cb.eor:
            skb = None
            if sk_stream_memory_free(sk):
                if started >= BACKLOG_FLUSH_EVERY and sk.sk_backlog_len:
                    started = 0
                    sk.flush_backlog()
                    mss, goal = tcp_send_mss(sk)
                    err = -EPIPE if sk.sk_err or sk.sk_shutdown & SEND_SHUTDOWN else 0
                    continue
                skb = _new_segment(sk)
                started += 1
        took = NO_MEMORY if skb is None else fill(sk, skb, msg, min(goal - skb.len, size - copied))
        if took > 0 and skb is not None:
            if not copied:
                skb.cb.flags &= ~TCP_PSH
            copied += took
            if trace.on:
                trace.hit("tcp_sendmsg", skb.key, len=took, seq=skb.cb.seq)
            if copied == size:
                skb.cb.eor = bool(flags & MSG_EOR)
            elif skb.len >= goal:
                _push_full_segment(sk, skb, mss)
        elif took == NEW_SEGMENT and skb is not None:
            _mark_push(sk, skb)
            skb.cb.eor = True
        elif took == NO_MEMORY:
            err, timeo = _wait_for_space(sk, flags, copied, mss, goal, timeo)
            mss, goal = tcp_send_mss(sk)
        else:
            err = took
    return _send_done(sk, flags, copied, err, mss, goal)


def _send_done(sk: TcpSock, flags: int, copied: int, err: int, mss: int, goal: int) -> int:
    """Linux: tcp_sendmsg_locked, labels out and do_error."""
    if err:
        _remove_empty_tail(sk)
    if copied:
        _push(sk, flags, mss, sk.nonagle, goal)
        return copied
    if not err:
        return 0
    err = sk_stream_error(sk, flags, err)
    if err == -EAGAIN and not sk.sk_write_queue and not sk.tcp_rtx_queue:
        sk.sk_write_space(sk)
    return err


def tcp_splice_eof(sock: Socket) -> None:
    """sendfile's source ended early: send what MSG_MORE held back. Linux: tcp_splice_eof."""
    sk: TcpSock = sock.sk
    if not sk.sk_write_queue:
        return
    sk.lock_sock()
    mss, goal = tcp_send_mss(sk)
    _push(sk, 0, mss, sk.nonagle, goal)
    sk.release_sock()


# -- poll ------------------------------------------------------------------------------------------


def tcp_poll(sock: Socket, wait: PollTable | None) -> int:
    """The EPOLL* events that are true now. Linux: tcp_poll."""
    sock_poll_wait(sock, wait)
    return tcp_poll_mask(sock.sk)


def tcp_poll_mask(sk: TcpSock) -> int:
    """Linux: tcp_poll, after sock_poll_wait."""
    state = sk.sk_state
    if state == TCP_LISTEN:
        return EPOLLIN | EPOLLRDNORM if sk.accept_queue else 0
    mask = 0
    if sk.sk_shutdown == SHUTDOWN_MASK or state == TCP_CLOSE:
        mask |= EPOLLHUP
    if sk.sk_shutdown & RCV_SHUTDOWN:
        mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP
    if state != TCP_SYN_SENT and not 1 << state & TCPF_SYN_RECV:
        if sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF >= max(sk.sk_rcvlowat, 1):
            mask |= EPOLLIN | EPOLLRDNORM
        if sk.sk_shutdown & SEND_SHUTDOWN or _writeable(sk):
            mask |= EPOLLOUT | EPOLLWRNORM
        else:
            sk.sock_nospace = True
    if sk.sk_err or sk.sk_error_queue:
        mask |= EPOLLERR
    return mask


def _writeable(sk: TcpSock) -> bool:
    """Linux: sk_stream_is_writeable."""
    return sk.sk_sndbuf - sk.sk_wmem_queued >= sk.sk_wmem_queued >> 1 and sk_stream_memory_free(
        sk, 1
    )


tcp_prot = Proto(
    name="TCP",
    obj_size=TCP_OBJ_SIZE,
    no_autobind=True,
    init=tcp_v4_init_sock,
    destroy=tcp_v4_destroy_sock,
    close=tcp_close,
    connect=tcp_v4_connect,
    disconnect=tcp_disconnect,
    accept=inet_csk_accept,
    sendmsg=tcp_sendmsg,
    recvmsg=tcp_recvmsg,
    setsockopt=tcp_setsockopt,
    getsockopt=tcp_getsockopt,
    shutdown=tcp_shutdown,
    backlog_rcv=tcp_v4_do_rcv,
    release_cb=tcp_release_cb,
    keepalive=tcp_set_keepalive,
    hash=tcp_hash,
    unhash=inet_unhash,
    get_port=inet_csk_get_port,
    enter_memory_pressure=tcp_enter_memory_pressure,
    leave_memory_pressure=tcp_leave_memory_pressure,
)
