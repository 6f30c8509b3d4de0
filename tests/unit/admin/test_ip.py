"""`ip`, against what iproute2 prints on a real machine for the same words."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.net.core.dst import DstEntry
from pyhost.net.core.neighbour import NUD_PERMANENT, neigh_lookup
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.uapi.rtnetlink import (
    RTAX_ADVMSS,
    RTAX_CC_ALGO,
    RTAX_INITCWND,
    RTAX_RTO_MIN,
    RTAX_RTT,
    RTAX_RTTVAR,
)
from tests.unit.net.support import B_ADDR, Host, two_hosts

FAR = 0x08080808
LINK_ROUTE = "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 \n"


@pytest.fixture
def host() -> Host:
    return two_hosts().a


def ip(host: Host, line: str) -> str:
    return run_command(host.kernel, f"ip {line}")


def route_to(host: Host, daddr: int) -> DstEntry:
    dst = ip_route_output(host.net, daddr)
    assert isinstance(dst, DstEntry)
    return dst


def test_a_route_has_all_metrics_and_is_shown_as_iproute2_shows_it(host: Host) -> None:
    ip(
        host,
        "route add 8.0.0.0/8 via 10.0.0.2 metric 5 mtu lock 1400 advmss 600 initcwnd 11 initrwnd "
        "20 quickack 1 congctl reno rto_min 50ms rtt 300ms hoplimit 3 window 2000 ssthresh 10 cwnd "
        "lock 7 reordering 5 rttvar 20 fastopen_no_cookie 1 features ecn src 10.0.0.1",
    )
    ip(host, "route add 9.0.0.0/8 via 10.0.0.2 metric 5 mtu 1400 rtt 1000 rttvar 2s")
    assert ip(host, "route show") == (
        "8.0.0.0/8 via 10.0.0.2 dev eth0 src 10.0.0.1 metric 5 mtu lock 1400 window 2000 rtt 300ms "
        "rttvar 5ms ssthresh 10 cwnd lock 7 advmss 600 reordering 5 hoplimit 3 initcwnd 11 "
        "features ecn rto_min lock 50ms initrwnd 20 quickack 1 congctl reno "
        "fastopen_no_cookie 1 \n"
        "9.0.0.0/8 via 10.0.0.2 dev eth0 metric 5 mtu 1400 rtt 125ms rttvar 2s \n" + LINK_ROUTE
    )
    dst = route_to(host, FAR)
    assert (dst.mtu(), dst.mtu_locked, dst.advmss()) == (1400, True, 600)
    assert dst.metric(RTAX_INITCWND) == 11
    assert dst.metric(RTAX_RTT) == 2400
    assert dst.metric(RTAX_RTTVAR) == 20
    assert (dst.metric(RTAX_RTO_MIN), dst.metric_locked(RTAX_RTO_MIN)) == (50, True)
    assert dst.metrics[RTAX_CC_ALGO] == "reno"
    assert ip(host, "route get 9.8.8.8") == (
        "9.8.8.8 via 10.0.0.2 dev eth0 src 10.0.0.1 uid 0 \n"
        "    cache mtu 1400 rtt 125ms rttvar 2s \n"
    )


def test_the_words_that_change_a_connections_path(host: Host) -> None:
    ip(host, "route add 192.0.2.1 via 10.0.0.2")
    ip(
        host,
        "route change 192.0.2.1 via 10.0.0.2 dev eth0 advmss 600 mtu lock 640 initcwnd 11",
    )
    dst = route_to(host, 0xC0000201)
    assert (dst.mtu(), dst.advmss(), dst.metric(RTAX_ADVMSS)) == (640, 600, 600)
    ip(host, "route change 192.0.2.1 via 10.0.0.2 dev eth0 advmss 1460 mtu lock 1500")
    assert not dst.check()
    assert route_to(host, 0xC0000201).metric(RTAX_INITCWND) == 0


def test_verbs_differ_in_what_they_do_with_a_route_that_is_there(host: Host) -> None:
    ip(host, "route replace default via 10.0.0.7")
    ip(host, "route append default via 10.0.0.8")
    ip(host, "route prepend default via 10.0.0.6")
    ip(host, "route replace default via 10.0.0.6")
    for line in ("add default via 10.0.0.6", "change default via 10.0.0.8"):
        with pytest.raises(CommandError, match=r"^RTNETLINK answers: File exists$"):
            ip(host, f"route {line}")
    with pytest.raises(CommandError, match=r"^RTNETLINK answers: No such file or directory$"):
        ip(host, "route change 77.0.0.0/8 via 10.0.0.8")
    assert ip(host, "route show default") == (
        "default via 10.0.0.6 dev eth0 \n"
        "default via 10.0.0.7 dev eth0 \n"
        "default via 10.0.0.8 dev eth0 \n"
    )
    ip(host, "route del default via 10.0.0.7")
    ip(host, "route add default via 10.0.0.9 metric 7")
    ip(host, "route del default metric 7")
    assert route_to(host, FAR).gateway == 0x0A000006


def test_listing_can_be_narrowed(host: Host) -> None:
    ip(host, "route add unreachable 6.0.0.0/8")
    ip(host, "route add blackhole 6.1.0.0/16")
    ip(host, "route add 8.0.0.0/8 via 10.0.0.2")
    assert ip(host, "r") == (
        "unreachable 6.0.0.0/8 \nblackhole 6.1.0.0/16 \n8.0.0.0/8 via 10.0.0.2 dev eth0 \n"
        + LINK_ROUTE
    )
    assert ip(host, "route show root 6.0.0.0/8").count("\n") == 2
    assert ip(host, "route show dev eth0") == (
        "8.0.0.0/8 via 10.0.0.2 \n10.0.0.0/24 proto kernel scope link src 10.0.0.1 \n"
    )
    assert ip(host, "route show table local") == (
        "local 10.0.0.1 dev eth0 proto kernel scope host src 10.0.0.1 \n"
        "broadcast 10.0.0.255 dev eth0 proto kernel scope link src 10.0.0.1 \n"
        "local 127.0.0.0/8 dev lo proto kernel scope host src 127.0.0.1 \n"
        "local 127.0.0.1 dev lo proto kernel scope host src 127.0.0.1 \n"
        "broadcast 127.255.255.255 dev lo proto kernel scope link src 127.0.0.1 \n"
    )
    assert "table local proto kernel" in ip(host, "route show table all")
    ip(host, "route flush 8.0.0.0/8")
    ip(host, "route flush type unreachable")
    assert ip(host, "route") == "blackhole 6.1.0.0/16 \n" + LINK_ROUTE


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("route add 8.0.0.0/8 via 10.0.0.255", "Error: Nexthop has invalid gateway."),
        ("route add 8.0.0.0/8 via 9.9.9.9", "Error: Nexthop has invalid gateway."),
        ("route add 8.0.0.1/8 via 10.0.0.2", "Error: Invalid prefix for given prefix length."),
        ("route add 8.0.0.0/8", "RTNETLINK answers: No such device"),
        ("route add 8.0.0.0/8 dev nope", 'Cannot find device "nope"'),
        ("route add 1.0.0.0/8 dev eth0 src 9.9.9.9", "Error: Invalid prefsrc address."),
        ("route del 5.0.0.0/8", "RTNETLINK answers: No such process"),
        ("route get 8.8.8.8", "RTNETLINK answers: Network is unreachable"),
        ("route get 10.0.0.9 from 1.2.3.4", "RTNETLINK answers: Invalid argument"),
        ("route add 1.0.0.0/33 dev eth0",
         'Error: any valid prefix is expected rather than "1.0.0.0/33".'),
        ("route add 1.0.0.0/8 dev eth0 bogus 7",
         'Error: either "to" is duplicate, or "bogus" is a garbage.'),
        ("route add 1.2.3.4 via zzz", 'Error: inet address is expected rather than "zzz".'),
        ("route add 1.2.3.4 via 10.0.0.2 initcwnd",
         'Command line is not complete. Try option "help"'),
        ("route add 1.2.3.4 via 10.0.0.2 initcwnd x",
         'Error: argument "x" is wrong: "initcwnd" value is invalid'),
        ("route add 1.2.3.4 via 10.0.0.2 advmss x",
         'Error: argument "x" is wrong: "mss" value is invalid'),
        ("route foo", 'Command "foo" is unknown, try "ip route help".'),
        ("foo", 'Object "foo" is unknown, try "ip help".'),
        ("addr add 10.0.0.1/24 dev eth0", "Error: ipv4: Address already assigned."),
        ("addr del 1.1.1.1/24 dev eth0", "Error: ipv4: Address not found."),
        ("addr add 10.9.9.9/24", 'Not enough information: "dev" argument is required.'),
        ("addr add zzz dev eth0", 'Error: any valid prefix is expected rather than "zzz".'),
        ("addr show dev nope", 'Device "nope" does not exist.'),
        ("link set nope up", 'Cannot find device "nope"'),
        ("link set eth0 mtu 40", "Error: mtu less than device minimum."),
        ("link set eth0 mtu 99999", "Error: mtu greater than device maximum."),
        ("link set eth0 mtu abc", 'Error: argument "abc" is wrong: Invalid "mtu" value'),
        ("neigh del 10.0.0.3 dev eth0", "RTNETLINK answers: No such file or directory"),
        ("neigh add 10.0.0.77 dev eth0", "Error: No link layer address given."),
        ("neigh add 10.0.0.82 lladdr 02:00:00:00:00:01",
         "Device and destination are required arguments."),
        ("neigh add 10.0.0.81 lladdr 02:00:00:00 dev eth0", "Error: Invalid link address."),
        ("neigh change 10.0.0.78 lladdr 02:00:00:00:00:01 dev eth0",
         "RTNETLINK answers: No such file or directory"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_as_iproute2_does(host: Host, line: str, says: str) -> None:
    with pytest.raises(CommandError) as error:
        ip(host, line)
    assert str(error.value) == says


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("blackhole", "Invalid argument"),
        ("prohibit", "Permission denied"),
        ("unreachable", "No route to host"),
        ("throw", "Network is unreachable"),
    ],
)
def test_routes_to_nowhere_have_their_own_answers(host: Host, kind: str, says: str) -> None:
    ip(host, f"route add {kind} 6.0.0.0/8")
    with pytest.raises(CommandError, match=f"RTNETLINK answers: {says}$"):
        ip(host, "route get 6.1.1.1")


def test_addresses_are_shown_with_secondary_ones_last(host: Host) -> None:
    ip(host, "addr add 10.0.0.5/24 brd + dev eth0")
    ip(host, "addr add 11.0.0.5 dev eth0")
    ip(host, "addr add 12.0.0.5 peer 12.0.0.6 dev eth0")
    shown = ip(host, "addr show dev eth0").splitlines()
    assert [line.strip() for line in shown if "inet" in line] == [
        "inet 10.0.0.1/24 scope global eth0",
        "inet 11.0.0.5/32 scope global eth0",
        "inet 12.0.0.5 peer 12.0.0.6/32 scope global eth0",
        "inet 10.0.0.5/24 brd 10.0.0.255 scope global secondary eth0",
    ]
    ip(host, "addr replace 10.0.0.5/24 dev eth0")
    ip(host, "addr del 10.0.0.1/24 dev eth0")
    assert ip(host, "route") == "12.0.0.6 dev eth0 proto kernel scope link src 12.0.0.5 \n"
    ip(host, "addr flush dev eth0")
    assert ip(host, "route") == ""


def test_a_link_is_shown_and_set() -> None:
    pair = two_hosts()
    host = pair.a
    assert ip(host, "link show eth0") == (
        "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast state UP mode DEFAULT group "
        "default qlen 1000\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n"
    )
    ip(host, "link set dev eth0 mtu 1400 txqueuelen 77")
    assert (host.dev.mtu, host.dev.tx_queue_len) == (1400, 77)
    ip(host, "link set eth0 down")
    pair.run()
    assert "state DOWN" in ip(host, "link")
    assert ip(host, "route") == ""
    with pytest.raises(CommandError, match=r"^Error: Device for nexthop is not up.$"):
        ip(host, "route add 1.0.0.0/8 dev eth0")
    ip(host, "link set eth0 up")
    pair.run()
    assert ip(host, "route") == LINK_ROUTE


def test_neighbours_are_set_shown_and_forgotten(host: Host) -> None:
    ip(host, "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0")
    neigh = neigh_lookup(host.net.arp_tbl, B_ADDR, host.dev)
    assert neigh is not None
    assert neigh.nud_state == NUD_PERMANENT
    with pytest.raises(CommandError, match=r"^RTNETLINK answers: File exists$"):
        ip(host, "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0")
    ip(host, "neigh replace 10.0.0.2 lladdr 02:00:00:00:00:03 dev eth0 nud reachable")
    assert ip(host, "neigh show") == "10.0.0.2 dev eth0 lladdr 02:00:00:00:00:03 REACHABLE \n"
    ip(host, "neigh add 10.0.0.81 lladdr 02:00:00:00:00:01 dev eth0 nud noarp")
    assert ip(host, "n show dev eth0") == "10.0.0.2 lladdr 02:00:00:00:00:03 REACHABLE \n"
    ip(host, "neigh flush all")
    assert ip(host, "neigh show nud all") == (
        "10.0.0.81 dev eth0 lladdr 02:00:00:00:00:01 NOARP \n"
    )
    ip(host, "neigh del 10.0.0.81 dev eth0")
    assert ip(host, "neigh show nud all") == ""
    assert not host.net.arp_tbl.entries


def test_what_tcp_remembers_of_a_peer_is_shown_and_forgotten(host: Host) -> None:
    entry = host.net.tcp.metrics.find(0x0A000001, B_ADDR, create=True)
    assert entry is not None
    entry.rtt_us, entry.rttvar_us, entry.mss = 160, 44, 1460
    line = "10.0.0.2 age 0.000sec rtt 20us rttvar 11us fo_mss 1460\n"
    assert ip(host, "tcp_metrics") == line
    assert ip(host, "tcp_metrics show 10.0.0.2") == line
    assert ip(host, "tcp_metrics show 10.0.0.3") == ""
    with pytest.raises(CommandError, match=r"^RTNETLINK answers: No such process$"):
        ip(host, "tcp_metrics delete 10.0.0.3")
    ip(host, "tcp_metrics flush all")
    assert ip(host, "tcp_metrics") == ""
