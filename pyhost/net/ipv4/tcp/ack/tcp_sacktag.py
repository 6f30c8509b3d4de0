"""Reading the peer's selective acknowledgements. RFC 2018, RFC 2883. Linux: net/ipv4/tcp_input.c
tcp_sacktag_write_queue.

Each SACK block tags what it covers in the retransmit queue. Super-segments are cut at the edges, at
whole segments; what becomes SACKed next to something SACKed is merged into it (tcp_skb_shift.py),
so that the queue gets shorter while it is acknowledged piece by piece.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import (
    FLAG_DATA_SACKED,
    FLAG_DSACK_TLP,
    FLAG_DSACKING_ACK,
    FLAG_ORIG_SACK_ACKED,
)
from pyhost.net.ipv4.tcp.ack.tcp_rate import tcp_rate_skb_delivered
from pyhost.net.ipv4.tcp.ack.tcp_skb_shift import (
    skb_can_shift,
    tcp_shift_bounds,
    tcp_skb_can_collapse,
    tcp_skb_seglen,
    tcp_skb_shift,
)
from pyhost.net.ipv4.tcp.output.tcp_fragment import tcp_fragment
from pyhost.net.ipv4.tcp.recovery.tcp_rack import tcp_rack_advance
from pyhost.net.ipv4.tcp.recovery.tcp_reordering import (
    tcp_check_sack_reordering,
    tcp_highest_sack_seq,
)
from pyhost.net.ipv4.tcp.tcp_mem import tcp_wmem_free_skb
from pyhost.net.ipv4.tcp.tcp_sock import (
    TCP_CA_LOSS,
    TCPCB_EVER_RETRANS,
    TCPCB_LOST,
    TCPCB_RETRANS,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TCPCB_TAGBITS,
    TcpSkbCb,
    TcpSock,
    after,
    before,
)
from pyhost.net.ipv4.tcp.user.tcp_tstamp import tcp_skb_collapse_tstamp

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_sacktag_write_queue"]

Block = tuple[int, int]


# -- duplicates ------------------------------------------------------------------------------------


def _dsack_seen(sk: TcpSock, start: int, end: int) -> int:
    """The peer received this range twice: how many segments that are; 0: not credible.

    Linux: tcp_dsack_seen.
    """
    sample = sk.ack_sample
    size = end - start & 0xFFFFFFFF
    if not before(start, end) or size > sk.max_window:
        return 0
    segs = 1
    if size > sk.mss_cache:
        segs = -(-size // sk.mss_cache)
    elif sk.tlp_high_seq is not None and sk.tlp_high_seq == end:
        sample.flag |= FLAG_DSACK_TLP
    sk.dsack_dups += segs
    # More duplicates than we ever retransmitted: the network made them.
    if sk.dsack_dups > sk.total_retrans:
        return 0
    sk.dsack_seen = True
    # A probe that turned out to be one too many says nothing about reordering.
    if sk.reord_seen and not sample.flag & FLAG_DSACK_TLP:
        sk.rack.dsack_seen = True
    sample.flag |= FLAG_DSACKING_ACK
    sample.sack_delivered += segs
    return segs


def _check_dsack(sk: TcpSock, blocks: list[Block], ack: int, prior_una: int) -> bool:
    """Whether the first block reports a duplicate (RFC 2883 section 4). Linux: tcp_check_dsack."""
    start, end = blocks[0]
    if before(start, ack):
        mib = "TCPDSACKRecv"
    elif len(blocks) > 1 and not after(end, blocks[1][1]) and not before(start, blocks[1][0]):
        mib = "TCPDSACKOfoRecv"
    else:
        return False
    segs = _dsack_seen(sk, start, end)
    if not segs:
        sk.net.count("TCPDSACKIgnoredDubious")
        return False
    sk.net.count(mib)
    sk.net.count("TCPDSACKRecvSegs", segs)
    marker = sk.undo_marker
    if (
        marker is not None
        and sk.undo_retrans > 0
        and not after(end, prior_una)
        and after(end, marker)
    ):
        sk.undo_retrans = max(0, sk.undo_retrans - segs)
    return True


# -- which blocks are believed ---------------------------------------------------------------------


def _block_valid(sk: TcpSock, is_dsack: bool, start: int, end: int) -> bool:
    """Whether a block lies in what is out; one that reports a duplicate may lie below, back to
    where the recovery began. Linux: tcp_is_sackblock_valid.
    """
    if after(end, sk.snd_nxt) or not before(start, end) or not before(start, sk.snd_nxt):
        return False
    if after(start, sk.snd_una):
        return True
    marker = sk.undo_marker
    if not is_dsack or marker is None or after(end, sk.snd_una):
        return False
    if not before(start, marker):
        return True
    return after(end, marker) and not before(start, end - sk.max_window & 0xFFFFFFFF)


def _count_invalid(sk: TcpSock, is_dsack: bool) -> None:
    if is_dsack:
        known = sk.undo_marker is not None
        sk.net.count("TCPDSACKIgnoredOld" if known else "TCPDSACKIgnoredNoUndo")
    else:
        sk.net.count("TCPSACKDiscard")


def _usable_blocks(
    sk: TcpSock, blocks: list[Block], found_dup: bool, prior_una: int
) -> list[tuple[int, int, bool]]:
    """(start, end, reports a duplicate), in order of sequence numbers."""
    usable = []
    for index, (start, end) in enumerate(blocks):
        is_dsack = found_dup and index == 0
        if not _block_valid(sk, is_dsack, start, end):
            if is_dsack or after(end, sk.snd_una) or start == sk.snd_una:
                _count_invalid(sk, is_dsack)
        elif after(end, prior_una):
            usable.append((start, end, is_dsack))
    una = sk.snd_una
    usable.sort(key=lambda block: (block[0] - una & 0xFFFFFFFF, block[2]))
    return usable


# -- tagging ---------------------------------------------------------------------------------------


def _sacktag_one(
    sk: TcpSock, sacked: int, start: int, end: int, dup_sack: bool, pcount: int, sent: int
) -> int:
    """Tag a range that has arrived, `pcount` segments that left at `sent` (ns); the new tags.

    Linux: tcp_sacktag_one.
    """
    sample = sk.ack_sample
    if dup_sack and sacked & TCPCB_RETRANS:
        marker = sk.undo_marker
        if marker is not None and sk.undo_retrans > 0 and after(end, marker):
            sk.undo_retrans = max(0, sk.undo_retrans - pcount)
        if sacked & TCPCB_SACKED_ACKED and before(start, sample.reord):
            sample.reord = start
    if not after(end, sk.snd_una):
        return sacked
    if not sacked & TCPCB_SACKED_ACKED:
        sacked = _tag_new(sk, sacked, start, end, pcount, sent)
    if dup_sack and sacked & TCPCB_SACKED_RETRANS:
        sacked &= ~TCPCB_SACKED_RETRANS
        sk.retrans_out -= pcount
    return sacked


def _tag_new(sk: TcpSock, sacked: int, start: int, end: int, pcount: int, sent: int) -> int:
    """The range was not SACKed before."""
    sample = sk.ack_sample
    tcp_rack_advance(sk, sacked, end, sent)
    if sacked & TCPCB_SACKED_RETRANS:
        # A retransmission that is not tagged lost is believed to be on the way still.
        if sacked & TCPCB_LOST:
            sacked &= ~(TCPCB_LOST | TCPCB_SACKED_RETRANS)
            sk.lost_out -= pcount
            sk.retrans_out -= pcount
    else:
        if not sacked & TCPCB_EVER_RETRANS:
            if before(start, tcp_highest_sack_seq(sk)) and before(start, sample.reord):
                sample.reord = start
            if not after(end, sk.high_seq):
                sample.flag |= FLAG_ORIG_SACK_ACKED
            if not sample.first_sackt:
                sample.first_sackt = sent
            sample.last_sackt = sent
        if sacked & TCPCB_LOST:
            sacked &= ~TCPCB_LOST
            sk.lost_out -= pcount
    sample.flag |= FLAG_DATA_SACKED
    sk.sacked_out += pcount
    sample.sack_delivered += pcount
    if after(end, sk.highest_sack):
        sk.highest_sack = end
    return sacked | TCPCB_SACKED_ACKED


def _tag_skb(sk: TcpSock, cb: TcpSkbCb, dup_sack: bool) -> None:
    cb.sacked = _sacktag_one(sk, cb.sacked, cb.seq, cb.end_seq, dup_sack, cb.pcount, cb.tstamp)
    tcp_rate_skb_delivered(sk, cb, sk.ack_sample)


# -- merging ---------------------------------------------------------------------------------------


def _shift_skb_data(
    sk: TcpSock, queue: list[SkBuff], at: int, start: int, end: int, dup_sack: bool
) -> int | None:
    """Move what the block covers of `queue[at]` into its SACKed predecessor. Where to go on in
    `queue`, or None: tag it where it is. Linux: tcp_shift_skb_data.
    """
    skb = queue[at]
    cb: TcpSkbCb = skb.cb
    if not dup_sack and cb.sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS) == TCPCB_SACKED_RETRANS:
        return None
    if not at or not skb_can_shift(skb) or not after(cb.end_seq, sk.snd_una):
        return None
    prev = queue[at - 1]
    if prev.cb.sacked & TCPCB_TAGBITS != TCPCB_SACKED_ACKED:
        return None
    if not tcp_skb_can_collapse(prev, skb):
        return None
    bounds = tcp_shift_bounds(prev, skb, start, end)
    if bounds is None:
        return None
    length, pcount = bounds
    if not length:
        return at + 1
    if not after(cb.seq + length & 0xFFFFFFFF, sk.snd_una):
        return None
    mss = tcp_skb_seglen(skb)
    if not tcp_skb_shift(prev, skb, pcount, length):
        return None
    if not _shifted(sk, prev, skb, pcount, length, mss, dup_sack):
        return at + 1
    del queue[at]
    _merge_next(sk, queue, at, mss)
    return at


def _shifted(
    sk: TcpSock, prev: SkBuff, skb: SkBuff, pcount: int, length: int, mss: int, dup_sack: bool
) -> bool:
    """The bytes have moved: move numbers and counts too. True: nothing is left of `skb`, it is
    gone. Linux: tcp_shifted_skb.
    """
    cb: TcpSkbCb = skb.cb
    to: TcpSkbCb = prev.cb
    edge = cb.seq + length & 0xFFFFFFFF
    _sacktag_one(sk, cb.sacked, cb.seq, edge, dup_sack, pcount, cb.tstamp)
    tcp_rate_skb_delivered(sk, cb, sk.ack_sample)
    to.end_seq = edge
    cb.seq = edge
    to.pcount += pcount
    cb.pcount -= pcount
    if not to.gso_size:
        to.gso_size = mss
    if cb.pcount <= 1:
        cb.gso_size = 0
    to.sacked |= cb.sacked & TCPCB_EVER_RETRANS
    if skb.len:
        sk.net.count("TCPSackShifted")
        return False
    to.flags |= cb.flags
    to.eor = cb.eor
    tcp_skb_collapse_tstamp(prev, skb)
    # A FIN has no byte that could have moved.
    to.end_seq = cb.end_seq
    if to.sacked & TCPCB_SACKED_ACKED and after(to.end_seq, sk.highest_sack):
        sk.highest_sack = to.end_seq
    to.tx_delivered_mstamp = 0
    _unlink_and_free(sk, skb)
    sk.net.count("TCPSackMerged")
    return True


def _merge_next(sk: TcpSock, queue: list[SkBuff], at: int, mss: int) -> None:
    """A hole was filled: what follows may be SACKed already and join as well."""
    if at >= len(queue):
        return
    prev, skb = queue[at - 1], queue[at]
    cb: TcpSkbCb = skb.cb
    if (
        cb.sacked & TCPCB_TAGBITS == TCPCB_SACKED_ACKED
        and skb_can_shift(skb)
        and mss == tcp_skb_seglen(skb)
        and tcp_skb_can_collapse(prev, skb)
        and tcp_skb_shift(prev, skb, cb.pcount, skb.len)
    ):
        _shifted(sk, prev, skb, cb.pcount, cb.end_seq - cb.seq & 0xFFFFFFFF, mss, False)
        del queue[at]


# -- the walk --------------------------------------------------------------------------------------


def _match_skb_to_sack(
    sk: TcpSock, queue: list[SkBuff], at: int, start: int, end: int
) -> bool | None:
    """Whether `queue[at]` lies in the block; a super-segment that does in part is cut at whole
    segments, and what was cut off follows in `queue`. None: no memory, or less than a segment.

    Linux: tcp_match_skb_to_sack.
    """
    skb = queue[at]
    cb: TcpSkbCb = skb.cb
    starts_in = not after(start, cb.seq)
    if starts_in and not before(end, cb.end_seq):
        return True
    if cb.pcount <= 1 or not after(cb.end_seq, start):
        return False
    mss = cb.gso_size
    if starts_in:
        length = (end - cb.seq & 0xFFFFFFFF) // mss * mss
        if not length:
            return None
    else:
        length = max(-(-(start - cb.seq & 0xFFFFFFFF) // mss), 1) * mss
    if length >= skb.len:
        return starts_in
    if not tcp_fragment(sk, skb, length, mss):
        return None
    rtx = sk.tcp_rtx_queue
    queue.insert(at + 1, rtx[rtx.index(skb) + 1])
    return starts_in


def _first_at(queue: list[SkBuff], seq: int) -> int:
    """Index of the segment that holds `seq`, or of the first behind it."""
    base = queue[0].cb.seq
    offset = seq - base & 0xFFFFFFFF
    if offset & 0x80000000:
        return 0
    return max(bisect_right(queue, offset, key=lambda skb: skb.cb.seq - base & 0xFFFFFFFF) - 1, 0)


def _sacktag_walk(sk: TcpSock, queue: list[SkBuff], start: int, end: int, dup_sack: bool) -> None:
    """Tag what one block covers. `queue` is the retransmit queue as a list and kept like it.

    Linux: tcp_sacktag_walk.
    """
    at = _first_at(queue, start)
    while at < len(queue):
        cb: TcpSkbCb = queue[at].cb
        if not before(cb.seq, end):
            return
        known = cb.sacked & TCPCB_SACKED_ACKED and not dup_sack
        if known or not after(cb.end_seq, start):
            at += 1
            continue
        moved = _shift_skb_data(sk, queue, at, start, end, dup_sack)
        if moved is not None:
            at = moved
            continue
        inside = _match_skb_to_sack(sk, queue, at, start, end)
        if inside is None:
            return
        if inside:
            _tag_skb(sk, cb, dup_sack)
        at += 1


def _unlink_and_free(sk: TcpSock, skb: SkBuff) -> None:
    """Linux: tcp_rtx_queue_unlink_and_free."""
    sk.tcp_rtx_queue.remove(skb)
    tcp_wmem_free_skb(sk, skb)


def tcp_sacktag_write_queue(sk: TcpSock, ack: int, prior_una: int) -> int:
    """Tag the retransmit queue from the SACK option of the segment at hand (`sk.rx_sack`): FLAG_*.

    Linux: tcp_sacktag_write_queue.
    """
    sample = sk.ack_sample
    sample.flag = 0
    sample.reord = sk.snd_nxt
    if not sk.sacked_out:
        sk.highest_sack = sk.snd_una
    edges = sk.rx_sack
    blocks = list(zip(edges[::2], edges[1::2], strict=True))
    found_dup = _check_dsack(sk, blocks, ack, prior_una)
    if before(ack, prior_una - sk.max_window & 0xFFFFFFFF) or not sk.packets_out:
        return sample.flag
    usable = _usable_blocks(sk, blocks, found_dup, prior_una)
    if usable:
        queue = list(sk.tcp_rtx_queue)
        for start, end, is_dsack in usable:
            _sacktag_walk(sk, queue, start, end, is_dsack)
    if sk.icsk_ca_state != TCP_CA_LOSS or sk.undo_marker is not None:
        tcp_check_sack_reordering(sk, sample.reord, False)
    return sample.flag
