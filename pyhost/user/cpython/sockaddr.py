"""Socket addresses: Python tuples to `struct sockaddr` and back. CPython: Modules/socketmodule.c
getsockaddrarg, makesockaddr.
"""

from __future__ import annotations

import _socket
import sys
from operator import index
from struct import Struct
from typing import Any

from pyhost.user.cpython.resolver import Resolver

__all__ = ["SockaddrCodec"]

_AF_INET = _socket.AF_INET
_AF_PACKET = _socket.AF_PACKET
_AF_UNIX = _socket.AF_UNIX
_SUN_PATH_MAX = 108
_FAMILY = Struct("<H")
_SOCKADDR_IN = Struct("<H2s4s8x")
_SOCKADDR_LL = Struct("<H2siHBB8s")


class SockaddrCodec:
    """Addresses of AF_INET, AF_PACKET and AF_UNIX. Host and interface names go through the
    resolver.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def pack(self, family: int, address: Any, caller: str) -> bytes:
        """`struct sockaddr` for what a program passes to `caller`; TypeError, OverflowError,
        gaierror as CPython raises them.
        """
        if family == _AF_INET:
            return self._pack_in(address, caller)
        if family == _AF_PACKET:
            return self._pack_ll(address, caller)
        if family == _AF_UNIX:
            return _pack_un(address)
        raise OSError(f"{caller}(): bad family")

    def _pack_in(self, address: Any, caller: str) -> bytes:
        if not isinstance(address, tuple):
            kind = type(address).__name__
            raise TypeError(f"{caller}(): AF_INET address must be tuple, not {kind}")
        if len(address) != 2:
            raise TypeError("AF_INET address must be a pair (host, port)")
        host, port = address
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("ascii")
        if not isinstance(host, str):
            kind = type(host).__name__
            raise TypeError(f"str, bytes or bytearray expected, not {kind}")
        number = index(port)
        if not 0 <= number <= 0xFFFF:
            raise OverflowError(f"{caller}(): port must be 0-65535.")
        raw = _socket.inet_aton(self._resolver.resolve(host))
        return _SOCKADDR_IN.pack(_AF_INET, number.to_bytes(2, "big"), raw)

    def _pack_ll(self, address: Any, caller: str) -> bytes:
        if not isinstance(address, tuple):
            kind = type(address).__name__
            raise TypeError(f"{caller}(): AF_PACKET address must be tuple, not {kind}")
        if not 2 <= len(address) <= 5:
            raise TypeError(f"{caller}(): AF_PACKET address must have 2 to 5 items")
        name, protocol = address[:2]
        pkttype, hatype = (*address[2:4], 0, 0)[:2]
        hardware = bytes(address[4]) if len(address) == 5 else b""
        if len(hardware) > 8:
            raise ValueError("Hardware address must be 8 bytes or less")
        if not 0 <= protocol <= 0xFFFF:
            raise OverflowError(f"{caller}(): proto argument must be 0-65535.")
        index = self._resolver.if_nametoindex(name) if name else 0
        wire_protocol = protocol.to_bytes(2, "big")
        return _SOCKADDR_LL.pack(
            _AF_PACKET, wire_protocol, index, hatype, pkttype, len(hardware), hardware
        )

    def unpack(self, data: bytes) -> Any:
        """What a program sees of a `struct sockaddr`; None for an empty one."""
        if len(data) < _FAMILY.size:
            return None
        (family,) = _FAMILY.unpack_from(data)
        if family == _AF_INET and len(data) >= _SOCKADDR_IN.size:
            _, port, raw = _SOCKADDR_IN.unpack_from(data)
            return _socket.inet_ntoa(raw), int.from_bytes(port, "big")
        if family == _AF_UNIX:
            return _unpack_un(data[_FAMILY.size :])
        if family == _AF_PACKET and len(data) >= _SOCKADDR_LL.size - 2:
            return self._unpack_ll(data.ljust(_SOCKADDR_LL.size, b"\0"))
        return family, data[_FAMILY.size :]

    def _unpack_ll(self, data: bytes) -> tuple[str, int, int, int, bytes]:
        _, protocol, index, hatype, pkttype, length, hardware = _SOCKADDR_LL.unpack_from(data)
        name = self._resolver.if_indextoname(index) if index else ""
        return name, int.from_bytes(protocol, "big"), pkttype, hatype, hardware[:length]


def _pack_un(address: Any) -> bytes:
    """A path, or a name of the abstract namespace, which begins with a zero byte."""
    if isinstance(address, str):
        path = address.encode(sys.getfilesystemencoding(), "surrogateescape")
    else:
        path = bytes(memoryview(address))
    abstract = path[:1] == b"\0"
    if len(path) > _SUN_PATH_MAX - (not abstract):
        raise OSError("AF_UNIX path too long")
    return _FAMILY.pack(_AF_UNIX) + path + (b"" if abstract or not path else b"\0")


def _unpack_un(path: bytes) -> str | bytes:
    """An abstract name is bytes, a path is text; no name is an empty one."""
    if path[:1] == b"\0" and len(path) > 1:
        return path
    return path.split(b"\0", 1)[0].decode(sys.getfilesystemencoding(), "surrogateescape")
