"""The IPv4 addresses of interfaces, asked for by ioctl. Linux: net/ipv4/devinet.c."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.dev_ioctl import ifreq_device, ifreq_name, make_ifreq
from pyhost.net.ipv4.fib.devinet import InIfaddr, all_addresses
from pyhost.uapi.errno import EADDRNOTAVAIL, EFAULT, ENODEV
from pyhost.uapi.socket import pack_sockaddr_in
from pyhost.uapi.sockios import (
    IFCONF,
    IFREQ_SIZE,
    SIOCGIFADDR,
    SIOCGIFBRDADDR,
    SIOCGIFDSTADDR,
    SIOCGIFNETMASK,
)

if TYPE_CHECKING:
    from pyhost.mm.mmap import MmStruct
    from pyhost.net.net_namespace import Net

__all__ = ["DEVINET_COMMANDS", "devinet_ioctl", "inet_gifconf"]

GETTERS: dict[int, Callable[[InIfaddr], int]] = {
    SIOCGIFADDR: lambda ifa: ifa.local,
    SIOCGIFDSTADDR: lambda ifa: ifa.peer,
    SIOCGIFBRDADDR: lambda ifa: ifa.broadcast,
    SIOCGIFNETMASK: lambda ifa: ifa.mask,
}

DEVINET_COMMANDS = frozenset(GETTERS)


def devinet_ioctl(net: Net, cmd: int, ifreq: bytes) -> bytes | int:
    """The struct ifreq with an address of the interface's first one; -ENODEV, -EADDRNOTAVAIL.

    Linux: devinet_ioctl.
    """
    dev = ifreq_device(net, ifreq)
    if dev is None:
        return -ENODEV
    if not dev.ifa_list:
        return -EADDRNOTAVAIL
    addr = GETTERS[cmd](dev.ifa_list[0])
    return make_ifreq(ifreq_name(ifreq), pack_sockaddr_in(addr, 0))


def inet_gifconf(net: Net, mm: MmStruct, arg: int) -> int:
    """SIOCGIFCONF: a struct ifreq for each address, as many as there is room for; without a place
    for them, the room that all of them need. 0 or -EFAULT. Linux: dev_ifconf, inet_gifconf.
    """
    raw = mm.get_user(arg, IFCONF.size)
    if raw is None:
        return -EFAULT
    room, where = IFCONF.unpack(raw)
    entries = [
        make_ifreq(dev.name, pack_sockaddr_in(ifa.local, 0)) for dev, ifa in all_addresses(net)
    ]
    if where:
        entries = entries[: max(room, 0) // IFREQ_SIZE]
        if not mm.put_user(where, b"".join(entries)):
            return -EFAULT
    size = len(entries) * IFREQ_SIZE
    return 0 if mm.put_user(arg, IFCONF.pack(size, where)) else -EFAULT
