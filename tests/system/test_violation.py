"""A run that breaks a rule ends at once, with status 3 and one line that says which."""

from __future__ import annotations

import re
from pathlib import Path

from tests.system.broken_driver import VARIABLE
from tests.system.support import EXAMPLES, Run, payload, pyhost_run

CHECK_FAILED = 3


def complaint(run: Run) -> str:
    """The one line that a run with a failed check says on stderr."""
    assert run.status == CHECK_FAILED, str(run)
    assert run.stderr.count("\n") == 1, str(run)
    assert run.stderr.startswith("pyhost: co-simulation check failed: "), str(run)
    assert run.summary["exit_status"] == CHECK_FAILED
    failure: str = run.summary["failure"]
    assert failure in run.stderr
    return failure


def run_broken(folder: Path, nic: str, mistake: str) -> str:
    """What a run says of a driver with this mistake."""
    file = folder / "file.bin"
    file.write_bytes(payload(3000))
    name = "broken_driver" if nic == "model" else "cosim_broken_driver"
    run = pyhost_run(
        folder / "out",
        EXAMPLES / "01_send_file.py",
        file,
        sim=nic,
        peer=EXAMPLES / "01_receive_file.py",
        altered_by=f"tests.system.{name}",
        variables={VARIABLE: mistake},
    )
    return complaint(run)


READ = r"DmaViolation: hnic: DMA read of \d+ bytes at 0x[0-9a-f]+: "
RANGE = r"\[0x[0-9a-f]+, 0x[0-9a-f]+\) single "


def test_memory_that_was_unmapped_too_early_is_named(tmp_path: Path, nic: str) -> None:
    failure = run_broken(tmp_path, nic, "unmap_early")
    assert re.fullmatch(rf"{READ}not mapped; was unmapped: {RANGE}TO_DEVICE of skb#\d+", failure)


def test_an_address_that_was_never_mapped_is_named(tmp_path: Path, nic: str) -> None:
    failure = run_broken(tmp_path, nic, "wrong_address")
    assert re.match(rf"{READ}not mapped; nearest is \[0x", failure)


def test_a_map_in_the_wrong_direction_is_named(tmp_path: Path) -> None:
    failure = run_broken(tmp_path, "model", "wrong_direction")
    assert re.match(rf"{READ}wrong direction, it is {RANGE}FROM_DEVICE of skb#\d+", failure)


def test_a_run_in_which_all_sleep_ends_and_names_the_sleepers(tmp_path: Path, nic: str) -> None:
    program = tmp_path / "waits.py"
    program.write_text("import socket\nsocket.create_server(('', 9)).accept()\n")
    run = pyhost_run(tmp_path / "out", program, sim=nic, peer=EXAMPLES / "01_receive_file.py")
    failure = complaint(run)
    assert failure.startswith("Hang: nothing moves any more at 0.")
    assert "host: waits.py (pid " in failure
    assert "peer: 01_receive_file.py (pid " in failure
