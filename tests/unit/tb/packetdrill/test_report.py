"""What a run of scripts tells."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tb.packetdrill.job import ERROR, FAIL, OK, SKIP, Job, Outcome
from tb.packetdrill.report import Report

JOB = Job(files=(), root=Path("/s"), cwd=Path("/"))


@pytest.mark.parametrize(
    ("verdicts", "totals", "status"),
    [
        ((), "0 passed, 0 failed, 0 skipped", 0),
        ((OK, SKIP), "1 passed, 0 failed, 1 skipped", 0),
        ((OK, FAIL), "1 passed, 1 failed, 0 skipped", 1),
        ((ERROR, FAIL, OK), "1 passed, 2 failed, 0 skipped", 2),
    ],
)
def test_the_exit_status_is_that_of_the_worst(
    verdicts: tuple[str, ...], totals: str, status: int
) -> None:
    output = io.StringIO()
    report = Report(JOB, output)
    for verdict in verdicts:
        report.add(Outcome("/s/x.pkt", verdict, "why"))
    assert report.close() == status
    assert output.getvalue().splitlines()[-1] == totals


def test_reasons_are_indented(capsys: pytest.CaptureFixture[str]) -> None:
    output = io.StringIO()
    report = Report(JOB, output)
    report.add(Outcome("/s/x.pkt", FAIL, "one\ntwo"))
    report.add(Outcome("/s/y.pkt", ERROR, "/s/y.pkt:1: three"))
    assert output.getvalue() == "FAIL /s/x.pkt\n     one\n     two\n"
    assert capsys.readouterr().err == "pyhost: /s/y.pkt:1: three\n"


def test_a_failure_says_where_its_captures_are() -> None:
    output = io.StringIO()
    report = Report(Job(files=(), root=Path("/s"), out=Path("/out"), cwd=Path("/")), output)
    report.add(Outcome("/s/a/x.pkt", FAIL, "why"))
    report.add(Outcome("/s/a/y.pkt", OK))
    assert output.getvalue().splitlines() == [
        "FAIL /s/a/x.pkt",
        "     why",
        "     captures: /out/a/x",
        "ok   /s/a/y.pkt",
    ]


def test_several_folders_have_their_totals_in_a_table() -> None:
    output = io.StringIO()
    report = Report(JOB, output)
    for path, verdict in (
        ("/s/window/x.pkt", OK),
        ("/s/cork/x.pkt", ERROR),
        ("/s/cork/y.pkt", SKIP),
        ("/s/window/y.pkt", OK),
    ):
        report.add(Outcome(path, verdict))
    report.close()
    assert output.getvalue().splitlines()[-4:] == [
        "        passed  failed  skipped",
        "cork         0       1        1",
        "window       2       0        0",
        "2 passed, 1 failed, 1 skipped",
    ]


def test_one_folder_has_no_table() -> None:
    output = io.StringIO()
    report = Report(JOB, output)
    report.add(Outcome("/s/cork/x.pkt", OK))
    report.close()
    assert output.getvalue() == "ok   /s/cork/x.pkt\n1 passed, 0 failed, 0 skipped\n"
