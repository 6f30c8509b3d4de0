from __future__ import annotations

from collections.abc import Callable

import pytest

from pyhost.dma.debug import DmaApiError
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_ethtool import hnic_get_ethtool_stats, hnic_get_strings
from pyhost.drivers.net.hnic.hnic_main import HnicProbeError, hnic_probe, hnic_remove
from pyhost.net.core.dev import dev_change_mtu, dev_open
from pyhost.net.core.netdevice import (
    IFF_UP,
    NETIF_F_GSO,
    NETIF_F_HW_CSUM,
    NETIF_F_HW_VLAN_CTAG_RX,
    NETIF_F_HW_VLAN_CTAG_TX,
    NETIF_F_RXCSUM,
    NETIF_F_RXHASH,
    NETIF_F_SG,
    NETIF_F_TSO,
    NETIF_F_TSO6,
    NETIF_F_TSO_ECN,
)
from pyhost.uapi.errno import EINVAL, ENOMEM
from tests.unit.drivers.net.hnic.rig import Rig, arriving, payload, tcp_frame


def refused(rig: Rig, **options: int) -> str:
    """What `hnic_probe` says when it refuses."""

    def probe() -> str:
        try:
            hnic_probe(rig.kernel, rig.bus, "eth1", **options)
        except HnicProbeError as error:
            return str(error)
        return "probed"

    return rig.in_task(probe)


def test_probe_finds_the_card_and_registers_it_down() -> None:
    rig = Rig(up=False)
    assert rig.dev.net.devices["eth0"] is rig.dev
    assert rig.dev.addr == bytes.fromhex("020000000001")
    offloads = (
        NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_GSO
    )
    assert rig.dev.features == (
        offloads
        | NETIF_F_RXCSUM
        | NETIF_F_RXHASH
        | NETIF_F_HW_VLAN_CTAG_TX
        | NETIF_F_HW_VLAN_CTAG_RX
    )
    assert rig.dev.max_mtu == 9000
    assert not rig.dev.flags & IFF_UP
    assert rig.bus.dma.dma_mask == (1 << 64) - 1
    assert rig.mapped() == 0


def test_another_card_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(up=False)
    original = rig.model.register
    monkeypatch.setattr(
        rig.model, "register", lambda offset: 0 if offset == regs.ID else original(offset)
    )
    assert "no hnic answers" in refused(rig)


def test_a_later_register_map_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(up=False)
    original = rig.model.register
    later = regs.VERSION_RST + (1 << regs.VERSION_MAJOR_LSB)
    monkeypatch.setattr(
        rig.model, "register", lambda offset: later if offset == regs.VERSION else original(offset)
    )
    assert "no hnic answers" in refused(rig)


def test_a_card_that_stays_in_reset_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(up=False)
    monkeypatch.setattr(rig.model.tx, "reset", lambda done: None)
    assert "out of reset" in refused(rig)


@pytest.mark.parametrize("count", [32, 100, 8192])
def test_ring_sizes_that_the_card_does_not_know_are_refused(count: int) -> None:
    rig = Rig(up=False)
    assert "power of two" in refused(rig, tx_count=count)
    assert "power of two" in refused(rig, rx_count=count)


@pytest.mark.parametrize("count", [64, 4096])
def test_any_legal_ring_size_works_both_ways(count: int) -> None:
    rig = Rig(tx_count=count, rx_count=count)
    frame = bytes(tcp_frame(payload(500)))
    rig.xmit(rig.skb(frame))
    rig.port.receive(bytes(arriving(payload(500))), 1)
    rig.run()
    assert rig.port.frames() == [frame]
    assert len(rig.received) == 1


@pytest.mark.claim("S44")
@pytest.mark.parametrize("pending", [0, 1, 40])
def test_stop_leaves_no_mapping_page_skb_or_interrupt(pending: int) -> None:
    rig = Rig(up=False)
    baseline = (rig.mapped(), rig.dev.net.skbs.alive, rig.kernel.mem.kmalloc_in_use)
    for _ in range(3):
        assert rig.in_task(lambda: dev_open(rig.dev)) == 0
        rig.port.receive(bytes(arriving(payload(1000))), 1)
        rig.run()
        rig.free_received()
        pages = rig.kernel.mem.pages_in_use
        for _ in range(pending):
            rig.xmit(rig.skb(payload(1000), (14, 300)))
        rig.down()
        assert (rig.mapped(), rig.dev.net.skbs.alive, rig.kernel.mem.kmalloc_in_use) == baseline
    assert len(rig.port.sent) == 3 * pending
    assert rig.kernel.mem.pages_in_use < pages
    slabs = rig.kernel.mem.pages_in_use
    assert rig.in_task(lambda: dev_open(rig.dev)) == 0
    rig.down()
    assert rig.kernel.mem.pages_in_use == slabs
    assert not [record for record in rig.kernel.log.records if "nobody cared" in record.text]
    assert rig.kernel.warnings == 0


def test_packets_that_the_card_never_takes_are_freed_at_stop() -> None:
    rig = Rig()
    rig.xmit(rig.skb(payload(100), (14, 50)), more=True)
    rig.xmit(rig.skb(payload(100)), more=True)
    rig.down()
    assert rig.mapped() == 0
    assert rig.dev.net.skbs.alive == 0
    assert rig.dev.net.drops == {"QUEUE_PURGE": 2}


def test_a_card_that_does_not_stop_is_reset() -> None:
    rig = Rig()
    rig.bus.writel(0, regs.CTRL)
    rig.xmit(rig.skb(payload(100)))
    rig.down()
    assert rig.mapped() == 0
    assert rig.port.sent == []
    assert rig.in_task(lambda: dev_open(rig.dev)) == 0
    rig.xmit(rig.skb(payload(200)))
    rig.run()
    assert rig.port.frames() == [payload(200)]


def test_open_without_memory_fails_and_takes_nothing() -> None:
    rig = Rig(up=False)
    hoard = []
    for order in range(10, -1, -1):
        while rig.kernel.mem.free_area[order]:
            hoard.append(rig.kernel.mem.alloc_pages(order))
    failures = 0
    while True:
        error = rig.in_task(lambda: dev_open(rig.dev))
        if error == 0:
            break
        assert error == -ENOMEM
        assert rig.mapped() == 0
        failures += 1
        hoard.pop().put()
    assert failures > 5


def test_a_new_mtu_takes_effect_while_the_interface_is_up() -> None:
    rig = Rig()
    assert rig.in_task(lambda: dev_change_mtu(rig.dev, 9000)) == 0
    frame = bytes(tcp_frame(payload(8960)))
    wanted = bytes(arriving(payload(8960)))
    rig.port.receive(wanted, 1)
    rig.xmit(rig.skb(frame))
    rig.run()
    assert rig.received[0].to_bytes() == wanted[14:]
    assert rig.port.frames() == [frame]
    assert rig.in_task(lambda: dev_change_mtu(rig.dev, 9001)) == -EINVAL


def test_statistics_agree_between_driver_and_card() -> None:
    rig = Rig()
    for size in (20, 100, 1514):
        rig.xmit(rig.skb(payload(size), (14,)))
    rig.xmit(rig.partial(bytes(tcp_frame(b"abc"))))
    rig.port.receive(bytes(arriving(payload(64))), 1)
    rig.run()
    stats = rig.in_task(lambda: hnic_get_ethtool_stats(rig.dev))
    assert list(stats) == rig.in_task(lambda: hnic_get_strings(rig.dev))
    wanted = {
        "tx_packets": 4,
        "tx_bytes": 20 + 100 + 1514 + 57,
        "rx_packets": 1,
        "rx_bytes": 118,
        "card_tx_frames": 4,
        "card_tx_bytes": 60 + 100 + 1514 + 60,
        "card_tx_csums": 1,
        "card_tx_descs": 7,
        "card_completions": 5,
        "card_tx_drops": 0,
        "card_doorbell_errs": 0,
    }
    assert {name: stats[name] for name in wanted} == wanted


def test_a_driver_that_leaves_takes_everything_along() -> None:
    rig = Rig()

    def leave() -> int:
        hnic_remove(rig.dev)
        return 0

    rig.in_task(leave)
    assert "eth0" not in rig.dev.net.devices
    assert rig.mapped() == 0


def test_a_driver_that_leaves_a_mapping_behind_is_told() -> None:
    rig = Rig()
    rig.bus.dma.debug.map(0x10000, 64, 1, 0, "forgotten")
    caught: list[str] = []

    def attempt(act: Callable[[], None]) -> int:
        try:
            act()
        except DmaApiError as error:
            caught.append(str(error))
        return 0

    rig.in_task(lambda: attempt(lambda: hnic_remove(rig.dev)))
    assert "pending" in caught[0]
    assert "forgotten" in caught[0]


@pytest.mark.parametrize(
    ("missing", "gone"),
    [
        (regs.FEATURES_CSUM_LSB, NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN),
        (regs.FEATURES_TSO_LSB, NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN),
        (regs.FEATURES_VLAN_LSB, NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX),
        (regs.FEATURES_RSS_LSB, NETIF_F_RXHASH),
    ],
)
def test_a_card_that_lacks_something_is_driven_without(
    monkeypatch: pytest.MonkeyPatch, missing: int, gone: int
) -> None:
    rig = Rig(up=False)
    everything = rig.dev.features
    original = rig.model.register

    def register(offset: int) -> int:
        value = original(offset)
        return value & ~(1 << missing) if offset == regs.FEATURES else value

    monkeypatch.setattr(rig.model, "register", register)
    dev = rig.in_task(lambda: hnic_probe(rig.kernel, rig.bus, "eth1"))
    assert dev.features == everything & ~gone


def test_a_queue_without_an_interrupt_vector_is_not_used() -> None:
    rig = Rig(up=False, queues=4)
    del rig.bus.irqs[4:]
    dev = rig.in_task(lambda: hnic_probe(rig.kernel, rig.bus, "eth1"))
    assert (dev.real_num_tx_queues, dev.real_num_rx_queues) == (2, 2)
