"""The end of a write: which segment is marked PSH, and whether a small tail may wait. Linux:
net/ipv4/tcp.c tcp_push and what it asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp.output.tcp_tsq import TSQ_THROTTLED
from pyhost.net.ipv4.tcp.output.tcp_urg_send import tcp_mark_urg
from pyhost.net.ipv4.tcp.output.tcp_xmit import tcp_push_pending_frames
from pyhost.net.ipv4.tcp.tcp_sock import TCP_NAGLE_CORK, TcpSock, after
from pyhost.uapi.socket import MSG_MORE, MSG_OOB
from pyhost.uapi.tcp import TCP_PSH

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["forced_push", "tcp_mark_push", "tcp_push", "tcp_should_autocork"]


def tcp_mark_push(sk: TcpSock, skb: SkBuff) -> None:
    """Set PSH on a segment. Linux: tcp_mark_push."""
    skb.cb.flags |= TCP_PSH
    sk.pushed_seq = sk.write_seq


def forced_push(sk: TcpSock) -> bool:
    """Whether half of the peer's biggest window was written since the last PSH.

    Linux: forced_push.
    """
    return after(sk.write_seq, sk.pushed_seq + (sk.max_window >> 1) & 0xFFFFFFFF)


def tcp_should_autocork(sk: TcpSock, skb: SkBuff, size_goal: int) -> bool:
    """Whether a small tail may wait until what is below has left, to be joined by more.

    Linux: tcp_should_autocork.
    """
    return bool(
        skb.len < size_goal
        and sk.net.tcp.autocorking
        and sk.tcp_rtx_queue
        and sk.sk_wmem_alloc > skb.truesize
        and not skb.cb.eor
    )


def tcp_push(sk: TcpSock, flags: int, mss: int, nonagle: int, size_goal: int) -> None:
    """Mark PSH on the last segment and send what may leave. Linux: tcp_push."""
    if not sk.sk_write_queue:
        return
    skb = sk.sk_write_queue[-1]
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("tcp_push", skb.key, mss=mss, nonagle=nonagle)
    if not flags & MSG_MORE or forced_push(sk):
        tcp_mark_push(sk, skb)
    if flags & MSG_OOB:
        tcp_mark_urg(sk)
    if tcp_should_autocork(sk, skb, size_goal):
        if not sk.tsq_flags & TSQ_THROTTLED:
            sk.net.count("TCPAutoCorking")
            sk.tsq_flags |= TSQ_THROTTLED
        if sk.sk_wmem_alloc > skb.truesize:
            return
    if flags & MSG_MORE:
        nonagle = TCP_NAGLE_CORK
    tcp_push_pending_frames(sk, mss, nonagle)
