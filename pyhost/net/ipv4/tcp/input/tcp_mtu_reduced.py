"""The path takes smaller packets, says an ICMP error. RFC 1191. Linux: net/ipv4/tcp_ipv4.c
tcp_v4_mtu_reduced.
"""

from __future__ import annotations

from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.fib.route import ip_rt_update_pmtu
from pyhost.net.ipv4.tcp.recovery.tcp_retransmit import tcp_simple_retransmit
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_sync_mss
from pyhost.uapi.errno import EMSGSIZE
from pyhost.uapi.ip import IP_PMTUDISC_DO, IP_PMTUDISC_DONT

__all__ = ["TCP_MTU_REDUCED_DEFERRED", "tcp_v4_mtu_reduced"]

TCP_MTU_REDUCED_DEFERRED = 1 << 4


def tcp_v4_mtu_reduced(sk: TcpSock) -> None:
    """Cut smaller segments from now on, and send at once again what was too big. `mtu_info` has the
    new MTU. Linux: tcp_v4_mtu_reduced.
    """
    if sk.sk_state in (TCP_LISTEN, TCP_CLOSE):
        return
    mtu = sk.mtu_info
    ip_rt_update_pmtu(sk.net, sk.inet_daddr, mtu, sk.sk_dst_cache)
    dst = sk.sk_dst_cache
    if dst is None:
        return
    path = dst.mtu()
    if mtu < path and sk.pmtudisc == IP_PMTUDISC_DO:
        sk.sk_err_soft = EMSGSIZE
    if sk.pmtudisc != IP_PMTUDISC_DONT and sk.icsk_pmtu_cookie > path:
        sk.tcp_mstamp = sk.net.kernel.clock.now
        tcp_sync_mss(sk, path)
        tcp_simple_retransmit(sk)
