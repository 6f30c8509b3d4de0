"""Answers to segments that should not be: how many, and to whom (RFC 5961 sections 5 and 10).

Linux: net/ipv4/tcp_input.c.

Two stacks that disagree would answer each other's answers for ever, and a stranger who guesses
could count our answers. So each connection answers at most once in `tcp_invalid_ratelimit` ms, and
all of them together `tcp_challenge_ack_limit` times a second, give or take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_send_ack
from pyhost.uapi.tcp import TCP_SYN

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
    from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet
    from pyhost.net.net_namespace import Net

__all__ = ["tcp_oow_rate_limited", "tcp_send_challenge_ack"]

INT_MAX = (1 << 31) - 1


class Answerer(Protocol):
    """Who remembers when it answered last: a socket, a request sock or a TIME_WAIT."""

    last_oow_ack_time: int


def _rate_limited(net: Net, counter: str, who: Answerer) -> bool:
    """Linux: __tcp_oow_rate_limited."""
    now = net.kernel.clock.now
    last = who.last_oow_ack_time
    if last and 0 <= now - last < net.tcp.invalid_ratelimit * NSEC_PER_MSEC:
        net.count(counter)
        return True
    who.last_oow_ack_time = now or 1
    return False


def tcp_oow_rate_limited(net: Net, cb: TcpSkbCb, counter: str, who: Answerer) -> bool:
    """Whether a segment outside the window gets no answer now. Data always gets one, as the answer
    may say what the peer needs. Linux: tcp_oow_rate_limited.
    """
    if cb.seq != cb.end_seq and not cb.flags & TCP_SYN:
        return False
    return _rate_limited(net, counter, who)


def _host_limit(tcp: TcpNet) -> bool:
    """Whether the machine may send one more challenge ACK in this second."""
    limit = tcp.challenge_ack_limit
    if limit == INT_MAX:
        return True
    kernel = tcp.net.kernel
    second = kernel.clock.now // NSEC_PER_SEC + 1
    if second != tcp.challenge_timestamp:
        tcp.challenge_timestamp = second
        tcp.challenge_count = (limit + 1 >> 1) + kernel.random.randrange(max(limit, 1))
    if tcp.challenge_count <= 0:
        return False
    tcp.challenge_count -= 1
    return True


def tcp_send_challenge_ack(sk: TcpSock) -> None:
    """Ask a peer that sends something strange where it stands. Linux: tcp_send_challenge_ack."""
    net = sk.net
    if _rate_limited(net, "TCPACKSkippedChallenge", sk) or not _host_limit(net.tcp):
        return
    net.count("TCPChallengeACK")
    sk.tcp_mstamp = net.kernel.clock.now
    tcp_send_ack(sk)
