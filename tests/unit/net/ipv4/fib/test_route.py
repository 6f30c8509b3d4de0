"""The routing table."""

from __future__ import annotations

import random

import pytest

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.dev import dev_change_mtu, dev_close, dev_open
from pyhost.net.core.dst import DstEntry
from pyhost.net.ipv4.fib.fnhe import FNHE_MAX, update_or_create_fnhe
from pyhost.net.ipv4.fib.route import (
    RTN_BLACKHOLE,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_PROHIBIT,
    RTN_UNICAST,
    RTN_UNREACHABLE,
    inet_add_addr,
    inet_addr_type,
    inet_del_addr,
    ip_route_add,
    ip_route_del,
    ip_route_output,
    ip_rt_update_pmtu,
)
from pyhost.net.net_namespace import Net
from pyhost.uapi.errno import (
    EACCES,
    EADDRNOTAVAIL,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    ENETUNREACH,
    ENODEV,
    ESRCH,
)
from pyhost.uapi.rtnetlink import RTN_THROW
from tests.unit.net.support import A_ADDR, B_ADDR, Host, two_hosts

FAR = 0x08080808


@pytest.fixture
def host() -> Host:
    return two_hosts().a


def found(net: Net, daddr: int, saddr: int = 0, oif: int = 0) -> DstEntry:
    dst = ip_route_output(net, daddr, saddr, oif)
    assert isinstance(dst, DstEntry), dst
    return dst


def test_an_address_brings_its_local_connected_and_broadcast_routes(host: Host) -> None:
    kinds = {
        addr: inet_addr_type(host.net, addr) for addr in (A_ADDR, B_ADDR, 0x0A0000FF, 0x7F000005)
    }
    assert list(kinds.values()) == [RTN_LOCAL, RTN_UNICAST, RTN_BROADCAST, RTN_LOCAL]
    dst = found(host.net, B_ADDR)
    assert (dst.dev, dst.saddr, dst.gateway, dst.type, dst.mtu()) == (
        host.dev,
        A_ADDR,
        0,
        RTN_UNICAST,
        1500,
    )
    own = found(host.net, A_ADDR)
    assert (own.dev.name, own.saddr, own.type) == ("lo", A_ADDR, RTN_LOCAL)
    assert found(host.net, 0).saddr == 0x7F000001


def test_the_longest_prefix_wins_then_the_smallest_metric(host: Host) -> None:
    net = host.net
    assert ip_route_add(net, 0, 0, gateway=B_ADDR) == 0
    assert ip_route_add(net, 0x08000000, 8, gateway=0x0A000003, metric=20) == 0
    assert ip_route_add(net, 0x08000000, 8, gateway=0x0A000004, metric=10) == 0
    assert ip_route_add(net, 0x08080000, 16, gateway=0x0A000005) == 0
    assert found(net, FAR).gateway == 0x0A000005
    assert found(net, 0x08010101).gateway == 0x0A000004
    assert found(net, 0x01010101).gateway == B_ADDR
    assert ip_route_del(net, 0x08080000, 16) == 0
    assert found(net, FAR).gateway == 0x0A000004
    assert ip_route_del(net, 0x08080000, 16) == -ESRCH


def test_a_lookup_agrees_with_a_search_of_all_prefixes(host: Host) -> None:
    rng = random.Random(3)
    routes: dict[tuple[int, int], int] = {}
    for index in range(200):
        length = rng.randrange(1, 33)
        prefix = (rng.getrandbits(32) | 1 << 31) & ~((1 << 32 - length) - 1)
        if prefix >> 28 == 14 or (prefix, length) in routes:
            continue
        gateway = 0x0A000002 + index
        assert ip_route_add(host.net, prefix, length, gateway=gateway) == 0 or gateway >= 0x0A0000FF
        if gateway < 0x0A0000FF:
            routes[prefix, length] = gateway
    for prefix, _ in routes:
        daddr = prefix ^ rng.getrandbits(4)
        if daddr >> 28 == 14:
            continue
        matching = [
            (length, way)
            for (base, length), way in routes.items()
            if base >> 32 - length == daddr >> 32 - length
        ]
        dst = ip_route_output(host.net, daddr)
        expected = max(matching)[1] if matching else -ENETUNREACH
        assert (dst if isinstance(dst, int) else dst.gateway) == expected


@pytest.mark.parametrize(
    ("kind", "error"),
    [(RTN_UNREACHABLE, -EHOSTUNREACH), (RTN_PROHIBIT, -EACCES), (RTN_BLACKHOLE, -EINVAL)],
)
def test_routes_to_nowhere_have_their_own_errors(host: Host, kind: int, error: int) -> None:
    assert ip_route_output(host.net, FAR) == -ENETUNREACH
    assert ip_route_add(host.net, 0x08000000, 8, route_type=kind) == 0
    assert ip_route_output(host.net, FAR) == error


def test_what_cannot_be_a_route_is_refused(host: Host) -> None:
    net = host.net
    assert ip_route_add(net, 0x08000001, 8, host.dev) == -EINVAL
    assert ip_route_add(net, 0x08000000, 8) == -ENODEV
    assert ip_route_add(net, 0x08000000, 8, gateway=FAR) == -ENETUNREACH
    assert ip_route_add(net, 0x08000000, 8, gateway=0x0A0000FF) == -EINVAL
    assert ip_route_add(net, 0x08000000, 8, host.dev) == 0
    assert ip_route_add(net, 0x08000000, 8, host.dev) == -EEXIST


def test_source_and_device_are_checked(host: Host) -> None:
    assert ip_route_output(host.net, B_ADDR, saddr=FAR) == -EINVAL
    assert ip_route_output(host.net, B_ADDR, saddr=0xFFFFFFFF) == -EINVAL
    assert ip_route_output(host.net, B_ADDR, oif=99) == -ENODEV
    assert found(host.net, FAR, oif=host.dev.ifindex).dev is host.dev
    assert ip_route_output(host.net, 0xE0000001) == -ENETUNREACH


def test_an_entry_is_kept_until_the_table_changes(host: Host) -> None:
    dst = found(host.net, B_ADDR)
    assert found(host.net, B_ADDR) is dst
    ip_route_add(host.net, 0, 0, gateway=B_ADDR)
    assert not dst.check()
    assert found(host.net, B_ADDR) is not dst


def test_no_route_leads_over_a_device_that_is_down() -> None:
    pair = two_hosts()
    host = pair.a
    found(host.net, B_ADDR)
    host.spawn(lambda: dev_close(host.dev))
    pair.run()
    assert ip_route_output(host.net, B_ADDR) == -ENETUNREACH
    host.spawn(lambda: dev_open(host.dev))
    pair.run()
    assert found(host.net, B_ADDR).dev is host.dev


def test_taking_an_address_away_takes_the_routes_from_it_away(host: Host) -> None:
    net = host.net
    assert inet_add_addr(host.dev, 0x0A000009, 24) == 0
    assert inet_add_addr(host.dev, 0x0B000001, 24) == 0
    assert inet_add_addr(host.dev, 0x0A000009, 24) == -EEXIST
    ip_route_add(net, 0x07000000, 8, gateway=B_ADDR, prefsrc=A_ADDR)
    ip_route_add(net, 0x08000000, 8, gateway=B_ADDR)
    assert inet_del_addr(host.dev, A_ADDR) == 0
    assert [ifa.local for ifa in host.dev.ifa_list] == [0x0B000001], "the secondary goes too"
    assert ip_route_output(net, B_ADDR) == -ENETUNREACH
    assert ip_route_output(net, 0x07000001) == -ENETUNREACH
    assert found(net, FAR).saddr == 0x0B000001
    assert inet_addr_type(net, A_ADDR) == RTN_UNICAST
    assert inet_del_addr(host.dev, 0x0B000001) == 0
    assert ip_route_output(net, FAR) == -ENETUNREACH, "no address, no route over the device"
    assert inet_del_addr(host.dev, 0x0B000001) == -EADDRNOTAVAIL


def test_the_source_is_the_primary_address_of_the_network_of_the_next_hop(host: Host) -> None:
    net = host.net
    inet_add_addr(host.dev, 0x0B000001, 24)
    inet_add_addr(host.dev, 0x0B000005, 24)
    assert found(net, 0x0B000002).saddr == 0x0B000001
    ip_route_add(net, 0x08000000, 8, gateway=0x0B000002)
    assert found(net, FAR).saddr == 0x0B000001
    ip_route_add(net, 0x09000000, 8, gateway=0x0B000002, prefsrc=A_ADDR)
    assert found(net, 0x09000001).saddr == A_ADDR
    assert found(net, 0x0B000002, saddr=0x0B000005).saddr == 0x0B000005


def test_a_device_that_goes_down_takes_its_routes_along_but_not_its_addresses() -> None:
    pair = two_hosts()
    host, net = pair.a, pair.a.net
    ip_route_add(net, 0x08000000, 8, gateway=B_ADDR)
    host.spawn(lambda: dev_close(host.dev))
    pair.run()
    assert ip_route_output(net, FAR) == -ENETUNREACH
    assert found(net, A_ADDR).type == RTN_LOCAL
    host.spawn(lambda: dev_open(host.dev))
    pair.run()
    assert found(net, B_ADDR).saddr == A_ADDR
    assert ip_route_output(net, FAR) == -ENETUNREACH, "only the routes of addresses come back"


def test_a_locked_mtu_is_not_learned_and_a_gateway_then_gets_576(host: Host) -> None:
    net = host.net
    ip_route_add(net, 0x08000000, 8, gateway=B_ADDR, mtu=1400, mtu_locked=True)
    dst = found(net, FAR)
    assert (dst.mtu(), dst.mtu_locked, dst.advmss()) == (1400, True, 1360)
    ip_rt_update_pmtu(net, FAR, 1300)
    assert found(net, FAR).mtu() == 1400
    dst.metric_mtu = 0
    assert dst.mtu() == 576


def test_exceptions_of_a_route_are_bounded_and_go_with_it(host: Host) -> None:
    net = host.net
    ip_route_add(net, 0x08000000, 8, gateway=B_ADDR)
    route = found(net, FAR).route
    assert route is not None
    for daddr in range(FNHE_MAX + 3):
        update_or_create_fnhe(route, 0x08000000 + daddr, pmtu=1000, expires=1 << 60)
    assert len(route.exceptions) == FNHE_MAX
    assert found(net, 0x08000000 + 2).mtu() == 1500
    assert found(net, 0x08000000 + 3).mtu() == 1000
    ip_route_del(net, 0x08000000, 8)
    ip_route_add(net, 0x08000000, 8, gateway=B_ADDR)
    assert found(net, 0x08000000 + 3).mtu() == 1500


def test_path_mtus_follow_the_device(host: Host) -> None:
    net = host.net
    ip_rt_update_pmtu(net, B_ADDR, 1400)
    assert dev_change_mtu(host.dev, 1300) == 0
    assert found(net, B_ADDR).mtu() == 1300
    assert dev_change_mtu(host.dev, 1350) == 0
    assert found(net, B_ADDR).mtu() == 1350, "a path MTU that was the device's own grows with it"


def test_a_throw_route_sends_the_search_to_the_next_table(host: Host) -> None:
    net = host.net
    ip_route_add(net, 0, 0, gateway=B_ADDR)
    assert found(net, FAR).gateway == B_ADDR
    ip_route_add(net, 0x08000000, 8, route_type=RTN_THROW)
    assert ip_route_output(net, FAR) == -ENETUNREACH


def test_a_learned_path_mtu_is_kept_for_ten_minutes_and_has_a_floor() -> None:
    pair = two_hosts()
    net = pair.a.net
    old = found(net, B_ADDR)
    ip_rt_update_pmtu(net, B_ADDR, 1400)
    assert (old.mtu(), old.mtu_locked) == (1400, False)
    ip_rt_update_pmtu(net, B_ADDR, 1450)
    assert old.mtu() == 1400
    ip_route_add(net, 0, 0, gateway=B_ADDR)
    assert found(net, B_ADDR).mtu() == 1400
    ip_rt_update_pmtu(net, B_ADDR, 300)
    assert (found(net, B_ADDR).mtu(), found(net, B_ADDR).mtu_locked) == (552, True)
    pair.run(until=600 * NSEC_PER_SEC - 1)
    assert found(net, B_ADDR).mtu() == 552
    pair.run(until=600 * NSEC_PER_SEC)
    assert found(net, B_ADDR).mtu() == 1500
