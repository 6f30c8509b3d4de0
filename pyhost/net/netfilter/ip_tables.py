"""The tables raw, mangle, nat, filter and security: where they stand, how their rules are asked.

Linux: net/ipv4/netfilter/ip_tables.c, iptable_raw.c, iptable_mangle.c, iptable_nat.c,
iptable_filter.c, iptable_security.c, net/netfilter/x_tables.c.

A table comes into being when it is first asked for, as Linux loads its module; until then its hooks
do not exist and a packet pays nothing for it. Connection tracking is on while the nat table exists
or a rule of any table needs it.

At one hook the tables run in this order: raw, (connection tracking), mangle, nat (destination),
filter, security, nat (source).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.ipv4.netfilter import ip_route_me_harder
from pyhost.net.netfilter.core import (
    NF_DROP,
    NF_INET_FORWARD,
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    NF_IP_PRI_FILTER,
    NF_IP_PRI_MANGLE,
    NF_IP_PRI_NAT_DST,
    NF_IP_PRI_NAT_SRC,
    NF_IP_PRI_RAW,
    NF_IP_PRI_SECURITY,
    NF_STOLEN,
    NF_VERDICT_MASK,
    NfHookState,
    nf_drop_err,
    nf_register_net_hook,
)
from pyhost.net.netfilter.nf_conntrack_proto import nf_ct_netns_get, nf_ct_netns_put
from pyhost.net.netfilter.nf_nat_core import nf_nat_masquerade_inet_register_notifiers
from pyhost.net.netfilter.nf_nat_proto import nf_nat_ipv4_fn
from pyhost.net.netfilter.x_tables import (
    XT_CONTINUE,
    XT_RETURN,
    XtActionParam,
    XtChain,
    XtJump,
    XtRule,
    XtTable,
    XtTarget,
)
from pyhost.uapi.errno import EINVAL, ELOOP
from pyhost.uapi.ip import IpView

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = [
    "BUILTIN_CHAINS", "TABLES", "XtNet", "ip_tables_init", "ipt_do_table", "ipt_find_table",
    "ipt_insert_rule", "ipt_rules_changed", "ipt_set_rule", "ipt_swap_table", "new_table",
]  # fmt: skip

BUILTIN_CHAINS = {
    "PREROUTING": NF_INET_PRE_ROUTING,
    "INPUT": NF_INET_LOCAL_IN,
    "FORWARD": NF_INET_FORWARD,
    "OUTPUT": NF_INET_LOCAL_OUT,
    "POSTROUTING": NF_INET_POST_ROUTING,
}


class TableKind(NamedTuple):
    """A table's built-in chains, with the priority of each at its hook."""

    chains: dict[str, int]


TABLES = {
    "filter": TableKind(dict.fromkeys(("INPUT", "FORWARD", "OUTPUT"), NF_IP_PRI_FILTER)),
    "nat": TableKind(
        {
            "PREROUTING": NF_IP_PRI_NAT_DST,
            "INPUT": NF_IP_PRI_NAT_SRC,
            "OUTPUT": NF_IP_PRI_NAT_DST,
            "POSTROUTING": NF_IP_PRI_NAT_SRC,
        }
    ),
    "mangle": TableKind(dict.fromkeys(BUILTIN_CHAINS, NF_IP_PRI_MANGLE)),
    "raw": TableKind(dict.fromkeys(("PREROUTING", "OUTPUT"), NF_IP_PRI_RAW)),
    "security": TableKind(dict.fromkeys(("INPUT", "FORWARD", "OUTPUT"), NF_IP_PRI_SECURITY)),
}
"""Linux: FILTER_VALID_HOOKS and the like."""


class XtNet:
    """The tables of one machine that are in use. Linux: struct xt_pernet."""

    __slots__ = ("rules_track", "tables")

    def __init__(self) -> None:
        self.tables: dict[str, XtTable] = {}
        self.rules_track = False


def ip_tables_init(net: Net) -> None:
    """No table yet. Linux: ip_tables_net_init."""
    net.xt = XtNet()


def new_table(name: str) -> XtTable:
    """An empty table that accepts everything. Linux: ipt_alloc_initial_table."""
    return XtTable(name, {chain: BUILTIN_CHAINS[chain] for chain in TABLES[name].chains})


def ipt_find_table(net: Net, name: str) -> XtTable | None:
    """A table, brought into being when it was not there; None when there is no such kind.

    Linux: xt_find_table_lock, xt_request_find_table_lock.
    """
    table = net.xt.tables.get(name)
    if table is None and name in TABLES:
        table = net.xt.tables[name] = new_table(name)
        _register(net, name)
    return table


def _register(net: Net, name: str) -> None:
    """Linux: ipt_register_table, and ipt_nat_register_lookups."""
    if name == "nat":
        nf_ct_netns_get(net)
        nf_nat_masquerade_inet_register_notifiers(net)
    for chain, priority in TABLES[name].chains.items():
        hook = BUILTIN_CHAINS[chain]
        fn = partial(_table_hook, net.xt, name)
        if name == "nat":
            fn = partial(nf_nat_ipv4_fn, fn)
        elif name == "mangle" and chain == "OUTPUT":
            fn = partial(_mangle_out, net.xt)
        nf_register_net_hook(net, hook, priority, fn)


def _table_hook(xt: XtNet, name: str, skb: SkBuff, state: NfHookState) -> int:
    return ipt_do_table(skb, state, xt.tables[name])


def _mangle_out(xt: XtNet, skb: SkBuff, state: NfHookState) -> int:
    """Rules may change what the route depends on: then it is asked for anew.

    Linux: ipt_mangle_out.
    """
    before = _route_key(skb)
    verdict = ipt_do_table(skb, state, xt.tables["mangle"])
    if verdict & NF_VERDICT_MASK not in (NF_DROP, NF_STOLEN) and _route_key(skb) != before:
        err = ip_route_me_harder(state.net, skb)
        if err < 0:
            return nf_drop_err(-err)
    return verdict


def _route_key(skb: SkBuff) -> tuple[int, int, int, int]:
    iph = IpView(skb.buf, skb.network_header)
    return iph.saddr, iph.daddr, iph.tos, skb.mark


def ipt_do_table(skb: SkBuff, state: NfHookState, table: XtTable) -> int:
    """The verdict of a table's rules on a packet. Linux: ipt_do_table."""
    par = XtActionParam(skb, state)
    chain = table.at_hook[state.hook]
    rules, index = chain.rules, 0
    callers: list[tuple[XtChain, int]] = []
    while True:
        if index >= len(rules):
            if chain.policy is not None:
                chain.packets += 1
                chain.bytes += skb.len
                return chain.policy
            chain, index = callers.pop()
            rules = chain.rules
            continue
        rule = rules[index]
        index += 1
        if not rule.fits(skb, par):
            if par.hotdrop:
                return NF_DROP
            continue
        rule.packets += 1
        rule.bytes += skb.len
        target = rule.target
        if target is None:
            continue
        if isinstance(target, XtJump):
            if not target.goto:
                callers.append((chain, index))
            elif chain.policy is not None:
                # From a built-in chain there is no way back but to its policy.
                callers.append((chain, len(rules)))
            chain, rules, index = target.chain, target.chain.rules, 0
            continue
        verdict = target.target(skb, par)
        if verdict == XT_RETURN:
            index = len(rules)
        elif verdict != XT_CONTINUE:
            return verdict


# -- changing rules --------------------------------------------------------------------------------


def ipt_insert_rule(net: Net, table: XtTable, chain: XtChain, index: int, rule: XtRule) -> int:
    """Put `rule` in front of the rule at `index` (from 0): 0, -ELOOP, or -EINVAL when it may not
    stand there.
    """
    chain.rules.insert(index, rule)
    err = _check_table(table)
    if err:
        del chain.rules[index]
        return err
    ipt_rules_changed(net)
    return 0


def ipt_set_rule(net: Net, table: XtTable, chain: XtChain, index: int, rule: XtRule) -> int:
    """Put `rule` in the place of the one at `index`; returns as `ipt_insert_rule`."""
    old, chain.rules[index] = chain.rules[index], rule
    err = _check_table(table)
    if err:
        chain.rules[index] = old
        return err
    ipt_rules_changed(net)
    return 0


def ipt_swap_table(net: Net, table: XtTable) -> int:
    """Put a whole new table in the place of the one of its name; returns as `ipt_insert_rule`.

    Linux: do_replace.
    """
    err = _check_table(table)
    if err:
        return err
    if ipt_find_table(net, table.name) is None:
        return -EINVAL
    net.xt.tables[table.name] = table
    ipt_rules_changed(net)
    return 0


def ipt_rules_changed(net: Net) -> None:
    """Rules came or went: track connections if one of them needs it. Linux: nf_ct_netns_get and
    _put in each extension's checkentry and destroy.
    """
    wanted = any(table.needs_conntrack for table in net.xt.tables.values())
    if wanted != net.xt.rules_track:
        net.xt.rules_track = wanted
        (nf_ct_netns_get if wanted else nf_ct_netns_put)(net)


def _check_table(table: XtTable) -> int:
    """No rule leads in a circle, and every target stands where it may. Linux: translate_table,
    mark_source_chains, xt_check_target.
    """
    for chain in table.chains.values():
        if chain.hook is not None:
            err = _check_chain(table.name, chain, chain.hook, ())
            if err:
                return err
        elif _in_circle(chain, ()):
            return -ELOOP
        elif any(rule.target and not _at_home(rule.target, table.name) for rule in chain.rules):
            return -EINVAL
    return 0


def _check_chain(table: str, chain: XtChain, hook: int, path: tuple[XtChain, ...]) -> int:
    if chain in path:
        return -ELOOP
    for rule in chain.rules:
        target = rule.target
        if isinstance(target, XtJump):
            err = _check_chain(table, target.chain, hook, (*path, chain))
            if err:
                return err
        elif target is not None and not (
            _at_home(target, table) and (target.hooks is None or hook in target.hooks)
        ):
            return -EINVAL
    return 0


def _at_home(target: XtTarget, table: str) -> bool:
    return target.tables is None or table in target.tables


def _in_circle(chain: XtChain, path: tuple[XtChain, ...]) -> bool:
    if chain in path:
        return True
    jumps = [rule.target.chain for rule in chain.rules if isinstance(rule.target, XtJump)]
    return any(_in_circle(each, (*path, chain)) for each in jumps)
