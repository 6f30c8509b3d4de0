"""The places where a security module may refuse, and one small module.

Linux: security/security.c, include/linux/lsm_hooks.h.

`net.security` holds the rules of the machine. A hook returns 0 to let the call go on or a negative
errno, which the program sees. With no rule, a hook costs one test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.core.sock import InetSock, MsgHdr
from pyhost.uapi.errno import EACCES
from pyhost.uapi.socket import AF_INET, SOCKADDR_IN, unpack_sockaddr_in

if TYPE_CHECKING:
    from pyhost.fs.file import File
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.net_namespace import Net
    from pyhost.net.socket import Socket

__all__ = [
    "MAY_READ", "MAY_WRITE", "Rule", "SecurityHooks", "security_file_permission",
    "security_init", "security_socket_accept", "security_socket_bind", "security_socket_connect",
    "security_socket_create", "security_socket_listen", "security_socket_recvmsg",
    "security_socket_sendmsg",
]  # fmt: skip

MAY_WRITE = 2
MAY_READ = 4


class Rule(NamedTuple):
    """Refuse a hook's call. None matches anything.

    `hook` is the name without `security_` (`socket_sendmsg`, `file_permission`, …), `process` the
    name of the process, `port` the remote port for connect and sendmsg, else the local one (host
    order), `error` what the program gets.
    """

    hook: str
    process: str | None = None
    port: int | None = None
    error: int = EACCES


class SecurityHooks:
    """The rules of one machine, and how often each hook refused."""

    __slots__ = ("_kernel", "denials", "rules")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.rules: list[Rule] = []
        self.denials: dict[str, int] = {}

    def add(self, rule: Rule) -> None:
        """Refuse from now on what `rule` matches; the first rule that matches decides."""
        self.rules.append(rule)

    def remove(self, rule: Rule) -> None:
        """Take a rule back."""
        self.rules.remove(rule)

    def check(self, hook: str, port: int | None) -> int:
        """0, or the negative errno of the first rule that matches the hook, the current process and
        the port.
        """
        task = self._kernel.sched.current
        process = task.process.name if task is not None and task.process is not None else None
        for rule in self.rules:
            if rule.hook == hook and rule.process in (None, process) and rule.port in (None, port):
                self.denials[hook] = self.denials.get(hook, 0) + 1
                return -rule.error
        return 0


def security_init(net: Net) -> None:
    """Linux: security_init."""
    net.security = SecurityHooks(net.kernel)


def _sockaddr_port(addr: bytes | None) -> int | None:
    if addr is None or len(addr) < SOCKADDR_IN.size:
        return None
    family, _, port = unpack_sockaddr_in(addr)
    return port if family == AF_INET else None


def _local_port(sock: Socket) -> int | None:
    return sock.sk.inet_num if isinstance(sock.sk, InetSock) else None


def _remote_port(sock: Socket) -> int | None:
    return sock.sk.inet_dport if isinstance(sock.sk, InetSock) else None


def security_socket_create(net: Net, _family: int, _sock_type: int, _protocol: int) -> int:
    """Before socket(). Linux: security_socket_create."""
    security = net.security
    return security.check("socket_create", None) if security.rules else 0


def security_socket_bind(sock: Socket, addr: bytes) -> int:
    """Before bind(). Linux: security_socket_bind."""
    security = sock.net.security
    return security.check("socket_bind", _sockaddr_port(addr)) if security.rules else 0


def security_socket_connect(sock: Socket, addr: bytes) -> int:
    """Before connect(). Linux: security_socket_connect."""
    security = sock.net.security
    return security.check("socket_connect", _sockaddr_port(addr)) if security.rules else 0


def security_socket_listen(sock: Socket) -> int:
    """Before listen(). Linux: security_socket_listen."""
    security = sock.net.security
    return security.check("socket_listen", _local_port(sock)) if security.rules else 0


def security_socket_accept(sock: Socket) -> int:
    """Before accept(). Linux: security_socket_accept."""
    security = sock.net.security
    return security.check("socket_accept", _local_port(sock)) if security.rules else 0


def security_socket_sendmsg(sock: Socket, msg: MsgHdr, _size: int) -> int:
    """Before every send, also through write() and sendfile(). Linux: security_socket_sendmsg."""
    security = sock.net.security
    if not security.rules:
        return 0
    port = _sockaddr_port(msg.name) if msg.name else _remote_port(sock)
    return security.check("socket_sendmsg", port)


def security_socket_recvmsg(sock: Socket, _msg: MsgHdr, _size: int, _flags: int) -> int:
    """Before every receive. Linux: security_socket_recvmsg."""
    security = sock.net.security
    return security.check("socket_recvmsg", _local_port(sock)) if security.rules else 0


def security_file_permission(security: SecurityHooks, _file: File, _mask: int) -> int:
    """Before every read and write. Linux: security_file_permission."""
    return security.check("file_permission", None) if security.rules else 0
