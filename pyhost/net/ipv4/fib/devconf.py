"""Settings of the interfaces: `net.ipv4.conf.all.*`. Linux: net/ipv4/devinet.c.

Difference: one set serves all interfaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.sysctl import SysctlTable, whole_number

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["Ipv4Devconf"]

SETTINGS = {
    "forwarding": (0, 1),
    "rp_filter": (0, 2),
    "accept_redirects": (1, 1),
    "send_redirects": (1, 1),
    "accept_local": (0, 1),
    "arp_accept": (0, 1),
    "arp_announce": (0, 2),
    "arp_ignore": (0, 8),
    "arp_notify": (0, 1),
}
"""Name: (default, greatest value)."""


class Ipv4Devconf:
    """Linux: struct ipv4_devconf. Whatever is changed makes cached routes obsolete."""

    accept_local: int
    accept_redirects: int
    arp_accept: int
    arp_announce: int
    arp_ignore: int
    arp_notify: int
    forwarding: int
    rp_filter: int
    send_redirects: int

    def __init__(self, net: Net, table: SysctlTable) -> None:
        self.__dict__["net"] = net
        for name, (default, maximum) in SETTINGS.items():
            self.__dict__[name] = default
            parse = whole_number(0, maximum)
            table.register(f"net.ipv4.conf.all.{name}", self, name, parse)
        table.register("net.ipv4.ip_forward", self, "forwarding", whole_number(0, 1))

    def __setattr__(self, name: str, value: int) -> None:
        """Linux: devinet_conf_proc, rt_cache_flush."""
        self.__dict__[name] = value
        self.__dict__["net"].rt_genid += 1
