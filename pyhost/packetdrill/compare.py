"""What an outbound packet must agree in with the script, and how segments are put together first.

A packet of the script may stand for several segments: they are merged until they have its length.
What is compared, in this order: header length, flags, reserved bits, sequence and acknowledgement
number, window, urgent pointer, options, payload; the first that differs is told.
"""

from __future__ import annotations

from dataclasses import replace

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.packets import ECN_BITS, TCP_FLAG_LETTERS, TcpSegment, flag_bits
from pyhost.packetdrill.tcp_options import options_list, options_text, timestamps
from pyhost.uapi.ip import IP_HDR_LEN
from pyhost.uapi.tcp import TCPOPT_TIMESTAMP

__all__ = ["compare_segment", "join_segments", "merge"]

_ECN_MASK = 3
_ACE_SHIFT = 6
_RESERVED = 0xE00

_FLAG_NAMES = {
    "F": "fin",
    "S": "syn",
    "R": "rst",
    "P": "psh",
    ".": "ack",
    "U": "urg",
    "E": "ece",
    "W": "cwr",
    "A": "ae",
}
_FREE_IN_PART = frozenset("FPW")
"""Flags that may differ between the segments that are merged."""


def _check(name: str, expected: int, actual: int) -> None:
    if expected != actual:
        expected, actual = int(expected), int(actual)
        raise ScriptFailure(
            f"live packet field {name}: expected: {expected} ({expected:#x}) vs "
            f"actual: {actual} ({actual:#x})"
        )


# -- merging ---------------------------------------------------------------------------------------


def merge(parts: list[TcpSegment], part: TcpSegment, wanted: int) -> None:
    """Add `part` to the segments of one packet of `wanted` bytes; raises ScriptFailure when it does
    not continue them.
    """
    if parts:
        _check_continues(parts[-1], part)
        done = sum(len(other.payload) for other in parts)
        size, before = len(part.payload), len(parts[-1].payload)
        if size < wanted - done and size != before:
            raise ScriptFailure(
                f"fragment payload: expected {before} bytes vs actual {size} bytes; "
                f"total payload: expected {wanted} bytes vs actual {size + done} bytes"
            )
    parts.append(part)


def _check_continues(before: TcpSegment, part: TcpSegment) -> None:
    _check("tcp_data_offset", before.doff, part.doff)
    for letter, name in _FLAG_NAMES.items():
        if letter not in _FREE_IN_PART:
            _check(f"tcp_{name}", before.has(letter), part.has(letter))
    _check("tcp_seq", before.seq + len(before.payload) & 0xFFFFFFFF, part.seq)
    _check("tcp_ack_seq", before.ack, part.ack)
    _check("tcp_window", before.window, part.window)
    _check("tcp_urg_ptr", before.urgent, part.urgent)


def join_segments(parts: list[TcpSegment]) -> TcpSegment:
    """One segment out of several: sequence number and CWR of the first, all else of the last."""
    first, last = parts[0], parts[-1]
    cwr = TCP_FLAG_LETTERS["W"]
    return replace(
        last,
        seq=first.seq,
        flags=last.flags & ~cwr | first.flags & cwr,
        payload=b"".join(part.payload for part in parts),
        faults=next((part.faults for part in parts if part.faults), ""),
    )


# -- comparing -------------------------------------------------------------------------------------


def compare_segment(
    packet: ast.TcpPacket, script: TcpSegment, actual: TcpSegment, ts_tolerance: float | None
) -> None:
    """Raise ScriptFailure for the first field in which `actual` is not what the script says.

    `ts_tolerance`: by how many steps a timestamp may differ, None when it is not compared.
    """
    if actual.faults:
        raise ScriptFailure(actual.faults)
    allowance = len(actual.options) if packet.options is None else 0
    _compare_ip(packet.ip, script, actual, allowance)
    _check("tcp_data_offset", script.doff + allowance // 4, actual.doff)
    _compare_flags(packet, script, actual)
    _check("tcp_reserved_bits", 0, actual.flags & _RESERVED)
    _check("tcp_seq", script.seq & 0xFFFFFFFF, actual.seq)
    _check("tcp_ack_seq", script.ack & 0xFFFFFFFF, actual.ack)
    if packet.window is not None:
        _check("tcp_window", script.window, actual.window)
    _check("tcp_urg_ptr", script.urgent, actual.urgent)
    if packet.options is not None:
        _compare_options(script, actual, ts_tolerance)
    if actual.payload != script.payload:
        raise ScriptFailure("incorrect outbound data payload")


def _compare_ip(info: ast.IpInfo, script: TcpSegment, actual: TcpSegment, allowance: int) -> None:
    """The same for the IP header: length, and what the script says of ECN, TOS and TTL.

    `allowance` bytes of options are there that the script does not list.
    """
    expected = IP_HDR_LEN + 4 * script.doff + len(script.payload) + allowance
    _check("ipv4_total_length", expected, IP_HDR_LEN + 4 * actual.doff + len(actual.payload))
    ecn = actual.tos & _ECN_MASK
    if info.ecn == "ect01":
        if ecn not in (ECN_BITS["ect0"], ECN_BITS["ect1"]):
            text = f"live packet field ip_ecn: expected: 0x1 or 0x2 vs actual: {ecn:#x}"
            raise ScriptFailure(text)
    elif info.ecn is not None:
        _check("ip_ecn", ECN_BITS[info.ecn], ecn)
    elif info.tos is not None:
        _check("tos", info.tos, actual.tos)
    if info.ttl is not None:
        _check("ttl", info.ttl, actual.ttl)


def _compare_flags(packet: ast.TcpPacket, script: TcpSegment, actual: TcpSegment) -> None:
    _, ace = flag_bits(packet.flags)
    counted = frozenset("EWA") if ace is not None else frozenset()
    for letter, name in _FLAG_NAMES.items():
        if letter not in counted:
            _check(f"tcp_{name}", script.has(letter), actual.has(letter))
    if ace is not None:
        _check("tcp_ace", ace, actual.flags >> _ACE_SHIFT & 7)


def _compare_options(script: TcpSegment, actual: TcpSegment, ts_tolerance: float | None) -> None:
    said, seen = options_list(script.options), options_list(actual.options)
    if [kind for kind, _ in said] != [kind for kind, _ in seen]:
        raise ScriptFailure("bad outbound TCP options")
    for (kind, expected), (_, value) in zip(said, seen, strict=True):
        if kind == TCPOPT_TIMESTAMP:
            _compare_timestamps(script, actual, ts_tolerance)
        elif expected != value:
            what = "bad length" if len(expected) != len(value) else "bad value"
            raise ScriptFailure(
                f"{what} in outbound TCP option (kind={kind}): "
                f"expected: {options_text(_raw(kind, expected))} "
                f"actual: {options_text(_raw(kind, value))}"
            )


def _raw(kind: int, value: bytes) -> bytes:
    return bytes((kind, 2 + len(value))) + value


def _compare_timestamps(script: TcpSegment, actual: TcpSegment, tolerance: float | None) -> None:
    said, seen = timestamps(script.options), timestamps(actual.options)
    if tolerance is None or said is None or seen is None:
        return
    apart = (seen[0] - said[0] + 0x80000000 & 0xFFFFFFFF) - 0x80000000
    if abs(apart) > tolerance:
        raise ScriptFailure(f"bad outbound TCP timestamp value, tolerance {tolerance:.0f} steps")
