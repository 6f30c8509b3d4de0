"""Which UDP socket has which port, and which of them a datagram is for.

Linux: net/ipv4/udp.c udp_lib_get_port, __udp4_lib_lookup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.igmp import ip_mc_sf_allow
from pyhost.uapi.errno import EADDRINUSE

if TYPE_CHECKING:
    from pyhost.net.ipv4.udp.udp_sock import UdpSock

__all__ = ["UdpTable", "udp_lib_get_port", "udp_lib_rehash", "udp_lib_unhash"]


class UdpTable:
    """The bound sockets by local port, the newest first, and what waits in all of them together.

    Linux: struct udp_table, udp_memory_allocated. `memory` is the truesize of the datagrams that
    wait, in bytes; `sysctl_udp_mem` has limits in pages: above the first each socket has
    udp_rmem_min bytes, above the last nobody has any.
    """

    __slots__ = ("by_port", "memory", "sysctl_udp_mem")

    def __init__(self, mem: tuple[int, ...]) -> None:
        self.by_port: dict[int, list[UdpSock]] = {}
        self.memory = 0
        self.sysctl_udp_mem = mem

    def lookup(self, saddr: int, sport: int, daddr: int, dport: int, dif: int) -> UdpSock | None:
        """The socket for a datagram from `saddr`:`sport` to `daddr`:`dport` that came in on device
        `dif`. Sockets that share a port with SO_REUSEPORT take turns by the datagram's hash.

        Linux: udp4_lib_lookup2.
        """
        best = None
        best_score = -1
        for sk in self.by_port.get(dport, ()):
            score = compute_score(sk, saddr, sport, daddr, dif)
            if score > best_score:
                best, best_score = sk, score
        if best is not None and best.sk_reuseport and not best.inet_daddr:
            return self._reuseport_select(best, (saddr, sport, daddr, dport))
        return best

    def _reuseport_select(self, best: UdpSock, flow: tuple[int, int, int, int]) -> UdpSock:
        """One of the sockets that are bound alike. Linux: reuseport_select_sock."""
        group = [
            sk
            for sk in self.by_port[best.inet_num]
            if sk.sk_reuseport
            and not sk.inet_daddr
            and sk.inet_rcv_saddr == best.inet_rcv_saddr
            and sk.sk_bindtodevice == best.sk_bindtodevice
        ]
        return group[hash(flow) % len(group)]

    def matches(self, saddr: int, sport: int, daddr: int, dport: int, dif: int) -> list[UdpSock]:
        """All sockets that a broadcast or multicast is for. Linux: __udp_is_mcast_sock."""
        return [
            sk
            for sk in self.by_port.get(dport, ())
            if compute_score(sk, saddr, sport, daddr, dif) >= 0 and ip_mc_sf_allow(sk, daddr, dif)
        ]


def compute_score(sk: UdpSock, saddr: int, sport: int, daddr: int, dif: int) -> int:
    """How exactly a socket's addresses fit; -1: not at all. Linux: compute_score."""
    score = 0
    if sk.inet_rcv_saddr:
        if sk.inet_rcv_saddr != daddr:
            return -1
        score += 4
    if sk.inet_daddr:
        if sk.inet_daddr != saddr:
            return -1
        score += 4
    if sk.inet_dport:
        if sk.inet_dport != sport:
            return -1
        score += 4
    if sk.sk_bindtodevice:
        if sk.sk_bindtodevice != dif:
            return -1
        score += 4
    return score


def udp_lib_get_port(sk: UdpSock, snum: int) -> int:
    """Bind `sk` to port `snum`, or to a free one out of ip_local_port_range when it is 0: 0 or
    -EADDRINUSE.

    Linux: udp_lib_get_port.

    The search starts at a random port and goes up from there.
    """
    table = sk.net.udp.by_port
    sk.autobound = not snum
    if not snum:
        low, high = inet_sk_get_local_port_range(sk)
        count = high - low + 1
        start = sk.net.kernel.random.randrange(count)
        for step in range(count):
            port = low + (start + step) % count
            if not _in_use(table.get(port), sk):
                snum = port
                break
        else:
            return -EADDRINUSE
    elif _in_use(table.get(snum), sk):
        return -EADDRINUSE
    sk.inet_num = snum
    table.setdefault(snum, []).insert(0, sk)
    return 0


def inet_sk_get_local_port_range(sk: UdpSock) -> tuple[int, int]:
    """The ports that are free to choose from: IP_LOCAL_PORT_RANGE within ip_local_port_range.

    Linux: inet_sk_get_local_port_range.
    """
    low, high = sk.net.ipv4.sysctl_ip_local_port_range
    if sk.local_port_range is None:
        return low, high
    own_low, own_high = sk.local_port_range
    return (
        own_low if own_low and low <= own_low <= high else low,
        own_high if own_high and low <= own_high <= high else high,
    )


def _in_use(others: list[UdpSock] | None, sk: UdpSock) -> bool:
    """Whether one of them keeps `sk` from the port.

    Linux: udp_lib_lport_inuse, inet_rcv_saddr_equal.
    """
    for other in others or ():
        if (
            other is sk
            or (other.sk_reuse and sk.sk_reuse)
            or (other.sk_reuseport and sk.sk_reuseport)
        ):
            continue
        ours, theirs = sk.sk_bindtodevice, other.sk_bindtodevice
        if ours and theirs and ours != theirs:
            continue
        if (
            not sk.inet_rcv_saddr
            or not other.inet_rcv_saddr
            or sk.inet_rcv_saddr == other.inet_rcv_saddr
        ):
            return True
    return False


def udp_lib_rehash(sk: UdpSock) -> int:
    """An address of `sk` has changed. Sockets are found by port alone here, so it only moves to the
    front.

    Linux: udp_lib_rehash.
    """
    others = sk.net.udp.by_port.get(sk.inet_num)
    if others is not None and sk in others:
        others.remove(sk)
        others.insert(0, sk)
    return 0


def udp_lib_unhash(sk: UdpSock) -> None:
    """Give the port back. Linux: udp_lib_unhash."""
    table = sk.net.udp.by_port
    others = table.get(sk.inet_num)
    if others is None or sk not in others:
        return
    others.remove(sk)
    if not others:
        del table[sk.inet_num]
    sk.inet_num = 0
    sk.autobound = False
