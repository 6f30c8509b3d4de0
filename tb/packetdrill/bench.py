"""One script, the machine under test, and the wire between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pyhost.boot import boot
from pyhost.kernel.clock import NSEC_PER_SEC, Clock
from pyhost.packetdrill import ast
from pyhost.packetdrill.machine import DEVICE, HOST_MAC, Machine
from pyhost.packetdrill.run import ScriptRun
from pyhost.packetdrill.settings import Settings
from pyhost.uapi.ethernet import ETH_HLEN, ETH_ZLEN, PACKET_OUTGOING
from tb.capture import WireCapture
from tb.packetdrill.job import FAIL, OK, Job, Outcome
from tb.pcapng import INBOUND, OUTBOUND, PcapngWriter
from tb.testbed import AttachNic
from tb.wire import Link, Port

__all__ = ["LINK_RATE_BPS", "Bench", "PortWire", "broken_down"]

LINK_RATE_BPS = 10_000_000_000
DELAY_NS = 100
"""Short, so that a script's times are those at the machine."""

RUN_LIMIT_NS = 3600 * NSEC_PER_SEC
"""A script that is not over so long after all its times never will be."""


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
        free_at = self._port.transmit(self._waiting.popleft().ljust(ETH_ZLEN, b"\0"), 0)
        if self._waiting:
            self._clock.call_at(free_at, self._transmit)


class Captures:
    """What a script leaves: the frames on the wire, and what the stack's tap saw of them."""

    def __init__(self, folder: Path, longest_ns: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        wire = PcapngWriter(folder / "wire.pcapng", ["host", "script"], application="pyhost")
        self.wire = WireCapture(wire, longest_ns)
        self._host = PcapngWriter(folder / "host.pcapng", [DEVICE], application="pyhost")

    def tap(self, ns: int, pkt_type: int, frame: bytes, key: int) -> None:
        """The stack's tap has seen a frame."""
        direction = OUTBOUND if pkt_type == PACKET_OUTGOING else INBOUND
        self._host.write(0, ns, frame, key=key, direction=direction)

    def close(self) -> None:
        """Write what is held back, and close the files."""
        self.wire.close()
        self._host.close()


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
        link = Link(clock, LINK_RATE_BPS, DELAY_NS, self._on_wire)
        folder = job.results(Path(script.path))
        longest_ns = link.ports[0].frame_ns(settings.mtu + ETH_HLEN)
        self._captures = None if folder is None else Captures(folder, longest_ns)
        self.kernel = boot(clock, seed=job.seed)
        device = attach(self.kernel, link.ports[0], HOST_MAC)
        machine = Machine(self.kernel, device, PortWire(clock, link.ports[1]), self._tap)
        self._run = ScriptRun(script, settings, machine, output)
        self._limit = clock.now + sum(event.time.end for event in script.events) + RUN_LIMIT_NS

    def start(self) -> None:
        """Make the script's task; it runs as the clock does."""
        self._run.start()

    def _on_wire(self, ns: int, side: int, frame: bytes, key: int) -> None:
        if self._captures is not None:
            self._captures.wire.write(self.clock.now, ns, side, frame, key)

    def _tap(self, ns: int, pkt_type: int, frame: bytes, key: int) -> None:
        if self._captures is not None:
            self._captures.tap(ns, pkt_type, frame, key)

    def finished(self) -> bool:
        """Whether the script is over, for good or not."""
        return self._run.finished or self.kernel.oops is not None or self._late

    @property
    def _late(self) -> bool:
        return self.clock.now >= self._limit

    def outcome(self, error: BaseException | None) -> Outcome:
        """What became of it; `error` is what ended it early."""
        if self._captures is not None:
            self._captures.close()
        error = self.kernel.oops or error
        if error is not None:
            return broken_down(self._path, error)
        failure = self._run.failure
        if failure is None and not self._run.finished:
            now = f"{self.clock.now / NSEC_PER_SEC:.0f} s have passed"
            why = now if self._late else "nothing moves any more"
            failure = f"{self._path}: {why}, and the script is not over"
        return Outcome(self._path, OK if failure is None else FAIL, failure or "")


def broken_down(path: str, error: BaseException) -> Outcome:
    """A script that was ended by an exception of the machine's."""
    reason = f"{path}: the machine broke down: {type(error).__name__}: {error}"
    return Outcome(path, FAIL, reason)
