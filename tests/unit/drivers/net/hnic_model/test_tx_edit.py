"""Checksums, tags and padding of frames that are not cut, judged by scapy."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import payload, udp_frame, with_pseudo_sum
from tests.unit.drivers.net.hnic_model.card_rig import DATA, CardRig, whole


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable()
    return rig


def sent(rig: CardRig, frame: bytes, **fields: int) -> bytes:
    rig.fill(frame)
    rig.post(whole(DATA, len(frame), **fields))
    rig.run()
    assert rig.completion(0)["STATUS"] == 0
    (got,) = rig.port.frames()
    return got


@pytest.mark.parametrize("options", [[], [b"\x01" * 4], [b"\x01" * 40]], ids=["20", "24", "60"])
def test_the_ipv4_header_checksum_is_put_in_whatever_stood_there(
    rig: CardRig, options: list[bytes]
) -> None:
    want = bytes(
        Ether() / IP(src="10.1.2.3", dst="10.3.2.1", options=options) / UDP() / Raw(b"a" * 40)
    )
    frame = want[:24] + b"\xde\xad" + want[26:]
    assert sent(rig, frame, IPCSUM=1, IPV4=1, L3_START=14) == want
    assert rig.reg(regs.STAT_TX_CSUMS) == 0


def test_both_checksums_and_a_tag_at_once(rig: CardRig) -> None:
    want = bytes(udp_frame(payload(333)))
    frame = with_pseudo_sum(want)
    frame = frame[:24] + b"\xbe\xef" + frame[26:]
    got = sent(
        rig, frame, IPCSUM=1, IPV4=1, L3_START=14, CSUM=1, CSUM_START=34, CSUM_OFFSET=6, VLAN=1,
        VLAN_TCI=0xF234,
    )  # fmt: skip
    judged = Ether(got)
    assert (judged[Dot1Q].prio, judged[Dot1Q].dei, judged[Dot1Q].vlan) == (7, 1, 0x234)
    assert got[:12] + got[16:] == want
    assert rig.reg(regs.STAT_TX_CSUMS) == 1


@pytest.mark.parametrize("size", [13, 14, 55, 56, 57, 60, 61])
def test_a_short_tagged_frame_is_padded_with_the_tag_in_it(rig: CardRig, size: int) -> None:
    frame = payload(size)
    want = frame[:12] + bytes.fromhex("8100 0005") + frame[12:]
    assert sent(rig, frame, VLAN=1, VLAN_TCI=5) == want.ljust(60, b"\0")


def test_a_frame_without_more_than_addresses_gets_no_tag(rig: CardRig) -> None:
    assert sent(rig, payload(12), VLAN=1, VLAN_TCI=5) == payload(12).ljust(60, b"\0")
