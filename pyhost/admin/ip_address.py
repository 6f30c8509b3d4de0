"""`ip address { add | change | replace | del | show | flush }`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_link import link_lines
from pyhost.admin.ip_route_words import SCOPES, lookup_name, name_of
from pyhost.admin.ip_words import Command, Words, address, answer, device, dotted, pick
from pyhost.admin.ip_words import prefix as parse_prefix
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.ipv4.fib.devinet import InIfaddr, inet_add_addr, inet_del_addr
from pyhost.net.ipv4.fib.fib_semantics import inet_make_mask
from pyhost.uapi.errno import EEXIST
from pyhost.uapi.ip import INADDR_BROADCAST

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = ["run"]


def run(net: Net, words: Words) -> str:
    """Carry out what follows `ip address`; nothing is `show`."""
    if not words:
        return _show(net, words)
    return pick(words.next(), COMMANDS, "Command", "ip address help")(net, words)


class _Request:
    """What an address command names."""

    def __init__(self, net: Net, words: Words) -> None:
        self.dev: NetDevice | None = None
        self.local = self.peer = self.broadcast = 0
        self.prefixlen: int | None = None
        self.scope: int | None = None
        self.plus = False
        while words:
            self._take(net, words.next(), words)

    def _take(self, net: Net, word: str, words: Words) -> None:
        if word == "dev":
            self.dev = device(net, words.next())
        elif word == "peer":
            self.peer, self.prefixlen = parse_prefix(words.next())
        elif word in ("broadcast", "brd"):
            self.plus = words.take("+")
            if not self.plus:
                self.broadcast = address(words.next())
        elif word == "scope":
            self.scope = lookup_name(words.next(), SCOPES, "invalid scope value.", 255)
        elif word in ("label", "valid_lft", "preferred_lft"):
            words.next()
        else:
            self.local, length = parse_prefix(words.next() if word == "local" else word)
            self.prefixlen = length if self.prefixlen is None else self.prefixlen

    def device(self) -> NetDevice:
        """The device, without which nothing can be done."""
        if self.dev is None:
            raise CommandError('Not enough information: "dev" argument is required.')
        return self.dev

    def final_broadcast(self) -> int:
        """The broadcast address, `+` worked out."""
        if not self.plus or self.prefixlen is None:
            return self.broadcast
        return self.local | ~inet_make_mask(self.prefixlen) & INADDR_BROADCAST


def _add(net: Net, words: Words) -> str:
    _insert(_Request(net, words), replace=False)
    return ""


def _replace(net: Net, words: Words) -> str:
    _insert(_Request(net, words), replace=True)
    return ""


def _insert(request: _Request, *, replace: bool) -> None:
    extack = NetlinkExtAck()
    length = 32 if request.prefixlen is None else request.prefixlen
    err = inet_add_addr(
        request.device(), request.local, length, peer=request.peer,
        broadcast=request.final_broadcast(), scope=request.scope, extack=extack,
    )  # fmt: skip
    if not (replace and err == -EEXIST):
        answer(err, extack)


def _delete(net: Net, words: Words) -> str:
    request = _Request(net, words)
    extack = NetlinkExtAck()
    answer(inet_del_addr(request.device(), request.local, request.prefixlen, extack), extack)
    return ""


def _flush(net: Net, words: Words) -> str:
    dev = _Request(net, words).device()
    while dev.ifa_list:
        inet_del_addr(dev, dev.ifa_list[0].local, dev.ifa_list[0].prefixlen)
    return ""


def _show(net: Net, words: Words) -> str:
    chosen: list[NetDevice] = list(net.devices.values())
    while words:
        word = words.next()
        if word == "up":
            chosen = [dev for dev in chosen if dev.flags & 1]
        else:
            name = words.next() if word == "dev" else word
            if name not in net.devices:
                raise CommandError(f'Device "{name}" does not exist.')
            chosen = [net.devices[name]]
    out: list[str] = []
    for dev in sorted(chosen, key=lambda each: each.ifindex):
        out += link_lines(dev)
        for ifa in dev.ifa_list:
            out.append(_line(dev, ifa))
            out.append("       valid_lft forever preferred_lft forever")
    return "".join(f"{line}\n" for line in out)


def _line(dev: NetDevice, ifa: InIfaddr) -> str:
    words = ["    inet", dotted(ifa.local)]
    if ifa.peer == ifa.local:
        words[-1] += f"/{ifa.prefixlen}"
    else:
        words += ["peer", f"{dotted(ifa.peer)}/{ifa.prefixlen}"]
    if ifa.broadcast:
        words += ["brd", dotted(ifa.broadcast)]
    words += ["scope", name_of(ifa.scope, SCOPES)]
    if ifa.secondary:
        words.append("secondary")
    return " ".join([*words, dev.name])


COMMANDS: dict[str, Command] = {
    "add": _add,
    "change": _replace,
    "chg": _replace,
    "replace": _replace,
    "delete": _delete,
    "list": _show,
    "lst": _show,
    "show": _show,
    "flush": _flush,
}
