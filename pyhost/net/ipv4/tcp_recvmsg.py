"""Reading: recvmsg, and the window updates that follow from it.

Linux: net/ipv4/tcp.c (tcp_recvmsg_locked, tcp_cleanup_rbuf), tcp_input.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import consume_skb
from pyhost.net.core.sock import (
    RCV_SHUTDOWN,
    TCP_CLOSE,
    TCP_LISTEN,
    MsgHdr,
    sk_wait_event,
    sock_intr_errno,
)
from pyhost.net.ipv4.inet_connection_sock import inet_csk_in_pingpong_mode
from pyhost.net.ipv4.tcp_ctl import tcp_send_ack
from pyhost.net.ipv4.tcp_sock import (
    ICSK_ACK_PUSHED,
    ICSK_ACK_PUSHED2,
    ICSK_ACK_SCHED,
    TcpSkbCb,
    TcpSock,
)
from pyhost.net.ipv4.tcp_window import tcp_receive_window, tcp_win_from_space, tcp_window_candidate
from pyhost.uapi.errno import EAGAIN, EFAULT, EINVAL, ENOTCONN
from pyhost.uapi.socket import MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL
from pyhost.uapi.tcp import TCP_FIN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_cleanup_rbuf", "tcp_recvmsg"]


def tcp_cleanup_rbuf(sk: TcpSock, copied: int) -> None:
    """The program read `copied` bytes: acknowledge, or announce the room, if that is worth a
    segment. Linux: __tcp_cleanup_rbuf.
    """
    pending = sk.icsk_ack_pending
    due = False
    if pending & ICSK_ACK_SCHED:
        pushed = pending & ICSK_ACK_PUSHED2 or (
            pending & ICSK_ACK_PUSHED and not inet_csk_in_pingpong_mode(sk)
        )
        due = (sk.rcv_nxt - sk.rcv_wup & 0xFFFFFFFF) > sk.icsk_ack_rcv_mss or bool(
            copied > 0 and pushed and not sk.sk_rmem_alloc
        )
    if copied > 0 and not due and not sk.sk_shutdown & RCV_SHUTDOWN:
        now = tcp_receive_window(sk)
        if 2 * now <= sk.window_clamp:
            new = tcp_window_candidate(sk)
            due = bool(new and new >= 2 * now)
    if due:
        sk.tcp_mstamp = sk.net.kernel.clock.now
        tcp_send_ack(sk)


def _rcv_space_adjust(sk: TcpSock, copied: int) -> None:
    """Once a round trip: let the receive buffer hold twice what was read in it.

    Linux: tcp_rcv_space_adjust (dynamic right-sizing).
    """
    sk.rcvq_copied += copied
    now = sk.net.kernel.clock.now
    rtt_ns = sk.srtt_us * 125
    if now - sk.rcvq_time < rtt_ns or not rtt_ns:
        return
    read = sk.rcvq_copied
    if read > sk.rcvq_space:
        if sk.net.tcp.moderate_rcvbuf and not sk.sk_rcvbuf_lock:
            wanted = 2 * read + 16 * sk.advmss
            wanted += 2 * wanted * (read - sk.rcvq_space) // max(sk.rcvq_space, 1)
            rcvbuf = min((wanted << 8) // sk.rcv_mss_ratio, sk.net.tcp.rmem[2])
            if rcvbuf > sk.sk_rcvbuf:
                sk.sk_rcvbuf = rcvbuf
                sk.window_clamp = tcp_win_from_space(sk, rcvbuf)
        sk.rcvq_space = read
    sk.rcvq_time = now
    sk.rcvq_copied = 0


def _copy_out(skb: SkBuff, offset: int, size: int, msg: MsgHdr) -> int:
    """Copy payload to the reader; short on a fault. Linux: skb_copy_datagram_msg."""
    done = 0
    copy = msg.iter.copy_to_iter
    for addr, run in skb.runs(offset, size):
        copied = copy(addr, run)
        done += copied
        if copied < run:
            break
    return done


def _eat(sk: TcpSock) -> None:
    """Linux: tcp_eat_recv_skb."""
    consume_skb(sk.sk_receive_queue.popleft())


def _end_of_stream(sk: TcpSock, copied: int, timeo: int | None) -> int | None:
    """Why a read that finds no data must not wait: the result, or None to go on waiting."""
    if copied:
        stop = sk.sk_err or sk.sk_state == TCP_CLOSE or sk.sk_shutdown & RCV_SHUTDOWN or timeo == 0
        return copied if stop else None
    if sk.sk_err:
        return sk.sock_error()
    if sk.sk_shutdown & RCV_SHUTDOWN:
        return 0
    if sk.sk_state == TCP_CLOSE:
        return -ENOTCONN
    return -EAGAIN if timeo == 0 else None


def tcp_recvmsg(sk: TcpSock, msg: MsgHdr, size: int, flags: int) -> int:
    """Read up to `size` bytes: the number, 0 at the end of the stream. Linux: tcp_recvmsg.

    -ENOTCONN, -EAGAIN, -EINTR, -EFAULT, -EINVAL (no urgent data), the socket's error.
    """
    if flags & MSG_OOB:
        return -EINVAL
    sk.lock_sock()
    try:
        if sk.sk_state == TCP_LISTEN:
            return -ENOTCONN
        return _recvmsg_locked(sk, msg, size, flags)
    finally:
        sk.release_sock()


def _recvmsg_locked(sk: TcpSock, msg: MsgHdr, size: int, flags: int) -> int:
    """Linux: tcp_recvmsg_locked."""
    timeo = sk.rcvtimeo(bool(flags & MSG_DONTWAIT))
    target = size if flags & MSG_WAITALL else min(sk.sk_rcvlowat, size) or 1
    peek = bool(flags & MSG_PEEK)
    start = seq = sk.copied_seq
    copied = 0
    while size > 0:
        seq, taken, fault, fin = _take_queued(sk, msg, seq, size, peek, bool(flags & MSG_TRUNC))
        copied += taken
        size -= taken
        if fault:
            copied = copied or -EFAULT
            break
        if fin or copied >= target or not size:
            break
        result = _end_of_stream(sk, copied, timeo)
        if result is not None:
            copied = result
            break
        tcp_cleanup_rbuf(sk, copied)
        timeo, stop = _wait_data(sk, seq, timeo)
        if stop:
            copied = copied or stop
            break
        if peek and seq != start and sk.copied_seq != start:
            seq = sk.copied_seq
    tcp_cleanup_rbuf(sk, copied if not peek else 0)
    return copied


def _wait_data(sk: TcpSock, seq: int, timeo: int | None) -> tuple[int | None, int]:
    """Sleep until there is more than `seq`: (what is left of `timeo`, 0 or -EINTR).

    Linux: sk_wait_data.
    """
    queued = sk.rcv_nxt
    left = sk_wait_event(
        sk,
        timeo,
        lambda: bool(
            sk.rcv_nxt != queued
            or sk.sk_err
            or sk.sk_shutdown & RCV_SHUTDOWN
            or sk.sk_state == TCP_CLOSE
        ),
    )
    task = sk.net.kernel.sched.current
    if task is not None and task.killed:
        return left, sock_intr_errno(timeo)
    return left, 0


def _take_queued(
    sk: TcpSock, msg: MsgHdr, seq: int, size: int, peek: bool, trunc: bool
) -> tuple[int, int, bool, bool]:
    """Copy what the receive queue holds from `seq` on: (new seq, bytes, whether a fault stopped it,
    whether the FIN was met).
    """
    queue = sk.sk_receive_queue
    copied = 0
    index = 0
    while index < len(queue):
        skb = queue[index]
        cb: TcpSkbCb = skb.cb
        offset = seq - cb.seq & 0xFFFFFFFF
        if offset < skb.len:
            if not size:
                break
            want = min(skb.len - offset, size)
            used = want if trunc else _copy_out(skb, offset, want, msg)
            seq = seq + used & 0xFFFFFFFF
            copied += used
            size -= used
            if not peek:
                sk.copied_seq = seq
                _rcv_space_adjust(sk, used)
            if used < want:
                return seq, copied, True, False
            if offset + used < skb.len:
                break
        if cb.flags & TCP_FIN:
            if not peek:
                sk.copied_seq = cb.end_seq
                _eat(sk)
            return seq, copied, False, True
        if peek:
            index += 1
        else:
            _eat(sk)
    return seq, copied, False, False
