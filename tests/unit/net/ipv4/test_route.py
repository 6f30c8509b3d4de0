"""The routing table."""

from __future__ import annotations

import random

import pytest

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.dev import dev_close, dev_open
from pyhost.net.core.dst import DstEntry
from pyhost.net.ipv4.route import (
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
from pyhost.uapi.errno import EACCES, EEXIST, EHOSTUNREACH, EINVAL, ENETUNREACH, ENODEV, ESRCH
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
    assert ip_route_add(net, 0x08000000, 8, gateway=A_ADDR) == -EINVAL
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


def test_taking_the_address_away_takes_its_routes_away(host: Host) -> None:
    ip_route_add(host.net, 0, 0, gateway=B_ADDR)
    assert inet_add_addr(host.dev, 0x0A000009, 24) == -EEXIST
    assert inet_del_addr(host.dev, A_ADDR) == 0
    assert ip_route_output(host.net, B_ADDR) == -ENETUNREACH
    assert inet_addr_type(host.net, A_ADDR) == RTN_UNICAST
    assert inet_add_addr(host.dev, 0x0A000009, 24) == 0
    assert found(host.net, B_ADDR).saddr == 0x0A000009


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
