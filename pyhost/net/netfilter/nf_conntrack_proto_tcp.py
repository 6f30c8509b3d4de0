"""The tracker of TCP: a connection as someone sees it who stands beside the wire.

Linux: net/netfilter/nf_conntrack_proto_tcp.c.

What comes next is a table: direction × kind of segment × state → state. IG is a segment that is let
through without believing it (its receiver will decide), IV one that cannot be. In the order of a
connection's life:

    NONE ─SYN→ SYN_SENT ─SYN,ACK→ SYN_RECV ─ACK→ ESTABLISHED ─FIN→ FIN_WAIT ─ACK→ CLOSE_WAIT
         ─FIN→ LAST_ACK ─ACK→ TIME_WAIT;   a RST leads to CLOSE;   SYN from both sides: SYN_SENT2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.netfilter.core import NF_ACCEPT, NF_DROP, NF_REPEAT
from pyhost.net.netfilter.nf_conntrack_tcp_window import (
    FLAG_BE_LIBERAL,
    FLAG_CLOSE_INIT,
    FLAG_DATA_UNACKNOWLEDGED,
    FLAG_MAXACK_SET,
    FLAG_SACK_PERM,
    NfCtTcp,
    Segment,
    before,
    parse_segment,
    take_options,
    tcp_in_window,
)
from pyhost.net.netfilter.nf_conntrack_tuple import (
    IP_CT_DIR_REPLY,
    IPS_ASSURED,
    IPS_SEEN_REPLY,
    ctinfo2dir,
    nf_ct_delete,
)
from pyhost.uapi.tcp import TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG

if TYPE_CHECKING:
    from pyhost.net.netfilter.nf_conntrack_tuple import NfConn

__all__ = ["STATE_NAMES", "TCP_CONNTRACKS", "tcp_new", "tcp_packet"]

NO, SS, SR, ES, FW, CW, LA, TW, CL, S2, IG, IV = range(12)

STATE_NAMES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK",
    "TIME_WAIT", "CLOSE", "SYN_SENT2",
)  # fmt: skip

SYN_SET, SYNACK_SET, FIN_SET, ACK_SET, RST_SET, NONE_SET = range(6)

TCP_CONNTRACKS = (
    (  # from the side that began
        # NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
        (SS, SS, IG, IG, IG, IG, IG, SS, SS, S2),
        (IV, IV, SR, IV, IV, IV, IV, IV, IV, SR),
        (IV, IV, FW, FW, LA, LA, LA, TW, CL, IV),
        (ES, IV, ES, ES, CW, CW, TW, TW, CL, IV),
        (IV, CL, CL, CL, CL, CL, CL, CL, CL, CL),
        (IV, IV, IV, IV, IV, IV, IV, IV, IV, IV),
    ),
    (  # from the other side
        (IV, S2, IV, IV, IV, IV, IV, SS, IV, S2),
        (IV, SR, IG, IG, IG, IG, IG, IG, IG, SR),
        (IV, IV, FW, FW, LA, LA, LA, TW, CL, IV),
        (IV, IG, SR, ES, CW, CW, TW, TW, CL, IG),
        (IV, CL, CL, CL, CL, CL, CL, CL, CL, CL),
        (IV, IV, IV, IV, IV, IV, IV, IV, IV, IV),
    ),
)
"""`[direction][kind][state]`; kinds in the order SYN, SYN and ACK, FIN, ACK, RST, none of them."""

TIMEOUT_SETTING = (
    "tcp_timeout_syn_sent", "tcp_timeout_syn_sent", "tcp_timeout_syn_recv",
    "tcp_timeout_established", "tcp_timeout_fin_wait", "tcp_timeout_close_wait",
    "tcp_timeout_last_ack", "tcp_timeout_time_wait", "tcp_timeout_close", "tcp_timeout_syn_sent",
)  # fmt: skip
"""By state: which setting says how long it may last without a segment."""

VALID_FLAGS = frozenset(
    {
        TCP_SYN, TCP_SYN | TCP_URG, TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK,
        TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK | TCP_URG, TCP_ACK, TCP_ACK | TCP_URG,
    }
)  # fmt: skip
"""Without ECE, CWR and PSH, which go with anything. Linux: tcp_valid_flags."""


def _kind(flags: int) -> int:
    """Linux: get_conntrack_index."""
    if flags & TCP_RST:
        return RST_SET
    if flags & TCP_SYN:
        return SYNACK_SET if flags & TCP_ACK else SYN_SET
    if flags & TCP_FIN:
        return FIN_SET
    return ACK_SET if flags & TCP_ACK else NONE_SET


def _segment(transport: bytes, length: int) -> Segment | None:
    """A segment that may exist at all. Linux: tcp_error."""
    segment = parse_segment(transport, length)
    if segment is None:
        return None
    flags = segment.flags & ~(TCP_ECE | TCP_CWR | TCP_PSH)
    return segment if flags in VALID_FLAGS else None


def tcp_new(ct: NfConn, transport: bytes) -> bool:
    """A SYN begins a connection; a later segment one whose beginning was not seen, if
    `nf_conntrack_tcp_loose` allows it. Linux: tcp_new.
    """
    segment = parse_segment(transport, len(transport))
    if segment is None:
        return False
    state = TCP_CONNTRACKS[0][_kind(segment.flags)][NO]
    if state == IV or (state != SS and not ct.net.ct.tcp_loose):
        return False
    tcp = ct.proto = NfCtTcp(NO)
    tcp.last_index = NONE_SET
    mine, other = tcp.seen
    mine.td_end = segment.end
    mine.td_maxwin = segment.window or 1
    mine.td_maxend = mine.td_end
    if state == SS:
        take_options(mine, segment)
    else:
        mine.td_maxend = mine.td_end + mine.td_maxwin & 0xFFFFFFFF
        mine.flags = other.flags = FLAG_SACK_PERM | FLAG_BE_LIBERAL
    return True


def tcp_packet(ct: NfConn, ctinfo: int, transport: bytes, length: int) -> int:
    """Linux: nf_conntrack_tcp_packet."""
    segment = _segment(transport, length)
    if segment is None:
        return NF_DROP
    tcp: NfCtTcp = ct.proto
    direction = ctinfo2dir(ctinfo)
    kind = _kind(segment.flags)
    old = tcp.state
    new = TCP_CONNTRACKS[direction][kind][old]
    if new == SS and old >= TW:
        if _may_reopen(tcp, direction):
            nf_ct_delete(ct)
            return NF_REPEAT
        new = IG
    if new == IG:
        tcp.last_index, tcp.last_dir = kind, direction
        return NF_ACCEPT
    if new == IV or (kind == RST_SET and _bad_reset(ct, tcp, direction, segment)):
        return NF_DROP
    if new == SR and direction == IP_CT_DIR_REPLY and kind == ACK_SET and old == S2:
        new = ES
    if not tcp_in_window(tcp, direction, segment, bool(ct.net.ct.tcp_be_liberal)):
        return NF_DROP
    tcp.last_index, tcp.last_dir = kind, direction
    if new == FW and old != FW:
        tcp.seen[direction].flags |= FLAG_CLOSE_INIT
    tcp.state = new
    return _keep(ct, tcp, old, kind)


def _may_reopen(tcp: NfCtTcp, direction: int) -> bool:
    """A SYN in TIME_WAIT or CLOSE begins anew when the other side had closed first, or this side
    has just reset.
    """
    return bool(tcp.seen[1 - direction].flags & FLAG_CLOSE_INIT) or (
        tcp.last_dir == direction and tcp.last_index == RST_SET
    )


def _bad_reset(ct: NfConn, tcp: NfCtTcp, direction: int, segment: Segment) -> bool:
    """Whether a RST is older than what its receiver has acknowledged already (RFC 5961)."""
    other = tcp.seen[1 - direction]
    return (
        bool(other.flags & FLAG_MAXACK_SET)
        and before(segment.seq, other.td_maxack)
        and not ct.net.ct.tcp_ignore_invalid_rst
    )


def _keep(ct: NfConn, tcp: NfCtTcp, old: int, kind: int) -> int:
    """How long the connection lives now. Linux: the end of nf_conntrack_tcp_packet."""
    table = ct.net.ct
    seconds: int = getattr(table, TIMEOUT_SETTING[tcp.state])
    unacknowledged = (tcp.seen[0].flags | tcp.seen[1].flags) & FLAG_DATA_UNACKNOWLEDGED
    if tcp.retrans >= table.tcp_max_retrans or (tcp.last_win == 0 and kind != RST_SET):
        seconds = min(seconds, table.tcp_timeout_max_retrans)
    elif unacknowledged:
        seconds = min(seconds, table.tcp_timeout_unacknowledged)
    if not ct.status & IPS_SEEN_REPLY:
        if kind == RST_SET:
            # The only answer was a refusal: there never was a connection.
            nf_ct_delete(ct)
            return NF_ACCEPT
        if tcp.state == ES:
            seconds = min(seconds, table.tcp_timeout_unacknowledged)
    elif not ct.status & IPS_ASSURED and old in (SR, ES) and tcp.state == ES:
        ct.status |= IPS_ASSURED
    ct.refresh(seconds * NSEC_PER_SEC)
    return NF_ACCEPT
