"""The frames of the RTL as cocotbext-eth's XGMII sink sees them, beside our own monitor."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from tests.system.support import EXAMPLES, Run, RunStore, payload, pyhost_run


@pytest.fixture
def witnessed(runs: RunStore, simulator: str) -> Run:
    """A file of 5003 bytes through the RTL, with the sink on the bus."""

    def do(folder: Path) -> Run:
        (folder / "file.bin").write_bytes(payload(5003))
        return pyhost_run(
            folder / "out",
            EXAMPLES / "01_send_file.py",
            folder / "file.bin",
            sim=simulator,
            peer=EXAMPLES / "01_receive_file.py",
            altered_by="tests.system.cosim_witness",
        )

    return runs.once(f"witnessed-{simulator}", do).succeeded()


@pytest.mark.claim("S43")
def test_the_sink_sees_the_frames_that_the_capture_holds(witnessed: Run) -> None:
    record = json.loads((witnessed.out / "witness.json").read_text())
    seen = [bytes.fromhex(frame) for frame in record["frames"]]
    captured = [frame.data for frame in witnessed.sent_by("host")]
    assert len(captured) > 5003 // 1460
    assert [frame[:-4] for frame in seen] == captured


def test_the_sink_sees_a_right_fcs_in_each_frame(witnessed: Run) -> None:
    record = json.loads((witnessed.out / "witness.json").read_text())
    for frame in map(bytes.fromhex, record["frames"]):
        assert frame[-4:] == zlib.crc32(frame[:-4]).to_bytes(4, "little")
