"""What the descriptors of one packet say, and all judging of them.

Hardware: hdl/ring/hnic_tx_packet.v. The first fault ends the packet at once: its status and the
index of the descriptor at fault go into the completion, which is the queue's last. Faults of one
descriptor are looked for in the order of `add`.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    TXD_COOKIE_MASK,
    TXD_CSUM,
    TXD_CSUM_OFFSET_SHIFT,
    TXD_CSUM_START_SHIFT,
    TXD_EOP,
    TXD_HDR_LEN_SHIFT,
    TXD_IPCSUM,
    TXD_IPV4,
    TXD_L3_START_SHIFT,
    TXD_LEN_MASK,
    TXD_MSS_MASK,
    TXD_SOP,
    TXD_TSO,
    TXD_VLAN,
    TXD_VLAN_TCI_SHIFT,
)
from pyhost.drivers.net.hnic_model.limits import (
    MAX_FRAME,
    MAX_HDR_LEN,
    MAX_SEGMENT,
    MAX_SEGS,
    TAG_PLACE,
)
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK

__all__ = ["DescWords", "TxPacket"]

DescWords = tuple[int, int, int, int]

_U16 = 0xFFFF
_L3_MASK = (1 << regs.TXD_L3_START_W) - 1
_FLAGS = TXD_SOP | TXD_EOP | TXD_CSUM | TXD_TSO | TXD_VLAN | TXD_IPV4 | TXD_IPCSUM
_RESERVED = (1 << TXD_CSUM_START_SHIFT) - 1 & ~(TXD_LEN_MASK | _FLAGS)
_SHAPE_BITS = TXD_L3_START_SHIFT + regs.TXD_L3_START_W
"""Bits above are reserved, as those above the cookie are."""
_SHAPED = TXD_CSUM | TXD_TSO | TXD_IPCSUM

_UNKNOWN = 1 << 30
"""Bytes of a packet whose end is not known."""
_CSUM_BYTES = 2
_TCP_HEADER = 20
_TCP_CSUM = 16
_IPV4_HEADER = 20
_IPV6_HEADER = 40


class TxPacket:
    """`pieces` are (bus address, bytes) in the order of the frame, from the descriptors `first` to
    `next` - 1; `flags` and `shape` are the second and third quadword of the SOP descriptor.
    `csum_start` is where the sum starts and `csum_pos` where it is stored, counted from the first
    byte. `fault` is the index of the descriptor to blame for a `status` other than OK. `frames`
    are those that wait to be sent, `start_ns` is when the last one began.
    """

    __slots__ = (
        "cookie", "csum_pos", "csum_start", "fault", "first", "flags", "frames", "next", "pieces",
        "shape", "start_ns", "status", "total",
    )  # fmt: skip

    def __init__(self, first: int, words: DescWords | None) -> None:
        _, flags, self.shape, cookie = words or (0, 0, 0, 0)
        self.flags = flags
        self.csum_start = flags >> TXD_CSUM_START_SHIFT & _U16
        self.csum_pos = self.csum_start + (flags >> TXD_CSUM_OFFSET_SHIFT)
        self.cookie = cookie & TXD_COOKIE_MASK
        self.first = self.next = first
        self.pieces: list[tuple[int, int]] = []
        self.total = 0
        self.status = regs.STATUS_OK
        self.fault = 0
        self.frames: list[bytes] = []
        self.start_ns = 0

    # -- fields of the SOP descriptor --------------------------------------------------------------

    @property
    def mss(self) -> int:
        """Payload bytes a segment."""
        return self.shape & TXD_MSS_MASK

    @property
    def hdr_len(self) -> int:
        """Bytes of header."""
        return self.shape >> TXD_HDR_LEN_SHIFT & _U16

    @property
    def vlan_tci(self) -> int:
        """VLAN tag control information."""
        return self.shape >> TXD_VLAN_TCI_SHIFT & _U16

    @property
    def l3_start(self) -> int:
        """Where the network header starts."""
        return self.shape >> TXD_L3_START_SHIFT & _L3_MASK

    # -- judging -----------------------------------------------------------------------------------

    def fail(self, status: int, index: int) -> None:
        """Descriptor `index` is at fault."""
        self.status = status
        self.fault = index

    def refuse(self, status: int, index: int) -> None:
        """Descriptor `index`, judged just now, is at fault. What came before it may still be sent:
        the whole frames of a super-packet, of which the end is not known.
        """
        self.fail(status, index)
        del self.pieces[index - self.first & INDEX_MASK :]
        self.total = _UNKNOWN

    def add(self, words: DescWords | None, last: bool) -> int:
        """One more descriptor, None when it could not be read; `last`: the doorbell has given no
        more. Its status.
        """
        if words is None:
            return regs.STATUS_DESC_ERR
        addr, word, shape, cookie = words
        length = word & TXD_LEN_MASK
        pieces = self.pieces
        first = not pieces
        if bool(word & TXD_SOP) != first or not length or word & _RESERVED:
            return regs.STATUS_BAD_DESC
        if shape >> _SHAPE_BITS or cookie > TXD_COOKIE_MASK or (last and not word & TXD_EOP):
            return regs.STATUS_BAD_DESC
        if len(pieces) >= MAX_SEGS:
            return regs.STATUS_TOO_MANY
        pieces.append((addr, length))
        total = self.total = self.total + length
        if not self.flags & TXD_TSO:
            if total > MAX_FRAME:
                return regs.STATUS_TOO_LONG
        elif status := self._judge_tso(length, first, word):
            return status
        if word & TXD_EOP and self.flags & _SHAPED:
            return self._judge_fields()
        return regs.STATUS_OK

    def _judge_tso(self, length: int, first: bool, word: int) -> int:
        hdr_len = self.hdr_len
        if (
            length > MAX_SEGMENT
            or hdr_len + self.mss > MAX_FRAME
            or self.total > hdr_len + MAX_SEGMENT
        ):
            return regs.STATUS_TOO_LONG
        if (first and self._bad_tso(hdr_len)) or (word & TXD_EOP and self.total <= hdr_len):
            return regs.STATUS_BAD_TSO
        return regs.STATUS_OK

    def _bad_tso(self, hdr_len: int) -> bool:
        flags, start = self.flags, self.csum_start
        network = _IPV4_HEADER if flags & TXD_IPV4 else _IPV6_HEADER
        return (
            not flags & TXD_CSUM
            or not self.mss
            or not 0 < hdr_len <= MAX_HDR_LEN
            or start + _TCP_HEADER > hdr_len
            or flags >> TXD_CSUM_OFFSET_SHIFT != _TCP_CSUM
            or self.l3_start + network > start
            or (bool(flags & TXD_VLAN) and self.l3_start < TAG_PLACE)
        )

    def _judge_fields(self) -> int:
        """All bytes are known: whether the checksum fields are among them."""
        flags, total = self.flags, self.total
        if flags & TXD_VLAN and (
            (flags & TXD_CSUM and self.csum_start < TAG_PLACE)
            or (flags & TXD_IPCSUM and self.l3_start < TAG_PLACE)
        ):
            return regs.STATUS_BAD_CSUM
        if flags & TXD_CSUM and self.csum_pos + _CSUM_BYTES > total:
            return regs.STATUS_BAD_CSUM
        if flags & TXD_IPCSUM and (not flags & TXD_IPV4 or self.l3_start + _IPV4_HEADER > total):
            return regs.STATUS_BAD_CSUM
        return regs.STATUS_OK
