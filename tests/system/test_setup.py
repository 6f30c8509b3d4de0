"""`pyhost run --setup FILE` and `--do COMMAND`: the host as an administrator has made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.support import PROGRAMS, Run, RunStore, payload, pyhost_run

RATE_BPS = 5_000_000
BURST = 5000
SIZE = 60_000

SETUP = """
# The uplink.
tc qdisc replace dev eth0 root tbf rate 5mbit burst 5000 latency 400ms

sysctl -q net.ipv4.tcp_congestion_control=reno
"""


@pytest.fixture
def shaped(runs: RunStore, nic: str) -> Run:
    """A file sent through a token bucket."""

    def do(folder: Path) -> Run:
        source, setup = folder / "source.bin", folder / "host.setup"
        source.write_bytes(payload(SIZE))
        setup.write_text(SETUP)
        return pyhost_run(
            folder / "out",
            PROGRAMS / "tcp_write.py",
            source,
            sim=nic,
            peer=PROGRAMS / "tcp_receive.py",
            options=("--setup", setup, "--do", "tc qdisc show dev eth0"),
        )

    return runs.once(f"setup-{nic}", do).succeeded()


def test_a_token_bucket_of_the_setup_sets_the_pace_on_the_wire(shaped: Run) -> None:
    frames = shaped.sent_by("host")
    carried = sum(len(frame.data) for frame in frames[:-1])
    seconds = (frames[-1].ns - frames[0].ns) / 1e9
    assert carried > SIZE
    assert (carried - BURST) * 8 / seconds == pytest.approx(RATE_BPS, rel=0.1)


def test_what_a_command_prints_comes_before_the_program_s_output(shaped: Run) -> None:
    assert shaped.stdout.startswith("qdisc tbf ")


def test_a_setting_of_the_setup_holds_for_the_program(tmp_path: Path) -> None:
    do = ("--do", "sysctl -q net.ipv4.tcp_congestion_control=reno")
    run = pyhost_run(tmp_path / "out", PROGRAMS / "tcp_congestion.py", options=do)
    assert run.succeeded().stdout == "congestion reno\n"


def test_a_refused_command_is_one_line_and_nothing_runs(tmp_path: Path) -> None:
    setup = tmp_path / "host.setup"
    setup.write_text("\n\ntc qdisc add dev eth0 root nothing\n")
    run = pyhost_run(tmp_path / "out", PROGRAMS / "tcp_congestion.py", options=("--setup", setup))
    assert (run.status, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"pyhost: {setup}:3: `tc qdisc add dev eth0 root nothing`: ")
    assert not (tmp_path / "out" / "wire.pcapng").exists()
