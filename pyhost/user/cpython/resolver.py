"""Names and addresses: getaddrinfo(3) and its relatives over a table of hosts; there is no name
server. CPython: Modules/socketmodule.c.
"""

from __future__ import annotations

import _socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyhost.uapi.errno import ENODEV, ENXIO
from pyhost.user.libc import os_error

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["Resolver", "is_numeric"]

HOSTS: Mapping[str, str] = {
    "localhost": "127.0.0.1",
    "host": "10.0.0.1",
    "peer": "10.0.0.2",
}
"""What /etc/hosts says on both machines."""

_AF_INET = _socket.AF_INET
_SOCKET_KINDS = (
    (_socket.SOCK_STREAM, _socket.IPPROTO_TCP),
    (_socket.SOCK_DGRAM, _socket.IPPROTO_UDP),
    (_socket.SOCK_RAW, 0),
)
_Address = tuple[str, int]


def is_numeric(host: str) -> bool:
    """Whether `host` is a dotted IPv4 address in one of the forms of inet_aton(3)."""
    try:
        _socket.inet_aton(host)
    except OSError:
        return False
    return True


def _gaierror(code: int) -> OSError:
    texts = {
        _socket.EAI_NONAME: "Name or service not known",
        _socket.EAI_FAMILY: "ai_family not supported",
        _socket.EAI_SERVICE: "Servname not supported for ai_socktype",
        _socket.EAI_SOCKTYPE: "ai_socktype not supported",
        _socket.EAI_BADFLAGS: "Bad value for ai_flags",
    }
    return _socket.gaierror(code, texts[code])


class Resolver:
    """The functions of `_socket` that deal with names; every public method is one of them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def functions(self) -> dict[str, Any]:
        """Name → function of `_socket`."""
        names = [name for name in dir(type(self)) if not name.startswith("_")]
        return {name: getattr(self, name) for name in names if name not in ("functions", "resolve")}

    def resolve(self, host: str) -> str:
        """The dotted address of a host; gaierror when nobody knows it. CPython: setipaddr."""
        if host == "":
            return "0.0.0.0"
        if host == "<broadcast>":
            return "255.255.255.255"
        if is_numeric(host):
            return _socket.inet_ntoa(_socket.inet_aton(host))
        known = HOSTS.get(host.lower().rstrip("."))
        if known is None:
            raise _gaierror(_socket.EAI_NONAME)
        return known

    def gethostname(self) -> str:
        return self._kernel.name

    def gethostbyname(self, hostname: str, /) -> str:
        return self.resolve(hostname)

    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[str]]:
        return hostname, [], [self.resolve(hostname)]

    def gethostbyaddr(self, ip_address: str, /) -> tuple[str, list[str], list[str]]:
        address = self.resolve(ip_address)
        name = _name_of(address)
        if name is None:
            raise _socket.herror(1, "Unknown host")
        return name, [], [address]

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int, /) -> tuple[str, str]:
        if not isinstance(sockaddr, tuple):
            raise TypeError("getnameinfo() argument 1 must be a tuple")
        host, port = sockaddr[:2]
        if not is_numeric(host):
            raise _gaierror(_socket.EAI_NONAME)
        name = None if flags & _socket.NI_NUMERICHOST else _name_of(host)
        if name is None:
            if flags & _socket.NI_NAMEREQD:
                raise _gaierror(_socket.EAI_NONAME)
            name = host
        if flags & _socket.NI_NUMERICSERV:
            return name, str(port)
        try:
            protocol = "udp" if flags & _socket.NI_DGRAM else "tcp"
            return name, _socket.getservbyport(port, protocol)
        except OSError:
            return name, str(port)

    def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, _Address]]:
        """IPv4 only. RFC 3493 section 6.1."""
        if family not in (_socket.AF_UNSPEC, _AF_INET):
            known_family = family == _socket.AF_INET6
            raise _gaierror(_socket.EAI_NONAME if known_family else _socket.EAI_FAMILY)
        address = self._host_address(host, flags)
        number = _port_number(port, type, flags)
        canonical = ""
        if flags & _socket.AI_CANONNAME and host is not None:
            canonical = host.decode("idna") if isinstance(host, bytes) else host
        found = [
            (_AF_INET, kind, proto or protocol, canonical, (address, number))
            for kind, protocol in _SOCKET_KINDS
            if type in (0, kind) and proto in (0, protocol or proto)
        ]
        if not found:
            raise _gaierror(_socket.EAI_SOCKTYPE)
        return found

    def _host_address(self, host: str | bytes | None, flags: int) -> str:
        if host is None:
            return "0.0.0.0" if flags & _socket.AI_PASSIVE else "127.0.0.1"
        name = host.decode("idna") if isinstance(host, bytes) else host
        if name == "" or (flags & _socket.AI_NUMERICHOST and not is_numeric(name)):
            raise _gaierror(_socket.EAI_NONAME)
        return self.resolve(name)

    # -- interfaces --------------------------------------------------------------------------------

    def if_nameindex(self) -> list[tuple[int, str]]:
        return sorted((dev.ifindex, name) for name, dev in self._kernel.net.devices.items())

    def if_nametoindex(self, oname: str | bytes, /) -> int:
        name = oname.decode() if isinstance(oname, bytes) else oname
        dev = self._kernel.net.devices.get(name)
        if dev is None:
            raise OSError(ENODEV, "no interface with this name")
        return dev.ifindex

    def if_indextoname(self, index: int, /) -> str:
        for ifindex, name in self.if_nameindex():
            if ifindex == index:
                return name
        raise os_error(ENXIO)


def _name_of(address: str) -> str | None:
    return next((name for name, known in HOSTS.items() if known == address), None)


def _port_number(port: str | bytes | int | None, kind: int, flags: int) -> int:
    if port is None:
        return 0
    if isinstance(port, int):
        return port & 0xFFFF
    name = port.decode() if isinstance(port, bytes) else port
    if name.isascii() and name.isdigit():
        return int(name) & 0xFFFF
    if flags & _socket.AI_NUMERICSERV:
        raise _gaierror(_socket.EAI_NONAME)
    try:
        return _socket.getservbyname(name, "udp" if kind == _socket.SOCK_DGRAM else "tcp")
    except OSError:
        raise _gaierror(_socket.EAI_SERVICE) from None
