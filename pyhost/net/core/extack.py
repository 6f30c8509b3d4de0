"""What an administrator's request is told beside the errno. Linux: include/linux/netlink.h."""

from __future__ import annotations

__all__ = ["NetlinkExtAck"]


class NetlinkExtAck:
    """Linux: struct netlink_ext_ack. `msg` is empty when the errno says it all."""

    __slots__ = ("msg",)

    def __init__(self) -> None:
        self.msg = ""

    def error(self, errno: int, msg: str) -> int:
        """Keep the text and return `errno`. Linux: NL_SET_ERR_MSG."""
        self.msg = msg
        return errno
