"""The socket system calls, but for those that carry data. Linux: net/socket.c.

Each finds the socket, brings its arguments in from user memory, asks the security hook, and calls
`sock.ops`. Sending and receiving are in socket_messages.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import fget, fput, receive_fd
from pyhost.fs.open import files_of
from pyhost.fs.read_write import user_mm
from pyhost.net.core.sockopt import sock_getsockopt, sock_setsockopt
from pyhost.net.socket import (
    Socket,
    sock_alloc,
    sock_alloc_file,
    sock_create,
    sock_from_file,
    sock_release,
    sockfd_lookup,
)
from pyhost.net.socket_addr import move_addr_to_kernel, move_addr_to_user
from pyhost.security.hooks import (
    security_socket_accept,
    security_socket_bind,
    security_socket_connect,
    security_socket_listen,
)
from pyhost.uapi.errno import (
    EBADF,
    ECONNABORTED,
    EFAULT,
    EINVAL,
    ENOTSOCK,
)
from pyhost.uapi.socket import (
    INT,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_TYPE_MASK,
    SOL_SOCKET,
)

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task


def _put(sock: Socket) -> None:
    """Linux: fput_light(sock->file)."""
    assert sock.file is not None
    fput(sock.file)


# -- making -----------------------------------------------------------------------------------


def sys_socket(task: Task, family: int, sock_type: int, protocol: int) -> int:
    """socket(2). Linux: __sys_socket, sock_map_fd."""
    flags = sock_type & ~SOCK_TYPE_MASK
    if flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        return -EINVAL
    net = task.sched.kernel.net
    sock = sock_create(net, family, sock_type & SOCK_TYPE_MASK, protocol)
    if isinstance(sock, int):
        return sock
    return receive_fd(files_of(task), sock_alloc_file(sock, flags), flags)


def sys_socketpair(task: Task, family: int, sock_type: int, protocol: int, usockvec: int) -> int:
    """socketpair(2). Linux: __sys_socketpair."""
    flags = sock_type & ~SOCK_TYPE_MASK
    if flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        return -EINVAL
    pair = _create_pair(task, family, sock_type & SOCK_TYPE_MASK, protocol)
    if isinstance(pair, int):
        return pair
    files = files_of(task)
    fds = [receive_fd(files, sock_alloc_file(sock, flags), flags) for sock in pair]
    err = min(fds)
    if err >= 0:
        if user_mm(task).put_user(usockvec, INT.pack(fds[0]) + INT.pack(fds[1])):
            return 0
        err = -EFAULT
    for fd in fds:
        files.close_fd(fd)
    return err


def _create_pair(
    task: Task, family: int, sock_type: int, protocol: int
) -> tuple[Socket, Socket] | int:
    net = task.sched.kernel.net
    first = sock_create(net, family, sock_type, protocol)
    if isinstance(first, int):
        return first
    second = sock_create(net, family, sock_type, protocol)
    if isinstance(second, int):
        sock_release(first)
        return second
    err = first.ops.socketpair(first, second)
    if err:
        sock_release(first)
        sock_release(second)
        return err
    return first, second


# -- names and connections --------------------------------------------------------------------


def sys_bind(task: Task, fd: int, uaddr: int, addrlen: int) -> int:
    """bind(2). Linux: __sys_bind."""
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        addr = move_addr_to_kernel(user_mm(task), uaddr, addrlen)
        if isinstance(addr, int):
            return addr
        return security_socket_bind(sock, addr) or sock.ops.bind(sock, addr)
    finally:
        _put(sock)


def sys_listen(task: Task, fd: int, backlog: int) -> int:
    """listen(2): a backlog that is negative or above somaxconn is somaxconn.

    Linux: __sys_listen.
    """
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        somaxconn = sock.net.softnet.somaxconn
        if not 0 <= backlog <= somaxconn:
            backlog = somaxconn
        return security_socket_listen(sock) or sock.ops.listen(sock, backlog)
    finally:
        _put(sock)


def sys_connect(task: Task, fd: int, uaddr: int, addrlen: int) -> int:
    """connect(2). Linux: __sys_connect."""
    file = fget(task, fd)
    if file is None:
        return -EBADF
    try:
        addr = move_addr_to_kernel(user_mm(task), uaddr, addrlen)
        if isinstance(addr, int):
            return addr
        sock = sock_from_file(file)
        if sock is None:
            return -ENOTSOCK
        return security_socket_connect(sock, addr) or sock.ops.connect(sock, addr, file.f_flags)
    finally:
        fput(file)


def sys_accept4(task: Task, fd: int, uaddr: int, ulen: int, flags: int) -> int:
    """accept4(2): the descriptor is reserved before the wait. Linux: __sys_accept4, do_accept."""
    if flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        return -EINVAL
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    files = files_of(task)
    newfd = files.get_unused_fd_flags(flags)
    try:
        if newfd < 0:
            return newfd
        newsock = _do_accept(task, sock, uaddr, ulen)
        if isinstance(newsock, int):
            return newsock
        files.fd_install(newfd, sock_alloc_file(newsock, flags))
        return newfd
    finally:
        if newfd >= 0 and newfd not in files.fds:
            files.put_unused_fd(newfd)
        _put(sock)


def _do_accept(task: Task, sock: Socket, uaddr: int, ulen: int) -> Socket | int:
    newsock = sock_alloc(sock.net, sock.type)
    newsock.ops = sock.ops
    assert sock.file is not None
    err = security_socket_accept(sock)
    if not err:
        err = sock.ops.accept(sock, newsock, sock.file.f_flags)
    if not err and uaddr:
        name = newsock.ops.getname(newsock, 2)
        if isinstance(name, int):
            err = -ECONNABORTED
        else:
            err = move_addr_to_user(user_mm(task), name, uaddr, ulen)
    if err:
        sock_release(newsock)
        return err
    return newsock


def sys_getsockname(task: Task, fd: int, uaddr: int, ulen: int) -> int:
    """getsockname(2). Linux: __sys_getsockname."""
    return _get_name(task, fd, uaddr, ulen, 0)


def sys_getpeername(task: Task, fd: int, uaddr: int, ulen: int) -> int:
    """getpeername(2). Linux: __sys_getpeername."""
    return _get_name(task, fd, uaddr, ulen, 1)


def _get_name(task: Task, fd: int, uaddr: int, ulen: int, peer: int) -> int:
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        name = sock.ops.getname(sock, peer)
        if isinstance(name, int):
            return name
        return move_addr_to_user(user_mm(task), name, uaddr, ulen)
    finally:
        _put(sock)


def sys_shutdown(task: Task, fd: int, how: int) -> int:
    """shutdown(2). Linux: __sys_shutdown."""
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        return sock.ops.shutdown(sock, how)
    finally:
        _put(sock)


# -- options ----------------------------------------------------------------------------------


def sys_setsockopt(task: Task, fd: int, level: int, optname: int, uval: int, optlen: int) -> int:
    """setsockopt(2). Linux: __sys_setsockopt."""
    if optlen < 0:
        return -EINVAL
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    try:
        value = user_mm(task).get_user(uval, optlen)
        if value is None:
            return -EFAULT
        if level == SOL_SOCKET:
            return sock_setsockopt(sock.sk, optname, value)
        return sock.ops.setsockopt(sock, level, optname, value)
    finally:
        _put(sock)


def sys_getsockopt(task: Task, fd: int, level: int, optname: int, uval: int, ulen: int) -> int:
    """getsockopt(2): stores as much of the value as there is room for. Linux: __sys_getsockopt."""
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    mm = user_mm(task)
    try:
        raw = mm.get_user(ulen, INT.size)
        if raw is None:
            return -EFAULT
        room: int = INT.unpack(raw)[0]
        if room < 0:
            return -EINVAL
        value: bytes | int
        if level == SOL_SOCKET:
            value = sock_getsockopt(sock, optname, room)
        else:
            value = sock.ops.getsockopt(sock, level, optname, room)
        if isinstance(value, int):
            return value
        value = value[:room]
        stored = mm.put_user(uval, value) and mm.put_user(ulen, INT.pack(len(value)))
        return 0 if stored else -EFAULT
    finally:
        _put(sock)
