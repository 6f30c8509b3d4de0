"""Running `pyhost run` as a user does, and reading what it leaves with scapy."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import RawPcapNgReader

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PROGRAMS = Path(__file__).parent / "programs"
PYTHON = sys.executable
ALTERED_RUN = "tests.system.altered_run"

HOST = "10.0.0.1"
PEER = "10.0.0.2"

RUN_LIMIT_S = 160
"""A run that takes longer hangs."""


class Frame(NamedTuple):
    """One frame of a capture."""

    ns: int
    """When it began, in simulated nanoseconds."""
    sender: str
    """The interface's name: `host` or `peer` in wire.pcapng."""
    key: int
    """The packet key, from the comment `skb#KEY`."""
    direction: int
    """1: the interface received it, 2: it sent it."""
    data: bytes

    @property
    def packet(self) -> Packet:
        return Ether(self.data)


@functools.cache
def read_frames(path: Path) -> tuple[Frame, ...]:
    """All frames of a pcapng file, in the order of the file, as scapy reads them."""
    frames = []
    with RawPcapNgReader(str(path)) as reader:
        for data, meta in reader:
            [comment] = meta.comments
            assert comment.startswith(b"skb#")
            assert meta.tsresol == 1_000_000_000
            ns = meta.tshigh << 32 | meta.tslow
            key = int(comment.removeprefix(b"skb#"))
            frames.append(Frame(ns, meta.ifname.decode(), key, meta.direction, data))
    return tuple(frames)


@dataclass(frozen=True)
class Run:
    """One finished `pyhost run`."""

    command: str
    out: Path
    status: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        """What a failed assertion shows: how to repeat it, and what it said."""
        return (
            f"status {self.status}\nto repeat: {self.command}\n"
            f"--- stdout\n{self.stdout}--- stderr\n{self.stderr}"
        )

    def succeeded(self) -> Run:
        """This run; AssertionError unless its status was 0 and nothing was said on stderr."""
        assert self.status == 0, str(self)
        assert self.stderr == "", str(self)
        return self

    @property
    def summary(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.out / "summary.json").read_text())
        return record

    @property
    def wire(self) -> tuple[Frame, ...]:
        return read_frames(self.out / "wire.pcapng")

    @property
    def tapped(self) -> tuple[Frame, ...]:
        """What the host's AF_PACKET tap saw."""
        return read_frames(self.out / "host.pcapng")

    def said(self, word: str) -> list[list[str]]:
        """The lines of the programs that begin with `word`, in words."""
        lines = [line.split() for line in self.stdout.splitlines()]
        return [words for words in lines if words[:1] == [word]]

    def sent_by(self, sender: str) -> list[Frame]:
        """The frames that `host` or `peer` put on the wire."""
        return [frame for frame in self.wire if frame.sender == sender]


def pyhost_run(
    out: Path,
    program: Path,
    *args: object,
    sim: str = "model",
    peer: Path | None = None,
    options: Sequence[object] = (),
    altered_by: str | None = None,
    variables: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Run:
    """`pyhost run` in a process of its own, waited for.

    `altered_by` is a module for tests/system/altered_run.py; `variables` go into the environment.
    """
    argv = [PYTHON, "-m", *(["pyhost"] if altered_by is None else [ALTERED_RUN, altered_by])]
    argv += ["run", "--sim", sim, "--out", str(out), *map(str, options)]
    argv += [] if peer is None else ["--peer-program", str(peer)]
    return finish(start([*argv, str(program), *map(str, args)], variables or {}, cwd), out)


def start(argv: Sequence[str], variables: Mapping[str, str], cwd: Path) -> subprocess.Popen[str]:
    """Start a command whose output is kept."""
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=clean_environment() | dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupt(process: subprocess.Popen[str], *, whole_group: bool) -> None:
    """SIGINT, as Ctrl-C sends it to the run and all it started, or kill(1) to the run alone."""
    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)


def finish(process: subprocess.Popen[str], out: Path, *, limit_s: float = RUN_LIMIT_S) -> Run:
    """Wait for a command; it is killed, with all that it started, when it takes too long."""
    try:
        stdout, stderr = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        stderr += f"killed after {limit_s} s\n"
    command = shlex.join(map(str, process.args))  # type: ignore[arg-type]
    return Run(command, out, process.returncode, stdout, stderr)


def clean_environment() -> dict[str, str]:
    """The environment without what would change a run's settings."""
    names = ("SIM", "WAVES", "COCOTB_RANDOM_SEED")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return kept | {"PYTHONPATH": str(ROOT)}


class RunStore:
    """Runs that several tests look at, done once for all of them and for all pytest workers.

    `folder` is common to the workers. Who asks first does the run, who asks meanwhile waits.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def once(self, name: str, do: Callable[[Path], Run]) -> Run:
        """The run `name`: `do(folder)`, or what it gave before."""
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / "run.json"
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not record.exists():
                run = do(folder)
                record.write_text(json.dumps(asdict(run) | {"out": str(run.out)}))
        kept = json.loads(record.read_text())
        return Run(**kept | {"out": Path(kept["out"])})


def payload(size: int, seed: int = 0) -> bytes:
    """`size` bytes in which no two places look alike."""
    blocks = -(-size // 32)
    whole = b"".join(hashlib.sha256(b"%d.%d" % (seed, n)).digest() for n in range(blocks))
    return whole[:size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
