"""What TCP Fast Open keeps once a machine: the keys that cookies are made with, and whether active
Fast Open is paused because a middlebox swallows it. Linux: net/ipv4/tcp_fastopen.c.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pyhost.kernel.sysctl import SysctlError

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = [
    "TCP_FASTOPEN_KEY_LENGTH", "TFO_CLIENT_ENABLE", "TFO_CLIENT_NO_COOKIE",
    "TFO_SERVER_COOKIE_NOT_REQD", "TFO_SERVER_ENABLE", "TFO_SERVER_WO_SOCKOPT1", "FastopenContext",
    "fastopen_key",
]  # fmt: skip

TFO_CLIENT_ENABLE = 1
TFO_SERVER_ENABLE = 2
TFO_CLIENT_NO_COOKIE = 4
TFO_SERVER_COOKIE_NOT_REQD = 0x200
TFO_SERVER_WO_SOCKOPT1 = 0x400

TCP_FASTOPEN_KEY_LENGTH = 16
MAX_KEYS = 2


def _words(text: str) -> bytes:
    parts = text.split("-")
    if len(parts) != 4:
        raise SysctlError(f"{text!r} is no key of four words")
    try:
        words = [int(part, 16) for part in parts]
        return struct.pack("<4I", *words)
    except (ValueError, struct.error) as error:
        raise SysctlError(f"{text!r} is no key of four 32-bit words") from error


def fastopen_key(text: str) -> str:
    """Check the text of sysctl tcp_fastopen_key: one key, or two with a comma between.

    Linux: proc_tcp_fastopen_key.
    """
    keys = [key.strip() for key in text.split(",")]
    if len(keys) > MAX_KEYS:
        raise SysctlError(f"{len(keys)} keys, two at most")
    return ",".join(_text(_words(key)) for key in keys)


def _text(key: bytes) -> str:
    return "-".join(f"{word:08x}" for word in struct.unpack("<4I", key))


class FastopenContext:
    """Linux: struct tcp_fastopen_context and `tfo_active_disable_*` of struct netns_ipv4.

    `disable_times` counts pauses in a row, the last of which began at `disable_stamp` (ns).
    """

    __slots__ = ("_kernel", "disable_stamp", "disable_times", "key_words")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.key_words = ""
        self.disable_times = self.disable_stamp = 0

    def keys(self) -> tuple[bytes, ...]:
        """The primary key and perhaps a backup; made when first needed.

        Linux: tcp_fastopen_init_key_once.
        """
        if not self.key_words:
            key = self._kernel.random.getrandbits(128).to_bytes(TCP_FASTOPEN_KEY_LENGTH, "little")
            self.key_words = _text(key)
        return tuple(_words(text) for text in self.key_words.split(","))
