"""What a program may ask about an interface through any socket. Linux: net/core/dev_ioctl.c.

Addresses of a family are the family's business (`ProtoOps.if_ioctl`). Interfaces are changed with
`ip` and `ethtool` alone (pyhost/admin), not with ioctls, but for the timestamps that a card takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.dev import dev_get_by_index, dev_get_by_name
from pyhost.net.core.netdevice import IFF_LOOPBACK
from pyhost.uapi.errno import EFAULT, EINVAL, ENODEV, ENOTTY, EOPNOTSUPP, ERANGE
from pyhost.uapi.ethernet import ARPHRD_ETHER, ARPHRD_LOOPBACK
from pyhost.uapi.net_tstamp import (
    HWTSTAMP_CONFIG,
    HWTSTAMP_FILTER_LAST,
    HWTSTAMP_TX_ON,
    HwtstampConfig,
)
from pyhost.uapi.socket import INT
from pyhost.uapi.sockios import (
    IFNAMSIZ,
    IFREQ_SIZE,
    SIOCGHWTSTAMP,
    SIOCGIFFLAGS,
    SIOCGIFHWADDR,
    SIOCGIFINDEX,
    SIOCGIFMETRIC,
    SIOCGIFMTU,
    SIOCGIFNAME,
    SIOCGIFTXQLEN,
    SIOCSHWTSTAMP,
)

if TYPE_CHECKING:
    from pyhost.mm.mmap import MmStruct
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net
    from pyhost.net.socket import Socket

__all__ = ["dev_ioctl", "ifreq_device", "ifreq_name", "make_ifreq"]


def ifreq_name(ifreq: bytes) -> str:
    """The interface's name in a struct ifreq, without what an alias adds to it."""
    name = ifreq[: IFNAMSIZ - 1].split(b"\0", 1)[0]
    return name.split(b":", 1)[0].decode(errors="replace")


def ifreq_device(net: Net, ifreq: bytes) -> NetDevice | None:
    """The interface that a struct ifreq names."""
    return dev_get_by_name(net, ifreq_name(ifreq))


def make_ifreq(name: str, value: bytes) -> bytes:
    """A struct ifreq with `value` as its union."""
    return (name.encode().ljust(IFNAMSIZ, b"\0") + value).ljust(IFREQ_SIZE, b"\0")


def _hwaddr(dev: NetDevice) -> bytes:
    """A struct sockaddr with the hardware's type as family."""
    hatype = ARPHRD_LOOPBACK if dev.flags & IFF_LOOPBACK else ARPHRD_ETHER
    return hatype.to_bytes(2, "little") + dev.addr


GETTERS: dict[int, Callable[[NetDevice], bytes]] = {
    SIOCGIFFLAGS: lambda dev: (dev.flags & 0xFFFF).to_bytes(2, "little"),
    SIOCGIFMETRIC: lambda _dev: INT.pack(0),
    SIOCGIFMTU: lambda dev: INT.pack(dev.mtu),
    SIOCGIFHWADDR: _hwaddr,
    SIOCGIFINDEX: lambda dev: INT.pack(dev.ifindex),
    SIOCGIFTXQLEN: lambda dev: INT.pack(dev.tx_queue_len),
}


def _dev_ifname(net: Net, ifreq: bytes) -> bytes | int:
    """The name that belongs to a number. Linux: dev_ifname."""
    dev = dev_get_by_index(net, INT.unpack_from(ifreq, IFNAMSIZ)[0])
    return -ENODEV if dev is None else make_ifreq(dev.name, ifreq[IFNAMSIZ:])


def _dev_ifsioc(net: Net, cmd: int, ifreq: bytes) -> bytes | int:
    """Linux: dev_ifsioc_locked."""
    getter = GETTERS.get(cmd)
    if getter is None:
        return -ENOTTY
    dev = ifreq_device(net, ifreq)
    return -ENODEV if dev is None else make_ifreq(ifreq_name(ifreq), getter(dev))


def _dev_hwtstamp(mm: MmStruct, net: Net, cmd: int, ifreq: bytes) -> int:
    """Ask which packets a card timestamps, or set it: a struct hwtstamp_config where ifr_data
    points. Linux: dev_get_hwtstamp, dev_set_hwtstamp, net_hwtstamp_validate.

    -ENODEV; -EOPNOTSUPP: the device takes no timestamps; -EFAULT; -EINVAL: unknown flags; -ERANGE:
    the device cannot do that.
    """
    dev = ifreq_device(net, ifreq)
    if dev is None:
        return -ENODEV
    verb = "ndo_hwtstamp_set" if cmd == SIOCSHWTSTAMP else "ndo_hwtstamp_get"
    method = getattr(dev.ops, verb, None)
    if method is None:
        return -EOPNOTSUPP
    where = int.from_bytes(ifreq[IFNAMSIZ : IFNAMSIZ + 8], "little")
    if cmd == SIOCSHWTSTAMP:
        raw = mm.get_user(where, HWTSTAMP_CONFIG.size)
        if raw is None:
            return -EFAULT
        flags, tx_type, rx_filter = HWTSTAMP_CONFIG.unpack(raw)
        if flags:
            return -EINVAL
        if not 0 <= tx_type <= HWTSTAMP_TX_ON or not 0 <= rx_filter <= HWTSTAMP_FILTER_LAST:
            return -ERANGE
        config = method(dev, HwtstampConfig(tx_type, rx_filter))
    else:
        config = method(dev)
    if not isinstance(config, HwtstampConfig):
        return int(config)
    answer = HWTSTAMP_CONFIG.pack(0, config.tx_type, config.rx_filter)
    return 0 if mm.put_user(where, answer) else -EFAULT


def dev_ioctl(mm: MmStruct, sock: Socket, cmd: int, arg: int) -> int:
    """An ioctl with a struct ifreq at `arg`: 0, -EFAULT, -ENODEV, -ENOTTY, what the family says.

    Linux: sock_do_ioctl, dev_ioctl.
    """
    family_ioctl = sock.ops.if_ioctl
    of_family = family_ioctl is not None and cmd in family_ioctl.commands
    hwtstamp = cmd in (SIOCSHWTSTAMP, SIOCGHWTSTAMP)
    if not of_family and cmd != SIOCGIFNAME and cmd not in GETTERS and not hwtstamp:
        return -ENOTTY
    ifreq = mm.get_user(arg, IFREQ_SIZE)
    if ifreq is None:
        return -EFAULT
    if hwtstamp:
        return _dev_hwtstamp(mm, sock.net, cmd, ifreq)
    if family_ioctl is not None and of_family:
        answer = family_ioctl.call(sock.net, cmd, ifreq)
    elif cmd == SIOCGIFNAME:
        answer = _dev_ifname(sock.net, ifreq)
    else:
        answer = _dev_ifsioc(sock.net, cmd, ifreq)
    if isinstance(answer, int):
        return answer
    return 0 if mm.put_user(arg, answer) else -EFAULT
