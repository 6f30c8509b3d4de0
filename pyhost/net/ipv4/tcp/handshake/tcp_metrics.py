"""What a machine remembers of its peers from one connection to the next. Linux:
net/ipv4/tcp_metrics.c.

By (local address, peer): round trip and reordering, which a new connection begins with, and what
Fast Open needs: the cookie, the MSS that the peer offered, and how often SYNs with data were lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC, NSEC_PER_USEC
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenCookie

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "TcpMetrics", "TcpMetricsTable", "tcp_fastopen_cache_get", "tcp_fastopen_cache_set",
    "tcp_init_metrics", "tcp_peer_is_proven", "tcp_update_metrics",
]  # fmt: skip

TCP_TIMEOUT_FALLBACK = 3 * NSEC_PER_SEC
TCP_METRICS_TIMEOUT = 60 * 60 * NSEC_PER_SEC


class TcpMetrics:
    """Linux: struct tcp_metrics_block. `stamp`: when it was last written (ns); times in µs as the
    estimator has them.
    """

    __slots__ = (
        "cookie", "mss", "reordering", "rtt_us", "rttvar_us", "stamp", "syn_loss", "try_exp",
    )  # fmt: skip

    def __init__(self) -> None:
        self.stamp = 0
        self.rtt_us = self.rttvar_us = self.reordering = 0
        self.mss = 0
        self.cookie = FastopenCookie()
        self.syn_loss = 0
        self.try_exp = 0


class TcpMetricsTable:
    """All the metrics of a machine. Linux: tcp_metrics_hash."""

    __slots__ = ("_kernel", "_peers")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._peers: dict[tuple[int, int], TcpMetrics] = {}

    def find(self, saddr: int, daddr: int, create: bool = False) -> TcpMetrics | None:
        """What is known of a peer; an entry that was not written for an hour counts no more.

        Linux: tcp_get_metrics, tcpm_check_stamp.
        """
        key = (saddr, daddr)
        now = self._kernel.clock.now
        found = self._peers.get(key)
        if found is not None and now - found.stamp > TCP_METRICS_TIMEOUT:
            del self._peers[key]
            found = None
        if found is None and create:
            found = self._peers[key] = TcpMetrics()
            found.stamp = now
        return found

    def flush(self, daddr: int | None = None) -> None:
        """Forget all peers, or one. Linux: tcp_metrics_flush_all, `ip tcp_metrics flush`."""
        for key in [key for key in self._peers if daddr is None or key[1] == daddr]:
            del self._peers[key]

    def show(self) -> list[tuple[int, TcpMetrics]]:
        """(peer, metrics), in order of address. Linux: tcp_metrics_nl_dump."""
        return sorted(((key[1], entry) for key, entry in self._peers.items()), key=lambda e: e[0])


def tcp_peer_is_proven(sk: TcpSock, saddr: int, daddr: int) -> bool:
    """Whether a connection with the peer once came so far that its round trip is known.

    Linux: tcp_peer_is_proven.
    """
    found = sk.net.tcp.metrics.find(saddr, daddr)
    return found is not None and found.rtt_us > 0


def tcp_update_metrics(sk: TcpSock) -> None:
    """A connection ends: remember its round trip. A longer one counts at once, a shorter one pulls
    the value down slowly, as too long a guess does less harm than one too short.

    Linux: tcp_update_metrics.
    """
    tcp = sk.net.tcp
    if tcp.no_metrics_save or sk.sk_dst_cache is None:
        return
    known = bool(sk.srtt_us and not sk.icsk_backoff)
    found = tcp.metrics.find(sk.inet_saddr, sk.inet_daddr, create=known)
    if found is None:
        return
    found.stamp = sk.net.kernel.clock.now
    if not known:
        found.rtt_us = 0
        return
    shorter = found.rtt_us - sk.srtt_us
    found.rtt_us = sk.srtt_us if shorter <= 0 else found.rtt_us - (shorter >> 3)
    deviation = max(abs(shorter) >> 1, sk.mdev_us)
    if deviation < found.rttvar_us:
        deviation = found.rttvar_us - (found.rttvar_us - deviation >> 2)
    found.rttvar_us = deviation
    if found.reordering < sk.reordering != tcp.reordering:
        found.reordering = sk.reordering


def tcp_init_metrics(sk: TcpSock) -> None:
    """A connection begins: the first RTO is that of the last connection with the peer, if that was
    longer; without any sample it is 3 s (RFC 6298 section 5.7). The estimator is left alone.

    Linux: tcp_init_metrics.
    """
    found = sk.net.tcp.metrics.find(sk.inet_saddr, sk.inet_daddr)
    cached = 0
    if found is not None:
        cached = found.rtt_us
        if found.reordering:
            sk.reordering = found.reordering
    if cached > sk.srtt_us:
        rtt = (cached >> 3) * NSEC_PER_USEC
        sk.icsk_rto = rtt + max(2 * rtt, sk.icsk_rto_min)
    elif not sk.srtt_us:
        sk.rttvar_us = sk.mdev_us = sk.mdev_max_us = TCP_TIMEOUT_FALLBACK // NSEC_PER_USEC
        sk.icsk_rto = TCP_TIMEOUT_FALLBACK


def tcp_fastopen_cache_get(sk: TcpSock) -> tuple[int, FastopenCookie]:
    """(MSS the peer offered or 0, its cookie). Without one the cookie is empty, which asks for it;
    `exp` says by which option. Linux: tcp_fastopen_cache_get.
    """
    found = sk.net.tcp.metrics.find(sk.inet_saddr, sk.inet_daddr)
    if found is None:
        return 0, FastopenCookie(b"")
    cookie = FastopenCookie(found.cookie.data or b"", found.cookie.exp)
    if not cookie.data and found.try_exp == 1:
        cookie.exp = True
    return found.mss, cookie


def tcp_fastopen_cache_set(
    sk: TcpSock, mss: int, cookie: FastopenCookie | None, syn_lost: bool, try_exp: int
) -> None:
    """Remember what the SYN-ACK said. `try_exp`: 1 ask by the experimental option next time, 2 by
    the standard one. Linux: tcp_fastopen_cache_set.
    """
    found = sk.net.tcp.metrics.find(sk.inet_saddr, sk.inet_daddr, create=True)
    assert found is not None
    found.stamp = sk.net.kernel.clock.now
    if mss:
        found.mss = mss
    if cookie is not None and cookie.data:
        found.cookie = cookie
    elif try_exp > found.try_exp and not found.cookie.data and not found.cookie.exp:
        found.try_exp = try_exp
    found.syn_loss = found.syn_loss + 1 if syn_lost else 0
