"""When an event is due, and how far from it is still in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptError, ScriptFailure
from pyhost.packetdrill.parser import parse
from pyhost.packetdrill.settings import Settings
from pyhost.packetdrill.timing import Due, check_order, check_time, make_due

MS = 1_000_000
SETTINGS = Settings()


def late(due: Due, actual: int, last: int | None = 0, settings: Settings = SETTINGS) -> str | None:
    try:
        check_time(settings, due, actual, last, "outbound packet")
    except ScriptFailure as failure:
        return str(failure)
    return None


def test_an_absolute_time_stays_and_a_relative_one_counts_from_now() -> None:
    absolute = ast.Time(ast.ABSOLUTE, 5, 5)
    relative = ast.Time(ast.RELATIVE, 5, 5)
    assert make_due(absolute, 100, None, anchored=False).start == 5
    assert make_due(relative, 100, None, anchored=False) == Due(ast.RELATIVE, 105, 105, 100)


def test_an_inbound_packet_after_another_counts_from_the_time_of_that_one() -> None:
    relative = ast.Time(ast.RELATIVE, 5, 5)
    previous = Due(ast.RELATIVE, 90, 90)
    assert make_due(relative, 100, previous, anchored=True).start == 95


def test_four_milliseconds_are_in_time_and_more_are_not() -> None:
    due = Due(ast.RELATIVE, 10 * MS, 10 * MS)
    assert late(due, 14 * MS) is None
    assert late(due, 6 * MS) is None
    assert late(due, 14 * MS + 1) == (
        "timing error: expected outbound packet at 0.010000 sec but happened at 0.014000 sec; "
        "tolerance 0.004000 sec"
    )
    assert late(due, 6 * MS - 1) is not None


def test_an_eighth_of_the_time_since_the_event_before_is_in_time() -> None:
    due = Due(ast.RELATIVE, 1000 * MS, 1000 * MS)
    assert late(due, 1125 * MS, last=0) is None
    assert late(due, 1125 * MS + 1, last=0) is not None
    assert late(due, 1005 * MS, last=990 * MS) is not None


def test_the_tolerance_can_be_set() -> None:
    due = Due(ast.ABSOLUTE, 10 * MS, 10 * MS)
    assert late(due, 19 * MS, settings=replace(SETTINGS, tolerance_usecs=10_000)) is None


def test_a_range_has_the_tolerance_at_both_ends() -> None:
    due = Due(ast.RELATIVE_RANGE, 310 * MS, 330 * MS, 10 * MS)
    assert late(due, 306 * MS, last=300 * MS) is None
    assert late(due, 334 * MS, last=300 * MS) is None
    assert late(due, 334 * MS + 1, last=300 * MS) == (
        "timing error: expected outbound packet in relative time range +0.300000~+0.320000 sec "
        "but happened at +0.324000 sec"
    )


def test_any_time_is_in_time() -> None:
    assert late(Due(ast.ANY, 0, 0), 10**12) is None


def test_the_first_event_is_at_zero() -> None:
    with pytest.raises(ScriptError, match=r"x.pkt:1: the first event must be at time 0"):
        check_order(parse("0.1 `a`", "x.pkt"))


def test_absolute_times_do_not_go_back() -> None:
    with pytest.raises(ScriptError, match=r"x.pkt:3: time goes backward"):
        check_order(parse("0 `a`\n1 `b`\n0.5 `c`", "x.pkt"))
