"""The settings of one run, as they travel from the command line into the simulator's process."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

__all__ = ["MTU_MAX", "MTU_MIN", "SIMULATORS", "RunConfig"]

SIMULATORS = ("icarus", "verilator", "model")
"""What may stand for the NIC: RTL in one of two simulators, or the Python model."""

MTU_MIN = 68
"""The smallest MTU IPv4 allows (RFC 791: every link forwards 68 bytes unfragmented)."""

MTU_MAX = 9000
"""The largest MTU of the NIC, the usual jumbo frame."""

_PATHS = frozenset({"program", "peer_program", "out", "cwd"})
_PAIRS = frozenset({"sysctls", "setup"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that decides how a run goes; two equal ones give the same packet trace.

    Paths are absolute, because a simulator runs in a folder of its own.
    """

    program: Path
    """The script that runs on the host."""
    args: tuple[str, ...] = ()
    """What the script finds in `sys.argv[1:]`."""
    peer_program: Path | None = None
    """The script that runs on the peer; None for the discard and echo server."""
    sim: str = "model"
    """One of `SIMULATORS`."""
    link_rate_bps: int = 10_000_000_000
    """Bits a second on the wire."""
    mtu: int = 1500
    """Bytes of IP packet in a frame, both hosts."""
    delay_ns: int = 1000
    """Propagation delay one way, in simulated nanoseconds."""
    sysctls: tuple[tuple[str, str], ...] = ()
    """(Linux name, value) in the order given, set before anything runs."""
    iptables_rules: str = ""
    """The host's packet filter, as iptables-save writes it; in place before the program starts."""
    setup: tuple[tuple[str, str], ...] = ()
    """(where it stands, command line) for what an administrator does on the host before the program
    starts, in this order.
    """
    seed: int = 0
    """The one source of everything random in the run."""
    waves: bool = False
    """Whether the RTL's signals are dumped to `waves.fst`."""
    out: Path
    """The folder for the results."""
    cwd: Path
    """The working folder of both programs, where their relative file names begin."""

    def to_json(self) -> str:
        """These settings as one line of JSON."""
        return json.dumps({f.name: _plain(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        """The settings `to_json` wrote; ValueError when a field is unknown or missing."""
        record: dict[str, Any] = json.loads(text)
        names = {f.name for f in fields(cls)}
        if record.keys() != names:
            raise ValueError(f"not the settings of a run: {sorted(record.keys() ^ names)}")
        for name in _PATHS:
            if record[name] is not None:
                record[name] = Path(record[name])
        record["args"] = tuple(record["args"])
        for name in _PAIRS:
            record[name] = tuple((first, second) for first, second in record[name])
        return cls(**record)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
