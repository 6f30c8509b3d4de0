"""What the card says of a received frame: everything in its completion but the buffers.

Hardware: hdl/rx/hnic_rx_pipe.v.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    RXC_CSUM_OK,
    RXC_CSUM_SHIFT,
    RXC_HASH_SHIFT,
    RXC_HASH_TYPE_SHIFT,
    RXC_IP_OK,
    RXC_VLAN,
)
from pyhost.drivers.net.hnic_model.csum_check import (
    CSUM_BAD,
    CSUM_GOOD,
    ipv4_header_ok,
    l4_csum,
)
from pyhost.drivers.net.hnic_model.rss import Rss
from pyhost.drivers.net.hnic_model.rx_parse import rx_parse
from pyhost.net.core.checksum import csum_bytes
from pyhost.uapi.ethernet import ETH_HLEN, ETH_P_8021Q, OFF_TYPE, VLAN_HLEN

__all__ = ["RxFrame", "rx_examine"]

_STRIP = 1 << regs.RX_CTRL_VLAN_STRIP_LSB
_RSS = 1 << regs.RX_CTRL_RSS_LSB
_TAG_TYPE = ETH_P_8021Q.to_bytes(2, "big")
_TAG_TCI = OFF_TYPE + 2
_TAG_END = OFF_TYPE + VLAN_HLEN


class RxFrame:
    """`data` is the frame as it goes to memory, `shape` and `last` the third and fourth quadword
    of its completion (without BUFS, HEAD, STATUS and PHASE), `csum_bad` says that a TCP
    or UDP checksum is wrong.
    """

    __slots__ = ("csum_bad", "data", "key", "last", "queue", "shape", "start_ns")

    def __init__(self, data: bytes, key: int, start_ns: int) -> None:
        self.data = data
        self.key = key
        self.start_ns = start_ns
        self.queue = 0
        self.shape = self.last = 0
        self.csum_bad = False


def rx_examine(data: bytes, key: int, start_ns: int, control: int, rss: Rss) -> RxFrame:
    """Look at a frame; `control` is RX_CTRL."""
    last = 0
    if control & _STRIP and data[OFF_TYPE:_TAG_TCI] == _TAG_TYPE:
        last = int.from_bytes(data[_TAG_TCI:_TAG_END], "big") | RXC_VLAN
        data = data[:OFF_TYPE] + data[_TAG_END:]
    frame = RxFrame(data, key, start_ns)
    raw = csum_bytes(memoryview(data)[ETH_HLEN:])
    shape = len(data) | raw << RXC_CSUM_SHIFT
    headers = rx_parse(data, bool(last))
    if headers is not None:
        if ipv4_header_ok(data, headers):
            last |= RXC_IP_OK
        verdict = l4_csum(data, headers, raw)
        if verdict == CSUM_GOOD:
            last |= RXC_CSUM_OK
        frame.csum_bad = verdict == CSUM_BAD
        if control & _RSS:
            value, kind = rss.hash(data, headers)
            shape |= value << RXC_HASH_SHIFT
            last |= kind << RXC_HASH_TYPE_SHIFT
            frame.queue = rss.queue(value)
    frame.shape = shape
    frame.last = last
    return frame
