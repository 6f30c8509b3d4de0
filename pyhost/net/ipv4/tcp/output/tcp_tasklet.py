"""A flow that waited for its packets to leave, or for its time, goes on. Linux:
net/ipv4/tcp_output.c (tcp_tsq_workfn, tcp_tsq_handler, tcp_tsq_write, tcp_pace_kick).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp.output.tcp_tsq import TCP_TSQ_DEFERRED, TSQ_QUEUED
from pyhost.net.ipv4.tcp.output.tcp_xmit import PUSH_ALL, tcp_write_xmit
from pyhost.net.ipv4.tcp.recovery.tcp_retransmit import tcp_xmit_retransmit_queue
from pyhost.net.ipv4.tcp.tcp_states import TCPF_XMIT
from pyhost.net.ipv4.tcp.tcp_window import tcp_current_mss

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
    from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet

__all__ = ["tcp_pace_kick", "tcp_tsq_tasklet", "tcp_tsq_write"]


def tcp_tsq_write(sk: TcpSock) -> None:
    """Send what was held back, lost segments first. Linux: tcp_tsq_write."""
    if not 1 << sk.sk_state & TCPF_XMIT:
        return
    if sk.lost_out > sk.retrans_out and sk.snd_cwnd > sk.packets_in_flight:
        sk.tcp_mstamp = sk.net.kernel.clock.now
        tcp_xmit_retransmit_queue(sk)
    tcp_write_xmit(sk, tcp_current_mss(sk), sk.nonagle, PUSH_ALL)


def _tsq_handler(sk: TcpSock) -> None:
    """Now, or in `release_sock` when a task owns the socket. Linux: tcp_tsq_handler."""
    if sk.owned_by_user:
        sk.deferred |= TCP_TSQ_DEFERRED
    else:
        tcp_tsq_write(sk)


def tcp_tsq_tasklet(tcp: TcpNet) -> None:
    """Every flow whose packets have left goes on. Linux: tcp_tsq_workfn."""
    while tcp.tsq:
        sk = tcp.tsq.popleft()
        sk.tsq_flags &= ~TSQ_QUEUED
        _tsq_handler(sk)
        sk.put()


def tcp_pace_kick(sk: TcpSock) -> None:
    """The time of the next segment has come; the timer's reference ends. Linux: tcp_pace_kick."""
    _tsq_handler(sk)
    sk.put()
