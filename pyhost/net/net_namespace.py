"""The network side of one machine. Linux: include/net/net_namespace.h.

Each part of the stack registers itself here when the machine boots (`pyhost.boot`): packet types,
protocols, socket families, tables, sysctls. What Linux keeps in global variables hangs on this
object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import SkbPool

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.core.dev import Softnet
    from pyhost.net.core.neighbour import NeighTable
    from pyhost.net.core.netdevice import NetDevice, PacketType
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.fib.route import Routing
    from pyhost.net.ipv4.icmp import IcmpNet
    from pyhost.net.ipv4.ip.ip_fragment import IpFrags
    from pyhost.net.ipv4.netns_ipv4 import NetnsIpv4
    from pyhost.net.ipv4.raw import RawSock
    from pyhost.net.ipv4.tcp.tcp import TcpNet
    from pyhost.net.ipv4.udp.udp_table import UdpTable
    from pyhost.net.netfilter.core import NfHooks
    from pyhost.net.netfilter.ip_tables import XtNet
    from pyhost.net.netfilter.nf_conntrack_net import NfConntrackNet
    from pyhost.net.sched.qdisc import Qdisc
    from pyhost.net.socket import Socket
    from pyhost.net.unix_sock import UnixSock
    from pyhost.net.xfrm.xfrm_state import XfrmNet
    from pyhost.security.hooks import SecurityHooks

__all__ = ["Net"]

PacketHandler = Callable[["SkBuff", "NetDevice"], int]
ProtocolHandler = Callable[["SkBuff"], int]
FamilyCreate = Callable[["Net", "Socket", int], int]


class Net:
    """Linux: struct net. Created empty; each subsystem's `*_init(net)` fills its part.

    - `ptype_base[ethertype]`: `handler(skb, dev)`; `ptype_all`: taps (`PacketType`), called with a
      shared clone
    - `inet_protos[protocol]`: `handler(skb)` for IPv4, network header stripped
    - `families[family]`: `create(net, sock, protocol) -> 0 or -errno`
    - `mib`: SNMP and netstat counters under their Linux names (`TcpOutSegs`, `IpOutRequests`,
      `TCPBacklogDrop`); `mib_shown`: what the administrator has last seen of them (nstat)
    - `rt_genid`: goes up when routes or addresses change, and makes cached dst entries obsolete
    """

    nf: NfHooks
    ct: NfConntrackNet
    xt: XtNet
    xfrm: XfrmNet
    fib: Routing
    arp_tbl: NeighTable
    frags: IpFrags
    icmp: IcmpNet
    ipv4: NetnsIpv4
    tcp: TcpNet
    udp: UdpTable
    raw: dict[int, list[RawSock]]
    softnet: Softnet
    security: SecurityHooks

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.skbs = SkbPool(kernel)
        self.mib: dict[str, int] = {}
        self.mib_shown: dict[str, int] = {}
        self.rt_genid = 0
        self.devices: dict[str, NetDevice] = {}
        self.ptype_base: dict[int, PacketHandler] = {}
        self.ptype_all: list[PacketType] = []
        self.inet_protos: dict[int, ProtocolHandler] = {}
        self.families: dict[int, FamilyCreate] = {}
        self.sockets_in_use = 0
        self.last_cookie = 0
        self.unix_names: dict[bytes, UnixSock] = {}

    @property
    def drops(self) -> dict[str, int]:
        """Packets thrown away, by reason."""
        return self.skbs.drops

    def count(self, name: str, by: int = 1) -> None:
        """Add to a MIB counter. Linux: NET_INC_STATS, NET_ADD_STATS."""
        mib = self.mib
        mib[name] = mib.get(name, 0) + by

    def netif_schedule(self, qdisc: Qdisc) -> None:
        """Run `qdisc` in NET_TX softirq. Linux: __netif_schedule."""
        self.softnet.netif_schedule(qdisc)
