"""struct socket: the file side of a socket. Linux: include/linux/net.h, net/socket.c.

    fd ─→ File ──private_data──→ Socket ──sk──→ Sock (TcpSock, UdpSock, PacketSock)
            │ f_op                 │ ops          │ sk_prot
            ▼                      ▼              ▼
      socket_file_ops        inet_stream_ops   tcp_prot

The system calls are in `pyhost/net/socket_syscalls.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pyhost.fs.file import (
    IOCB_NOWAIT,
    File,
    FileOperations,
    Inode,
    Kiocb,
    alloc_file,
    fget,
    fput,
    stream_open,
)
from pyhost.fs.poll import PollTable, poll_wait
from pyhost.fs.splice import copy_splice_read, splice_from_pipe_bvecs
from pyhost.net.core.dev_ioctl import dev_ioctl
from pyhost.net.core.sock import MsgHdr, Sock
from pyhost.security.hooks import (
    security_socket_create,
    security_socket_recvmsg,
    security_socket_sendmsg,
)
from pyhost.uapi.errno import (
    EAFNOSUPPORT,
    EBADF,
    EFAULT,
    EINVAL,
    ENOTSOCK,
    ENOTTY,
    EOPNOTSUPP,
    ESPIPE,
)
from pyhost.uapi.fcntl import O_NONBLOCK, O_RDWR, SPLICE_F_MORE
from pyhost.uapi.socket import (
    INT,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_MORE,
    MSG_SPLICE_PAGES,
    NPROTO,
    SOCK_MAX,
    SOCK_SEQPACKET,
)
from pyhost.uapi.sockios import SIOCGIFCONF
from pyhost.uapi.stat import S_IFSOCK

if TYPE_CHECKING:
    from pyhost.fs.pipe import PipeInode
    from pyhost.kernel.sched import Task
    from pyhost.mm.iov_iter import IovIter
    from pyhost.mm.mmap import MmStruct
    from pyhost.net.net_namespace import Net

__all__ = [
    "SS_CONNECTED", "SS_CONNECTING", "SS_DISCONNECTING", "SS_FREE", "SS_UNCONNECTED", "IfIoctl",
    "ProtoOps", "Socket", "sock_alloc", "sock_alloc_file", "sock_create", "sock_from_file",
    "sock_graft", "sock_init_data", "sock_no_accept", "sock_no_connect",
    "sock_no_listen", "sock_no_shutdown", "sock_no_socketpair", "sock_poll_wait",
    "sock_recvmsg", "sock_release", "sock_sendmsg", "socket_file_ops", "sockfd_lookup",
]  # fmt: skip

SS_FREE = 0
SS_UNCONNECTED = 1
SS_CONNECTING = 2
SS_CONNECTED = 3
SS_DISCONNECTING = 4


class IfIoctl(NamedTuple):
    """The ioctls by which a family tells the addresses of interfaces: `commands` answer a struct
    ifreq with `call(net, cmd, ifreq)`, `ifconf(net, mm, arg)` is SIOCGIFCONF.
    """

    commands: frozenset[int]
    call: Callable[[Net, int, bytes], bytes | int]
    ifconf: Callable[[Net, MmStruct, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtoOps:
    """What the BSD socket calls do for one kind of socket. Linux: struct proto_ops.

    All return 0 or a positive result, or a negative errno. `connect` and `accept` get the file's
    O_* flags (O_NONBLOCK), `sendmsg` and `recvmsg` MSG_* flags. A sockaddr is raw bytes.
    `accept(sock, newsock, flags)` fills `newsock`. `getname`'s second argument is 0 for the local
    name, 1 for the peer's, 2 for the peer's even when the connection is over. `setsockopt` and
    `getsockopt` see every level but SOL_SOCKET. `recvmsg` leaves the sender's sockaddr in
    `msg.name` and control messages in `msg.control`. `ioctl` returns the number that
    the program gets.
    """

    family: int
    release: Callable[[Socket], int]
    bind: Callable[[Socket, bytes], int]
    connect: Callable[[Socket, bytes, int], int]
    socketpair: Callable[[Socket, Socket], int]
    accept: Callable[[Socket, Socket, int], int]
    getname: Callable[[Socket, int], bytes | int]
    poll: Callable[[Socket, PollTable | None], int]
    listen: Callable[[Socket, int], int]
    shutdown: Callable[[Socket, int], int]
    setsockopt: Callable[[Socket, int, int, bytes], int]
    getsockopt: Callable[[Socket, int, int, int], bytes | int]
    sendmsg: Callable[[Socket, MsgHdr, int], int]
    recvmsg: Callable[[Socket, MsgHdr, int, int], int]
    splice_eof: Callable[[Socket], None] | None = None
    splice_read: Callable[[Socket, File, int, PipeInode, int], int] | None = None
    ioctl: Callable[[Socket, int], int] | None = None
    if_ioctl: IfIoctl | None = None
    set_rcvlowat: Callable[[Any, int], int] | None = None


class Socket:
    """Linux: struct socket.

    `state` is SS_*, `type` SOCK_*; `ops` and `sk` are set by the family's create function.
    """

    __slots__ = ("file", "flags", "net", "ops", "sk", "state", "type")

    ops: ProtoOps
    sk: Any

    def __init__(self, net: Net, sock_type: int) -> None:
        self.net = net
        self.state = SS_UNCONNECTED
        self.type = sock_type
        self.flags = 0
        self.file: File | None = None
        self.sk = None

    def __repr__(self) -> str:
        return f"<Socket type {self.type} state {self.state}>"


# -- making and ending ------------------------------------------------------------------------


def sock_alloc(net: Net, sock_type: int) -> Socket:
    """A socket without protocol. Linux: sock_alloc."""
    return Socket(net, sock_type)


def sock_init_data(sock: Socket, sk: Sock) -> None:
    """Join a socket and its new sock. Linux: net/core/sock.c sock_init_data."""
    sock.sk = sk
    sk.sk_socket = sock


def sock_graft(sk: Sock, sock: Socket) -> None:
    """Give a sock that was made by the protocol (an accepted connection) its socket.

    Linux: sock_graft.
    """
    sk.sock_dead = False
    sock_init_data(sock, sk)


def sock_create(net: Net, family: int, sock_type: int, protocol: int) -> Socket | int:
    """A socket of `family`, or a negative errno. Linux: __sock_create.

    EAFNOSUPPORT: no such family; EINVAL: no such type; what the security hook and the family say.
    """
    if not 0 <= family < NPROTO:
        return -EAFNOSUPPORT
    if not 0 <= sock_type < SOCK_MAX:
        return -EINVAL
    err = security_socket_create(net, family, sock_type, protocol)
    if err:
        return err
    create = net.families.get(family)
    if create is None:
        return -EAFNOSUPPORT
    sock = sock_alloc(net, sock_type)
    err = create(net, sock, protocol)
    return err or sock


def sock_alloc_file(sock: Socket, flags: int) -> File:
    """The file of a socket; it has no position. Linux: sock_alloc_file."""
    inode = Inode(sock.net.kernel.rootfs.get_next_ino(), S_IFSOCK | 0o777)
    file = alloc_file(inode, socket_file_ops, O_RDWR | (flags & O_NONBLOCK))
    file.private_data = sock
    sock.file = file
    stream_open(file)
    return file


def sock_release(sock: Socket) -> None:
    """End a socket; may sleep. Linux: __sock_release."""
    if sock.sk is not None:
        sock.ops.release(sock)
    sock.state = SS_FREE
    sock.file = None


def sock_from_file(file: File) -> Socket | None:
    """The socket of a file, None when it is something else. Linux: sock_from_file."""
    return file.private_data if file.f_op is socket_file_ops else None


def sockfd_lookup(task: Task, fd: int) -> Socket | int:
    """The socket behind a descriptor, its file referenced: `fput(sock.file)` it. -EBADF, -ENOTSOCK.

    Linux: sockfd_lookup_light.
    """
    file = fget(task, fd)
    if file is None:
        return -EBADF
    if file.f_op is not socket_file_ops:
        fput(file)
        return -ENOTSOCK
    sock: Socket = file.private_data
    return sock


# -- messages ---------------------------------------------------------------------------------


def sock_sendmsg(sock: Socket, msg: MsgHdr) -> int:
    """Send whatever the protocol: the security hook, then `sock.ops.sendmsg`.

    Linux: __sock_sendmsg, sock_sendmsg_nosec.
    """
    size = msg.iter.count
    err = security_socket_sendmsg(sock, msg, size)
    if err:
        return err
    trace = sock.net.kernel.trace
    if trace.on:
        trace.hit("sock_sendmsg", 0, size=size, flags=msg.flags)
    return sock.ops.sendmsg(sock, msg, size)


def sock_recvmsg(sock: Socket, msg: MsgHdr, flags: int) -> int:
    """Receive whatever the protocol. Linux: sock_recvmsg."""
    size = msg.iter.count
    return security_socket_recvmsg(sock, msg, size, flags) or sock.ops.recvmsg(
        sock, msg, size, flags
    )


# -- socket_file_ops --------------------------------------------------------------------------


def _nonblock(iocb: Kiocb) -> int:
    if iocb.ki_filp.f_flags & O_NONBLOCK or iocb.ki_flags & IOCB_NOWAIT:
        return MSG_DONTWAIT
    return 0


def sock_write_iter(iocb: Kiocb, source: IovIter) -> int:
    """write() on a socket. Linux: sock_write_iter. A write cannot ask for MSG_NOSIGNAL."""
    if iocb.ki_pos:
        return -ESPIPE
    sock: Socket = iocb.ki_filp.private_data
    flags = _nonblock(iocb)
    if sock.type == SOCK_SEQPACKET:
        flags |= MSG_EOR
    return sock_sendmsg(sock, MsgHdr(source, flags))


def sock_read_iter(iocb: Kiocb, to: IovIter) -> int:
    """read() on a socket; reading no byte is no receive. Linux: sock_read_iter."""
    if iocb.ki_pos:
        return -ESPIPE
    if not to.count:
        return 0
    flags = _nonblock(iocb)
    return sock_recvmsg(iocb.ki_filp.private_data, MsgHdr(to, flags), flags)


def sock_poll(file: File, pt: PollTable | None) -> int:
    """Linux: sock_poll."""
    sock: Socket = file.private_data
    return sock.ops.poll(sock, pt)


def sock_poll_wait(sock: Socket, pt: PollTable | None) -> None:
    """For a protocol's poll: announce changes on the sock's wait queue. Linux: sock_poll_wait."""
    if pt is not None and sock.file is not None:
        poll_wait(sock.file, sock.sk.sk_wq, pt)


def sock_close(file: File) -> None:
    """The last reference to a socket's file is gone. Linux: sock_close."""
    sock_release(file.private_data)


def splice_to_socket(pipe: PipeInode, file: File, _pos: int, size: int, flags: int) -> int:
    """Send the pages that wait in a pipe, by reference. Linux: fs/splice.c splice_to_socket."""
    sock: Socket = file.private_data

    def send(source: IovIter, more: bool) -> int:
        msg_flags = MSG_SPLICE_PAGES
        if flags & SPLICE_F_MORE or more:
            msg_flags |= MSG_MORE
        if file.f_flags & O_NONBLOCK:
            msg_flags |= MSG_DONTWAIT
        return sock_sendmsg(sock, MsgHdr(source, msg_flags))

    return splice_from_pipe_bvecs(pipe, size, flags, send)


def sock_splice_eof(file: File) -> None:
    """What was spliced under MSG_MORE is complete: push it. Linux: sock_splice_eof."""
    sock: Socket = file.private_data
    if sock.ops.splice_eof is not None:
        sock.ops.splice_eof(sock)


def sock_splice_read(file: File, pos: int, pipe: PipeInode, size: int, flags: int) -> int:
    """splice() from a socket. Linux: sock_splice_read."""
    sock: Socket = file.private_data
    if sock.ops.splice_read is None:
        return copy_splice_read(file, pos, pipe, size, flags)
    return sock.ops.splice_read(sock, file, pos, pipe, size)


def sock_ioctl(task: Task, file: File, cmd: int, arg: int) -> int:
    """ioctl() on a socket: the protocol's, then those about interfaces; 0, -ENOTTY, -EFAULT, what
    the protocol says. Linux: sock_ioctl, sock_do_ioctl.
    """
    sock: Socket = file.private_data
    assert task.process is not None
    mm = task.process.mm
    if cmd == SIOCGIFCONF and sock.ops.if_ioctl is not None:
        return sock.ops.if_ioctl.ifconf(sock.net, mm, arg)
    answer = -ENOTTY if sock.ops.ioctl is None else sock.ops.ioctl(sock, cmd)
    if answer == -ENOTTY:
        return dev_ioctl(mm, sock, cmd, arg)
    if answer < 0:
        return answer
    return 0 if mm.put_user(arg, INT.pack(answer)) else -EFAULT


socket_file_ops = FileOperations(
    name="socket",
    release=sock_close,
    read_iter=sock_read_iter,
    write_iter=sock_write_iter,
    poll=sock_poll,
    splice_read=sock_splice_read,
    splice_write=splice_to_socket,
    unlocked_ioctl=sock_ioctl,
    splice_eof=sock_splice_eof,
)


# -- calls a kind of socket does not have (net/core/sock.c) -----------------------------------


def sock_no_connect(_sock: Socket, _addr: bytes, _flags: int) -> int:
    """Linux: sock_no_connect."""
    return -EOPNOTSUPP


def sock_no_socketpair(_sock1: Socket, _sock2: Socket) -> int:
    """Linux: sock_no_socketpair."""
    return -EOPNOTSUPP


def sock_no_accept(_sock: Socket, _newsock: Socket, _flags: int) -> int:
    """Linux: sock_no_accept."""
    return -EOPNOTSUPP


def sock_no_listen(_sock: Socket, _backlog: int) -> int:
    """Linux: sock_no_listen."""
    return -EOPNOTSUPP


def sock_no_shutdown(_sock: Socket, _how: int) -> int:
    """Linux: sock_no_shutdown."""
    return -EOPNOTSUPP
