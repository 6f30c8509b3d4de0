"""TCP_INFO: what a connection tells about itself, checked by its place in struct tcp_info."""

from __future__ import annotations

from struct import unpack_from
from typing import Any

import pytest

from pyhost.net.ipv4.tcp.user.tcp_info import tcp_get_info
from pyhost.uapi.errno import EINVAL, ENOENT, ENOPROTOOPT, EPERM
from pyhost.uapi.socket import INT, MSG_DONTWAIT, SOL_TCP
from pyhost.uapi.tcp import (
    TCP_CC_INFO,
    TCP_CONGESTION,
    TCP_INFO,
    TCP_MAXSEG,
    TCP_NOTSENT_LOWAT,
    TCP_REPAIR,
    TCP_SYNCNT,
    TCP_TIMESTAMP,
    TCP_TX_DELAY,
    TCP_ULP,
    TCP_USER_TIMEOUT,
    TCP_WINDOW_CLAMP,
)
from tests.unit.net.ipv4.tcp.tcp_apps import listener, new_socket, send
from tests.unit.net.ipv4.tcp.tcp_peer import SYN_OPTIONS, Script

# Offsets in struct tcp_info, from the C declaration.
U32 = {
    "rto": 8, "snd_mss": 16, "unacked": 24, "sacked": 28, "lost": 32, "retrans": 36,
    "last_data_sent": 44, "last_data_recv": 52, "last_ack_recv": 56, "pmtu": 60, "rtt": 68,
    "snd_cwnd": 80, "advmss": 84, "total_retrans": 100, "segs_out": 136, "segs_in": 140,
    "notsent_bytes": 144, "min_rtt": 148, "data_segs_in": 152, "data_segs_out": 156,
    "delivered": 192, "snd_wnd": 228,
}  # fmt: skip
U64 = {
    "pacing_rate": 104, "max_pacing_rate": 112, "bytes_acked": 120, "bytes_received": 128,
    "delivery_rate": 160, "busy_time": 168, "rwnd_limited": 176, "sndbuf_limited": 184,
    "bytes_sent": 200, "bytes_retrans": 208,
}  # fmt: skip


def info(sk: Any) -> dict[str, int]:
    data = tcp_get_info(sk)
    assert len(data) == 248
    words = {name: unpack_from("<I", data, at)[0] for name, at in U32.items()}
    longs = {name: unpack_from("<Q", data, at)[0] for name, at in U64.items()}
    return {**words, **longs, "state": data[0], "options": data[5], "scales": data[6]}


def test_a_fresh_connection_tells_what_was_agreed() -> None:
    t = Script()
    sk = t.connect(SYN_OPTIONS)
    seen = info(sk)
    assert (seen["state"], seen["options"], seen["scales"]) == (1, 7, 7 | sk.rcv_wscale << 4)
    assert (seen["snd_mss"], seen["advmss"], seen["pmtu"]) == (1448, 1448, 1500)
    assert (seen["snd_cwnd"], seen["unacked"], seen["max_pacing_rate"]) == (10, 0, 2**64 - 1)


def test_bytes_and_segments_are_counted() -> None:
    """Segments as they stand on the wire, retransmissions among those that were sent."""
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(3000)))
    seen = info(sk)
    assert (seen["bytes_sent"], seen["data_segs_out"], seen["unacked"]) == (3000, 3, 3)
    assert seen["segs_out"] == 5
    t.send("PA", ack=3001, load=b"answer")
    t.run(50)
    seen = info(sk)
    assert (seen["bytes_acked"], seen["bytes_received"], seen["data_segs_in"]) == (3001, 6, 1)
    assert (seen["segs_in"], seen["unacked"], seen["delivered"]) == (2, 0, 4)


def test_what_waits_is_not_sent() -> None:
    t = Script()
    sk = t.connect(window=2000)
    t.app(lambda: send(sk, bytes(5000), MSG_DONTWAIT))
    assert info(sk)["notsent_bytes"] == 3000


def test_times_since_the_last_events_are_milliseconds() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"x"))
    t.run(20)
    t.send("PA", ack=2, load=b"y")
    t.run(30)
    seen = info(sk)
    assert (seen["last_data_sent"], seen["last_data_recv"], seen["last_ack_recv"]) == (50, 30, 30)


def test_a_lost_tail_is_counted_when_it_goes_again() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(100)))
    t.run(400)
    seen = info(sk)
    assert seen["total_retrans"] >= 1
    assert seen["bytes_retrans"] == 100 * seen["total_retrans"]
    assert seen["bytes_sent"] == 100 + seen["bytes_retrans"]


def test_a_listener_tells_how_many_connections_wait() -> None:
    t = Script()
    server = listener(t.host, 7, backlog=5)
    seen = info(server)
    assert (seen["state"], seen["unacked"], seen["sacked"], seen["rto"]) == (10, 0, 5, 0)


# -- chronographs ----------------------------------------------------------------------------------


def ms(value: int) -> float:
    return round(value / 1000, 0)


def test_busy_time_runs_from_the_write_to_the_last_ack() -> None:
    t = Script()
    sk = t.connect()
    assert info(sk)["busy_time"] == 0
    t.app(lambda: send(sk, bytes(100)))
    t.run(30)
    assert ms(info(sk)["busy_time"]) == 30
    t.send("A", ack=101)
    t.run(500)
    assert ms(info(sk)["busy_time"]) == 30


def test_the_time_in_which_the_peers_window_is_closed_is_counted() -> None:
    t = Script()
    sk = t.connect(window=0)
    t.app(lambda: send(sk, bytes(1000)))
    t.run(100)
    t.send("A", ack=1, window=5000)
    t.run(40)
    t.send("A", ack=1001, window=5000)
    t.run(100)
    seen = info(sk)
    assert (ms(seen["rwnd_limited"]), ms(seen["busy_time"])) == (100, 140)
    assert seen["sndbuf_limited"] == 0


def test_the_time_in_which_a_small_send_buffer_starves_the_wire_is_counted() -> None:
    """At first it is the congestion window that limits. Once it has grown so that all of the buffer
    is on the way, and the program waits for room in it, it is the buffer.
    """
    t = Script()
    t.host.dev.gso_max_segs = 1
    sk = t.connect()
    sk.sk_sndbuf, sk.sk_sndbuf_lock, sk.snd_cwnd = 10_000, True, 2
    t.start(lambda: send(sk, bytes(30_000)))
    t.run(20)
    assert info(sk)["sndbuf_limited"] == 0
    sk.snd_cwnd, sk.snd_ssthresh = 20, 2
    t.send("A", ack=2921)
    t.run(60)
    seen = info(sk)
    assert (ms(seen["sndbuf_limited"]), ms(seen["busy_time"]), seen["rwnd_limited"]) == (60, 80, 0)
    t.send("A", ack=4381)
    t.run(30)
    seen = info(sk)
    assert (ms(seen["sndbuf_limited"]), ms(seen["busy_time"])) == (60, 110)


# -- other options ---------------------------------------------------------------------------------


def setopt(t: Script, sk: Any, name: int, value: int | bytes) -> Any:
    data = value if isinstance(value, bytes) else INT.pack(value)
    return t.app(lambda: sk.sk_prot.setsockopt(sk, SOL_TCP, name, data))


def getopt(sk: Any, name: int, size: int = 256) -> Any:
    return sk.sk_prot.getsockopt(sk, SOL_TCP, name, size)


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        (TCP_MAXSEG, 87, -EINVAL),
        (TCP_MAXSEG, 32768, -EINVAL),
        (TCP_MAXSEG, b"\0\0", -EINVAL),
        (TCP_SYNCNT, 0, -EINVAL),
        (TCP_SYNCNT, 128, -EINVAL),
        (TCP_USER_TIMEOUT, -1, -EINVAL),
        (TCP_CONGESTION, b"vegas\0", -ENOENT),
        (TCP_CONGESTION, b"", -EINVAL),
        (TCP_CONGESTION, b"reno", 0),
        (TCP_ULP, b"tls", -ENOENT),
        (TCP_REPAIR, 1, -EPERM),
        (TCP_TIMESTAMP, 1, -EPERM),
        (TCP_TX_DELAY, 1000, 0),
        (TCP_WINDOW_CLAMP, 0, 0),
        (99, 1, -ENOPROTOOPT),
    ],
)
def test_setsockopt_answers_as_linux_does(name: int, value: int | bytes, result: int) -> None:
    t = Script()
    assert setopt(t, new_socket(t.host), name, value) == result


def test_the_window_clamp_of_a_connection_cannot_be_taken_away() -> None:
    t = Script()
    sk = t.connect()
    assert setopt(t, sk, TCP_WINDOW_CLAMP, 0) == -EINVAL


def test_maxseg_is_the_wish_before_the_connection_and_the_mss_after() -> None:
    t = Script()
    sk = new_socket(t.host)
    assert getopt(sk, TCP_MAXSEG) == INT.pack(536)
    assert setopt(t, sk, TCP_MAXSEG, 1000) == 0
    assert getopt(sk, TCP_MAXSEG) == INT.pack(1000)
    assert getopt(t.connect([("MSS", 1200)]), TCP_MAXSEG) == INT.pack(1200)


def test_notsent_lowat_of_the_socket_wins_over_the_sysctl() -> None:
    t = Script()
    t.net.tcp.notsent_lowat = 3000
    t.host.dev.gso_max_segs = 1
    sk = t.connect([("MSS", 1000)], window=2000)
    assert getopt(sk, TCP_NOTSENT_LOWAT) == INT.pack(0)
    assert t.app(lambda: send(sk, bytes(20_000), MSG_DONTWAIT)) == 2000 + 3000
    assert setopt(t, sk, TCP_NOTSENT_LOWAT, 6000) == 0
    assert t.app(lambda: send(sk, bytes(20_000), MSG_DONTWAIT)) == 3000


def test_names_and_structures_come_back_as_bytes() -> None:
    t = Script()
    sk = t.connect()
    assert getopt(sk, TCP_CONGESTION) == b"cubic".ljust(16, b"\0")
    assert getopt(sk, TCP_CONGESTION, 3) == b"cub"
    assert len(getopt(sk, TCP_INFO, 104)) == 104
    assert getopt(sk, TCP_CC_INFO) == getopt(sk, TCP_ULP) == b""
