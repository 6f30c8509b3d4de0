"""The system calls that send and receive messages. Linux: net/socket.c.

`sendmmsg` and `recvmmsg` are in socket_mmsg.py; they share `send_user_msg` and `receive_user_msg`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import fput
from pyhost.fs.read_write import import_iovec, import_ubuf, user_mm
from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE
from pyhost.net.core.sock import MsgHdr
from pyhost.net.socket import Socket, sock_recvmsg, sock_sendmsg, sockfd_lookup
from pyhost.net.socket_addr import move_addr_to_kernel, move_addr_to_user
from pyhost.uapi.errno import EFAULT, EINVAL, EMSGSIZE, ENOBUFS
from pyhost.uapi.fcntl import O_NONBLOCK
from pyhost.uapi.socket import (
    INT,
    MSG_CTRUNC,
    MSG_DONTWAIT,
    MSG_INTERNAL_SENDMSG_FLAGS,
    MSGHDR,
    SOCKADDR_STORAGE_SIZE,
)

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task
    from pyhost.mm.mmap import MmStruct

__all__ = [
    "receive_user_msg", "send_user_msg", "sys_recvfrom", "sys_recvmsg", "sys_sendmsg", "sys_sendto",
]  # fmt: skip

INT_MAX = 0x7FFFFFFF
MSGHDR_NAMELEN = 8
MSGHDR_CONTROLLEN = 40
MSGHDR_FLAGS = 48
"""Offsets in struct user_msghdr of what recvmsg stores."""


def _put(sock: Socket) -> None:
    """Linux: fput_light(sock->file)."""
    assert sock.file is not None
    fput(sock.file)


# -- sending ----------------------------------------------------------------------------------


def _nonblock(sock: Socket) -> int:
    assert sock.file is not None
    return MSG_DONTWAIT if sock.file.f_flags & O_NONBLOCK else 0


def sys_sendto(
    task: Task, fd: int, buf: int, size: int, flags: int, uaddr: int, addrlen: int
) -> int:
    """sendto(2), and send(2) with no address.

    Linux: __sys_sendto; errors in this order: EFAULT, EBADF, ENOTSOCK, the address.
    """
    mm = user_mm(task)
    source = import_ubuf(ITER_SOURCE, mm, buf, size)
    if isinstance(source, int):
        return source
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        msg = MsgHdr(source, flags & ~MSG_INTERNAL_SENDMSG_FLAGS | _nonblock(sock))
        if uaddr:
            name = move_addr_to_kernel(mm, uaddr, addrlen)
            if isinstance(name, int):
                return name
            msg.name = name
        return sock_sendmsg(sock, msg)
    finally:
        _put(sock)


def sys_sendmsg(task: Task, fd: int, umsg: int, flags: int) -> int:
    """sendmsg(2). Linux: __sys_sendmsg."""
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        sent = send_user_msg(user_mm(task), sock, umsg, flags)
        return sent if isinstance(sent, int) else sent[0]
    finally:
        _put(sock)


def send_user_msg(
    mm: MmStruct, sock: Socket, umsg: int, flags: int, allowed: int = 0
) -> tuple[int, int] | int:
    """Send the message of a struct user_msghdr: (bytes sent, bytes left), or a negative errno.

    Of the flags in the structure those in `allowed` count. Linux: ___sys_sendmsg, ____sys_sendmsg.
    """
    msg = _import_msghdr(mm, umsg, ITER_SOURCE)
    if isinstance(msg, int):
        return msg
    flags |= msg.flags & allowed
    msg.flags = flags & ~MSG_INTERNAL_SENDMSG_FLAGS | _nonblock(sock)
    sent = sock_sendmsg(sock, msg)
    return sent if sent < 0 else (sent, msg.iter.count)


def _import_msghdr(mm: MmStruct, umsg: int, direction: int) -> MsgHdr | int:
    """A struct user_msghdr; for a send also the name and the control messages.

    Linux: copy_msghdr_from_user, import_iovec.
    """
    raw = mm.get_user(umsg, MSGHDR.size)
    if raw is None:
        return -EFAULT
    uname, namelen, uvec, nr_segs, ucontrol, controllen, flags = MSGHDR.unpack(raw)
    if uname and namelen > INT_MAX:
        return -EINVAL
    sending = direction == ITER_SOURCE
    name = None
    if sending and uname and namelen:
        addr = move_addr_to_kernel(mm, uname, min(namelen, SOCKADDR_STORAGE_SIZE))
        if isinstance(addr, int):
            return addr
        name = addr
    vector = import_iovec(direction, mm, uvec, nr_segs, too_many=EMSGSIZE)
    if isinstance(vector, int):
        return vector
    if not sending:
        msg = MsgHdr(vector, flags)
        msg.controllen = controllen if ucontrol else 0
        return msg
    if controllen > INT_MAX:
        return -ENOBUFS
    control = mm.get_user(ucontrol, controllen)
    return -EFAULT if control is None else MsgHdr(vector, flags, name, control)


# -- receiving --------------------------------------------------------------------------------


def sys_recvfrom(
    task: Task, fd: int, buf: int, size: int, flags: int, uaddr: int, ulen: int
) -> int:
    """recvfrom(2), and recv(2) with no address. Linux: __sys_recvfrom."""
    mm = user_mm(task)
    to = import_ubuf(ITER_DEST, mm, buf, size)
    if isinstance(to, int):
        return to
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        msg = MsgHdr(to)
        ret = sock_recvmsg(sock, msg, flags | _nonblock(sock))
        if ret >= 0 and uaddr:
            err = move_addr_to_user(mm, msg.name or b"", uaddr, ulen)
            return err or ret
        return ret
    finally:
        _put(sock)


def sys_recvmsg(task: Task, fd: int, umsg: int, flags: int) -> int:
    """recvmsg(2): also stores the sender's name, control messages and MSG_* flags.

    Linux: __sys_recvmsg.
    """
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        got = receive_user_msg(user_mm(task), sock, umsg, flags)
        return got if isinstance(got, int) else got[0]
    finally:
        _put(sock)


def receive_user_msg(mm: MmStruct, sock: Socket, umsg: int, flags: int) -> tuple[int, int] | int:
    """Receive into a struct user_msghdr: (bytes, MSG_* flags of the message), or a negative errno.

    Linux: ___sys_recvmsg, ____sys_recvmsg.
    """
    msg = _import_msghdr(mm, umsg, ITER_DEST)
    if isinstance(msg, int):
        return msg
    msg.flags = 0
    got = sock_recvmsg(sock, msg, flags | _nonblock(sock))
    if got >= 0:
        got = _export_msghdr(mm, umsg, msg) or got
    return got if got < 0 else (got, msg.flags)


def _export_msghdr(mm: MmStruct, umsg: int, msg: MsgHdr) -> int:
    """Store what a receive says beside the data; MSG_CTRUNC when control messages do not fit."""
    raw = mm.get_user(umsg, MSGHDR.size)
    if raw is None:
        return -EFAULT
    uname, _, _, _, ucontrol, controllen, _ = MSGHDR.unpack(raw)
    if uname:
        err = move_addr_to_user(mm, msg.name or b"", uname, umsg + MSGHDR_NAMELEN)
        if err:
            return err
    control = msg.control[:controllen]
    if len(control) < len(msg.control):
        msg.flags |= MSG_CTRUNC
    stored = (
        mm.put_user(ucontrol, control)
        and mm.put_user(umsg + MSGHDR_CONTROLLEN, len(control).to_bytes(8, "little"))
        and mm.put_user(umsg + MSGHDR_FLAGS, INT.pack(msg.flags & INT_MAX))
    )
    return 0 if stored else -EFAULT
