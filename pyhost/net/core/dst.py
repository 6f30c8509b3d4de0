"""dst_entry: where a packet goes next, found by a route look-up and kept on socket and packet.
Linux: include/net/dst.h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = ["DstEntry"]

DstOutput = Callable[["Net", "Sock | None", "SkBuff"], int]


class DstEntry:
    """Linux: struct dst_entry and struct rtable.

    `gateway` is the next hop (host order), 0 when the destination is on the link. `genid` is the
    state of the routing table in which the entry was made: an entry of an older state is obsolete.
    `pmtu` is a learned path MTU (0: none) that is valid until `pmtu_expires` (ns);
    `mtu_locked` tells that the path's MTU is too small to be followed, so that DF is not set.
    """

    __slots__ = (
        "dev", "gateway", "genid", "input", "metric_mtu", "mtu_locked", "net", "output", "pmtu",
        "pmtu_expires", "saddr", "type",
    )  # fmt: skip

    def __init__(
        self, net: Net, dev: NetDevice, saddr: int, gateway: int, route_type: int, output: DstOutput
    ) -> None:
        self.net = net
        self.dev = dev
        self.saddr = saddr
        self.gateway = gateway
        self.type = route_type
        self.output = output
        self.input: Callable[[SkBuff], int] | None = None
        self.genid = net.rt_genid
        self.metric_mtu = 0
        self.mtu_locked = False
        self.pmtu = 0
        self.pmtu_expires = 0

    def check(self) -> bool:
        """Whether the entry may still be used. Linux: dst_check, ipv4_dst_check."""
        return self.genid == self.net.rt_genid

    def mtu(self) -> int:
        """The path MTU in bytes. Linux: dst_mtu, ipv4_mtu."""
        if self.pmtu and self.net.kernel.clock.now < self.pmtu_expires:
            return self.pmtu
        return min(self.metric_mtu or self.dev.mtu, 65535)
