"""Receive side scaling: the Toeplitz hash over addresses and ports, and the queue it leads to.

Hardware: hdl/rx/hnic_rx_hash.v. Microsoft, "RSS hashing functions": bit i of the input, when set,
adds (XOR) the 32 bits of the key that begin at its bit i.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.rx_parse import RxHeaders

__all__ = ["HASH_IPV4", "HASH_IPV6", "HASH_NONE", "HASH_PORTS", "Rss", "toeplitz"]

HASH_NONE = 0
HASH_IPV4 = 1
HASH_IPV6 = 3
HASH_PORTS = 1
"""RXC.HASH_TYPE; HASH_PORTS comes on top of the one with addresses alone."""

KEY_BYTES = 4 * regs.RSS_KEY_COUNT
TABLE_ENTRIES = 4 * regs.RSS_TABLE_COUNT
_U32 = 0xFFFFFFFF
_CACHED = 4096
"""Most flows whose hash is remembered."""
_ADDRESSES = {4: (12, 20), 6: (8, 40)}
_PORTS = 4


def toeplitz(key: bytes, data: bytes) -> int:
    """The hash of `data`, at most 36 bytes, with a key of 40 bytes."""
    number = int.from_bytes(key, "big")
    bits = int.from_bytes(data, "big")
    shift = 8 * (len(key) - len(data)) - 31
    value = 0
    for _ in range(8 * len(data)):
        if bits & 1:
            value ^= number >> shift
        bits >>= 1
        shift += 1
    return value & _U32


class Rss:
    """Key and table as bytes, hashes of the flows seen lately. `queues` is the number of RX queues
    of the card.
    """

    def __init__(self, queues: int) -> None:
        self._entry_mask = (1 << (queues - 1).bit_length()) - 1 if queues > 1 else 1
        self.reset()

    def reset(self) -> None:
        """As after reset of the card."""
        self._key = bytearray(KEY_BYTES)
        self._table = bytearray(TABLE_ENTRIES)
        self._flows: dict[bytes, int] = {}

    # -- registers ---------------------------------------------------------------------------------

    def write(self, offset: int, value: int) -> bool:
        """Write a register of key or table; False for another register."""
        if regs.RSS_KEY <= offset < regs.RSS_KEY + KEY_BYTES:
            at = offset - regs.RSS_KEY
            self._key[at : at + 4] = value.to_bytes(4, "little")
            self._flows.clear()
        elif regs.RSS_TABLE <= offset < regs.RSS_TABLE + TABLE_ENTRIES:
            at = offset - regs.RSS_TABLE
            entries = [byte & self._entry_mask for byte in value.to_bytes(4, "little")]
            self._table[at : at + 4] = bytes(entries)
        else:
            return False
        return True

    def read(self, offset: int) -> int | None:
        """The register at `offset`; None for another register."""
        if regs.RSS_KEY <= offset < regs.RSS_KEY + KEY_BYTES:
            at = offset - regs.RSS_KEY
            return int.from_bytes(self._key[at : at + 4], "little")
        if regs.RSS_TABLE <= offset < regs.RSS_TABLE + TABLE_ENTRIES:
            at = offset - regs.RSS_TABLE
            return int.from_bytes(self._table[at : at + 4], "little")
        return None

    # -- frames ------------------------------------------------------------------------------------

    def hash(self, frame: bytes, headers: RxHeaders) -> tuple[int, int]:
        """(hash, type): over the addresses, and the ports of whole TCP and UDP."""
        begin, end = _ADDRESSES[headers.version]
        l3 = headers.l3
        flow = frame[l3 + begin : l3 + end]
        kind = HASH_IPV4 if headers.version == 4 else HASH_IPV6
        l4 = headers.l4
        if headers.proto:
            flow += frame[l4 : l4 + _PORTS]
            kind += HASH_PORTS
        value = self._flows.get(flow)
        if value is None:
            value = toeplitz(bytes(self._key), flow)
            if len(self._flows) >= _CACHED:
                self._flows.clear()
            self._flows[flow] = value
        return value, kind

    def queue(self, value: int) -> int:
        """The queue that the table gives for a hash."""
        return self._table[value & TABLE_ENTRIES - 1]
