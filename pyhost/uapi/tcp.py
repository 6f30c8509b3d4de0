"""The TCP header and its options, and the numbers of TCP's socket options. RFC 9293, RFC 7323, RFC
2018.

Linux: include/uapi/linux/tcp.h, include/net/tcp.h. Three layers: offsets and numbers for the data
path, a view over bytes in place, and a plain record that parses and emits a whole header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = [
    "TCPOLEN_MD5SIG", "TCPOPT_EOL", "TCPOPT_EXP", "TCPOPT_FASTOPEN", "TCPOPT_MD5SIG", "TCPOPT_MSS",
    "TCPOPT_NOP", "TCPOPT_SACK", "TCPOPT_SACK_PERM", "TCPOPT_TIMESTAMP", "TCPOPT_WINDOW",
    "TCP_ACK", "TCP_CC_INFO", "TCP_CM_INQ", "TCP_CONGESTION", "TCP_CORK", "TCP_CWR",
    "TCP_DEFER_ACCEPT", "TCP_ECE", "TCP_FASTOPEN", "TCP_FASTOPEN_CONNECT", "TCP_FASTOPEN_KEY",
    "TCP_FASTOPEN_NO_COOKIE", "TCP_FIN", "TCP_HDR", "TCP_HDR_LEN", "TCP_INFO", "TCP_INFO_STRUCT",
    "TCP_INQ", "TCP_KEEPCNT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_LINGER2", "TCP_MAXSEG",
    "TCP_MD5SIG", "TCP_MD5SIG_EXT", "TCP_MD5SIG_FLAG_PREFIX", "TCP_MD5SIG_MAXKEYLEN",
    "TCP_NODELAY", "TCP_NOTSENT_LOWAT", "TCP_OFF_CHECK", "TCP_PSH", "TCP_QUEUE_SEQ",
    "TCP_QUICKACK", "TCP_REPAIR", "TCP_REPAIR_OPTIONS", "TCP_REPAIR_QUEUE", "TCP_REPAIR_WINDOW",
    "TCP_RST", "TCP_SAVED_SYN", "TCP_SAVE_SYN", "TCP_SYN", "TCP_SYNCNT", "TCP_THIN_DUPACK",
    "TCP_THIN_LINEAR_TIMEOUTS", "TCP_TIMESTAMP", "TCP_TS_HDR", "TCP_TX_DELAY", "TCP_ULP",
    "TCP_URG", "TCP_USER_TIMEOUT", "TCP_WINDOW_CLAMP", "TCP_ZEROCOPY_RECEIVE", "TS_OPTION_WORD",
    "TcpHeader", "TcpOptions", "TcpView",
]  # fmt: skip

# -- offsets and numbers ---------------------------------------------------------------------------

TCP_HDR_LEN = 20
TCP_OFF_CHECK = 16

TCP_FIN = 0x01
TCP_SYN = 0x02
TCP_RST = 0x04
TCP_PSH = 0x08
TCP_ACK = 0x10
TCP_URG = 0x20
TCP_ECE = 0x40
TCP_CWR = 0x80

TCPOPT_EOL = 0
TCPOPT_NOP = 1
TCPOPT_MSS = 2
TCPOPT_WINDOW = 3
TCPOPT_SACK_PERM = 4
TCPOPT_SACK = 5
TCPOPT_TIMESTAMP = 8
TCPOPT_MD5SIG = 19
TCPOPT_FASTOPEN = 34
TCPOPT_EXP = 254
TCPOPT_FASTOPEN_MAGIC = b"\xf9\x89"

TCPOLEN_MD5SIG = 18
TCP_FASTOPEN_COOKIE_MIN = 4
TCP_FASTOPEN_COOKIE_MAX = 16

TCP_HDR = struct.Struct(">IIIHHHH")
"""Both ports, sequence number, acknowledgement, data offset and flags, window, checksum, urgent
pointer.
"""

TS_OPTION_WORD = TCPOPT_NOP << 24 | TCPOPT_NOP << 16 | TCPOPT_TIMESTAMP << 8 | 10
"""NOP NOP TIMESTAMP length: how the aligned timestamp option starts (RFC 7323 appendix A)."""

TCP_TS_HDR = struct.Struct(">IIIHHHHIII")
"""TCP_HDR and the aligned timestamp option: the header of most segments."""

# Socket options at level IPPROTO_TCP.
TCP_NODELAY = 1
TCP_MAXSEG = 2
TCP_CORK = 3
TCP_KEEPIDLE = 4
TCP_KEEPINTVL = 5
TCP_KEEPCNT = 6
TCP_SYNCNT = 7
TCP_LINGER2 = 8
TCP_DEFER_ACCEPT = 9
TCP_WINDOW_CLAMP = 10
TCP_INFO = 11
TCP_QUICKACK = 12
TCP_CONGESTION = 13
TCP_MD5SIG = 14
TCP_THIN_LINEAR_TIMEOUTS = 16
TCP_THIN_DUPACK = 17
TCP_USER_TIMEOUT = 18
TCP_REPAIR = 19
TCP_REPAIR_QUEUE = 20
TCP_QUEUE_SEQ = 21
TCP_REPAIR_OPTIONS = 22
TCP_FASTOPEN = 23
TCP_TIMESTAMP = 24
TCP_NOTSENT_LOWAT = 25
TCP_CM_INQ = 36
TCP_CC_INFO = 26
TCP_SAVE_SYN = 27
TCP_SAVED_SYN = 28
TCP_REPAIR_WINDOW = 29
TCP_FASTOPEN_CONNECT = 30
TCP_ULP = 31
TCP_MD5SIG_EXT = 32
TCP_FASTOPEN_KEY = 33
TCP_FASTOPEN_NO_COOKIE = 34
TCP_ZEROCOPY_RECEIVE = 35
TCP_INQ = 36
TCP_TX_DELAY = 37

TCP_MD5SIG_MAXKEYLEN = 80
TCP_MD5SIG_FLAG_PREFIX = 1

TCP_INFO_STRUCT = struct.Struct("<8B24I4Q6I4Q2I2Q6I2HI")
"""struct tcp_info of Linux 6.12, from tcpi_state to tcpi_total_rto_time: 248 bytes. The scales of
both windows share the seventh byte, two flags the eighth.
"""


# -- view ------------------------------------------------------------------------------------------


class TcpView:
    """A TCP header where it lies, `at` bytes into `buf`. Linux: struct tcphdr."""

    __slots__ = ("_at", "_buf")

    def __init__(self, buf: memoryview | bytearray | bytes, at: int = 0) -> None:
        self._buf = buf
        self._at = at

    def _u16(self, offset: int) -> int:
        start = self._at + offset
        return int.from_bytes(self._buf[start : start + 2], "big")

    def _u32(self, offset: int) -> int:
        start = self._at + offset
        return int.from_bytes(self._buf[start : start + 4], "big")

    @property
    def source(self) -> int:
        """Source port."""
        return self._u16(0)

    @property
    def dest(self) -> int:
        """Destination port."""
        return self._u16(2)

    @property
    def seq(self) -> int:
        """Sequence number of the first byte."""
        return self._u32(4)

    @property
    def ack_seq(self) -> int:
        """The next byte that the sender of this segment expects."""
        return self._u32(8)

    @property
    def header_len(self) -> int:
        """Bytes of header, options included."""
        return self._buf[self._at + 12] >> 4 << 2

    @property
    def flags(self) -> int:
        """Mask of TCP_FIN … TCP_CWR."""
        return self._buf[self._at + 13]

    @property
    def window(self) -> int:
        """The window field, unscaled."""
        return self._u16(14)


# -- record ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class TcpOptions:
    """The options of one segment; None or an empty list where an option is absent."""

    mss: int | None = None
    wscale: int | None = None
    sack_perm: bool = False
    timestamp: tuple[int, int] | None = None
    sack: tuple[tuple[int, int], ...] = ()
    md5: bytes | None = None
    fastopen: bytes | None = None
    fastopen_exp: bool = False

    @classmethod
    def parse(cls, data: bytes) -> TcpOptions:
        """Read an options block. An option whose length makes no sense ends the reading.

        Linux: tcp_parse_options.
        """
        out = cls()
        at = 0
        while at < len(data) and data[at] != TCPOPT_EOL:
            if data[at] == TCPOPT_NOP:
                at += 1
                continue
            size = data[at + 1] if at + 1 < len(data) else 0
            if size < 2 or at + size > len(data):
                break
            out._set(data[at], data[at + 2 : at + size])
            at += size
        return out

    def _set(self, kind: int, body: bytes) -> None:
        if kind == TCPOPT_MSS and len(body) == 2:
            self.mss = int.from_bytes(body, "big")
        elif kind == TCPOPT_WINDOW and len(body) == 1:
            self.wscale = body[0]
        elif kind == TCPOPT_SACK_PERM and not body:
            self.sack_perm = True
        elif kind == TCPOPT_TIMESTAMP and len(body) == 8:
            self.timestamp = (int.from_bytes(body[:4], "big"), int.from_bytes(body[4:], "big"))
        elif kind == TCPOPT_SACK and body and len(body) % 8 == 0:
            words = struct.unpack(f">{len(body) // 4}I", body)
            self.sack = tuple(zip(words[::2], words[1::2], strict=True))
        elif kind == TCPOPT_MD5SIG and len(body) == TCPOLEN_MD5SIG - 2:
            self.md5 = body
        elif kind == TCPOPT_FASTOPEN:
            self._set_fastopen(body, False)
        elif kind == TCPOPT_EXP and body[:2] == TCPOPT_FASTOPEN_MAGIC:
            self._set_fastopen(body[2:], True)

    def _set_fastopen(self, cookie: bytes, exp: bool) -> None:
        """Linux: tcp_parse_fastopen_option; RFC 7413 section 4.1.1 (an even number of bytes)."""
        size = len(cookie)
        if size & 1:
            return
        if size and not TCP_FASTOPEN_COOKIE_MIN <= size <= TCP_FASTOPEN_COOKIE_MAX:
            self.fastopen = None
        else:
            self.fastopen, self.fastopen_exp = cookie, exp

    def emit(self) -> bytes:
        """The options block as Linux lays it out, a multiple of four bytes.

        Linux: tcp_options_write.
        """
        out = bytearray()
        if self.md5 is not None:
            out += bytes((TCPOPT_NOP, TCPOPT_NOP, TCPOPT_MD5SIG, TCPOLEN_MD5SIG)) + self.md5
        if self.mss is not None:
            out += struct.pack(">BBH", TCPOPT_MSS, 4, self.mss)
        if self.timestamp is not None:
            lead = (TCPOPT_SACK_PERM, 2) if self.sack_perm else (TCPOPT_NOP, TCPOPT_NOP)
            out += struct.pack(">BBBBII", *lead, TCPOPT_TIMESTAMP, 10, *self.timestamp)
        elif self.sack_perm:
            out += bytes((TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK_PERM, 2))
        if self.wscale is not None:
            out += bytes((TCPOPT_NOP, TCPOPT_WINDOW, 3, self.wscale))
        if self.sack:
            out += bytes((TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK, 2 + 8 * len(self.sack)))
            for start, end in self.sack:
                out += struct.pack(">II", start, end)
        if self.fastopen is not None:
            out += self._emit_fastopen(self.fastopen)
        return bytes(out)

    def _emit_fastopen(self, cookie: bytes) -> bytes:
        body = TCPOPT_FASTOPEN_MAGIC + cookie if self.fastopen_exp else cookie
        kind = TCPOPT_EXP if self.fastopen_exp else TCPOPT_FASTOPEN
        option = bytes((kind, 2 + len(body))) + body
        return option + bytes((TCPOPT_NOP,)) * (-len(option) % 4)


@dataclass(slots=True)
class TcpHeader:
    """A whole TCP header as plain values. `check` is written as it is."""

    source: int
    dest: int
    seq: int = 0
    ack_seq: int = 0
    flags: int = 0
    window: int = 0
    check: int = 0
    urg_ptr: int = 0
    options: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> TcpHeader:
        """Read a header; raises ValueError when `data` is too short for it."""
        if len(data) < TCP_HDR_LEN:
            raise ValueError(f"{len(data)} bytes are no TCP header")
        ports, seq, ack_seq, off_flags, window, check, urg_ptr = TCP_HDR.unpack_from(data)
        size = off_flags >> 12 << 2
        if not TCP_HDR_LEN <= size <= len(data):
            raise ValueError(f"TCP header of {size} bytes in {len(data)}")
        options = bytes(data[TCP_HDR_LEN:size])
        return cls(
            ports >> 16,
            ports & 0xFFFF,
            seq,
            ack_seq,
            off_flags & 0xFF,
            window,
            check,
            urg_ptr,
            options,
        )

    def emit(self) -> bytes:
        """The header's bytes; `options` must be a multiple of four bytes."""
        off_flags = (TCP_HDR_LEN + len(self.options)) >> 2 << 12 | self.flags
        ports = self.source << 16 | self.dest
        return (
            TCP_HDR.pack(
                ports, self.seq, self.ack_seq, off_flags, self.window, self.check, self.urg_ptr
            )
            + self.options
        )
