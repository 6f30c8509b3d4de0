"""Whether a TCP segment can be part of the connection, by what both sides have sent and allowed.

Linux: net/netfilter/nf_conntrack_proto_tcp.c tcp_in_window; the bounds are those of Guido van
Rooij, "Real Stateful TCP Packet Filtering in IP Filter".

For each direction: `td_end` is behind the last byte sent, `td_maxend` behind the last byte that the
other side's window allowed, `td_maxwin` the largest window announced. A segment must lie between
them, and acknowledge what was really sent and not long ago.
"""

from __future__ import annotations

from typing import NamedTuple

from pyhost.uapi.tcp import (
    TCP_ACK,
    TCP_FIN,
    TCP_HDR_LEN,
    TCP_RST,
    TCP_SYN,
    TCPOPT_EOL,
    TCPOPT_NOP,
    TCPOPT_SACK,
    TCPOPT_SACK_PERM,
    TCPOPT_WINDOW,
)

__all__ = [
    "FLAG_BE_LIBERAL", "FLAG_CLOSE_INIT", "FLAG_DATA_UNACKNOWLEDGED", "FLAG_MAXACK_SET",
    "FLAG_SACK_PERM", "FLAG_WINDOW_SCALE", "NfCtTcp", "Segment", "TcpSide", "before",
    "parse_segment", "take_options", "tcp_in_window",
]  # fmt: skip

FLAG_WINDOW_SCALE = 0x01
FLAG_SACK_PERM = 0x02
FLAG_CLOSE_INIT = 0x04
FLAG_BE_LIBERAL = 0x08
FLAG_DATA_UNACKNOWLEDGED = 0x10
FLAG_MAXACK_SET = 0x20

MAXACKWINCONST = 66000
"""However small the window, an acknowledgement may lag so far behind. Linux: MAXACKWINDOW."""
TCP_MAX_WSCALE = 14
MASK = 0xFFFFFFFF


class Segment(NamedTuple):
    """What of a segment matters here; `end` is the sequence number behind it."""

    flags: int
    seq: int
    ack: int
    window: int
    end: int
    options: bytes


class TcpSide:
    """What is known of one direction. Linux: struct ip_ct_tcp_state."""

    __slots__ = ("flags", "td_end", "td_maxack", "td_maxend", "td_maxwin", "td_scale")

    def __init__(self) -> None:
        self.flags = 0
        self.td_end = self.td_maxend = self.td_maxwin = self.td_maxack = self.td_scale = 0


class NfCtTcp:
    """A connection's state (TCP_CONNTRACK_*), both sides, and the last packet. Linux: struct
    ip_ct_tcp.
    """

    __slots__ = ("last_dir", "last_index", "last_segment", "last_win", "retrans", "seen", "state")

    def __init__(self, state: int) -> None:
        self.state = state
        self.seen = (TcpSide(), TcpSide())
        self.last_dir = self.last_index = self.last_win = self.retrans = 0
        self.last_segment: tuple[int, int, int, int] | None = None


def before(a: int, b: int) -> bool:
    """Whether sequence number `a` comes before `b` (RFC 9293 section 3.4)."""
    return (a - b) & 0x80000000 != 0


def parse_segment(transport: bytes, length: int) -> Segment | None:
    """A segment from its first bytes; None when the header is cut or its length impossible."""
    header = transport[12] >> 4 << 2
    if not TCP_HDR_LEN <= header <= min(length, len(transport)):
        return None
    flags = transport[13]
    seq = int.from_bytes(transport[4:8], "big")
    end = seq + length - header + bool(flags & TCP_SYN) + bool(flags & TCP_FIN) & MASK
    ack = int.from_bytes(transport[8:12], "big")
    window = transport[14] << 8 | transport[15]
    return Segment(flags, seq, ack, window, end, transport[TCP_HDR_LEN:header])


def _options(data: bytes) -> list[tuple[int, bytes]]:
    """(kind, value) of the options up to the first that is malformed."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data) and data[at] != TCPOPT_EOL:
        if data[at] == TCPOPT_NOP:
            at += 1
            continue
        if at + 1 >= len(data) or not 2 <= data[at + 1] <= len(data) - at:
            break
        found.append((data[at], data[at + 2 : at + data[at + 1]]))
        at += data[at + 1]
    return found


def take_options(side: TcpSide, segment: Segment) -> None:
    """What a SYN says of its sender. Linux: tcp_options."""
    side.td_scale = 0
    side.flags &= FLAG_BE_LIBERAL
    for kind, value in _options(segment.options):
        if kind == TCPOPT_SACK_PERM and not value:
            side.flags |= FLAG_SACK_PERM
        elif kind == TCPOPT_WINDOW and len(value) == 1:
            side.td_scale = min(value[0], TCP_MAX_WSCALE)
            side.flags |= FLAG_WINDOW_SCALE


def _highest_sack(segment: Segment) -> int:
    """The right end of the furthest SACK block, the acknowledgement without one.

    Linux: tcp_sack.
    """
    highest = segment.ack
    for kind, value in _options(segment.options):
        if kind == TCPOPT_SACK:
            for at in range(4, len(value), 8):
                edge = int.from_bytes(value[at : at + 4], "big")
                if before(highest, edge):
                    highest = edge
    return highest


def tcp_in_window(tcp: NfCtTcp, direction: int, segment: Segment, liberal: bool) -> bool:
    """Whether the segment fits, and what is learned from it if it does. Linux: tcp_in_window."""
    sender, receiver = tcp.seen[direction], tcp.seen[1 - direction]
    flags, seq, ack, window, end, _ = segment
    sack = _highest_sack(segment) if receiver.flags & FLAG_SACK_PERM else ack
    if _begins(tcp, direction, segment):
        _first_of_side(sender, receiver, segment)
        if not flags & TCP_ACK:
            return True
    elif sender.td_maxwin == 0:
        _picked_up(sender, receiver, segment, sack)
    if not flags & TCP_ACK or (flags & TCP_RST and ack == 0):
        ack = sack = receiver.td_end
    if flags & TCP_RST and seq == 0 and tcp.state == TCP_CONNTRACK_SYN_SENT:
        seq = end = sender.td_end
    if not _fits(sender, receiver, seq, end, sack):
        return liberal or bool(sender.flags & FLAG_BE_LIBERAL)
    if not flags & TCP_SYN:
        window <<= sender.td_scale
    _learn(sender, receiver, flags, (ack, sack, end), window)
    _count_retransmission(tcp, direction, segment, window)
    return True


TCP_CONNTRACK_SYN_SENT = 1
TCP_CONNTRACK_SYN_RECV = 2


def _begins(tcp: NfCtTcp, direction: int, segment: Segment) -> bool:
    """Whether this is the first SYN of a side, or a new one in the place of the first."""
    if not segment.flags & TCP_SYN:
        return False
    sender = tcp.seen[direction]
    waiting = (TCP_CONNTRACK_SYN_SENT, 0), (TCP_CONNTRACK_SYN_RECV, 1)
    again = (tcp.state, direction) in waiting and before(sender.td_end, segment.end)
    return sender.td_maxwin == 0 or again


def _first_of_side(sender: TcpSide, receiver: TcpSide, segment: Segment) -> None:
    sender.td_end = sender.td_maxend = segment.end
    sender.td_maxwin = segment.window or 1
    take_options(sender, segment)
    both = sender.flags & receiver.flags & FLAG_WINDOW_SCALE
    if not both and segment.flags & TCP_ACK:
        sender.td_scale = receiver.td_scale = 0


def _picked_up(sender: TcpSide, receiver: TcpSide, segment: Segment, sack: int) -> None:
    """The other side of a connection that was not seen from its beginning speaks."""
    sender.td_end = segment.end
    sender.td_maxwin = segment.window << sender.td_scale or 1
    sender.td_maxend = segment.end + sender.td_maxwin & MASK
    if receiver.td_maxwin == 0:
        receiver.td_end = receiver.td_maxend = sack
    elif sack == receiver.td_end + 1 & MASK:
        receiver.td_end = sack


def _fits(sender: TcpSide, receiver: TcpSide, seq: int, end: int, sack: int) -> bool:
    """The four bounds: data not beyond the window nor all of it old, acknowledgement not of what
    was never sent nor too old.
    """
    lag = max(sender.td_maxwin, MAXACKWINCONST)
    return (
        before(seq, sender.td_maxend + 1 & MASK)
        and (not receiver.td_maxwin or before(sender.td_end - receiver.td_maxwin - 1 & MASK, end))
        and before(sack, receiver.td_end + 1 & MASK)
        and before(receiver.td_end - lag - 1 & MASK, sack)
    )


def _learn(
    sender: TcpSide, receiver: TcpSide, flags: int, numbers: tuple[int, int, int], window: int
) -> None:
    ack, sack, end = numbers
    sender.td_maxwin = max(sender.td_maxwin, window + (sack - ack & MASK))
    if before(sender.td_end, end):
        sender.td_end = end
        sender.flags |= FLAG_DATA_UNACKNOWLEDGED
    if flags & TCP_ACK and (not sender.flags & FLAG_MAXACK_SET or before(sender.td_maxack, ack)):
        sender.td_maxack = ack
        sender.flags |= FLAG_MAXACK_SET
    if receiver.td_maxwin and before(sender.td_maxend, end):
        receiver.td_maxwin += end - sender.td_maxend & MASK
    if not before(sack + window & MASK, receiver.td_maxend):
        receiver.td_maxend = sack + max(window, 1) & MASK
    if ack == receiver.td_end:
        receiver.flags &= ~FLAG_DATA_UNACKNOWLEDGED


def _count_retransmission(tcp: NfCtTcp, direction: int, segment: Segment, window: int) -> None:
    """The same segment again and again: nobody answers."""
    tcp.last_win = window
    if segment.flags & (TCP_ACK | TCP_SYN | TCP_FIN | TCP_RST) != TCP_ACK:
        return
    signature = (segment.seq, segment.ack, segment.end, window)
    if tcp.last_dir == direction and tcp.last_segment == signature:
        tcp.retrans += 1
    else:
        tcp.last_segment = signature
        tcp.retrans = 0
    tcp.last_dir = direction
