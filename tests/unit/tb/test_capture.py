"""tb/capture.py: frames in the order in which they began."""

from __future__ import annotations

from pathlib import Path

from scapy.utils import RawPcapNgReader

from tb.capture import WireCapture
from tb.pcapng import PcapngWriter


def read(path: Path) -> list[tuple[int, bytes]]:
    with RawPcapNgReader(str(path)) as reader:
        return [(meta.tshigh << 32 | meta.tslow, data) for data, meta in reader]


def capture(path: Path) -> WireCapture:
    return WireCapture(PcapngWriter(path, ["a", "b"], application="test"), longest_ns=100)


def test_a_frame_heard_of_late_stands_where_it_began(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcapng"
    wire = capture(path)
    wire.write(20, 20, 1, b"second", 1)
    wire.write(90, 10, 0, b"first", 2)
    wire.close()
    assert read(path) == [(10, b"first"), (20, b"second")]


def test_a_frame_is_in_the_file_as_soon_as_none_before_it_can_come(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcapng"
    wire = capture(path)
    wire.write(20, 20, 1, b"first", 1)
    wire.write(119, 119, 1, b"second", 2)
    assert read(path) == []
    wire.write(120, 120, 1, b"third", 3)
    assert read(path) == [(20, b"first")]
    wire.close()
    assert [data for _, data in read(path)] == [b"first", b"second", b"third"]


def test_frames_that_begin_together_keep_the_order_in_which_they_came(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcapng"
    wire = capture(path)
    wire.write(5, 5, 1, b"z", 1)
    wire.write(5, 5, 0, b"a", 2)
    wire.close()
    assert read(path) == [(5, b"z"), (5, b"a")]
