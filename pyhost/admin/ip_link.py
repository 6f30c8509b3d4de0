"""`ip link { set | show | add | delete }`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_link_add import add_link, delete_link, vlan_details
from pyhost.admin.ip_words import Command, Words, answer, device, hardware_address, pick
from pyhost.net.core.dev import dev_change_mtu, dev_change_tx_queue_len, dev_close, dev_open
from pyhost.net.core.dev_addr import dev_set_allmulti, dev_set_mac_address, dev_set_promiscuity
from pyhost.net.core.netdevice import (
    IFF_ALLMULTI,
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_NOARP,
    IFF_PROMISC,
    IFF_UP,
)
from pyhost.net.vlan.vlan_dev import VlanDev

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = ["link_lines", "run"]

FLAG_NAMES = (
    (IFF_LOOPBACK, "LOOPBACK"),
    (IFF_BROADCAST, "BROADCAST"),
    (IFF_NOARP, "NOARP"),
    (IFF_ALLMULTI, "ALLMULTI"),
    (IFF_PROMISC, "PROMISC"),
    (IFF_UP, "UP"),
)
COUNTED = {
    "promisc": (IFF_PROMISC, dev_set_promiscuity),
    "allmulticast": (IFF_ALLMULTI, dev_set_allmulti),
}
"""Flags that stay while anybody wants them; an administrator is one of these (`dev.gflags`)."""


def run(net: Net, words: Words) -> str:
    """Carry out what follows `ip link`; nothing is `show`."""
    if not words:
        return _show(net, words)
    return pick(words.next(), COMMANDS, "Command", "ip link help")(net, words)


def _set(net: Net, words: Words) -> str:
    words.take("dev")
    dev = device(net, words.next())
    while words:
        word = words.next()
        if word in ("up", "down"):
            _in_task(dev, dev_open if word == "up" else dev_close)
        elif word == "mtu":
            _set_mtu(dev, _whole(words, "mtu"))
        elif word in ("txqueuelen", "txqlen", "qlen"):
            answer(dev_change_tx_queue_len(dev, _whole(words, "txqueuelen")))
        elif word == "address":
            answer(dev_set_mac_address(dev, hardware_address(words.next())))
        elif word == "arp":
            dev.flags = dev.flags & ~IFF_NOARP if _on_off(words) else dev.flags | IFF_NOARP
        elif word in COUNTED:
            _set_counted(dev, word, _on_off(words))
        else:
            raise CommandError(f'Error: either "dev" is duplicate, or "{word}" is a garbage.')
    return ""


def _in_task(dev: NetDevice, change: Callable[[NetDevice], int | None]) -> None:
    """Bring a device up or down: a driver may sleep over it, so outside of any task (when nobody
    waits for the answer) a kernel thread does it.
    """
    sched = dev.net.kernel.sched
    if sched.current is None:
        sched.spawn(lambda: change(dev), "ip")
    else:
        answer(change(dev) or 0)


def _whole(words: Words, name: str) -> int:
    word = words.next()
    if not word.isdigit():
        raise CommandError(f'Error: argument "{word}" is wrong: Invalid "{name}" value')
    return int(word)


def _set_mtu(dev: NetDevice, mtu: int) -> None:
    """Linux: dev_validate_mtu, dev_set_mtu."""
    if mtu < dev.min_mtu:
        raise CommandError("Error: mtu less than device minimum.")
    if mtu > dev.max_mtu:
        raise CommandError("Error: mtu greater than device maximum.")
    answer(dev_change_mtu(dev, mtu))


def _on_off(words: Words) -> bool:
    word = words.next()
    if word not in ("on", "off"):
        raise CommandError(f'Error: argument must be "on" or "off", not "{word}"')
    return word == "on"


def _set_counted(dev: NetDevice, word: str, on: bool) -> None:
    """Linux: __dev_change_flags."""
    flag, change = COUNTED[word]
    if bool(dev.gflags & flag) is not on:
        dev.gflags ^= flag
        change(dev, 1 if on else -1)


def _show(net: Net, words: Words) -> str:
    words.take("dev")
    chosen = list(net.devices.values())
    if words:
        name = words.next()
        if name not in net.devices:
            raise CommandError(f'Device "{name}" does not exist.')
        chosen = [net.devices[name]]
    lines = [
        line
        for dev in sorted(chosen, key=lambda each: each.ifindex)
        for line in link_lines(dev, mode=" mode DEFAULT", details=words.details)
    ]
    return "".join(f"{line}\n" for line in lines)


def link_lines(dev: NetDevice, mode: str = "", details: bool = False) -> list[str]:
    """The lines of a device. iproute2: print_linkinfo."""
    flags = [name for bit, name in FLAG_NAMES if dev.flags & bit]
    up = dev.flags & IFF_UP
    if up:
        flags = [*flags, "LOWER_UP"] if dev.carrier else ["NO-CARRIER", *flags]
    loopback = dev.flags & IFF_LOOPBACK
    state = "UNKNOWN" if loopback and up else "UP" if up and dev.carrier else "DOWN"
    qdisc = "noop" if dev.qdisc is None else dev.qdisc.ops.id
    kind = "loopback" if loopback else "ether"
    broadcast = bytes(6) if loopback else dev.broadcast
    name = f"{dev.name}@{dev.ops.real_dev.name}" if isinstance(dev.ops, VlanDev) else dev.name
    link = f"    link/{kind} {dev.addr.hex(':')} brd {broadcast.hex(':')}"
    if details:
        limits = f"minmtu {dev.min_mtu} maxmtu {dev.max_mtu}"
        link += f" promiscuity {dev.promiscuity} allmulti {dev.allmulti} {limits}"
        link += f"\n{more}" if (more := vlan_details(dev)) else ""
    return [
        f"{dev.ifindex}: {name}: <{','.join(flags)}> mtu {dev.mtu} qdisc {qdisc} "
        f"state {state}{mode} group default qlen {dev.tx_queue_len}",
        link,
    ]


COMMANDS: dict[str, Command] = {
    "set": _set,
    "show": _show,
    "list": _show,
    "lst": _show,
    "add": add_link,
    "delete": delete_link,
}
