"""Data that comes with a SYN or a SYN-ACK. Linux: net/ipv4/tcp_fastopen.c tcp_fastopen_add_skb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp.input.tcp_data import tcp_fin
from pyhost.net.ipv4.tcp.tcp_mem import sk_forced_mem_schedule, tcp_set_owner_r
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
from pyhost.uapi.tcp import TCP_FIN, TCP_SYN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_fastopen_add_skb"]


def tcp_fastopen_add_skb(sk: TcpSock, skb: SkBuff) -> None:
    """Queue the payload of a SYN; `rcv_nxt` is right behind the SYN. The skb stays the caller's.

    Linux: tcp_fastopen_add_skb.
    """
    cb: TcpSkbCb = skb.cb
    if cb.end_seq == sk.rcv_nxt:
        return
    data = skb.clone()
    data.dst = None
    data.pull(cb.off_flags >> 12 << 2)
    sk_forced_mem_schedule(sk, data.truesize)
    tcp_set_owner_r(sk, data)
    copy = TcpSkbCb(cb.seq + 1 & 0xFFFFFFFF, cb.end_seq, cb.flags & ~TCP_SYN)
    copy.off_flags, copy.window, copy.ack_seq = cb.off_flags, cb.window, cb.ack_seq
    data.cb = copy
    sk.rcv_nxt = copy.end_seq
    sk.sk_receive_queue.append(data)
    sk.syn_data_acked = True
    sk.bytes_received = data.len
    if copy.flags & TCP_FIN:
        tcp_fin(sk)
