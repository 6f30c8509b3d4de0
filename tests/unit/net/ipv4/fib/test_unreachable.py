"""What programs hear when a next hop does not answer, or a route leads nowhere."""

from __future__ import annotations

import pytest
from scapy.layers.l2 import ARP

from pyhost.admin.shell import run_command
from pyhost.uapi.errno import EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH
from pyhost.uapi.ip import IP_RECVERR
from pyhost.uapi.socket import (
    AF_INET,
    INT,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_IP,
    pack_sockaddr_in,
)
from tests.unit.net.support import B_ADDR, Host, Pair, seconds, two_hosts
from tests.unit.support import Program, run_in_process

FAR = 0x08080808


def silent() -> Pair:
    """Machine b hears nothing."""
    pair = two_hosts()
    pair.a.nic.lose = lambda _frame: True
    return pair


def program(
    host: Host, kind: int, daddr: int, calls: int = 1, *, recverr: bool = False
) -> list[int]:
    """What connect() on a new socket returns, and `calls` sends after it."""

    def main(p: Program) -> list[int]:
        fd = p("socket", AF_INET, kind, 0)
        if recverr:
            p("setsockopt", fd, SOL_IP, IP_RECVERR, p.store(INT.pack(1)), INT.size)
        name = p.store(pack_sockaddr_in(daddr, 7))
        results = [p("connect", fd, name, 16)]
        for _ in range(calls):
            results.append(p.write(fd, b"x"))
            p("nanosleep", p.store((4).to_bytes(8, "little") + bytes(8)), 0)
        return results

    return run_in_process(host.kernel, main)


def test_connect_to_a_neighbour_that_does_not_answer_fails_after_three_requests() -> None:
    pair = silent()

    def main(p: Program) -> tuple[int, int]:
        fd = p("socket", AF_INET, SOCK_STREAM, 0)
        return p("connect", fd, p.store(pack_sockaddr_in(B_ADDR, 7)), 16), pair.clock.now

    assert run_in_process(pair.a.kernel, main) == (-EHOSTUNREACH, seconds(3))
    times = [when for when, _ in pair.a.nic.frames]
    requests = [
        frame[ARP] for when, frame in zip(times, pair.a.sent(), strict=True) if when < seconds(3)
    ]
    assert [(each.op, each.pdst) for each in requests] == [(1, "10.0.0.2")] * 3
    assert pair.a.net.drops.keys() == {"NEIGH_FAILED"}
    assert pair.a.net.skbs.alive == 0


def test_udp_hears_of_it_only_when_it_asked_for_errors() -> None:
    assert program(silent().a, SOCK_DGRAM, B_ADDR, 2) == [0, 1, 1]
    assert program(silent().a, SOCK_DGRAM, B_ADDR, 2, recverr=True) == [0, 1, -EHOSTUNREACH]


def test_a_full_neighbour_table_is_no_buffer_space() -> None:
    pair = silent()
    for name in ("gc_thresh1", "gc_thresh2", "gc_thresh3"):
        pair.a.kernel.sysctl[f"net.ipv4.neigh.default.{name}"] = 1
    run_command(pair.a.kernel, "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0")
    assert program(pair.a, SOCK_DGRAM, B_ADDR) == [0, 1], "UDP says it only with IP_RECVERR"
    assert pair.a.net.drops == {"NEIGH_CREATEFAIL": 1}
    assert pair.a.net.arp_tbl.table_fulls == 1


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_DGRAM])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ip route show", -ENETUNREACH),
        ("ip route add unreachable 8.0.0.0/8", -EHOSTUNREACH),
        ("ip route add blackhole 8.0.0.0/8", -EINVAL),
        ("ip route add prohibit 8.0.0.0/8", -EACCES),
        ("ip route add throw 8.0.0.0/8", -ENETUNREACH),
    ],
)
def test_connect_over_a_route_to_nowhere(kind: int, line: str, expected: int) -> None:
    pair = two_hosts()
    run_command(pair.a.kernel, line)
    assert program(pair.a, kind, FAR, 0) == [expected]


def test_a_connected_socket_follows_a_route_that_changes() -> None:
    pair = two_hosts()
    kernel = pair.a.kernel
    for line in (
        "ip route add 8.0.0.0/8 via 10.0.0.2",
        "ip neigh add 10.0.0.3 lladdr 02:00:00:00:00:03 dev eth0",
        "ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0",
    ):
        run_command(kernel, line)

    def main(p: Program) -> list[int]:
        fd = p("socket", AF_INET, SOCK_DGRAM, 0)
        results = [p("connect", fd, p.store(pack_sockaddr_in(FAR, 7)), 16), p.write(fd, b"1")]
        run_command(kernel, "ip route change 8.0.0.0/8 via 10.0.0.3")
        results.append(p.write(fd, b"2"))
        run_command(kernel, "ip route del 8.0.0.0/8")
        results.append(p.write(fd, b"3"))
        return results

    assert run_in_process(kernel, main) == [0, 1, 1, -ENETUNREACH]
    assert [frame.dst[-1] for frame in pair.a.sent()] == ["2", "3"]
