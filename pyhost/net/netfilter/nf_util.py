"""Changing a packet on its way: making its bytes ours, and keeping its checksums right.

Linux: net/core/skbuff.c skb_ensure_writable, net/core/utils.c inet_proto_csum_replace4,
include/net/checksum.h csum_replace2.
"""

from __future__ import annotations

from struct import Struct

from pyhost.net.core.skbuff import CHECKSUM_COMPLETE, CHECKSUM_NONE, CHECKSUM_PARTIAL, SkBuff

__all__ = [
    "BE16", "BE32", "csum_replace", "inet_proto_csum_replace", "set_ip_field",
    "skb_ensure_writable",
]  # fmt: skip

BE16 = Struct("!H")
BE32 = Struct("!I")


def skb_ensure_writable(skb: SkBuff, length: int) -> bool:
    """Make the first `length` bytes linear and ours alone; False when that cannot be.

    The headers of a TCP segment on its way down are ours although its payload is shared with the
    retransmission queue. Addresses may change. Linux: skb_ensure_writable.
    """
    try:
        return skb.ensure_writable(length)
    except MemoryError:
        return False


def csum_replace(check: int, old: int, new: int) -> int:
    """A checksum field after a part of what it covers went from `old` to `new` (RFC 1624).

    Both are 16 or 32 bits at an even offset. Linux: csum_replace2, csum_replace4.
    """
    total = (~check & 0xFFFF) + 0xFFFFFFFF - old + new
    return ~(total % 0xFFFF or 0xFFFF) & 0xFFFF


def inet_proto_csum_replace(
    skb: SkBuff, where: int, old: int, new: int, *, pseudohdr: bool
) -> None:
    """Repair the transport's checksum field at the address `where`.

    A PARTIAL field holds the plain sum of the pseudo-header: only what belongs to that changes it.
    A sum that the device took over the packet is void then. Linux: inet_proto_csum_replace4.
    """
    buf = skb.buf
    check = BE16.unpack_from(buf, where)[0]
    if skb.ip_summed != CHECKSUM_PARTIAL:
        BE16.pack_into(buf, where, csum_replace(check, old, new))
        if skb.ip_summed == CHECKSUM_COMPLETE:
            skb.ip_summed = CHECKSUM_NONE
    elif pseudohdr:
        BE16.pack_into(buf, where, ~csum_replace(~check & 0xFFFF, old, new) & 0xFFFF)


def set_ip_field(skb: SkBuff, offset: int, value: int) -> bool:
    """Write one byte of the IP header and repair the header's checksum; False without memory."""
    if not skb_ensure_writable(skb, 20):
        return False
    buf, iph = skb.buf, skb.network_header
    word = iph + (offset & ~1)
    old = BE16.unpack_from(buf, word)[0]
    buf[iph + offset] = value
    new = BE16.unpack_from(buf, word)[0]
    check = BE16.unpack_from(buf, iph + 10)[0]
    BE16.pack_into(buf, iph + 10, csum_replace(check, old, new))
    return True
