"""Joining neighbours in the retransmit queue. Linux: net/ipv4/tcp_input.c tcp_skb_shift,
tcp_shift_skb_data.

Used where neighbours become one: SACKed segments (tcp_sacktag.py), and small ones that are
retransmitted together (tcp_retransmit.py). Payload lies in page fragments alone, so references
move and no byte is copied. Segments are never joined over the end of a record (`eor`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skb_coalesce import skb_shift
from pyhost.net.core.ubuf import skb_zcopy_pure
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, after, before

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "skb_can_shift", "tcp_shift_bounds", "tcp_skb_can_collapse", "tcp_skb_seglen", "tcp_skb_shift",
]  # fmt: skip

SHIFT_MAX_BYTES = 65535 * 8
"""Linux: 65535 * TCP_MIN_GSO_SIZE."""
SHIFT_MAX_SEGS = 65535


def tcp_skb_seglen(skb: SkBuff) -> int:
    """Payload bytes of one of its wire segments. Linux: tcp_skb_seglen."""
    cb: TcpSkbCb = skb.cb
    return skb.len if cb.pcount == 1 else cb.gso_size


def skb_can_shift(skb: SkBuff) -> bool:
    """Whether all its bytes lie in fragments. Linux: skb_can_shift."""
    return skb.len == skb.data_len


def tcp_skb_can_collapse(to: SkBuff, skb: SkBuff) -> bool:
    """Whether bytes of `skb` may be added to `to`: no record ends there, and both are charged
    alike. Linux: tcp_skb_can_collapse.
    """
    return not to.cb.eor and skb_zcopy_pure(to) == skb_zcopy_pure(skb)


def tcp_shift_bounds(prev: SkBuff, skb: SkBuff, start: int, end: int) -> tuple[int, int] | None:
    """(bytes, segments) at the head of `skb` that a block covers and that may join `prev`: (0, 0)
    when less than a segment is covered, None when they do not fit together.

    Both must consist of segments of the same size, else the counts would come out wrong. Linux:
    part of tcp_shift_skb_data.
    """
    cb: TcpSkbCb = skb.cb
    mss = tcp_skb_seglen(skb)
    if not after(start, cb.seq) and not before(end, cb.end_seq):
        return (skb.len, cb.pcount) if mss == tcp_skb_seglen(prev) else None
    if not after(end, cb.seq) or cb.pcount <= 1:
        return 0, 0
    if after(start, cb.seq) or mss != tcp_skb_seglen(prev):
        return None
    pcount = (end - cb.seq & 0xFFFFFFFF) // mss
    return pcount * mss, pcount


def tcp_skb_shift(to: SkBuff, skb: SkBuff, pcount: int, length: int) -> bool:
    """Move the first `length` bytes of `skb` to the end of `to`; False: they do not fit.

    Linux: tcp_skb_shift.
    """
    if to.len + length >= SHIFT_MAX_BYTES or to.cb.pcount + pcount > SHIFT_MAX_SEGS:
        return False
    return bool(skb_shift(to, skb, length))
