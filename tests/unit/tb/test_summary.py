"""tb/summary.py: what a finished run writes, read back with the standard library."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from xml.etree import ElementTree

from tb.summary import RunRecord, package_versions, write_results, write_summary


def record(failure: str | None = None) -> RunRecord:
    return RunRecord(
        name="01_send_file",
        sim="icarus",
        seed=7,
        exit_status=3 if failure else 0,
        failure=failure,
        bytes=330_000,
        frames=231,
        sim_time_ns=2_000_000,
        cycles=312_500,
        wall_time_s=4.0,
        counters={"tcp": {"retransmits": 0}, "nic": {"frames": 208}},
        versions=package_versions(),
    )


def test_summary_holds_the_record(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.json", record())
    assert json.loads((tmp_path / "summary.json").read_text()) == record()


def test_versions_are_those_installed() -> None:
    versions = package_versions()
    assert versions["numpy"] == importlib.metadata.version("numpy")
    assert "python" in versions


def test_results_of_a_good_run_have_one_test_case_and_the_seed(tmp_path: Path) -> None:
    write_results(tmp_path / "results.xml", record())
    suite = ElementTree.parse(tmp_path / "results.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    seed = suite.find("properties/property[@name='random_seed']")
    assert seed is not None
    assert seed.get("value") == "7"
    [case] = suite.findall("testcase")
    assert (case.get("classname"), case.get("name")) == ("pyhost.icarus", "01_send_file")
    assert (case.get("sim_time_ns"), case.get("ratio_time")) == ("2000000", "500000.000")
    assert case.find("failure") is None


def test_results_of_a_failed_run_carry_its_reason_whatever_characters_it_has(
    tmp_path: Path,
) -> None:
    write_results(tmp_path / "results.xml", record('CHECK <top>: "bad" \x00 & late'))
    suite = ElementTree.parse(tmp_path / "results.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "1"
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == 'CHECK <top>: "bad" � & late'
