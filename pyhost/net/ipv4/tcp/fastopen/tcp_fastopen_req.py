"""The small records of TCP Fast Open. Linux: include/net/tcp.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.net.core.sock import MsgHdr
    from pyhost.net.core.ubuf import UbufInfo

__all__ = ["FastopenCookie", "FastopenRequest"]


@dataclass(slots=True)
class FastopenCookie:
    """Linux: struct tcp_fastopen_cookie. `data` None: no such option; empty: a cookie is asked for.
    `exp`: the option has the experimental number 254.
    """

    data: bytes | None = None
    exp: bool = False


@dataclass(slots=True)
class FastopenRequest:
    """What a program wants to go out with the SYN.

    Linux: struct tcp_fastopen_request. `msg` has what is left of the `size` bytes, None when
    nothing is; `copied` bytes are in the SYN. `uarg` is what a zero-copy send is noted under.
    """

    cookie: FastopenCookie
    msg: MsgHdr | None = None
    size: int = 0
    copied: int = 0
    uarg: UbufInfo | None = None
