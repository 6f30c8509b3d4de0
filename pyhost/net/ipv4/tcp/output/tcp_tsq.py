"""TCP small queues: no flow keeps more than a little below, in qdisc and device. Linux:
net/ipv4/tcp_output.c (tcp_wfree, tcp_small_queue_check).

`sk_wmem_alloc` counts what is below. A flow over its limit notes TSQ_THROTTLED and stops; the
destructor of one of its packets then queues it for the tasklet, which lets it go on
(`tcp_tsq_handler` in tcp_xmit.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import SK_PACING_NONE

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "IDLE_WMEM", "SK_PACING_SHIFT", "TCP_TSQ_DEFERRED", "TSQ_QUEUED", "TSQ_THROTTLED",
    "tcp_ack_wfree", "tcp_small_queue_check", "tcp_wfree",
]  # fmt: skip

TSQ_THROTTLED = 1
TSQ_QUEUED = 2
TCP_TSQ_DEFERRED = 1 << 0

SK_PACING_SHIFT = 10
"""About a millisecond of the pacing rate may wait below. Linux: sk_pacing_shift."""

IDLE_WMEM = 576
"""SKB_TRUESIZE(1): with less than this below, only pure ACKs are."""


def tcp_ack_wfree(skb: SkBuff) -> None:
    """A pure ACK has left. Linux: __sock_wfree."""
    sk = skb.sk
    assert sk is not None
    sk.wmem_sub(skb.truesize)


def tcp_wfree(skb: SkBuff) -> None:
    """A data segment has left the host: let the flow go on if it waited for that.

    Linux: tcp_wfree.
    """
    sk: TcpSock = skb.sk  # type: ignore[assignment]
    if sk.tsq_flags == TSQ_THROTTLED and sk.users:
        sk.tsq_flags = TSQ_QUEUED
        sk.hold()
        tcp = sk.net.tcp
        tcp.tsq.append(sk)
        tcp.tsq_tasklet.schedule()
    sk.wmem_sub(skb.truesize)


def tcp_small_queue_check(sk: TcpSock, skb: SkBuff, factor: int) -> bool:
    """Whether so much of this flow is below that it must wait; `factor` 1 doubles the limit, for
    retransmissions. Linux: tcp_small_queue_check.

    One skb may always be below beside the one that is being sent: a device that reports late would
    stall the flow otherwise.
    """
    limit = max(2 * skb.truesize, sk.sk_pacing_rate >> SK_PACING_SHIFT)
    if sk.sk_pacing_status == SK_PACING_NONE:
        limit = min(limit, sk.net.tcp.limit_output_bytes)
    limit <<= factor
    if sk.tcp_tx_delay:
        limit += sk.sk_pacing_rate * sk.tcp_tx_delay >> 19
    if sk.sk_wmem_alloc <= limit or len(sk.tcp_rtx_queue) <= 1:
        return False
    sk.tsq_flags |= TSQ_THROTTLED
    return True
