"""From a program's write() through a qdisc to the wire: rates and orders as they are seen there."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from pyhost.admin.shell import run_command
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core import netdevice as nd
from tests.unit.net.ipv4.tcp.tcp_apps import accept, close, connect, listener, read_all, write
from tests.unit.net.support import B_ADDR, Pair, two_hosts

DATA = bytes(at % 251 for at in range(1_000_003))


def transfer(pair: Pair, ports: dict[int, int], data: bytes = DATA) -> dict[int, bytes]:
    """A connection to each port of `ports` with that SO_PRIORITY, all at once; what arrived."""
    got: dict[int, bytes] = {}

    def serve(port: int, server: Any) -> None:
        sk = accept(server)
        got[port] = read_all(sk)
        close(sk)
        close(server)

    def client(port: int, priority: int) -> None:
        sk = connect(pair.a, B_ADDR, port)
        sk.sk_priority = priority
        write(sk, data)
        close(sk)

    for port, priority in ports.items():
        server = listener(pair.b, port)
        pair.b.spawn(lambda port=port, server=server: serve(port, server))
        pair.a.spawn(lambda port=port, priority=priority: client(port, priority))
    pair.run()
    return got


def data_frames(pair: Pair) -> list[tuple[int, Any]]:
    """(ns, frame) of the segments with payload that a sent."""
    frames = [(ns, Ether(frame)) for ns, frame in pair.a.nic.frames]
    return [
        (ns, frame)
        for ns, frame in frames
        if TCP in frame and frame[IP].len > 20 + frame[TCP].dataofs * 4
    ]


def nothing_left(pair: Pair) -> None:
    for host in (pair.a, pair.b):
        assert host.net.skbs.alive == 0
        assert host.dev.qdisc is not None
        assert (host.dev.qdisc.qlen, host.dev.qdisc.backlog) == (0, 0)


@pytest.mark.claim("S40")
@pytest.mark.parametrize("features", [0, nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM])
@pytest.mark.parametrize("mbit", [5, 50])
def test_tbf_limits_what_a_connection_puts_on_the_wire(mbit: int, features: int) -> None:
    pair = two_hosts(features=features, delay_ns=100_000)
    run_command(
        pair.a.kernel, f"tc qdisc add dev eth0 root tbf rate {mbit}mbit burst 5kb latency 50ms"
    )
    assert transfer(pair, {7: 0})[7] == DATA
    frames = data_frames(pair)
    middle = frames[len(frames) // 5 : -len(frames) // 5]
    size = sum(len(frame) for _, frame in middle[1:])
    rate = size * 8 * NSEC_PER_SEC / (middle[-1][0] - middle[0][0])
    assert rate == pytest.approx(mbit * 1e6, rel=0.03)
    nothing_left(pair)


@pytest.mark.claim("S40")
def test_prio_lets_the_urgent_connection_finish_first() -> None:
    pair = two_hosts(delay_ns=100_000)
    kernel = pair.a.kernel
    run_command(kernel, "tc qdisc add dev eth0 root handle 1: tbf rate 10mbit burst 5kb limit 1mb")
    run_command(kernel, "tc qdisc add dev eth0 parent 1:1 handle 2: prio")
    data = DATA[:300_000]
    assert transfer(pair, {7: 2, 8: 6}, data) == {7: data, 8: data}
    last = {frame[TCP].dport: ns for ns, frame in data_frames(pair)}
    alone = len(data) * 8 * NSEC_PER_SEC // 10_000_000
    assert last[8] < 1.4 * alone
    assert last[7] > 1.8 * alone
    nothing_left(pair)


@pytest.mark.claim("S39")
def test_what_the_qdisc_drops_is_sent_again_and_arrives() -> None:
    pair = two_hosts(delay_ns=100_000)
    kernel = pair.a.kernel
    run_command(kernel, "tc qdisc add dev eth0 root handle 1: tbf rate 10mbit burst 5kb limit 1mb")
    run_command(kernel, "tc qdisc add dev eth0 parent 1:1 handle 2: pfifo limit 12")
    assert transfer(pair, {7: 0})[7] == DATA
    assert pair.a.net.drops["QDISC_DROP"] > 0
    nothing_left(pair)


def test_a_connection_runs_through_a_queue_that_a_qdisc_replaces_meanwhile() -> None:
    pair = two_hosts(delay_ns=100_000)
    kernel = pair.a.kernel
    kinds = ["fq", "prio", "fq_codel", "tbf rate 100mbit burst 10kb limit 1mb", "pfifo"]
    for index, kind in enumerate(kinds):
        pair.clock.call_at(
            1_000_000 + index * 2_000_000,
            lambda kind=kind: run_command(kernel, f"tc qdisc replace dev eth0 root {kind}"),
        )
    assert transfer(pair, {7: 0})[7] == DATA
    nothing_left(pair)
