"""The project's own packetdrill scripts, and the command that runs them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from tb.packetdrill import Job, run_on_model
from tb.packetdrill_rtl import outcomes_on_rtl

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "tests" / "packetdrill").rglob("*.pkt"))

PASSES = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
FAILS = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = -1 EPERM (x)\n"
SKIPPED = "--ip_version=ipv6\n0 `x`\n"
BROKEN = "0 socket(\n"


def command(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyhost", "packetdrill", *args],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )


def write(folder: Path, **scripts: str) -> list[str]:
    """Write each script as NAME.pkt; returns the names."""
    for name, text in scripts.items():
        (folder / f"{name}.pkt").write_text(text)
    return [f"{name}.pkt" for name in scripts]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_stack_obeys_the_script(script: Path) -> None:
    output = io.StringIO()
    outcome = run_on_model(Job(files=(script,), cwd=ROOT), script, output)
    assert (outcome.verdict, outcome.reason) == ("ok", "")


def test_the_stack_obeys_all_scripts_with_the_rtl_as_its_card(simulator: str) -> None:
    job = Job(files=tuple(SCRIPTS), sim=simulator, cwd=ROOT)
    outcomes = list(outcomes_on_rtl(job, io.StringIO()))
    assert [outcome.path for outcome in outcomes] == [str(script) for script in SCRIPTS]
    assert [outcome.reason for outcome in outcomes if outcome.verdict != "ok"] == []


def test_the_command_says_what_became_of_each_script(tmp_path: Path) -> None:
    names = write(tmp_path, good=PASSES, bad=FAILS, other=SKIPPED)
    result = command(tmp_path, *names)
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        f"ok   {tmp_path}/good.pkt",
        f"FAIL {tmp_path}/bad.pkt",
        f"     {tmp_path}/bad.pkt:1: runtime error in socket call: Expected result -1 but got 3 "
        "with errno 0 (Success)",
        f"skip {tmp_path}/other.pkt",
        "     IP version ipv6: there is only IPv4",
        "1 passed, 1 failed, 1 skipped",
    ]


def test_all_passed_is_exit_status_0(tmp_path: Path) -> None:
    result = command(tmp_path, *write(tmp_path, good=PASSES))
    assert (result.returncode, result.stderr) == (0, "")


def test_a_text_that_is_no_script_is_exit_status_2(tmp_path: Path) -> None:
    names = write(tmp_path, broken=BROKEN, good=PASSES)
    result = command(tmp_path, *names)
    assert result.returncode == 2
    assert result.stderr.startswith(f"pyhost: {tmp_path}/broken.pkt:2: expected ")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout.endswith("1 passed, 0 failed, 0 skipped\n")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--tolerance_usecs=x"], "bad value for --tolerance_usecs: 'x'"),
        (["--ip_version=ipv6"], "IP version ipv6: there is only IPv4"),
        (["-D", "7"], "'7' is not NAME=VALUE"),
        (["--magic"], "No such option"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_status_2(
    tmp_path: Path, args: list[str], told: str
) -> None:
    result = command(tmp_path, *args, *write(tmp_path, good=PASSES))
    assert (result.returncode, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_options_of_the_command_line_hold_for_every_script(tmp_path: Path) -> None:
    names = write(tmp_path, early=PASSES + "+0...0.1 open(NAME, 0) = 4\n")
    result = command(tmp_path, "-D", 'NAME="/dev/zero"', "--tolerance_usecs=100000", *names)
    assert result.stdout.endswith("1 passed, 0 failed, 0 skipped\n"), result.stdout


def test_a_capture_is_kept_on_request(tmp_path: Path) -> None:
    script = SCRIPTS[0]
    result = command(tmp_path, "--out", "captures", str(script))
    assert result.returncode == 0
    capture = tmp_path / "captures" / f"{script.stem}.pcapng"
    packets = subprocess.run(
        ["tshark", "-r", str(capture), "-Y", "tcp", "-T", "fields", "-e", "tcp.flags.str"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "S" in packets.splitlines()[0]


def test_the_rtl_prints_the_same_as_the_model(tmp_path: Path, simulator: str) -> None:
    names = write(
        tmp_path, shown=PASSES + "+0 %{ print('seen') }%\n", bad=FAILS, broken=BROKEN, other=SKIPPED
    )
    model = command(tmp_path, *names)
    rtl = command(tmp_path, "--sim", simulator, *names)
    assert "seen\n" in model.stdout
    assert (rtl.returncode, rtl.stdout, rtl.stderr) == (2, model.stdout, model.stderr)
