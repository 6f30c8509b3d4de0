"""The card from doorbell to XGMII.

AXI is judged by cocotbext-axi and by hnic_axi_check, frames by cocotbext-eth, checksums by scapy.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import deep, run_module
from tests.hdl.card import PERIOD_PS, Card, cycles
from tests.hdl.card_rings import TxCompletion

LATENCY = 64  # cycles, 400 ns
WHERE_WIDTH_MATTERS = "frames_of_many_sizes|segments_at|soft_reset|full_rings|way_of"


@pytest.mark.claim("S43")
def test_card_sends_what_the_ring_names(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"AXI_DATA_W": 128})


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_card_is_the_same_in_every_simulator(simulator: str) -> None:
    run_module(__file__, simulator, {"AXI_DATA_W": 128})


@pytest.mark.parametrize("width", [512, *deep(64, 256)])
@pytest.mark.claim("S43")
def test_card_is_the_same_at_other_bus_widths(module_simulator: str, width: int) -> None:
    """What has to do with the width."""
    run_module(__file__, module_simulator, {"AXI_DATA_W": width}, only=WHERE_WIDTH_MATTERS)


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\0")


async def send_all(card: Card, packets: Sequence[Sequence[tuple[int, bytes]]]) -> None:
    """Send packets in doorbell batches and compare wire, side-band and completions."""
    room = 1 << card.tx[0].size_log2
    todo = list(enumerate(packets))
    expected: list[TxCompletion] = []
    got: list[TxCompletion] = []
    while todo or len(got) < len(expected):
        used = (card.tx[0].tail - (got[-1][1] if got else 0)) & 0xFFFF
        batch = card.rng.randrange(1, 9)
        while todo and batch and used + len(todo[0][1]) <= room:
            index, segments = todo.pop(0)
            card.tx[0].post_packet(segments, cookie=0xC0000000 + index)
            expected.append(TxCompletion(0xC0000000 + index, card.tx[0].tail, r.STATUS_OK))
            used += len(segments)
            batch -= 1
        await card.tx[0].doorbell()
        got += await card.tx[0].completions(1)
    assert got == expected
    await card.settle()
    assert card.frames() == [padded(b"".join(data for _, data in p)) for p in packets]
    assert card.cookies[-len(packets) :] == [0xC0000000 + i for i in range(len(packets))]


@cocotb.test()
async def one_frame(dut: Any) -> None:
    card = await Card(dut).start()
    await send_all(card, [[(2, bytes(range(60)))]])


@cocotb.test()
async def frames_of_many_sizes(dut: Any) -> None:
    card = await Card(dut).start()
    sizes = [
        *range(1, 20),
        *range(55, 76),
        127,
        128,
        129,
        511,
        512,
        513,
        1513,
        1514,
        1515,
        4097,
        9600,
    ]
    await send_all(card, [[(card.rng.randrange(64), card.rng.randbytes(n))] for n in sizes])


@cocotb.test()
async def segments_at_odd_addresses_and_page_borders(dut: Any) -> None:
    card = await Card(dut).start()
    card.stall(0.3)
    packets = []
    for _ in range(40):
        count = card.rng.choice([1, 2, 3, 5, 17])
        packets.append(
            [
                (
                    card.rng.choice([card.rng.randrange(64), 4096 - 64 - card.rng.randrange(40)]),
                    card.rng.randbytes(n),
                )
                for n in (
                    card.rng.choice([1, 2, 7, 14, 54, 66, card.rng.randrange(1, 400)])
                    for _ in range(count)
                )
            ]
        )
    await send_all(card, packets)


@cocotb.test()
async def rings_wrap_and_the_phase_toggles(dut: Any) -> None:
    card = await Card(dut).start()
    await send_all(card, [[(i % 5, bytes([i & 255]) * 60)] for i in range(200)])


@cocotb.test()
async def checksums_are_those_of_scapy(dut: Any) -> None:
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    card = await Card(dut).start()
    wanted = []
    for i in range(30):
        payload = card.rng.randbytes(card.rng.choice([0, 1, 2, 3, 25, 26, 200, 1400, 1401]))
        layer = card.rng.choice([TCP(sport=1, dport=2, seq=i), UDP(sport=3, dport=4)])
        net = card.rng.choice(
            [IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fe80::1", dst="fe80::2")]
        )
        frame = bytes(
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / net / layer / Raw(payload)
        )
        wanted.append(frame)
        start = 14 + (20 if isinstance(net, IP) else 40)
        offset = 16 if isinstance(layer, TCP) else 6
        pseudo = pseudo_header_sum(frame, start, 6 if isinstance(layer, TCP) else 17)
        place = start + offset
        asked = frame[:place] + struct.pack(">H", pseudo) + frame[place + 2 :]
        cut = card.rng.randrange(1, len(asked))
        card.tx[0].post_packet(
            [(card.rng.randrange(16), asked[:cut]), (1, asked[cut:])], i, (start, offset)
        )
    await card.tx[0].doorbell()
    assert all(c.status == r.STATUS_OK for c in await card.tx[0].completions(len(wanted)))
    await card.settle()
    assert card.frames() == [padded(frame) for frame in wanted]
    assert await card.read(r.STAT_TX_CSUMS) == len(wanted)


def pseudo_header_sum(frame: bytes, start: int, protocol: int) -> int:
    """What CHECKSUM_PARTIAL leaves in the checksum field: the folded sum, not complemented."""
    addresses = frame[26:34] if start == 34 else frame[22:54]
    words = struct.unpack(f">{len(addresses) // 2}H", addresses)
    total = sum(words) + protocol + len(frame) - start
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@cocotb.test()
async def a_checksum_of_zero_is_sent_as_ffff(dut: Any) -> None:
    card = await Card(dut).start()
    frame = bytearray(64)
    frame[14:16] = b"\xff\xff"
    card.tx[0].post_packet([(3, bytes(frame))], 1, (14, 6))
    await card.tx[0].doorbell()
    await card.tx[0].completions(1)
    await card.settle()
    frame[20:22] = b"\xff\xff"
    assert card.frames() == [bytes(frame)]


@cocotb.test()
async def the_interrupt_is_one_shot_and_never_early(dut: Any) -> None:
    card = await Card(dut).start()
    card.ram.write_if.b_channel.pause = True
    await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, 0)
    card.tx[0].post_packet([(0, bytes(60))], 1)
    await card.tx[0].doorbell()
    await card.tx[0].completions(1)
    await cycles(50)
    assert card.irqs == []
    assert await card.read(r.TXQ_BASE + r.Q_CPL_HEAD) == 0
    card.ram.write_if.b_channel.pause = False
    await card.settle()
    assert card.irqs == [1]
    card.tx[0].post_packet([(0, bytes(60))], 2)
    await card.tx[0].doorbell()
    await card.tx[0].completions(1)
    await card.settle()
    assert card.irqs == [1]
    await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, 2)
    await card.settle()
    assert card.irqs == [1]
    await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, 1)
    await card.settle()
    assert card.irqs == [1, 1]
    assert await card.read(r.STAT_IRQS) == 2


@cocotb.test()
async def every_address_answers(dut: Any) -> None:
    card = await Card(dut).start()
    assert await card.read(r.ID) == r.ID_RST
    assert await card.read(r.MAX_FRAME) == 9600
    holes = (0x03C, 0x0FC, 0x158, 0x228, 0x300, 0x3FFC, 0x7FFC, 0xFFFC)
    inside = (r.Q_DROPS + 4, r.TXQ_STRIDE - 4)
    beyond = r.TXQ_BASE + len(card.tx) * r.TXQ_STRIDE, r.RXQ_BASE + len(card.rx) * r.RXQ_STRIDE
    for hole in (*holes, *(r.TXQ_BASE + at for at in inside), *beyond):
        await card.write(hole, 0xFFFFFFFF)
        assert await card.read(hole) == 0, hex(hole)
    await card.write(r.SCRATCH, 0x12345678)
    await card.mmio.write(r.SCRATCH, b"\xff\xff")
    assert await card.read(r.SCRATCH) == 0x12345678
    await card.write(r.TXQ_BASE + r.Q_DOORBELL, 65)
    assert await card.read(r.TXQ_BASE + r.Q_DOORBELL) == 0
    assert await card.read(r.STAT_DOORBELL_ERRS) == 1
    assert await card.read(r.TXQ_BASE + r.Q_IRQ_VECTOR) == 0


@cocotb.test()
async def a_soft_reset_in_flight_leaves_a_working_card(dut: Any) -> None:
    card = await Card(dut).start()
    card.stall(0.4)
    for delay in (1, 7, 20, 33, 60, 100, 170, 300):
        for i in range(12):
            card.tx[0].post_packet([(i, card.rng.randbytes(300)), (3, card.rng.randbytes(90))], i)
        await card.tx[0].doorbell()
        await cycles(delay)
        await card.write(r.CTRL, 1 << r.CTRL_RESET_LSB)
        while await card.read(r.CTRL):
            pass
        await card.settle()
        card.frames()
        card.ram.write(card.tx[0].cpl_ring, bytes(r.TXC_BYTES << card.tx[0].size_log2))
        await card.bring_up()
        await send_all(card, [[(1, card.rng.randbytes(77))], [(9, card.rng.randbytes(200))]])


@cocotb.test()
async def a_disabled_queue_finishes_what_it_was_given(dut: Any) -> None:
    card = await Card(dut).start()
    for i in range(9):
        card.tx[0].post_packet([(i, bytes([i]) * 70)], i)
    await card.tx[0].doorbell()
    await card.write(r.TXQ_BASE + r.Q_CTRL, 0)
    await card.settle()
    assert len(card.frames()) == 9
    assert await card.read(r.TXQ_BASE + r.Q_STATUS) == 0
    assert await card.read(r.TXQ_BASE + r.Q_HEAD) == 0


@cocotb.test()
async def it_works_with_a_clock_that_stops_when_idle(dut: Any) -> None:
    card = await Card(dut, gated=True).start()
    for i, size in enumerate((1, 60, 61, 64, 200, 1514)):
        card.irqs.clear()
        await card.write(r.TXQ_BASE + r.Q_IRQ_ARM, i)
        card.tx[0].post_packet([(i, bytes([i + 1]) * size)], i)
        await card.tx[0].doorbell()
        await card.settle()
        assert card.tx[0].completion() == TxCompletion(i, i + 1, r.STATUS_OK)
        assert card.frames() == [padded(bytes([i + 1]) * size)]
        assert card.irqs == [1]
        stopped_at = await card.read(r.CYCLE_LO)
        await cycles(300)
        assert await card.read(r.CYCLE_LO) - stopped_at < 100


@cocotb.test()
async def nothing_is_lost_when_the_clock_stops_whenever_it_may(dut: Any) -> None:
    card = await Card(dut, gated=True).start()
    card.stall(0.3)
    sent = []
    for i in range(24):
        burst = [
            [(card.rng.randrange(64), card.rng.randbytes(card.rng.choice([1, 60, 61, 90, 300])))]
            for _ in range(card.rng.choice([1, 1, 2, 5]))
        ]
        for packet in burst:
            card.tx[0].post_packet(packet, i)
        sent += [padded(packet[0][1]) for packet in burst]
        await card.tx[0].doorbell()
        await cycles(card.rng.choice([1, 10, 60, 200]))
    await card.settle()
    assert card.frames() == sent
    assert await card.read(r.TXQ_BASE + r.Q_CPL_HEAD) == len(sent)
    await card.write(r.CTRL, 1 << r.CTRL_RESET_LSB)
    await card.settle()
    assert await card.read(r.CTRL) == 0
    assert card.stops > 4


@cocotb.test()
async def the_clock_runs_until_the_gap_is_over(dut: Any) -> None:
    """Otherwise the rest of it would be waited for by the next frame, however long ago this was."""
    card = await Card(dut, gated=True).start()
    for gap in (12, 100, 252):
        await card.write(r.LINK_CFG, gap)
        card.tx[0].post_packet([(0, bytes(64))], 1)
        await card.tx[0].doorbell()
        idle = 0
        while dut.status_busy.value:
            await cycles(1)
            idle = idle + 1 if dut.xgmii_txc.value == 0xFF else 0
        assert idle >= gap // 8 - 2


async def cycles_per_frame(card: Card, sizes: Sequence[int], count: int) -> float:
    """Mean distance of start characters of packets of these segments, with a full ring."""
    packets = [[(2, bytes(size)) for size in sizes]] * count
    for i, packet in enumerate(packets):
        card.tx[0].post_packet(packet, i)
    await card.tx[0].doorbell()
    await card.tx[0].completions(count)
    await card.settle()
    starts = []
    while not card.sink.empty():
        starts.append(card.sink.recv_nowait().sim_time_sfd)
    return (starts[-1] - starts[count // 4]) / (count - 1 - count // 4) / (PERIOD_PS)


async def cycles_to_the_wire(card: Card, sizes: Sequence[int]) -> int:
    """From the doorbell's word on AXI4-Lite to the start character of one packet."""
    dut = card.dut
    card.tx[0].post_packet([(0, bytes(size)) for size in sizes], 7)
    cocotb.start_soon(card.tx[0].doorbell())
    while not (dut.s_axil_wvalid.value and dut.s_axil_wready.value):
        await RisingEdge(dut.clk)
    count = 0
    while not dut.m_wire_cookie_valid.value:
        await RisingEdge(dut.clk)
        await ReadOnly()
        count += 1
    await RisingEdge(dut.clk)
    await card.tx[0].completions(1)
    await card.settle()
    card.frames()
    return count


@cocotb.test()
async def full_rings_leave_no_more_than_the_gap(dut: Any) -> None:
    card = await Card(dut).start()
    wide = len(dut.m_axi_rdata) >= 128
    small = await cycles_per_frame(card, [60], 48)
    large = await cycles_per_frame(card, [1514], 12)
    dut._log.info("cycles a frame: %.2f of 60 bytes, %.2f of 1514 bytes", small, large)
    if wide:
        assert small <= (60 + 4 + 8 + 12) / 8 + 0.2
    assert (1514 + 24) / 8 - 0.2 <= large <= (1514 + 24) / 8 * (1.01 if wide else 1.2)


@cocotb.test()
async def the_way_of_one_frame_is_short(dut: Any) -> None:
    card = await Card(dut).start()
    count = await cycles_to_the_wire(card, [60])
    dut._log.info("doorbell to start character: %d cycles", count)
    assert count <= 40


@cocotb.test()
async def slow_memory_costs_latency_and_not_throughput(dut: Any) -> None:
    """Each read and each write answered LATENCY cycles later."""
    card = await Card(dut, latency=LATENCY).start()
    wide = len(dut.m_axi_rdata) >= 128
    for size in (60, 1514):
        line = (max(size, 60) + 24) / 8
        for sizes in ([size], [size // 2, size - size // 2]):
            to_wire = await cycles_to_the_wire(card, sizes)
            mean = await cycles_per_frame(card, sizes, 64 // len(sizes) if size == 60 else 12)
            dut._log.info("slow memory: %s: %d to wire, %.2f a frame", sizes, to_wire, mean)
            assert to_wire < 2 * LATENCY + 40 + size // 8
            if wide:
                assert mean < line * 1.05
