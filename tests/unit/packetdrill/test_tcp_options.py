"""Options of a header: in and out, and the numbers in them that are mapped."""

from __future__ import annotations

from pyhost.packetdrill.tcp_options import (
    options_bytes,
    options_list,
    options_text,
    shift_sack,
    timestamps,
    with_timestamps,
)
from tests.unit.packetdrill.support import packet


def encoded(text: str) -> bytes:
    found = packet(f"> . 1:1(0) ack 1 <{text}>").options
    assert found is not None
    return options_bytes(found)


def test_each_option_has_its_bytes() -> None:
    assert encoded("mss 1460") == bytes.fromhex("020405b4")
    assert encoded("nop,wscale 7") == bytes.fromhex("01030307")
    assert encoded("sackOK,eol,eol") == bytes.fromhex("04020000")
    assert encoded("TS val 1 ecr 2,nop,nop") == bytes.fromhex("080a00000001000000020101")
    assert encoded("FO abcd") == bytes.fromhex("2204abcd")
    assert encoded("FOEXP abcd") == bytes.fromhex("fe06f989abcd")
    assert encoded("md5 0102") == bytes.fromhex("13040102")


def test_what_is_written_is_read_again() -> None:
    text = "mss 1460,sackOK,TS val 4294967295 ecr 2,nop,wscale 7,sack 1:2 3:4,FO abcd,md5 00"
    assert options_text(encoded(text)) == text


def test_an_option_of_an_impossible_length_ends_the_list() -> None:
    assert options_list(b"\x01\x02\x04\x05") == [(1, b"")]
    assert options_list(b"\x01\x02\x00") == [(1, b"")]
    assert options_list(b"\x02") == []


def test_sack_edges_are_shifted_and_wrap() -> None:
    shifted = shift_sack(encoded("nop,nop,sack 1:4294967295"), 2)
    assert options_text(shifted) == "nop,nop,sack 3:1"


def test_timestamps_are_replaced_wherever_they_stand() -> None:
    options = encoded("mss 1460,nop,nop,TS val 1 ecr 2")
    assert timestamps(options) == (1, 2)
    changed = with_timestamps(options, 7, 8)
    assert options_text(changed) == "mss 1460,nop,nop,TS val 7 ecr 8"
    assert timestamps(encoded("mss 1460")) is None
