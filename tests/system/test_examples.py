"""examples/: each one runs under `pyhost run`. What they do is shown with the RTL elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.system.support import EXAMPLES, payload, pyhost_run

SIZE = 30_001
STREAMS = 3
DATAGRAM_SIZES = (0, 1, 18, 512, 1472)


@pytest.mark.parametrize("sender", ["01_send_file.py", "04_sendfile.py"])
def test_a_file_goes_from_program_to_program(sender: str, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(payload(SIZE))
    receiver = EXAMPLES / "01_receive_file.py"
    run = pyhost_run(tmp_path / "out", EXAMPLES / sender, file, peer=receiver)
    [[_, size, _, _, digest]] = run.succeeded().said("received")
    assert (int(size), digest) == (SIZE, hashlib.sha256(payload(SIZE)).hexdigest())


def test_datagrams_come_back(tmp_path: Path) -> None:
    run = pyhost_run(tmp_path / "out", EXAMPLES / "02_udp_echo.py").succeeded()
    lines = run.stdout.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(DATAGRAM_SIZES)


def test_three_threads_and_a_select(tmp_path: Path) -> None:
    run = pyhost_run(tmp_path / "out", EXAMPLES / "03_threads_select.py").succeeded()
    assert run.stdout.splitlines()[-1] == f"{STREAMS} of {STREAMS} streams came back intact"


def test_every_example_is_run_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if path.name not in here] == []
