"""lo: the packet itself comes in again."""

from __future__ import annotations

import pytest

from pyhost.drivers.net.loopback import LOOPBACK_ADDR, Loopback
from pyhost.kernel.clock import VirtualClock
from pyhost.net.core.dev import dev_open, dev_queue_xmit, netif_carrier_on, register_netdevice
from pyhost.net.core.netdevice import IFF_LOOPBACK, IFF_UP, NetDevice
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.packet.af_packet import PacketTap
from pyhost.uapi.ethernet import PACKET_HOST, PACKET_OUTGOING
from tests.unit.net.device import DeviceHost


@pytest.fixture
def host() -> DeviceHost:
    return DeviceHost(VirtualClock())


@pytest.fixture
def lo(host: DeviceHost) -> NetDevice:
    dev = NetDevice(host.net, "lo", Loopback())
    dev.flags |= IFF_LOOPBACK
    dev.tx_queue_len = 0
    netif_carrier_on(dev)
    assert register_netdevice(dev) == 0
    assert dev_open(dev) == 0
    return dev


def loop(host: DeviceHost, lo: NetDevice, payload: bytes) -> SkBuff:
    skb = host.packet(payload)
    at = skb.push(14)
    skb.buf[at : at + 14] = bytes(12) + b"\x08\x00"
    skb.dev = lo
    return skb


def test_a_packet_comes_in_without_a_copy(host: DeviceHost, lo: NetDevice) -> None:
    heads: list[int] = []
    skb = loop(host, lo, b"round")
    host.net.ptype_base[0x0800] = lambda seen, _dev: heads.append(seen.head) or 0
    assert dev_queue_xmit(skb) == 0
    assert heads == [skb.head]
    stats = lo.stats
    assert (stats.tx_packets, stats.rx_packets, stats.tx_bytes, stats.rx_bytes) == (1, 1, 19, 19)


def test_the_senders_charge_ends_before_the_receiver_has_it(
    host: DeviceHost, lo: NetDevice
) -> None:
    order: list[str] = []
    skb = loop(host, lo, b"round")
    skb.destructor = lambda _: order.append("sender paid")
    host.net.ptype_base[0x0800] = lambda _skb, _dev: order.append("received") or 0
    dev_queue_xmit(skb)
    assert order == ["sender paid", "received"]


def test_a_tap_sees_it_go_and_come(host: DeviceHost, lo: NetDevice) -> None:
    kinds: list[int] = []
    PacketTap(host.net, lambda _ns, kind, _frame, _key: kinds.append(kind), lo)
    dev_queue_xmit(loop(host, lo, b"round"))
    assert kinds == [PACKET_OUTGOING, PACKET_HOST]
    assert host.received == [b"round"]
    assert host.net.skbs.alive == 0


def test_a_booted_machine_has_lo_up_with_its_address() -> None:
    from pyhost.boot import boot

    lo = boot(VirtualClock()).net.devices["lo"]
    assert (lo.in_addr, lo.in_prefixlen, lo.mtu) == (LOOPBACK_ADDR, 8, 65536)
    assert lo.flags & IFF_UP
    assert lo.qdisc is not None
    assert lo.qdisc.ops.id == "noqueue"
