"""A script's end of the wire, and when a script has run for too long."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pyhost.kernel.clock import NSEC_PER_SEC, VirtualClock
from tb.packetdrill import bench
from tb.packetdrill.bench import PortWire
from tb.packetdrill.job import Job, Outcome
from tb.packetdrill.run import run_on_model
from tb.wire import Link

RATE = 1_000_000_000


def test_frames_wait_until_the_wire_is_free() -> None:
    clock = VirtualClock()
    link = Link(clock, RATE, 0, lambda ns, side, frame, key: None)
    arrived: list[tuple[int, bytes]] = []
    link.ports[0].receive = lambda frame, key: arrived.append((clock.now, frame))
    wire = PortWire(clock, link.ports[1])
    for number in range(3):
        wire.send(bytes([number]) * 60)
    clock.run()
    step = link.ports[0].frame_ns(60)
    assert [frame[0] for _, frame in arrived] == [0, 1, 2]
    assert [when - arrived[0][0] for when, _ in arrived] == [0, step, 2 * step]


def test_what_the_stack_sends_arrives() -> None:
    clock = VirtualClock()
    link = Link(clock, RATE, 0, lambda ns, side, frame, key: None)
    wire = PortWire(clock, link.ports[1])
    arrived: list[bytes] = []
    wire.receive = arrived.append
    link.ports[0].transmit(b"x" * 60, 5)
    clock.run()
    assert arrived == [b"x" * 60]


# -- the limit of simulated time -------------------------------------------------------------------

WAITS = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
* > S 0:0(0) <...>
"""
"""The SYN is repeated for two minutes; a packet of the second socket may come at any time."""


def play(folder: Path, text: str) -> Outcome:
    file = folder / "x.pkt"
    file.write_text(text)
    return run_on_model(Job(files=(file,), cwd=folder), file, io.StringIO())


def test_a_script_that_goes_on_for_ever_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "RUN_LIMIT_NS", 2 * NSEC_PER_SEC)
    outcome = play(tmp_path, WAITS)
    assert outcome.verdict == "FAIL"
    assert outcome.reason.endswith("x.pkt: 2 s have passed, and the script is not over")


def test_the_times_of_the_script_itself_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "RUN_LIMIT_NS", 2 * NSEC_PER_SEC)
    assert (
        play(tmp_path, "0 pipe([3, 4]) = 0\n+100 close(3) = 0\n+100 close(4) = 0\n").verdict == "ok"
    )
