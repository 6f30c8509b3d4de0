"""TCP Fast Open on the listening side (RFC 7413). The cookies are computed here anew."""

from __future__ import annotations

import struct

import pytest
from scapy.layers.inet import TCP

from pyhost.lib.siphash import siphash
from pyhost.net.core.sock import TCP_ESTABLISHED, TCP_SYN_RECV
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.uapi.errno import EINVAL
from pyhost.uapi.socket import SOL_TCP
from pyhost.uapi.tcp import TCP_FASTOPEN, TCP_FASTOPEN_KEY
from tests.unit.net.ipv4.tcp.tcp_apps import accept, listener, recv, send, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import PLAIN_OPTIONS, PORT, Script

KEY = bytes(range(16))
COOKIE = siphash(bytes((10, 0, 0, 2, 10, 0, 0, 1)), KEY).to_bytes(8, "little")
"""Of the peer 10.0.0.2 at the host 10.0.0.1."""


def test_siphash_agrees_with_the_vectors_of_its_authors() -> None:
    assert siphash(b"", KEY) == 0x726FDB47DD0E0E31
    assert siphash(bytes(range(15)), KEY) == 0xA129CA6149BE45E5


def server(t: Script, queue: int = 5) -> TcpSock:
    t.net.tcp.fastopen = 2
    sk = listener(t.host, PORT)
    t.host_port = PORT
    t.app(lambda: set_option(sk, TCP_FASTOPEN, queue))
    assert t.app(lambda: tcp_prot.setsockopt(sk, SOL_TCP, TCP_FASTOPEN_KEY, KEY)) == 0
    return sk


def option(t: Script, cookie: bytes) -> list[object]:
    padding = [("NOP", None)] * (-(2 + len(cookie)) % 4)
    return [*PLAIN_OPTIONS, (34, cookie), *padding]


def cookie_in(tcp: TCP) -> bytes | None:
    for kind, value in tcp.options:
        if kind in (34, "TFO"):
            return value if isinstance(value, bytes) else struct.pack(">2I", *value)
    return None


def test_a_syn_that_asks_gets_the_cookie_of_its_address() -> None:
    t = Script()
    server(t)
    t.send("S", seq=0, options=option(t, b""))
    synack = t.take()[TCP]
    assert cookie_in(synack) == COOKIE
    assert synack.ack == t.isn + 1


def test_data_of_a_syn_with_the_right_cookie_is_readable_before_the_handshake_is_over() -> None:
    t = Script()
    sk = server(t)
    t.send("S", seq=0, load=b"request", options=option(t, COOKIE))
    synack = t.take()[TCP]
    assert (synack.ack - t.isn, cookie_in(synack)) == (8, None)
    t.host_isn = synack.seq
    child = t.app(lambda: accept(sk))
    assert child.sk_state == TCP_SYN_RECV
    assert t.app(lambda: recv(child, 100)) == b"request"
    assert t.app(lambda: send(child, b"answer")) == 6
    t.expect("PA", seq=1, ack=8, load=b"answer")
    t.send("A", seq=8, ack=7)
    assert child.sk_state == TCP_ESTABLISHED
    assert sk.fastopenq is not None
    assert (sk.fastopenq.qlen, child.fastopen_rsk) == (0, None)


def test_data_of_a_syn_with_a_wrong_cookie_is_not_taken_and_the_right_one_is_sent() -> None:
    t = Script()
    sk = server(t)
    t.send("S", seq=0, load=b"request", options=option(t, bytes(8)))
    synack = t.take()[TCP]
    assert (synack.ack - t.isn, cookie_in(synack)) == (1, COOKIE)
    assert not sk.accept_queue


def test_a_backup_key_is_accepted_and_the_cookie_renewed() -> None:
    t = Script()
    sk = server(t)
    keys = bytes(16) + KEY
    assert t.app(lambda: tcp_prot.setsockopt(sk, SOL_TCP, TCP_FASTOPEN_KEY, keys)) == 0
    t.send("S", seq=0, load=b"x", options=option(t, COOKIE))
    synack = t.take()[TCP]
    fresh = siphash(bytes((10, 0, 0, 2, 10, 0, 0, 1)), bytes(16)).to_bytes(8, "little")
    assert (synack.ack - t.isn, cookie_in(synack)) == (2, fresh)


def test_only_so_many_fast_open_requests_at_a_time() -> None:
    t = Script()
    sk = server(t, queue=1)
    t.send("S", seq=0, load=b"x", options=option(t, COOKIE))
    assert t.take()[TCP].ack - t.isn == 2
    t.port += 1
    t.send("S", seq=0, load=b"x", options=option(t, COOKIE))
    assert t.take()[TCP].ack - t.isn == 1
    assert sk.fastopenq is not None
    assert (sk.fastopenq.qlen, t.net.mib["TCPFastOpenListenOverflow"]) == (1, 1)


def test_the_child_sends_its_syn_ack_again() -> None:
    t = Script()
    server(t)
    t.send("S", seq=0, load=b"x", options=option(t, COOKIE))
    first = t.take()[TCP]
    t.run(1100)
    again = t.take()[TCP]
    assert (str(again.flags), again.seq, again.ack) == ("SA", first.seq, first.ack)


@pytest.mark.parametrize("key", [b"short", bytes(17)])
def test_a_key_has_sixteen_bytes(key: bytes) -> None:
    t = Script()
    sk = server(t)
    assert t.app(lambda: tcp_prot.setsockopt(sk, SOL_TCP, TCP_FASTOPEN_KEY, key)) == -EINVAL
