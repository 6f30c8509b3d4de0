"""Urgent data: one byte that a program may read out of line. RFC 9293 section 3.8.5, RFC 6093.
Linux: net/ipv4/tcp_input.c (tcp_urg, tcp_check_urg), net/ipv4/tcp.c (tcp_recv_urg).

Linux takes the urgent pointer to point behind the urgent byte (unless `tcp_stdurg`), and there is
one urgent byte at a time: `urg_seq` says where it lies in the stream, `urg_data` how far it is.
Reading stops in front of it, and the mark can be asked for with SIOCATMARK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import EPOLLPRI, RCV_SHUTDOWN, TCP_CLOSE, MsgHdr
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock, after, before
from pyhost.uapi.errno import EAGAIN, EFAULT, EINVAL, ENOTCONN
from pyhost.uapi.socket import MSG_OOB, MSG_PEEK, MSG_TRUNC
from pyhost.uapi.tcp import TCP_SYN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "TCP_URG_NOTYET",
    "TCP_URG_READ",
    "TCP_URG_VALID",
    "tcp_at_mark",
    "tcp_recv_urg",
    "tcp_urg",
]

TCP_URG_VALID = 0x0100
TCP_URG_NOTYET = 0x0200
TCP_URG_READ = 0x0400


def tcp_urg(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> None:
    """A segment with URG, its header still on: note the pointer, and take the byte if it is here.

    Linux: tcp_urg.
    """
    _check_urg(sk, cb)
    if sk.urg_data != TCP_URG_NOTYET:
        return
    size = cb.off_flags >> 12 << 2
    offset = (sk.urg_seq - cb.seq & 0xFFFFFFFF) + size - bool(cb.flags & TCP_SYN)
    if offset < skb.len:
        sk.urg_data = TCP_URG_VALID | skb.copy_bits(offset, 1)[0]
        if not sk.sock_dead:
            sk.sk_data_ready(sk)


def _check_urg(sk: TcpSock, cb: TcpSkbCb) -> None:
    """Linux: tcp_check_urg."""
    pointer = cb.urg_ptr
    if pointer and not sk.net.tcp.stdurg:
        pointer -= 1
    pointer = pointer + cb.seq & 0xFFFFFFFF
    if after(sk.copied_seq, pointer) or before(pointer, sk.rcv_nxt):
        return
    if sk.urg_data and not after(pointer, sk.urg_seq):
        return
    sk.sk_wq.wake_up_all(EPOLLPRI)
    # The last mark is skipped when it was read up to, and nothing lies behind it.
    if (
        sk.urg_seq == sk.copied_seq
        and sk.urg_data
        and not sk.urginline
        and sk.copied_seq != sk.rcv_nxt
    ):
        sk.copied_seq = sk.copied_seq + 1 & 0xFFFFFFFF
    sk.urg_data = TCP_URG_NOTYET
    sk.urg_seq = pointer
    sk.pred_off_flags = 0


def tcp_at_mark(sk: TcpSock) -> bool:
    """Whether the next byte to read is the urgent one. Linux: tcp_ioctl SIOCATMARK."""
    return bool(sk.urg_data) and sk.urg_seq == sk.copied_seq


def tcp_recv_urg(sk: TcpSock, msg: MsgHdr, size: int, flags: int) -> int:
    """MSG_OOB: the urgent byte. -EINVAL when there is none or it was read, -EAGAIN when it is to
    come. The socket is locked. Linux: tcp_recv_urg.
    """
    if sk.urginline or not sk.urg_data or sk.urg_data == TCP_URG_READ:
        return -EINVAL
    if sk.sk_state == TCP_CLOSE and not sk.sock_done:
        return -ENOTCONN
    if sk.urg_data & TCP_URG_VALID:
        byte = sk.urg_data & 0xFF
        if not flags & MSG_PEEK:
            sk.urg_data = TCP_URG_READ
        msg.flags |= MSG_OOB
        if not size:
            msg.flags |= MSG_TRUNC
            return 0
        return 1 if flags & MSG_TRUNC or _copy_byte(sk, msg, byte) else -EFAULT
    if sk.sk_state == TCP_CLOSE or sk.sk_shutdown & RCV_SHUTDOWN:
        return 0
    return -EAGAIN


def _copy_byte(sk: TcpSock, msg: MsgHdr, byte: int) -> bool:
    """Give one byte to the reader, by way of the socket's scratch page."""
    frag = sk.frag
    if not frag.refill(1) or frag.page is None:
        return False
    addr = frag.page.addr + frag.offset
    sk.net.kernel.mem.buf[addr] = byte
    return msg.iter.copy_to_iter(addr, 1) == 1
