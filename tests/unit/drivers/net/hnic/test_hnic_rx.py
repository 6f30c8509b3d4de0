from __future__ import annotations

import random

import pytest
from scapy.layers.l2 import ARP, Ether

from pyhost.drivers.net.hnic.hnic_rx import RX_COPYBREAK, hnic_rx_buf_size
from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.skbuff import CHECKSUM_NONE, CHECKSUM_UNNECESSARY
from tests.unit.drivers.net.hnic.rig import PEER_MAC, Rig, arriving, payload

ETH_P_ARP = 0x0806


def frame_of(size: int) -> bytes:
    """A TCP frame to the host, `size` bytes long with good checksums."""
    return bytes(arriving(payload(size - 54)))


@pytest.mark.parametrize("size", [60, 61, 255, 256, 257, 1513, 1514])
def test_a_frame_arrives_whole_with_its_key_and_its_headers_linear(size: int) -> None:
    rig = Rig()
    rig.port.receive(frame_of(size), 99)
    rig.run()
    (skb,) = rig.received
    assert skb.buf[skb.mac_header : skb.mac_header + 14] == frame_of(size)[:14]
    assert skb.to_bytes() == frame_of(size)[14:]
    assert (skb.key, skb.protocol, skb.dev) == (99, 0x0800, rig.dev)
    assert skb.headlen == (size - 14 if size <= RX_COPYBREAK else 40)
    assert skb.ip_summed == CHECKSUM_UNNECESSARY
    assert (rig.dev.stats.rx_packets, rig.dev.stats.rx_bytes) == (1, size)


@pytest.mark.parametrize("size", [1515, 4096, 9013, 9014])
def test_jumbo_frames_fit_when_the_mtu_says_so(size: int) -> None:
    rig = Rig(mtu=9000)
    rig.port.receive(frame_of(size), 1)
    rig.run()
    assert rig.received[0].to_bytes() == frame_of(size)[14:]


def test_a_buffer_is_half_a_page_if_a_frame_with_a_tag_fits_and_else_a_page() -> None:
    assert [hnic_rx_buf_size(mtu) for mtu in (68, 1500, 2030, 2031, 9000)] == [
        2048,
        2048,
        2048,
        4096,
        4096,
    ]


def test_a_wrong_checksum_is_left_to_the_stack() -> None:
    rig = Rig()
    frame = bytearray(frame_of(600))
    frame[-1] ^= 1
    rig.port.receive(bytes(frame), 1)
    rig.run()
    assert rig.received[0].ip_summed == CHECKSUM_NONE


def test_without_rxcsum_the_stack_checks_everything() -> None:
    rig = Rig()
    rig.dev.features &= ~(1 << 40)
    rig.port.receive(frame_of(600), 1)
    rig.run()
    assert rig.received[0].ip_summed == CHECKSUM_NONE


@pytest.mark.parametrize("count", [64, 256])
def test_many_frames_come_in_order_over_many_wraps(count: int) -> None:
    rig = Rig(rx_count=count)
    rng = random.Random(3)
    sizes = [rng.randrange(60, 1515) for _ in range(count * 5 + 17)]
    for key, size in enumerate(sizes, 1):
        rig.port.receive(frame_of(size), key)
        if key % 40 == 0:
            rig.run()
            assert rig.rx.unused() == 0
    rig.run()
    assert [skb.key for skb in rig.received] == list(range(1, len(sizes) + 1))
    assert [skb.len + 14 for skb in rig.received] == sizes
    assert rig.model.rx.queues[0].drops == 0


def test_frames_without_a_buffer_are_dropped_and_later_ones_go_on() -> None:
    rig = Rig(rx_count=64)
    for key in range(1, 101):
        rig.port.receive(frame_of(1000), key)
    assert rig.model.rx.queues[0].drops == 36
    rig.run()
    assert [skb.key for skb in rig.received] == list(range(1, 65))
    rig.port.receive(frame_of(100), 200)
    rig.run()
    assert rig.received[-1].key == 200


def test_a_buffer_whose_frame_was_copied_is_posted_again() -> None:
    rig = Rig(rx_count=64)
    pages = rig.kernel.mem.pages_in_use
    mapped = rig.mapped()
    for key in range(1, 200):
        rig.port.receive(frame_of(100), key)
        rig.run()
        rig.free_received()
    assert rig.kernel.mem.pages_in_use - pages <= 8
    assert rig.mapped() == mapped


def test_a_frame_keeps_its_bytes_while_others_come() -> None:
    rig = Rig(rx_count=64)
    rig.port.receive(frame_of(1200), 1)
    rig.run()
    for key in range(2, 300):
        rig.port.receive(frame_of(1000), key)
        rig.run()
    assert rig.received[0].to_bytes() == frame_of(1200)[14:]


def test_memory_shortage_drops_frames_and_buffers_come_back_later() -> None:
    rig = Rig(rx_count=64)
    rig.bus.dma.fault = lambda addr, size: True
    for key in range(1, 65):
        rig.port.receive(frame_of(1000), key)
    rig.clock.run(until=rig.clock.now + NSEC_PER_MSEC)
    assert rig.rx.unused() == 64
    rig.port.receive(frame_of(1000), 70)
    assert rig.model.rx.queues[0].drops == 1
    rig.bus.dma.fault = None
    rig.clock.run(until=rig.clock.now + 20 * NSEC_PER_MSEC)
    assert rig.rx.unused() == 0
    rig.port.receive(frame_of(1000), 71)
    rig.run()
    assert rig.received[-1].key == 71


def test_a_failed_write_of_the_frame_stops_the_queue_until_it_is_reset() -> None:
    rig = Rig(rx_count=64)
    rig.model.rx.master.fault = lambda addr, length, write: write and length == 500
    mapped = rig.mapped()
    for key in range(1, 4):
        rig.port.receive(frame_of(501 - key % 2), key)
    rig.run()
    assert (rig.dev.stats.rx_errors, rig.received) == (1, [])
    assert (rig.rx.stats.errors, rig.rx.stats.resets) == (1, 1)
    log = [record.text for record in rig.kernel.log.records]
    assert "eth0: RX queue 0 stopped: DMA_ERR at descriptor 0" in log
    for key in range(4, 140):
        rig.port.receive(frame_of(501), key)
        rig.run()
    assert [skb.key for skb in rig.received] == list(range(4, 140))
    assert (rig.mapped(), rig.rx.unused()) == (mapped, 0)


def test_arp_reaches_its_handler_with_the_ethernet_header_pulled() -> None:
    rig = Rig()
    seen: list[bytes] = []
    rig.dev.net.ptype_base[ETH_P_ARP] = lambda skb, dev: (seen.append(skb.to_bytes()), 0)[1]
    frame = Ether(src=PEER_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.0.1")
    rig.port.receive(bytes(frame).ljust(60, b"\0"), 5)
    rig.run()
    assert ARP(seen[0]).pdst == "10.0.0.1"


def test_a_full_budget_is_polled_on_without_an_interrupt() -> None:
    rig = Rig()
    fired = rig.model.stats.irqs
    for key in range(1, 200):
        rig.port.receive(frame_of(400), key)
    rig.run()
    assert len(rig.received) == 199
    assert rig.model.stats.irqs - fired == 1


def test_a_completion_for_another_buffer_is_a_bug() -> None:
    rig = Rig()
    rig.port.receive(frame_of(100), 1)
    where = rig.rx.cpl.addr
    rig.kernel.mem.buf[where] = 9
    with pytest.raises(KernelBug, match="buffer 9, the oldest is 0"):
        rig.run()
