"""How the options of an extension are described, and how they are read.

An extension's syntax is data: which options it has, how a match or target is made of them, and how
it is written back, as words (`iptables -S`) or for reading (`iptables -L`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pyhost.admin.iptables.words import bad

__all__ = ["Given", "Option", "Syntax", "Values", "by_name", "show_inverted", "words"]


class Option(NamedTuple):
    """`--name` with `args` words behind it, which `parse` makes a value of."""

    name: str
    args: int = 1
    parse: Callable[..., object] = str
    invertible: bool = False
    aliases: tuple[str, ...] = ()


class Given(NamedTuple):
    """What was given for an option, and whether a `!` stood before it."""

    value: Any
    inverted: bool


class Values:
    """The options that a rule gives to one extension."""

    def __init__(self, extension: str) -> None:
        self.extension = extension
        self.given: dict[str, Given] = {}

    def add(self, option: Option, args: Sequence[str], inverted: bool) -> None:
        """Take one option; CommandError when it stands there twice or cannot be inverted."""
        if option.name in self.given:
            raise bad(f'{self.extension}: option "--{option.name}" can only be used once.')
        if inverted and not option.invertible:
            raise bad(f'{self.extension}: option "--{option.name}" cannot be inverted.')
        value = option.parse(*args) if option.args else True
        self.given[option.name] = Given(value, inverted)

    def get(self, name: str, default: object = None) -> Any:
        """The value of an option."""
        given = self.given.get(name)
        return default if given is None else given.value

    def inverted(self, name: str) -> bool:
        """Whether it was given with `!`."""
        given = self.given.get(name)
        return given is not None and given.inverted

    def inv(self, **names: str) -> frozenset[str]:
        """The fields (keys) whose options (values) are inverted."""
        return frozenset(field for field, name in names.items() if self.inverted(name))

    def need(self, *names: str) -> str:
        """The one of `names` that was given; CommandError when none or several were."""
        found = [name for name in names if name in self.given]
        options = ", ".join(f'"--{name}"' for name in names)
        if not found:
            raise bad(f"{self.extension}: one of {options} must be given")
        if len(found) > 1:
            raise bad(f"{self.extension}: only one of {options} may be given")
        return found[0]


class Syntax(NamedTuple):
    """One extension: `build` makes it, `save` gives its words, `show` its text for `-L`.

    `show(extension, numeric)`; a rule's `-p` must be one of `protocols` if there are any.
    """

    name: str
    options: tuple[Option, ...]
    build: Callable[[Values], Any]
    save: Callable[[Any], list[str]]
    show: Callable[[Any, bool], str]
    protocols: tuple[int, ...] = ()

    def option(self, word: str) -> Option | None:
        """The option that a word names."""
        name = word[2:] if word.startswith("--") else ""
        return next((o for o in self.options if name and name in (o.name, *o.aliases)), None)


def words(name: str, value: object, *, inverted: bool = False) -> list[str]:
    """`! --name value` as words; no value word for None."""
    found = ["!"] if inverted else []
    found.append(f"--{name}")
    return found if value is None else [*found, str(value)]


def show_inverted(inverted: bool) -> str:
    """The exclamation mark that `-L` puts before what is inverted."""
    return "!" if inverted else ""


def by_name(syntaxes: Sequence[Syntax]) -> Mapping[str, Syntax]:
    """A table of extensions."""
    return {syntax.name: syntax for syntax in syntaxes}
