"""A run with a packet filter: what leaves, what is logged, and how it looks on the wire."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet

from tests.system.support import PROGRAMS, PYTHON, ROOT, Run, RunStore, pyhost_run
from tests.unit.net.netfilter.traffic import checksums_are_good

COMMANDS = (
    "-A OUTPUT -p tcp --dport 25 -j DROP",
    "-A OUTPUT -p udp --dport 25 -j DROP",
    "-A OUTPUT -p tcp --dport 22 --syn -j LOG --log-prefix ssh:",
    "-t mangle -A POSTROUTING -p tcp --dport 7 -j TOS --set-tos 0x10",
    "-t nat -A POSTROUTING -p udp -j SNAT --to-source 10.0.0.77",
)
"""Given one by one to `pyhost iptables`."""


@pytest.fixture
def filtered(runs: RunStore) -> Run:
    """The run: ports 25 (dropped), 22 (logged, nobody listens), 7 (echo)."""

    def do(folder: Path) -> Run:
        rules = folder / "rules"
        for command in COMMANDS:
            argv = [PYTHON, "-m", "pyhost", "iptables", "--rules", str(rules), *command.split()]
            subprocess.run(argv, check=True, cwd=ROOT)
        options = ("--iptables-rules", rules)
        program = PROGRAMS / "filtered.py"
        return pyhost_run(folder / "out", program, 25, 22, 7, options=options)

    return runs.once("filtered", do).succeeded()


def sent(run: Run, layer: type[Packet], port: int) -> list[Packet]:
    """The host's frames to a port."""
    frames = [frame.packet for frame in run.sent_by("host")]
    return [frame for frame in frames if layer in frame and frame[layer].dport == port]


@pytest.mark.claim("S35")
def test_what_is_dropped_never_reaches_the_wire_and_the_connection_times_out(filtered: Run) -> None:
    assert filtered.said("tcp")[0] == ["tcp", "25", "TimeoutError", "5"]
    assert filtered.said("udp")[0] == ["udp", "25", "PermissionError"]
    assert sent(filtered, TCP, 25) == []
    assert sent(filtered, UDP, 25) == []
    assert filtered.summary["counters"]["host.drops"]["NETFILTER_DROP"] >= 3


@pytest.mark.claim("S35")
def test_what_is_logged_stands_in_host_log_and_goes_on(filtered: Run) -> None:
    assert filtered.said("tcp")[1][:3] == ["tcp", "22", "ConnectionRefusedError"]
    (line,) = (filtered.out / "host.log").read_text().splitlines()
    (syn,) = sent(filtered, TCP, 22)
    assert f"ssh:IN= OUT=eth0 SRC=10.0.0.1 DST=10.0.0.2 LEN={syn[IP].len} " in line
    assert f"PROTO=TCP SPT={syn[TCP].sport} DPT=22 WINDOW={syn[TCP].window} " in line


@pytest.mark.claim("S36")
def test_mangle_rewrites_the_frames_of_an_allowed_connection(filtered: Run) -> None:
    assert filtered.said("tcp")[2][:3] == ["tcp", "7", "answered-hello"]
    frames = sent(filtered, TCP, 7)
    assert {frame[IP].tos for frame in frames} == {0x10}
    assert all(checksums_are_good(frame) for frame in frames)


@pytest.mark.claim("S36")
def test_snat_rewrites_the_source_on_the_wire(filtered: Run) -> None:
    frames = [*sent(filtered, UDP, 22), *sent(filtered, UDP, 7)]
    assert [frame[IP].src for frame in frames] == ["10.0.0.77", "10.0.0.77"]
    assert all(checksums_are_good(frame) for frame in frames)


def test_the_run_leaves_what_each_rule_has_counted(filtered: Run) -> None:
    rules = (filtered.out / "host.rules").read_text()
    assert "] -A OUTPUT -p udp -m udp --dport 25 -j DROP\n" in rules
    assert f"[1:{8 + 28}] -A OUTPUT -p udp" in rules
