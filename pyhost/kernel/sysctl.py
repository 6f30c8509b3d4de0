"""sysctl: settings under their Linux names. Linux: kernel/sysctl.c.

The value lives as an attribute of the object that uses it (`net.ipv4.sysctl_tcp_sack`), so reading
it costs nothing; the table knows the name, the object and what is a legal value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["SysctlError", "SysctlTable", "one_of", "whole_number", "whole_numbers"]


class SysctlError(ValueError):
    """An unknown name or a value that the setting does not take."""


class _Entry(NamedTuple):
    owner: object
    attribute: str
    parse: Callable[[str], object]


def whole_number(minimum: int = -(1 << 31), maximum: int = (1 << 31) - 1) -> Callable[[str], int]:
    """A parser for one number in [minimum, maximum]. Linux: proc_dointvec_minmax."""

    def parse(text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            raise SysctlError(f"{text!r} is not a whole number") from None
        if not minimum <= value <= maximum:
            raise SysctlError(f"{value} is not between {minimum} and {maximum}")
        return value

    return parse


def whole_numbers(
    count: int, minimum: int = 0, maximum: int = (1 << 31) - 1
) -> Callable[[str], tuple[int, ...]]:
    """A parser for `count` numbers between blanks, such as tcp_wmem's three."""
    single = whole_number(minimum, maximum)

    def parse(text: str) -> tuple[int, ...]:
        words = text.replace(",", " ").split()
        if len(words) != count:
            raise SysctlError(f"{text!r}: {count} numbers wanted")
        return tuple(single(word) for word in words)

    return parse


def one_of(*names: str) -> Callable[[str], str]:
    """A parser for one word out of a list."""

    def parse(text: str) -> str:
        if text not in names:
            raise SysctlError(f"{text!r} is none of {' '.join(names)}")
        return text

    return parse


class SysctlTable:
    """All settings of one machine, by name (`net.ipv4.tcp_sack`; `/` may stand for `.`)."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def register(
        self, name: str, owner: object, attribute: str, parse: Callable[[str], object]
    ) -> None:
        """Give `owner.attribute` the name `name`. Linux: register_sysctl."""
        if not hasattr(owner, attribute):
            raise AttributeError(f"{name}: {owner!r} has no {attribute}")
        self._entries[name] = _Entry(owner, attribute, parse)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __getitem__(self, name: str) -> object:
        entry = self._find(name)
        value: object = getattr(entry.owner, entry.attribute)
        return value

    def __setitem__(self, name: str, value: object) -> None:
        entry = self._find(name)
        text = " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
        try:
            setattr(entry.owner, entry.attribute, entry.parse(text.strip()))
        except SysctlError as error:
            raise SysctlError(f"{name}: {error}") from None

    def _find(self, name: str) -> _Entry:
        entry = self._entries.get(name.replace("/", "."))
        if entry is None:
            raise SysctlError(f"{name}: no such sysctl")
        return entry
