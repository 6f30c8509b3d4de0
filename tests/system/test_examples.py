"""examples/: each one runs under `pyhost run`. What they do is shown with the RTL elsewhere."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from scapy.layers.inet import TCP, UDP

from tb.packetdrill.job import Job
from tb.packetdrill.run import run_on_model
from tests.system.support import EXAMPLES, ROOT, payload, pyhost_run

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


def test_memory_is_sent_without_a_copy_and_given_back(tmp_path: Path) -> None:
    run = pyhost_run(tmp_path / "out", EXAMPLES / "05_zerocopy.py").succeeded()
    *notifications, last = run.stdout.splitlines()
    assert notifications
    assert all(line.endswith("done, not copied") for line in notifications)
    assert last.startswith("200000 bytes in ")
    counters = run.summary["counters"]["host.mm"]
    assert (counters["zerocopy_bytes"], counters["copy_nocache_bytes"]) == (200_000, 0)


def test_one_send_makes_many_datagrams(tmp_path: Path) -> None:
    run = pyhost_run(tmp_path / "out", EXAMPLES / "06_udp_segment.py").succeeded()
    assert run.stdout == f"one send, datagrams of {'1200 ' * 8}400\n"
    packets = [frame.packet for frame in run.sent_by("host")]
    assert [packet[UDP].len - 8 for packet in packets if UDP in packet] == [1200] * 8 + [400]


def test_edges_are_followed_on_four_connections(tmp_path: Path) -> None:
    run = pyhost_run(tmp_path / "out", EXAMPLES / "07_epoll_edge.py").succeeded()
    assert run.stdout.startswith("4 of 4 connections came back intact after ")


def test_a_setup_file_makes_a_firewall(tmp_path: Path) -> None:
    options = ("--setup", EXAMPLES / "08_firewall.setup")
    run = pyhost_run(tmp_path / "out", EXAMPLES / "08_ports.py", options=options).succeeded()
    assert [line.split()[1:3] for line in run.stdout.splitlines()] == [
        ["25:", "TimeoutError"],
        ["22:", "ConnectionRefusedError"],
        ["7:", "open"],
    ]
    assert "ssh: IN= OUT=eth0 " in (run.out / "host.log").read_text()
    packets = [frame.packet for frame in run.sent_by("host")]
    assert {packet[TCP].dport for packet in packets if TCP in packet} == {7}


def test_the_packetdrill_script_passes() -> None:
    script = EXAMPLES / "09_cork.pkt"
    outcome = run_on_model(Job(files=(script,), cwd=ROOT), script, io.StringIO())
    assert (outcome.verdict, outcome.reason) == ("ok", "")


def test_every_example_is_run_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    names = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert {name for name in names if name not in here} == set()
