"""What the card does with descriptors and memory that are wrong: the queue stops, says what and
where, nothing in doubt leaves, other queues go on, and a queue reset mends it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cocotb
import pytest

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import deep, run_module
from tests.hdl.card import BAD, Card, cycles
from tests.hdl.card_rings import TxCompletion, descriptor

GOOD = 1000
"""Cookie of the packets that must leave."""


@pytest.mark.parametrize("width", [128, *deep(64, 256, 512)])
def test_a_fault_stops_its_queue_alone(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"AXI_DATA_W": width}, top="hnic_top")


class Fault(NamedTuple):
    """Descriptors that are wrong, the status they must get, and which of them is named."""

    name: str
    descriptors: list[dict[str, int]]
    status: int
    place: int = 0


WHOLE = {"sop": 1, "eop": 1, "len": 100}
FIRST = {"sop": 1, "eop": 0, "len": 100}
MIDDLE = {"sop": 0, "eop": 0, "len": 100}
LAST = {"sop": 0, "eop": 1, "len": 100}
LONG = FIRST | {"len": 9000}
OUTSIDE = {"csum": 1, "csum_start": 90, "csum_offset": 9}
TSO = {
    "tso": 1, "csum": 1, "ipv4": 1, "mss": 40, "hdr_len": 54,
    "csum_start": 34, "csum_offset": 16, "l3_start": 14,
}  # fmt: skip

FAULTS = [
    Fault("no SOP", [LAST], r.STATUS_BAD_DESC),
    Fault("SOP twice", [FIRST, WHOLE], r.STATUS_BAD_DESC, 1),
    Fault("no EOP", [FIRST, MIDDLE], r.STATUS_BAD_DESC, 1),
    Fault("length 0", [WHOLE | {"len": 0}], r.STATUS_BAD_DESC),
    Fault("length 0 inside", [FIRST, MIDDLE | {"len": 0}, LAST], r.STATUS_BAD_DESC, 1),
    Fault("33 segments", [FIRST, *[MIDDLE] * 31, LAST], r.STATUS_TOO_MANY, 32),
    Fault("a segment above 64 KiB", [WHOLE | {"len": 65537}], r.STATUS_TOO_LONG),
    Fault("a frame above MAX_FRAME", [WHOLE | {"len": 9601}], r.STATUS_TOO_LONG),
    Fault("a sum above MAX_FRAME", [LONG, LAST | {"len": 601}], r.STATUS_TOO_LONG, 1),
    Fault("checksum outside", [WHOLE | OUTSIDE], r.STATUS_BAD_CSUM),
    Fault("TSO without checksum", [WHOLE | TSO | {"csum": 0}], r.STATUS_BAD_TSO),
    Fault("TSO without MSS", [WHOLE | TSO | {"mss": 0}], r.STATUS_BAD_TSO),
    Fault("TSO without payload", [WHOLE | TSO | {"len": 54}], r.STATUS_BAD_TSO),
    Fault("TSO header too long", [WHOLE | TSO | {"hdr_len": 193, "len": 400}], r.STATUS_BAD_TSO),
    Fault("a read that fails", [WHOLE | {"addr": BAD}], r.STATUS_DMA_ERR),
    Fault("a later read that fails", [FIRST, MIDDLE | {"addr": BAD}, LAST], r.STATUS_DMA_ERR, 1),
    Fault(
        "a read that fails within a super-packet",
        [FIRST | TSO | {"len": 54}, MIDDLE | {"len": 100}, LAST | {"addr": BAD - 10, "len": 200}],
        r.STATUS_DMA_ERR,
        2,
    ),
]  # fmt: skip


def post_fault(card: Card, fault: Fault, cookie: int) -> int:
    """Post the descriptors of a fault; the index of the one that is to be named."""
    ring = card.tx[0]
    named = ring.tail + fault.place
    data = card.place(card.rng.randbytes(400), 5)
    for fields in fault.descriptors:
        fields = {"addr": data, **fields}
        addr, length = fields.pop("addr"), fields.pop("len")
        sop, eop = bool(fields.pop("sop")), bool(fields.pop("eop"))
        ring.post(descriptor(addr, length, sop=sop, eop=eop, cookie=cookie, **fields))
    return named


def good_packet(card: Card, queue: int, cookie: int) -> bytes:
    frame = card.rng.randbytes(80)
    card.tx[queue].post_packet([(3, frame[:30]), (7, frame[30:])], cookie)
    return frame


@cocotb.test()
@cocotb.parametrize(number=range(len(FAULTS)))
async def the_fault_is_named_and_nothing_in_doubt_leaves(dut: Any, number: int) -> None:
    fault = FAULTS[number]
    card = await Card(dut).start()
    ring, other = card.tx[0], card.tx[1]
    await other.start()
    await ring.write(r.Q_IRQ_ARM, 1)
    wanted = [good_packet(card, 0, GOOD)]
    named = post_fault(card, fault, 77)
    if fault.name != "no EOP":  # which shows when nothing follows only
        good_packet(card, 0, 78)  # behind the fault: must not leave
    await ring.doorbell()
    assert await ring.completions(2) == [
        TxCompletion(GOOD, 2, r.STATUS_OK),
        TxCompletion(77, ring.consumed and int(await ring.read(r.Q_HEAD)), fault.status, named),
    ]
    wanted.append(good_packet(card, 1, GOOD + 1))
    await other.doorbell()
    assert [c.status for c in await other.completions(1)] == [r.STATUS_OK]
    await card.settle()
    assert ring.completion() is None
    super_frames = [frame for frame in card.frames() if frame not in map(padded, wanted)]
    assert not super_frames or fault.name == "a read that fails within a super-packet"
    assert await ring.read(r.Q_STATUS) >> r.Q_STATUS_ERROR_LSB & 1
    error = await ring.read(r.Q_ERROR)
    assert error & 0xFF == fault.status
    assert error >> r.Q_ERROR_INDEX_LSB == named
    assert card.irqs == [1]
    await recovers(card)


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\0")


async def recovers(card: Card) -> None:
    """A queue reset, and the queue is as good as new."""
    ring = card.tx[0]
    await ring.reset()
    assert await ring.read(r.Q_STATUS) == 0
    assert await ring.read(r.Q_ERROR) == 0
    await ring.start()
    card.frames()
    frames = [good_packet(card, 0, 500 + i) for i in range(3)]
    await ring.doorbell()
    assert [c.status for c in await ring.completions(3)] == [r.STATUS_OK] * 3
    await card.settle()
    assert card.frames() == [padded(frame) for frame in frames]


@cocotb.test()
async def a_descriptor_that_cannot_be_read_stops_the_queue(dut: Any) -> None:
    card = await Card(dut).start()
    ring = card.tx[0]
    await ring.reset()
    await ring.start()
    await ring.reset()
    await ring.write(r.Q_BASE_LO, BAD)
    await ring.write(r.Q_CTRL, 1 << r.Q_CTRL_ENABLE_LSB)
    await ring.write(r.Q_DOORBELL, 3)
    (entry,) = await ring.completions(1)
    assert (entry.status, entry.fault) == (r.STATUS_DESC_ERR, 0)
    await card.settle()
    assert card.frames() == []
    await recovers(card)


@cocotb.test()
async def a_completion_that_cannot_be_written_stops_the_queue(dut: Any) -> None:
    card = await Card(dut).start()
    ring = card.tx[0]
    await ring.reset()
    await ring.write(r.Q_CPL_BASE_LO, BAD)
    await ring.write(r.Q_CTRL, 1 << r.Q_CTRL_ENABLE_LSB)
    await ring.write(r.Q_IRQ_ARM, 0)
    good_packet(card, 0, 1)
    ring.tail = 2
    await ring.doorbell()
    await card.settle()
    assert await ring.read(r.Q_ERROR) & 0xFF == r.STATUS_CPL_ERR
    assert card.irqs == [1]
    await recovers(card)


@cocotb.test()
async def a_queue_reset_in_flight_leaves_the_others_alone(dut: Any) -> None:
    card = await Card(dut).start()
    card.stall(0.3)
    ring, other = card.tx[0], card.tx[1]
    await other.start()
    sent = 0
    for delay in (1, 9, 25, 50, 90, 150):
        for queue in (0, 1):
            for _ in range(6):
                good_packet(card, queue, GOOD)
        await ring.doorbell()
        await other.doorbell()
        sent += 6
        await cycles(delay)
        await ring.reset()
        await ring.start()
        assert [c.status for c in await other.completions(6)] == [r.STATUS_OK] * 6
    await card.settle()
    card.frames()
    await recovers(card)
    assert await other.read(r.Q_HEAD) == 2 * sent
