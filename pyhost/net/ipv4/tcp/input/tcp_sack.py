"""Selective acknowledgements that we send: the blocks to report. RFC 2018, RFC 2883. The peer's are
read in tcp_sacktag.py.

Linux: net/ipv4/tcp_input.c.
"""

from __future__ import annotations

from pyhost.net.ipv4.tcp.tcp_sock import TcpSock, after, before

__all__ = ["tcp_dsack_set", "tcp_sack_new_ofo_skb", "tcp_sack_remove"]

MAX_SACK_BLOCKS = 4


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
