"""Fixtures of the tests from write() to the wire."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyhost.tools.toolchain import usable_simulators
from tests.system.support import RunStore


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `nic` once with each thing that may stand for the card."""
    if "nic" in metafunc.fixturenames:
        metafunc.parametrize("nic", _nics(), scope="session")


def _nics() -> list[object]:
    wanted = os.environ.get("SIM")
    rtl = [pytest.param(sim, marks=pytest.mark.sim) for sim in usable_simulators()]
    everything = [*rtl, "model"]
    if not wanted:
        return everything
    return [sim for sim in everything if getattr(sim, "values", (sim,)) == (wanted,)]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> RunStore:
    """Runs shared by tests and workers."""
    base = tmp_path_factory.getbasetemp()
    return RunStore((base if worker_id == "master" else base.parent) / "system-runs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty working folder for a program."""
    return tmp_path
