"""Several queues, and what else an administrator can set on the card."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_filter import hnic_mc_hash
from pyhost.drivers.net.hnic.hnic_hw import hnic_reset_hw
from pyhost.drivers.net.hnic.hnic_main import hnic_set_tx_priority
from pyhost.drivers.net.hnic.hnic_ring import RxRing
from pyhost.net.core.dev import dev_open, dev_queue_xmit
from pyhost.net.core.dev_addr import (
    dev_mc_add,
    dev_mc_del,
    dev_set_allmulti,
    dev_set_mac_address,
    dev_set_promiscuity,
    dev_set_tx_maxrate,
)
from pyhost.net.core.ethtool import (
    EthtoolCoalesce,
    ethtool_set_channels,
    ethtool_set_ringparam,
    ethtool_set_rxfh,
)
from pyhost.net.core.skbuff import SkBuff
from pyhost.uapi.errno import EADDRNOTAVAIL, EINVAL, ENOENT, ENOMEM, EOPNOTSUPP
from tests.unit.drivers.net.hnic.rig import (
    HOST_MAC,
    PEER_MAC,
    Rig,
    arriving,
    payload,
    tcp_frame,
)


def flow(index: int, size: int = 300) -> bytes:
    """A segment to the host of flow `index`."""
    return bytes(arriving(payload(size, seed=index), sport=2000 + index))


def flow_skb(rig: Rig, index: int, size: int = 300) -> SkBuff:
    """A packet of the host of flow `index`."""
    frame = tcp_frame(payload(size, seed=index))
    frame[TCP].sport = 3000 + index
    del frame[TCP].chksum
    skb = rig.skb(bytes(frame))
    skb.network_header = skb.data + 14
    return skb


# -- queues ----------------------------------------------------------------------------------------


def test_every_queue_has_its_vector_and_its_handler() -> None:
    rig = Rig(queues=4)
    assert (len(rig.adapter.tx), len(rig.adapter.rx), len(rig.bus.irqs)) == (4, 4, 8)
    for queue in range(4):
        block = regs.TXQ_BASE + queue * regs.TXQ_STRIDE
        assert rig.model.register(block + regs.Q_IRQ_VECTOR) == 2 * queue
    names = {rig.kernel.irq._actions[irq][0] for irq in rig.bus.irqs}
    assert names == {f"eth0-{kind}-{q}" for kind in ("tx", "rx") for q in range(4)}


def test_flows_are_spread_over_the_transmit_queues_and_stay_in_order() -> None:
    rig = Rig(queues=4)
    for turn in range(3):
        for index in range(64):
            assert dev_queue_xmit(flow_skb(rig, index, 300 + turn)) == 0
    rig.run()
    counts = [tx.stats.packets for tx in rig.adapter.tx]
    assert sum(counts) == 192
    assert min(counts) > 15
    order: dict[int, list[int]] = {}
    for frame in rig.port.frames():
        order.setdefault(Ether(frame)[TCP].sport, []).append(len(frame))
    assert all(sizes == [354, 355, 356] for sizes in order.values())
    assert len(order) == 64


def test_flows_are_spread_over_the_receive_queues_and_stay_in_order() -> None:
    rig = Rig(queues=4)
    for turn in range(3):
        for index in range(64):
            rig.port.receive(flow(index, 300 + turn), turn * 64 + index + 1)
    rig.run()
    counts = [rx.stats.packets for rx in rig.adapter.rx]
    assert sum(counts) == len(rig.received) == 192
    assert min(counts) > 15
    for index in range(64):
        keys = [skb.key for skb in rig.received if (skb.key - 1) % 64 == index]
        assert keys == sorted(keys)


def test_the_key_is_random_and_the_table_even() -> None:
    rig = Rig(queues=4)
    assert len(set(rig.adapter.rss_key)) > 20
    assert rig.adapter.rss_table == [0, 1, 2, 3] * 32
    assert rig.model.register(regs.RSS_TABLE) == 0x03020100
    first = int.from_bytes(rig.adapter.rss_key[:4], "little")
    assert rig.model.register(regs.RSS_KEY) == first


def test_a_table_set_by_hand_sends_every_flow_where_it_says() -> None:
    rig = Rig(queues=4)
    assert rig.in_task(lambda: ethtool_set_rxfh(rig.dev, [3] * 128, None)) == 0
    for index in range(20):
        rig.port.receive(flow(index), index + 1)
    rig.run()
    assert [rx.stats.packets for rx in rig.adapter.rx] == [0, 0, 0, 20]
    assert rig.in_task(lambda: ethtool_set_rxfh(rig.dev, [4] * 128, None)) == -EINVAL
    assert rig.in_task(lambda: ethtool_set_rxfh(rig.dev, None, bytes(39))) == -EINVAL


def test_fewer_queues_are_used_while_the_rest_rests() -> None:
    rig = Rig(queues=4)
    assert rig.in_task(lambda: ethtool_set_channels(rig.dev, 2, 3)) == 0
    assert (len(rig.adapter.tx), len(rig.adapter.rx)) == (3, 2)
    for index in range(60):
        dev_queue_xmit(flow_skb(rig, index))
        rig.port.receive(flow(index), index + 1)
    rig.run()
    assert [tx.packets > 0 for tx in rig.adapter.tx_stats] == [True, True, True, False]
    assert [rx.packets > 0 for rx in rig.adapter.rx_stats] == [True, True, False, False]
    assert (len(rig.port.sent), len(rig.received)) == (60, 60)
    for wrong in ((5, 1), (1, 0)):
        assert rig.in_task(lambda w=wrong: ethtool_set_channels(rig.dev, *w)) == -EINVAL
    assert rig.in_task(lambda: ethtool_set_rxfh(rig.dev, [1] * 128, None)) == 0
    assert rig.in_task(lambda: ethtool_set_channels(rig.dev, 1, None)) == -EINVAL
    assert rig.in_task(lambda: ethtool_set_rxfh(rig.dev, [], None)) == 0
    assert rig.in_task(lambda: ethtool_set_channels(rig.dev, 1, None)) == 0


def test_ring_sizes_change_while_the_interface_is_up() -> None:
    rig = Rig(queues=2)
    assert rig.in_task(lambda: ethtool_set_ringparam(rig.dev, 100, 1024)) == 0
    assert (rig.rx.count, rig.tx.count) == (128, 1024)
    dev_queue_xmit(flow_skb(rig, 1))
    rig.port.receive(flow(1), 1)
    rig.run()
    assert (len(rig.port.sent), len(rig.received)) == (1, 1)
    assert rig.in_task(lambda: ethtool_set_ringparam(rig.dev, 5000, None)) == -EINVAL


def test_rings_that_do_not_fit_leave_the_interface_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(queues=2)
    original = RxRing.__init__

    def short(ring: RxRing, dev: object, bus: object, count: int, *rest: object) -> None:
        if count > 1000:
            raise MemoryError
        original(ring, dev, bus, count, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(RxRing, "__init__", short)
    mapped = rig.mapped()
    assert rig.in_task(lambda: ethtool_set_ringparam(rig.dev, 4096, None)) == -ENOMEM
    assert (rig.rx.count, rig.mapped()) == (256, mapped)
    rig.port.receive(flow(1), 1)
    rig.run()
    assert len(rig.received) == 1


# -- interrupts ------------------------------------------------------------------------------------


def test_an_interrupt_waits_for_frames_or_for_the_time() -> None:
    rig = Rig()
    ops = rig.dev.ethtool_ops
    assert ops is not None
    assert rig.in_task(lambda: ops.set_coalesce(rig.dev, EthtoolCoalesce(100, 8))) == 0
    fired = rig.model.stats.irqs
    for key in range(1, 9):
        assert rig.received == []
        rig.port.receive(flow(key), key)
    rig.clock.run(until=rig.clock.now + 1000)
    assert (len(rig.received), rig.model.stats.irqs - fired) == (8, 1)
    began = rig.clock.now
    rig.port.receive(flow(9), 9)
    rig.clock.run(until=began + 99_000)
    assert len(rig.received) == 8
    rig.clock.run(until=began + 101_000)
    assert len(rig.received) == 9


def test_interrupts_keep_a_distance() -> None:
    rig = Rig()
    ops = rig.dev.ethtool_ops
    assert ops is not None
    assert rig.in_task(lambda: ops.set_coalesce(rig.dev, EthtoolCoalesce(rx_usecs=50))) == 0
    fired = rig.model.stats.irqs
    for key in range(1, 101):
        rig.port.receive(flow(key), key)
        rig.clock.run(until=rig.clock.now + 2_000)
    rig.run()
    assert len(rig.received) == 100
    assert rig.model.stats.irqs - fired <= 6
    for wrong in (EthtoolCoalesce(rx_usecs=30_000), EthtoolCoalesce(tx_frames=256)):
        assert rig.in_task(lambda w=wrong: ops.set_coalesce(rig.dev, w)) == -EINVAL


# -- filter and address ----------------------------------------------------------------------------


def to(mac: str) -> bytes:
    return bytes(Ether(src=PEER_MAC, dst=mac) / IP(dst="10.0.0.1") / UDP() / Raw(payload(50)))


def arrives(rig: Rig, mac: str) -> bool:
    before = len(rig.received)
    rig.port.receive(to(mac), 1)
    rig.run()
    return len(rig.received) > before


GROUP, OTHER = "01:00:5e:01:02:03", "01:00:5e:7f:00:01"


def test_the_card_takes_what_the_host_wants_to_hear() -> None:
    rig = Rig()
    dev = rig.dev
    group = bytes.fromhex(GROUP.replace(":", ""))
    stranger = "02:00:00:00:00:99"
    assert arrives(rig, HOST_MAC)
    assert arrives(rig, "ff:ff:ff:ff:ff:ff")
    assert not arrives(rig, GROUP)
    assert not arrives(rig, stranger)
    dev_mc_add(dev, group)
    dev_mc_add(dev, group)
    assert arrives(rig, GROUP)
    assert hnic_mc_hash(group) != hnic_mc_hash(bytes.fromhex(OTHER.replace(":", "")))
    assert not arrives(rig, OTHER)
    assert dev_mc_del(dev, group) == 0
    assert arrives(rig, GROUP)
    assert dev_mc_del(dev, group) == 0
    assert dev_mc_del(dev, group) == -ENOENT
    assert not arrives(rig, GROUP)
    dev_set_allmulti(dev, 1)
    assert arrives(rig, OTHER)
    dev_set_allmulti(dev, -1)
    assert not arrives(rig, OTHER)
    dev_set_promiscuity(dev, 1)
    assert arrives(rig, stranger)
    dev_set_promiscuity(dev, -1)
    assert not arrives(rig, stranger)


def test_the_filter_and_the_address_last_over_down_and_up() -> None:
    rig = Rig()
    dev_mc_add(rig.dev, bytes.fromhex(GROUP.replace(":", "")))
    new = bytes.fromhex("020000000077")
    assert dev_set_mac_address(rig.dev, new) == 0
    rig.down()
    assert rig.in_task(lambda: dev_open(rig.dev)) == 0
    assert arrives(rig, "02:00:00:00:00:77")
    assert arrives(rig, GROUP)
    assert not arrives(rig, HOST_MAC)
    for wrong in (bytes(6), bytes.fromhex("010000000001")):
        assert dev_set_mac_address(rig.dev, wrong) == -EADDRNOTAVAIL
    assert rig.dev.addr == new


# -- rate and priority -----------------------------------------------------------------------------


def test_a_rate_limit_holds_a_queue_back_and_lasts_over_a_reset_of_the_card() -> None:
    rig = Rig(queues=2)
    assert dev_set_tx_maxrate(rig.dev, 1, 1000) == 0
    assert dev_set_tx_maxrate(rig.dev, 2, 1000) == -EINVAL
    rig.down()
    assert rig.in_task(lambda: hnic_reset_hw(rig.bus))
    assert rig.in_task(lambda: dev_open(rig.dev)) == 0
    for index in range(60):
        skb = rig.skb(payload(1500, seed=index))
        skb.queue_mapping = 1
        rig.xmit(skb)
    rig.run()
    starts = [when for when, _, _ in rig.port.sent]
    assert len(starts) == 60
    assert (starts[-1] - starts[20]) / 39 == pytest.approx(1524 * 8, rel=0.03)


def test_a_queue_of_a_higher_class_goes_first() -> None:
    rig = Rig(queues=2)
    assert hnic_set_tx_priority(rig.dev, 1, 7) == 0
    assert hnic_set_tx_priority(rig.dev, 1, 8) == -EINVAL
    for queue in (0, 1):
        for index in range(10):
            skb = rig.skb(payload(1000, seed=10 * queue + index))
            skb.queue_mapping = queue
            rig.xmit(skb)
    rig.run()
    wanted = [payload(1000, seed=seed) for seed in (*range(10, 20), *range(10))]
    assert rig.port.frames() == wanted


def test_a_card_without_limits_says_so() -> None:
    rig = Rig()
    rig.adapter.info.rate = False
    assert dev_set_tx_maxrate(rig.dev, 0, 100) == -EOPNOTSUPP
    assert hnic_set_tx_priority(rig.dev, 0, 1) == -EOPNOTSUPP
