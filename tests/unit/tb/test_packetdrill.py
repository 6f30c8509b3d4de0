"""What a run of scripts is told, and what it tells."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pyhost.kernel.clock import VirtualClock
from tb.packetdrill import ERROR, FAIL, OK, SKIP, Job, Outcome, PortWire, Report
from tb.wire import Link

RATE = 1_000_000_000


def test_a_job_travels_as_json() -> None:
    job = Job(
        files=(Path("/a.pkt"), Path("/b.pkt")),
        sim="verilator",
        seed=7,
        defines=(("A", '"x"'),),
        options=(("mtu", "1280"),),
        verbose=True,
        out=Path("/out"),
        cwd=Path("/cwd"),
    )
    assert Job.from_json(job.to_json()) == job
    plain = Job(files=(), cwd=Path("/cwd"))
    assert Job.from_json(plain.to_json()) == plain


def test_the_names_of_ipv4_scripts_are_defined_and_can_be_changed() -> None:
    plain = Job(files=(), cwd=Path("/"))
    assert plain.settings().defines["CMSG_LEVEL_IP"] == "SOL_IP"
    changed = Job(files=(), cwd=Path("/"), defines=(("CMSG_LEVEL_IP", "7"),))
    assert changed.settings().defines["CMSG_LEVEL_IP"] == "7"


def test_an_outcome_travels_as_one_line() -> None:
    outcome = Outcome("/a.pkt", FAIL, "two\nlines")
    line = outcome.to_json("printed\n")
    assert "\n" not in line
    assert Outcome.from_json(line) == (outcome, "printed\n")


@pytest.mark.parametrize(
    ("verdicts", "totals", "status"),
    [
        ((), "0 passed, 0 failed, 0 skipped", 0),
        ((OK, SKIP), "1 passed, 0 failed, 1 skipped", 0),
        ((OK, FAIL), "1 passed, 1 failed, 0 skipped", 1),
        ((ERROR, FAIL), "0 passed, 1 failed, 0 skipped", 2),
    ],
)
def test_the_exit_status_is_that_of_the_worst(
    verdicts: tuple[str, ...], totals: str, status: int
) -> None:
    output = io.StringIO()
    report = Report(output)
    for verdict in verdicts:
        report.add(Outcome("/x.pkt", verdict, "why"))
    assert report.close() == status
    assert output.getvalue().splitlines()[-1] == totals


def test_reasons_are_indented(capsys: pytest.CaptureFixture[str]) -> None:
    output = io.StringIO()
    report = Report(output)
    report.add(Outcome("/x.pkt", FAIL, "one\ntwo"))
    report.add(Outcome("/y.pkt", ERROR, "/y.pkt:1: three"))
    assert output.getvalue() == "FAIL /x.pkt\n     one\n     two\n"
    assert capsys.readouterr().err == "pyhost: /y.pkt:1: three\n"


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
