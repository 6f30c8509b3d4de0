"""Whole tables as text: what iptables-save writes and iptables-restore reads.

    *filter
    :INPUT ACCEPT [0:0]
    :OUTPUT ACCEPT [12:720]
    :mail - [0:0]
    [3:180] -A OUTPUT -p tcp -m tcp --dport 25 -j mail
    -A mail -j DROP
    COMMIT

A table is put in place as a whole at its COMMIT, or not at all.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.iptables.chains import Table, check_chain_name
from pyhost.admin.iptables.listing import policy_name
from pyhost.admin.iptables.rule import rule_words
from pyhost.admin.iptables.words import bad
from pyhost.net.netfilter.core import NF_ACCEPT, NF_DROP
from pyhost.net.netfilter.ip_tables import TABLES, ipt_find_table, ipt_swap_table, new_table
from pyhost.net.netfilter.x_tables import XtChain, XtTable
from pyhost.uapi.errno import ELOOP

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["restore", "save"]

CHAIN = re.compile(r":(\S+)\s+(\S+)(?:\s+\[(\d+):(\d+)\])?$")
COUNTED = re.compile(r"\[(\d+):(\d+)\]\s+(.*)$")
ORDER = ("raw", "mangle", "nat", "security", "filter")


def save(net: Net, only: str | None = None, *, counters: bool = False) -> str:
    """The tables that exist (or the one named), in the order of the hooks."""
    names = ORDER if only is None else (only,)
    texts = [_save_table(net.xt.tables[name], counters) for name in names if name in net.xt.tables]
    return "".join(texts)


def _save_table(table: XtTable, counters: bool) -> str:
    lines = [f"*{table.name}"]
    for chain in table.chains.values():
        packets, count = (chain.packets, chain.bytes) if chain.policy is not None else (0, 0)
        lines.append(f":{chain.name} {policy_name(chain)} [{packets}:{count}]")
    for chain in table.chains.values():
        for rule in chain.rules:
            counted = f"[{rule.packets}:{rule.bytes}] " if counters else ""
            lines.append(f"{counted}-A {chain.name} {rule_words(rule)}".rstrip())
    return "\n".join([*lines, "COMMIT"]) + "\n"


def restore(
    net: Net, text: str, *, counters: bool = False, flush: bool = True, test: bool = False
) -> None:
    """Put the tables of `text` in place.

    Without `flush` their rules come behind those that are there; with `test` nothing is put
    anywhere. CommandError names the line.
    """
    table: Table | None = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            table = _restore_line(net, table, line, (counters, flush, test))
        except CommandError as error:
            raise CommandError(f"iptables-restore: line {number} failed: {_plain(error)}") from None
    if table is not None:
        raise CommandError("iptables-restore: COMMIT expected at line " + str(number + 1))


def _plain(error: CommandError) -> str:
    return str(error).removeprefix("iptables: ")


def _restore_line(
    net: Net, table: Table | None, line: str, how: tuple[bool, bool, bool]
) -> Table | None:
    counters, flush, test = how
    if line.startswith("*"):
        if table is not None:
            raise bad("COMMIT expected before a new table")
        return _begin(net, line[1:].strip(), flush)
    if table is None:
        raise bad("no table: a line with * comes first")
    if line == "COMMIT":
        if not test:
            _commit(net, table.table)
        return None
    if line.startswith(":"):
        _chain_line(table, line, counters)
    else:
        _rule_line(table, line, counters)
    return table


def _begin(net: Net, name: str, flush: bool) -> Table:
    if name not in TABLES:
        raise bad(f"can't initialize iptables table `{name}': Table does not exist")
    if flush:
        return Table(new_table(name))
    old = ipt_find_table(net, name)
    assert old is not None
    fresh = Table(new_table(name))
    for line in _save_table(old, True).splitlines()[1:-1]:
        if line.startswith(":"):
            _chain_line(fresh, line, True)
        else:
            _rule_line(fresh, line, True)
    return fresh


def _commit(net: Net, table: XtTable) -> None:
    err = ipt_swap_table(net, table)
    if err == -ELOOP:
        raise bad("Too many levels of symbolic links.")
    if err:
        raise bad("Invalid argument. Run `dmesg' for more information.")


def _chain_line(table: Table, line: str, counters: bool) -> None:
    found = CHAIN.match(line)
    if found is None:
        raise bad("bad chain line")
    name, policy, packets, count = found.groups()
    chain = table.table.chains.get(name)
    if chain is None:
        check_chain_name(name)
        chain = table.table.chains[name] = XtChain(name)
    if policy != "-":
        if chain.policy is None or policy not in ("ACCEPT", "DROP"):
            raise bad("Bad policy name. Run `dmesg' for more information.")
        chain.policy = NF_ACCEPT if policy == "ACCEPT" else NF_DROP
        if counters and packets is not None:
            chain.packets, chain.bytes = int(packets), int(count)


def _rule_line(table: Table, line: str, counters: bool) -> None:
    found = COUNTED.match(line)
    packets, count = 0, 0
    if found is not None:
        packets, count = int(found[1]), int(found[2])
        line = found[3]
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise bad(f"{error}") from None
    if len(words) < 2 or words[0] not in ("-A", "--append", "-I", "--insert"):
        raise bad(f"{words[0]}: only -A and -I can stand here" if words else "empty rule")
    chain = table.chain(words[1])
    at = 0 if words[0] in ("-I", "--insert") else len(chain.rules)
    for rule in table.parse(chain, words[2:]):
        if counters:
            rule.packets, rule.bytes = packets or rule.packets, count or rule.bytes
        chain.rules.insert(at, rule)
        at += 1
