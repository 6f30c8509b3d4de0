"""What the card changes in a frame that it does not cut: checksums, VLAN tag, padding.

Hardware: hdl/dma/hnic_tx_edit.v, hdl/offload/hnic_csum.v. Positions count in the frame as it lies
in memory, so the tag comes after the checksums.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic_model.limits import MIN_FRAME
from pyhost.net.core.checksum import csum_bytes, csum_fold
from pyhost.uapi.ethernet import ETH_ALEN, ETH_P_8021Q

__all__ = ["insert_csum", "insert_ip_csum", "insert_tag", "pad"]

_TAG_POS = 2 * ETH_ALEN
_IP_CSUM = 10


def insert_csum(frame: bytes, start: int, pos: int) -> bytes:
    """Checksum from `start` to the end (RFC 1071) into `pos`; a result of 0 becomes 0xffff, which
    UDP needs and TCP may have.
    """
    value = csum_fold(csum_bytes(memoryview(frame)[start:])) or 0xFFFF
    return b"".join((frame[:pos], value.to_bytes(2, "big"), frame[pos + 2 :]))


def insert_ip_csum(frame: bytes, start: int) -> bytes:
    """The header checksum of the IPv4 header at `start` (RFC 791), whatever stood in its place."""
    pos = start + _IP_CSUM
    header = bytearray(frame[start : start + (frame[start] & 15) * 4])
    header[_IP_CSUM : _IP_CSUM + 2] = bytes(2)
    value = csum_fold(csum_bytes(header))
    return b"".join((frame[:pos], value.to_bytes(2, "big"), frame[pos + 2 :]))


def insert_tag(frame: bytes, tci: int) -> bytes:
    """An 802.1Q tag behind the two addresses; a frame that has no more than these gets none."""
    if len(frame) <= _TAG_POS:
        return frame
    tag = (ETH_P_8021Q << 16 | tci).to_bytes(4, "big")
    return b"".join((frame[:_TAG_POS], tag, frame[_TAG_POS:]))


def pad(frame: bytes) -> bytes:
    """At least 60 bytes."""
    return frame if len(frame) >= MIN_FRAME else frame.ljust(MIN_FRAME, b"\0")
