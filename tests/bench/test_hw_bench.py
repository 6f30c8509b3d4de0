"""The bench of the card measures what it says, and the card keeps the figures that matter most."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.hw.__main__ import Row, measure, verdict
from tests.bench.hw.cases import Build, Case, Kind, all_builds, wire_cycles
from tests.bench.hw.page import BEGIN, END, write_page

ROW: Row = {
    "name": "tx 60 bytes",
    "axi_data_w": 128,
    "latency_ns": 400,
    "cycles_per_packet": 10.5,
    "line_rate": 0.995,
    "axi_efficiency": 0.5,
    "goal_line_rate": 0.99,
    "goal_cycles": None,
}


def test_the_wire_is_that_of_the_standard() -> None:
    """IEEE 802.3: 8 bytes of preamble, 4 of FCS, a gap of 12; 64 bits a cycle, or 8."""
    xgmii, gmii = Build(name="x"), Build(name="g", gmii=True)
    assert wire_cycles(xgmii, 60) == wire_cycles(xgmii, 1) == 10.5
    assert wire_cycles(xgmii, 1514) == 192.25
    assert wire_cycles(gmii, 1514) == 1538


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "ok"),
        ({"line_rate": 0.98}, "short"),
        ({"lost": 1}, "short"),
        ({"line_rate": None, "goal_line_rate": None}, ""),
        ({"line_rate": None, "goal_line_rate": None, "goal_cycles": 10}, "short"),
        ({"line_rate": None, "goal_line_rate": None, "goal_cycles": 11}, "ok"),
    ],
)
def test_a_row_that_misses_its_goal_is_called_short(changes: Row, wanted: str) -> None:
    assert verdict(ROW | changes) == wanted


def test_every_case_has_a_name_of_its_own() -> None:
    for build in all_builds():
        names = [(case.name, case.latency_ns) for case in build.cases]
        assert len(names) == len(set(names))


def test_frames_of_a_super_segment_are_those_of_its_mss() -> None:
    case = Case(name="x", kind=Kind.TX, packets=((66, 2896),), mss=1448)
    assert case.frames == (1514,)


def test_the_page_keeps_what_is_around_its_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page, [(ROW, "ok")])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| tx 60 bytes | 128 bit | 400 ns | 10.50 | 99.5 % | 50 % | ≥ 99 % | ok |" in text
    page.write_text("no markers")
    with pytest.raises(ValueError, match="markers"):
        write_page(page, [])


@pytest.mark.sim
@pytest.mark.parametrize("only", ["doorbell to wire, 60", "tx 60 bytes", "rx 60 bytes"])
def test_the_shortest_frames_keep_their_goals(simulators: tuple[str, ...], only: str) -> None:
    """Cycles, not seconds: line rate at both memory latencies, and the way to the wire."""
    if not simulators:
        pytest.skip("no RTL simulator: see `pyhost doctor`")
    card = all_builds()[0]
    rows = measure(card, simulators[0], only)
    assert rows
    assert [verdict(row) for row in rows] == ["ok"] * len(rows)
