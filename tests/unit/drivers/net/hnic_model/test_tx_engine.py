from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.limits import DOORBELL_LATENCY_NS
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.drivers.net.hnic_model.card_rig import DATA, RING, SIZE, CardRig, whole


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable()
    rig.run()
    return rig


def test_nothing_happens_inside_the_doorbell_write(rig: CardRig) -> None:
    rig.post(whole(rig.fill(payload(100)), 100))
    assert rig.port.sent == []
    assert rig.completion(0)["PHASE"] == 0
    rung = rig.clock.now
    rig.run()
    assert rig.port.sent[0][0] == rung + DOORBELL_LATENCY_NS


def test_a_packet_keeps_the_wire_for_its_bytes_and_24_and_completes_then(rig: CardRig) -> None:
    rig.fill(payload(1514))
    rig.post(whole(DATA, 1514, 7), whole(DATA, 60, 8))
    start = rig.clock.now + DOORBELL_LATENCY_NS
    rig.clock.run(until=start + 1230)
    assert rig.completion(0)["PHASE"] == 0
    rig.clock.run(until=start + 1231)
    done = rig.completion(0)
    assert (done["PHASE"], done["COOKIE"], done["HEAD"], done["STATUS"]) == (1, 7, 1, 0)
    assert done["TIMESTAMP"] == start
    rig.run()
    assert [when for when, _, _ in rig.port.sent] == [start, start + 1231]
    assert rig.clock.now == start + 1231 + 68


def test_a_slower_link_and_a_wider_gap_take_longer(rig: CardRig) -> None:
    rig.bus.writel(100, regs.LINK_CFG)
    rig.fill(payload(60))
    rig.post(whole(DATA, 60), whole(DATA, 60))
    rig.run()
    first, second = (when for when, _, _ in rig.port.sent)
    assert second - first == -(-(60 + 12 + 100) * 8 // 10)


@pytest.mark.claim("S18")
def test_headers_are_read_first_then_each_fragment_in_order(rig: CardRig) -> None:
    header, first, second = payload(54), payload(700, 2), payload(333, 3)
    rig.fill(second, 0)
    rig.fill(header, 0x4FFF)
    rig.fill(first, 0x2001)
    reads: list[tuple[int, int]] = []
    rig.model.master.fault = lambda addr, length, write: (reads.append((addr, length)), False)[1]
    rig.post(
        {"ADDR": DATA + 0x4FFF, "LEN": 54, "SOP": 1, "COOKIE": 5},
        {"ADDR": DATA + 0x2001, "LEN": 700},
        {"ADDR": DATA, "LEN": 333, "EOP": 1},
    )
    rig.run()
    assert rig.port.frames() == [header + first + second]
    data = [read for read in reads if read[0] >= DATA]
    assert data == [(DATA + 0x4FFF, 54), (DATA + 0x2001, 700), (DATA, 333)]


def test_descriptors_are_fetched_in_bursts_that_end_at_the_end_of_the_ring(rig: CardRig) -> None:
    rig.fill(payload(60))
    reads: list[tuple[int, int]] = []
    for count in (60, 20):
        rig.post(*[whole(DATA, 60, 1) for _ in range(count)])
        rig.run()
        rig.model.master.fault = lambda addr, length, write: (
            reads.append(((addr - RING) // 32, length // 32)),
            False,
        )[1]
    got = [read for read in reads if 0 <= read[0] < SIZE and read[1]]
    assert got == [(60, 4), (0, 8), (8, 8)]


def test_no_burst_of_descriptors_crosses_a_page(
    rig: CardRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = RING + 4096 - 128
    monkeypatch.setattr(rig, "ring", lambda block: base)
    rig.reset_queue(regs.TXQ_BASE)
    rig.enable()
    rig.fill(payload(60))
    reads: list[tuple[int, int]] = []
    rig.model.master.fault = lambda addr, length, write: (reads.append((addr, length)), False)[1]
    rig.post(*[whole(DATA, 60) for _ in range(15)])
    rig.run()
    fetches = [((addr - base) // 32, length // 32) for addr, length in reads if addr < DATA]
    assert [read for read in fetches if 0 <= read[0] < SIZE and read[1]] == [
        (0, 4),
        (4, 8),
        (12, 3),
    ]


def test_the_phase_bit_toggles_with_each_pass(rig: CardRig) -> None:
    rig.fill(payload(60))
    for index in range(3 * SIZE):
        rig.post(whole(DATA, 60, index + 1))
        rig.run()
        done = rig.completion(index)
        assert (done["PHASE"], done["COOKIE"]) == (1 - index // SIZE % 2, index + 1)


def test_flags_of_later_descriptors_mean_nothing(rig: CardRig) -> None:
    rig.fill(payload(64))
    rig.post(
        {"ADDR": DATA, "LEN": 30, "SOP": 1, "COOKIE": 3},
        {
            "ADDR": DATA + 30,
            "LEN": 34,
            "EOP": 1,
            "TSO": 1,
            "VLAN": 1,
            "CSUM": 1,
            "MSS": 9,
            "COOKIE": 99,
        },
    )
    rig.run()
    assert rig.port.frames() == [payload(64)]
    assert (rig.completion(0)["COOKIE"], rig.completion(0)["STATUS"]) == (3, 0)


def test_a_checksum_field_at_the_very_end_is_legal(rig: CardRig) -> None:
    frame = payload(80)
    rig.fill(frame)
    rig.post(whole(DATA, 80, 1, CSUM=1, CSUM_START=40, CSUM_OFFSET=38))
    rig.run()
    assert rig.completion(0)["STATUS"] == 0
    (sent,) = rig.port.frames()
    total = sum(int.from_bytes(frame[i : i + 2], "big") for i in range(40, 80, 2))
    check = int.from_bytes(sent[78:], "big")
    assert sent[:78] == frame[:78]
    assert (total + check) % 0xFFFF == 0


def test_an_odd_start_and_an_odd_length_are_summed_as_rfc_1071_says(rig: CardRig) -> None:
    frame = bytearray(payload(82))
    frame[51:53] = bytes(2)
    rig.fill(bytes(frame))
    rig.post(whole(DATA, 82, 1, CSUM=1, CSUM_START=41, CSUM_OFFSET=10))
    rig.run()
    (sent,) = rig.port.frames()
    summed = sent[41:82] + b"\0"
    assert sent[51:53] != bytes(2)
    assert sum(int.from_bytes(summed[i : i + 2], "big") for i in range(0, 42, 2)) % 0xFFFF == 0


# -- doorbell, interrupt, stopping ---------------------------------------------------------------


def test_a_doorbell_beyond_the_ring_is_ignored_and_counted(rig: CardRig) -> None:
    rig.bus.writel(SIZE + 1, regs.TXQ_BASE + regs.Q_DOORBELL)
    rig.run()
    assert rig.reg(regs.STAT_DOORBELL_ERRS) == 1
    assert rig.reg(regs.TXQ_BASE + regs.Q_DOORBELL) == 0


def test_a_doorbell_of_a_disabled_queue_is_ignored_and_counted() -> None:
    rig = CardRig()
    rig.bus.writel(1, regs.TXQ_BASE + regs.Q_DOORBELL)
    rig.run()
    assert rig.reg(regs.STAT_DOORBELL_ERRS) == 1


def test_a_doorbell_is_ignored_and_counted_when_completions_have_less_room() -> None:
    rig = CardRig()
    rig.bus.writel(regs.Q_SIZE_LOG2_RST + 1, regs.TXQ_BASE + regs.Q_SIZE)
    rig.bus.writel(regs.Q_CPL_SIZE_LOG2_RST, regs.TXQ_BASE + regs.Q_CPL_SIZE)
    rig.bus.writel(1, regs.TXQ_BASE + regs.Q_CTRL)
    rig.bus.writel(1, regs.TXQ_BASE + regs.Q_DOORBELL)
    rig.run()
    assert rig.reg(regs.STAT_DOORBELL_ERRS) == 1


def test_the_interrupt_fires_once_per_arming(rig: CardRig) -> None:
    rig.fill(payload(64))
    rig.post(*[whole(DATA, 64, i) for i in range(1, 4)])
    rig.run()
    assert rig.fired == []
    rig.bus.writel(0, regs.TXQ_BASE + regs.Q_IRQ_ARM)
    assert (rig.fired, rig.model.tx.queues[0].irq.fired) == ([], 0)
    rig.run()
    assert rig.fired == [0]
    rig.bus.writel(3, regs.TXQ_BASE + regs.Q_IRQ_ARM)
    rig.run()
    assert rig.fired == [0]
    rig.post(whole(DATA, 64, 4), whole(DATA, 64, 5))
    rig.run()
    assert rig.fired == [0, 0]


def test_a_disabled_queue_finishes_what_the_doorbell_gave_then_starts_at_zero(rig: CardRig) -> None:
    rig.fill(payload(64))
    rig.post(*[whole(DATA, 64, i) for i in range(1, 11)])
    rig.bus.writel(0, regs.TXQ_BASE + regs.Q_CTRL)
    assert rig.reg(regs.TXQ_BASE + regs.Q_STATUS) == 1
    rig.run()
    assert len(rig.port.sent) == 10
    assert rig.reg(regs.TXQ_BASE + regs.Q_STATUS) == 0
    assert rig.reg(regs.TXQ_BASE + regs.Q_HEAD) == 0
    rig.enable()
    rig.post(whole(DATA, 64, 77))
    rig.run()
    assert (rig.completion(0)["COOKIE"], rig.completion(0)["PHASE"]) == (77, 1)


def test_a_disabled_card_fetches_nothing_until_it_is_enabled(rig: CardRig) -> None:
    rig.bus.writel(0, regs.CTRL)
    rig.fill(payload(64))
    rig.post(whole(DATA, 64))
    rig.run()
    assert rig.port.sent == []
    rig.bus.writel(1, regs.CTRL)
    rig.run()
    assert len(rig.port.sent) == 1


def test_reset_lets_the_frame_on_the_wire_end_and_forgets_the_rest(rig: CardRig) -> None:
    rig.fill(payload(1514))
    rig.post(*[whole(DATA, 1514, i) for i in range(1, 6)])
    rig.clock.run(until=rig.clock.now + DOORBELL_LATENCY_NS + 100)
    rig.bus.writel(1 << regs.CTRL_RESET_LSB, regs.CTRL)
    assert rig.model.register(regs.CTRL) == 1 << regs.CTRL_RESET_LSB
    rig.run()
    assert rig.reg(regs.CTRL) == 0
    assert len(rig.port.sent) == 1
    assert rig.completion(0)["PHASE"] == 0
    assert rig.reg(regs.STAT_TX_FRAMES) == 1
    rig.enable()
    rig.post(whole(DATA, 64, 9))
    rig.run()
    assert rig.completion(0)["COOKIE"] == 9


def test_a_packet_costs_one_clock_event_and_the_doorbell_one(rig: CardRig) -> None:
    rig.fill(payload(64))
    asked: list[int] = []
    original = rig.clock.call_at

    def counting(when: int, fn: object) -> object:
        asked.append(when)
        return original(when, fn)  # type: ignore[arg-type]

    rig.clock.call_at = counting  # type: ignore[assignment,method-assign]
    rig.post(*[whole(DATA, 64, i) for i in range(50)])
    rig.run()
    assert len(rig.port.sent) == 50
    assert len(asked) == 51
