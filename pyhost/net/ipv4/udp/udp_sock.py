"""struct udp_sock. Linux: include/linux/udp.h."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import Proto
from pyhost.net.ipv4.datagram import DatagramSock

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["UdpSock"]


class UdpSock(DatagramSock):
    """Linux: struct udp_sock.

    `corkflag` is the option UDP_CORK, `gso_size` UDP_SEGMENT. `autobound`: the first send or
    connect() chose the port.
    """

    __slots__ = ("autobound", "corkflag", "gso_size", "sk_drops")

    def __init__(self, net: Net, family: int, sock_type: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, sock_type, protocol, prot)
        self.corkflag = False
        self.gso_size = 0
        self.autobound = False
        self.sk_drops = 0
