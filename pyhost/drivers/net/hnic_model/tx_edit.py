"""What the card changes in a frame that it does not cut: checksums, VLAN tag, padding.

Hardware: hdl/dma/hnic_tx_edit.v, hdl/offload/hnic_csum.v. Positions count in the frame as it lies
in memory, so the tag comes after the checksums.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic_model.limits import MIN_FRAME
from pyhost.net.core.checksum import csum_bytes, csum_fold
from pyhost.uapi.ethernet import ETH_ALEN, ETH_P_8021Q

__all__ = ["IP_CSUM_POS", "insert_csum", "insert_tag", "ip_csum", "pad", "put_csum"]

_TAG_POS = 2 * ETH_ALEN
IP_CSUM_POS = 10
"""Where an IPv4 header has its checksum."""


def insert_csum(frame: bytes, start: int, pos: int) -> bytes:
    """Checksum from `start` to the end (RFC 1071) into `pos`; a result of 0 becomes 0xffff, which
    UDP needs and TCP may have.
    """
    value = csum_fold(csum_bytes(memoryview(frame)[start:])) or 0xFFFF
    return put_csum(frame, pos, value)


def put_csum(frame: bytes, pos: int, value: int) -> bytes:
    """`value` into the two bytes at `pos`."""
    return b"".join((frame[:pos], value.to_bytes(2, "big"), frame[pos + 2 :]))


def ip_csum(frame: bytes, start: int) -> int:
    """The header checksum of the IPv4 header at `start` (RFC 791), whose own field is 0."""
    return csum_fold(csum_bytes(frame[start : start + (frame[start] & 15) * 4]))


def insert_tag(frame: bytes, tci: int) -> bytes:
    """An 802.1Q tag behind the two addresses; a frame that has no more than these gets none."""
    if len(frame) <= _TAG_POS:
        return frame
    tag = (ETH_P_8021Q << 16 | tci).to_bytes(4, "big")
    return b"".join((frame[:_TAG_POS], tag, frame[_TAG_POS:]))


def pad(frame: bytes) -> bytes:
    """At least 60 bytes."""
    return frame if len(frame) >= MIN_FRAME else frame.ljust(MIN_FRAME, b"\0")
