"""The words of an `ip` command line: reading them one by one, and what they may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, TypeVar

from pyhost.admin.errors import CommandError
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.uapi.errno import (
    EACCES,
    EADDRNOTAVAIL,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENOBUFS,
    ENODEV,
    ENOENT,
    EOPNOTSUPP,
    EPERM,
    ERANGE,
    ESRCH,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = [
    "Words",
    "address",
    "answer",
    "device",
    "dotted",
    "hardware_address",
    "number",
    "pick",
    "prefix",
]  # fmt: skip

STRERROR = {
    EPERM: "Operation not permitted",
    ENOENT: "No such file or directory",
    ESRCH: "No such process",
    EACCES: "Permission denied",
    EEXIST: "File exists",
    ENODEV: "No such device",
    EINVAL: "Invalid argument",
    ERANGE: "Numerical result out of range",
    EOPNOTSUPP: "Operation not supported",
    EADDRNOTAVAIL: "Cannot assign requested address",
    ENETDOWN: "Network is down",
    ENETUNREACH: "Network is unreachable",
    ENOBUFS: "No buffer space available",
    EHOSTUNREACH: "No route to host",
}
"""What the C library says to the errors that a request for routes can end with."""

T = TypeVar("T")


class Words:
    """The rest of a command line; `details`: more is to be shown than usual."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._at = 0
        self.details = False

    def __bool__(self) -> bool:
        return self._at < len(self._words)

    def next(self) -> str:
        """The next word; a CommandError when there is none. iproute2: NEXT_ARG."""
        if not self:
            raise CommandError('Command line is not complete. Try option "help"')
        self._at += 1
        return self._words[self._at - 1]

    def peek(self) -> str:
        """The next word, which stays; empty at the end."""
        return self._words[self._at] if self else ""

    def take(self, word: str) -> bool:
        """Whether the next word is `word`; then it is read."""
        if self.peek() != word:
            return False
        self._at += 1
        return True


def pick(word: str, table: dict[str, T], what: str, helper: str) -> T:
    """The entry whose name begins with `word`, the first of several. iproute2: matches."""
    for name, entry in table.items():
        if name.startswith(word):
            return entry
    raise CommandError(f'{what} "{word}" is unknown, try "{helper}".')


def answer(err: int, extack: NetlinkExtAck | None = None) -> None:
    """Raise what iproute2 prints for a negative errno."""
    if err < 0:
        if extack is not None and extack.msg:
            raise CommandError(f"Error: {extack.msg}.")
        raise CommandError(f"RTNETLINK answers: {STRERROR.get(-err, f'error {-err}')}")


def device(net: Net, name: str) -> NetDevice:
    """The device of that name."""
    dev = net.devices.get(name)
    if dev is None:
        raise CommandError(f'Cannot find device "{name}"')
    return dev


def number(words: Words, name: str, maximum: int = 0xFFFFFFFF) -> int:
    """The next word as a number; `name` is what a complaint calls it."""
    word = words.next()
    try:
        value = int(word, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= maximum:
        raise CommandError(f'Error: argument "{word}" is wrong: "{name}" value is invalid')
    return value


def address(word: str) -> int:
    """An IPv4 address, host order."""
    try:
        return int(IPv4Address(word))
    except AddressValueError:
        raise CommandError(f'Error: inet address is expected rather than "{word}".') from None


def prefix(word: str) -> tuple[int, int]:
    """(address, bits) of `10.0.0.0/8`, `10.0.0.1`, `10/8` or `default`."""
    if word in ("default", "any", "all"):
        return 0, 0
    text, slash, bits = word.partition("/")
    parts = text.split(".")
    try:
        whole = ".".join(parts + ["0"] * (4 - len(parts))) if slash else text
        length = int(bits) if slash else 32
        if not 0 <= length <= 32:
            raise ValueError(length)
        return int(IPv4Address(whole)), length
    except ValueError:
        text = f'Error: any valid prefix is expected rather than "{word}".'
        raise CommandError(text) from None


def hardware_address(word: str) -> bytes:
    """Six bytes in hexadecimal."""
    try:
        raw = bytes.fromhex(word.replace(":", ""))
    except ValueError:
        raise CommandError(f'"{word}" is invalid lladdr.') from None
    if len(raw) != 6:
        raise CommandError("Error: Invalid link address.")
    return raw


def dotted(addr: int) -> str:
    """An IPv4 address as people write it."""
    return str(IPv4Address(addr))


Command = Callable[["Net", Words], str]
"""One verb of an object of `ip`: takes the words behind the verb, returns what is printed."""
