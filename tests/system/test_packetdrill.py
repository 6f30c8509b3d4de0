"""The project's own packetdrill scripts, and the command that runs them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from tb.packetdrill.job import Job
from tb.packetdrill.rtl import outcomes_on_rtl
from tb.packetdrill.run import run_on_model

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "tests" / "packetdrill").rglob("*.pkt"))

ONE_A_FOLDER = list({script.parent: script for script in SCRIPTS}.values())

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


def check_with_the_rtl(scripts: list[Path], simulator: str) -> None:
    job = Job(files=tuple(scripts), sim=simulator, cwd=ROOT)
    outcomes = list(outcomes_on_rtl(job, io.StringIO()))
    assert [outcome.path for outcome in outcomes] == [str(script) for script in scripts]
    assert [outcome.reason for outcome in outcomes if outcome.verdict != "ok"] == []


def test_the_stack_obeys_the_scripts_with_the_rtl_as_its_card(simulator: str) -> None:
    """All of them in Verilator; in Icarus, which is several times slower, one of each folder."""
    check_with_the_rtl(SCRIPTS if simulator == "verilator" else ONE_A_FOLDER, simulator)


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.sim
def test_the_stack_obeys_all_scripts_in_icarus(simulators: tuple[str, ...]) -> None:
    if "icarus" not in simulators:
        pytest.skip("no Icarus: see `pyhost doctor`")
    check_with_the_rtl(SCRIPTS, "icarus")


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
    assert result.stdout.endswith("1 passed, 1 failed, 0 skipped\n")


def test_a_folder_is_run_with_all_below_it(tmp_path: Path) -> None:
    for folder in ("cork", "window"):
        (tmp_path / "scripts" / folder).mkdir(parents=True)
        write(tmp_path / "scripts" / folder, good=PASSES)
    write(tmp_path / "scripts" / "window", bad=FAILS)
    result = command(tmp_path, "scripts")
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[-4:] == [
        "        passed  failed  skipped",
        "cork         1       0        0",
        "window       1       1        0",
        "2 passed, 1 failed, 0 skipped",
    ]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--tolerance_usecs=x"], "bad value for --tolerance_usecs: 'x'"),
        (["--ip_version=ipv6"], "IP version ipv6: there is only IPv4"),
        (["--mtu=67"], "bad value for --mtu: '67'"),
        (["--waves", "--out", "out"], "--waves needs signals, which `--sim model` has none of"),
        (["no/such.pkt"], "'no/such.pkt' does not exist"),
        (["empty"], "empty: no *.pkt there"),
        (["-D", "7"], "'7' is not NAME=VALUE"),
        (["--magic"], "No such option"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_status_2(
    tmp_path: Path, args: list[str], told: str
) -> None:
    (tmp_path / "empty").mkdir()
    result = command(tmp_path, *args, *write(tmp_path, good=PASSES))
    assert (result.returncode, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_options_of_the_command_line_hold_for_every_script(tmp_path: Path) -> None:
    names = write(tmp_path, early=PASSES + "+0...0.1 open(NAME, 0) = 4\n")
    result = command(tmp_path, "-D", 'NAME="/dev/zero"', "--tolerance_usecs=100000", *names)
    assert result.stdout.endswith("1 passed, 0 failed, 0 skipped\n"), result.stdout


def tcp_flags(capture: Path) -> list[str]:
    """The flags of each segment, as tshark shows them."""
    return subprocess.run(
        ["tshark", "-r", str(capture), "-Y", "tcp", "-T", "fields", "-e", "tcp.flags.str"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()


def test_captures_are_kept_on_request(tmp_path: Path) -> None:
    script = SCRIPTS[0]
    result = command(tmp_path, "--out", "captures", str(script))
    assert result.returncode == 0
    folder = tmp_path / "captures" / script.stem
    host, wire = tcp_flags(folder / "host.pcapng"), tcp_flags(folder / "wire.pcapng")
    assert "S" in host[0]
    # What crosses on the wire has another order at the host.
    assert sorted(wire) == sorted(host)


def test_waveforms_are_kept_on_request(tmp_path: Path, simulators: tuple[str, ...]) -> None:
    if not simulators:
        pytest.skip("no RTL simulator: see `pyhost doctor`")
    (tmp_path / "a").mkdir()
    names = [*write(tmp_path, good=PASSES), *(f"a/{n}" for n in write(tmp_path / "a", bad=FAILS))]
    result = command(tmp_path, "--sim", simulators[0], "--waves", "--out", "out", *names)
    assert result.returncode == 1, result.stderr
    assert f"     captures: {tmp_path}/out/a/bad" in result.stdout.splitlines()
    for folder in ("good", "a/bad"):
        assert (tmp_path / "out" / folder / "waves.fst").stat().st_size > 0


def test_the_rtl_prints_the_same_as_the_model(tmp_path: Path, simulator: str) -> None:
    names = write(
        tmp_path, shown=PASSES + "+0 %{ print('seen') }%\n", bad=FAILS, broken=BROKEN, other=SKIPPED
    )
    model = command(tmp_path, *names)
    rtl = command(tmp_path, "--sim", simulator, *names)
    assert "seen\n" in model.stdout
    assert (rtl.returncode, rtl.stdout, rtl.stderr) == (2, model.stdout, model.stderr)


def test_waveforms_need_a_place_to_go(tmp_path: Path, simulator: str) -> None:
    result = command(tmp_path, "--sim", simulator, "--waves", *write(tmp_path, good=PASSES))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "pyhost: --waves needs --out DIR, where they go\n"
