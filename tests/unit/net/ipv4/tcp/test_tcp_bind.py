"""Who may have a local port, and which listener gets a connection."""

from __future__ import annotations

from typing import Any

import pytest

from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_listen_start
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_lookup_listener
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.uapi.errno import EADDRINUSE
from tests.unit.net.ipv4.tcp.tcp_apps import listener, new_socket
from tests.unit.net.ipv4.tcp.tcp_peer import Script
from tests.unit.net.support import A_ADDR, B_ADDR

OTHER = A_ADDR + 10


def bound(t: Script, port: int = 7, **fields: Any) -> TcpSock | int:
    """A socket with these fields that was bound, or why it could not be."""
    sk = new_socket(t.host)
    for name, value in fields.items():
        setattr(sk, name, value)
    return tcp_prot.get_port(sk, port) or sk


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ({}, {}, False),
        ({"sk_reuse": True}, {}, False),
        ({"sk_reuse": True}, {"sk_reuse": True}, True),
        ({"sk_reuseport": True}, {"sk_reuse": True}, False),
        ({"sk_reuseport": True}, {"sk_reuseport": True}, True),
        ({"inet_rcv_saddr": A_ADDR}, {"inet_rcv_saddr": OTHER}, True),
        ({"inet_rcv_saddr": A_ADDR}, {}, False),
        ({"sk_bindtodevice": 1}, {"sk_bindtodevice": 2}, True),
        ({"sk_bindtodevice": 1}, {}, False),
    ],
)
def test_a_port_is_shared_only_by_consent_address_or_device(
    first: dict[str, Any], second: dict[str, Any], shared: bool
) -> None:
    t = Script()
    assert isinstance(bound(t, **first), TcpSock)
    assert isinstance(bound(t, **second), TcpSock) is shared


def test_a_listener_does_not_share_its_port_with_so_reuseaddr() -> None:
    t = Script()
    sk = bound(t, sk_reuse=True)
    assert isinstance(sk, TcpSock)
    assert inet_csk_listen_start(sk) == 0
    assert bound(t, sk_reuse=True) == -EADDRINUSE


def test_of_two_that_share_a_port_with_so_reuseaddr_only_one_may_listen() -> None:
    t = Script()
    first, second = bound(t, sk_reuse=True), bound(t, sk_reuse=True)
    assert isinstance(first, TcpSock)
    assert isinstance(second, TcpSock)
    assert inet_csk_listen_start(first) == 0
    assert inet_csk_listen_start(second) == -EADDRINUSE
    assert (first.sk_state, second.sk_state) == (TCP_LISTEN, TCP_CLOSE)


def found(t: Script, daddr: int = A_ADDR, sport: int = 40000, dif: int = 1) -> TcpSock | None:
    return inet_lookup_listener(t.net.tcp, (B_ADDR, daddr, sport << 16 | 7), dif)


def listening(t: Script, **fields: Any) -> TcpSock:
    sk = bound(t, **fields)
    assert isinstance(sk, TcpSock)
    assert inet_csk_listen_start(sk) == 0
    return sk


def test_an_address_counts_more_than_a_device_and_a_device_more_than_nothing() -> None:
    t = Script()
    any_device = listening(t, sk_reuseport=True)
    on_device = listening(t, sk_reuseport=True, sk_bindtodevice=1)
    on_address = listening(t, sk_reuseport=True, inet_rcv_saddr=A_ADDR)
    assert found(t) is on_address
    assert found(t, OTHER) is on_device
    assert found(t, OTHER, dif=2) is any_device


def test_a_listener_on_another_device_gets_nothing() -> None:
    t = Script()
    listening(t, sk_bindtodevice=2)
    assert found(t) is None


def test_listeners_with_so_reuseport_share_connections_and_keep_each_to_one() -> None:
    t = Script()
    group = [listening(t, sk_reuseport=True) for _ in range(3)]
    chosen = [found(t, sport=port) for port in range(20000, 20300)]
    assert all(60 < chosen.count(sk) < 150 for sk in group)
    assert chosen == [found(t, sport=port) for port in range(20000, 20300)]


def test_a_listener_without_so_reuseport_shares_with_nobody() -> None:
    t = Script()
    sk = listener(t.host, 7)
    assert {found(t, sport=port) for port in range(20000, 20050)} == {sk}
