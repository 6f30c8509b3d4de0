"""Congestion control by number, memory accounts, settings, traces, and the header record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP

from pyhost.kernel.sysctl import SysctlError
from pyhost.kernel.trace import TraceEvent
from pyhost.net.ipv4.tcp.congestion.tcp_cong import RENO
from pyhost.net.ipv4.tcp.congestion.tcp_cubic import CUBIC
from pyhost.net.ipv4.tcp.tcp_mem import sk_mem_uncharge, sk_wmem_schedule
from pyhost.net.ipv4.tcp.tcp_sock import after, before, between
from pyhost.net.ipv4.tcp.tcp_states import ON_CLOSE, ON_FIN, ON_FIN_ACKED, STATE_NAMES
from pyhost.uapi.tcp import TcpHeader, TcpOptions, TcpView
from tests.unit.net.ipv4.tcp.tcp_apps import new_socket, send
from tests.unit.net.ipv4.tcp.tcp_peer import Script

U32 = st.integers(0, 2**32 - 1)


def cong_socket(cwnd: int, ssthresh: int) -> Any:
    sk = new_socket(Script().host)
    sk.snd_cwnd, sk.snd_ssthresh, sk.is_cwnd_limited = cwnd, ssthresh, True
    return sk


@pytest.mark.claim("S48")
def test_reno_grows_by_one_segment_a_window_and_halves() -> None:
    sk = cong_socket(10, 10)
    for _ in range(10):
        RENO.cong_avoid(sk, 0, 1)
    assert sk.snd_cwnd == 11
    assert RENO.ssthresh(sk) == 5


@pytest.mark.claim("S48")
def test_cubic_backs_off_to_seven_tenths_and_comes_back_to_where_it_was() -> None:
    """K = cube root of (100 - 70)/0.4 = 4.2 s; at that time the window is back at 100, and flat
    there.
    """
    sk = cong_socket(100, 100)
    sk.snd_ssthresh = CUBIC.ssthresh(sk)
    assert sk.snd_ssthresh == 70
    sk.snd_cwnd = 70
    clock = sk.net.kernel.clock
    windows = {}
    for step in range(1, 800):
        clock.now = step * 10_000_000
        CUBIC.cong_avoid(sk, 0, sk.snd_cwnd // 10 or 1)
        windows[step] = sk.snd_cwnd
    assert 95 <= windows[420] <= 101
    assert windows[200] - windows[1] > windows[420] - windows[300]
    assert windows[799] > 110


def test_a_connection_uses_the_congestion_control_of_the_sysctl() -> None:
    assert Script().connect().icsk_ca_ops is CUBIC
    assert Script(sysctls={"net.ipv4.tcp_congestion_control": "reno"}).connect().icsk_ca_ops is RENO
    with pytest.raises(SysctlError):
        Script(sysctls={"net.ipv4.tcp_congestion_control": "vegas"})


@pytest.mark.claim("S46")
def test_memory_pressure_is_entered_and_left_at_the_limits_of_tcp_mem() -> None:
    sk = new_socket(Script(sysctls={"net.ipv4.tcp_mem": "10 20 30"}).host)
    tcp = sk.net.tcp
    assert sk_wmem_schedule(sk, 20 * 4096)
    assert not tcp.memory_pressure
    sk.sk_forward_alloc -= 20 * 4096
    sk_wmem_schedule(sk, 4096)
    assert tcp.memory_pressure
    sk_mem_uncharge(sk, 8 * 4096)
    assert tcp.memory_pressure
    sk_mem_uncharge(sk, 5 * 4096)
    assert not tcp.memory_pressure


def test_settings_have_linux_names_and_defaults() -> None:
    sysctl = Script().host.kernel.sysctl
    assert sysctl["net.ipv4.tcp_rmem"] == (4096, 131072, 6291456)
    assert sysctl["net.ipv4.tcp_wmem"] == (4096, 16384, 4194304)
    assert sysctl["net.ipv4.tcp_retries2"] == 15
    assert sysctl["net.ipv4.tcp_fin_timeout"] == 60
    assert sysctl["net.ipv4.tcp_congestion_control"] == "cubic"


@pytest.mark.claim("S45")
def test_one_write_can_be_followed_by_its_key() -> None:
    t = Script()
    sk = t.connect()
    events: list[TraceEvent] = []
    t.host.kernel.trace.register(events.append)
    t.app(lambda: send(sk, b"trace me"))
    key = next(event.key for event in events if event.name == "tcp_sendmsg")
    names = [event.name for event in events if event.key == key]
    assert names[:5] == [
        "tcp_sendmsg", "tcp_push", "tcp_write_xmit", "tcp_transmit_skb", "ip_queue_xmit",
    ]  # fmt: skip
    assert t.host.nic.keys[-1] == key


def test_every_state_has_a_way_to_close_and_the_tables_agree() -> None:
    assert set(ON_CLOSE) == set(STATE_NAMES) - {12}
    assert set(ON_FIN) | set(ON_FIN_ACKED) <= set(ON_CLOSE)
    assert all(state in STATE_NAMES for state in (*ON_FIN.values(), *ON_FIN_ACKED.values()))


@given(U32, st.integers(1, 2**31 - 1))
def test_sequence_numbers_compare_across_the_wrap(seq: int, step: int) -> None:
    later = (seq + step) % 2**32
    assert before(seq, later)
    assert after(later, seq)
    assert between(later, seq, later)
    assert not before(seq, seq)


@given(st.integers(0, 65535), U32, U32, st.integers(0, 255), st.integers(0, 65535))
def test_a_header_is_the_same_for_scapy(
    port: int, seq: int, ack: int, flags: int, window: int
) -> None:
    options = TcpOptions(mss=1460, wscale=7, sack_perm=True, timestamp=(seq, ack)).emit()
    header = TcpHeader(port, 80, seq, ack, flags, window, 0x1234, 0, options)
    data = header.emit()
    theirs = TCP(data)
    assert (theirs.sport, theirs.seq, theirs.ack, int(theirs.flags) & 0xFF) == (
        port,
        seq,
        ack,
        flags,
    )
    assert (theirs.window, theirs.chksum, theirs.dataofs) == (window, 0x1234, 10)
    assert dict(theirs.options)["WScale"] == 7
    assert TcpHeader.parse(data) == header
    view = TcpView(b"pad" + data, 3)
    assert (view.source, view.seq, view.ack_seq, view.flags, view.window) == (
        port,
        seq,
        ack,
        flags,
        window,
    )


@given(st.binary(max_size=40))
def test_no_options_block_breaks_the_reader(data: bytes) -> None:
    TcpOptions.parse(data)


def test_sack_blocks_survive_the_round_trip() -> None:
    options = TcpOptions(timestamp=(1, 2), sack=((10, 20), (30, 40)))
    assert TcpOptions.parse(options.emit()) == options
    assert dict(TCP(TcpHeader(1, 2, options=options.emit()).emit()).options)["SAck"] == (
        10,
        20,
        30,
        40,
    )
