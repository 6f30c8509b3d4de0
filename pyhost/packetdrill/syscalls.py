"""The system calls that a script may make, by name."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.invocation import Invocation
from pyhost.packetdrill.msg_calls import call_recvmsg, call_sendmsg
from pyhost.packetdrill.option_calls import call_getsockopt, call_setsockopt
from pyhost.packetdrill.poll_calls import (
    call_epoll_create,
    call_epoll_ctl,
    call_epoll_wait,
    call_poll,
)
from pyhost.packetdrill.values import number, numbers, packed, single
from pyhost.uapi.socket import (
    AF_INET,
    AF_UNSPEC,
    INT,
    IPPROTO_TCP,
    SOCKADDR_IN,
    SOCKADDR_STORAGE_SIZE,
    unpack_sockaddr_in,
)

__all__ = ["SYSCALLS"]

_SOCKADDR = Struct("<H")
_IN_ADDRESS = Struct("!HI8x")
"""The family in a sockaddr, and what follows for AF_INET: port and address."""
_LOFF = Struct("<q")
"""An offset in a file: loff_t."""


# -- connections -----------------------------------------------------------------------------------


def call_socket(call: Invocation) -> None:
    """socket(..., type, protocol)."""
    call.count(3)
    domain = AF_INET if isinstance(call.arg(0), ast.Ellipsis) else call.num(0)
    protocol = call.num(2)
    fd = call.enter("socket", domain, call.num(1), protocol)
    call.check(is_fd=True)
    if fd >= 0:
        call.sockets.name_fd(number(call.spec.result), fd)
        call.sockets.opened(protocol or IPPROTO_TCP, fd)


def call_bind(call: Invocation) -> None:
    """bind(fd, ..., ...)."""
    call.count(3)
    address = _address(call, 1, call.sockets.bind_address())
    call.enter("bind", call.fd(0), call.mem.put(address), len(address))
    call.check()


def call_listen(call: Invocation) -> None:
    """listen(fd, backlog)."""
    call.count(2)
    fd = call.fd(0)
    call.enter("listen", fd, call.num(1))
    call.check()
    if call.result == 0:
        call.sockets.listening(fd)


def call_accept(call: Invocation) -> None:
    """accept(fd, ..., ...) and accept4(fd, ..., ..., flags)."""
    flags = call.num(3) if call.count(3, 4) == 4 else 0
    call.ellipsis(1)
    call.ellipsis(2)
    room = call.mem.room(SOCKADDR_STORAGE_SIZE)
    size = call.mem.put(INT.pack(SOCKADDR_STORAGE_SIZE))
    fd = call.enter("accept4", call.fd(0), room, size, flags)
    call.check(is_fd=True)
    if fd >= 0:
        _, addr, port = unpack_sockaddr_in(call.mem.get(room, SOCKADDR_IN.size))
        call.sockets.accepted(number(call.spec.result), fd, (addr, port))


def call_connect(call: Invocation) -> None:
    """connect(fd, ..., ...), or with AF_UNSPEC to disconnect."""
    call.count(3)
    fd = call.fd(0)
    address = _destination(call, fd, 1)
    call.enter("connect", fd, call.mem.put(address), len(address))
    call.check()


def _destination(call: Invocation, fd: int, index: int) -> bytes:
    """The peer's address for `...`; for a number an address of that family."""
    if isinstance(call.arg(index), ast.Ellipsis):
        return call.sockets.connecting(fd)
    family = call.num(index)
    if family == AF_UNSPEC:
        call.sockets.disconnecting(fd)
    return packed(_SOCKADDR, family) + bytes(_IN_ADDRESS.size)


def _address(call: Invocation, index: int, filled: bytes) -> bytes:
    """What the script says, or `filled` for `...`."""
    expr = call.arg(index)
    if not isinstance(expr, ast.Struct):
        return filled
    port, addr = expr.get("sin_port"), expr.get("sin_addr")
    if port is None or addr is None:
        raise ScriptFailure("a sockaddr has sa_family, sin_port and sin_addr")
    return packed(_SOCKADDR, AF_INET) + packed(_IN_ADDRESS, number(port), number(addr))


# -- data ------------------------------------------------------------------------------------------


def call_read_write(call: Invocation) -> None:
    """read(fd, ..., count) and write(fd, ..., count)."""
    call.count(3)
    size = call.num(2)
    call.enter(call.spec.name, call.fd(0), call.buffer(1, size), size)
    call.check()


def call_readv_writev(call: Invocation) -> None:
    """readv(fd, [{..., n}], count) and writev."""
    call.count(3)
    call.enter(call.spec.name, call.fd(0), call.iovec(call.arg(1)), call.num(2))
    call.check()


def call_send_recv(call: Invocation) -> None:
    """send(fd, ..., count, flags) and recv: as sendto and recvfrom without an address."""
    call.count(4)
    size = call.num(2)
    name = {"send": "sendto", "recv": "recvfrom"}[call.spec.name]
    call.enter(name, call.fd(0), call.buffer(1, size), size, call.num(3), 0, 0)
    call.check()


def call_sendto(call: Invocation) -> None:
    """sendto(fd, ..., count, flags, ..., ...)."""
    call.count(6)
    fd, size = call.fd(0), call.num(2)
    address = _destination(call, fd, 4)
    where = call.mem.put(address)
    call.enter("sendto", fd, call.buffer(1, size), size, call.num(3), where, len(address))
    call.check()


def call_recvfrom(call: Invocation) -> None:
    """recvfrom(fd, ..., count, flags, ..., ...)."""
    call.count(6)
    size = call.num(2)
    room = call.mem.room(SOCKADDR_STORAGE_SIZE)
    length = call.mem.put(INT.pack(SOCKADDR_STORAGE_SIZE))
    call.enter("recvfrom", call.fd(0), call.buffer(1, size), size, call.num(3), room, length)
    call.check()


# -- descriptors and files -------------------------------------------------------------------------


def call_close(call: Invocation) -> None:
    """close(fd)."""
    call.count(1)
    call.enter("close", call.fd(0))
    call.check()
    call.sockets.forget_fd(call.num(0))


def call_shutdown(call: Invocation) -> None:
    """shutdown(fd, how)."""
    call.count(2)
    call.enter("shutdown", call.fd(0), call.num(1))
    call.check()


def call_fcntl(call: Invocation) -> None:
    """fcntl(fd, command) or fcntl(fd, command, argument)."""
    argument = call.num(2) if call.count(2, 3) == 3 else 0
    call.enter("fcntl", call.fd(0), call.num(1), argument)
    call.check()


def call_ioctl(call: Invocation) -> None:
    """ioctl(fd, command, [value]): the value is compared afterwards."""
    if call.count(2, 3) == 2:
        call.enter("ioctl", call.fd(0), call.num(1), 0)
        call.check()
        return
    expected = number(single(call.arg(2)))
    room = call.mem.room(INT.size)
    call.enter("ioctl", call.fd(0), call.num(1), room)
    call.check()
    (actual,) = INT.unpack(call.mem.get(room, INT.size))
    if actual != expected:
        raise ScriptFailure(f"Bad ioctl optval: expected: {expected} actual: {actual}")


def call_open(call: Invocation) -> None:
    """open("path", flags) or open("path", flags, mode)."""
    mode = call.num(2) if call.count(2, 3) == 3 else 0
    path = call.arg(0)
    if not isinstance(path, ast.Text):
        raise ScriptFailure("bad type: a path between quotes was expected")
    name = call.mem.put(path.value.encode() + b"\0")
    fd = call.enter("open", name, call.num(1), mode)
    call.check(is_fd=True)
    if fd >= 0:
        call.sockets.name_fd(number(call.spec.result), fd)


def call_pipe(call: Invocation) -> None:
    """pipe([fd, fd]): both are names for what the kernel returns."""
    call.count(1)
    names = numbers(call.arg(0))
    room = call.mem.room(2 * INT.size)
    call.enter("pipe2", room, 0)
    call.check()
    if call.result == 0:
        for index, name in enumerate(names):
            data = call.mem.get(room + index * INT.size, INT.size)
            call.sockets.name_fd(name, INT.unpack(data)[0])


def call_sendfile(call: Invocation) -> None:
    """sendfile(out, in, [offset], count)."""
    call.count(4)
    offset = call.mem.put(packed(_LOFF, number(single(call.arg(2)))))
    call.enter("sendfile", call.fd(0), call.fd(1), offset, call.num(3))
    call.check()


def call_splice(call: Invocation) -> None:
    """splice(in, offset, out, offset, length, flags); offsets are NULL."""
    call.count(6)
    call.enter("splice", call.fd(0), call.num(1), call.fd(2), call.num(3), call.num(4), call.num(5))
    call.check()


SYSCALLS: dict[str, Callable[[Invocation], None]] = {
    "accept": call_accept,
    "accept4": call_accept,
    "bind": call_bind,
    "close": call_close,
    "connect": call_connect,
    "epoll_create": call_epoll_create,
    "epoll_ctl": call_epoll_ctl,
    "epoll_wait": call_epoll_wait,
    "fcntl": call_fcntl,
    "getsockopt": call_getsockopt,
    "ioctl": call_ioctl,
    "listen": call_listen,
    "open": call_open,
    "pipe": call_pipe,
    "poll": call_poll,
    "read": call_read_write,
    "readv": call_readv_writev,
    "recv": call_send_recv,
    "recvfrom": call_recvfrom,
    "recvmsg": call_recvmsg,
    "send": call_send_recv,
    "sendfile": call_sendfile,
    "sendmsg": call_sendmsg,
    "sendto": call_sendto,
    "setsockopt": call_setsockopt,
    "shutdown": call_shutdown,
    "socket": call_socket,
    "splice": call_splice,
    "write": call_read_write,
    "writev": call_readv_writev,
}
