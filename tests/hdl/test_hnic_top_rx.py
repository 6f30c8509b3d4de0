"""The card from XGMII to the buffers of the host: filters, offloads, scatter, queues, losses.

Frames are made by scapy and sent by cocotbext-eth; memory is cocotbext-axi's, and every byte that
is written outside of a posted buffer fails the test.
"""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotbext.eth import XgmiiFrame

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import deep, run_module
from tests.hdl.card import BAD, MAC, Card, cycles
from tests.hdl.card_rings import RxCompletion

PEER = "02:00:00:00:00:02"
HOST = "02:00:00:00:00:01"


@pytest.mark.parametrize("width", [128, *deep(64, 256, 512)])
def test_card_receives_what_is_meant_for_it(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"AXI_DATA_W": width}, top="hnic_top")


def udp(size: int, *, port: int = 1000, vlan: int = 0, dst: str = HOST, good: bool = True) -> bytes:
    """A UDP datagram with `size` bytes of payload."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Dot1Q, Ether
    from scapy.packet import Raw

    ether = Ether(src=PEER, dst=dst)
    tag = ether / Dot1Q(vlan=vlan) if vlan else ether
    frame = bytes(
        tag / IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=port, dport=7) / Raw(bytes(size))
    )
    return frame if good else frame[:-1] + bytes([frame[-1] ^ 1])


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\0")


async def one(card: Card, frame: bytes, queue: int = 0) -> RxCompletion:
    """Send one frame and take its completion."""
    await card.receive(frame)
    (entry,) = await card.rx[queue].completions(1)
    return entry


@cocotb.test()
async def frames_of_many_sizes_arrive_whole(dut: Any) -> None:
    card = await Card(dut).start()
    card.stall(0.2)
    await card.bring_up_rx()
    for size in (60, 61, 63, 64, 65, 127, 128, 129, 511, 1000, 1513, 1514):
        frame = MAC + card.rng.randbytes(size - 6)
        await card.receive(frame, size)
        (entry,) = await card.rx[0].completions(1)
        assert (entry.status, entry.frame) == (r.STATUS_OK, frame)
        assert entry.get("COOKIE") == size
        assert entry.get("BUFS") == 1
    await card.settle()
    assert await card.read(r.STAT_RX_FRAMES) == 12


@cocotb.test()
async def a_frame_is_scattered_over_buffers_of_any_size(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx(buffers=0)
    ring = card.rx[0]
    for sizes in ([100, 100, 100], [1, 2, 3, 400], [64] * 5, [299, 1], [300], [7] * 43):
        for size in sizes:
            ring.post_buffer(size, card.rng.randrange(64))
        await ring.doorbell()
        frame = MAC + card.rng.randbytes(294)
        entry = await one(card, frame)
        assert (entry.status, entry.frame) == (r.STATUS_OK, frame)
        assert entry.get("BUFS") == len(sizes)


@cocotb.test()
async def a_jumbo_frame_crosses_pages(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx(buffers=8, size=4096)
    frame = MAC + card.rng.randbytes(9594)
    entry = await one(card, frame)
    assert (entry.frame, entry.get("BUFS")) == (frame, 3)


@cocotb.test()
async def checksums_and_tags_are_judged(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx()
    await card.write(r.RX_CTRL, 1 << r.RX_CTRL_VLAN_STRIP_LSB)
    good = await one(card, udp(200))
    assert (good.get("CSUM_OK"), good.get("IP_OK"), good.get("VLAN")) == (1, 1, 0)
    bad = await one(card, udp(200, good=False))
    assert (bad.get("CSUM_OK"), bad.get("IP_OK")) == (0, 1)
    tagged = await one(card, udp(100, vlan=5))
    assert tagged.frame == udp(100)
    assert (tagged.get("VLAN"), tagged.get("VLAN_TCI"), tagged.get("CSUM_OK")) == (1, 5, 1)
    await card.write(r.RX_CTRL, 0)
    kept = await one(card, udp(100, vlan=5))
    assert (kept.frame, kept.get("VLAN")) == (udp(100, vlan=5), 0)
    assert await card.read(r.STAT_RX_CSUM_ERRS) == 1


@cocotb.test()
async def the_hash_chooses_the_queue(dut: Any) -> None:
    card = await Card(dut).start()
    queues = len(card.rx)
    await card.bring_up_rx(queues=queues, buffers=16)
    for word in range(r.RSS_KEY_COUNT):
        await card.write(r.RSS_KEY + 4 * word, card.rng.getrandbits(32))
    for word in range(r.RSS_TABLE_COUNT):
        entries = bytes((4 * word + i) % queues for i in range(4))
        await card.write(r.RSS_TABLE + 4 * word, int.from_bytes(entries, "little"))
    await card.write(r.RX_CTRL, 1 << r.RX_CTRL_RSS_LSB)
    flows = 24
    for port in range(flows):
        await card.receive(udp(60, port=port))
    await card.settle()
    seen: dict[int, int] = {}
    for queue, ring in enumerate(card.rx):
        while (entry := ring.completion()) is not None:
            port = int.from_bytes(entry.frame[34:36], "big")
            seen[port] = queue
            assert entry.get("HASH_TYPE") == 2
            assert entry.get("HASH") % 128 % queues == queue
    assert len(seen) == flows
    assert queues == 1 or len(set(seen.values())) > 1


@cocotb.test()
async def unwanted_frames_stay_out(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx()
    other = bytes.fromhex("02000000000f")
    group = bytes.fromhex("01005e000001")
    await card.receive(padded(other + bytes(54)))
    await card.receive(padded(group + bytes(54)))
    broken = XgmiiFrame.from_payload(padded(MAC + bytes(54)))
    broken.data[30] ^= 1
    await card.source.send(broken)
    entry = await one(card, padded(b"\xff" * 6 + bytes(54)))
    assert entry.frame[:6] == b"\xff" * 6
    assert await card.read(r.STAT_RX_FILTERED) == 2
    assert await card.read(r.STAT_RX_FCS_ERRS) == 1
    await card.write(r.RX_CTRL, 1 << r.RX_CTRL_PROMISC_LSB)
    assert (await one(card, padded(other + bytes(54)))).frame[:6] == other
    await card.write(r.RX_CTRL, 1 << r.RX_CTRL_ALLMULTI_LSB)
    assert (await one(card, padded(group + bytes(54)))).frame[:6] == group


@cocotb.test()
async def without_a_buffer_the_frame_is_counted_and_gone(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx(buffers=0)
    ring = card.rx[0]
    await card.receive(udp(20))
    await card.settle()
    assert ring.completion() is None
    assert await ring.read(r.Q_DROPS) == await card.read(r.STAT_RX_DROPS) == 1
    ring.post_buffer(40)
    await ring.doorbell()
    entry = await one(card, udp(100))
    assert (entry.status, entry.get("BUFS")) == (r.STATUS_NO_DESC, 1)
    ring.post_buffer(2048)
    await ring.doorbell()
    assert (await one(card, udp(100))).frame == udp(100)


@cocotb.test()
async def a_buffer_that_cannot_be_written_stops_its_queue_alone(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx(buffers=0)
    ring = card.rx[0]
    card.next_data = BAD
    word = BAD << r.RXD_ADDR_LSB | 2048 << r.RXD_LEN_LSB
    ring.post(word.to_bytes(r.RXD_BYTES, "little"))
    ring._buffers[0] = BAD, 2048
    await ring.write(r.Q_IRQ_ARM, 0)
    await ring.doorbell()
    await card.receive(udp(50))
    await card.settle()
    assert await ring.read(r.Q_STATUS) >> r.Q_STATUS_ERROR_LSB & 1
    assert await ring.read(r.Q_ERROR) & 0xFF == r.STATUS_DMA_ERR
    assert card.irqs == [1 << 1]
    card.tx[0].post_packet([(0, bytes(60))], 1)
    await card.tx[0].doorbell()
    assert (await card.tx[0].completions(1))[0].status == r.STATUS_OK
    await ring.reset()
    await ring.start()
    ring.post_buffer(2048)
    await ring.doorbell()
    assert (await one(card, udp(50))).frame == padded(udp(50))


@cocotb.test()
async def both_directions_at_once_with_resets_between(dut: Any) -> None:
    card = await Card(dut).start()
    card.stall(0.3)
    for delay in (40, 90, 150, 260):
        await card.bring_up_rx(buffers=16)
        for i in range(8):
            card.tx[0].post_packet([(i, card.rng.randbytes(200))], i)
            await card.receive(udp(100 + i))
        await card.tx[0].doorbell()
        await cycles(delay)
        await card.write(r.CTRL, 1 << r.CTRL_RESET_LSB)
        while await card.read(r.CTRL):
            pass
        await card.settle()
        card.frames()
        await card.bring_up()
    await card.bring_up_rx(buffers=8)
    assert (await one(card, udp(333))).frame == udp(333)


@cocotb.test()
async def a_pause_frame_holds_the_transmitter(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx()
    await card.write(r.LINK_CFG, 12 | 1 << r.LINK_CFG_PAUSE_LSB)
    pause = bytes.fromhex("0180c2000001 020000000002 8808 0001 0020")
    await card.receive(padded(pause))
    while not await card.read(r.LINK_STATUS) >> r.LINK_STATUS_PAUSED_LSB & 1:
        pass
    card.tx[0].post_packet([(0, bytes(60))], 1)
    await card.tx[0].doorbell()
    await cycles(100)
    assert card.cookies == []
    await card.settle()
    assert card.cookies == [1]
    assert await card.read(r.STAT_RX_PAUSES) == 1
    assert await card.read(r.STAT_RX_FRAMES) == 0


@cocotb.test()
async def it_receives_with_a_clock_that_stops_when_idle(dut: Any) -> None:
    card = await Card(dut, gated=True).start()
    await card.bring_up_rx()
    for size in (20, 100, 700):
        card.irqs.clear()
        await card.rx[0].write(r.Q_IRQ_ARM, card.rx[0].consumed)
        await card.receive(udp(size))
        await card.settle()
        entry = card.rx[0].completion()
        assert entry is not None
        assert entry.frame == padded(udp(size))
        assert card.irqs == [1 << 1]
        await cycles(200)
    assert card.stops > 2
