"""Selective acknowledgements: reading the peer's, and keeping ours. RFC 2018, RFC 2883.

Linux: net/ipv4/tcp_input.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp_fragment import tcp_fragment
from pyhost.net.ipv4.tcp_recovery import FLAG_DATA_SACKED, FLAG_DSACKING_ACK
from pyhost.net.ipv4.tcp_sock import (
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSock,
    after,
    before,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_dsack_set", "tcp_sack_new_ofo_skb", "tcp_sack_remove", "tcp_sacktag_write_queue"]

MAX_SACK_BLOCKS = 4


# -- the peer's ------------------------------------------------------------------------------------


def _is_dsack(start: int, end: int, blocks: list[tuple[int, int]], ack: int) -> bool:
    """Whether the first block reports a duplicate (RFC 2883 section 4). Linux: tcp_check_dsack."""
    if before(start, ack):
        return True
    if len(blocks) > 1:
        outer_start, outer_end = blocks[1]
        return not after(end, outer_end) and not before(start, outer_start)
    return False


def _valid(sk: TcpSock, start: int, end: int) -> bool:
    """Whether a block lies in what is out. Linux: tcp_is_sackblock_valid."""
    return before(start, end) and not after(end, sk.snd_nxt) and not before(start, sk.snd_una)


def _tag(sk: TcpSock, skb: SkBuff) -> bool:
    """A segment has arrived, out of order. Linux: tcp_sacktag_one."""
    cb = skb.cb
    sacked = cb.sacked
    if sacked & TCPCB_SACKED_ACKED:
        return False
    if sacked & TCPCB_LOST:
        sk.lost_out -= cb.pcount
        if sacked & TCPCB_SACKED_RETRANS:
            sk.retrans_out -= cb.pcount
            sacked &= ~TCPCB_SACKED_RETRANS
        sacked &= ~TCPCB_LOST
    cb.sacked = sacked | TCPCB_SACKED_ACKED
    sk.sacked_out += cb.pcount
    sk.delivered += cb.pcount
    return True


def _tag_block(sk: TcpSock, start: int, end: int) -> bool:
    """Tag what the block covers; a super-segment that is covered in part is cut.

    Linux: tcp_sacktag_walk, tcp_match_skb_to_sack.
    """
    tagged = False
    for skb in tuple(sk.tcp_rtx_queue):
        cb = skb.cb
        if not before(cb.seq, end):
            break
        if not after(cb.end_seq, start):
            continue
        inside = not before(cb.seq, start) and not after(cb.end_seq, end)
        if not inside:
            if cb.pcount == 1 or cb.sacked & TCPCB_SACKED_ACKED:
                continue
            part = _cut_to_block(sk, skb, start, end)
            if part is None:
                continue
            skb = part
        tagged |= _tag(sk, skb)
    return tagged


def _cut_to_block(sk: TcpSock, skb: SkBuff, start: int, end: int) -> SkBuff | None:
    """The whole segments of `skb` that lie in the block, as an skb of their own."""
    mss = skb.cb.gso_size
    if before(skb.cb.seq, start):
        offset = -(-(start - skb.cb.seq & 0xFFFFFFFF) // mss) * mss
        if offset >= skb.len or not tcp_fragment(sk, skb, offset, mss):
            return None
        skb = sk.tcp_rtx_queue[sk.tcp_rtx_queue.index(skb) + 1]
    if after(skb.cb.end_seq, end):
        length = (end - skb.cb.seq & 0xFFFFFFFF) // mss * mss
        if not length or length & 0x80000000 or not tcp_fragment(sk, skb, length, mss):
            return None
    return skb


def tcp_sacktag_write_queue(sk: TcpSock, ack: int, prior_una: int) -> int:
    """Tag the retransmit queue from the SACK option of the segment at hand (`sk.rx_sack`): FLAG_*.

    Linux: tcp_sacktag_write_queue.
    """
    edges = sk.rx_sack
    blocks = list(zip(edges[::2], edges[1::2], strict=True))
    flag = 0
    if _is_dsack(*blocks[0], blocks, ack):
        flag = FLAG_DSACKING_ACK
        sk.net.count("TCPDSACKRecv")
        blocks = blocks[1:]
    if before(ack, prior_una - sk.max_window & 0xFFFFFFFF):
        return 0
    for start, end in blocks:
        if _valid(sk, start, end):
            if _tag_block(sk, start, end):
                flag |= FLAG_DATA_SACKED
        elif after(end, sk.snd_una):
            sk.net.count("TCPSACKDiscard")
    return flag


# -- ours ------------------------------------------------------------------------------------------


def tcp_dsack_set(sk: TcpSock, start: int, end: int) -> None:
    """Report in the next ACK that this range came twice. Linux: tcp_dsack_set, tcp_dsack_extend."""
    if not sk.sack_ok or not sk.net.tcp.dsack:
        return
    if sk.dsack is None:
        sk.net.count("TCPDSACKOldSent" if before(start, sk.rcv_nxt) else "TCPDSACKOfoSent")
        sk.dsack = (start, end)
        return
    old_start, old_end = sk.dsack
    if not after(start, old_end) and not after(old_start, end):
        sk.dsack = (
            start if before(start, old_start) else old_start,
            end if after(end, old_end) else old_end,
        )


def tcp_sack_new_ofo_skb(sk: TcpSock, start: int, end: int) -> None:
    """A segment came out of order: its block goes first, joined with what it touches.

    Linux: tcp_sack_new_ofo_skb.
    """
    if not sk.sack_ok:
        return
    kept = []
    for block_start, block_end in sk.selective_acks:
        if after(start, block_end) or after(block_start, end):
            kept.append((block_start, block_end))
            continue
        start = start if before(start, block_start) else block_start
        end = end if after(end, block_end) else block_end
    sk.selective_acks = [(start, end), *kept[: MAX_SACK_BLOCKS - 1]]


def tcp_sack_remove(sk: TcpSock) -> None:
    """Forget blocks that are in order now. Linux: tcp_sack_remove."""
    if not sk.ofo_queue:
        sk.selective_acks.clear()
    else:
        sk.selective_acks = [block for block in sk.selective_acks if before(sk.rcv_nxt, block[0])]
