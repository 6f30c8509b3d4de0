"""tests/conftest.py: what a run of pytest records and prints, seen from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

TESTS = """\
import pytest

@pytest.mark.claim("S01")
def test_good(): ...

@pytest.mark.claim("S02")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_bad_for_one(n):
    assert n != 2

@pytest.mark.claim("S03")
@pytest.mark.skip
def test_skipped(): ...

@pytest.mark.claim("S04")
def test_bad_set_up(broken): ...

@pytest.fixture
def broken():
    raise ValueError

def test_without_claim(): ...
"""


def run_pytest(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, "-p", "tests.conftest", "-p", "no:cacheprovider", *options, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_results_of_claims_are_recorded_with_and_without_workers(
    tmp_path: Path, workers: str
) -> None:
    done = run_pytest(tmp_path, TESTS, "-n", workers, "--claims-report", "build/claims.json")
    assert json.loads((tmp_path / "build/claims.json").read_text()) == {
        "test_it.py::test_good": "passed",
        "test_it.py::test_bad_for_one": "failed",
        "test_it.py::test_skipped": "skipped",
        "test_it.py::test_bad_set_up": "failed",
    }
    assert "\n1 of 48 claims have a passing test\n" in done.stdout


def test_a_failure_prints_the_command_that_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCOTB_RANDOM_SEED", "5")
    monkeypatch.delenv("SIM", raising=False)
    done = run_pytest(tmp_path, TESTS)
    assert "COCOTB_RANDOM_SEED=5 .venv/bin/pytest 'test_it.py::test_bad_for_one[2]'" in done.stdout


def test_a_claim_that_does_not_exist_stops_the_run(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "import pytest\n@pytest.mark.claim('S99')\ndef test_x(): ...\n")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no claim ('S99',) in docs/claims.md" in done.stderr


def test_an_unknown_marker_and_a_warning_are_errors(tmp_path: Path) -> None:
    marker = run_pytest(tmp_path, "import pytest\n@pytest.mark.slow\ndef test_x(): ...\n")
    assert "'slow' not found in `markers`" in marker.stdout
    warning = run_pytest(tmp_path, "import warnings\ndef test_x(): warnings.warn('old')\n")
    assert "UserWarning: old" in warning.stdout
    assert warning.returncode == pytest.ExitCode.TESTS_FAILED


def test_a_test_that_asks_for_a_simulator_runs_once_in_each_that_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def test_x(simulator, simulators): assert simulator in simulators\n"
    monkeypatch.setenv("SIM", "model")
    assert "no RTL simulator" in run_pytest(tmp_path, source).stdout
    monkeypatch.delenv("SIM")
    assert "deselected" in run_pytest(tmp_path, source, "-m", "not sim").stdout
