"""Which frames the host wants, by their destination address.

Hardware: hdl/rx/hnic_rx_filter.v.
"""

from __future__ import annotations

import zlib

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.uapi.ethernet import ETH_ALEN, ETH_BROADCAST

__all__ = ["RxFilter", "mc_hash"]

_PROMISC = 1 << regs.RX_CTRL_PROMISC_LSB
_ALLMULTI = 1 << regs.RX_CTRL_ALLMULTI_LSB
_BROADCAST = 1 << regs.RX_CTRL_BROADCAST_LSB
_U32 = 0xFFFFFFFF
_HASH_SHIFT = 26


def mc_hash(addr: bytes) -> int:
    """The bit of MC_HASH that a multicast address belongs to: the top 6 bits of the CRC-32 register
    behind it. Linux: ether_crc_le >> 26.
    """
    return (zlib.crc32(addr) ^ _U32) >> _HASH_SHIFT


class RxFilter:
    """`mac` is the station's address, `control` RX_CTRL, `mc_bits` both MC_HASH registers."""

    __slots__ = ("control", "mac", "mc_bits")

    def __init__(self, mac: bytes) -> None:
        self.mac = mac
        self.reset()

    def reset(self) -> None:
        """As after reset of the card, which keeps the address."""
        self.control = regs.RX_CTRL_RST
        self.mc_bits = 0

    def wants(self, frame: bytes) -> bool:
        """Whether the host wants a frame."""
        dest = frame[:ETH_ALEN]
        control = self.control
        if dest == self.mac or control & _PROMISC:
            return True
        if not dest[0] & 1:
            return False
        if dest == ETH_BROADCAST:
            return bool(control & _BROADCAST)
        return bool(control & _ALLMULTI or self.mc_bits >> mc_hash(dest) & 1)
