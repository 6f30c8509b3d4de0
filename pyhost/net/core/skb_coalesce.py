"""Moving payload from one sk_buff to another by its page references; no byte is copied.

Linux: net/core/skbuff.c skb_split, skb_shift.

    skb_split   │ a │ b │ c │ d │  →  │ a │ b.│   │.b │ c │ d │   cut one in two
    skb_shift   │ a │  │ b │ c │   →  │ a │ b.│   │.b │ c │       fill one from the next

Both want payload in frags alone, as TCP's is. Heads shared with clones are left to them: the frags
get an array of their own first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skb_shared_info import (
    MAX_SKB_FRAGS,
    SKBFL_PURE_ZEROCOPY,
    SKBFL_SHARED_FRAG,
    SkbFrag,
)
from pyhost.net.core.ubuf import skb_zcopy_set

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["skb_shift", "skb_split"]


def _len_add(skb: SkBuff, size: int) -> None:
    """Linux: skb_len_add."""
    skb.len += size
    skb.data_len += size
    skb.truesize += size


def _take_frags(skb: SkBuff, size: int) -> list[SkbFrag]:
    """Take the first `size` bytes off the frags; a page that stays in both gets a reference."""
    frags = skb.shinfo.frags
    index = 0
    while index < len(frags) and frags[index].size <= size:
        size -= frags[index].size
        index += 1
    taken = frags[:index]
    del frags[:index]
    if size:
        first = frags[0]
        first.page.get()
        taken.append(SkbFrag(first.page, first.offset, size))
        first.offset += size
        first.size -= size
    return taken


def skb_split(skb: SkBuff, rest: SkBuff, length: int) -> None:
    """Move everything behind the first `length` bytes to `rest`, which is empty. Raises
    MemoryError. Linux: skb_split_no_header, skb_zerocopy_clone.
    """
    if skb.is_cloned():
        skb.expand_head(0, 0)
    size = skb.len - length
    shinfo, after_cut = skb.shinfo, rest.shinfo
    keep = _take_frags(skb, length)
    after_cut.frags = shinfo.frags
    shinfo.frags = keep
    _len_add(rest, size)
    _len_add(skb, -size)
    after_cut.flags |= shinfo.flags & (SKBFL_SHARED_FRAG | SKBFL_PURE_ZEROCOPY)
    if shinfo.uarg is not None:
        skb_zcopy_set(rest, shinfo.uarg)


def skb_shift(tgt: SkBuff, skb: SkBuff, length: int) -> int:
    """Move the first `length` bytes of `skb` to the end of `tgt`: `length`, or 0 when they do not
    fit there or one of the two is a zero-copy packet. Linux: skb_shift.
    """
    if skb.headlen or tgt.shinfo.uarg is not None or skb.shinfo.uarg is not None:
        return 0
    room = MAX_SKB_FRAGS - len(tgt.shinfo.frags)
    if _frags_needed(tgt, skb, length) > room:
        return 0
    try:
        for each in (skb, tgt):
            if each.is_cloned():
                each.expand_head(0, 0)
    except MemoryError:
        return 0
    for frag in _take_frags(skb, length):
        if tgt.can_coalesce(frag.page, frag.offset):
            tgt.shinfo.frags[-1].size += frag.size
            frag.page.put()
        else:
            tgt.shinfo.frags.append(frag)
    tgt.shinfo.flags |= skb.shinfo.flags & SKBFL_SHARED_FRAG
    _len_add(skb, -length)
    _len_add(tgt, length)
    return length


def _frags_needed(tgt: SkBuff, skb: SkBuff, length: int) -> int:
    """How many frags `length` bytes of `skb` take behind those of `tgt`."""
    needed = 0
    for frag in skb.shinfo.frags:
        if length <= 0:
            break
        needed += 1
        length -= frag.size
    first = skb.shinfo.frags[0]
    return needed - 1 if tgt.can_coalesce(first.page, first.offset) else needed
