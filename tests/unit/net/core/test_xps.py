"""Which transmit queue a packet takes."""

from __future__ import annotations

import pytest

from pyhost.net.core import netdevice as nd
from pyhost.net.core.flow_dissector import skb_get_hash
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.core.xps import netdev_core_pick_tx, netif_set_xps_queue, skb_tx_hash
from pyhost.uapi.errno import EINVAL
from tests.unit.net.sched.sched_host import Owner, SchedHost


class Card:
    def ndo_open(self, dev: NetDevice) -> int:
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        return 0

    def ndo_start_xmit(self, skb: object, dev: NetDevice, more: bool) -> int:
        return nd.NETDEV_TX_OK


@pytest.fixture
def host() -> SchedHost:
    return SchedHost()


@pytest.fixture
def dev(host: SchedHost) -> NetDevice:
    return NetDevice(host.net, "eth1", Card(), tx_queues=8)  # type: ignore[arg-type]


def test_a_flow_stays_on_its_queue_and_flows_spread(host: SchedHost, dev: NetDevice) -> None:
    queues = [netdev_core_pick_tx(dev, host.udp(port=port)).index for port in range(200)]
    again = [netdev_core_pick_tx(dev, host.udp(port=port)).index for port in range(200)]
    assert queues == again
    assert all(10 <= queues.count(queue) <= 45 for queue in range(8))


def test_the_hash_is_of_the_flow_in_both_directions(host: SchedHost) -> None:
    skb, back = host.udp(port=7), host.udp(port=7)
    buf, ip = back.buf, back.network_header
    there, here = bytes(buf[ip + 12 : ip + 16]), bytes(buf[ip + 16 : ip + 20])
    buf[ip + 12 : ip + 20] = here + there
    sport, dport = bytes(buf[ip + 20 : ip + 22]), bytes(buf[ip + 22 : ip + 24])
    buf[ip + 20 : ip + 24] = dport + sport
    assert skb_get_hash(skb) == skb_get_hash(back) == skb.hash != 0
    assert skb_get_hash(host.udp(port=8)) != skb.hash


def test_fragments_of_a_packet_have_one_hash(host: SchedHost) -> None:
    hashes = set()
    for port in (1, 2):
        skb = host.udp(port=port)
        skb.buf[skb.network_header + 6] = 0x20
        hashes.add(skb_get_hash(skb))
    assert len(hashes) == 1


def test_a_machine_has_hashes_of_its_own() -> None:
    one, two = SchedHost(), SchedHost()
    two.net.softnet.hashrnd = 12345
    assert skb_get_hash(one.udp()) != skb_get_hash(two.udp())


def test_the_cpus_map_comes_before_the_hash(host: SchedHost, dev: NetDevice) -> None:
    assert netif_set_xps_queue(dev, [0], 5) == 0
    assert {netdev_core_pick_tx(dev, host.udp(port=port)).index for port in range(50)} == {5}
    assert netif_set_xps_queue(dev, [0], 2) == 0
    assert {netdev_core_pick_tx(dev, host.udp(port=port)).index for port in range(50)} == {2, 5}
    assert netif_set_xps_queue(dev, [], 5) == 0
    assert {netdev_core_pick_tx(dev, host.udp(port=port)).index for port in range(50)} == {2}
    assert netif_set_xps_queue(dev, [0], 8) == -EINVAL


def test_a_socket_keeps_its_queue_while_packets_are_under_way(
    host: SchedHost, dev: NetDevice
) -> None:
    owner = Owner()
    owner.sk_dst_cache = object()
    netif_set_xps_queue(dev, [0], 1)
    assert netdev_core_pick_tx(dev, owner.own(host.udp())).index == 1
    netif_set_xps_queue(dev, [], 1)
    netif_set_xps_queue(dev, [0], 6)
    skb = owner.own(host.udp())
    assert netdev_core_pick_tx(dev, skb).index == 1
    skb.ooo_okay = True
    assert netdev_core_pick_tx(dev, skb).index == 6
    assert skb.queue_mapping == 6


def test_without_a_route_on_the_socket_nothing_is_kept(host: SchedHost, dev: NetDevice) -> None:
    owner = Owner()
    netdev_core_pick_tx(dev, owner.own(host.udp()))
    assert owner.sk_tx_queue_mapping is None


def test_a_driver_that_chooses_is_asked_first(host: SchedHost) -> None:
    class Choosy(Card):
        def ndo_select_queue(self, dev: NetDevice, skb: object) -> int:
            return 3

    dev = NetDevice(host.net, "eth1", Choosy(), tx_queues=8)  # type: ignore[arg-type]
    netif_set_xps_queue(dev, [0], 5)
    skb = host.udp()
    assert netdev_core_pick_tx(dev, skb) is dev.tx[3]
    assert skb.queue_mapping == 3


def test_a_single_queue_needs_no_choice(host: SchedHost) -> None:
    dev = NetDevice(host.net, "eth1", Card())  # type: ignore[arg-type]
    assert netdev_core_pick_tx(dev, host.udp()) is dev.tx[0]
    assert skb_tx_hash(dev, host.udp()) == 0
