"""The `name value` pairs of an ethtool command, and its errors. ethtool: netlink/parser.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import STRERROR
from pyhost.uapi.errno import EOPNOTSUPP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyhost.admin.ip_words import Words
    from pyhost.net.core.ethtool import EthtoolOps
    from pyhost.net.core.netdevice import NetDevice

__all__ = [
    "check", "ethtool_ops", "no_more", "on_off", "parse_numbers", "parse_switches", "unsupported",
]  # fmt: skip

_U32 = 0xFFFFFFFF


def unsupported() -> CommandError:
    """What the tool says when the driver cannot."""
    return CommandError(f"netlink error: {STRERROR[EOPNOTSUPP]}")


def ethtool_ops(dev: NetDevice) -> EthtoolOps:
    """What the driver offers; a CommandError for one that offers nothing."""
    if dev.ethtool_ops is None:
        raise unsupported()
    return dev.ethtool_ops


def check(error: int, why: str = "") -> None:
    """Raise what the tool prints for a negative errno; `why` is the kernel's own word."""
    if error < 0:
        text = why or STRERROR.get(-error, f"error {-error}")
        raise CommandError(f"netlink error: {text}")


def no_more(words: Words) -> None:
    """There are no parameters."""
    if words:
        raise CommandError(f"ethtool: unexpected parameter '{words.peek()}'")


def on_off(value: bool | None) -> str:
    """How the tool shows a switch."""
    return "n/a" if value is None else "on" if value else "off"


def _pairs(words: Words, command: str, known: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    names = set(known)
    while words:
        name = words.next()
        if name not in names:
            raise CommandError(f"ethtool ({command}): unknown parameter '{name}'")
        if not words:
            raise CommandError(f"ethtool ({command}): no value for parameter '{name}'")
        found[name] = words.next()
    return found


def _invalid(command: str, name: str, text: str) -> CommandError:
    return CommandError(f"ethtool ({command}): invalid value '{text}' for parameter '{name}'")


def parse_numbers(words: Words, command: str, known: Iterable[str]) -> dict[str, int]:
    """`rx 512 tx 256`: the numbers by name. ethtool: nl_parse_direct_u32."""
    values: dict[str, int] = {}
    for name, text in _pairs(words, command, known).items():
        try:
            values[name] = int(text, 0)
        except ValueError:
            raise _invalid(command, name, text) from None
        if not 0 <= values[name] <= _U32:
            raise _invalid(command, name, text)
    return values


def parse_switches(words: Words, command: str, known: Iterable[str]) -> dict[str, bool]:
    """`rx on tx off`: the switches by name. ethtool: nl_parse_u8bool."""
    values: dict[str, bool] = {}
    for name, text in _pairs(words, command, known).items():
        if text not in ("on", "off"):
            raise _invalid(command, name, text)
        values[name] = text == "on"
    return values
