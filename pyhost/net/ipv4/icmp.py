"""ICMP: echo, errors that this host sends, errors that it receives.

Linux: net/ipv4/icmp.c (RFC 792, RFC 1122 section 3.2.2).

Sending errors is limited twice (RFC 1812 section 4.3.2.8): all of them together to
`icmp_msgs_per_sec` with bursts of `icmp_msgs_burst`, and those to one destination to one in
`icmp_ratelimit` ms with bursts of 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import csum_bytes, ip_compute_csum
from pyhost.net.core.dst import DstEntry
from pyhost.net.core.netdevice import IFF_LOOPBACK
from pyhost.net.core.skbuff import (
    CHECKSUM_UNNECESSARY,
    SkBuff,
    alloc_skb,
    consume_skb,
    kfree_skb_reason,
)
from pyhost.net.ipv4.fib.route import (
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    inet_addr_type,
    ip_route_output,
    ip_rt_redirect,
)
from pyhost.net.ipv4.ip.ip_output import ip_local_out, ip_push_header
from pyhost.uapi.errno import (
    ECONNREFUSED,
    EHOSTDOWN,
    EHOSTUNREACH,
    EMSGSIZE,
    ENETUNREACH,
    ENONET,
    ENOPROTOOPT,
    EOPNOTSUPP,
)
from pyhost.uapi.ethernet import PACKET_HOST
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMP_FRAG_NEEDED,
    ICMP_HDR,
    ICMP_HDR_LEN,
    ICMP_HOST_UNREACH,
    ICMP_PARAMETERPROB,
    ICMP_REDIR_HOSTTOS,
    ICMP_REDIRECT,
    ICMP_SOURCE_QUENCH,
    ICMP_SR_FAILED,
    ICMP_TIME_EXCEEDED,
    ICMP_TIMESTAMP,
    ICMP_TIMESTAMPREPLY,
    NR_ICMP_UNREACH,
    IcmpView,
)
from pyhost.uapi.ip import IP_HDR_LEN, IP_OFFSET, IPPROTO_ICMP, IpView

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = [
    "ICMP_ERR_CONVERT", "IcmpErr", "IcmpNet", "dst_link_failure", "icmp_err_to_errno", "icmp_init",
    "icmp_rcv",
]  # fmt: skip

NR_ICMP_TYPES = 18
TIMESTAMP_LEN = 4
MSEC_PER_DAY = 86_400_000
ICMP_MAX_REPLY = 576
"""An error quotes as much of the packet as fits into this many bytes (RFC 1812 section 4.3.2.3)."""

IPTOS_TOS_MASK = 0x1E
IPTOS_PREC_INTERNETCONTROL = 0xC0

XRLIM_BURST_FACTOR = 6

PEER_THRESHOLD = 4096
"""Destinations whose limits are remembered, the least recently used is forgotten first.

Linux: inet_peer_threshold, which follows the size of memory.
"""

PMTU_IGNORED = (1, 2)
"""Values of net.ipv4.ip_no_pmtu_disc with which "fragmentation needed" is not believed."""

TO_MANY = (RTN_BROADCAST, RTN_MULTICAST)

ERROR_TYPES = (
    ICMP_DEST_UNREACH,
    ICMP_SOURCE_QUENCH,
    ICMP_REDIRECT,
    ICMP_TIME_EXCEEDED,
    ICMP_PARAMETERPROB,
)
ABOUT_OUR_PACKETS = (ICMP_DEST_UNREACH, ICMP_SOURCE_QUENCH, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB)


class IcmpErr(NamedTuple):
    """What a "destination unreachable" means to a socket.

    Linux: struct icmp_err; `fatal` errors end a connection attempt.
    """

    errno: int
    fatal: bool


ICMP_ERR_CONVERT = (
    IcmpErr(ENETUNREACH, False),
    IcmpErr(EHOSTUNREACH, False),
    IcmpErr(ENOPROTOOPT, True),
    IcmpErr(ECONNREFUSED, True),
    IcmpErr(EMSGSIZE, False),
    IcmpErr(EOPNOTSUPP, False),
    IcmpErr(ENETUNREACH, True),
    IcmpErr(EHOSTDOWN, True),
    IcmpErr(ENONET, True),
    IcmpErr(ENETUNREACH, True),
    IcmpErr(EHOSTUNREACH, True),
    IcmpErr(ENETUNREACH, False),
    IcmpErr(EHOSTUNREACH, False),
    IcmpErr(EHOSTUNREACH, True),
    IcmpErr(EHOSTUNREACH, True),
    IcmpErr(EHOSTUNREACH, True),
)
"""By code of ICMP_DEST_UNREACH. Linux: icmp_err_convert."""

ErrHandler = Callable[[SkBuff, int], int]
"""`handler(skb, info)`: `skb.data` is at the quoted IP header, `skb.transport_header` at the ICMP
header; `info` is the MTU of a "fragmentation needed", 0 otherwise. The handler does not free the
packet. Linux: net_protocol.err_handler.
"""


class TokenBucket:
    """At most `burst` at once, refilled with `per_second`."""

    __slots__ = ("stamp", "tokens")

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.stamp = 0

    def take(self, now: int, per_second: int, burst: int) -> bool:
        """Take one if there is one.

        Linux: icmp_global_allow; credit comes in steps of 20 ms at least.
        """
        if self.tokens == 0 or now - self.stamp >= 20 * NSEC_PER_MSEC:
            credit = min(now - self.stamp, NSEC_PER_SEC) * per_second // NSEC_PER_SEC
            if credit:
                self.stamp = now
                self.tokens = min(self.tokens + credit, burst)
        if not self.tokens:
            return False
        self.tokens -= 1
        return True


class IcmpNet:
    """ICMP of one machine.

    `err_handlers[protocol]` gets the errors that quote a packet of that protocol, `raw_error` all.
    """

    def __init__(self, net: Net) -> None:
        self.net = net
        self.err_handlers: dict[int, ErrHandler] = {}
        self.raw_error: Callable[[Net, SkBuff, int], None] = lambda _net, _skb, _info: None
        self._global = TokenBucket(net.ipv4.sysctl_icmp_msgs_burst)
        self._peers: dict[int, tuple[int, int]] = {}

    # -- sending -----------------------------------------------------------------------------------

    def send(self, skb_in: SkBuff, icmp_type: int, code: int, info: int) -> None:
        """Tell the sender of `skb_in` that it could not be delivered; `info` is the MTU of a
        "fragmentation needed".

        Says nothing to broadcasts, fragments other than the first, and other errors (RFC 1122
        section 3.2.2). `skb_in` has a route and stays the caller's. Linux: __icmp_send.
        """
        net = self.net
        if skb_in.dst is None or skb_in.pkt_type != PACKET_HOST or skb_in.dst.type in TO_MANY:
            return
        iph = IpView(skb_in.buf, skb_in.network_header)
        saddr, daddr = iph.saddr, iph.daddr
        if iph.frag_off & IP_OFFSET or inet_addr_type(net, saddr) in TO_MANY:
            return
        if (
            icmp_type in ERROR_TYPES
            and iph.protocol == IPPROTO_ICMP
            and not _may_answer_icmp(skb_in)
        ):
            return
        source = daddr if inet_addr_type(net, daddr) == RTN_LOCAL else 0
        tos = iph.tos & IPTOS_TOS_MASK | IPTOS_PREC_INTERNETCONTROL
        dst = ip_route_output(net, saddr, source, tos=tos)
        if isinstance(dst, int) or not self._xmit_allow(dst, saddr, icmp_type, code):
            return
        room = min(dst.mtu(), ICMP_MAX_REPLY) - IP_HDR_LEN - ICMP_HDR_LEN
        self._push_reply(
            dst, saddr, source or dst.saddr, tos, icmp_type, code, info, _quote(skb_in, room)
        )

    def reply(self, skb: SkBuff, icmp_type: int, data: bytes) -> None:
        """Answer a query with `data` behind what identifies it. Linux: icmp_reply."""
        iph = IpView(skb.buf, skb.network_header)
        saddr, daddr, tos = iph.saddr, iph.daddr, iph.tos
        source = daddr if inet_addr_type(self.net, daddr) == RTN_LOCAL else 0
        dst = ip_route_output(self.net, saddr, source, tos=tos)
        if isinstance(dst, int) or not self._xmit_allow(dst, saddr, icmp_type, 0):
            return
        rest = IcmpView(skb.buf, skb.transport_header).rest
        self._push_reply(dst, saddr, source or dst.saddr, tos, icmp_type, 0, rest, data)

    def _push_reply(
        self,
        dst: DstEntry,
        daddr: int,
        saddr: int,
        tos: int,
        icmp_type: int,
        code: int,
        rest: int,
        data: bytes,
    ) -> None:
        """Linux: icmp_push_reply."""
        net = self.net
        dev = dst.dev
        room = ((dev.hard_header_len + dev.needed_headroom) & ~15) + 16
        skb = alloc_skb(net.skbs, room + IP_HDR_LEN + ICMP_HDR_LEN + len(data))
        if skb is None:
            net.count("IcmpOutErrors")
            return
        skb.reserve(room + IP_HDR_LEN)
        check = ip_compute_csum(ICMP_HDR.pack(icmp_type, code, 0, rest) + data)
        skb.transport_header = skb.data
        skb.put_data(ICMP_HDR.pack(icmp_type, code, check, rest) + data)
        skb.dst = dst
        skb.ignore_df = True
        ident = net.ipv4.ip_idents_reserve(saddr, daddr, IPPROTO_ICMP, 1)
        ip_push_header(
            skb, tos, ident, 0, net.ipv4.sysctl_ip_default_ttl, IPPROTO_ICMP, saddr, daddr
        )
        net.count("IcmpOutMsgs")
        net.count(f"IcmpMsgOutType{icmp_type}")
        ip_local_out(net, None, skb)

    def _xmit_allow(self, dst: DstEntry, daddr: int, icmp_type: int, code: int) -> bool:
        """Both limits. Linux: icmpv4_global_allow, icmpv4_xrlim_allow."""
        ipv4 = self.net.ipv4
        limited = icmp_type <= NR_ICMP_TYPES and ipv4.sysctl_icmp_ratemask >> icmp_type & 1
        if not limited or (icmp_type == ICMP_DEST_UNREACH and code == ICMP_FRAG_NEEDED):
            return True
        now = self.net.kernel.clock.now
        if not self._global.take(now, ipv4.sysctl_icmp_msgs_per_sec, ipv4.sysctl_icmp_msgs_burst):
            self.net.count("IcmpOutRateLimitGlobal")
            return False
        if dst.dev.flags & IFF_LOOPBACK or self._peer_allow(
            daddr, now, ipv4.sysctl_icmp_ratelimit * NSEC_PER_MSEC
        ):
            return True
        self.net.count("IcmpOutRateLimitHost")
        return False

    def _peer_allow(self, daddr: int, now: int, timeout: int) -> bool:
        """Time is the currency: each error costs `timeout`, at most six can be saved up.

        Linux: inet_peer_xrlim_allow.
        """
        full = XRLIM_BURST_FACTOR * timeout
        tokens, last = self._peers.pop(daddr, (full, now))
        tokens = min(tokens + now - last, full)
        allowed = tokens >= timeout
        if len(self._peers) >= PEER_THRESHOLD:
            del self._peers[next(iter(self._peers))]
        self._peers[daddr] = (tokens - timeout if allowed else tokens, now)
        return allowed

    # -- receiving ---------------------------------------------------------------------------------

    def unreach(self, skb: SkBuff) -> bool:
        """An error about a packet of ours: give it to that packet's protocol; False when it is
        malformed.

        Linux: icmp_unreach.
        """
        if not skb.may_pull(ICMP_HDR_LEN + IP_HDR_LEN):
            return False
        where = skb.transport_header = skb.data
        icmp = IcmpView(skb.buf, where)
        quoted = IpView(skb.buf, where + ICMP_HDR_LEN)
        if quoted.header_len < IP_HDR_LEN:
            return False
        info = 0
        if icmp.type == ICMP_DEST_UNREACH:
            code = icmp.code
            if code > NR_ICMP_UNREACH or code == ICMP_SR_FAILED:
                return True
            if code == ICMP_FRAG_NEEDED:
                if self.net.ipv4.sysctl_ip_no_pmtu_disc in PMTU_IGNORED:
                    return True
                info = icmp.mtu
                if not info:
                    return True
        if not skb.may_pull(ICMP_HDR_LEN + quoted.header_len + 8):
            return False
        handler = self.err_handlers.get(IpView(skb.buf, skb.data + ICMP_HDR_LEN).protocol)
        skb.transport_header = skb.data
        skb.pull(ICMP_HDR_LEN)
        self.raw_error(self.net, skb, info)
        if handler is not None:
            handler(skb, info)
        return True

    def redirect(self, skb: SkBuff) -> bool:
        """A router knows a better first hop for a packet of ours; False when it is malformed.

        Linux: icmp_redirect, __ip_do_redirect.
        """
        if not skb.may_pull(ICMP_HDR_LEN + IP_HDR_LEN) or skb.dev is None:
            return False
        icmp = IcmpView(skb.buf, skb.data)
        if icmp.code > ICMP_REDIR_HOSTTOS:
            return True
        quoted = IpView(skb.buf, skb.data + ICMP_HDR_LEN)
        router = IpView(skb.buf, skb.network_header).saddr
        if inet_addr_type(self.net, quoted.saddr) == RTN_LOCAL:
            ip_rt_redirect(self.net, quoted.daddr, router, icmp.rest, skb.dev)
        return True


def _may_answer_icmp(skb: SkBuff) -> bool:
    """Whether a received ICMP packet is no error itself. Linux: __icmp_send."""
    where = skb.network_header + IpView(skb.buf, skb.network_header).header_len
    return (
        where < skb.tail and skb.buf[where] not in ERROR_TYPES and skb.buf[where] <= NR_ICMP_TYPES
    )


def _quote(skb: SkBuff, room: int) -> bytes:
    """Up to `room` bytes of a packet from its IP header on, wherever `data` is."""
    if skb.data <= skb.network_header:
        start = skb.network_header - skb.data
        return skb.copy_bits(start, min(room, skb.len - start))
    front = bytes(skb.buf[skb.network_header : skb.data])[:room]
    return front + skb.copy_bits(0, min(room - len(front), skb.len))


def icmp_err_to_errno(icmp_type: int, code: int) -> IcmpErr:
    """What an ICMP error means to a UDP or raw socket. Linux: the switch in __udp4_lib_err."""
    if icmp_type == ICMP_DEST_UNREACH and code <= NR_ICMP_UNREACH:
        return ICMP_ERR_CONVERT[code]
    return IcmpErr(EHOSTUNREACH, False)


def icmp_rcv(skb: SkBuff) -> int:
    """An ICMP packet has come; `skb.data` is at its header. Linux: icmp_rcv."""
    assert skb.dev is not None
    net = skb.dev.net
    net.count("IcmpInMsgs")
    if skb.ip_summed != CHECKSUM_UNNECESSARY and csum_bytes(skb.to_bytes()) != 0xFFFF:
        net.count("IcmpInCsumErrors")
        net.count("IcmpInErrors")
        kfree_skb_reason(skb, drop_reason.ICMP_CSUM)
        return 0
    if not skb.may_pull(ICMP_HDR_LEN):
        net.count("IcmpInErrors")
        kfree_skb_reason(skb, drop_reason.PKT_TOO_SMALL)
        return 0
    icmp_type = skb.buf[skb.data]
    net.count(f"IcmpMsgInType{icmp_type}")
    skb.transport_header = skb.data
    fault = False
    if icmp_type == ICMP_ECHO:
        if _answers_query(net, skb) and not net.ipv4.sysctl_icmp_echo_ignore_all:
            data = skb.copy_bits(ICMP_HDR_LEN, skb.len - ICMP_HDR_LEN)
            net.icmp.reply(skb, ICMP_ECHOREPLY, data)
    elif icmp_type == ICMP_TIMESTAMP:
        fault = not _timestamp(net, skb)
    elif icmp_type == ICMP_REDIRECT:
        fault = not net.icmp.redirect(skb)
    elif icmp_type in ABOUT_OUR_PACKETS:
        fault = not net.icmp.unreach(skb)
    if fault:
        net.count("IcmpInErrors")
        kfree_skb_reason(skb, drop_reason.PKT_TOO_SMALL)
    else:
        consume_skb(skb)
    return 0


def _answers_query(net: Net, skb: SkBuff) -> bool:
    """Whether a query is answered: those to all hosts only if `icmp_echo_ignore_broadcasts` is 0.

    Linux: icmp_rcv.
    """
    to_many = skb.dst is not None and skb.dst.type in TO_MANY
    return not (to_many and net.ipv4.sysctl_icmp_echo_ignore_broadcasts)


def _timestamp(net: Net, skb: SkBuff) -> bool:
    """Tell the time, in ms since midnight UT; False when the question is too short.

    Linux: icmp_timestamp.
    """
    if skb.len < ICMP_HDR_LEN + TIMESTAMP_LEN:
        return False
    if _answers_query(net, skb):
        now = net.kernel.clock.now // NSEC_PER_MSEC % MSEC_PER_DAY
        data = skb.copy_bits(ICMP_HDR_LEN, TIMESTAMP_LEN) + 2 * now.to_bytes(TIMESTAMP_LEN, "big")
        net.icmp.reply(skb, ICMP_TIMESTAMPREPLY, data)
    return True


def dst_link_failure(skb: SkBuff) -> None:
    """The next hop does not answer: tell the packet's sender, who is this host.

    Linux: dst_link_failure, ipv4_link_failure.

    The packet stays the caller's.
    """
    if skb.dst is None:
        return
    skb.dst.net.icmp.send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0)


def icmp_init(net: Net) -> None:
    """Linux: icmp_init."""
    net.icmp = IcmpNet(net)
    net.inet_protos[IPPROTO_ICMP] = icmp_rcv
