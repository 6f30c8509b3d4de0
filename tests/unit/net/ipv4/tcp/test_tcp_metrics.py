"""What the route and earlier connections say about a new one; what the sender knows of itself."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import TCP

from pyhost.admin.shell import run_command
from pyhost.net.core.sock import TCP_ESTABLISHED
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import TcpMetrics
from tests.unit.net.ipv4.tcp.tcp_apps import close, send
from tests.unit.net.ipv4.tcp.tcp_peer import SYN_OPTIONS, Script
from tests.unit.net.support import A_ADDR, B_ADDR


def on_route(words: str) -> Script:
    t = Script()
    run_command(t.host.kernel, f"ip route replace 10.0.0.0/24 dev eth0 {words}")
    return t


def test_initrwnd_limits_the_first_window_in_segments() -> None:
    t = on_route("initrwnd 4")
    sk = t.connect(SYN_OPTIONS)
    granularity = 1 << sk.rcv_wscale
    assert 4 * 1448 - granularity < sk.rcv_wnd < 4 * 1460 + granularity


def test_window_limits_every_window() -> None:
    t = on_route("window 5000")
    sk = t.connect(SYN_OPTIONS)
    assert sk.window_clamp == 5000
    server = on_route("window 5000").accept(SYN_OPTIONS)
    assert server.window_clamp == 5000


@pytest.mark.parametrize("end", ["connect", "accept"])
def test_congctl_says_which_algorithm(end: str) -> None:
    sk = getattr(on_route("congctl reno"), end)(SYN_OPTIONS)
    assert sk.icsk_ca_ops.name == "reno"


def test_congctl_of_an_unknown_name_changes_nothing() -> None:
    assert on_route("congctl vegas").connect().icsk_ca_ops.name == "cubic"


# -- metrics of peers ------------------------------------------------------------------------------


def known(t: Script) -> TcpMetrics | None:
    return t.net.tcp.metrics.find(A_ADDR, B_ADDR)


def test_the_round_trip_is_remembered_and_the_next_connection_begins_with_its_rto() -> None:
    t = Script(delay_ms=300)
    sk = t.connect(SYN_OPTIONS)
    assert sk.srtt_us >> 3 > 290_000
    t.app(lambda: close(sk))
    t.send("FA", seq=1, ack=2)
    found = known(t)
    assert found is not None
    srtt = found.rtt_us
    assert srtt == sk.srtt_us
    t.delay_ns = 0
    t.got.clear()
    again = t.connect(SYN_OPTIONS)
    assert again.icsk_rto >= 3 * (srtt >> 3) * 1000
    t.run(60 * 60 * 1000 + 60_000)
    assert known(t) is None


def test_no_metrics_save_remembers_nothing() -> None:
    t = Script(sysctls={"net.ipv4.tcp_no_metrics_save": "1"})
    sk = t.connect(SYN_OPTIONS)
    t.app(lambda: close(sk))
    t.send("FA", seq=1, ack=2)
    assert known(t) is None


# -- application limited ---------------------------------------------------------------------------


def test_a_sample_says_whether_the_program_or_the_path_was_the_limit() -> None:
    t = Script(delay_ms=1)
    sk = t.connect(SYN_OPTIONS)
    t.app(lambda: send(sk, bytes(100)))
    assert sk.app_limited == sk.delivered + 1 or sk.app_limited == 1
    t.run(1)
    t.send("A", ack=101)
    assert sk.rate_app_limited
    sk.snd_cwnd = 2
    t.app(lambda: send(sk, bytes(20_000)), 1.0)
    before: Any = sk.app_limited
    t.app(lambda: send(sk, bytes(100)))
    assert sk.app_limited == before, "the window is the limit now"


# -- Fast Open and middleboxes ---------------------------------------------------------------------


def test_repeated_timeouts_of_a_fast_open_connection_pause_fast_open() -> None:
    t = Script(sysctls={"net.ipv4.tcp_fastopen_blackhole_timeout_sec": "60"})
    sk = t.connect()
    sk.syn_fastopen = True
    t.app(lambda: send(sk, b"x"))
    t.run(2500)
    assert sk.sk_state == TCP_ESTABLISHED
    assert t.net.tcp.fastopen_ctx.disable_times == 1
    assert t.net.mib["TCPFastOpenBlackhole"] == 1


def test_timeouts_of_an_ordinary_connection_pause_nothing() -> None:
    t = Script(sysctls={"net.ipv4.tcp_fastopen_blackhole_timeout_sec": "60"})
    sk = t.connect()
    t.app(lambda: send(sk, b"x"))
    t.run(5000)
    assert [len(p[TCP].payload) for _, p in t.got][:2] == [1, 1]
    assert t.net.tcp.fastopen_ctx.disable_times == 0
