"""sendmsg of TCP: from the program's bytes to segments in the write queue. Linux: net/ipv4/tcp.c
tcp_sendmsg_locked.

One call is a `TcpSend`. `_begin` makes the socket ready, `_fill` puts the message into segments and
sends what is full, `_end` pushes the rest and says what to return. Where the bytes come from is
`send.fill` (tcp_sendmsg_fill.py): copied, or linked as pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.scm import SockcmCookie, sock_cmsg_send
from pyhost.net.core.sock import SEND_SHUTDOWN, MsgHdr
from pyhost.net.core.stream import (
    sk_stream_error,
    sk_stream_memory_free,
    sk_stream_wait_connect,
    sk_stream_wait_memory,
)
from pyhost.net.core.ubuf import msg_zerocopy_realloc
from pyhost.net.ipv4.tcp.ack.tcp_rate import tcp_rate_check_app_limited
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_client import tcp_sendmsg_fastopen
from pyhost.net.ipv4.tcp.output.tcp_chrono import TCP_CHRONO_BUSY, tcp_chrono_stop
from pyhost.net.ipv4.tcp.output.tcp_output import tcp_queue_skb, tcp_stream_alloc_skb
from pyhost.net.ipv4.tcp.output.tcp_xmit import (
    tcp_push_one,
    tcp_push_pending_frames,
    tcp_slow_start_after_idle_check,
)
from pyhost.net.ipv4.tcp.tcp_mem import sk_forced_mem_schedule, sk_wmem_schedule, tcp_wmem_free_skb
from pyhost.net.ipv4.tcp.tcp_sock import TCP_NAGLE_PUSH, TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp.tcp_states import TCPF_CAN_SEND
from pyhost.net.ipv4.tcp.tcp_window import tcp_send_mss
from pyhost.net.ipv4.tcp.user.tcp_push import forced_push, tcp_mark_push, tcp_push
from pyhost.net.ipv4.tcp.user.tcp_sendmsg_fill import (
    NEW_SEGMENT,
    NO_MEMORY,
    TcpSend,
    copy_in,
    splice_in,
    zerocopy_in,
)
from pyhost.net.ipv4.tcp.user.tcp_tstamp import tcp_tx_timestamp
from pyhost.uapi.errno import EAGAIN, EINPROGRESS, EINVAL, ENOBUFS, EPIPE
from pyhost.uapi.socket import (
    MSG_EOR,
    MSG_FASTOPEN,
    MSG_MORE,
    MSG_OOB,
    MSG_SPLICE_PAGES,
    MSG_ZEROCOPY,
)
from pyhost.uapi.tcp import TCP_ACK, TCP_PSH

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.socket import Socket

__all__ = ["tcp_remove_empty_skb", "tcp_sendmsg", "tcp_sendmsg_locked", "tcp_splice_eof"]

BACKLOG_FLUSH_EVERY = 16


def tcp_sendmsg(sk: TcpSock, msg: MsgHdr, size: int) -> int:
    """Queue `size` bytes and send what may be sent: bytes taken, or a negative errno.

    Linux: tcp_sendmsg.
    """
    sk.lock_sock()
    try:
        return tcp_sendmsg_locked(sk, msg, size)
    finally:
        sk.release_sock()


def tcp_sendmsg_locked(sk: TcpSock, msg: MsgHdr, size: int) -> int:
    """As `tcp_sendmsg`, with the socket locked. Linux: tcp_sendmsg_locked.

    -EPIPE (with SIGPIPE), -EAGAIN, -EFAULT when not even the first piece could be copied, the
    socket's error. What was queued before a failure is returned instead of the error.
    """
    send = TcpSend(sk, msg, size, copy_in)
    err = _begin(send) or _fill(send)
    return _end(send, err)


def _begin(send: TcpSend) -> int:
    """Make the socket ready to take the message: 0 or a negative errno. Linux:
    tcp_sendmsg_locked, up to the label restart.
    """
    sk, msg, flags = send.sk, send.msg, send.flags
    if flags & MSG_ZEROCOPY and send.size and sk.sk_zerocopy:
        if not _begin_zerocopy(send):
            return -ENOBUFS
    elif flags & MSG_SPLICE_PAGES and send.size:
        send.fill = splice_in
    if flags & MSG_FASTOPEN or sk.defer_connect:
        err, copied = tcp_sendmsg_fastopen(sk, msg, send.size, send.uarg)
        if err and not (err == -EINPROGRESS and copied):
            return err
        send.copied_syn = copied
        send.size -= copied
        if err:
            return err
    tcp_rate_check_app_limited(sk)
    if not 1 << sk.sk_state & TCPF_CAN_SEND and sk.fastopen_rsk is None:
        err = sk_stream_wait_connect(sk, send.timeo)
        if err:
            return err
    if msg.control:
        sockc = SockcmCookie(sk)
        if sock_cmsg_send(sk, msg.control, sockc):
            return -EINVAL
        send.tsflags = sockc.tsflags
    sk.sock_nospace = False
    return 0


def _begin_zerocopy(send: TcpSend) -> bool:
    """MSG_ZEROCOPY: note the send under a `UbufInfo`; False when memory for that is short."""
    queue = send.sk.sk_write_queue
    tail = queue[-1].shinfo.uarg if queue else None
    send.uarg = msg_zerocopy_realloc(send.sk, send.size, tail)
    send.fill = zerocopy_in
    return send.uarg is not None


def _restart(send: TcpSend) -> int:
    """The socket may have changed while it was not locked. Linux: tcp_sendmsg_locked, label
    restart.
    """
    sk = send.sk
    send.mss, send.goal = tcp_send_mss(sk, bool(send.flags & MSG_OOB))
    return -EPIPE if sk.sk_err or sk.sk_shutdown & SEND_SHUTDOWN else 0


def _fill(send: TcpSend) -> int:
    """Put the message into segments: 0 when all of it is queued, or a negative errno. Linux: the
    loop of tcp_sendmsg_locked.
    """
    sk, size, queue, fill = send.sk, send.size, send.sk.sk_write_queue, send.fill
    err = _restart(send)
    full = False
    while send.copied < size and not err:
        skb: SkBuff | None = queue[-1] if queue and not full else None
        if skb is None or skb.len >= send.goal or skb.cb.eor:
            if send.started >= BACKLOG_FLUSH_EVERY and sk.sk_backlog_len:
                send.started = 0
                sk.flush_backlog()
                err = _restart(send)
                continue
            skb = _new_segment(sk) if sk_stream_memory_free(sk) else None
            send.started += 1
        full = False
        took = NO_MEMORY
        if skb is not None:
            took = fill(send, skb, min(send.goal - skb.len, size - send.copied))
        if took > 0 and skb is not None:
            _took(send, skb, took)
        elif took == NEW_SEGMENT and skb is not None:
            tcp_mark_push(sk, skb)
            full = True
        elif took == NO_MEMORY:
            err = _wait_for_space(send)
        else:
            err = took
    return err


def _took(send: TcpSend, skb: SkBuff, took: int) -> None:
    """`took` bytes went into the segment: account for them, and let a full segment go."""
    sk, cb = send.sk, skb.cb
    if not send.copied:
        cb.flags &= ~TCP_PSH
    sk.write_seq = sk.write_seq + took & 0xFFFFFFFF
    cb.end_seq = cb.end_seq + took & 0xFFFFFFFF
    cb.pcount = 1
    send.copied += took
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("tcp_sendmsg", skb.key, len=took, seq=cb.seq)
    if send.copied == send.size:
        if send.flags & MSG_EOR:
            cb.eor = True
    elif skb.len >= send.goal:
        _push_full_segment(sk, skb, send.mss)


def _push_full_segment(sk: TcpSock, skb: SkBuff, mss: int) -> None:
    """A segment is full and more is to come: do not let the wire wait for the rest."""
    if forced_push(sk):
        tcp_mark_push(sk, skb)
        tcp_push_pending_frames(sk, mss, TCP_NAGLE_PUSH)
    elif skb is sk.sk_write_queue[0]:
        tcp_push_one(sk, mss)


def _wait_for_space(send: TcpSend) -> int:
    """Send what is there, and sleep until there is room: 0 or a negative errno. Linux:
    tcp_sendmsg_locked, label wait_for_space.
    """
    sk = send.sk
    sk.sock_nospace = True
    tcp_remove_empty_skb(sk)
    if send.copied:
        tcp_push(sk, send.flags & ~MSG_MORE, send.mss, TCP_NAGLE_PUSH, send.goal)
    err, send.timeo = sk_stream_wait_memory(sk, send.timeo)
    send.mss, send.goal = tcp_send_mss(sk, bool(send.flags & MSG_OOB))
    return err


def _end(send: TcpSend, err: int) -> int:
    """Push what was queued: what the call returns. Linux: tcp_sendmsg_locked, labels out and
    do_error.
    """
    sk, flags, uarg = send.sk, send.flags, send.uarg
    if err:
        tcp_remove_empty_skb(sk)
    if send.copied:
        if send.tsflags:
            tcp_tx_timestamp(sk, send.tsflags)
        tcp_push(sk, flags, send.mss, sk.nonagle, send.goal)
    if send.copied or send.copied_syn or not err:
        if uarg is not None:
            uarg.complete(True)
        return send.copied + send.copied_syn
    if uarg is not None:
        uarg.abort(True)
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
    tcp_push(sk, 0, mss, sk.nonagle, goal)
    sk.release_sock()


# -- segments --------------------------------------------------------------------------------------


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


def tcp_remove_empty_skb(sk: TcpSock) -> None:
    """A segment was begun and nothing came into it. Linux: tcp_remove_empty_skb."""
    queue = sk.sk_write_queue
    if queue and queue[-1].cb.seq == queue[-1].cb.end_seq:
        tcp_wmem_free_skb(sk, queue.pop())
        if not queue:
            tcp_chrono_stop(sk, TCP_CHRONO_BUSY)
