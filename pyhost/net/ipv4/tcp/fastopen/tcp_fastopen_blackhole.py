"""Pausing active Fast Open when a middlebox seems to swallow it. Linux: net/ipv4/tcp_fastopen.c.

Some firewalls let a SYN with data pass and then drop what follows. When such a connection dies in
one of three suspicious ways, the machine stops sending data in SYNs for
`tcp_fastopen_blackhole_timeout_sec`, twice as long at each next time; a connection that goes well
afterwards takes it back. 0 switches all of it off.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.netdevice import IFF_LOOPBACK
from pyhost.net.core.sock import TCP_ESTABLISHED
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.uapi.tcp import TCP_FIN

__all__ = [
    "tcp_fastopen_active_detect_blackhole", "tcp_fastopen_active_disable",
    "tcp_fastopen_active_disable_ofo_check", "tcp_fastopen_active_should_disable",
    "tcp_fastopen_out_of_order_rst",
]  # fmt: skip

MAX_DOUBLINGS = 6


def tcp_fastopen_active_disable(sk: TcpSock) -> None:
    """Pause from now on. Linux: tcp_fastopen_active_disable."""
    tcp = sk.net.tcp
    if not tcp.fastopen_blackhole_timeout_sec:
        return
    tcp.fastopen_ctx.disable_stamp = sk.net.kernel.clock.now
    tcp.fastopen_ctx.disable_times += 1
    sk.net.count("TCPFastOpenBlackhole")


def tcp_fastopen_active_should_disable(sk: TcpSock) -> bool:
    """Whether there is a pause now. The first connection after one is watched.

    Linux: tcp_fastopen_active_should_disable.
    """
    tcp = sk.net.tcp
    context = tcp.fastopen_ctx
    base = tcp.fastopen_blackhole_timeout_sec
    if not base or not context.disable_times:
        return False
    pause = base << min(context.disable_times - 1, MAX_DOUBLINGS)
    if sk.net.kernel.clock.now < context.disable_stamp + pause * NSEC_PER_SEC:
        return True
    sk.syn_fastopen_ch = True
    return False


def tcp_fastopen_out_of_order_rst(sk: TcpSock) -> None:
    """A RST out of place before any data came: the first suspicious end.

    Linux: tcp_validate_incoming step 2.
    """
    if sk.syn_fastopen and not sk.data_segs_in and sk.sk_state == TCP_ESTABLISHED:
        tcp_fastopen_active_disable(sk)


def tcp_fastopen_active_disable_ofo_check(sk: TcpSock) -> None:
    """The socket ends: was a FIN all that came, behind a hole? Or did a watched one go well?

    Linux: tcp_fastopen_active_disable_ofo_check.
    """
    if not sk.syn_fastopen:
        return
    if not sk.data_segs_in:
        if len(sk.ofo_queue) == 1 and sk.ofo_queue[0].cb.flags & TCP_FIN:
            tcp_fastopen_active_disable(sk)
    elif sk.syn_fastopen_ch and sk.net.tcp.fastopen_ctx.disable_times:
        dst = sk.sk_dst_cache
        if dst is None or not dst.dev.flags & IFF_LOOPBACK:
            sk.net.tcp.fastopen_ctx.disable_times = 0


def tcp_fastopen_active_detect_blackhole(sk: TcpSock, expired: bool) -> None:
    """A retransmission timer fired: the second in a row, or the last, is suspicious.

    Linux: tcp_fastopen_active_detect_blackhole.
    """
    timeouts = sk.icsk_retransmits
    used = sk.syn_fastopen or sk.syn_data or sk.syn_data_acked
    if used and (timeouts == 2 or (timeouts < 2 and expired)):
        tcp_fastopen_active_disable(sk)
