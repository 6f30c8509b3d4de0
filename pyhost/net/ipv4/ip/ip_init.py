"""Bringing up IPv4 on a machine.

Linux: net/ipv4/ip_output.c ip_init, and the parts of af_inet.c inet_init below the sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.arp import arp_init
from pyhost.net.ipv4.fib.route import ip_rt_init
from pyhost.net.ipv4.icmp import icmp_init
from pyhost.net.ipv4.ip.ip_forward import ip_forward
from pyhost.net.ipv4.ip.ip_fragment import ipfrag_init
from pyhost.net.ipv4.ip.ip_input import ip_local_deliver, ip_rcv
from pyhost.net.ipv4.ip.ip_output import ip_mc_output, ip_output
from pyhost.net.ipv4.netns_ipv4 import NetnsIpv4
from pyhost.net.ipv4.raw import raw_init
from pyhost.net.ipv4.udp.udp import udp_init
from pyhost.uapi.ethernet import ETH_P_IP

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["ip_init"]


def ip_init(net: Net) -> None:
    """Settings, tables and protocols of IPv4; the device layer and the empty hook table are there
    already.

    Linux: ip_init.
    """
    net.ipv4 = NetnsIpv4(net.kernel)
    ip_rt_init(net, ip_output, ip_mc_output, ip_local_deliver, ip_forward)
    arp_init(net)
    icmp_init(net)
    ipfrag_init(net)
    udp_init(net)
    raw_init(net)
    net.ptype_base[ETH_P_IP] = ip_rcv
