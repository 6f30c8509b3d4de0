"""`iptables`: one command on the tables of a machine. iptables: iptables/iptables.c."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.admin.iptables.chains import Table, check_chain_name
from pyhost.admin.iptables.listing import ListFlags, list_chain, policy_name, print_chain
from pyhost.admin.iptables.rule import RuleParser, rule_words
from pyhost.admin.iptables.words import bad, parse_number
from pyhost.net.netfilter.core import NF_ACCEPT, NF_DROP
from pyhost.net.netfilter.ip_tables import (
    ipt_find_table,
    ipt_insert_rule,
    ipt_rules_changed,
    ipt_set_rule,
)
from pyhost.net.netfilter.x_tables import XtChain, XtRule
from pyhost.uapi.errno import ELOOP

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["CHANGES", "COMMANDS", "run_iptables"]

COMMANDS = {
    "-A": "append", "--append": "append", "-I": "insert", "--insert": "insert",
    "-D": "delete", "--delete": "delete", "-R": "replace", "--replace": "replace",
    "-C": "check", "--check": "check", "-L": "list", "--list": "list",
    "-S": "list-rules", "--list-rules": "list-rules", "-F": "flush", "--flush": "flush",
    "-Z": "zero", "--zero": "zero", "-N": "new-chain", "--new-chain": "new-chain",
    "-X": "delete-chain", "--delete-chain": "delete-chain", "-P": "policy", "--policy": "policy",
    "-E": "rename-chain", "--rename-chain": "rename-chain",
}  # fmt: skip

LEAST_ARGS = {
    "append": 1, "insert": 1, "delete": 1, "replace": 2, "check": 1, "new-chain": 1, "policy": 2,
    "rename-chain": 2,
}  # fmt: skip
MOST_ARGS = {
    "append": 1, "insert": 2, "delete": 2, "replace": 2, "check": 1, "list": 2, "list-rules": 2,
    "flush": 1, "zero": 2, "new-chain": 1, "delete-chain": 1, "policy": 2, "rename-chain": 2,
}  # fmt: skip
TAKES_RULE = ("append", "insert", "delete", "replace", "check")
CHANGES = frozenset(COMMANDS.values()) - {"list", "list-rules", "check"}

FLAGS = {
    "-v": "verbose", "--verbose": "verbose", "-n": "numeric", "--numeric": "numeric",
    "-x": "exact", "--exact": "exact", "--line-numbers": "line_numbers",
}  # fmt: skip
BUNDLE = re.compile(r"-[nvxwLSFZX]{2,}")
IGNORED = ("-w", "--wait", "-4", "--ipv4")


class Command:
    """A command line, taken apart."""

    def __init__(self, net: Net, words: list[str]) -> None:
        self.net = net
        self.words = [single for word in words for single in _singles(word)]
        self.verb = ""
        self.args: list[str] = []
        self.flags: set[str] = set()
        name = self._table_name()
        table = ipt_find_table(net, name)
        if table is None:
            raise bad(f"can't initialize iptables table `{name}': Table does not exist")
        self.table = Table(table)
        self.parser = RuleParser(self.table.user_chain)
        self.rule_given = False
        self._read()

    def _table_name(self) -> str:
        """`-t NAME` may stand anywhere and decides what the other words mean."""
        name = "filter"
        for at, word in enumerate(self.words):
            if word in ("-t", "--table"):
                if at + 1 == len(self.words):
                    raise bad(f'option "{word}" requires an argument')
                name = self.words[at + 1]
        return name

    def _read(self) -> None:
        words, at = self.words, 0
        while at < len(words):
            word = words[at]
            if word in ("-t", "--table"):
                at += 2
            elif word in COMMANDS:
                at = self._read_verb(at)
            elif word in FLAGS:
                self.flags.add(FLAGS[word])
                at += 1
            elif word in IGNORED:
                at += 1
            else:
                self.rule_given = True
                at = self.parser.take(words, at)
        if not self.verb:
            raise bad("no command specified")
        if self.rule_given and self.verb not in TAKES_RULE:
            raise bad(f"Illegal option for this command: --{self.verb}")

    def _read_verb(self, at: int) -> int:
        verb = COMMANDS[self.words[at]]
        zero_and_list = {self.verb, verb} == {"list", "zero"}
        if self.verb and not zero_and_list:
            raise bad(f"Cannot use {self.words[at]} with --{self.verb}")
        if zero_and_list:
            self.flags.add("zero")
            verb = "list"
        self.verb = verb
        option = self.words[at]
        at += 1
        most = MOST_ARGS[verb]
        while at < len(self.words) and len(self.args) < most and self._is_arg(verb, self.words[at]):
            self.args.append(self.words[at])
            at += 1
        if len(self.args) < LEAST_ARGS.get(verb, 0):
            raise bad(f'option "{option}" requires an argument')
        return at

    def _is_arg(self, verb: str, word: str) -> bool:
        """A rule number comes only where one may stand; everything else is part of the rule."""
        if word == "!" or (word.startswith("-") and self.args):
            return False
        if self.args and verb in ("insert", "delete", "list", "list-rules", "zero"):
            return word.isdigit()
        return not word.startswith("-") or verb in ("new-chain",)

    # -- helpers -----------------------------------------------------------------------------------

    @property
    def chain(self) -> XtChain:
        """The chain that the command names."""
        return self.table.chain(self.args[0])

    def chains(self) -> list[XtChain]:
        """The chain named, or all."""
        return [self.chain] if self.args else list(self.table.table.chains.values())

    def rules(self) -> list[XtRule]:
        """What the rule's words mean."""
        return self.table.checked(self.chain, self.parser.finish())

    def number(self, what: str, limit: int) -> int:
        """The rule number given, from 0."""
        number = parse_number(self.args[1], "rule number", 1, 1 << 31)
        if number > limit:
            raise bad(f"Index of {what} too big.")
        return number - 1

    def find(self, wanted: XtRule) -> int:
        """Where a rule like this stands."""
        words = rule_words(wanted)
        for index, rule in enumerate(self.chain.rules):
            if rule_words(rule) == words:
                return index
        raise bad("Bad rule (does a matching rule exist in that chain?).")


def _singles(word: str) -> list[str]:
    """`-nvL` stands for `-n -v -L`."""
    if BUNDLE.fullmatch(word):
        return [f"-{letter}" for letter in word[1:]]
    return [word]


def run_iptables(net: Net, words: list[str]) -> str:
    """Carry out a command (the words behind `iptables`) and return what it prints."""
    command = Command(net, words)
    return VERBS[command.verb](command)


# -- rules -----------------------------------------------------------------------------------------


def _check_error(err: int) -> None:
    if err == -ELOOP:
        raise bad("Too many levels of symbolic links.")
    if err:
        raise bad("Invalid argument. Run `dmesg' for more information.")


def _append(command: Command) -> str:
    chain = command.chain
    for rule in command.rules():
        _check_error(
            ipt_insert_rule(command.net, command.table.table, chain, len(chain.rules), rule)
        )
    return ""


def _insert(command: Command) -> str:
    chain = command.chain
    at = command.number("insertion", len(chain.rules) + 1) if len(command.args) > 1 else 0
    for rule in reversed(command.rules()):
        _check_error(ipt_insert_rule(command.net, command.table.table, chain, at, rule))
    return ""


def _replace(command: Command) -> str:
    chain = command.chain
    at = command.number("replacement", len(chain.rules))
    rules = command.rules()
    if len(rules) != 1:
        raise bad("Replacement rule does not specify a unique address")
    _check_error(ipt_set_rule(command.net, command.table.table, chain, at, rules[0]))
    return ""


def _delete(command: Command) -> str:
    chain = command.chain
    if len(command.args) > 1:
        if command.rule_given:
            raise bad("Illegal option `rule' with a rule number")
        del chain.rules[command.number("deletion", len(chain.rules))]
    else:
        for rule in command.rules():
            del chain.rules[command.find(rule)]
    ipt_rules_changed(command.net)
    return ""


def _check(command: Command) -> str:
    for rule in command.rules():
        command.find(rule)
    return ""


# -- chains ----------------------------------------------------------------------------------------


def _new_chain(command: Command) -> str:
    name = command.args[0]
    check_chain_name(name)
    if name in command.table.table.chains:
        raise bad("Chain already exists.")
    command.table.table.chains[name] = XtChain(name)
    return ""


def _delete_chain(command: Command) -> str:
    table = command.table.table
    if command.args:
        doomed = [command.chain]
    else:
        doomed = [chain for chain in table.chains.values() if chain.hook is None]
    for chain in doomed:
        if chain.hook is not None:
            raise bad("Invalid argument.")
        if table.references(chain):
            raise bad("Too many links.")
        if chain.rules:
            raise bad("Directory not empty.")
    for chain in doomed:
        del table.chains[chain.name]
    return ""


def _rename_chain(command: Command) -> str:
    chain, new = command.chain, command.args[1]
    check_chain_name(new)
    if chain.hook is not None:
        raise bad("No chain/target/match by that name.")
    chains = command.table.table.chains
    if new in chains:
        raise bad("File exists.")
    renamed = {new if each is chain else name: each for name, each in chains.items()}
    chain.name = new
    chains.clear()
    chains.update(renamed)
    return ""


def _policy(command: Command) -> str:
    name, policy = command.args
    chain = command.table.table.chains.get(name)
    if chain is None or chain.policy is None:
        raise bad("Bad built-in chain name.")
    if policy not in ("ACCEPT", "DROP"):
        raise bad("Bad policy name. Run `dmesg' for more information.")
    chain.policy = NF_ACCEPT if policy == "ACCEPT" else NF_DROP
    return ""


def _flush(command: Command) -> str:
    for chain in command.chains():
        chain.rules.clear()
    ipt_rules_changed(command.net)
    return ""


def _zero(command: Command) -> str:
    if len(command.args) > 1:
        rule = command.chain.rules[command.number("zero", len(command.chain.rules))]
        rule.packets = rule.bytes = 0
        return ""
    for chain in command.chains():
        chain.zero()
    return ""


# -- listings --------------------------------------------------------------------------------------


def _list(command: Command) -> str:
    flags = ListFlags(**dict.fromkeys(command.flags - {"zero"}, True))
    table = command.table.table
    if len(command.args) > 1:
        chain = command.chain
        only = int(command.args[1]) - 1
        return list_chain(table, chain, flags, only)
    text = "\n".join(list_chain(table, chain, flags) for chain in command.chains())
    if "zero" in command.flags:
        _zero(command)
    return text


def _list_rules(command: Command) -> str:
    counters = "verbose" in command.flags
    if len(command.args) > 1:
        chain = command.chain
        only = int(command.args[1]) - 1
        return print_chain(chain, chain.rules[only : only + 1], counters=counters)
    lines = []
    for chain in command.chains():
        if chain.policy is None:
            lines.append(f"-N {chain.name}\n")
        else:
            counted = f" -c {chain.packets} {chain.bytes}" if counters else ""
            lines.append(f"-P {chain.name} {policy_name(chain)}{counted}\n")
    lines += [print_chain(chain, chain.rules, counters=counters) for chain in command.chains()]
    return "".join(lines)


VERBS: dict[str, Callable[[Command], str]] = {
    "append": _append,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "check": _check,
    "list": _list,
    "list-rules": _list_rules,
    "flush": _flush,
    "zero": _zero,
    "new-chain": _new_chain,
    "delete-chain": _delete_chain,
    "policy": _policy,
    "rename-chain": _rename_chain,
}
