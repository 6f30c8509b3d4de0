"""`ip link { set | show }`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import Command, Words, answer, device, hardware_address, pick
from pyhost.net.core.dev import dev_change_mtu, dev_change_tx_queue_len, dev_close, dev_open
from pyhost.net.core.netdevice import (
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_NOARP,
    IFF_PROMISC,
    IFF_UP,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = ["link_lines", "run"]

FLAG_NAMES = (
    (IFF_LOOPBACK, "LOOPBACK"),
    (IFF_BROADCAST, "BROADCAST"),
    (IFF_NOARP, "NOARP"),
    (IFF_PROMISC, "PROMISC"),
    (IFF_UP, "UP"),
)
FLAG_WORDS = {"promisc": (IFF_PROMISC, True), "arp": (IFF_NOARP, False)}
"""Word: its flag, and whether `on` sets it."""


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
            dev.addr = hardware_address(words.next())
        elif word in FLAG_WORDS:
            flag, sets = FLAG_WORDS[word]
            dev.flags = dev.flags | flag if _on_off(words) is sets else dev.flags & ~flag
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
        for line in link_lines(dev, mode=" mode DEFAULT")
    ]
    return "".join(f"{line}\n" for line in lines)


def link_lines(dev: NetDevice, mode: str = "") -> list[str]:
    """The two lines of a device. iproute2: print_linkinfo."""
    flags = [name for bit, name in FLAG_NAMES if dev.flags & bit]
    up = dev.flags & IFF_UP
    if up:
        flags = [*flags, "LOWER_UP"] if dev.carrier else ["NO-CARRIER", *flags]
    loopback = dev.flags & IFF_LOOPBACK
    state = "UNKNOWN" if loopback and up else "UP" if up and dev.carrier else "DOWN"
    qdisc = "noop" if dev.qdisc is None else dev.qdisc.ops.id
    kind = "loopback" if loopback else "ether"
    broadcast = bytes(6) if loopback else dev.broadcast
    return [
        f"{dev.ifindex}: {dev.name}: <{','.join(flags)}> mtu {dev.mtu} qdisc {qdisc} "
        f"state {state}{mode} group default qlen {dev.tx_queue_len}",
        f"    link/{kind} {dev.addr.hex(':')} brd {broadcast.hex(':')}",
    ]


COMMANDS: dict[str, Command] = {"set": _set, "show": _show, "list": _show, "lst": _show}
