"""Sizes and times of the card that no register sets."""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs

__all__ = [
    "DESC_BURST", "DOORBELL_LATENCY_NS", "ETH_TAG", "FCS_BYTES", "MAX_FRAME", "MAX_HDR_LEN",
    "MAX_QUEUES", "MAX_SEGMENT", "MAX_SEGS", "MIN_FRAME", "PREAMBLE_BYTES", "QUEUES",
    "READ_LATENCY_NS", "TAG_PLACE", "WIRE_OVERHEAD",
]  # fmt: skip

QUEUES = 8
"""Queues of each direction, as the RTL's default."""
MAX_QUEUES = 32

READ_LATENCY_NS = 300
"""A register read over the bus and back."""
DOORBELL_LATENCY_NS = 500
"""From the doorbell of an idle card to the first bit: posted write, descriptor read and data read
over the bus.
"""

DESC_BURST = 8
"""Most descriptors in one read."""
MAX_SEGS = regs.MAX_SEGS_SEGMENTS_RST
MAX_SEGMENT = 65536
"""Most bytes of a segment, and most payload of a super-packet."""
MAX_HDR_LEN = 192

MIN_FRAME = 60
MAX_FRAME = 9600
"""Longest frame without FCS, as the RTL's default; a VLAN tag comes on top of it."""
ETH_TAG = 4
TAG_PLACE = 12
"""Where the tag is put in; what is before it can be part of no sum then."""
PREAMBLE_BYTES = 8
FCS_BYTES = 4
WIRE_OVERHEAD = PREAMBLE_BYTES + FCS_BYTES + regs.LINK_CFG_IFG_RST
"""What a frame takes on the wire beside itself, as rate limits count it."""
