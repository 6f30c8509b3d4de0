"""Everything that stops a TX queue: each status, in the order in which the card looks for them."""

from __future__ import annotations

import pytest

from pyhost.dma.debug import DmaViolation
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.limits import MAX_FRAME
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.drivers.net.hnic_model.card_rig import (
    COMPLETIONS,
    DATA,
    CardRig,
    txq,
    whole,
)

Desc = dict[str, int]
ONE = {"SOP": 1, "EOP": 1}
TSO4 = {
    "SOP": 1, "TSO": 1, "CSUM": 1, "IPV4": 1, "L3_START": 14, "CSUM_START": 34, "CSUM_OFFSET": 16,
    "HDR_LEN": 54, "MSS": 1000,
}  # fmt: skip
TSO6 = TSO4 | {"IPV4": 0, "CSUM_START": 54, "HDR_LEN": 74}


def tso(length: int, base: Desc = TSO4, **fields: int) -> list[Desc]:
    return [{**base, "EOP": 1, "LEN": length, **fields}]


BAD: dict[str, tuple[list[Desc], int, int]] = {
    # name: descriptors, status, which of them is at fault
    "no SOP": ([{"LEN": 60, "EOP": 1}], regs.STATUS_BAD_DESC, 0),
    "SOP twice": ([{"LEN": 60, "SOP": 1}, {"LEN": 60, **ONE}], regs.STATUS_BAD_DESC, 1),
    "no EOP": ([{"LEN": 60, "SOP": 1}, {"LEN": 60}], regs.STATUS_BAD_DESC, 1),
    "no length": ([{"LEN": 0, **ONE}], regs.STATUS_BAD_DESC, 0),
    "no length later": ([{"LEN": 60, "SOP": 1}, {"LEN": 0, "EOP": 1}], regs.STATUS_BAD_DESC, 1),
    "33 segments": (
        [{"LEN": 60, "SOP": 1}, *[{"LEN": 60}] * 31, {"LEN": 60, "EOP": 1}],
        regs.STATUS_TOO_MANY,
        32,
    ),
    "too long": ([{"LEN": MAX_FRAME + 1, **ONE}], regs.STATUS_TOO_LONG, 0),
    "too long together": (
        [{"LEN": MAX_FRAME, "SOP": 1}, {"LEN": 1, "EOP": 1}],
        regs.STATUS_TOO_LONG,
        1,
    ),
    "too long with a tag": ([{"LEN": MAX_FRAME + 1, "VLAN": 1, **ONE}], regs.STATUS_TOO_LONG, 0),
    "segment too long": (tso(65537), regs.STATUS_TOO_LONG, 0),
    "frames too long": (tso(20000, MSS=MAX_FRAME - 53), regs.STATUS_TOO_LONG, 0),
    "too much payload": (
        [{**TSO4, "LEN": 65536}, {"LEN": 55, "EOP": 1}],
        regs.STATUS_TOO_LONG,
        1,
    ),
    "TSO without checksum": (tso(2000, CSUM=0), regs.STATUS_BAD_TSO, 0),
    "TSO without MSS": (tso(2000, MSS=0), regs.STATUS_BAD_TSO, 0),
    "TSO without header": (tso(2000, HDR_LEN=0), regs.STATUS_BAD_TSO, 0),
    "TSO header too long": (tso(2000, HDR_LEN=193), regs.STATUS_BAD_TSO, 0),
    "TCP header outside": (tso(2000, HDR_LEN=53), regs.STATUS_BAD_TSO, 0),
    "TSO checksum elsewhere": (tso(2000, CSUM_OFFSET=6), regs.STATUS_BAD_TSO, 0),
    "IPv4 header too short": (tso(2000, L3_START=15), regs.STATUS_BAD_TSO, 0),
    "IPv6 header too short": (tso(2000, TSO6, L3_START=15), regs.STATUS_BAD_TSO, 0),
    "TSO before the tag": (
        tso(2000, L3_START=11, VLAN=1, CSUM_START=31, HDR_LEN=51),
        regs.STATUS_BAD_TSO,
        0,
    ),
    "checksum before the tag": (
        [{"LEN": 60, **ONE, "CSUM": 1, "CSUM_START": 11, "CSUM_OFFSET": 25, "VLAN": 1}],
        regs.STATUS_BAD_CSUM,
        0,
    ),
    "IPv4 header before the tag": (
        [{"LEN": 60, **ONE, "IPCSUM": 1, "IPV4": 1, "L3_START": 11, "VLAN": 1}],
        regs.STATUS_BAD_CSUM,
        0,
    ),
    "TSO without payload": (tso(54), regs.STATUS_BAD_TSO, 0),
    "TSO without payload, two": (
        [{**TSO4, "LEN": 20}, {"LEN": 34, "EOP": 1}],
        regs.STATUS_BAD_TSO,
        1,
    ),
    "checksum behind the end": (
        [{"LEN": 60, **ONE, "CSUM": 1, "CSUM_START": 34, "CSUM_OFFSET": 25}],
        regs.STATUS_BAD_CSUM,
        0,
    ),
    "checksum far away": (
        [
            {"LEN": 60, "SOP": 1, "CSUM": 1, "CSUM_START": 0xFFFF, "CSUM_OFFSET": 0xFFFF},
            {"LEN": 60, "EOP": 1},
        ],
        regs.STATUS_BAD_CSUM,
        1,
    ),
    "IP checksum of IPv6": ([{"LEN": 60, **ONE, "IPCSUM": 1}], regs.STATUS_BAD_CSUM, 0),
    "IP header outside": (
        [{"LEN": 60, **ONE, "IPCSUM": 1, "IPV4": 1, "L3_START": 41}],
        regs.STATUS_BAD_CSUM,
        0,
    ),
    "first descriptor wins": (
        [{"LEN": 9601, "SOP": 1}, {"LEN": 0, "EOP": 1}],
        regs.STATUS_TOO_LONG,
        0,
    ),
    "BAD_DESC before TOO_LONG": ([{"LEN": 9601, "EOP": 1}], regs.STATUS_BAD_DESC, 0),
    "TOO_LONG before BAD_TSO": (tso(2000, MSS=9600, CSUM=0), regs.STATUS_TOO_LONG, 0),
}


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable()
    rig.run()
    return rig


LEAVES_A_BEGINNING = ("too much payload",)
"""Super-packets with whole frames before the descriptor at fault."""


@pytest.mark.parametrize("name", BAD)
def test_a_bad_packet_is_reported_and_stops_its_queue_behind_the_packets_before_it(
    rig: CardRig, name: str
) -> None:
    descs, status, at = BAD[name]
    good = payload(64)
    rig.fill(good)
    rig.bus.writel(0, txq(0) + regs.Q_IRQ_ARM)
    after = [] if name == "no EOP" else [whole(DATA, 64, 51)]
    rig.post(whole(DATA, 64, 49), *[{"ADDR": DATA, "COOKIE": 50, **d} for d in descs], *after)
    rig.run()
    assert rig.port.frames()[0] == good
    assert (len(rig.port.frames()) > 1) == (name in LEAVES_A_BEGINNING)
    first, second, third = map(rig.completion, range(3))
    assert (first["COOKIE"], first["STATUS"]) == (49, 0)
    assert (second["COOKIE"], second["STATUS"], second["PHASE"]) == (50, status, 1)
    assert (second["TIMESTAMP"], second["HEAD"]) == (1 + at, 2 + at)
    assert third["PHASE"] == 0
    assert rig.error(txq(0)) == (1, status, 1 + at)
    assert (rig.reg(regs.STAT_TX_DROPS), rig.reg(txq(0) + regs.Q_DROPS)) == (1, 0)
    assert rig.fired == [0]


def test_the_limits_themselves_are_legal(rig: CardRig) -> None:
    rig.post(
        {**TSO4, "ADDR": DATA, "LEN": 65536, "MSS": MAX_FRAME - 54},
        {"ADDR": DATA, "LEN": 54, "EOP": 1},
        whole(DATA, MAX_FRAME, VLAN=1),
        *[{"ADDR": DATA, "LEN": 60, "SOP": int(i == 0), "EOP": int(i == 31)} for i in range(32)],
    )
    rig.run()
    assert [rig.completion(i)["STATUS"] for i in range(3)] == [0, 0, 0]
    assert len(rig.port.frames()[-2]) == MAX_FRAME + 4


@pytest.mark.parametrize("bit", [64 + 27, 64 + 31, 128 + 56, 128 + 63, 192 + 32, 192 + 63])
def test_reserved_bits_are_refused(rig: CardRig, bit: int) -> None:
    rig.post(whole(DATA, 64), doorbell=False)
    where = rig.ring(txq(0)) + bit // 8
    rig.kernel.mem.buf[where] |= 1 << bit % 8
    rig.bus.writel(1, txq(0) + regs.Q_DOORBELL)
    rig.run()
    assert rig.error(txq(0)) == (1, regs.STATUS_BAD_DESC, 0)


def test_a_first_descriptor_that_cannot_be_read_has_no_cookie(rig: CardRig) -> None:
    where = rig.ring(txq(0))
    rig.model.master.fault = lambda addr, length, write: addr == where
    rig.post(whole(DATA, 64, 9), whole(DATA, 64, 10))
    rig.run()
    done = rig.completion(0)
    assert (done["STATUS"], done["COOKIE"], done["TIMESTAMP"]) == (regs.STATUS_DESC_ERR, 0, 0)
    assert rig.error(txq(0)) == (1, regs.STATUS_DESC_ERR, 0)
    assert rig.reg(regs.STAT_AXI_RD_ERRS) == 1
    assert rig.completion(1)["PHASE"] == 0


def test_a_descriptor_read_that_fails_inside_a_packet_names_the_packet(rig: CardRig) -> None:
    for index in range(7):
        rig.post(whole(DATA, 64, index), doorbell=False)
    rig.post({"ADDR": DATA, "LEN": 30, "SOP": 1, "COOKIE": 9}, {"ADDR": DATA, "LEN": 40, "EOP": 1})
    where = rig.ring(txq(0)) + 8 * regs.TXD_BYTES
    rig.model.master.fault = lambda addr, length, write: addr == where
    rig.run()
    done = rig.completion(7)
    assert (done["STATUS"], done["COOKIE"], done["TIMESTAMP"]) == (regs.STATUS_DESC_ERR, 9, 8)


def test_a_data_read_that_fails_names_its_descriptor_and_nothing_is_sent(rig: CardRig) -> None:
    rig.model.master.fault = lambda addr, length, write: addr == DATA + 500
    rig.post(
        {"ADDR": DATA, "LEN": 100, "SOP": 1, "COOKIE": 4},
        {"ADDR": DATA + 500, "LEN": 100},
        {"ADDR": DATA + 700, "LEN": 100, "EOP": 1},
        whole(DATA, 64),
    )
    rig.run()
    assert rig.port.sent == []
    done = rig.completion(0)
    assert (done["STATUS"], done["TIMESTAMP"], done["HEAD"]) == (regs.STATUS_DMA_ERR, 1, 3)
    assert rig.error(txq(0)) == (1, regs.STATUS_DMA_ERR, 1)
    assert rig.completion(1)["PHASE"] == 0


def test_of_a_super_packet_the_frames_before_a_failed_read_are_sent(rig: CardRig) -> None:
    """54 bytes of header and 5 frames of 1000; bytes from 2700 on cannot be read."""
    rig.fill(payload(5054))

    def fault(addr: int, length: int, write: bool) -> bool:
        return not write and addr <= DATA + 2700 < addr + length

    rig.model.master.fault = fault
    rig.post(*[{**TSO4, "ADDR": DATA, "LEN": 54}, {"ADDR": DATA + 54, "LEN": 5000, "EOP": 1}])
    rig.run()
    assert [len(frame) for frame in rig.port.frames()] == [1054, 1054]
    done = rig.completion(0)
    assert (done["STATUS"], done["TIMESTAMP"]) == (regs.STATUS_DMA_ERR, 1)
    assert rig.reg(regs.STAT_AXI_RD_ERRS) == 1
    assert (rig.reg(regs.STAT_TX_TSO), rig.reg(regs.STAT_TX_CSUMS)) == (1, 2)


def test_of_a_super_packet_the_frames_before_a_wrong_descriptor_are_sent(rig: CardRig) -> None:
    """The third frame is not whole; the one behind the fault would have been the last."""
    rig.fill(payload(5054))
    rig.post({**TSO4, "ADDR": DATA, "LEN": 2954}, {"ADDR": DATA + 2954, "LEN": 0, "EOP": 1})
    rig.run()
    assert [len(frame) for frame in rig.port.frames()] == [1054, 1054]
    assert {frame[47] & 1 for frame in rig.port.frames()} == {0}  # no FIN
    done = rig.completion(0)
    assert (done["STATUS"], done["TIMESTAMP"], done["HEAD"]) == (regs.STATUS_BAD_DESC, 1, 2)


def test_a_read_that_fails_comes_before_a_wrong_descriptor_behind_it(rig: CardRig) -> None:
    rig.model.master.fault = lambda addr, length, write: not write and addr == DATA
    rig.post({"ADDR": DATA, "LEN": 60, "SOP": 1}, {"ADDR": DATA + 60, "LEN": 0, "EOP": 1})
    rig.run()
    assert rig.port.frames() == []
    done = rig.completion(0)
    assert (done["STATUS"], done["TIMESTAMP"], done["HEAD"]) == (regs.STATUS_DMA_ERR, 0, 2)


def test_a_super_packet_whose_header_cannot_be_read_sends_nothing(rig: CardRig) -> None:
    rig.model.master.fault = lambda addr, length, write: not write and addr == DATA
    rig.post(*tso(3000, ADDR=DATA))
    rig.run()
    assert rig.port.frames() == []
    assert rig.completion(0)["STATUS"] == regs.STATUS_DMA_ERR


def test_a_completion_that_cannot_be_written_stops_the_queue(rig: CardRig) -> None:
    rig.model.master.fault = lambda addr, length, write: write and addr == COMPLETIONS + 16
    rig.bus.writel(1, txq(0) + regs.Q_IRQ_ARM)
    rig.post(*[whole(DATA, 64, i) for i in range(4)])
    rig.run()
    assert len(rig.port.sent) == 2
    assert rig.error(txq(0)) == (1, regs.STATUS_CPL_ERR, 1)
    assert rig.reg(txq(0) + regs.Q_CPL_HEAD) == 1
    assert rig.reg(regs.STAT_AXI_WR_ERRS) == 1
    assert rig.fired[-1:] == [0]


def test_other_queues_go_on(rig: CardRig) -> None:
    rig.enable(txq(1))
    rig.fill(payload(64))
    rig.post({"ADDR": DATA, "LEN": 0, "SOP": 1, "EOP": 1})
    rig.post(*[whole(DATA, 64, i) for i in range(3)], block=txq(1))
    rig.run()
    assert len(rig.port.sent) == 3
    assert rig.error(txq(1)) == (0, 0, 0)
    assert rig.reg(txq(1) + regs.Q_CPL_HEAD) == 3
    assert rig.reg(txq(1) + regs.Q_DROPS) == 0


def test_a_reset_queue_begins_anew(rig: CardRig) -> None:
    rig.post({"ADDR": DATA, "LEN": 0, "SOP": 1, "EOP": 1}, *[whole(DATA, 64)] * 20)
    rig.run()
    assert rig.error(txq(0))[0] == 1
    rig.reset_queue(txq(0))
    assert rig.error(txq(0)) == (0, 0, 0)
    assert [rig.reg(txq(0) + o) for o in (regs.Q_HEAD, regs.Q_DOORBELL, regs.Q_CPL_HEAD)] == [0] * 3
    rig.enable()
    rig.post(whole(DATA, 64, 88))
    rig.run()
    assert (rig.completion(0)["COOKIE"], rig.completion(0)["STATUS"]) == (88, 0)
    assert rig.completion(0)["PHASE"] == 1


def test_reading_what_was_never_given_is_a_violation(rig: CardRig) -> None:
    rig.post(whole(0x90_0000, 64))
    with pytest.raises(DmaViolation, match="read of 64 bytes at 0x900000"):
        rig.run()
