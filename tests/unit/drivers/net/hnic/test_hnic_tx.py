from __future__ import annotations

import random

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import Ether

from pyhost.dma.debug import DmaViolation
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic import hnic_tx
from pyhost.drivers.net.hnic.hnic_tx import DESC_NEEDED, TX_WAKE_THRESHOLD
from pyhost.kernel.bug import KernelBug
from pyhost.net.core.netdevice import NETDEV_TX_BUSY, NETDEV_TX_OK
from pyhost.net.core.skbuff import MAX_SKB_FRAGS, SkBuff
from tests.unit.drivers.net.hnic.rig import (
    TCP_HEADERS,
    Rig,
    payload,
    tcp_frame,
    udp_frame,
    with_pseudo_sum,
)

SIZES = [1, 13, 14, 59, 60, 61, 64, 511, 512, 513, 1513, 1514, 4095, 4096, 4097, 9013, 9014]


def spread(size: int, count: int, seed: int) -> tuple[int, ...]:
    """`count` places to cut a frame of `size` bytes."""
    return tuple(sorted(random.Random(seed).sample(range(1, size), count)))


# -- what goes to the wire -----------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_a_linear_packet_reaches_the_wire_unchanged_and_padded_to_60(size: int) -> None:
    rig = Rig(mtu=9000)
    frame = payload(size)
    assert rig.xmit(rig.skb(frame)) == NETDEV_TX_OK
    rig.run()
    assert rig.port.frames() == [frame.ljust(60, b"\0")]


@pytest.mark.parametrize("size", [size for size in SIZES if size > 20])
@pytest.mark.parametrize("offset", [0, 1, 7, 4094, 4095])
def test_fragments_at_any_address_are_put_together_in_order(size: int, offset: int) -> None:
    rig = Rig(mtu=9000)
    frame = payload(size, seed=offset)
    count = min(MAX_SKB_FRAGS, size - 15)
    cuts = (14, *(14 + cut for cut in spread(size - 14, count - 1, size)))
    rig.xmit(rig.skb(frame, cuts, at=(offset, 4095 - offset, 1, 2, 3)))
    rig.run()
    assert rig.port.frames() == [frame.ljust(60, b"\0")]


@pytest.mark.claim("S42")
@pytest.mark.parametrize("data", [0, 1, 2, 5, 6, 7, 535, 536, 1459, 1460, 8959, 8960])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_the_card_fills_in_the_checksum_that_the_stack_left_to_it(data: int, kind: str) -> None:
    rig = Rig(mtu=9000)
    packet = tcp_frame(payload(data)) if kind == "tcp" else udp_frame(payload(data))
    want = bytes(packet)
    cuts = (TCP_HEADERS,) if len(want) > TCP_HEADERS else ()
    if len(want) > TCP_HEADERS + 3:
        cuts = (TCP_HEADERS, TCP_HEADERS + (len(want) - TCP_HEADERS) // 2)
    rig.xmit(rig.partial(with_pseudo_sum(want), cuts, at=(4095, 1)))
    rig.run()
    (frame,) = rig.port.frames()
    assert frame == want.ljust(60, b"\0")
    layer = TCP if kind == "tcp" else UDP
    judged = Ether(frame[: len(want)])
    sent = judged[layer].chksum
    del judged[layer].chksum
    assert Ether(bytes(judged))[layer].chksum == sent


def test_a_checksum_of_zero_goes_out_as_ffff() -> None:
    """UDP over a payload chosen so that the sum is 0xffff, whose complement is 0 (RFC 768)."""
    rig = Rig()
    bare = bytes(udp_frame(bytes(4)))
    check = int.from_bytes(bare[40:42], "big")
    want = bytes(udp_frame(check.to_bytes(2, "big") + bytes(2)))
    assert want[40:42] == b"\xff\xff"
    rig.xmit(rig.partial(with_pseudo_sum(want)))
    rig.run()
    assert rig.port.frames() == [want.ljust(60, b"\0")]


def test_packets_leave_in_order_with_their_keys_and_never_overlap_on_the_wire() -> None:
    rig = Rig()
    sizes = [random.Random(5).randrange(15, 1515) for _ in range(100)]
    skbs = [rig.skb(payload(size, seed=size)) for size in sizes]
    keys = [skb.key for skb in skbs]
    for skb in skbs:
        assert rig.xmit(skb) == NETDEV_TX_OK
    rig.run()
    assert [key for _, _, key in rig.port.sent] == keys
    assert rig.port.frames() == [payload(size, seed=size).ljust(60, b"\0") for size in sizes]
    for (start, frame, _), (follow, _, _) in zip(rig.port.sent, rig.port.sent[1:], strict=False):
        assert follow >= start + (len(frame) + 24) * 8 / 10


# -- descriptors and doorbell --------------------------------------------------------------------


@pytest.mark.claim("S42")
def test_xmit_maps_every_piece_writes_descriptors_and_rings_the_doorbell() -> None:
    rig = Rig()
    before = rig.mapped()
    frame = bytes(tcp_frame(payload(1000)))
    skb = rig.partial(with_pseudo_sum(frame), (54, 300, 800), at=(9, 4000))
    pieces = [(skb.data, 54), *((frag.addr, frag.size) for frag in skb.shinfo.frags)]
    events = rig.events()
    rig.xmit(skb)
    assert rig.mapped() == before + 4
    buf, base = rig.kernel.mem.buf, rig.tx.desc.addr
    words = [
        int.from_bytes(buf[base + i * regs.TXD_BYTES : base + (i + 1) * regs.TXD_BYTES], "little")
        for i in range(4)
    ]

    def field(word: int, lsb: int, width: int) -> int:
        return word >> lsb & (1 << width) - 1

    got = [(field(w, regs.TXD_ADDR_LSB, 64), field(w, regs.TXD_LEN_LSB, 20)) for w in words]
    assert got == pieces
    assert [field(w, regs.TXD_SOP_LSB, 1) for w in words] == [1, 0, 0, 0]
    assert [field(w, regs.TXD_EOP_LSB, 1) for w in words] == [0, 0, 0, 1]
    assert [field(w, regs.TXD_COOKIE_LSB, 32) for w in words] == [skb.key] * 4
    assert field(words[0], regs.TXD_CSUM_LSB, 1) == 1
    assert field(words[0], regs.TXD_CSUM_START_LSB, 16) == 34
    assert field(words[0], regs.TXD_CSUM_OFFSET_LSB, 16) == 16
    assert sum(length for _, length in got) == skb.len
    assert [event.name for event in events] == ["ndo_start_xmit", "doorbell"]
    assert events[0].key == skb.key
    assert rig.model.tx.queues[0].tail == 4


def test_descriptors_are_written_and_ordered_before_the_doorbell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    log: list[str] = []
    base = rig.tx.desc.addr

    def barrier() -> None:
        written = any(rig.kernel.mem.buf[base : base + regs.TXD_BYTES])
        log.append("wmb after descriptor" if written else "wmb before descriptor")

    monkeypatch.setattr(hnic_tx, "dma_wmb", barrier)
    original = rig.model.tx.queues[0].on_doorbell
    rig.model.tx.queues[0].on_doorbell = lambda: (log.append("doorbell"), original())[1]
    rig.xmit(rig.skb(payload(100)))
    assert log == ["wmb after descriptor", "doorbell"]


def test_the_doorbell_waits_while_more_packets_follow() -> None:
    rig = Rig()
    for _ in range(5):
        rig.xmit(rig.skb(payload(100)), more=True)
    rig.run()
    assert rig.port.sent == []
    rig.xmit(rig.skb(payload(100)))
    rig.run()
    assert len(rig.port.sent) == 6
    assert rig.model.tx.queues[0].tail == rig.tx.next_to_use


def test_a_deferred_doorbell_is_rung_when_the_queue_stops() -> None:
    rig = Rig(tx_count=64)
    while not rig.tx.txq.stopped:
        rig.xmit(rig.skb(payload(100)), more=True)
    assert rig.model.tx.queues[0].tail == rig.tx.next_to_use
    rig.run()
    assert not rig.tx.txq.stopped
    assert len(rig.port.sent) == 64 - DESC_NEEDED + 1


# -- the ring ------------------------------------------------------------------------------------


def test_indices_wrap_many_times_around_ring_and_16_bits() -> None:
    rig = Rig(tx_count=64)
    rng = random.Random(11)
    sent = []
    total = 0
    while total < 65_536 + 200:
        frame = payload(rng.randrange(60, 200), seed=total)
        pieces = rng.choice([1, 2, 3, 17, 18])
        cuts = spread(len(frame) - 14, pieces - 1, total) if pieces > 1 else ()
        rig.xmit(rig.skb(frame, tuple(14 + cut for cut in cuts)) if cuts else rig.skb(frame))
        total += pieces
        sent.append(frame)
        if rig.tx.txq.stopped:
            rig.run()
    rig.run()
    assert rig.port.frames() == sent
    assert rig.tx.next_to_clean == rig.tx.next_to_use == total & 0xFFFF


def test_the_queue_stops_before_it_is_full_and_wakes_at_the_threshold() -> None:
    rig = Rig(tx_count=64)
    accepted = 0
    while not rig.tx.txq.stopped:
        assert rig.tx.unused() >= DESC_NEEDED
        assert rig.xmit(rig.skb(payload(1000))) == NETDEV_TX_OK
        accepted += 1
    assert rig.tx.unused() == DESC_NEEDED - 1
    while rig.tx.txq.stopped:
        assert rig.tx.unused() < TX_WAKE_THRESHOLD
        rig.clock.run(until=rig.clock.now + 100)
    assert rig.tx.unused() >= TX_WAKE_THRESHOLD
    rig.run()
    assert len(rig.port.sent) == accepted
    assert (rig.tx.stats.stops, rig.tx.stats.wakes, rig.tx.stats.tx_busy) == (1, 1, 0)


def test_a_full_ring_refuses_the_packet_untouched() -> None:
    rig = Rig(tx_count=64)
    for _ in range(64):
        assert rig.xmit(rig.skb(payload(60)), more=True) == NETDEV_TX_OK
    assert rig.tx.unused() == 0
    rig.tx.txq.start_queue()
    refused = rig.skb(payload(60))
    mapped = rig.mapped()
    assert rig.xmit(refused) == NETDEV_TX_BUSY
    assert (refused.users, rig.mapped(), rig.tx.stats.tx_busy) == (1, mapped, 1)
    assert rig.tx.txq.stopped
    rig.run()
    assert not rig.tx.txq.stopped
    assert rig.xmit(refused) == NETDEV_TX_OK
    rig.run()
    assert len(rig.port.sent) == 65


def test_the_card_never_owns_more_than_the_ring_holds() -> None:
    rig = Rig(tx_count=64)
    for index in range(300):
        if rig.tx.txq.stopped:
            rig.run()
        rig.xmit(rig.skb(payload(200), (14, 50, 100)))
        assert 0 <= rig.tx.unused() <= 64
        assert rig.tx.next_to_use - rig.tx.next_to_clean & 0xFFFF <= 64, index
    rig.run()
    assert rig.model.stats.doorbell_errs == 0


# -- completion ----------------------------------------------------------------------------------


@pytest.mark.claim("S44")
def test_completion_interrupts_unmaps_and_frees_while_the_cpu_was_free_meanwhile() -> None:
    rig = Rig()
    skbs = rig.dev.net.skbs
    before = rig.mapped(), skbs.alive
    freed_at: list[int] = []
    worked_at: list[int] = []
    skb = rig.skb(payload(1514), (14, 700))
    skb.destructor = lambda _: freed_at.append(rig.clock.now)
    irqs = rig.kernel.irq.counts[rig.bus.irqs[0]]
    rig.xmit(skb)

    def work() -> None:
        for _ in range(10):
            worked_at.append(rig.clock.now)
            rig.kernel.sched.schedule_timeout(100)

    rig.kernel.sched.spawn(work, "worker")
    rig.run()
    assert rig.kernel.irq.counts[rig.bus.irqs[0]] == irqs + 1
    assert (rig.mapped(), skbs.alive) == before
    (start, _, _) = rig.port.sent[0]
    assert freed_at == [start + 1231]  # (1514 + 24) * 8 bits at 10 Gbit/s, rounded up
    assert len([when for when in worked_at if start - 500 <= when < freed_at[0]]) == 10


def test_one_interrupt_serves_all_that_completed_before_the_poll() -> None:
    rig = Rig()
    for _ in range(50):
        rig.xmit(rig.skb(payload(60)))
    fired = rig.model.stats.irqs
    rig.run()
    assert rig.dev.stats.tx_packets == 50
    assert 0 < rig.model.stats.irqs - fired <= 50
    rig.xmit(rig.skb(payload(60)))
    rig.run()
    assert rig.dev.stats.tx_packets == 51


def test_bytes_between_map_and_unmap_are_not_changed() -> None:
    rig = Rig()
    frame = bytes(tcp_frame(payload(1200)))
    skb = rig.partial(with_pseudo_sum(frame), (54, 600), at=(33,))
    before = skb.to_bytes()
    seen: list[bytes] = []
    skb.destructor = lambda done: seen.append(done.to_bytes())
    rig.xmit(skb)
    rig.run()
    assert seen == [before]


@pytest.mark.parametrize("what", ["cookie", "head"])
def test_a_completion_that_fits_no_packet_is_a_bug(what: str) -> None:
    rig = Rig()
    rig.xmit(rig.skb(payload(100)))
    phase = 1 << regs.TXC_PHASE_LSB - 64
    head = 2 if what == "head" else 1
    word = 12345 | head << regs.TXC_HEAD_LSB - 64 | phase
    rig.kernel.mem.buf[rig.tx.cpl.addr + 8 : rig.tx.cpl.addr + 16] = word.to_bytes(8, "little")
    with pytest.raises(KernelBug, match="completion"):
        hnic_tx.hnic_clean_tx_irq(rig.tx, 1)


# -- mapping failures ----------------------------------------------------------------------------


def failing_at(rig: Rig, k: int) -> list[int]:
    """Make the map number `k` from now on fail; returns the sizes that maps were asked for."""
    asked: list[int] = []

    def fault(addr: int, size: int) -> bool:
        asked.append(size)
        return len(asked) == k + 1

    rig.bus.dma.fault = fault
    return asked


@pytest.mark.parametrize("k", range(5))
def test_a_failed_mapping_is_unwound_and_the_packet_dropped_once(k: int) -> None:
    rig = Rig()
    mapped, first, tail = rig.mapped(), rig.tx.next_to_use, rig.model.tx.queues[0].tail
    skb = rig.skb(payload(1000), (100, 200, 300, 400))
    freed: list[SkBuff] = []
    skb.destructor = freed.append
    asked = failing_at(rig, k)
    events = rig.events()
    assert rig.xmit(skb) == NETDEV_TX_OK
    assert "doorbell" not in [event.name for event in events]
    assert len(asked) == k + 1
    assert freed == [skb]
    assert (rig.mapped(), rig.tx.next_to_use, rig.model.tx.queues[0].tail) == (mapped, first, tail)
    assert (rig.tx.stats.mapping_errors, rig.dev.stats.tx_dropped) == (1, 1)
    assert rig.dev.net.drops == {"DMA_MAPPING": 1}
    rig.bus.dma.fault = None
    rig.xmit(rig.skb(payload(90)))
    rig.run()
    assert rig.port.frames() == [payload(90)]


def test_a_failed_last_packet_of_a_burst_does_not_hold_back_those_before_it() -> None:
    rig = Rig()
    rig.xmit(rig.skb(payload(100)), more=True)
    failing_at(rig, 0)
    rig.xmit(rig.skb(payload(100)))
    rig.run()
    assert len(rig.port.sent) == 1


# -- violations are caught -----------------------------------------------------------------------


def test_a_driver_that_unmaps_too_early_is_caught_when_the_card_reads() -> None:
    rig = Rig()
    skb = rig.skb(payload(200))
    rig.xmit(skb)
    rig.bus.dma.debug.unmap(skb.data, 200, 1, 0)
    with pytest.raises(DmaViolation, match=rf"read of 200 bytes.*was unmapped.*skb#{skb.key}"):
        rig.run()


def test_a_driver_that_never_maps_is_caught_when_the_card_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    monkeypatch.setattr(hnic_tx, "dma_map_single", lambda dev, addr, *_: addr)
    rig.xmit(rig.skb(payload(200)))
    with pytest.raises(DmaViolation, match="not mapped; nearest"):
        rig.run()


def test_a_driver_that_maps_the_wrong_way_is_caught_when_the_card_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    monkeypatch.setattr(hnic_tx, "DMA_TO_DEVICE", 2)
    rig.xmit(rig.skb(payload(200)))
    with pytest.raises(DmaViolation, match="wrong direction"):
        rig.run()


def test_a_driver_that_forgets_dma_mapping_error_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr(hnic_tx, "dma_mapping_error", lambda dev, addr: False)
    rig.xmit(rig.skb(payload(200)))
    with pytest.raises(DmaViolation, match="dma_mapping_error"):
        rig.run()
