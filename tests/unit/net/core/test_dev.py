"""The device layer: sending through a qdisc, receiving through NAPI, devices up and down."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.sysctl import SysctlError
from pyhost.kernel.trace import TraceEvent
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import (
    NapiStruct,
    dev_change_mtu,
    dev_close,
    dev_direct_xmit,
    dev_get_by_index,
    dev_open,
    dev_queue_xmit,
    napi_complete_done,
    napi_enable,
    napi_schedule,
    netif_carrier_off,
    netif_carrier_on,
    netif_napi_add,
    netif_rx,
    register_netdevice,
    unregister_netdevice,
)
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkBuff, consume_skb
from pyhost.uapi.errno import EEXIST, EINVAL, ENETDOWN
from pyhost.uapi.ethernet import ETH_P_IP
from tests.unit.net.device import B_MAC, DeviceHost, device_pair, seconds


@pytest.fixture
def host() -> DeviceHost:
    return DeviceHost(VirtualClock())


def payloads(host: DeviceHost) -> list[bytes]:
    return [frame[14:].rstrip(b"\0") for _, frame in host.nic.frames]


# -- sending -------------------------------------------------------------------------------------


@pytest.mark.claim("S39")
def test_a_packet_goes_through_an_empty_qdisc_to_the_driver_at_once(host: DeviceHost) -> None:
    events: list[TraceEvent] = []
    host.kernel.trace.register(events.append)
    skb = host.frame(b"now")
    key = skb.key
    assert dev_queue_xmit(skb) == nd.NET_XMIT_SUCCESS
    assert [(event.name, event.key) for event in events] == [
        ("dev_queue_xmit", key),
        ("dev_hard_start_xmit", key),
    ]
    assert payloads(host) == [b"now"]
    assert host.nic.keys == [key]
    assert host.net.skbs.alive == 0


@pytest.mark.claim("S39")
def test_while_the_queue_is_stopped_packets_wait_in_the_qdisc(host: DeviceHost) -> None:
    txq = host.dev.tx[0]
    qdisc = host.dev.qdisc
    assert qdisc is not None
    txq.stop_queue()
    events: list[TraceEvent] = []
    host.kernel.trace.register(events.append)
    for index in range(3):
        assert dev_queue_xmit(host.frame(b"%d" % index)) == 0
    assert host.nic.frames == []
    assert qdisc.qlen == 3
    assert qdisc.backlog == 3 * 15
    txq.wake_queue()
    host.clock.run()
    assert payloads(host) == [b"0", b"1", b"2"]
    assert (qdisc.qlen, qdisc.backlog, qdisc.packets, qdisc.bytes) == (0, 0, 3, 45)
    names = [event.name for event in events if event.key == 2]
    assert names == ["dev_queue_xmit", "qdisc_enqueue", "qdisc_dequeue", "dev_hard_start_xmit"]


def test_the_receiver_gets_what_was_sent() -> None:
    clock, a, b = device_pair()
    dev_queue_xmit(a.frame(b"x" * 100))
    clock.run()
    assert b.received == [b"x" * 100]
    assert b.net.softnet.processed == 1
    assert b.kernel.irq.counts[b.nic.irq] == 1


def test_a_refused_packet_is_kept_at_the_head_and_tried_again(host: DeviceHost) -> None:
    host.nic.busy = 2
    dev_queue_xmit(host.frame(b"first"))
    dev_queue_xmit(host.frame(b"second"))
    qdisc = host.dev.qdisc
    assert qdisc is not None
    host.clock.run()
    assert payloads(host) == [b"first", b"second"]
    assert qdisc.requeues == 2
    assert qdisc.qlen == 0
    assert host.net.skbs.alive == 0


def test_a_stopped_queue_never_sees_the_driver(host: DeviceHost) -> None:
    for bit in (nd.QUEUE_STATE_DRV_XOFF, nd.QUEUE_STATE_STACK_XOFF, nd.QUEUE_STATE_FROZEN):
        host.dev.tx[0].state = bit
        dev_queue_xmit(host.frame())
        skb = host.frame()
        assert dev_direct_xmit(skb) == nd.NETDEV_TX_BUSY
        consume_skb(skb)
    assert host.nic.frames == []


def test_a_driver_that_stops_its_queue_gets_no_packet_too_many(host: DeviceHost) -> None:
    host.nic.hold, host.nic.ring = True, 4
    for index in range(10):
        dev_queue_xmit(host.frame(b"%d" % index))
    assert len(host.nic.inflight) == 4
    host.nic.complete()
    host.clock.run(until=seconds(0.1))
    assert len(host.nic.inflight) == 4
    host.nic.hold = False
    host.nic.complete()
    host.clock.run()
    assert payloads(host) == [b"%d" % index for index in range(10)]


def test_one_run_of_the_qdisc_sends_64_packets_and_leaves_the_rest_to_the_softirq(
    host: DeviceHost,
) -> None:
    txq = host.dev.tx[0]
    qdisc = host.dev.qdisc
    assert qdisc is not None
    txq.stop_queue()
    for _ in range(100):
        dev_queue_xmit(host.frame())
    txq.start_queue()
    softirq = host.kernel.softirq
    softirq.local_bh_disable()
    dev_queue_xmit(host.frame())
    assert len(host.nic.frames) == 64
    assert qdisc.scheduled
    softirq.local_bh_enable()
    assert len(host.nic.frames) == 101


def test_a_device_without_carrier_drops_and_reports_no_error(host: DeviceHost) -> None:
    netif_carrier_off(host.dev)
    assert dev_queue_xmit(host.frame()) == nd.NET_XMIT_CN
    assert host.net.drops == {"QDISC_DROP": 1}
    netif_carrier_on(host.dev)
    assert dev_queue_xmit(host.frame()) == nd.NET_XMIT_SUCCESS
    assert len(host.nic.frames) == 1


def test_what_waits_is_dropped_when_the_carrier_goes(host: DeviceHost) -> None:
    host.dev.tx[0].stop_queue()
    for _ in range(3):
        dev_queue_xmit(host.frame())
    netif_carrier_off(host.dev)
    assert host.net.drops == {"QDISC_DROP": 3}
    assert host.net.skbs.alive == 0


def test_the_watchdog_speaks_five_seconds_after_the_queue_stopped(host: DeviceHost) -> None:
    host.clock.run(until=seconds(1))
    host.dev.tx[0].stop_queue()
    host.clock.run(until=seconds(5.99))
    assert host.nic.timeouts == []
    host.clock.run(until=seconds(6))
    assert host.nic.timeouts == [seconds(6)]
    assert host.kernel.warnings == 1
    host.dev.tx[0].wake_queue()
    host.clock.run()
    assert host.nic.timeouts == [seconds(6)]


def test_the_watchdog_is_silent_when_the_queue_wakes_in_time(host: DeviceHost) -> None:
    host.dev.tx[0].stop_queue()
    host.clock.run(until=seconds(4.9))
    host.dev.tx[0].wake_queue()
    host.clock.run()
    assert host.nic.timeouts == []


def test_a_queue_that_is_stopped_when_the_link_comes_back_is_watched_again(
    host: DeviceHost,
) -> None:
    host.dev.tx[0].stop_queue()
    netif_carrier_off(host.dev)
    host.clock.run(until=seconds(8))
    assert host.nic.timeouts == []
    netif_carrier_on(host.dev)
    host.clock.run(until=seconds(13.5))
    assert host.nic.timeouts == [seconds(13)]


def test_nobody_transmits_while_the_driver_hears_of_the_timeout(host: DeviceHost) -> None:
    txq = host.dev.tx[0]
    seen: list[int] = []

    def timeout(dev: NetDevice, txqueue: int) -> None:
        txq.start_queue()
        seen.append(txq.state)

    host.nic.ndo_tx_timeout = timeout  # type: ignore[method-assign]
    dev_queue_xmit(host.frame(b"sent"))
    txq.stop_queue()
    dev_queue_xmit(host.frame(b"waits"))
    host.clock.run(until=seconds(6))
    assert seen == [nd.QUEUE_STATE_FROZEN]
    assert payloads(host) == [b"sent", b"waits"]


def test_dev_direct_xmit_passes_by_qdisc_and_waits_for_nothing(host: DeviceHost) -> None:
    host.dev.tx[0].qdisc = None
    assert dev_direct_xmit(host.frame(b"direct")) == nd.NETDEV_TX_OK
    assert payloads(host) == [b"direct"]
    netif_carrier_off(host.dev)
    assert dev_direct_xmit(host.frame()) == nd.NET_XMIT_DROP
    assert host.dev.stats.tx_dropped == 1


# -- validate_xmit_skb ---------------------------------------------------------------------------


def udp_skb(host: DeviceHost, payload: bytes, frag: bool) -> SkBuff:
    """A UDP packet whose checksum is left to the device, with the payload in a page if `frag`."""
    whole = bytes(
        Ether(dst=B_MAC, src=host.dev.addr)
        / IP(src="10.0.0.1", dst="10.0.0.2")
        / UDP(sport=1, dport=2)
        / payload
    )
    pseudo = bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 17]) + (8 + len(payload)).to_bytes(2, "big")
    total = sum(int.from_bytes(pseudo[at : at + 2], "big") for at in range(0, 12, 2))
    total = (total & 0xFFFF) + (total >> 16)
    linear = whole[:40] + total.to_bytes(2, "big") + (b"" if frag else payload)
    skb = host.packet(linear)
    if frag:
        page = host.kernel.mem.alloc_pages()
        skb.buf[page.addr + 5 : page.addr + 5 + len(payload)] = payload
        skb.add_rx_frag(page, 5, len(payload), len(payload))
    skb.network_header = skb.data + 14
    skb.transport_header = skb.csum_start = skb.data + 34
    skb.csum_offset = 6
    skb.ip_summed = CHECKSUM_PARTIAL
    return skb


def checksum_is_right(frame: bytes) -> bool:
    packet = Ether(frame)
    stated = packet[UDP].chksum
    del packet[UDP].chksum
    return Ether(bytes(packet))[UDP].chksum == stated


@pytest.mark.parametrize(
    ("features", "linear", "summed"),
    [
        (0, True, True),
        (nd.NETIF_F_SG, False, True),
        (nd.NETIF_F_HW_CSUM, True, False),
        (nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM, False, False),
        (nd.NETIF_F_SG | nd.NETIF_F_IP_CSUM, False, False),
    ],
    ids=["nothing", "SG", "HW_CSUM", "SG and HW_CSUM", "SG and IP_CSUM"],
)
def test_software_does_what_the_device_cannot(features: int, linear: bool, summed: bool) -> None:
    host = DeviceHost(VirtualClock(), features=features)
    host.nic.hold = True
    dev_queue_xmit(udp_skb(host, b"odd payload" * 9, frag=True))
    (skb,) = host.nic.inflight
    assert (skb.data_len == 0) == linear
    assert (skb.ip_summed != CHECKSUM_PARTIAL) == summed
    assert checksum_is_right(host.nic.frames[0][1])
    host.nic.complete()
    assert host.net.skbs.alive == 0


def test_ip_checksum_offload_is_for_tcp_and_udp_alone() -> None:
    host = DeviceHost(VirtualClock(), features=nd.NETIF_F_SG | nd.NETIF_F_IP_CSUM)
    host.nic.hold = True
    skb = udp_skb(host, b"payload", frag=False)
    skb.buf[skb.network_header + 9] = 132
    dev_queue_xmit(skb)
    assert skb.ip_summed != CHECKSUM_PARTIAL


# -- devices -------------------------------------------------------------------------------------


def test_devices_get_a_number_and_a_unique_name(host: DeviceHost) -> None:
    assert dev_get_by_index(host.net, host.dev.ifindex) is host.dev
    assert dev_get_by_index(host.net, 99) is None
    assert register_netdevice(NetDevice(host.net, "eth0", host.nic)) == -EEXIST


def test_a_driver_that_cannot_open_leaves_the_device_down(host: DeviceHost) -> None:
    class Broken:
        def ndo_open(self, dev: NetDevice) -> int:
            return -EINVAL

    dev = NetDevice(host.net, "eth1", Broken())  # type: ignore[arg-type]
    assert register_netdevice(dev) == 0
    assert dev_open(dev) == -EINVAL
    assert not dev.flags & nd.IFF_UP


def test_up_and_down_make_cached_routes_obsolete(host: DeviceHost) -> None:
    before = host.net.rt_genid
    host.spawn(lambda: dev_close(host.dev))
    host.clock.run()
    assert host.net.rt_genid > before
    assert not host.dev.flags & (nd.IFF_UP | nd.IFF_RUNNING)
    assert dev_queue_xmit(host.frame()) == nd.NET_XMIT_CN
    assert dev_open(host.dev) == 0
    assert host.dev.flags & nd.IFF_RUNNING
    assert dev_queue_xmit(host.frame()) == nd.NET_XMIT_SUCCESS


def test_an_unregistered_device_is_gone(host: DeviceHost) -> None:
    host.spawn(lambda: unregister_netdevice(host.dev))
    host.clock.run()
    assert "eth0" not in host.net.devices


@pytest.mark.parametrize(("mtu", "result"), [(67, -EINVAL), (68, 0), (9000, 0), (9001, -EINVAL)])
def test_the_mtu_stays_within_the_devices_limits(host: DeviceHost, mtu: int, result: int) -> None:
    assert dev_change_mtu(host.dev, mtu) == result
    assert host.dev.mtu == (mtu if result == 0 else 1500)


class Queueless:
    """A device without a queue; `again` sends from within the driver, as a loop of tunnels does."""

    def __init__(self, host: DeviceHost, rc: int = nd.NETDEV_TX_OK, again: bool = False) -> None:
        self.host, self.rc, self.again = host, rc, again
        self.results: list[int] = []

    def ndo_open(self, dev: NetDevice) -> int:
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        return 0

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        if self.again:
            twin = self.host.frame()
            twin.dev = dev
            self.results.append(dev_queue_xmit(twin))
        if self.rc == nd.NETDEV_TX_OK:
            consume_skb(skb)
        return self.rc


def queueless(host: DeviceHost, ops: Queueless) -> NetDevice:
    dev = NetDevice(host.net, "tun0", ops)
    dev.tx_queue_len = 0
    dev.carrier = True
    assert register_netdevice(dev) == 0
    return dev


def send_on(host: DeviceHost, dev: NetDevice) -> int:
    skb = host.frame()
    skb.dev = dev
    return dev_queue_xmit(skb)


def test_a_device_without_a_queue_that_refuses_loses_the_packet(host: DeviceHost) -> None:
    dev = queueless(host, Queueless(host, rc=nd.NETDEV_TX_BUSY))
    dev_open(dev)
    assert send_on(host, dev) == -ENETDOWN
    assert host.net.drops == {"DEV_READY": 1}
    assert host.kernel.warnings == 1
    assert host.net.skbs.alive == 0


def test_a_dead_loop_on_a_device_without_a_queue_is_cut(host: DeviceHost) -> None:
    ops = Queueless(host, again=True)
    dev = queueless(host, ops)
    dev_open(dev)
    assert send_on(host, dev) == nd.NETDEV_TX_OK
    assert ops.results == [-ENETDOWN]
    assert host.kernel.warnings == 1


# -- receiving -----------------------------------------------------------------------------------


def test_a_packet_of_an_unknown_protocol_is_counted(host: DeviceHost) -> None:
    host.nic.inject(bytes(Ether(dst=host.dev.addr, type=0x88B5) / b"what?").ljust(60, b"\0"))
    host.clock.run()
    assert host.net.drops == {"UNHANDLED_PROTO": 1}
    assert host.dev.stats.rx_dropped == 1
    assert host.net.skbs.alive == 0


def test_netif_rx_drops_when_the_backlog_is_full(host: DeviceHost) -> None:
    host.kernel.sysctl["net.core.netdev_max_backlog"] = 2
    softirq = host.kernel.softirq
    softirq.local_bh_disable()
    results = [netif_rx(host.packet()) for _ in range(5)]
    softirq.local_bh_enable()
    assert results == [0, 0, 0, nd.NET_RX_DROP, nd.NET_RX_DROP]
    assert len(host.received) == 3
    assert host.net.drops == {"CPU_BACKLOG": 2}
    assert host.net.softnet.dropped == 2


def make_napi(host: DeviceHost, work: list[int]) -> NapiStruct:
    """A NAPI with work[0] packets to receive."""

    def poll(napi: NapiStruct, budget: int) -> int:
        done = min(budget, work[0])
        work[0] -= done
        work.append(done)
        if done < budget:
            napi_complete_done(napi, done)
        return done

    napi = netif_napi_add(host.dev, poll)
    napi_enable(napi)
    return napi


def test_a_poll_gets_64_packets_at_a_time_until_it_has_no_more(host: DeviceHost) -> None:
    work = [150]
    softirq = host.kernel.softirq
    softirq.local_bh_disable()
    assert napi_schedule(make_napi(host, work))
    softirq.local_bh_enable()
    assert work[1:] == [64, 64, 22]


def test_one_softirq_run_is_limited_to_netdev_budget(host: DeviceHost) -> None:
    host.kernel.sysctl["net.core.netdev_budget"] = 64
    polls: list[str] = []
    softirq = host.kernel.softirq
    napis = [make_napi(host, [64]), make_napi(host, [1])]
    softirq.local_bh_disable()
    for napi in napis:
        napi_schedule(napi)
    softirq.local_bh_enable()
    assert host.net.softnet.time_squeeze == 1
    assert not any(napi.scheduled for napi in napis)
    assert polls == []


def test_an_interrupt_while_polling_has_the_napi_polled_again(host: DeviceHost) -> None:
    polls: list[bool] = []

    def poll(napi: NapiStruct, _budget: int) -> int:
        if not polls:
            assert not napi_schedule(napi)
        polls.append(napi_complete_done(napi, 0))
        return 0

    napi = netif_napi_add(host.dev, poll)
    napi_enable(napi)
    softirq = host.kernel.softirq
    softirq.local_bh_disable()
    napi_schedule(napi)
    softirq.local_bh_enable()
    assert polls == [False, True]


@pytest.mark.parametrize("work", [65, 0])
def test_a_poll_that_breaks_the_rules_is_a_bug(host: DeviceHost, work: int) -> None:
    napi = netif_napi_add(host.dev, lambda _napi, _budget: work)
    napi_enable(napi)
    host.kernel.softirq.local_bh_disable()
    napi_schedule(napi)
    with pytest.raises(KernelBug, match="NAPI poll"):
        host.kernel.softirq.local_bh_enable()


def test_a_closed_device_hears_nothing(host: DeviceHost) -> None:
    host.spawn(lambda: dev_close(host.dev))
    host.clock.run()
    host.nic.inject(bytes(Ether(dst=host.dev.addr, type=ETH_P_IP) / bytes(46)))
    host.clock.run()
    assert host.received == []


# -- settings ------------------------------------------------------------------------------------


def test_defaults_are_linuxs(host: DeviceHost) -> None:
    sysctl = host.kernel.sysctl
    names = ("wmem_default", "rmem_default", "wmem_max", "rmem_max")
    assert [sysctl[f"net.core.{name}"] for name in names] == [212992] * 4
    assert sysctl["net.core.netdev_budget"] == 300
    assert sysctl["net.core.dev_weight"] == 64
    assert sysctl["net.core.somaxconn"] == 4096
    assert sysctl["net.core.netdev_max_backlog"] == 1000
    assert sysctl["net.core.optmem_max"] == 131072
    assert sysctl["net.core.default_qdisc"] == "pfifo_fast"


def test_an_unknown_default_qdisc_is_refused(host: DeviceHost) -> None:
    with pytest.raises(SysctlError, match="none of bfifo fq fq_codel"):
        host.kernel.sysctl["net.core.default_qdisc"] = "cake"
