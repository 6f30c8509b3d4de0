"""Frames into buffers: scatter, drops, faults, interrupts."""

from __future__ import annotations

import random

import pytest

from pyhost.dma.debug import DmaViolation
from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.drivers.net.hnic_model.card_rig import (
    COMPLETIONS,
    DATA,
    PROMISC,
    QUEUES,
    SIZE,
    CardRig,
    record,
    rxq,
)

BUFFER = 512
RX = rxq(0)
CPL = COMPLETIONS + QUEUES * 0x1000


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable(RX)
    rig.bus.writel(PROMISC, regs.RX_CTRL)
    return rig


def post(rig: CardRig, *buf_ids: int) -> None:
    """Post buffers of 512 bytes, buffer i at its own place in data memory."""
    rig.post_rx(*[(i * BUFFER, BUFFER, i) for i in buf_ids])


def test_a_frame_goes_into_the_next_buffer_and_its_completion_says_all(rig: CardRig) -> None:
    rig.clock.run(until=5000)
    post(rig, 9, 4)
    frame = payload(100)
    rig.port.receive(frame, 77)
    rig.port.receive(frame[:60], 78)
    assert rig.data(9 * BUFFER, 100) == frame
    done = rig.completion(0, "RXC")
    assert (done["BUF_ID"], done["HEAD"], done["STATUS"], done["PHASE"]) == (9, 1, 0, 1)
    assert (done["LEN"], done["COOKIE"], done["BUFS"]) == (100, 77, 1)
    assert done["TIMESTAMP"] == 5000 - -(-112 * 8 // 10)
    assert rig.completion(1, "RXC")["BUF_ID"] == 4
    assert rig.reg(RX + regs.Q_CPL_HEAD) == rig.reg(RX + regs.Q_HEAD) == 2
    assert (rig.reg(regs.STAT_RX_FRAMES), rig.reg(regs.STAT_CPLS)) == (2, 2)


@pytest.mark.parametrize("seed", range(20))
def test_frames_spread_over_buffers_of_any_size_and_address_and_touch_nothing_else(
    rig: CardRig, seed: int
) -> None:
    rng = random.Random(seed)
    places = [
        (i * 0x1000 + rng.randrange(0x400), rng.choice([1, 2, 7, 60, 511, 2048]), 1000 + i)
        for i in range(40)
    ]
    image = bytearray(b"\xa5" * 0x2_8000)
    rig.fill(bytes(image))
    rig.post_rx(*places)
    head = key = 0
    while head < 40:
        frame = payload(rng.randrange(60, 1500), seed=key)
        rig.port.receive(frame, key)
        first, left = head, frame
        while left and head < 40:
            at, size, _ = places[head]
            image[at : at + len(left[:size])] = left[:size]
            left = left[size:]
            head += 1
        done = rig.completion(key, "RXC")
        assert (done["BUF_ID"], done["BUFS"]) == (1000 + first, head - first)
        status = regs.STATUS_NO_DESC if left else 0
        assert (done["HEAD"], done["STATUS"], done["LEN"]) == (head, status, len(frame))
        key += 1
    assert rig.data(0, len(image)) == image


def test_frames_without_a_buffer_or_a_queue_are_dropped_and_counted(rig: CardRig) -> None:
    rig.port.receive(payload(60), 1)
    post(rig, 0)
    rig.port.receive(payload(512), 3)
    rig.bus.writel(0, RX + regs.Q_CTRL)
    rig.port.receive(payload(60), 4)
    assert rig.reg(RX + regs.Q_DROPS) == rig.reg(regs.STAT_RX_DROPS) == 2
    assert rig.completion(0, "RXC")["COOKIE"] == 3
    assert rig.completion(1, "RXC")["PHASE"] == 0


def test_buffers_that_run_out_inside_a_frame_are_reported_and_the_queue_goes_on(
    rig: CardRig,
) -> None:
    post(rig, 5, 6)
    rig.port.receive(payload(1200), 1)
    done = rig.completion(0, "RXC")
    assert (done["STATUS"], done["BUFS"], done["HEAD"], done["LEN"]) == (
        regs.STATUS_NO_DESC,
        2,
        2,
        1200,
    )
    assert rig.data(5 * BUFFER, 1024) == payload(1200)[:1024]
    assert rig.error(RX) == (0, 0, 0)
    post(rig, 7)
    rig.port.receive(payload(60), 2)
    assert (rig.completion(1, "RXC")["BUF_ID"], rig.completion(1, "RXC")["STATUS"]) == (7, 0)


def test_a_disabled_queue_forgets_its_buffers_and_starts_at_zero(rig: CardRig) -> None:
    post(rig, 1, 2, 3)
    rig.port.receive(payload(60), 1)
    rig.bus.writel(0, RX + regs.Q_CTRL)
    assert [rig.reg(RX + o) for o in (regs.Q_STATUS, regs.Q_HEAD, regs.Q_DOORBELL)] == [0, 0, 0]
    rig.enable(RX)
    post(rig, 9)
    rig.port.receive(payload(60), 2)
    done = rig.completion(0, "RXC")
    assert (done["BUF_ID"], done["COOKIE"], done["PHASE"]) == (9, 2, 1)


def test_the_phase_bit_toggles_with_each_pass(rig: CardRig) -> None:
    for index in range(3 * SIZE):
        post(rig, index % 100)
        rig.port.receive(payload(60), index)
        done = rig.completion(index, "RXC")
        assert (done["PHASE"], done["COOKIE"]) == (1 - index // SIZE % 2, index)


def test_a_reset_of_the_card_clears_the_drops_of_a_queue_but_not_of_the_card(rig: CardRig) -> None:
    rig.port.receive(payload(60), 1)
    assert (rig.reg(RX + regs.Q_DROPS), rig.reg(regs.STAT_RX_DROPS)) == (1, 1)
    rig.bus.writel(1 << regs.CTRL_RESET_LSB, regs.CTRL)
    rig.run()
    assert (rig.reg(RX + regs.Q_DROPS), rig.reg(regs.STAT_RX_DROPS)) == (0, 1)


# -- faults --------------------------------------------------------------------------------------


def halted(rig: CardRig, status: int, index: int) -> None:
    """The queue has stopped: no frame comes in any more until it is reset."""
    assert rig.error(RX) == (1, status, index)
    drops = rig.reg(RX + regs.Q_DROPS)
    rig.port.receive(payload(60), 99)
    assert rig.reg(RX + regs.Q_DROPS) == drops + 1
    rig.model.rx.master.fault = None
    rig.reset_queue(RX)
    rig.enable(RX)
    post(rig, 11)
    rig.port.receive(payload(60), 100)
    done = rig.completion(0, "RXC")
    assert (done["COOKIE"], done["BUF_ID"], done["STATUS"]) == (100, 11, 0)


def test_a_buffer_without_length_stops_the_queue(rig: CardRig) -> None:
    rig.post_rx((0, 50, 1), (0, 0, 2), (0, 50, 3))
    rig.port.receive(payload(60), 1)
    done = rig.completion(0, "RXC")
    assert (done["STATUS"], done["HEAD"], done["BUFS"]) == (regs.STATUS_BAD_DESC, 2, 2)
    halted(rig, regs.STATUS_BAD_DESC, 1)


def test_a_descriptor_that_cannot_be_read_stops_the_queue(rig: CardRig) -> None:
    post(rig, 5, 6)
    where = rig.ring(RX)
    rig.model.rx.master.fault = lambda addr, length, write: addr == where
    rig.port.receive(payload(60), 1)
    done = rig.completion(0, "RXC")
    assert (done["STATUS"], done["BUF_ID"], done["HEAD"]) == (regs.STATUS_DESC_ERR, 0, 1)
    assert rig.reg(regs.STAT_AXI_RD_ERRS) == 1
    halted(rig, regs.STATUS_DESC_ERR, 0)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_write_that_fails_stops_the_queue_at_the_frame(rig: CardRig, bad: int) -> None:
    post(rig, 0)
    rig.port.receive(payload(60), 1)
    post(rig, 1, 2, 3, 4)
    where = DATA + (1 + bad) * BUFFER
    rig.model.rx.master.fault = lambda addr, length, write: write and addr == where
    rig.port.receive(payload(1200), 2)
    done = rig.completion(1, "RXC")
    assert (done["STATUS"], done["BUFS"], done["HEAD"]) == (regs.STATUS_DMA_ERR, 3, 4)
    assert rig.reg(regs.STAT_AXI_WR_ERRS) == 1
    halted(rig, regs.STATUS_DMA_ERR, 1)


def test_more_than_255_buffers_stop_the_queue() -> None:
    rig = CardRig()
    rig.enable(RX)
    rig.bus.writel(0, RX + regs.Q_CTRL)
    rig.bus.writel(9, RX + regs.Q_SIZE)
    rig.bus.writel(9, RX + regs.Q_CPL_SIZE)
    rig.bus.writel(1, RX + regs.Q_CTRL)
    rig.bus.writel(PROMISC, regs.RX_CTRL)
    base = rig.ring(RX)
    for index in range(300):
        desc = record("RXD", ADDR=DATA + index, LEN=1, BUF_ID=index).to_bytes(16, "little")
        rig.kernel.mem.buf[base + index * 16 : base + index * 16 + 16] = desc
    rig.bus.writel(300, RX + regs.Q_DOORBELL)
    rig.port.receive(payload(256), 1)
    done = rig.completion(0, "RXC")
    assert (done["STATUS"], done["BUFS"], done["HEAD"]) == (regs.STATUS_TOO_MANY, 255, 255)
    assert rig.error(RX) == (1, regs.STATUS_TOO_MANY, 254)


def test_a_completion_that_cannot_be_written_stops_the_queue(rig: CardRig) -> None:
    post(rig, 0, 1, 2)
    rig.bus.writel(1, RX + regs.Q_IRQ_ARM)
    rig.run()
    rig.model.rx.master.fault = lambda addr, length, write: addr == CPL + 32
    rig.port.receive(payload(60), 1)
    rig.port.receive(payload(60), 2)
    rig.run()
    assert rig.fired == [1]
    assert rig.reg(RX + regs.Q_CPL_HEAD) == 1
    halted(rig, regs.STATUS_CPL_ERR, 1)


def test_other_queues_go_on(rig: CardRig) -> None:
    rig.post_rx((0, 0, 2))
    rig.port.receive(payload(60), 1)
    rig.enable(rxq(2))
    rig.post_rx((0, 100, 7), block=rxq(2))
    rig.bus.writel(PROMISC | 1 << regs.RX_CTRL_RSS_LSB, regs.RX_CTRL)
    for index in range(32):
        rig.bus.writel(0x02020202, regs.RSS_TABLE + 4 * index)
    rig.port.receive(b"\0" * 12 + b"\x08\x00\x45\0\0\x2e" + b"\0" * 42, 5)
    assert rig.completion(0, "RXC", rxq(2))["BUF_ID"] == 7


def test_a_buffer_that_was_never_given_is_a_violation(rig: CardRig) -> None:
    rig.post_rx((0x10_0000, BUFFER, 1))
    with pytest.raises(DmaViolation, match="write of 60 bytes at 0x300000"):
        rig.port.receive(payload(60), 1)


def test_the_rx_interrupt_is_one_shot_and_has_its_own_vector(rig: CardRig) -> None:
    post(rig, *range(8))
    rig.bus.writel(0, RX + regs.Q_IRQ_ARM)
    for key in range(1, 4):
        rig.port.receive(payload(60), key)
    rig.run()
    assert rig.fired == [1]
    rig.bus.writel(2, RX + regs.Q_IRQ_ARM)
    rig.run()
    assert rig.fired == [1, 1]
