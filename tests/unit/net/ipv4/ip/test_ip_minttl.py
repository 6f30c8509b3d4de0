"""IP_MINTTL: a socket hears only of what comes from near by (RFC 5082)."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether

from pyhost.net.core.sock import TCP_CLOSE, TCP_SYN_SENT
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.uapi.ip import IP_MINTTL
from pyhost.uapi.socket import INT, SOL_IP
from tests.unit.net.device import A_MAC, B_MAC
from tests.unit.net.ipv4.tcp.tcp_apps import accept, connect, listener
from tests.unit.net.ipv4.tcp.tcp_peer import PORT, Script
from tests.unit.net.support import B_ADDR

TTL = 64
"""What scapy sends with."""


def set_min_ttl(sk: TcpSock, value: int) -> None:
    assert sk.sk_prot.setsockopt(sk, SOL_IP, IP_MINTTL, INT.pack(value)) == 0


def test_a_segment_from_too_far_is_dropped_and_one_from_near_is_taken() -> None:
    t = Script()
    sk = t.connect()
    set_min_ttl(sk, TTL + 1)
    t.send("A", ack=1, load=b"far")
    t.silence()
    assert (t.net.mib["TCPMinTTLDrop"], t.net.drops) == (1, {"TCP_MINTTL": 1})
    set_min_ttl(sk, TTL)
    t.send("A", ack=1, load=b"near")
    assert sk.rcv_nxt == (t.isn + 1 + 4) % 2**32


def test_a_listener_hears_no_syn_from_too_far() -> None:
    t = Script()
    sk = listener(t.host, PORT)
    set_min_ttl(sk, TTL + 1)
    t.host_port = PORT
    t.send("S", seq=0)
    t.silence()
    assert t.net.drops == {"TCP_MINTTL": 1}


def test_an_accepted_socket_takes_the_limit_over() -> None:
    t = Script()
    sk = listener(t.host, PORT)
    set_min_ttl(sk, TTL)
    t.host_port = PORT
    t.send("S", seq=0)
    t.host_isn = t.take()[TCP].seq
    t.send("A", seq=1, ack=1)
    assert t.app(lambda: accept(sk)).min_ttl == TTL


@pytest.mark.parametrize(("passed", "state"), [(0, TCP_CLOSE), (1, TCP_SYN_SENT)])
def test_an_error_is_believed_when_the_packet_it_quotes_had_not_gone_far(
    passed: int, state: int
) -> None:
    t = Script()
    sockets: list[TcpSock] = []

    def begin() -> None:
        sockets.append(connect(t.host, B_ADDR, PORT))

    t.start(begin)
    syn = t.take()
    sk = next(iter(t.net.tcp.ehash.values()))
    set_min_ttl(sk, TTL)
    quoted = syn[IP].copy()
    quoted.ttl -= passed
    error = Ether(src=B_MAC, dst=A_MAC) / IP(src="10.0.0.2", dst="10.0.0.1")
    t.host.nic.inject(bytes(error / ICMP(type=3, code=2) / quoted))
    t.run()
    assert sk.sk_state == state
    assert t.net.mib.get("TCPMinTTLDrop", 0) == passed
