"""tb/pcapng.py, judged by tshark and by python-pcapng's reader."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from pcapng import FileScanner
from pcapng.blocks import EnhancedPacket, InterfaceDescription
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from tb.pcapng import INBOUND, OUTBOUND, PcapngWriter

tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not there")


def udp_frame(size: int) -> bytes:
    """A UDP datagram of `size` payload bytes in an Ethernet frame, without padding."""
    addresses = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1000, dport=2000)
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return bytes(ether / addresses / bytes(i & 0xFF for i in range(size)))


def tshark_fields(path: Path, *fields: str) -> list[list[str]]:
    """One row for each packet; tshark must not utter a word about the file."""
    switches = [word for field in fields for word in ("-e", field)]
    done = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "fields", *switches],
        capture_output=True,
        text=True,
        check=True,
    )
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert complaints == []
    return [line.split("\t") for line in done.stdout.splitlines()]


@tshark
def test_tshark_shows_time_to_the_nanosecond_interface_direction_and_key(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcapng"
    with PcapngWriter(path, ["host", "peer"], application="pyhost 0.1.0") as capture:
        capture.write(0, 1, udp_frame(18), key=103, direction=OUTBOUND)
        capture.write(1, 5_000_000_123, udp_frame(1472), key=104, direction=INBOUND)
    rows = tshark_fields(
        path,
        "frame.time_epoch",
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.comment",
        "frame.len",
    )
    assert rows == [
        ["0.000000001", "host", "0x00000002", "skb#103", "60"],
        ["5.000000123", "peer", "0x00000001", "skb#104", "1514"],
    ]


@tshark
def test_any_frame_length_and_key_length_keeps_the_file_readable(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcapng"
    kinds = list(product(range(4), [None, 1, 12, 123, 1234, 2**40], [None, INBOUND, OUTBOUND]))
    with PcapngWriter(path, ["host", "a longer name"], application="pyhost") as capture:
        for ns, (size, key, direction) in enumerate(kinds):
            capture.write(ns & 1, ns, udp_frame(size), key=key, direction=direction)
    assert tshark_fields(path, "udp.length", "frame.comment", "frame.packet_flags_direction") == [
        [
            str(8 + size),
            "" if key is None else f"skb#{key}",
            "" if direction is None else f"0x{direction:08x}",
        ]
        for size, key, direction in kinds
    ]


def test_python_pcapng_reads_back_the_very_bytes(tmp_path: Path) -> None:
    path = tmp_path / "host.pcapng"
    frames = [udp_frame(size) for size in (0, 1, 2, 3, 1472)]
    with PcapngWriter(path, ["eth0"], application="pyhost") as capture:
        for number, frame in enumerate(frames):
            capture.write(0, number << 33, memoryview(frame), key=number)
    with path.open("rb") as file:
        blocks = list(FileScanner(file))
    packets = [block for block in blocks if isinstance(block, EnhancedPacket)]
    interfaces = [block for block in blocks if isinstance(block, InterfaceDescription)]
    assert [packet.packet_data for packet in packets] == frames
    assert [(p.timestamp_high << 32) + p.timestamp_low for p in packets] == [
        number << 33 for number in range(len(frames))
    ]
    assert [interface.options["if_name"] for interface in interfaces] == ["eth0"]


@tshark
def test_a_killed_run_leaves_every_frame_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcapng"
    script = (
        "import os, signal, sys\n"
        "from tb.pcapng import PcapngWriter\n"
        "capture = PcapngWriter(sys.argv[1], ['host'], application='pyhost')\n"
        "for number in range(100):\n"
        "    capture.write(0, number, bytes(60), key=number)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(path)],
        check=False,
        cwd=Path(__file__).resolve().parents[3],
    )
    comments = tshark_fields(path, "frame.comment")
    assert comments == [[f"skb#{number}"] for number in range(100)]


def test_an_interface_the_capture_does_not_have_is_refused(tmp_path: Path) -> None:
    with (
        PcapngWriter(tmp_path / "x.pcapng", ["host"], application="pyhost") as capture,
        pytest.raises(ValueError, match="no interface 1"),
    ):
        capture.write(1, 0, bytes(60))


def test_close_may_be_called_twice(tmp_path: Path) -> None:
    capture = PcapngWriter(tmp_path / "x.pcapng", ["host"], application="pyhost")
    capture.close()
    capture.close()
