"""Reading: recvmsg, and the window updates that follow from it.

Linux: net/ipv4/tcp.c (tcp_recvmsg_locked, tcp_cleanup_rbuf), tcp_input.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.scm import put_cmsg
from pyhost.net.core.skbuff import consume_skb
from pyhost.net.core.sock import (
    RCV_SHUTDOWN,
    TCP_CLOSE,
    TCP_LISTEN,
    MsgHdr,
    sk_wait_event,
    sock_intr_errno,
)
from pyhost.net.core.timestamping import put_recv_timestamp
from pyhost.net.ipv4.ip.ip_errqueue import ip_recv_error
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_in_pingpong_mode
from pyhost.net.ipv4.tcp.input.tcp_delack import tcp_fast_path_check
from pyhost.net.ipv4.tcp.input.tcp_rcv_rtt import tcp_rcv_space_adjust
from pyhost.net.ipv4.tcp.input.tcp_urgent import tcp_recv_urg
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_send_ack
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_ACK_PUSHED,
    ICSK_ACK_PUSHED2,
    ICSK_ACK_SCHED,
    TcpSock,
    after,
)
from pyhost.net.ipv4.tcp.tcp_window import tcp_receive_window, tcp_window_candidate
from pyhost.uapi.errno import EAGAIN, EFAULT, ENOTCONN
from pyhost.uapi.socket import (
    INT,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SOL_TCP,
)
from pyhost.uapi.tcp import TCP_CM_INQ, TCP_FIN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["sk_wait_data", "tcp_cleanup_rbuf", "tcp_inq_hint", "tcp_recvmsg"]


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
    if sk.sock_done:
        return 0
    if sk.sk_err:
        return sk.sock_error()
    if sk.sk_shutdown & RCV_SHUTDOWN:
        return 0
    if sk.sk_state == TCP_CLOSE:
        return -ENOTCONN
    return -EAGAIN if timeo == 0 else None


def tcp_inq_hint(sk: TcpSock) -> int:
    """How many bytes can be read now; 1 when only the end of the stream is left to be read.

    Linux: tcp_inq_hint.
    """
    inq = sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF
    if inq & 0x80000000:
        inq = 0
    return inq or int(sk.sock_done)


def _put_inq(sk: TcpSock, msg: MsgHdr) -> None:
    """TCP_INQ: tell how much is left to read, as a control message."""
    put_cmsg(msg, SOL_TCP, TCP_CM_INQ, INT.pack(tcp_inq_hint(sk)))


def tcp_recvmsg(sk: TcpSock, msg: MsgHdr, size: int, flags: int) -> int:
    """Read up to `size` bytes: the number, 0 at the end of the stream. Linux: tcp_recvmsg.

    -ENOTCONN, -EAGAIN, -EINTR, -EFAULT, -EINVAL (MSG_OOB without urgent data), the socket's error.
    """
    if flags & MSG_ERRQUEUE:
        return ip_recv_error(sk, msg, size)
    sk.lock_sock()
    try:
        if sk.sk_state == TCP_LISTEN:
            return -ENOTCONN
        if flags & MSG_OOB:
            return tcp_recv_urg(sk, msg, size, flags)
        reader = _Reader(sk, msg, size, flags)
        ret = reader.run()
        if (reader.tstamp or reader.hwtstamp) and ret >= 0:
            put_recv_timestamp(msg, sk, reader.tstamp, reader.hwtstamp)
        if sk.recvmsg_inq and ret >= 0:
            _put_inq(sk, msg)
        return ret
    finally:
        sk.release_sock()


class _Reader:
    """One call of recvmsg. Linux: tcp_recvmsg_locked.

    `seq` is where it reads: `copied_seq`, or with MSG_PEEK a place of its own; `size` bytes are
    still wanted, and `urg_hole` marks were passed while peeking. `tstamp` is when the last segment
    that was read from came, if anybody wanted to know.
    """

    __slots__ = (
        "copied", "flags", "hwtstamp", "msg", "peek", "peek_start", "seq", "size", "sk", "stop",
        "target", "timeo", "tstamp", "urg_hole",
    )  # fmt: skip

    def __init__(self, sk: TcpSock, msg: MsgHdr, size: int, flags: int) -> None:
        self.sk = sk
        self.msg = msg
        self.size = size
        self.flags = flags
        self.peek = bool(flags & MSG_PEEK)
        self.timeo = sk.rcvtimeo(bool(flags & MSG_DONTWAIT))
        self.target = size if flags & MSG_WAITALL else min(sk.sk_rcvlowat, size) or 1
        self.seq = self.peek_start = sk.copied_seq
        self.copied = self.urg_hole = self.tstamp = self.hwtstamp = 0
        self.stop: int | None = None

    def run(self) -> int:
        """Copy what there is, wait for more as long as it takes: what the call returns."""
        sk = self.sk
        while self.stop is None:
            if self.copied and sk.urg_data and sk.urg_seq == self.seq:
                break
            skb = self._find()
            if skb is not None:
                self._take(skb)
            elif not self._must_stop():
                self._wait()
            if self.size <= 0:
                break
        tcp_cleanup_rbuf(sk, 0 if self.peek else self.copied)
        return self.copied or self.stop or 0

    def _find(self) -> SkBuff | None:
        """The segment in which `seq` lies, or the one with the FIN at `seq`."""
        for skb in self.sk.sk_receive_queue:
            if self.seq - skb.cb.seq & 0xFFFFFFFF < skb.len or skb.cb.flags & TCP_FIN:
                return skb
        return None

    def _must_stop(self) -> bool:
        """Nothing is there: whether the call ends, and with what."""
        sk = self.sk
        if self.copied >= self.target and not sk.sk_backlog_len:
            self.stop = self.copied
        else:
            self.stop = _end_of_stream(sk, self.copied, self.timeo)
        return self.stop is not None

    def _wait(self) -> None:
        """Sleep for more, or process what came while this task had the socket."""
        sk = self.sk
        if self.copied >= self.target:
            sk.flush_backlog()
        else:
            tcp_cleanup_rbuf(sk, 0 if self.peek else self.copied)
            self.timeo, interrupted = sk_wait_data(sk, self.timeo)
            self.stop = interrupted or None
        if self.peek and self.peek_start + self.copied + self.urg_hole & 0xFFFFFFFF != self.seq:
            self.seq = self.peek_start = sk.copied_seq

    def _take(self, skb: SkBuff) -> None:
        """Copy from one segment, and let it go when it is read to the end."""
        offset = self.seq - skb.cb.seq & 0xFFFFFFFF
        if offset < skb.len:
            self._copy(skb, offset)
            if self.stop is not None or self.seq - skb.cb.seq & 0xFFFFFFFF < skb.len:
                return
        if skb.cb.flags & TCP_FIN:
            self._advance(1)
            self.stop = self.copied
        if not self.peek:
            _eat(self.sk)

    def _copy(self, skb: SkBuff, offset: int) -> None:
        sk = self.sk
        want = min(skb.len - offset, self.size)
        if sk.urg_data:
            ahead = sk.urg_seq - self.seq & 0xFFFFFFFF
            if ahead and ahead < want:
                want = ahead
            elif not ahead and not sk.urginline:
                # The urgent byte is not part of what is read in line.
                self._advance(1)
                self.urg_hole += 1
                offset += 1
                want = min(skb.len - offset, self.size)
        used = want if self.flags & MSG_TRUNC else _copy_out(skb, offset, want, self.msg)
        self.tstamp = skb.tstamp
        self.hwtstamp = skb.shinfo.hwtstamp
        self.copied += used
        self.size -= used
        self._advance(used)
        if used < want:
            self.stop = self.copied or -EFAULT

    def _advance(self, count: int) -> None:
        sk = self.sk
        self.seq = self.seq + count & 0xFFFFFFFF
        if not self.peek:
            sk.copied_seq = self.seq
            tcp_rcv_space_adjust(sk)
            if sk.urg_data and after(self.seq, sk.urg_seq):
                sk.urg_data = 0
                tcp_fast_path_check(sk)


def sk_wait_data(sk: TcpSock, timeo: int | None) -> tuple[int | None, int]:
    """Sleep until more has come: (what is left of `timeo`, 0 or -EINTR). Linux: sk_wait_data."""
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
