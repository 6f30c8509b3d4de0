"""Runs of packetdrill scripts: each on a machine of its own, the script at the other end of the
wire.

    script ─ syscalls ─→ host kernel ─ driver ─ NIC (RTL or model) ─ link ─ script
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pyhost.boot import boot
from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.kernel.clock import NSEC_PER_SEC, Clock, VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptError, ScriptSkip
from pyhost.packetdrill.machine import DEVICE, HOST_MAC, Machine
from pyhost.packetdrill.parser import parse
from pyhost.packetdrill.run import ScriptRun
from pyhost.packetdrill.settings import OptionError, Settings, with_options
from pyhost.packetdrill.timing import check_order
from pyhost.uapi.ethernet import PACKET_OUTGOING
from tb.pcapng import INBOUND, OUTBOUND, PcapngWriter
from tb.testbed import AttachNic
from tb.wire import Link, Port

__all__ = [
    "ERROR", "FAIL", "LINK_RATE_BPS", "OK", "SKIP", "Bench", "Job", "Outcome", "PortWire",
    "broken_down", "load", "run_job", "run_on_model",
]  # fmt: skip

LINK_RATE_BPS = 10_000_000_000
DELAY_NS = 100
"""Short, so that a script's times are those at the machine."""

RUN_LIMIT_NS = 3600 * NSEC_PER_SEC
"""A script that is not over by then never will be."""

OK = "ok"
FAIL = "FAIL"
SKIP = "skip"
ERROR = "error"
"""The script itself is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What `pyhost packetdrill` is to do. Paths are absolute."""

    files: tuple[Path, ...]
    sim: str = "model"
    """One of `tb.config.SIMULATORS`."""
    seed: int = 0
    defines: tuple[tuple[str, str], ...] = ()
    """Values for names in the scripts."""
    options: tuple[tuple[str, str], ...] = ()
    """As in a script's first lines; the script's own count more."""
    verbose: bool = False
    out: Path | None = None
    """Where captures go, None for nowhere."""
    cwd: Path

    def to_json(self) -> str:
        """This job as one line of JSON."""
        return json.dumps(
            {
                "files": [str(file) for file in self.files],
                "sim": self.sim,
                "seed": self.seed,
                "defines": self.defines,
                "options": self.options,
                "verbose": self.verbose,
                "out": self.out and str(self.out),
                "cwd": str(self.cwd),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` wrote."""
        record = json.loads(text)
        return cls(
            files=tuple(map(Path, record["files"])),
            sim=record["sim"],
            seed=record["seed"],
            defines=tuple((name, value) for name, value in record["defines"]),
            options=tuple((name, value) for name, value in record["options"]),
            verbose=record["verbose"],
            out=record["out"] and Path(record["out"]),
            cwd=Path(record["cwd"]),
        )

    def settings(self) -> Settings:
        """The settings for a script that has none of its own; OptionError for a wrong one."""
        defines = {**IPV4_NAMES, **dict(self.defines)}
        return with_options(Settings(verbose=self.verbose, defines=defines), self.options)


IPV4_NAMES = {"CMSG_LEVEL_IP": "SOL_IP", "CMSG_TYPE_RECVERR": "IP_RECVERR"}
"""What scripts for both IP versions leave open."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one script, and why."""

    path: str
    verdict: str
    reason: str = ""

    def to_json(self, printed: str) -> str:
        """The outcome and what the script has printed, as one line of JSON."""
        return json.dumps([self.path, self.verdict, self.reason, printed])

    @classmethod
    def from_json(cls, line: str) -> tuple[Outcome, str]:
        """What `to_json` wrote."""
        path, verdict, reason, printed = json.loads(line)
        return cls(path, verdict, reason), printed


# -- one script ------------------------------------------------------------------------------------


class PortWire:
    """A port of the link as the script's end of the wire: frames wait until it is free."""

    def __init__(self, clock: Clock, port: Port) -> None:
        self.receive: Callable[[bytes], None] = lambda frame: None
        self._clock = clock
        self._port = port
        self._waiting: deque[bytes] = deque()
        port.receive = lambda frame, key: self.receive(frame)

    def send(self, frame: bytes) -> None:
        """Put a frame on the wire as soon as it is free."""
        self._waiting.append(frame)
        if len(self._waiting) == 1:
            self._clock.call_at(self._port.busy_until, self._transmit)

    def _transmit(self) -> None:
        free_at = self._port.transmit(self._waiting.popleft(), 0)
        if self._waiting:
            self._clock.call_at(free_at, self._transmit)


class Bench:
    """One script, its machine and the wire between them; `start` it once the card is there."""

    def __init__(
        self,
        script: ast.Script,
        settings: Settings,
        clock: Clock,
        attach: AttachNic,
        job: Job,
        output: IO[str],
    ) -> None:
        self.clock = clock
        self._path = script.path
        self._pcap = _capture(job, script.path)
        link = Link(clock, LINK_RATE_BPS, DELAY_NS, lambda ns, side, frame, key: None)
        self.kernel = boot(clock, seed=job.seed)
        device = attach(self.kernel, link.ports[0], HOST_MAC)
        machine = Machine(self.kernel, device, PortWire(clock, link.ports[1]), self._tap)
        self._run = ScriptRun(script, settings, machine, output)
        self._limit = clock.now + RUN_LIMIT_NS

    def start(self) -> None:
        """Make the script's task; it runs as the clock does."""
        self._run.start()

    def _tap(self, ns: int, pkt_type: int, frame: bytes, key: int) -> None:
        if self._pcap is not None:
            direction = OUTBOUND if pkt_type == PACKET_OUTGOING else INBOUND
            self._pcap.write(0, ns, frame, key=key, direction=direction)

    def finished(self) -> bool:
        """Whether the script is over, for good or not."""
        return self._run.finished or self.kernel.oops is not None or self.clock.now >= self._limit

    def outcome(self, error: BaseException | None) -> Outcome:
        """What became of it; `error` is what ended it early."""
        if self._pcap is not None:
            self._pcap.close()
        error = self.kernel.oops or error
        if error is not None:
            return broken_down(self._path, error)
        failure = self._run.failure
        if failure is None and not self._run.finished:
            failure = f"{self._path}: nothing moves any more, and the script is not over"
        return Outcome(self._path, OK if failure is None else FAIL, failure or "")


def broken_down(path: str, error: BaseException) -> Outcome:
    """A script that was ended by an exception of the machine's."""
    reason = f"{path}: the machine broke down: {type(error).__name__}: {error}"
    return Outcome(path, FAIL, reason)


def _capture(job: Job, path: str) -> PcapngWriter | None:
    if job.out is None:
        return None
    return PcapngWriter(job.out / f"{Path(path).stem}.pcapng", [DEVICE], application="pyhost")


def load(job: Job, file: Path) -> tuple[ast.Script, Settings] | Outcome:
    """A script and the settings for it, or why it is not run."""
    path = str(file)
    try:
        settings = job.settings()
        script = parse(file.read_text(encoding="utf-8"), path, settings.defines)
        check_order(script)
        return script, with_options(settings, script.options)
    except ScriptSkip as skip:
        return Outcome(path, SKIP, str(skip))
    except OptionError as error:
        return Outcome(path, ERROR, f"{path}:1: {error}")
    except ScriptError as error:
        return Outcome(path, ERROR, str(error))
    except (OSError, UnicodeDecodeError) as error:
        return Outcome(path, ERROR, f"{path}: {error}")


def run_on_model(job: Job, file: Path, output: IO[str]) -> Outcome:
    """One script with the Python model for the NIC, on a virtual clock."""
    loaded = load(job, file)
    if isinstance(loaded, Outcome):
        return loaded
    clock = VirtualClock()

    def attach(kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
        return attach_hnic_model(kernel, clock, port, mac, LINK_RATE_BPS)

    try:
        bench = Bench(*loaded, clock, attach, job, output)
        bench.start()
        clock.run(stop=bench.finished)
    except Exception as error:
        return broken_down(str(file), error)
    return bench.outcome(None)


# -- all of them -----------------------------------------------------------------------------------


class Report:
    """Prints a line for each script, and the totals."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self._count = {OK: 0, FAIL: 0, SKIP: 0, ERROR: 0}

    def add(self, outcome: Outcome) -> None:
        """Print what became of a script; a script that is wrong goes to standard error."""
        self._count[outcome.verdict] += 1
        if outcome.verdict == ERROR:
            self._output.flush()
            sys.stderr.write(f"pyhost: {outcome.reason}\n")
            return
        lines = [f"{outcome.verdict:4} {outcome.path}"]
        lines += [f"     {line}" for line in outcome.reason.splitlines()]
        self._say("\n".join(lines))

    def close(self) -> int:
        """Print the totals; returns the exit status: 0, 1 when a script has failed, 2 when one is
        wrong.
        """
        count = self._count
        totals = f"{count[OK]} passed, {count[FAIL]} failed, {count[SKIP]} skipped"
        self._say(totals)
        return 2 if count[ERROR] else 1 if count[FAIL] else 0

    def _say(self, text: str) -> None:
        self._output.write(f"{text}\n")
        self._output.flush()


def run_job(job: Job) -> int:
    """Run the scripts one after the other; returns the exit status."""
    report = Report(sys.stdout)
    for outcome in _outcomes(job, sys.stdout):
        report.add(outcome)
    return report.close()


def _outcomes(job: Job, output: IO[str]) -> Iterator[Outcome]:
    if job.sim == "model":
        return (run_on_model(job, file, output) for file in job.files)
    from tb.packetdrill_rtl import outcomes_on_rtl

    return outcomes_on_rtl(job, output)
