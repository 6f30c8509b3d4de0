"""The targets of the nat table: SNAT, DNAT, MASQUERADE, REDIRECT.

Linux: net/netfilter/xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c, nf_nat_masquerade.c,
nf_nat_redirect.c.

Each decides for a connection's first packet; the binding then holds for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pyhost.net.ipv4.fib.devinet import inet_select_addr
from pyhost.net.netfilter.core import (
    NF_DROP,
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
)
from pyhost.net.netfilter.nf_conntrack_tuple import (
    NF_NAT_MANIP_DST,
    NF_NAT_MANIP_SRC,
    nf_ct_get,
)
from pyhost.net.netfilter.nf_nat_core import NfNatRange, masquerade_range, nf_nat_setup_info
from pyhost.net.netfilter.x_tables import XT_CONTINUE, XtActionParam, XtTarget
from pyhost.uapi.ip import INADDR_LOOPBACK
from pyhost.uapi.rtnetlink import RT_SCOPE_UNIVERSE

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["DnatTarget", "MasqueradeTarget", "RedirectTarget", "SnatTarget"]

NAT = frozenset({"nat"})
ANYTHING = NfNatRange()
DESTINATION = frozenset({NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class SnatTarget(XtTarget):
    """The connection gets a source out of `range`."""

    name: ClassVar[str] = "SNAT"
    tables: ClassVar[frozenset[str] | None] = NAT
    hooks: ClassVar[frozenset[int] | None] = frozenset({NF_INET_POST_ROUTING, NF_INET_LOCAL_IN})
    needs_conntrack: ClassVar[bool] = True

    range: NfNatRange

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: xt_snat_target_v2."""
        ct, _ = nf_ct_get(skb)
        assert ct is not None
        return nf_nat_setup_info(ct, self.range, NF_NAT_MANIP_SRC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnatTarget(XtTarget):
    """The connection gets a destination out of `range`."""

    name: ClassVar[str] = "DNAT"
    tables: ClassVar[frozenset[str] | None] = NAT
    hooks: ClassVar[frozenset[int] | None] = DESTINATION
    needs_conntrack: ClassVar[bool] = True

    range: NfNatRange

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: xt_dnat_target_v2."""
        ct, _ = nf_ct_get(skb)
        assert ct is not None
        return nf_nat_setup_info(ct, self.range, NF_NAT_MANIP_DST)


@dataclass(frozen=True, slots=True, kw_only=True)
class MasqueradeTarget(XtTarget):
    """The source becomes the address of the device that the packet leaves by, as long as that is
    up.
    """

    name: ClassVar[str] = "MASQUERADE"
    tables: ClassVar[frozenset[str] | None] = NAT
    hooks: ClassVar[frozenset[int] | None] = frozenset({NF_INET_POST_ROUTING})
    needs_conntrack: ClassVar[bool] = True

    range: NfNatRange = ANYTHING

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: nf_nat_masquerade_ipv4."""
        ct, _ = nf_ct_get(skb)
        dev = par.outdev
        assert ct is not None
        assert dev is not None
        if par.saddr == 0:
            return XT_CONTINUE
        addr = _device_address(dev, par.daddr)
        if not addr:
            par.state.net.kernel.printk(f"xt_MASQUERADE: {dev.name} ate my IP address")
            return NF_DROP
        ct.masq_dev = dev.ifindex
        return nf_nat_setup_info(ct, masquerade_range(self.range, addr), NF_NAT_MANIP_SRC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectTarget(XtTarget):
    """The destination becomes this host."""

    name: ClassVar[str] = "REDIRECT"
    tables: ClassVar[frozenset[str] | None] = NAT
    hooks: ClassVar[frozenset[int] | None] = DESTINATION
    needs_conntrack: ClassVar[bool] = True

    range: NfNatRange = ANYTHING

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: nf_nat_redirect_ipv4."""
        ct, _ = nf_ct_get(skb)
        assert ct is not None
        if par.state.hook == NF_INET_LOCAL_OUT:
            addr = INADDR_LOOPBACK
        else:
            assert par.indev is not None
            addr = _device_address(par.indev, par.saddr)
        if not addr:
            return NF_DROP
        return nf_nat_setup_info(ct, masquerade_range(self.range, addr), NF_NAT_MANIP_DST)


def _device_address(dev: NetDevice, peer: int) -> int:
    """The address with which a device speaks to `peer`."""
    return inet_select_addr(dev.net, dev, peer, RT_SCOPE_UNIVERSE)
