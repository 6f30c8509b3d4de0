"""Scripts in a simulator that may end too early: which get a new one, and what is said."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tb.packetdrill import rtl
from tb.packetdrill.job import ERROR, FAIL, OK, Job, Outcome
from tb.packetdrill.rtl import COUNT_VARIABLE, JOB_VARIABLE, OUTCOME_VARIABLE, outcomes_on_rtl

SCRIPT = "0 pipe([3, 4]) = 0\n"


class FakeSimulator:
    """Passes every script, but ends at those that are called `bad`. `runs` are the scripts that
    each simulator was given, `outs` where it wrote.
    """

    def __init__(self, log: str) -> None:
        self._log = log
        self.runs: list[list[str]] = []
        self.outs: list[Path] = []

    def __call__(
        self, sim: str, folder: Path, *, out: Path, log: Any, env: Mapping[str, str], **_: object
    ) -> int:
        job = Job.from_json(env[JOB_VARIABLE])
        assert env[COUNT_VARIABLE] == str(len(job.files))
        self.runs.append([file.stem for file in job.files])
        self.outs.append(out)
        log.write(self._log)
        log.flush()
        for file in job.files:
            if file.stem.startswith("bad"):
                return 1
            line = Outcome(str(file), OK).to_json(f"{file.stem}\n") + "\n"
            os.write(int(env[OUTCOME_VARIABLE]), line.encode())
        return 0


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSimulator:
    simulator = FakeSimulator("-.--ns INFO  starting\nCHECK hnic_csr: a write was lost\nmore\n")
    monkeypatch.setattr(rtl, "simulate", simulator)
    monkeypatch.setattr(rtl, "build", lambda sim, design, *, waves: Path("/build"))
    return simulator


def run(folder: Path, *names: str, **settings: Any) -> tuple[list[Outcome], str]:
    """The outcomes of scripts of these names, and what was printed."""
    files = tuple(folder / f"{name}.pkt" for name in names)
    for file in files:
        file.write_text("nothing" if file.stem == "broken" else SCRIPT)
    output = io.StringIO()
    job = Job(files=files, root=folder, sim="icarus", cwd=folder, **settings)
    return list(outcomes_on_rtl(job, output)), output.getvalue()


def test_one_simulator_runs_all_scripts(tmp_path: Path, fake: FakeSimulator) -> None:
    outcomes, printed = run(tmp_path, "a", "b", "c")
    assert [outcome.verdict for outcome in outcomes] == [OK, OK, OK]
    assert printed == "a\nb\nc\n"
    assert fake.runs == [["a", "b", "c"]]
    assert not fake.outs[0].exists()


def test_a_simulator_that_ends_fails_one_script_and_the_rest_get_another(
    tmp_path: Path, fake: FakeSimulator
) -> None:
    outcomes, printed = run(tmp_path, "a", "bad1", "b", "bad2")
    assert [outcome.verdict for outcome in outcomes] == [OK, FAIL, OK, FAIL]
    assert [Path(outcome.path).stem for outcome in outcomes] == ["a", "bad1", "b", "bad2"]
    assert printed == "a\nb\n"
    assert fake.runs == [["a", "bad1", "b", "bad2"], ["b", "bad2"]]


def test_the_check_that_ended_it_is_told(tmp_path: Path, fake: FakeSimulator) -> None:
    outcomes, _ = run(tmp_path, "bad")
    told = f"{tmp_path}/bad.pkt: the simulator ended: CHECK hnic_csr: a write was lost"
    assert outcomes == [Outcome(f"{tmp_path}/bad.pkt", FAIL, told)]


def test_without_a_check_the_end_of_its_log_is_told(
    tmp_path: Path, fake: FakeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"line {number}" for number in range(40)]
    monkeypatch.setattr(rtl, "simulate", FakeSimulator("\n".join(lines)))
    ((outcome,), _) = run(tmp_path, "bad")
    assert outcome.reason.splitlines()[-1] == "line 39"
    assert "line 5\n" not in outcome.reason


def test_scripts_that_cannot_be_run_keep_their_place(tmp_path: Path, fake: FakeSimulator) -> None:
    outcomes, _ = run(tmp_path, "broken", "a", "x-v6", "b")
    assert [outcome.verdict for outcome in outcomes] == [ERROR, OK, "skip", OK]
    assert fake.runs == [["a", "b"]]


def test_no_simulator_is_started_for_nothing(tmp_path: Path, fake: FakeSimulator) -> None:
    assert [outcome.verdict for outcome in run(tmp_path, "broken")[0]] == [ERROR]
    assert fake.runs == []


def test_with_waveforms_each_script_has_a_simulator_and_a_folder(
    tmp_path: Path, fake: FakeSimulator
) -> None:
    out = tmp_path / "out"
    outcomes, _ = run(tmp_path, "a", "bad", "b", waves=True, out=out)
    assert [outcome.verdict for outcome in outcomes] == [OK, FAIL, OK]
    assert fake.runs == [["a"], ["bad"], ["b"]]
    assert fake.outs == [out / "a", out / "bad", out / "b"]
    assert (out / "a" / "sim.log").exists()
