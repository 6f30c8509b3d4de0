"""`ip neighbour { add | change | replace | del | show | flush }`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import (
    Command,
    Words,
    address,
    answer,
    device,
    dotted,
    hardware_address,
    pick,
)
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.core.neigh_admin import neigh_add, neigh_delete
from pyhost.net.core.neigh_states import (
    NUD_FAILED,
    NUD_INCOMPLETE,
    NUD_NAMES,
    NUD_NOARP,
    NUD_NONE,
    NUD_PERMANENT,
    NUD_VALID,
)

if TYPE_CHECKING:
    from pyhost.net.core.neighbour import Neighbour
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = ["run"]

STATES = {name.lower(): state for state, name in NUD_NAMES.items()}
ANY_STATE = 0xFF
SHOWN = ANY_STATE & ~NUD_NOARP
"""The states that `show` shows when none are named: all but NONE and NOARP."""


def run(net: Net, words: Words) -> str:
    """Carry out what follows `ip neighbour`; nothing is `show`."""
    if not words:
        return _show(net, words)
    return pick(words.next(), COMMANDS, "Command", "ip neigh help")(net, words)


class _Request:
    """What a neighbour command names."""

    def __init__(self, net: Net, words: Words) -> None:
        self.key = 0
        self.dev: NetDevice | None = None
        self.lladdr: bytes | None = None
        self.state: int | None = None
        self.every_state = False
        while words:
            word = words.next()
            if word == "dev":
                self.dev = device(net, words.next())
            elif word == "lladdr":
                self.lladdr = hardware_address(words.next())
            elif word == "nud":
                self._take_state(words.next())
            elif word != "all":
                self.key = address(words.next() if word == "to" else word)

    def _take_state(self, word: str) -> None:
        if word == "all":
            self.every_state = True
        elif word in STATES:
            self.state = STATES[word]
        else:
            raise CommandError(f'Error: argument "{word}" is wrong: nud state is bad')

    def target(self) -> tuple[int, NetDevice]:
        """Which entry is meant."""
        if self.dev is None or not self.key:
            raise CommandError("Device and destination are required arguments.")
        return self.key, self.dev

    def matches(self, neigh: Neighbour) -> bool:
        """Whether a listing shows the entry."""
        if (self.dev not in (None, neigh.dev)) or (self.key not in (0, neigh.primary_key)):
            return False
        if self.every_state:
            return True
        if self.state is not None:
            return neigh.nud_state == self.state
        return bool(neigh.nud_state & SHOWN)


def _put(*, create: bool, exclusive: bool = False, replace: bool = False) -> Command:
    """A verb that puts an entry in. Linux: neigh_add with NLM_F_*."""

    def command(net: Net, words: Words) -> str:
        request = _Request(net, words)
        key, dev = request.target()
        state = NUD_PERMANENT if request.state is None else request.state
        extack = NetlinkExtAck()
        err = neigh_add(
            net.arp_tbl, key, dev, request.lladdr, state,
            create=create, exclusive=exclusive, replace=replace, extack=extack,
        )  # fmt: skip
        answer(err, extack)
        return ""

    return command


def _delete(net: Net, words: Words) -> str:
    key, dev = _Request(net, words).target()
    answer(neigh_delete(net.arp_tbl, key, dev))
    return ""


def _flush(net: Net, words: Words) -> str:
    """Permanent and NOARP entries stay unless their state was named."""
    request = _Request(net, words)
    for neigh in tuple(net.arp_tbl.entries.values()):
        fixed = neigh.nud_state & (NUD_PERMANENT | NUD_NOARP) or neigh.nud_state == NUD_NONE
        if request.matches(neigh) and (not fixed or request.state is not None):
            neigh_delete(net.arp_tbl, neigh.primary_key, neigh.dev)
    return ""


def _show(net: Net, words: Words) -> str:
    request = _Request(net, words)
    return "".join(
        f"{_line(neigh, with_dev=request.dev is None)}\n"
        for neigh in net.arp_tbl.entries.values()
        if request.matches(neigh)
    )


def _line(neigh: Neighbour, *, with_dev: bool) -> str:
    words = [dotted(neigh.primary_key)]
    if with_dev:
        words += ["dev", neigh.dev.name]
    if neigh.nud_state & NUD_VALID and not neigh.nud_state & (NUD_FAILED | NUD_INCOMPLETE):
        words += ["lladdr", neigh.ha.hex(":")]
    return " ".join([*words, NUD_NAMES[neigh.nud_state]]) + " "


COMMANDS: dict[str, Command] = {
    "add": _put(create=True, exclusive=True),
    "change": _put(create=False, replace=True),
    "chg": _put(create=False, replace=True),
    "replace": _put(create=True, replace=True),
    "delete": _delete,
    "flush": _flush,
    "list": _show,
    "lst": _show,
    "show": _show,
}
