"""Which simulator runs what: a module in one of them, the whole card in each."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def module_simulator(simulators: tuple[str, ...]) -> str:
    """The simulator for tests of single modules: Icarus, or the one that the variable SIM names."""
    if not simulators:
        pytest.skip("no RTL simulator: see `pyhost doctor`")
    return simulators[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "module_simulator" in getattr(item, "fixturenames", ()):
            item.add_marker("sim")
