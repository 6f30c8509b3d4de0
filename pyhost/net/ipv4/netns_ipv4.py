"""What IPv4 keeps for one machine beside its tables: settings and identification counters.

Linux: include/net/netns/ipv4.h, net/ipv4/sysctl_net_ipv4.c, net/ipv4/route.c (ip_idents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.kernel.sysctl import SysctlError, SysctlTable, whole_number, whole_numbers
from pyhost.net.ipv4.fib.devconf import Ipv4Devconf
from pyhost.uapi.ip import IPDEFTTL

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["NetnsIpv4"]

IP_IDENTS_SZ = 2048

PORT_MAX = 65535


class NetnsIpv4:
    """Linux: struct netns_ipv4, without what TCP keeps for itself on `net.tcp`.

    Times are in the units of the sysctl: `sysctl_icmp_ratelimit` ms, `sysctl_ipfrag_time` and
    `sysctl_ip_rt_mtu_expires` s.
    """

    __slots__ = (
        "_idents",
        "_idents_seed",
        "_kernel",
        "devconf",
        "sysctl_icmp_echo_ignore_all",
        "sysctl_icmp_echo_ignore_broadcasts",
        "sysctl_icmp_msgs_burst",
        "sysctl_icmp_msgs_per_sec",
        "sysctl_icmp_ratelimit",
        "sysctl_icmp_ratemask",
        "sysctl_ip_default_ttl",
        "sysctl_ip_forward_use_pmtu",
        "sysctl_ip_local_port_range",
        "sysctl_ip_no_pmtu_disc",
        "sysctl_ip_nonlocal_bind",
        "sysctl_ip_rt_gc_timeout",
        "sysctl_ip_rt_min_advmss",
        "sysctl_ip_rt_min_pmtu",
        "sysctl_ip_rt_mtu_expires",
        "sysctl_ipfrag_high_thresh",
        "sysctl_ipfrag_low_thresh",
        "sysctl_ipfrag_max_dist",
        "sysctl_ipfrag_time",
        "sysctl_udp_rmem_min",
        "sysctl_udp_wmem_min",
    )  # fmt: skip

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._idents = [(kernel.random.getrandbits(16), 0)] * IP_IDENTS_SZ
        self._idents_seed = kernel.random.getrandbits(32)
        self.sysctl_ip_default_ttl = IPDEFTTL
        self.sysctl_ip_no_pmtu_disc = 0
        self.sysctl_ip_nonlocal_bind = 0
        self.sysctl_ip_local_port_range = (32768, 60999)
        self.sysctl_ip_rt_min_pmtu = 552
        self.sysctl_ip_rt_mtu_expires = 600
        self.sysctl_ip_rt_min_advmss = 256
        self.sysctl_ip_rt_gc_timeout = 300
        self.sysctl_ip_forward_use_pmtu = 0
        self.sysctl_ipfrag_high_thresh = 4 << 20
        self.sysctl_ipfrag_low_thresh = 3 << 20
        self.sysctl_ipfrag_time = 30
        self.sysctl_ipfrag_max_dist = 64
        self.sysctl_icmp_ratelimit = 1000
        self.sysctl_icmp_ratemask = 0x1818
        self.sysctl_icmp_msgs_per_sec = 1000
        self.sysctl_icmp_msgs_burst = 50
        self.sysctl_icmp_echo_ignore_all = 0
        self.sysctl_icmp_echo_ignore_broadcasts = 1
        self.sysctl_udp_rmem_min = 4096
        self.sysctl_udp_wmem_min = 4096
        self.devconf = Ipv4Devconf(kernel.net, kernel.sysctl)
        self._register(kernel.sysctl)

    def _register(self, table: SysctlTable) -> None:
        """Give the settings their names.

        Linux: ipv4_net_table, ipv4_route_table, ip4_frags_ns_ctl_table.
        """
        number, flag = whole_number(0), whole_number(0, 1)
        settings = {
            "ip_default_ttl": ("sysctl_ip_default_ttl", whole_number(1, 255)),
            "ip_no_pmtu_disc": ("sysctl_ip_no_pmtu_disc", whole_number(0, 3)),
            "ip_nonlocal_bind": ("sysctl_ip_nonlocal_bind", flag),
            "route.min_pmtu": ("sysctl_ip_rt_min_pmtu", whole_number(68)),
            "route.min_adv_mss": ("sysctl_ip_rt_min_advmss", number),
            "route.gc_timeout": ("sysctl_ip_rt_gc_timeout", number),
            "ip_forward_use_pmtu": ("sysctl_ip_forward_use_pmtu", flag),
            "route.mtu_expires": ("sysctl_ip_rt_mtu_expires", number),
            "ipfrag_high_thresh": ("sysctl_ipfrag_high_thresh", number),
            "ipfrag_low_thresh": ("sysctl_ipfrag_low_thresh", number),
            "ipfrag_time": ("sysctl_ipfrag_time", number),
            "ipfrag_max_dist": ("sysctl_ipfrag_max_dist", number),
            "icmp_ratelimit": ("sysctl_icmp_ratelimit", number),
            "icmp_ratemask": ("sysctl_icmp_ratemask", number),
            "icmp_msgs_per_sec": ("sysctl_icmp_msgs_per_sec", number),
            "icmp_msgs_burst": ("sysctl_icmp_msgs_burst", number),
            "icmp_echo_ignore_all": ("sysctl_icmp_echo_ignore_all", flag),
            "icmp_echo_ignore_broadcasts": ("sysctl_icmp_echo_ignore_broadcasts", flag),
            "udp_rmem_min": ("sysctl_udp_rmem_min", whole_number(1)),
            "udp_wmem_min": ("sysctl_udp_wmem_min", whole_number(1)),
        }
        for name, (attribute, parse) in settings.items():
            table.register(f"net.ipv4.{name}", self, attribute, parse)
        table.register(
            "net.ipv4.ip_local_port_range", self, "sysctl_ip_local_port_range", _port_range
        )

    def ip_idents_reserve(self, saddr: int, daddr: int, protocol: int, segs: int) -> int:
        """Take `segs` identifications for packets between two hosts; the first of them.

        One counter serves all flows that hash to it. It moves on by a random step that is at most
        the ms since its last use, so that an outsider cannot count our packets. Linux:
        net/ipv4/route.c __ip_select_ident, ip_idents_reserve.
        """
        index = hash((saddr, daddr, protocol, self._idents_seed)) % IP_IDENTS_SZ
        value, stamp = self._idents[index]
        now = self._kernel.clock.now // NSEC_PER_MSEC
        step = segs
        if now != stamp:
            step += self._kernel.random.randrange(now - stamp)
        value = value + step & 0xFFFF
        self._idents[index] = (value, now)
        return value - segs & 0xFFFF


def _port_range(text: str) -> tuple[int, ...]:
    """Two ports, low and high. Linux: ipv4_local_port_range."""
    low, high = whole_numbers(2, 1, PORT_MAX)(text)
    if high < low:
        raise SysctlError(f"{low} to {high} is no range")
    return low, high
