"""Which frames come in: MAC, length, destination."""

from __future__ import annotations

import zlib

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import HOST_MAC, payload
from tests.unit.drivers.net.hnic_model.card_rig import CardRig, rxq

HOST = bytes.fromhex(HOST_MAC.replace(":", ""))
OTHER = bytes.fromhex("020000000099")
BROADCAST = b"\xff" * 6
GROUP = bytes.fromhex("01005e000001")


def frame(dest: bytes, size: int = 60, kind: int = 0x88B5) -> bytes:
    return dest + OTHER + kind.to_bytes(2, "big") + payload(size - 14)


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable(rxq(0))
    rig.post_rx(*[(i * 0x2800, 0x2800, i) for i in range(25)])
    return rig


def taken(rig: CardRig, data: bytes, good: bool = True) -> bool:
    before = rig.reg(regs.STAT_RX_FRAMES)
    rig.model.rx.mac.receive(data, 1, good)
    return rig.reg(regs.STAT_RX_FRAMES) > before


def control(rig: CardRig, *names: str) -> None:
    bits = sum(1 << getattr(regs, f"RX_CTRL_{name}_LSB") for name in names)
    rig.bus.writel(bits, regs.RX_CTRL)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ((), {HOST}),
        (("BROADCAST",), {HOST, BROADCAST}),
        (("ALLMULTI",), {HOST, GROUP}),
        (("PROMISC",), {HOST, OTHER, BROADCAST, GROUP}),
    ],
)
def test_each_bit_lets_in_its_frames(
    rig: CardRig, names: tuple[str, ...], wanted: set[bytes]
) -> None:
    control(rig, *names)
    everybody = {HOST, OTHER, BROADCAST, GROUP}
    assert {dest for dest in everybody if taken(rig, frame(dest))} == wanted
    assert rig.reg(regs.STAT_RX_FILTERED) == len(everybody - wanted)


def test_a_group_comes_in_when_its_bit_is_set(rig: CardRig) -> None:
    control(rig)
    for last in range(64):
        group = GROUP[:5] + bytes([last])
        bit = (zlib.crc32(group) ^ 0xFFFFFFFF) >> 26
        for other in (bit ^ 1, bit):
            bits = 1 << other
            rig.bus.writel(bits & 0xFFFFFFFF, regs.MC_HASH_LO)
            rig.bus.writel(bits >> 32, regs.MC_HASH_HI)
            before = rig.reg(regs.STAT_RX_FRAMES)
            rig.port.receive(frame(group), 1)
            assert rig.reg(regs.STAT_RX_FRAMES) - before == (other == bit)


def test_the_address_may_change(rig: CardRig) -> None:
    control(rig)
    rig.bus.writel(int.from_bytes(OTHER[:4], "little"), regs.MAC_LO)
    rig.bus.writel(int.from_bytes(OTHER[4:], "little"), regs.MAC_HI)
    assert taken(rig, frame(OTHER))
    assert not taken(rig, frame(HOST))


@pytest.mark.parametrize("size", [0, 13, 59, 9605, 20000])
def test_frames_of_a_wrong_length_are_counted_whatever_their_fcs(rig: CardRig, size: int) -> None:
    for good in (True, False):
        assert not taken(rig, frame(HOST, 20000)[:size], good)
    assert rig.reg(regs.STAT_RX_LEN_ERRS) == 2
    assert rig.reg(regs.STAT_RX_FCS_ERRS) == 0


@pytest.mark.parametrize("size", [60, 9604])
def test_the_shortest_and_the_longest_come_in(rig: CardRig, size: int) -> None:
    assert taken(rig, frame(HOST, size))
    assert rig.reg(regs.STAT_RX_BYTES) == size


def test_a_bad_fcs_is_counted(rig: CardRig) -> None:
    assert not taken(rig, frame(HOST), good=False)
    assert rig.reg(regs.STAT_RX_FCS_ERRS) == 1
    assert rig.reg(regs.STAT_RX_FILTERED) == 0


@pytest.mark.parametrize(
    ("field", "wanted"), [(46, True), (47, False), (1500, False), (1501, True)]
)
def test_a_length_field_must_not_say_more_than_there_is(
    rig: CardRig, field: int, wanted: bool
) -> None:
    assert taken(rig, frame(HOST, 60, field)) == wanted
    assert rig.reg(regs.STAT_RX_LEN_ERRS) == (not wanted)


@pytest.mark.parametrize(("field", "wanted"), [(42, True), (43, False)])
def test_a_length_field_behind_a_tag_too(rig: CardRig, field: int, wanted: bool) -> None:
    data = HOST + OTHER + b"\x81\x00\x00\x07" + field.to_bytes(2, "big") + payload(42)
    assert taken(rig, data) == wanted


def test_control_frames_never_come_in(rig: CardRig) -> None:
    control(rig, "PROMISC")
    assert not taken(rig, frame(HOST, 60, 0x8808))
    assert rig.reg(regs.STAT_RX_FILTERED) == 1


def test_a_card_that_is_off_hears_nothing(rig: CardRig) -> None:
    rig.bus.writel(0, regs.CTRL)
    assert not taken(rig, frame(HOST))
    assert rig.reg(regs.STAT_RX_FILTERED) == rig.reg(regs.STAT_RX_DROPS) == 0
