"""A rule: from the words of a command line, and back to them.

    [!] -s ADDR  [!] -d ADDR  [!] -i DEV  [!] -o DEV  [!] -p PROTO  [!] -f
    -m MATCH [options…]   -j TARGET [options…] | -g CHAIN   -c PACKETS BYTES

The match of the rule's own protocol need not be named: `-p tcp --dport 25` means `-m tcp` too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyhost.admin.iptables import matches, matches_conntrack, matches_transport, targets
from pyhost.admin.iptables.syntax import Option, Syntax, Values, by_name
from pyhost.admin.iptables.words import (
    Cidr,
    bad,
    format_cidr,
    parse_cidr,
    parse_number,
    parse_protocol,
    protocol_name,
    quoted,
)
from pyhost.net.netfilter.x_tables import (
    IptIp,
    XtChain,
    XtJump,
    XtMatch,
    XtRule,
    XtTarget,
    XtVerdict,
)

__all__ = ["MATCHES", "TARGETS", "RuleParser", "RuleWords", "rule_words", "target_syntax"]

MATCHES = by_name((*matches_transport.SYNTAXES, *matches.SYNTAXES, *matches_conntrack.SYNTAXES))
TARGETS = by_name(targets.SYNTAXES)

IFNAMSIZ = 16
ANY: Cidr = (0, 0)

OPTIONS = {
    "-s": "src", "--source": "src", "--src": "src",
    "-d": "dst", "--destination": "dst", "--dst": "dst",
    "-i": "indev", "--in-interface": "indev",
    "-o": "outdev", "--out-interface": "outdev",
    "-p": "protocol", "--protocol": "protocol", "--proto": "protocol",
    "-f": "fragment", "--fragment": "fragment",
    "-m": "match", "--match": "match",
    "-j": "jump", "--jump": "jump",
    "-g": "goto", "--goto": "goto",
    "-c": "counters", "--set-counters": "counters",
}  # fmt: skip


class RuleWords(NamedTuple):
    """A rule as it was written; several when `-s` or `-d` lists addresses."""

    rules: list[XtRule]
    fields: frozenset[str]
    """Which of the options of every rule stood there: "src", "indev", "jump" …"""


class RuleParser:
    """Reads words one by one. `chain(name)` finds a user-defined chain of the table."""

    def __init__(self, chain: Callable[[str], XtChain | None]) -> None:
        self._chain = chain
        self._inv: set[str] = set()
        self._fields: set[str] = set()
        self._sources: tuple[Cidr, ...] = (ANY,)
        self._destinations: tuple[Cidr, ...] = (ANY,)
        self._indev = self._outdev = ""
        self._protocol = 0
        self._counters = (0, 0)
        self._matches: list[tuple[Syntax, Values]] = []
        self._target: tuple[Syntax, Values] | None = None
        self._plain: XtTarget | None = None

    # -- words -------------------------------------------------------------------------------------

    def take(self, words: list[str], at: int) -> int:
        """Read the option at `words[at]`, and a `!` before it; where the next one begins."""
        inverted = words[at] == "!"
        at += inverted
        if at >= len(words):
            raise bad("nothing appropriate following !")
        word = words[at]
        field = OPTIONS.get(word)
        if field is None:
            return self._take_extension(words, at, inverted)
        if field in self._fields and field != "match":
            raise bad(f"multiple {word} flags not allowed")
        if inverted and field in ("match", "jump", "goto", "counters"):
            raise bad(f'cannot have ! before "{word}"')
        self._fields.add(field)
        if inverted:
            self._inv.add(field)
        if field == "fragment":
            return at + 1
        if field == "counters":
            self._counters = (
                parse_number(self._arg(words, at, 1), "-c packet counter", 0, 2**64 - 1),
                parse_number(self._arg(words, at, 2), "-c byte counter", 0, 2**64 - 1),
            )
            return at + 3
        self._set(field, self._arg(words, at, 1))
        return at + 2

    def _arg(self, words: list[str], at: int, offset: int) -> str:
        if at + offset >= len(words):
            raise bad(f'option "{words[at]}" requires an argument')
        return words[at + offset]

    def _set(self, field: str, text: str) -> None:
        if field == "src":
            self._sources = self._addresses(field, text)
        elif field == "dst":
            self._destinations = self._addresses(field, text)
        elif field == "indev":
            self._indev = _device(text)
        elif field == "outdev":
            self._outdev = _device(text)
        elif field == "protocol":
            self._protocol = parse_protocol(text)
            if not self._protocol and "protocol" in self._inv:
                raise bad("rule would never match protocol")
        elif field == "match":
            if text not in MATCHES:
                raise bad(f"Couldn't load match `{text}':No such file or directory")
            self._matches.append((MATCHES[text], Values(text)))
        else:
            self._jump(text, goto=field == "goto")

    def _addresses(self, field: str, text: str) -> tuple[Cidr, ...]:
        found = tuple(parse_cidr(word) for word in text.split(","))
        if len(found) > 1 and field in self._inv:
            raise bad("! not allowed with multiple source or destination IP addresses")
        return found

    def _jump(self, name: str, *, goto: bool) -> None:
        if {"jump", "goto"} <= self._fields:
            raise bad("multiple -j flags not allowed")
        chain = self._chain(name)
        if chain is not None:
            self._plain = XtJump(chain, goto)
        elif goto:
            raise bad("No chain/target/match by that name.")
        elif name in XtVerdict.VERDICTS:
            self._plain = XtVerdict(name)
        elif name in TARGETS:
            self._target = (TARGETS[name], Values(name))
        else:
            raise bad(f"Couldn't load target `{name}':No such file or directory")

    def _take_extension(self, words: list[str], at: int, inverted: bool) -> int:
        """An option of the target or of a match, the last one named first."""
        word = words[at]
        if not word.startswith("-"):
            raise bad(f"Bad argument `{word}'")
        candidates = [self._target] if self._target is not None else []
        candidates += reversed(self._matches)
        found = ((each, syntax.option(word)) for syntax, each in candidates)
        values, option = next(((each, one) for each, one in found if one is not None), (None, None))
        if values is None or option is None:
            values, option = self._implicit_match(word)
        args = [self._arg(words, at, n) for n in range(1, option.args + 1)]
        values.add(option, args, inverted)
        return at + 1 + option.args

    def _implicit_match(self, word: str) -> tuple[Values, Option]:
        """The match of the rule's protocol, if the option is one of its own."""
        name = protocol_name(self._protocol)
        syntax = MATCHES.get(name)
        known = any(each is syntax for each, _ in self._matches)
        option = syntax.option(word) if syntax is not None and syntax.protocols else None
        if syntax is None or option is None or known or "protocol" in self._inv:
            raise bad(f'unknown option "{word}"')
        values = Values(name)
        self._matches.append((syntax, values))
        return values, option

    # -- the rule ----------------------------------------------------------------------------------

    def finish(self) -> RuleWords:
        """The rule, or one for each pair of addresses."""
        for syntax, _ in self._matches:
            self._check_protocols(syntax.name, syntax.protocols)
        rules = [
            self._rule(source, destination)
            for source in self._sources
            for destination in self._destinations
        ]
        return RuleWords(rules, frozenset(self._fields))

    def _rule(self, source: Cidr, destination: Cidr) -> XtRule:
        ip = IptIp(
            src=source[0], smask=source[1], dst=destination[0], dmask=destination[1],
            protocol=self._protocol, indev=self._indev, outdev=self._outdev,
            fragment="fragment" in self._fields, inv=frozenset(self._inv),
        )  # fmt: skip
        matches: tuple[XtMatch, ...] = tuple(s.build(values) for s, values in self._matches)
        target = self._plain
        if self._target is not None:
            syntax, values = self._target
            target = syntax.build(values)
            assert target is not None
            self._check_protocols(syntax.name, syntax.protocols or targets.protocols_of(target))
        rule = XtRule(ip, matches, target)
        rule.packets, rule.bytes = self._counters
        return rule

    def _check_protocols(self, name: str, protocols: tuple[int, ...]) -> None:
        if protocols and (self._protocol not in protocols or "protocol" in self._inv):
            names = ", ".join(f"-p {protocol_name(number)}" for number in protocols)
            raise bad(f"{name}: needs {names}")


def _device(text: str) -> str:
    if len(text) >= IFNAMSIZ:
        raise bad(f"interface name `{text}' must be shorter than IFNAMSIZ ({IFNAMSIZ - 1})")
    if not text or "/" in text or " " in text:
        raise bad(f"Warning: weird character in interface `{text}'")
    return text


# -- back to words ---------------------------------------------------------------------------------


def target_syntax(target: XtTarget | None) -> Syntax | None:
    """The syntax of an extension; None for verdicts, jumps and no target."""
    if target is None or isinstance(target, XtVerdict | XtJump):
        return None
    return TARGETS[target.name]


def rule_words(rule: XtRule, *, counters: bool = False) -> str:
    """The rule as `iptables -S` writes it, behind `-A CHAIN`; with `counters` as `-S -v`."""
    words = _ip_words(rule.ip)
    for match in rule.matches:
        words += ["-m", match.name, *MATCHES[match.name].save(match)]
    if counters:
        words += ["-c", str(rule.packets), str(rule.bytes)]
    target = rule.target
    if isinstance(target, XtJump):
        words += ["-g" if target.goto else "-j", target.chain.name]
    elif target is not None:
        words += ["-j", target.name]
        syntax = target_syntax(target)
        words += syntax.save(target) if syntax is not None else []
    return " ".join(word if word == "!" else quoted(word) for word in words)


def _ip_words(ip: IptIp) -> list[str]:
    words: list[str] = []

    def add(field: str, *given: str) -> None:
        words.extend((["!"] if field in ip.inv else []) + list(given))

    if ip.smask or "src" in ip.inv:
        add("src", "-s", format_cidr((ip.src, ip.smask)))
    if ip.dmask or "dst" in ip.inv:
        add("dst", "-d", format_cidr((ip.dst, ip.dmask)))
    if ip.indev:
        add("indev", "-i", ip.indev)
    if ip.outdev:
        add("outdev", "-o", ip.outdev)
    if ip.protocol:
        add("protocol", "-p", protocol_name(ip.protocol))
    if ip.fragment:
        add("fragment", "-f")
    return words
