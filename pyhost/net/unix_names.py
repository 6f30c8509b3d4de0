"""The names of AF_UNIX sockets. Linux: net/unix/af_unix.c.

A name that begins with a zero byte is abstract: it lives in a table as long as its socket. Any
other is a path, and the socket a file there, which outlives it until it is unlinked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.socket import Socket
from pyhost.net.unix_sock import UnixSock
from pyhost.uapi.errno import EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL
from pyhost.uapi.socket import AF_UNIX, SOCKADDR_FAMILY
from pyhost.uapi.stat import S_IFMT, S_IFSOCK

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["unix_bind", "unix_find_other", "unix_remove_name"]

SOCKADDR_UN_SIZE = 110
AUTOBIND_NAMES = 1 << 20


def _sun_path(addr: bytes) -> bytes | int:
    """The name in a struct sockaddr_un, a path with one zero at its end; empty: none given.

    Linux: unix_validate_addr, unix_mkname_bsd.
    """
    if not SOCKADDR_FAMILY.size <= len(addr) <= SOCKADDR_UN_SIZE:
        return -EINVAL
    if SOCKADDR_FAMILY.unpack_from(addr)[0] != AF_UNIX:
        return -EINVAL
    path = addr[SOCKADDR_FAMILY.size :]
    return path if not path or path[0] == 0 else path.split(b"\0", 1)[0] + b"\0"


def _path(name: bytes) -> str:
    return name[:-1].decode(errors="surrogateescape")


def unix_bind(sock: Socket, addr: bytes) -> int:
    """Take a name, or without one any that is free.

    EINVAL: malformed, or there is a name already; EADDRINUSE; what the file system says. Linux:
    unix_bind.
    """
    name = _sun_path(addr)
    if isinstance(name, int):
        return name
    sk: UnixSock = sock.sk
    if not name:
        return 0 if sk.addr else _autobind(sk)
    if sk.addr:
        return -EINVAL
    return _bind_abstract(sk, name) if name[0] == 0 else _bind_path(sk, name)


def _bind_abstract(sk: UnixSock, name: bytes) -> int:
    """Linux: unix_bind_abstract."""
    if name in sk.net.unix_names:
        return -EADDRINUSE
    sk.net.unix_names[name] = sk
    sk.addr = name
    return 0


def _bind_path(sk: UnixSock, name: bytes) -> int:
    """Linux: unix_bind_bsd."""
    inode = sk.net.kernel.rootfs.mknod(_path(name), S_IFSOCK | 0o777, sk)
    if isinstance(inode, int):
        return -EADDRINUSE if inode == -EEXIST else inode
    sk.addr = name
    sk.inode = inode
    return 0


def _autobind(sk: UnixSock) -> int:
    """Five hexadecimal digits in the abstract namespace. Linux: unix_autobind."""
    start = sk.net.kernel.random.randrange(AUTOBIND_NAMES)
    for step in range(AUTOBIND_NAMES):
        name = b"\0%05x" % ((start + step) % AUTOBIND_NAMES)
        if name not in sk.net.unix_names:
            return _bind_abstract(sk, name)
    return -EADDRINUSE


def unix_find_other(net: Net, addr: bytes) -> UnixSock | int:
    """The socket that has a name; -ECONNREFUSED: none has, or it is gone.

    Linux: unix_find_other.
    """
    name = _sun_path(addr)
    if isinstance(name, int):
        return name
    if not name:
        return -EINVAL
    if name[0] == 0:
        return net.unix_names.get(name, -ECONNREFUSED)
    inode = net.kernel.rootfs.find(_path(name))
    if isinstance(inode, int):
        return inode
    sk: UnixSock | None = inode.i_private if inode.i_mode & S_IFMT == S_IFSOCK else None
    return -ECONNREFUSED if sk is None else sk


def unix_remove_name(sk: UnixSock) -> None:
    """The name leads nowhere from now on; a file stays. Accepted sockets share their listener's
    name and do not own it. Linux: unix_remove_socket.
    """
    if sk.net.unix_names.get(sk.addr) is sk:
        del sk.net.unix_names[sk.addr]
    if sk.inode is not None:
        sk.inode.i_private = None
        sk.inode = None
