"""From a TCP socket into a pipe. Linux: net/ipv4/tcp.c (tcp_splice_read, tcp_read_sock).

Linux hands over the pages that the driver received into. Here a received frame lies in the head of
its skb, which is no page of its own, so its payload is copied once, into pages for the pipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.memory import PAGE_SIZE
from pyhost.net.core.skbuff import consume_skb
from pyhost.net.core.sock import RCV_SHUTDOWN, TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.tcp.input.tcp_rcv_rtt import tcp_rcv_space_adjust
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.ipv4.tcp.user.tcp_recvmsg import sk_wait_data, tcp_cleanup_rbuf
from pyhost.uapi.errno import EAGAIN, ENOMEM, ENOTCONN, ESPIPE
from pyhost.uapi.fcntl import O_NONBLOCK
from pyhost.uapi.tcp import TCP_FIN

if TYPE_CHECKING:
    from pyhost.fs.file import File
    from pyhost.fs.pipe import PipeInode
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.socket import Socket

__all__ = ["tcp_splice_read"]


def tcp_splice_read(sock: Socket, file: File, pos: int, pipe: PipeInode, size: int) -> int:
    """Move up to `size` bytes into the pipe: the number, 0 at the end of the stream.

    -ESPIPE, -EAGAIN, -ENOTCONN, the socket's error. Linux: tcp_splice_read.
    """
    if pos:
        return -ESPIPE
    sk: TcpSock = sock.sk
    sk.lock_sock()
    try:
        return _splice(sk, pipe, size, sk.rcvtimeo(bool(file.f_flags & O_NONBLOCK)))
    finally:
        sk.release_sock()


def _splice(sk: TcpSock, pipe: PipeInode, size: int, timeo: int | None) -> int:
    spliced = 0
    while spliced < size:
        ret = _read_sock(sk, pipe, size - spliced)
        if ret < 0:
            return spliced or ret
        if not ret:
            stop = spliced if spliced else _nothing_to_read(sk, timeo)
            if stop is not None:
                return stop
            timeo, interrupted = sk_wait_data(sk, timeo)
            if interrupted:
                return interrupted
            continue
        spliced += ret
        if timeo == 0 or sk.sk_err or sk.sk_state == TCP_CLOSE or sk.sk_shutdown & RCV_SHUTDOWN:
            break
        sk.flush_backlog()
    return spliced


def _nothing_to_read(sk: TcpSock, timeo: int | None) -> int | None:
    """What to return when there is nothing, or None to wait. In front of urgent data there is
    something, which cannot be spliced: then waiting would not end.
    """
    if sk.sock_done:
        return 0
    if sk.sk_err:
        return sk.sock_error()
    if sk.sk_shutdown & RCV_SHUTDOWN:
        return 0
    if sk.sk_state == TCP_CLOSE:
        return -ENOTCONN
    if timeo == 0:
        return -EAGAIN
    return 0 if sk.sk_receive_queue else None


def _read_sock(sk: TcpSock, pipe: PipeInode, size: int) -> int:
    """Give what is queued to the pipe: bytes taken or a negative errno. Linux: tcp_read_sock."""
    if sk.sk_state == TCP_LISTEN:
        return -ENOTCONN
    queue = sk.sk_receive_queue
    copied = 0
    err = 0
    while queue:
        skb = queue[0]
        offset = sk.copied_seq - skb.cb.seq & 0xFFFFFFFF
        if offset < skb.len:
            length = min(skb.len - offset, size - copied)
            if sk.urg_data:
                length = min(length, sk.urg_seq - sk.copied_seq & 0xFFFFFFFF)
            used = _to_pipe(sk, pipe, skb, offset, length) if length else 0
            if used <= 0:
                err = used
                break
            copied += used
            sk.copied_seq = sk.copied_seq + used & 0xFFFFFFFF
            if offset + used < skb.len:
                continue
        fin = skb.cb.flags & TCP_FIN
        if fin:
            sk.copied_seq = sk.copied_seq + 1 & 0xFFFFFFFF
        consume_skb(queue.popleft())
        if fin:
            break
    tcp_rcv_space_adjust(sk)
    if copied:
        tcp_cleanup_rbuf(sk, copied)
    return copied or err


def _to_pipe(sk: TcpSock, pipe: PipeInode, skb: SkBuff, offset: int, length: int) -> int:
    """Copy a piece of a segment into a new page of the pipe: bytes, 0 when the pipe is full."""
    if pipe.full:
        return 0
    memory = sk.net.kernel.mem
    try:
        page = memory.alloc_pages()
    except MemoryError:
        return -ENOMEM
    data = skb.copy_bits(offset, min(length, PAGE_SIZE))
    memory.buf[page.addr : page.addr + len(data)] = data
    pipe.push(page, 0, len(data))
    return len(data)
