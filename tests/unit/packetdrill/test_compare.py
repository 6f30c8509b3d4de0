"""Each field in which a packet of the stack can differ from the script, and what may differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyhost.packetdrill.compare import compare_segment, join_segments, merge
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.packets import TcpSegment, segment_of_script
from tests.unit.packetdrill.support import packet


def difference(said: str, sent: str, ts: float | None = None, **changes: object) -> str | None:
    """What is told of a segment `sent` where the script says `said`."""
    expected = packet(f"> {said}")
    actual = replace(segment_of_script(packet(f"> {sent}")), **changes)  # type: ignore[arg-type]
    try:
        compare_segment(expected, segment_of_script(expected), actual, ts)
    except ScriptFailure as failure:
        return str(failure)
    return None


def test_what_is_as_the_script_says_passes() -> None:
    line = "P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>"
    assert difference(line, line) is None


@pytest.mark.parametrize(
    ("said", "sent", "told"),
    [
        ("F. 1:1(0) ack 1", ". 1:1(0) ack 1", "tcp_fin: expected: 1 (0x1) vs actual: 0 (0x0)"),
        (". 1:1(0) ack 1", "S. 1:1(0) ack 1", "tcp_syn: expected: 0 (0x0) vs actual: 1 (0x1)"),
        (". 1:1(0) ack 1", "R. 1:1(0) ack 1", "tcp_rst: expected: 0 (0x0) vs actual: 1 (0x1)"),
        ("P. 1:1(0) ack 1", ". 1:1(0) ack 1", "tcp_psh: expected: 1 (0x1) vs actual: 0 (0x0)"),
        ("R 1:1(0)", "R. 1:1(0)", "tcp_ack: expected: 0 (0x0) vs actual: 1 (0x1)"),
        (". 1:1(0) ack 1", "U. 1:1(0) ack 1", "tcp_urg: expected: 0 (0x0) vs actual: 1 (0x1)"),
        ("E. 1:1(0) ack 1", ". 1:1(0) ack 1", "tcp_ece: expected: 1 (0x1) vs actual: 0 (0x0)"),
        (". 1:1(0) ack 1", "W. 1:1(0) ack 1", "tcp_cwr: expected: 0 (0x0) vs actual: 1 (0x1)"),
        (". 1:1(0) ack 1", "A. 1:1(0) ack 1", "tcp_ae: expected: 0 (0x0) vs actual: 1 (0x1)"),
        (". 1:1(0) ack 1", ". 2:2(0) ack 1", "tcp_seq: expected: 1 (0x1) vs actual: 2 (0x2)"),
        (". 1:1(0) ack 1", ". 1:1(0) ack 9", "tcp_ack_seq: expected: 1 (0x1) vs actual: 9 (0x9)"),
        (". 1:1(0) ack 1 win 5", ". 1:1(0) ack 1 win 6", "tcp_window: expected: 5 (0x5) vs"),
        ("U. 1:1(0) ack 1 urg 5", "U. 1:1(0) ack 1 urg 6", "tcp_urg_ptr: expected: 5 (0x5) vs"),
        (
            ". 1:1(0) ack 1",
            ". 1:2(1) ack 1",
            "ipv4_total_length: expected: 40 (0x28) vs actual: 41",
        ),
        ("S5. 0:0(0) ack 1", "S4. 0:0(0) ack 1", "tcp_ace: expected: 5 (0x5) vs actual: 4 (0x4)"),
        ("[ect0] . 1:1(0) ack 1", "[ce] . 1:1(0) ack 1", "ip_ecn: expected: 2 (0x2) vs actual: 3"),
        ("[ect01] . 1:1(0) ack 1", "[ce] . 1:1(0) ack 1", "ip_ecn: expected: 0x1 or 0x2 vs actual"),
        ("[tos 0x10] . 1:1(0) ack 1", ". 1:1(0) ack 1", "tos: expected: 16 (0x10) vs actual: 0"),
        ("[ttl 3] . 1:1(0) ack 1", "[ttl 4] . 1:1(0) ack 1", "ttl: expected: 3 (0x3) vs actual: 4"),
    ],
)
def test_each_field_is_told(said: str, sent: str, told: str) -> None:
    text = difference(said, sent)
    assert text is not None
    assert f"live packet field {told}" in text


def test_reserved_bits_are_zero() -> None:
    text = difference(". 1:1(0) ack 1", ". 1:1(0) ack 1", flags=0x210)
    assert text is not None
    assert "tcp_reserved_bits" in text


def test_the_payload_is_zeros() -> None:
    text = difference("P. 1:3(2) ack 1", "P. 1:3(2) ack 1", payload=b"\0x")
    assert text == "incorrect outbound data payload"


def test_a_bad_checksum_is_told_first() -> None:
    text = difference(". 1:1(0) ack 1", "S 9:9(0)", faults="bad outbound IP checksum")
    assert text == "bad outbound IP checksum"


def test_what_the_script_does_not_say_is_not_compared() -> None:
    assert difference(". 1:1(0) ack 1", "[ce] . 1:1(0) ack 1 win 77") is None


# -- options ---------------------------------------------------------------------------------------


def test_no_options_in_the_script_are_none_in_the_packet() -> None:
    text = difference(". 1:1(0) ack 1", ". 1:1(0) ack 1 <mss 1460>")
    assert text is not None
    assert "ipv4_total_length" in text


def test_three_dots_are_any_options() -> None:
    assert difference("S 0:0(0) <...>", "S 0:0(0) <mss 1460,nop,wscale 7>") is None


def test_the_order_of_options_counts() -> None:
    text = difference("S 0:0(0) <nop,wscale 7>", "S 0:0(0) <wscale 7,nop>")
    assert text == "bad outbound TCP options"


def test_the_value_of_an_option_counts() -> None:
    assert difference("S 0:0(0) <mss 1460>", "S 0:0(0) <mss 1459>") == (
        "bad value in outbound TCP option (kind=2): expected: mss 1460 actual: mss 1459"
    )
    text = difference("S 0:0(0) <FO abcd1234,nop,nop>", "S 0:0(0) <FO abcd123456,nop>")
    assert text == "bad outbound TCP options"


def test_timestamps_are_compared_only_with_a_tick() -> None:
    said, sent = "S 0:0(0) <nop,nop,TS val 9 ecr 0>", "S 0:0(0) <nop,nop,TS val 20 ecr 5>"
    assert difference(said, sent) is None
    assert difference(said, sent, ts=11.0) is None
    assert difference(said, sent, ts=10.0) == (
        "bad outbound TCP timestamp value, tolerance 10 steps"
    )


# -- merging ---------------------------------------------------------------------------------------


def merged(*lines: str, wanted: int) -> TcpSegment:
    parts: list[TcpSegment] = []
    for line in lines:
        merge(parts, segment_of_script(packet(f"> {line}")), wanted)
    return join_segments(parts)


def test_segments_are_joined_into_one() -> None:
    joined = merged(
        "W. 1:1001(1000) ack 1 win 5",
        ". 1001:2001(1000) ack 1 win 5",
        "FP. 2001:2501(500) ack 1 win 5",
        wanted=2500,
    )
    assert (joined.seq, len(joined.payload)) == (1, 2500)
    assert [letter for letter in "FSRP.UEWA" if joined.has(letter)] == ["F", "P", ".", "W"]


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (". 1002:2002(1000) ack 1 win 5", "tcp_seq: expected: 1001 (0x3e9) vs actual: 1002"),
        (". 1001:2001(1000) ack 2 win 5", "tcp_ack_seq"),
        (". 1001:2001(1000) ack 1 win 6", "tcp_window"),
        ("E. 1001:2001(1000) ack 1 win 5", "tcp_ece"),
        (". 1001:2001(1000) ack 1 win 5 <nop,nop,nop,nop>", "tcp_data_offset"),
    ],
)
def test_segments_that_do_not_continue_each_other_are_told(second: str, told: str) -> None:
    with pytest.raises(ScriptFailure, match="live packet field") as caught:
        merged(". 1:1001(1000) ack 1 win 5", second, wanted=2000)
    assert told in str(caught.value)


def test_all_parts_but_the_last_have_the_same_length() -> None:
    with pytest.raises(ScriptFailure) as caught:
        merged(". 1:1001(1000) ack 1 win 5", ". 1001:1501(500) ack 1 win 5", wanted=3000)
    assert str(caught.value) == (
        "fragment payload: expected 1000 bytes vs actual 500 bytes; "
        "total payload: expected 3000 bytes vs actual 1500 bytes"
    )
