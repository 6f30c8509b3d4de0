"""Options that tell who a socket and its peer are. Linux: net/core/sock.c sk_getsockopt,
net/core/sock_diag.c.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING

from pyhost.uapi.errno import EINVAL, ENOTCONN
from pyhost.uapi.socket import SO_COOKIE, SO_NETNS_COOKIE, SO_PEERCRED, SO_PEERNAME

if TYPE_CHECKING:
    from pyhost.net.core.sock import Sock
    from pyhost.net.socket import Socket

__all__ = ["IDENTITY_GETTERS", "UCRED"]

U64 = Struct("<Q")

UCRED = Struct("<iII")
"""struct ucred: process, user, group."""

NETNS_COOKIE = 1
"""There is one network namespace, the first."""


def sock_gen_cookie(sk: Sock) -> int:
    """A number that no other socket of the machine has or had. Linux: sock_gen_cookie."""
    if not sk.sk_cookie:
        sk.net.last_cookie += 1
        sk.sk_cookie = sk.net.last_cookie
    return sk.sk_cookie


def _cookie(sock: Socket, maxlen: int) -> bytes | int:
    return -EINVAL if maxlen < U64.size else U64.pack(sock_gen_cookie(sock.sk))


def _netns_cookie(_sock: Socket, maxlen: int) -> bytes | int:
    return -EINVAL if maxlen < U64.size else U64.pack(NETNS_COOKIE)


def _peername(sock: Socket, maxlen: int) -> bytes | int:
    """As much of the peer's address as was asked for, and never more than there is."""
    name = sock.ops.getname(sock, 2)
    if isinstance(name, int):
        return -ENOTCONN
    return -EINVAL if len(name) < maxlen else name[:maxlen]


def _peercred(sock: Socket, maxlen: int) -> bytes:
    return UCRED.pack(*sock.sk.sk_peer_cred)[:maxlen]


IDENTITY_GETTERS: dict[int, Callable[[Socket, int], bytes | int]] = {
    SO_COOKIE: _cookie,
    SO_NETNS_COOKIE: _netns_cookie,
    SO_PEERNAME: _peername,
    SO_PEERCRED: _peercred,
}
"""Option → function of the socket and the room for the value."""
