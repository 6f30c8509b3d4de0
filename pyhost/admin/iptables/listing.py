"""Tables for reading (`-L`) and as commands (`-S`). iptables: iptables/iptables.c, xshared.c."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import NamedTuple

from pyhost.admin.iptables.rule import MATCHES, rule_words, target_syntax
from pyhost.admin.iptables.words import format_cidr, protocol_name
from pyhost.net.netfilter.core import NF_ACCEPT
from pyhost.net.netfilter.x_tables import IptIp, XtChain, XtJump, XtRule, XtTable

__all__ = ["ListFlags", "list_chain", "policy_name", "print_chain"]

KILO = 1000
PLAIN_MAX = 99999
SCALED_MAX = 9999


class ListFlags(NamedTuple):
    """`-v`, `-n`, `-x`, `--line-numbers`."""

    verbose: bool = False
    numeric: bool = False
    exact: bool = False
    line_numbers: bool = False


def policy_name(chain: XtChain) -> str:
    """ACCEPT, DROP, or "-" for a chain without a policy."""
    if chain.policy is None:
        return "-"
    return "ACCEPT" if chain.policy == NF_ACCEPT else "DROP"


def print_chain(chain: XtChain, rules: list[XtRule], *, counters: bool) -> str:
    """The chain's rules as commands, one a line."""
    lines = (f"-A {chain.name} {rule_words(rule, counters=counters)}" for rule in rules)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def list_chain(table: XtTable, chain: XtChain, flags: ListFlags, only: int | None = None) -> str:
    """The chain as a table; with `only` that rule alone (from 0), without a head."""
    rows = [
        _row(rule, flags, number)
        for number, rule in enumerate(chain.rules)
        if only is None or number == only
    ]
    if only is not None:
        return "".join(rows)
    return _head(table, chain, flags) + "".join(rows)


def _head(table: XtTable, chain: XtChain, flags: ListFlags) -> str:
    if chain.policy is None:
        about = f"{table.references(chain)} references"
    else:
        about = f"policy {policy_name(chain)}"
        if flags.verbose:
            packets, count = (_count(n, flags).strip() for n in (chain.packets, chain.bytes))
            about += f" {packets} packets, {count} bytes"
    columns = "num  " if flags.line_numbers else ""
    if flags.verbose:
        columns += " pkts bytes " if not flags.exact else "    pkts      bytes "
    columns += "target     prot opt "
    if flags.verbose:
        columns += "in     out     "
    return f"Chain {chain.name} ({about})\n{columns}{'source':<20} {'destination':<20}\n"


def _count(number: int, flags: ListFlags) -> str:
    """A counter in five columns: above 99999 in thousands, and so on."""
    if flags.exact:
        return f"{number:>8}"
    if number <= PLAIN_MAX:
        return f"{number:>5}"
    for unit in "KMG":
        number = (number + KILO // 2) // KILO
        if number <= SCALED_MAX:
            return f"{number:>4}{unit}"
    return f"{(number + KILO // 2) // KILO:>4}T"


def _row(rule: XtRule, flags: ListFlags, number: int) -> str:
    ip = rule.ip
    line = f"{number + 1:<4} " if flags.line_numbers else ""
    if flags.verbose:
        line += f"{_count(rule.packets, flags)} {_count(rule.bytes, flags)} "
    line += f"{_target_name(rule):<9}  "
    protocol = ("!" if "protocol" in ip.inv else "") + protocol_name(ip.protocol)
    line += f"{protocol:<4} {_fragment(ip)}  "
    if flags.verbose:
        line += f"{_device(ip, 'indev'):<6} {_device(ip, 'outdev'):<6}  "
    line += f"{_address(ip, 'src', flags):<20} {_address(ip, 'dst', flags):<20}"
    details = [MATCHES[match.name].show(match, flags.numeric) for match in rule.matches]
    if isinstance(rule.target, XtJump) and rule.target.goto:
        details.insert(0, "[goto] ")
    syntax = target_syntax(rule.target)
    if syntax is not None:
        details.append(syntax.show(rule.target, flags.numeric))
    shown = " ".join(text for text in details if text)
    return f"{line} {shown}\n" if shown else f"{line}\n"


def _target_name(rule: XtRule) -> str:
    target = rule.target
    if target is None:
        return ""
    return target.chain.name if isinstance(target, XtJump) else target.name


def _fragment(ip: IptIp) -> str:
    return f"{'!' if 'fragment' in ip.inv else '-'}{'f' if ip.fragment else '-'}"


def _device(ip: IptIp, field: str) -> str:
    name: str = getattr(ip, field)
    return ("!" if field in ip.inv else "") + (name or "*")


def _address(ip: IptIp, field: str, flags: ListFlags) -> str:
    addr, mask = (ip.src, ip.smask) if field == "src" else (ip.dst, ip.dmask)
    mark = "!" if field in ip.inv else ""
    if not mask:
        return mark + ("0.0.0.0/0" if flags.numeric else "anywhere")
    if mask == 0xFFFFFFFF:
        return mark + str(IPv4Address(addr))
    return mark + format_cidr((addr, mask))
