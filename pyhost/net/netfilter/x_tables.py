"""What rules are made of: matches, targets, chains and tables.

Linux: net/netfilter/x_tables.c, include/linux/netfilter/x_tables.h, include/uapi/linux/netfilter/
x_tables.h, include/uapi/linux/netfilter_ipv4/ip_tables.h.

    table ── chain ── rule: IptIp ∧ match ∧ match … → target
                      rule …
                      policy (built-in chains only)

A rule's target is a verdict, a jump to a chain, or an extension that decides for each packet.
Nothing here knows the command line: `pyhost.admin.iptables` makes rules from words and words from
rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pyhost.net.netfilter.core import NF_ACCEPT, NF_DROP
from pyhost.uapi.ip import IP_HDR, IP_OFFSET

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.netfilter.core import NfHookState

__all__ = [
    "XT_CONTINUE", "XT_RETURN", "IptIp", "XtActionParam", "XtChain", "XtJump", "XtMatch", "XtRule",
    "XtTable", "XtTarget", "XtVerdict",
]  # fmt: skip

XT_CONTINUE = 0xFFFFFFFF
"""What a target returns that has done its work and leaves the decision to the next rule."""
XT_RETURN = -5
"""The verdict that goes back to the calling chain. Linux: XT_RETURN."""


class XtActionParam:
    """A packet at a hook, taken apart once for all rules. Linux: struct xt_action_param.

    `thoff` is the transport header's offset from the IP header (where `skb.data` is), `fragoff` the
    fragment's offset in units of 8 bytes; a match that finds the packet malformed sets `hotdrop`.
    """

    __slots__ = (
        "daddr", "fragoff", "hotdrop", "indev", "inname", "outdev", "outname", "protocol", "saddr",
        "state", "thoff",
    )  # fmt: skip

    def __init__(self, skb: SkBuff, state: NfHookState) -> None:
        first, _, _, _, frag_off, _, protocol, _, saddr, daddr = IP_HDR.unpack_from(
            skb.buf, skb.network_header
        )
        self.state = state
        self.thoff = (first & 15) * 4
        self.fragoff = frag_off & IP_OFFSET
        self.protocol: int = protocol
        self.saddr: int = saddr
        self.daddr: int = daddr
        self.indev: NetDevice | None = state.indev
        self.outdev: NetDevice | None = state.outdev
        self.inname = state.indev.name if state.indev is not None else ""
        self.outname = state.outdev.name if state.outdev is not None else ""
        self.hotdrop = False

    def transport(self, skb: SkBuff, length: int) -> bytes | None:
        """`length` bytes from the transport header on, None when they are not there.

        Linux: skb_header_pointer.
        """
        if self.thoff + length > skb.len:
            return None
        return skb.copy_bits(self.thoff, length)


class XtMatch:
    """One condition of a rule. Linux: struct xt_match with its data.

    `proto` is what the rule's `-p` must be (0: anything).
    """

    __slots__ = ()

    name: ClassVar[str]
    proto: ClassVar[int] = 0
    needs_conntrack: ClassVar[bool] = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Whether the packet fulfils the condition."""
        raise NotImplementedError


class XtTarget:
    """What is done with a packet that fits. Linux: struct xt_target with its data.

    `tables` and `hooks` say where it may stand (None: anywhere).
    """

    __slots__ = ()

    name: ClassVar[str]
    proto: ClassVar[int] = 0
    tables: ClassVar[frozenset[str] | None] = None
    hooks: ClassVar[frozenset[int] | None] = None
    needs_conntrack: ClassVar[bool] = False

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """A verdict of netfilter, or XT_CONTINUE."""
        raise NotImplementedError


class XtVerdict(XtTarget):
    """ACCEPT, DROP or RETURN. Linux: struct xt_standard_target."""

    __slots__ = ("name", "verdict")

    VERDICTS: ClassVar[Mapping[str, int]] = {
        "ACCEPT": NF_ACCEPT,
        "DROP": NF_DROP,
        "RETURN": XT_RETURN,
    }

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]  # Each verdict is a target with a name of its own.
        self.verdict = self.VERDICTS[name]

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Always the same."""
        return self.verdict


class XtJump(XtTarget):
    """On with another chain; `goto` does not come back. Linux: a positive xt_standard_target."""

    __slots__ = ("chain", "goto")

    def __init__(self, chain: XtChain, goto: bool = False) -> None:
        self.chain = chain
        self.goto = goto


class IptIp:
    """What every rule can ask of a packet: addresses, protocol, interfaces, fragment.

    Addresses in host order, with masks; an interface name that ends in "+" stands for all that
    begin so. `inv` holds the fields whose question is turned round. Linux: struct ipt_ip.
    """

    __slots__ = (
        "dmask", "dst", "fragment", "indev", "inv", "outdev", "protocol", "smask", "src", "trivial",
    )  # fmt: skip

    def __init__(
        self,
        *,
        src: int = 0,
        smask: int = 0,
        dst: int = 0,
        dmask: int = 0,
        protocol: int = 0,
        indev: str = "",
        outdev: str = "",
        fragment: bool = False,
        inv: frozenset[str] = frozenset(),
    ) -> None:
        self.src, self.smask = src & smask, smask
        self.dst, self.dmask = dst & dmask, dmask
        self.protocol = protocol
        self.indev, self.outdev = indev, outdev
        self.fragment = fragment
        self.inv = inv
        self.trivial = not (inv or smask or dmask or protocol or indev or outdev or fragment)

    def match(self, par: XtActionParam) -> bool:
        """Linux: ip_packet_match."""
        if self.trivial:
            return True
        inv = self.inv
        if self.protocol and (par.protocol == self.protocol) == ("protocol" in inv):
            return False
        if ((par.saddr & self.smask) == self.src) == ("src" in inv):
            return False
        if ((par.daddr & self.dmask) == self.dst) == ("dst" in inv):
            return False
        if self.indev and _same_device(self.indev, par.inname) == ("indev" in inv):
            return False
        if self.outdev and _same_device(self.outdev, par.outname) == ("outdev" in inv):
            return False
        return not self.fragment or (par.fragoff != 0) != ("fragment" in inv)


def _same_device(wanted: str, name: str) -> bool:
    """Linux: ifname_compare_aligned."""
    return name.startswith(wanted[:-1]) if wanted[-1] == "+" else name == wanted


class XtRule:
    """One rule and how often it fitted. Linux: struct ipt_entry.

    `target` None: the rule only counts.
    """

    __slots__ = ("bytes", "ip", "matches", "packets", "target")

    def __init__(self, ip: IptIp, matches: tuple[XtMatch, ...], target: XtTarget | None) -> None:
        self.ip = ip
        self.matches = matches
        self.target = target
        self.packets = 0
        self.bytes = 0

    def fits(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Whether every condition holds."""
        if not self.ip.match(par):
            return False
        return all(match.match(skb, par) for match in self.matches)

    @property
    def needs_conntrack(self) -> bool:
        """Whether the rule asks something that only connection tracking knows."""
        target = self.target
        return any(match.needs_conntrack for match in self.matches) or (
            target is not None and target.needs_conntrack
        )


class XtChain:
    """A list of rules; a built-in chain stands at a hook and has a policy, whose use is counted."""

    __slots__ = ("bytes", "hook", "name", "packets", "policy", "rules")

    def __init__(self, name: str, hook: int | None = None) -> None:
        self.name = name
        self.hook = hook
        self.policy: int | None = None if hook is None else NF_ACCEPT
        self.rules: list[XtRule] = []
        self.packets = 0
        self.bytes = 0

    def zero(self) -> None:
        """Begin counting anew."""
        self.packets = self.bytes = 0
        for rule in self.rules:
            rule.packets = rule.bytes = 0


class XtTable:
    """Linux: struct xt_table. `chains` has the built-in ones first, in the order of the hooks."""

    __slots__ = ("at_hook", "chains", "name")

    def __init__(self, name: str, builtin: Mapping[str, int]) -> None:
        self.name = name
        self.chains = {chain: XtChain(chain, hook) for chain, hook in builtin.items()}
        self.at_hook = {chain.hook: chain for chain in self.chains.values()}

    @property
    def needs_conntrack(self) -> bool:
        """Whether any rule does."""
        return any(rule.needs_conntrack for chain in self.chains.values() for rule in chain.rules)

    def references(self, chain: XtChain) -> int:
        """How many rules lead to `chain`."""
        return sum(
            isinstance(rule.target, XtJump) and rule.target.chain is chain
            for each in self.chains.values()
            for rule in each.rules
        )
