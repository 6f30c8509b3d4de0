"""How connections begin and end: handshake, close, reset, TIME_WAIT, timeouts, ICMP."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether

from pyhost.net.core.sock import (
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_LAST_ACK,
    TCP_TIME_WAIT,
)
from pyhost.net.core.sockopt import sock_setsockopt
from pyhost.net.ipv4.tcp.tcp import tcp_poll_mask, tcp_prot
from pyhost.uapi.errno import ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EPIPE, ETIMEDOUT
from pyhost.uapi.socket import SO_KEEPALIVE, SOL_TCP
from pyhost.uapi.tcp import TCP_INFO
from tests.unit.net.ipv4.tcp.tcp_apps import accept, close, connect, listener, read_all, recv, send
from tests.unit.net.ipv4.tcp.tcp_peer import PORT, SYN_OPTIONS, Script
from tests.unit.net.support import A_MAC, B_ADDR, B_MAC

ONE = (1).to_bytes(4, "little")


def shutdown_write(sk: object) -> None:
    sk.lock_sock()  # type: ignore[attr-defined]
    sk.sk_shutdown |= 2  # type: ignore[attr-defined]
    tcp_prot.shutdown(sk, 2)  # type: ignore[misc]
    sk.release_sock()  # type: ignore[attr-defined]


def assert_gone(t: Script) -> None:
    """Nothing is left of any connection; ARP's own timer ends within a minute."""
    assert not t.net.tcp.ehash
    t.run(60_000)
    assert t.net.skbs.alive == 0
    assert t.net.sockets_in_use == 0
    assert t.host.kernel.timers.active == 0
    assert t.net.tcp.memory_allocated == 0
    assert not t.net.tcp.bhash


# -- handshake -------------------------------------------------------------------------------------


@pytest.mark.claim("S23")
def test_the_bytes_of_a_syn() -> None:
    """20 bytes of options in Linux's order: MSS, SACK permitted, timestamps, NOP, window scale."""
    t = Script()
    t.start(lambda: connect(t.host, B_ADDR, PORT), 0.1)
    packet = t.expect("S", size=0)
    tcp = packet[TCP]
    assert (packet.len, tcp.dataofs, tcp.dport, tcp.ack) == (60, 10, PORT, 0)
    assert [kind for kind, _ in tcp.options] == ["MSS", "SAckOK", "Timestamp", "NOP", "WScale"]
    options = dict(tcp.options)
    assert (options["MSS"], options["WScale"], options["Timestamp"][1]) == (1460, 7, 0)
    assert tcp.window == 32120


def test_options_that_are_switched_off_are_not_offered() -> None:
    off = {
        "net.ipv4.tcp_sack": "0",
        "net.ipv4.tcp_timestamps": "0",
        "net.ipv4.tcp_window_scaling": "0",
    }
    t = Script(sysctls=off)
    t.start(lambda: connect(t.host, B_ADDR, PORT), 0.1)
    assert t.expect("S")[TCP].options == [("MSS", 1460)]


def test_a_listener_answers_with_what_both_sides_support() -> None:
    t = Script()
    listener(t.host, PORT)
    t.host_port = PORT
    t.send("S", seq=0, options=[("MSS", 1400), ("SAckOK", b"")], run_ms=0.2)
    packet = t.expect("SA", ack=1)
    assert packet[TCP].options[:2] == [("MSS", 1460), ("NOP", None)]
    assert {kind for kind, _ in packet[TCP].options} == {"MSS", "SAckOK", "NOP"}
    assert packet.flags == "DF"


def test_an_accepted_connection_carries_data_both_ways() -> None:
    t = Script()
    sk = t.accept(SYN_OPTIONS)
    assert sk.sk_state == TCP_ESTABLISHED
    t.send("PA", seq=1, ack=1, load=b"ping")
    assert t.app(lambda: recv(sk, 100)) == b"ping"
    t.app(lambda: send(sk, b"pong"))
    assert bytes(t.got[-1][1][TCP].payload) == b"pong"


def test_a_syn_is_sent_again_at_even_steps_and_then_rarer_until_it_times_out() -> None:
    """tcp_syn_linear_timeouts 4 and tcp_syn_retries 6: 1, 1, 1, 1, 1, 2, 4 … s, ETIMEDOUT after 131
    s.
    """
    t = Script()
    result = t.start(lambda: connect(t.host, B_ADDR, PORT), 140_000)
    times = [round(when / 1e9) for when, _ in t.got]
    assert times == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
    assert result == [-ETIMEDOUT]


def test_a_port_nobody_listens_on_refuses() -> None:
    t = Script()
    result = t.start(lambda: connect(t.host, B_ADDR, PORT), 0.1)
    syn = t.take()[TCP]
    t.host_isn, t.host_port, t.port = syn.seq, syn.sport, PORT
    t.send("RA", seq=0, ack=1)
    assert result == [-ECONNREFUSED]

    t = Script()
    t.host_port = 99
    t.send("S", seq=0, run_ms=0.2)
    t.expect("RA", ack=1)


def test_a_syn_ack_is_sent_again_and_the_request_forgotten_in_the_end() -> None:
    t = Script()
    sk = listener(t.host, PORT)
    t.host_port = PORT
    t.send("S", seq=0)
    t.run(70_000)
    assert [round(when / 1e9) for when, _ in t.got] == [0, 1, 3, 7, 15, 31]
    assert not sk.listen_children


def test_a_full_accept_queue_lets_new_syns_fall() -> None:
    t = Script()
    sk = listener(t.host, PORT, backlog=1)
    t.host_port = PORT
    for port in (1001, 1002, 1003):
        t.port = port
        t.send("S", seq=0, run_ms=0.2)
        if t.got:
            t.host_isn = t.take()[TCP].seq
            t.send("A", seq=1, ack=1)
    assert (len(sk.accept_queue), t.net.mib["ListenOverflows"]) == (2, 1)
    t.app(lambda: close(sk))
    assert [str(packet[TCP].flags) for _, packet in t.got] == ["RA", "RA"]
    assert_gone(t)


def test_both_sides_open_at_once() -> None:
    t = Script()
    result = t.start(lambda: connect(t.host, B_ADDR, PORT), 0.1)
    syn = t.take()[TCP]
    t.host_isn, t.host_port, t.port = syn.seq, syn.sport, PORT
    t.send("S", seq=0, options=[("MSS", 1460)])
    t.expect("SA", seq=0, ack=1)
    t.send("A", seq=1, ack=1)
    assert result[0].sk_state == TCP_ESTABLISHED


# -- close -----------------------------------------------------------------------------------------


def test_closing_first_ends_in_time_wait_for_a_minute() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"bye"))
    t.app(lambda: close(sk))
    t.expect("PA", seq=1, load=b"bye")
    t.expect("FA", seq=4)
    assert sk.sk_state == TCP_FIN_WAIT1
    t.send("A", ack=5)
    (half,) = t.net.tcp.ehash.values()
    assert (half.sk_state, half.substate) == (TCP_TIME_WAIT, TCP_FIN_WAIT2)
    t.send("FA", seq=1, ack=5)
    t.expect("A", seq=5, ack=2)
    assert half.substate == TCP_TIME_WAIT
    t.send("FA", seq=1, ack=5)
    t.expect("A", seq=5, ack=2)
    t.run(59_000)
    assert t.net.tcp.ehash
    t.run(2_000)
    assert_gone(t)


def test_closing_second_ends_at_once() -> None:
    t = Script()
    sk = t.connect()
    t.send("FA", seq=1, ack=1)
    t.run(50)
    t.expect("A", ack=2)
    assert sk.sk_state == TCP_CLOSE_WAIT
    assert t.app(lambda: recv(sk, 10)) == b""
    t.app(lambda: close(sk))
    t.expect("FA", seq=1, ack=2)
    assert sk.sk_state == TCP_LAST_ACK
    t.send("A", seq=2, ack=2)
    assert_gone(t)


def test_closing_at_the_same_time() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: close(sk))
    t.expect("FA", seq=1)
    t.send("FA", seq=1, ack=1)
    t.expect("A", seq=2, ack=2)
    assert sk.sk_state == TCP_CLOSING
    t.send("A", seq=2, ack=2)
    assert [tw.sk_state for tw in t.net.tcp.ehash.values()] == [TCP_TIME_WAIT]


def test_half_a_connection_still_carries_data() -> None:
    """After shutdown(SHUT_WR) the peer may go on; what was queued goes out before the FIN."""
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"question"))
    t.app(lambda: shutdown_write(sk))
    t.expect("PA", load=b"question")
    t.expect("FA", seq=9)
    t.send("A", ack=10)
    assert sk.sk_state == TCP_FIN_WAIT2
    assert t.app(lambda: send(sk, b"x")) == -EPIPE
    t.send("PA", seq=1, ack=10, load=b"answer")
    t.send("FA", seq=7, ack=10)
    assert t.app(lambda: read_all(sk)) == b"answer"
    assert sk.sk_state == TCP_CLOSE
    t.app(lambda: close(sk))


def test_closing_with_unread_data_resets() -> None:
    t = Script()
    sk = t.connect()
    t.send("PA", seq=1, ack=1, load=b"unread")
    t.run(50)
    t.got.clear()
    t.app(lambda: close(sk))
    t.expect("RA", seq=1, ack=7)
    assert_gone(t)


def test_linger_with_no_time_resets() -> None:
    t = Script()
    sk = t.connect()
    sk.sk_linger = True
    t.app(lambda: close(sk))
    t.expect("RA", seq=1)
    assert_gone(t)


def test_linger_waits_for_the_last_ack() -> None:
    t = Script()
    sk = t.connect()
    done = t.start(lambda: close(sk, 5_000_000_000))
    t.expect("FA")
    assert not done
    t.send("A", ack=2)
    assert done == [None]


def test_data_for_an_orphan_is_answered_with_a_reset() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: close(sk))
    t.expect("FA")
    t.send("PA", seq=1, ack=1, load=b"late")
    t.expect("R", seq=1)
    assert_gone(t)


# -- reset -----------------------------------------------------------------------------------------


def test_after_a_reset_the_first_send_says_so_and_the_next_is_epipe() -> None:
    t = Script()
    sk = t.connect()
    t.send("R", seq=1)
    assert sk.sk_state == TCP_CLOSE
    assert tcp_poll_mask(sk) & 0x18 == 0x18
    assert t.app(lambda: send(sk, b"x")) == -ECONNRESET
    assert t.app(lambda: send(sk, b"x")) == -EPIPE
    t.app(lambda: close(sk))
    assert_gone(t)


def test_a_reset_beside_the_next_byte_only_earns_a_challenge() -> None:
    """RFC 5961 section 3.2."""
    t = Script()
    sk = t.connect()
    t.send("R", seq=100)
    assert sk.sk_state == TCP_ESTABLISHED
    t.expect("A", seq=1, ack=1)
    t.send("S", seq=1)
    t.silence()
    assert t.net.mib["TCPACKSkippedChallenge"] == 1


def test_a_sleeping_reader_is_woken_by_a_reset() -> None:
    t = Script()
    sk = t.connect()
    result = t.start(lambda: recv(sk, 10))
    assert not result
    t.send("R", seq=1)
    assert result == [-ECONNRESET]


# -- ICMP ------------------------------------------------------------------------------------------


def icmp(t: Script, inner: IP, **fields: int) -> None:
    frame = Ether(src=B_MAC, dst=A_MAC) / IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(**fields)
    t.host.nic.inject(bytes(frame / bytes(inner)[:28]))
    t.run(0.1)


def test_an_icmp_error_ends_a_connection_attempt() -> None:
    t = Script()
    result = t.start(lambda: connect(t.host, B_ADDR, PORT), 0.1)
    icmp(t, t.take()[IP], type=3, code=1)
    assert result == [-EHOSTUNREACH]


def test_fragmentation_needed_makes_smaller_segments() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(1460)))
    icmp(t, t.take()[IP], type=3, code=4, nexthopmtu=1000)
    assert sk.mss_cache == 960
    t.expect_data(1, [960])


# -- keepalive, TCP_INFO ---------------------------------------------------------------------------


def test_keepalive_asks_a_silent_peer_and_gives_up() -> None:
    t = Script(
        sysctls={
            "net.ipv4.tcp_keepalive_time": "10",
            "net.ipv4.tcp_keepalive_intvl": "2",
            "net.ipv4.tcp_keepalive_probes": "3",
        }
    )
    sk = t.connect()
    t.app(lambda: sock_setsockopt(sk, SO_KEEPALIVE, ONE))
    t.run(20_000)
    assert [str(packet[TCP].flags) for _, packet in t.got] == ["A", "A", "A", "RA"]
    assert sk.sk_err == ETIMEDOUT


def test_keepalive_that_is_turned_off_again_asks_nothing() -> None:
    t = Script(sysctls={"net.ipv4.tcp_keepalive_time": "10"})
    sk = t.connect()
    t.app(lambda: sock_setsockopt(sk, SO_KEEPALIVE, ONE))
    assert sk.sk_timer.pending
    t.app(lambda: sock_setsockopt(sk, SO_KEEPALIVE, bytes(4)))
    assert not sk.sk_timer.pending
    t.run(60_000)
    assert not t.got


def test_tcp_info_tells_the_state() -> None:
    t = Script()
    sk = t.connect(SYN_OPTIONS)
    info = t.app(lambda: tcp_prot.getsockopt(sk, SOL_TCP, TCP_INFO, 200))
    assert info[0] == TCP_ESTABLISHED
    assert info[5] == 7
    assert int.from_bytes(info[16:20], "little") == 1448


def test_time_wait_gives_way_to_a_newer_syn() -> None:
    t = Script()
    server = listener(t.host, PORT)
    t.host_port = PORT
    t.send("S", seq=0, run_ms=0.2)
    t.host_isn = t.take()[TCP].seq
    t.send("A", seq=1, ack=1)
    sk = t.app(lambda: accept(server))
    t.app(lambda: close(sk))
    t.expect("FA")
    t.send("FA", seq=1, ack=2)
    t.expect("A", ack=2)
    t.send("S", seq=50_000)
    t.expect("SA", ack=50_001)
