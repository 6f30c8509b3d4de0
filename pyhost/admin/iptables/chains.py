"""A table as a command sees it: chains by name, and rules that may stand in them."""

from __future__ import annotations

from pyhost.admin.iptables.rule import TARGETS, RuleParser, RuleWords
from pyhost.admin.iptables.words import bad
from pyhost.net.netfilter.core import (
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
)
from pyhost.net.netfilter.x_tables import XtChain, XtRule, XtTable, XtVerdict

__all__ = ["Table", "check_chain_name"]

CHAIN_NAME_MAX = 29

NO_INPUT_DEVICE = (NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING)
NO_OUTPUT_DEVICE = (NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING)


class Table:
    """A table that is being looked at or changed."""

    def __init__(self, table: XtTable) -> None:
        self.table = table

    def chain(self, name: str) -> XtChain:
        """A chain; CommandError when there is none of this name."""
        chain = self.table.chains.get(name)
        if chain is None:
            raise bad("No chain/target/match by that name.")
        return chain

    def user_chain(self, name: str) -> XtChain | None:
        """A chain that rules can lead to."""
        chain = self.table.chains.get(name)
        return chain if chain is not None and chain.hook is None else None

    def parse(self, chain: XtChain, words: list[str]) -> list[XtRule]:
        """The rules that `words` mean in `chain`."""
        parser = RuleParser(self.user_chain)
        at = 0
        while at < len(words):
            at = parser.take(words, at)
        return self.checked(chain, parser.finish())

    def checked(self, chain: XtChain, found: RuleWords) -> list[XtRule]:
        """Refuse a device that the chain's packets do not have."""
        if "indev" in found.fields and chain.hook in NO_INPUT_DEVICE:
            raise bad(f"Can't use -i with {chain.name}")
        if "outdev" in found.fields and chain.hook in NO_OUTPUT_DEVICE:
            raise bad(f"Can't use -o with {chain.name}")
        return found.rules


def check_chain_name(name: str) -> None:
    """CommandError for what cannot be the name of a user-defined chain."""
    if not name or name[0] in "-!":
        raise bad(f"chain name not allowed to start with `{name[:1]}'")
    if len(name) >= CHAIN_NAME_MAX:
        raise bad(f"chain name `{name}' too long (must be under {CHAIN_NAME_MAX} chars)")
    if name in XtVerdict.VERDICTS or name in TARGETS:
        raise bad("chain name may not clash with target name")
    if any(c.isspace() for c in name):
        raise bad("Invalid chain name")
