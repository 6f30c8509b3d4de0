"""TCP's memory accounts, and when a writer may go on. Linux: net/core/sock.c (sk_mem_*),
net/ipv4/tcp.c, net/ipv4/tcp_input.c.

A socket reserves whole pages from the pool that all TCP sockets share (`TcpNet.memory_allocated`,
limits in sysctl tcp_mem) and pays its skbs out of them: `sk_forward_alloc` is what is reserved and
not yet spent. What an skb gives back stays reserved until a page is whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.memory import PAGE_SHIFT, PAGE_SIZE
from pyhost.net.core.skbuff import MAX_TCP_HEADER, consume_skb
from pyhost.net.core.stream import sk_stream_moderate_sndbuf
from pyhost.net.core.ubuf import skb_zcopy_pure, zcopy_base_truesize
from pyhost.net.ipv4.tcp.output.tcp_chrono import TCP_CHRONO_SNDBUF_LIMITED, tcp_chrono_stop
from pyhost.net.ipv4.tcp.tcp_sock import TCP_INIT_CWND

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "sk_forced_mem_schedule", "sk_mem_reclaim", "sk_mem_uncharge", "sk_rmem_schedule",
    "sk_wmem_schedule", "tcp_check_space", "tcp_enter_memory_pressure", "tcp_leave_memory_pressure",
    "tcp_rfree", "tcp_set_owner_r", "tcp_sndbuf_expand", "tcp_wmem_free_skb", "tcp_wmem_schedule",
]  # fmt: skip

SHINFO_ALIGNED = 320
SK_BUFF_SIZE = 256


def tcp_enter_memory_pressure(sk: TcpSock) -> None:
    """Linux: tcp_enter_memory_pressure."""
    tcp = sk.net.tcp
    if not tcp.memory_pressure:
        tcp.memory_pressure = True
        sk.net.count("TCPMemoryPressures")


def tcp_leave_memory_pressure(sk: TcpSock) -> None:
    """Linux: tcp_leave_memory_pressure."""
    sk.net.tcp.memory_pressure = False


def _raise_allocated(sk: TcpSock, size: int, pages: int, send: bool) -> bool:
    """Reserve `pages` for `size` more bytes; False when the limits forbid it.

    Linux: __sk_mem_raise_allocated.
    """
    tcp = sk.net.tcp
    tcp.memory_allocated += pages
    allocated = tcp.memory_allocated
    low, pressure, hard = tcp.mem
    if allocated <= low:
        tcp_leave_memory_pressure(sk)
        return True
    if allocated > pressure:
        tcp_enter_memory_pressure(sk)
    if allocated <= hard and (
        (sk.sk_wmem_queued < tcp.wmem[0] if send else sk.sk_rmem_alloc < tcp.rmem[0])
        or not tcp.memory_pressure
        or _below_fair_share(sk)
    ):
        return True
    if send:
        # A writer over its send buffer will wait; one below it could not, so it must fail.
        sk_stream_moderate_sndbuf(sk)
        if sk.sk_wmem_queued + size >= sk.sk_sndbuf:
            return True
    tcp.memory_allocated -= pages
    return False


def _below_fair_share(sk: TcpSock) -> bool:
    """Whether all sockets together would stay under the hard limit if each used as much as this
    one.
    """
    used = sk.sk_wmem_queued + sk.sk_rmem_alloc + sk.sk_forward_alloc
    return sk.net.tcp.mem[2] > sk.net.sockets_in_use * ((used + PAGE_SIZE - 1) >> PAGE_SHIFT)


def _schedule(sk: TcpSock, size: int, send: bool) -> bool:
    missing = size - sk.sk_forward_alloc
    if missing <= 0:
        return True
    pages = (missing + PAGE_SIZE - 1) >> PAGE_SHIFT
    if not _raise_allocated(sk, missing, pages, send):
        return False
    sk.sk_forward_alloc += pages << PAGE_SHIFT
    return True


def sk_wmem_schedule(sk: TcpSock, size: int) -> bool:
    """Make sure that `size` bytes to send can be charged. Linux: sk_wmem_schedule."""
    return size <= sk.sk_forward_alloc or _schedule(sk, size, True)


def sk_rmem_schedule(sk: TcpSock, size: int) -> bool:
    """Make sure that `size` received bytes can be charged. Linux: sk_rmem_schedule."""
    return size <= sk.sk_forward_alloc or _schedule(sk, size, False)


def sk_forced_mem_schedule(sk: TcpSock, size: int) -> None:
    """Reserve whatever the limits say: for a FIN, and for a socket with nothing queued.

    Linux: sk_forced_mem_schedule.
    """
    missing = size - sk.sk_forward_alloc
    if missing > 0:
        pages = (missing + PAGE_SIZE - 1) >> PAGE_SHIFT
        sk.sk_forward_alloc += pages << PAGE_SHIFT
        sk.net.tcp.memory_allocated += pages


def tcp_wmem_schedule(sk: TcpSock, copy: int) -> int:
    """How many of `copy` bytes may be charged now; at least what tcp_wmem[0] guarantees.

    Linux: tcp_wmem_schedule.
    """
    if copy <= sk.sk_forward_alloc or _schedule(sk, copy, True):
        return copy
    left = sk.net.tcp.wmem[0] - sk.sk_wmem_queued
    if left > 0:
        sk_forced_mem_schedule(sk, min(left, copy))
    return min(copy, sk.sk_forward_alloc)


def sk_mem_uncharge(sk: TcpSock, size: int) -> None:
    """`size` bytes are no longer used; whole pages go back to the pool. Linux: sk_mem_uncharge."""
    left = sk.sk_forward_alloc + size
    if left >= PAGE_SIZE:
        pages = left >> PAGE_SHIFT
        left -= pages << PAGE_SHIFT
        tcp = sk.net.tcp
        tcp.memory_allocated -= pages
        if tcp.memory_pressure and tcp.memory_allocated < tcp.mem[0]:
            tcp_leave_memory_pressure(sk)
    sk.sk_forward_alloc = left


def sk_mem_reclaim(sk: TcpSock) -> None:
    """Give whole unused pages back. Linux: sk_mem_reclaim."""
    sk_mem_uncharge(sk, 0)


def tcp_wmem_free_skb(sk: TcpSock, skb: SkBuff) -> None:
    """An skb leaves the write or retransmit queue for good. Linux: tcp_wmem_free_skb."""
    size = skb.truesize
    sk.sk_wmem_queued -= size
    sk_mem_uncharge(sk, zcopy_base_truesize(skb) if skb_zcopy_pure(skb) else size)
    consume_skb(skb)


def tcp_set_owner_r(sk: TcpSock, skb: SkBuff) -> None:
    """Charge a segment to the receive buffer.

    Linux: skb_set_owner_r (which charges forward_alloc too).
    """
    size = skb.truesize
    skb.sk = sk
    skb.destructor = tcp_rfree
    sk.sk_rmem_alloc += size
    sk.sk_forward_alloc -= size


def tcp_rfree(skb: SkBuff) -> None:
    """A received segment was read or dropped. Linux: sock_rfree."""
    sk: TcpSock = skb.sk  # type: ignore[assignment]
    sk.sk_rmem_alloc -= skb.truesize
    sk_mem_uncharge(sk, skb.truesize)


def tcp_sndbuf_expand(sk: TcpSock) -> None:
    """Let the send buffer hold two congestion windows. Linux: tcp_sndbuf_expand."""
    segment = max(sk.mss_clamp, sk.mss_cache) + MAX_TCP_HEADER + SHINFO_ALIGNED
    per_mss = (1 << (segment - 1).bit_length()) + SK_BUFF_SIZE
    segments = max(TCP_INIT_CWND, sk.snd_cwnd, sk.reordering + 1)
    sndmem = sk.icsk_ca_ops.sndbuf_expand * segments * per_mss
    if sk.sk_sndbuf < sndmem:
        sk.sk_sndbuf = min(sndmem, sk.net.tcp.wmem[2])


def _should_expand_sndbuf(sk: TcpSock) -> bool:
    """Linux: tcp_should_expand_sndbuf."""
    tcp = sk.net.tcp
    if sk.sk_sndbuf_lock or tcp.memory_pressure or tcp.memory_allocated >= tcp.mem[0]:
        return False
    return sk.packets_in_flight < sk.snd_cwnd


def _new_space(sk: TcpSock) -> bool:
    """Let the send buffer grow if it may, and wake writers if there is room; whether there is.

    Linux: tcp_new_space.
    """
    if _should_expand_sndbuf(sk):
        tcp_sndbuf_expand(sk)
        sk.snd_cwnd_stamp = sk.net.kernel.clock.now
    sk.sk_write_space(sk)
    return not sk.sock_nospace


def tcp_check_space(sk: TcpSock) -> None:
    """Wake a writer that ran out of send buffer, when there is room again.

    Linux: tcp_check_space.
    """
    if sk.sock_nospace and _new_space(sk):
        tcp_chrono_stop(sk, TCP_CHRONO_SNDBUF_LIMITED)
