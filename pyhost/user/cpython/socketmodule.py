"""`_socket`, on which socket.py stands: sockets of the emulated host. CPython:
Modules/socketmodule.c.
"""

from __future__ import annotations

import _socket
import errno
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyhost.user.abi import cmsg_len, cmsg_space
from pyhost.user.cpython.resolver import Resolver
from pyhost.user.cpython.sockaddr import SockaddrCodec
from pyhost.user.cpython.socketobject import Socket

if TYPE_CHECKING:
    from pyhost.user.libc import Libc
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_FROM_CPYTHON = (
    "error gaierror herror timeout getprotobyname getservbyname getservbyport htonl htons"
    " ntohl ntohs inet_aton inet_ntoa inet_ntop inet_pton"
)
_AF_UNIX = _socket.AF_UNIX


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `_socket`. Constants are those of the Linux whose system calls the kernel
    speaks.
    """
    module = ModuleType("_socket", _socket.__doc__)
    names = module.__dict__
    names.update({k: v for k, v in vars(_socket).items() if k.isupper() and k != "CAPI"})
    names.update({name: getattr(_socket, name) for name in _FROM_CPYTHON.split()})
    resolver = Resolver(interpreter.kernel)
    names.update(resolver.functions())
    socket_type = type(
        "socket",
        (Socket,),
        {
            "__module__": "_socket",
            "__slots__": (),
            "libc": interpreter.libc,
            "codec": SockaddrCodec(resolver),
        },
    )
    names.update(
        socket=socket_type,
        SocketType=socket_type,
        has_ipv6=False,
        CMSG_LEN=_checked_size(cmsg_len, "CMSG_LEN"),
        CMSG_SPACE=_checked_size(cmsg_space, "CMSG_SPACE"),
        **_default_timeout(socket_type),
        **_descriptor_functions(interpreter),
    )
    if _has_socketpair(interpreter.libc):
        names["socketpair"] = _make_socketpair(interpreter.libc, socket_type)
    else:
        # socket.py then connects two TCP sockets over the loopback device.
        del names["AF_UNIX"]
    return module


def _checked_size(size_of: Any, name: str) -> Any:
    def size(length: int, /) -> int:
        if not 0 <= length <= 0x7FFF_FFE0:
            raise OverflowError(f"{name}() argument out of range")
        return int(size_of(length))

    size.__name__ = size.__qualname__ = name
    return size


def _default_timeout(socket_type: type[Socket]) -> dict[str, Any]:
    def setdefaulttimeout(timeout: float | None, /) -> None:
        socket_type.default_timeout = socket_type.parse_timeout(timeout)

    def getdefaulttimeout() -> float | None:
        timeout = socket_type.default_timeout
        return None if timeout is None else timeout / 1e9

    return {"setdefaulttimeout": setdefaulttimeout, "getdefaulttimeout": getdefaulttimeout}


def _descriptor_functions(interpreter: Interpreter) -> dict[str, Any]:
    posix = interpreter.modules["posix"]

    def close(fd: int, /) -> None:
        try:
            posix.close(fd)
        except ConnectionResetError:
            return

    def dup(fd: int, /) -> int:
        duplicate: int = posix.dup(fd)
        return duplicate

    def sethostname(_name: str, /) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    return {"close": close, "dup": dup, "sethostname": sethostname}


def _pair(libc: Libc, family: int, kind: int, proto: int) -> tuple[int, int]:
    addr = libc.alloc(8)
    try:
        libc.call("socketpair", family, kind | _socket.SOCK_CLOEXEC, proto, addr)
        data = libc.mm.read(addr, 8)
    finally:
        libc.free(addr, 8)
    return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")


def _has_socketpair(libc: Libc) -> bool:
    try:
        pair = _pair(libc, _AF_UNIX, _socket.SOCK_STREAM, 0)
    except OSError:
        return False
    for fd in pair:
        libc.call("close", fd)
    return True


def _make_socketpair(libc: Libc, socket_type: type[Socket]) -> Any:
    def socketpair(
        family: int = _AF_UNIX, type: int = _socket.SOCK_STREAM, proto: int = 0
    ) -> tuple[Socket, Socket]:
        first, second = _pair(libc, family, type, proto)
        return (
            socket_type(family, type, proto, first),
            socket_type(family, type, proto, second),
        )

    return socketpair
