"""Connections that no process has any more, when the machine is short of sockets or memory. Linux:
net/ipv4/tcp.c (tcp_check_oom), net/ipv4/tcp_timer.c (tcp_out_of_resources).
"""

from __future__ import annotations

from pyhost.net.core.stream import SOCK_MIN_SNDBUF
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_done
from pyhost.net.ipv4.tcp.handshake.tcp_minisocks import TCP_TIMEWAIT_LEN
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_send_active_reset
from pyhost.net.ipv4.tcp.tcp_sock import TCP_RTO_MAX, TcpSock

__all__ = ["tcp_check_oom", "tcp_out_of_resources"]


def tcp_check_oom(sk: TcpSock, shift: int) -> bool:
    """Whether the machine cannot afford this orphan: there are more than sysctl tcp_max_orphans,
    each counted 2^`shift` times, or it holds memory while that is over the hard limit.

    Linux: tcp_check_oom, tcp_too_many_orphans, tcp_out_of_memory.
    """
    tcp = sk.net.tcp
    if tcp.orphan_count << shift > tcp.max_orphans:
        return True
    return sk.sk_wmem_queued > SOCK_MIN_SNDBUF and tcp.memory_allocated > tcp.mem[2]


def tcp_out_of_resources(sk: TcpSock, do_reset: bool) -> bool:
    """A timer of an orphan fired: give it up if the machine is short; whether it was.

    One that does not get anywhere counts double, and so does one that met an ICMP error. The peer
    is told with a reset when it was heard of lately, or else would wait for us.
    Linux: tcp_out_of_resources.
    """
    idle = sk.net.kernel.clock.now - sk.lsndtime
    shift = int(idle > 2 * TCP_RTO_MAX or not do_reset) + bool(sk.sk_err_soft)
    if not tcp_check_oom(sk, shift):
        return False
    if do_reset or idle <= TCP_TIMEWAIT_LEN or (not sk.snd_wnd and not sk.packets_out):
        tcp_send_active_reset(sk)
    tcp_done(sk)
    sk.net.count("TCPAbortOnMemory")
    return True
