"""ICMP messages of a script: types and codes by name, and the segment that they quote."""

from __future__ import annotations

from struct import Struct

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.flow import Flow
from pyhost.packetdrill.packets import Endpoints, IcmpMessage, ip_header
from pyhost.uapi import icmp
from pyhost.uapi.ip import IPDEFTTL, IPPROTO_TCP, IPPROTO_UDP
from pyhost.uapi.tcp import TCP_HDR_LEN

__all__ = ["icmp_of_script"]

_TYPES = {
    "echo_reply": icmp.ICMP_ECHOREPLY,
    "unreachable": icmp.ICMP_DEST_UNREACH,
    "source_quench": icmp.ICMP_SOURCE_QUENCH,
    "redirect": icmp.ICMP_REDIRECT,
    "echo_request": icmp.ICMP_ECHO,
    "time_exceeded": icmp.ICMP_TIME_EXCEEDED,
    "parameter_problem": icmp.ICMP_PARAMETERPROB,
}
_UNREACHABLE_CODES = {
    "net_unreachable": icmp.ICMP_NET_UNREACH,
    "host_unreachable": icmp.ICMP_HOST_UNREACH,
    "protocol_unreachable": icmp.ICMP_PROT_UNREACH,
    "port_unreachable": icmp.ICMP_PORT_UNREACH,
    "frag_needed": icmp.ICMP_FRAG_NEEDED,
    "source_route_failed": icmp.ICMP_SR_FAILED,
    "net_unknown": icmp.ICMP_NET_UNKNOWN,
    "host_unknown": icmp.ICMP_HOST_UNKNOWN,
    "source_host_isolated": icmp.ICMP_HOST_ISOLATED,
    "net_prohibited": icmp.ICMP_NET_ANO,
    "host_prohibited": icmp.ICMP_HOST_ANO,
    "net_unreachable_for_tos": icmp.ICMP_NET_UNR_TOS,
    "host_unreachable_for_tos": icmp.ICMP_HOST_UNR_TOS,
    "packet_filtered": icmp.ICMP_PKT_FILTERED,
    "precedence_violation": icmp.ICMP_PREC_VIOLATION,
    "precedence_cutoff": icmp.ICMP_PREC_CUTOFF,
}
_UDP_HDR_LEN = 8

_QUOTED_TCP = Struct("!HHI")
"""What is quoted of a segment: both ports and the sequence number (RFC 792: 64 bits)."""
_QUOTED_UDP = Struct("!HHHH")


def icmp_of_script(packet: ast.IcmpPacket, flow: Flow) -> IcmpMessage:
    """The message, about a segment of `flow` that the stack has sent."""
    kind = _lookup(packet.kind, "type", _TYPES)
    code = 0
    if packet.code is not None:
        codes = _UNREACHABLE_CODES if kind == icmp.ICMP_DEST_UNREACH else {}
        code = _lookup(packet.code, "code", codes)
    if packet.mtu and (kind, code) != (icmp.ICMP_DEST_UNREACH, icmp.ICMP_FRAG_NEEDED):
        raise ScriptFailure("an MTU goes with unreachable frag_needed alone")
    rest = packet.echo_id << 16 | packet.mtu
    ends = Endpoints(flow.ends.daddr, 0, flow.ends.saddr, 0)
    return IcmpMessage(kind, code, rest, _quoted(packet, flow), ends=ends)


def _lookup(name: str, what: str, table: dict[str, int]) -> int:
    """A number by name, or from `type_N`, `code_N`."""
    prefix, _, digits = name.rpartition("_")
    if prefix == what and digits.isdigit() and int(digits) < 256:
        return int(digits)
    if name not in table:
        raise ScriptFailure(f"bad ICMP {what} {name}")
    return table[name]


def _quoted(packet: ast.IcmpPacket, flow: Flow) -> bytes:
    """IP header and the first eight bytes of the packet that the message is about."""
    ends, echoed = flow.ends, packet.echoed
    if isinstance(echoed, int):
        size = _UDP_HDR_LEN + echoed
        header = ip_header(ends, IPPROTO_UDP, size, 0, IPDEFTTL)
        return header + _QUOTED_UDP.pack(ends.sport, ends.dport, size, 0)
    start, length = (0, 0) if echoed is None else (echoed.start, echoed.length)
    header = ip_header(ends, IPPROTO_TCP, TCP_HDR_LEN + length, 0, IPDEFTTL)
    return header + _QUOTED_TCP.pack(ends.sport, ends.dport, flow.echoed_seq(start))
