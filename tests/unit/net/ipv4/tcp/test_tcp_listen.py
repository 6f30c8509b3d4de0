"""Connections that begin in unusual ways: SYN cookies, deferred accept, ports in TIME_WAIT."""

from __future__ import annotations

from scapy.layers.inet import TCP

from pyhost.net.core.sock import TCP_ESTABLISHED
from pyhost.uapi.errno import EADDRNOTAVAIL
from pyhost.uapi.tcp import TCP_DEFER_ACCEPT
from tests.unit.net.ipv4.tcp.tcp_apps import accept, close, connect, listener, recv, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import PORT, SYN_OPTIONS, Script
from tests.unit.net.support import B_ADDR


def test_a_full_queue_answers_with_a_syn_cookie_and_keeps_nothing() -> None:
    t = Script()
    sk = listener(t.host, PORT, backlog=0)
    t.host_port = PORT
    t.send("S", seq=0, options=[("MSS", 1400)])
    t.host_isn = t.take()[TCP].seq
    assert not sk.listen_children
    t.send("A", seq=1, ack=1)
    child = t.app(lambda: accept(sk))
    assert (child.sk_state, child.mss_clamp) == (TCP_ESTABLISHED, 1300)
    assert t.net.mib["SyncookiesRecv"] == 1


def test_an_invented_syn_cookie_is_reset() -> None:
    t = Script()
    sk = listener(t.host, PORT, backlog=0)
    t.host_port = PORT
    t.send("S", seq=0)
    t.host_isn = t.take()[TCP].seq
    t.send("A", seq=1, ack=100)
    t.expect("R", seq=100)
    assert not sk.accept_queue


def test_a_syn_cookie_carries_options_in_the_timestamp() -> None:
    t = Script()
    t.net.tcp.syncookies = 2
    sk = listener(t.host, PORT)
    t.host_port = PORT
    t.run(5000)
    offer = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (9, 0)), ("NOP", None), ("WScale", 5)]
    t.send("S", seq=0, options=offer)
    t.host_isn = t.take()[TCP].seq
    t.timestamps = True
    t.send("A", seq=1, ack=1)
    child = t.app(lambda: accept(sk))
    assert (child.sack_ok, child.wscale_ok, child.snd_wscale) == (True, True, 5)


def test_deferred_accept_waits_for_data() -> None:
    t = Script()
    sk = listener(t.host, PORT)
    t.app(lambda: set_option(sk, TCP_DEFER_ACCEPT, 3))
    t.host_port = PORT
    t.send("S", seq=0)
    t.host_isn = t.take()[TCP].seq
    t.send("A", seq=1, ack=1)
    assert not sk.accept_queue
    t.send("PA", seq=1, ack=1, load=b"now")
    child = t.app(lambda: accept(sk))
    assert t.app(lambda: recv(child, 10)) == b"now"


def test_a_time_wait_gives_way_to_a_new_connection_a_second_later() -> None:
    t = Script()
    t.net.tcp.tw_reuse = 1
    t.net.ipv4.sysctl_ip_local_port_range = (40000, 40000)
    sk = t.connect(SYN_OPTIONS)
    t.app(lambda: close(sk))
    old = t.expect("FA", seq=1)[TCP]
    t.send("FA", seq=1, ack=2)
    t.expect("A", seq=2, ack=2)
    assert t.app(lambda: connect(t.host, B_ADDR, PORT)) == -EADDRNOTAVAIL
    t.run(1100)
    t.start(lambda: connect(t.host, B_ADDR, PORT))
    syn = t.expect("S")[TCP]
    assert (syn.sport, syn.seq) == (old.sport, (old.seq + 1 + 65537) % 2**32)
