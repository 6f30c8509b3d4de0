"""Policies: which packets must be transformed, and what received packets must have gone through.

Linux: net/xfrm/xfrm_policy.c.

Difference: Linux resolves a policy when a route is looked up, for a flow with protocol and ports.
Here a route whose addresses a policy may concern leads to `xfrm4_output`, and the policy is looked
up there for each packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.core.dst import DstEntry
from pyhost.net.core.netdevice import IFF_LOOPBACK
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.net.xfrm.xfrm_state import (
    XFRM_MODE_TRANSPORT,
    XFRM_MODE_TUNNEL,
    XfrmState,
    xfrm_state_find,
)
from pyhost.uapi.errno import EEXIST, ENOENT
from pyhost.uapi.ip import IP_HDR, IP_HDR_LEN, IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP
from pyhost.uapi.rtnetlink import RTN_UNICAST

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstOutput
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = [
    "Flow", "XfrmDst", "XfrmPolicy", "XfrmSelector", "XfrmTmpl", "decode_session",
    "xfrm_lookup",
    "xfrm_policy_check", "xfrm_policy_delete", "xfrm_policy_insert", "xfrm_policy_lookup",
    "xfrm_tmpl_resolve",
]  # fmt: skip

ESP_HEADER = 8
ESP_TRAILER = 2
ESP_ALIGN = 4
MTU_MIN = 68


class Flow(NamedTuple):
    """What a policy looks at; ports 0 where there are none. Linux: struct flowi4."""

    saddr: int
    daddr: int
    proto: int = 0
    sport: int = 0
    dport: int = 0


class XfrmSelector(NamedTuple):
    """Addresses with prefix lengths, protocol and ports, 0 for any. Linux: xfrm_selector."""

    saddr: int = 0
    prefixlen_s: int = 0
    daddr: int = 0
    prefixlen_d: int = 0
    proto: int = 0
    sport: int = 0
    dport: int = 0

    def match_addrs(self, saddr: int, daddr: int) -> bool:
        """Whether the addresses fit."""
        return not (
            (saddr ^ self.saddr) >> 32 - self.prefixlen_s
            or (daddr ^ self.daddr) >> 32 - self.prefixlen_d
        )

    def match(self, flow: Flow) -> bool:
        """Whether everything fits. Linux: xfrm_selector_match."""
        return (
            self.match_addrs(flow.saddr, flow.daddr)
            and self.proto in (0, flow.proto)
            and self.sport in (0, flow.sport)
            and self.dport in (0, flow.dport)
        )


class XfrmTmpl(NamedTuple):
    """One transformation that a policy asks for. Linux: struct xfrm_tmpl.

    In tunnel mode `saddr` and `daddr` are the tunnel's ends; `optional` is "level use".
    """

    saddr: int = 0
    daddr: int = 0
    mode: int = XFRM_MODE_TRANSPORT
    reqid: int = 0
    spi: int = 0
    optional: bool = False


class XfrmPolicy(NamedTuple):
    """Linux: struct xfrm_policy. The one with the smallest `priority` decides."""

    selector: XfrmSelector
    block: bool = False
    priority: int = 0
    templates: tuple[XfrmTmpl, ...] = ()


class XfrmDst(DstEntry):
    """A route whose packets a policy may want transformed; `child` is where they go then.

    `state` is the association that sets the room, as far as is known. Linux: struct xfrm_dst.
    """

    __slots__ = ("child", "state")

    def __init__(self, child: DstEntry, output: DstOutput, state: XfrmState | None) -> None:
        super().__init__(
            child.net, child.dev, child.saddr, child.gateway, child.type, output, child.route
        )
        self.input = child.input
        self.pmtu, self.pmtu_expires = child.pmtu, child.pmtu_expires
        self.mtu_locked = child.mtu_locked
        self.child = child
        self.state = state

    def path_mtu(self) -> int:
        """The path MTU of the way below, for packets that are not transformed."""
        return super().mtu()

    def mtu(self) -> int:
        """What is left for the packet inside. Linux: xfrm_mtu, xfrm_state_mtu."""
        mtu = self.path_mtu()
        if self.state is None:
            return mtu
        if self.state.mode == XFRM_MODE_TUNNEL:
            mtu = _outer_mtu(self.net, self.state, mtu)
        room = mtu - IP_HDR_LEN - ESP_HEADER - self.state.auth.icv_len
        inner = room - room % ESP_ALIGN - ESP_TRAILER
        if self.state.mode == XFRM_MODE_TRANSPORT:
            inner += IP_HDR_LEN
        return max(inner, MTU_MIN)


def _outer_mtu(net: Net, state: XfrmState, otherwise: int) -> int:
    """The path MTU between the ends of a tunnel."""
    found = ip_route_output(net, state.daddr, state.saddr)
    if isinstance(found, int):
        return otherwise
    return found.path_mtu() if isinstance(found, XfrmDst) else found.mtu()


# -- the lists -------------------------------------------------------------------------------------


def xfrm_policy_insert(net: Net, direction: str, policy: XfrmPolicy) -> int:
    """0, or -EEXIST when there is one for the same packets. Linux: xfrm_policy_insert."""
    policies = net.xfrm.policies[direction]
    if any(each.selector == policy.selector for each in policies):
        return -EEXIST
    policies.append(policy)
    policies.sort(key=lambda each: each.priority)
    net.fib.flush_cache()
    return 0


def xfrm_policy_delete(net: Net, direction: str, selector: XfrmSelector) -> int:
    """0 or -ENOENT. Linux: xfrm_policy_bysel_ctx."""
    policies = net.xfrm.policies[direction]
    for policy in policies:
        if policy.selector == selector:
            policies.remove(policy)
            net.fib.flush_cache()
            return 0
    return -ENOENT


def xfrm_policy_lookup(net: Net, direction: str, flow: Flow) -> XfrmPolicy | None:
    """The policy for a packet. Linux: xfrm_policy_lookup_bytype."""
    policies = net.xfrm.policies[direction]
    return next((policy for policy in policies if policy.selector.match(flow)), None)


# -- sending ---------------------------------------------------------------------------------------


def xfrm_lookup(net: Net, dst: DstEntry, saddr: int, daddr: int, output: DstOutput) -> DstEntry:
    """The route as it is, or one that leads through `output` if a policy may concern the packets.

    Linux: xfrm_lookup, xfrm_route_forward.
    """
    if dst.type != RTN_UNICAST or dst.dev.flags & IFF_LOOPBACK:
        return dst
    for policy in net.xfrm.policies["out"]:
        if policy.selector.match_addrs(saddr, daddr):
            flow = Flow(saddr, daddr)
            states = xfrm_tmpl_resolve(net, policy, flow) or ()
            return XfrmDst(dst, output, states[0] if states else None)
    return dst


def xfrm_tmpl_resolve(net: Net, policy: XfrmPolicy, flow: Flow) -> tuple[XfrmState, ...] | None:
    """The associations that a policy asks for; None when one that it requires is not there.

    Linux: xfrm_tmpl_resolve.
    """
    found: list[XfrmState] = []
    for tmpl in policy.templates:
        tunnel = tmpl.mode == XFRM_MODE_TUNNEL
        saddr = tmpl.saddr if tunnel else flow.saddr
        daddr = tmpl.daddr if tunnel else flow.daddr
        state = xfrm_state_find(net, saddr, daddr, mode=tmpl.mode, reqid=tmpl.reqid, spi=tmpl.spi)
        if state is not None:
            found.append(state)
        elif not tmpl.optional:
            return None
    return tuple(found)


# -- receiving -------------------------------------------------------------------------------------


def decode_session(skb: SkBuff) -> Flow:
    """The flow of a packet whose `network_header` is set. Linux: xfrm_decode_session."""
    buf, iph = skb.buf, skb.network_header
    first, _, _, _, frag_off, _, proto, _, saddr, daddr = IP_HDR.unpack_from(buf, iph)
    th = iph + (first & 15) * 4
    if proto not in (IPPROTO_TCP, IPPROTO_UDP) or frag_off & IP_OFFSET or th + 4 > skb.tail:
        return Flow(saddr, daddr, proto)
    sport, dport = buf[th] << 8 | buf[th + 1], buf[th + 2] << 8 | buf[th + 3]
    return Flow(saddr, daddr, proto, sport, dport)


def xfrm_policy_check(net: Net, direction: str, skb: SkBuff) -> bool:
    """Whether a received packet came the way that it must have come; counts why not.

    Linux: __xfrm_policy_check.
    """
    path: tuple[XfrmState, ...] = skb.sp or ()
    policy = xfrm_policy_lookup(net, direction, decode_session(skb))
    if policy is None:
        if any(state.mode == XFRM_MODE_TUNNEL for state in path):
            net.count("XfrmInNoPols")
            return False
        return True
    if policy.block:
        net.count("XfrmInPolBlock")
        return False
    # The outermost transformation was undone first and is the last that a policy names.
    left = list(path)
    for tmpl in reversed(policy.templates):
        if left and _tmpl_matches(tmpl, left[0]):
            left.pop(0)
        elif not tmpl.optional:
            net.count("XfrmInTmplMismatch")
            return False
    if any(state.mode == XFRM_MODE_TUNNEL for state in left):
        net.count("XfrmInTmplMismatch")
        return False
    return True


def _tmpl_matches(tmpl: XfrmTmpl, state: XfrmState) -> bool:
    """Linux: xfrm_state_ok."""
    if tmpl.mode != state.mode or tmpl.reqid not in (0, state.reqid):
        return False
    if tmpl.spi not in (0, state.spi):
        return False
    tunnel = state.mode == XFRM_MODE_TUNNEL
    return not tunnel or (tmpl.daddr in (0, state.daddr) and tmpl.saddr in (0, state.saddr))
