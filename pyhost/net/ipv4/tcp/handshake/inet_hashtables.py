"""Finding the socket of a segment, and who has which port. Linux: net/ipv4/inet_hashtables.c.

Three tables of `TcpNet`: `ehash` has everything with two ends (sockets, request sockets,
TIME_WAIT), `lhash` the listeners, `bhash` the owners of each local port. A key of `ehash` is
(remote address, local address, remote port << 16 | local port): the port word as it comes in a
header.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, cast

from pyhost.net.core.sock import TCP_LISTEN, TCP_TIME_WAIT
from pyhost.uapi.errno import EADDRINUSE, EADDRNOTAVAIL

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.handshake.tcp_minisocks import TimewaitSock
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
    from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet

__all__ = [
    "BindBucket", "Hashed", "inet_bind_bucket_put", "inet_csk_get_port", "inet_ehash_insert",
    "inet_hash_connect", "inet_lookup_listener", "inet_put_port", "inet_unhash",
]  # fmt: skip


class Hashed(Protocol):
    """What may stand in `ehash`: told apart by `sk_state` (TCP_TIME_WAIT, TCP_NEW_SYN_RECV, else a
    full socket).
    """

    sk_state: int
    hash_key: tuple[int, int, int] | None


class PortOwner(Protocol):
    """Who holds a local port: a socket or a TIME_WAIT."""

    sk_state: int
    sk_reuse: bool
    sk_reuseport: bool
    sk_bindtodevice: int
    inet_rcv_saddr: int


class BindBucket:
    """One local port in use. `shared_by_connect`: nobody asked for this port by name.

    Linux: struct inet_bind_bucket, fastreuse -1.
    """

    __slots__ = ("owners", "port", "shared_by_connect")

    def __init__(self, port: int, shared_by_connect: bool) -> None:
        self.port = port
        self.shared_by_connect = shared_by_connect
        self.owners: list[PortOwner] = []


def inet_bind_bucket_put(tcp: TcpNet, bucket: BindBucket, owner: PortOwner) -> None:
    """`owner` gives the port back. Linux: inet_bind_bucket_destroy."""
    bucket.owners.remove(owner)
    if not bucket.owners:
        del tcp.bhash[bucket.port]


def _bind(sk: TcpSock, port: int, shared: bool) -> None:
    """Linux: inet_bind_hash."""
    bhash = sk.net.tcp.bhash
    bucket = bhash.get(port)
    if bucket is None:
        bucket = bhash[port] = BindBucket(port, shared)
    bucket.shared_by_connect = bucket.shared_by_connect and shared
    bucket.owners.append(sk)
    sk.bind_bucket = bucket
    sk.inet_num = port


def inet_put_port(sk: TcpSock) -> None:
    """Give the local port back. Linux: inet_put_port."""
    if sk.bind_bucket is not None:
        inet_bind_bucket_put(sk.net.tcp, sk.bind_bucket, sk)
        sk.bind_bucket = None
        sk.inet_num = 0


def _bind_conflict(sk: TcpSock, bucket: BindBucket) -> bool:
    """Whether another owner keeps `sk` from the port: one at the same address and device, unless
    both have SO_REUSEADDR and the other does not listen, or both have SO_REUSEPORT.

    Linux: inet_csk_bind_conflict.
    """
    for other in bucket.owners:
        if other is sk:
            continue
        if sk.inet_rcv_saddr and other.inet_rcv_saddr and sk.inet_rcv_saddr != other.inet_rcv_saddr:
            continue
        ours, theirs = sk.sk_bindtodevice, other.sk_bindtodevice
        if ours and theirs and ours != theirs:
            continue
        if sk.sk_reuse and other.sk_reuse and other.sk_state != TCP_LISTEN:
            continue
        if sk.sk_reuseport and other.sk_reuseport:
            continue
        return True
    return False


def inet_csk_get_port(sk: TcpSock, port: int) -> int:
    """Bind to `port`, or to a free one for 0: 0 or -EADDRINUSE. listen() asks again for the port
    that the socket has, because another may listen there by now. Linux: inet_csk_get_port.
    """
    bhash = sk.net.tcp.bhash
    if port:
        bucket = bhash.get(port)
        if bucket is not None and _bind_conflict(sk, bucket):
            return -EADDRINUSE
    else:
        port = next((p for p in _ports_from_random(sk, 1) if p not in bhash), 0)
        if not port:
            return -EADDRINUSE
    if sk.bind_bucket is None:
        _bind(sk, port, False)
    return 0


def _ports_from_random(sk: TcpSock, parity: int) -> Iterator[int]:
    """The ephemeral ports in the order of trial: from a random one on, those of one parity first.

    Linux: inet_csk_find_open_port.
    """
    low, high = sk.net.ipv4.sysctl_ip_local_port_range
    count = high - low + 1
    start = sk.net.kernel.random.randrange(count)
    for wanted in (parity, parity ^ 1):
        for i in range(count):
            port = low + (start + i) % count
            if port & 1 == wanted:
                yield port


def inet_hash_connect(sk: TcpSock) -> int:
    """Find a local port for a connection and hash the socket: 0 or -EADDRNOTAVAIL. Linux:
    inet_hash_connect.

    A port that only connections use may be shared, as long as the four-tuple stays unique.
    """
    if sk.inet_num:
        key = (sk.inet_daddr, sk.inet_saddr, sk.inet_dport << 16 | sk.inet_num)
        if not _unique(sk, key):
            return -EADDRNOTAVAIL
    else:
        port = _connect_port(sk)
        if not port:
            return -EADDRNOTAVAIL
        _bind(sk, port, True)
    sk.inet_sport = sk.inet_num
    inet_ehash_insert(sk)
    return 0


def _unique(sk: TcpSock, key: tuple[int, int, int]) -> bool:
    """Whether no connection has these addresses and ports; a TIME_WAIT may give way.

    Linux: __inet_check_established.
    """
    other = sk.net.tcp.ehash.get(key)
    if other is None:
        return True
    return other.sk_state == TCP_TIME_WAIT and cast("TimewaitSock", other).give_way(sk)


def _connect_port(sk: TcpSock) -> int:
    """A local port whose four-tuple is free, 0 when there is none."""
    tcp = sk.net.tcp
    for port in _ports_from_random(sk, 0):
        bucket = tcp.bhash.get(port)
        if bucket is None:
            return port
        key = (sk.inet_daddr, sk.inet_saddr, sk.inet_dport << 16 | port)
        if bucket.shared_by_connect and _unique(sk, key):
            return port
    return 0


def inet_ehash_insert(sk: TcpSock) -> None:
    """Make the connected socket findable, in place of its request socket if there is one.

    Linux: inet_ehash_insert.
    """
    sk.ports = sk.inet_sport << 16 | sk.inet_dport
    sk.hash_key = (sk.inet_daddr, sk.inet_saddr, sk.inet_dport << 16 | sk.inet_num)
    sk.net.tcp.ehash[sk.hash_key] = sk


def inet_unhash(sk: TcpSock) -> None:
    """Nobody shall find the socket any more. Linux: inet_unhash."""
    tcp = sk.net.tcp
    if sk.hash_key is not None:
        if tcp.ehash.get(sk.hash_key) is sk:
            del tcp.ehash[sk.hash_key]
        sk.hash_key = None
    listeners = tcp.lhash.get(sk.inet_num)
    if listeners and sk in listeners:
        listeners.remove(sk)
        if not listeners:
            del tcp.lhash[sk.inet_num]


def inet_lookup_listener(tcp: TcpNet, key: tuple[int, int, int], dif: int) -> TcpSock | None:
    """The listener for a segment between the ends `key` that came in on device `dif`. One that is
    bound to the address wins, then one that is bound to the device. Listeners that share a port
    with SO_REUSEPORT get their share by the hash of the ends. Linux: __inet_lookup_listener.
    """
    _, daddr, ports = key
    listeners = tcp.lhash.get(ports & 0xFFFF)
    if not listeners:
        return None
    best, best_score = None, 0
    for sk in listeners:
        score = _compute_score(sk, daddr, dif)
        if score > best_score:
            best, best_score = sk, score
    if best is None or not best.sk_reuseport:
        return best
    group = [
        sk for sk in listeners if sk.sk_reuseport and _compute_score(sk, daddr, dif) == best_score
    ]
    return group[hash(key) % len(group)]


def _compute_score(sk: TcpSock, daddr: int, dif: int) -> int:
    """How exactly a listener is bound to what a segment is for; 0: it is not for this listener.

    Linux: compute_score.
    """
    if sk.inet_rcv_saddr not in (0, daddr) or sk.sk_bindtodevice not in (0, dif):
        return 0
    return 1 + 2 * bool(sk.inet_rcv_saddr) + bool(sk.sk_bindtodevice)
