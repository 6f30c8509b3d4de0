"""Control messages: what goes beside the data of sendmsg and recvmsg.

Linux: net/core/scm.c put_cmsg, include/linux/socket.h (for_each_cmsghdr, CMSG_OK), net/core/sock.c
sock_cmsg_send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.uapi.errno import EINVAL
from pyhost.uapi.net_tstamp import SOF_TIMESTAMPING_TX_RECORD_MASK
from pyhost.uapi.socket import (
    CMSGHDR,
    INT,
    MSG_CTRUNC,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SO_MARK,
    SO_TIMESTAMPING,
    SO_TIMESTAMPING_NEW,
    SOL_SOCKET,
)

if TYPE_CHECKING:
    from pyhost.net.core.sock import MsgHdr, Sock

__all__ = ["SockcmCookie", "cmsgs", "put_cmsg", "sock_cmsg_send"]

_HDR = CMSGHDR.size


class SockcmCookie:
    """What control messages change for one packet. Linux: struct sockcm_cookie, sockcm_init."""

    __slots__ = ("mark", "tsflags")

    def __init__(self, sk: Sock) -> None:
        self.mark = sk.sk_mark
        self.tsflags = sk.sk_tsflags


def cmsgs(control: bytes) -> list[tuple[int, int, bytes]] | int:
    """The control messages (level, type, data) of a send; -EINVAL when one is cut off. Linux:
    for_each_cmsghdr, CMSG_OK.
    """
    found: list[tuple[int, int, bytes]] = []
    at = 0
    while at + _HDR <= len(control):
        length, level, kind = CMSGHDR.unpack_from(control, at)
        if length < _HDR or at + length > len(control):
            return -EINVAL
        found.append((level, kind, control[at + _HDR : at + length]))
        at += length + 7 & ~7
    return found


def sock_cmsg_send(sk: Sock, control: bytes, sockc: SockcmCookie) -> int:
    """Take over what the messages of level SOL_SOCKET say: 0 or -EINVAL. Linux: sock_cmsg_send."""
    messages = cmsgs(control)
    if isinstance(messages, int):
        return messages
    for level, kind, data in messages:
        if level == SOL_SOCKET and not _sock_cmsg(kind, data, sockc):
            return -EINVAL
    return 0


def _sock_cmsg(kind: int, data: bytes, sockc: SockcmCookie) -> bool:
    """One message; False when it is unknown or has a wrong value. Linux: __sock_cmsg_send."""
    if kind in (SCM_RIGHTS, SCM_CREDENTIALS):
        return True
    if len(data) != INT.size:
        return False
    value: int = INT.unpack(data)[0] & 0xFFFFFFFF
    if kind == SO_MARK:
        sockc.mark = value
        return True
    if kind in (SO_TIMESTAMPING, SO_TIMESTAMPING_NEW):
        if value & ~SOF_TIMESTAMPING_TX_RECORD_MASK:
            return False
        sockc.tsflags = sockc.tsflags & ~SOF_TIMESTAMPING_TX_RECORD_MASK | value
        return True
    return False


def put_cmsg(msg: MsgHdr, level: int, kind: int, data: bytes) -> None:
    """Add a control message to a receive; what does not fit is cut off, and MSG_CTRUNC set. Linux:
    put_cmsg.
    """
    room = msg.controllen - len(msg.control)
    if room < _HDR:
        msg.flags |= MSG_CTRUNC
        return
    length = _HDR + len(data)
    if length > room:
        msg.flags |= MSG_CTRUNC
        length = room
    raw = CMSGHDR.pack(length, level, kind) + data[: length - _HDR]
    msg.control += raw.ljust(min(length + 7 & ~7, room), b"\0")
