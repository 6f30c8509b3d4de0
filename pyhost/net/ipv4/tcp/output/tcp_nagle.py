"""Whether a small segment may leave. RFC 896, RFC 1122 section 4.2.3.4. Linux:
net/ipv4/tcp_output.c.

`nonagle` is a mask: TCP_NAGLE_OFF (TCP_NODELAY), TCP_NAGLE_CORK (TCP_CORK, MSG_MORE), and
TCP_NAGLE_PUSH, which overrides both once for what is queued now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp.tcp_sock import TCP_NAGLE_CORK, TCP_NAGLE_PUSH
from pyhost.uapi.tcp import TCP_FIN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = ["tcp_nagle_check", "tcp_nagle_test"]


def tcp_nagle_check(sk: TcpSock, partial: bool, nonagle: int) -> bool:
    """Whether a sub-MSS segment must wait. Linux: tcp_nagle_check, tcp_minshall_check.

    Minshall's rule: one small segment may be on the way, whatever else is; RFC 896 would hold it
    while anything is.
    """
    if not partial:
        return False
    if nonagle & TCP_NAGLE_CORK:
        return True
    if nonagle or not sk.packets_out:
        return False
    sml = sk.snd_sml
    return bool((sk.snd_una - sml) & 0x80000000) and not (sk.snd_nxt - sml) & 0x80000000


def tcp_nagle_test(sk: TcpSock, skb: SkBuff, mss: int, nonagle: int) -> bool:
    """Whether Nagle and cork let a segment of at most one MSS go. Linux: tcp_nagle_test."""
    if nonagle & TCP_NAGLE_PUSH or sk.snd_up is not None or skb.cb.flags & TCP_FIN:
        return True
    return not tcp_nagle_check(sk, skb.len < mss, nonagle)
