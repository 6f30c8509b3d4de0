"""SO_RCVLOWAT of TCP. Linux: net/ipv4/tcp.c tcp_set_rcvlowat."""

from __future__ import annotations

from pyhost.net.ipv4.tcp.input.tcp_data import tcp_data_ready
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_space_from_win

__all__ = ["tcp_set_rcvlowat"]


def tcp_set_rcvlowat(sk: TcpSock, value: int) -> int:
    """A reader waits for `value` bytes, so the buffer must be able to hold them: at most half of
    what it may become, and it grows at once unless SO_RCVBUF fixed it.
    """
    limit = sk.sk_rcvbuf if sk.sk_rcvbuf_lock else sk.net.tcp.rmem[2]
    value = min(value, limit >> 1)
    sk.sk_rcvlowat = value or 1
    tcp_data_ready(sk)
    if sk.sk_rcvbuf_lock:
        return 0
    space = tcp_space_from_win(sk, value)
    if space > sk.sk_rcvbuf:
        sk.sk_rcvbuf = space
        if sk.window_clamp and sk.window_clamp < value:
            sk.window_clamp = value
    return 0
