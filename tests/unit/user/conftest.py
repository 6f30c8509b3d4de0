"""Running scripts: as a process of an emulated machine, and with the real CPython, the judge."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pyhost.boot import boot
from pyhost.kernel.clock import NSEC_PER_SEC, VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.process import Process
from pyhost.user.program import run_program

ONE_DAY = 86_400 * NSEC_PER_SEC


class Result(NamedTuple):
    """What a script left behind."""

    status: int
    out: str
    err: str


class Host:
    """An emulated machine on which scripts run one after the other, or side by side."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.kernel: Kernel = boot(self.clock, seed=seed)
        self._started = 0
        self._opened: list[int] = []

    def write(self, source: str, name: str = "program.py") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def start(self, path: Path, *argv: str, stdin: bytes = b"") -> tuple[Process, Path]:
        self._started += 1
        streams = self.folder / f"streams{self._started}"
        streams.mkdir()
        (streams / "in").write_bytes(stdin)
        modes = (
            ("in", os.O_RDONLY),
            ("out", os.O_WRONLY | os.O_CREAT),
            ("err", os.O_WRONLY | os.O_CREAT),
        )
        fds = [os.open(streams / name, mode) for name, mode in modes]
        self._opened.extend(fds)
        return run_program(self.kernel, str(path), argv, fds), streams

    def run(self, source: str, *argv: str, stdin: bytes = b"", name: str = "program.py") -> Result:
        process, streams = self.start(self.write(source, name), *argv, stdin=stdin)
        self.finish(process)
        return self.result(process, streams)

    def finish(self, *processes: Process) -> None:
        self.clock.run(
            until=self.clock.now + ONE_DAY,
            stop=lambda: all(process.exit_code is not None for process in processes),
        )

    def result(self, process: Process, streams: Path) -> Result:
        assert process.exit_code is not None, (streams / "err").read_text() or "it never ended"
        return Result(
            process.exit_code, (streams / "out").read_text(), (streams / "err").read_text()
        )

    def close(self) -> None:
        for fd in self._opened:
            os.close(fd)


def _without_addresses(result: Result) -> Result:
    out, err = (re.sub("0x[0-9a-f]+", "0x", text) for text in result[1:])
    return Result(result.status, out, err)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    machine = Host(tmp_path)
    yield machine
    machine.close()


@pytest.fixture
def run(host: Host) -> Callable[..., Result]:
    """`run(source, *argv)` as a process of the machine."""
    return host.run


@pytest.fixture
def output(host: Host) -> Callable[..., list[str]]:
    """The lines that a script prints, which must end well."""

    def lines(source: str, *argv: str) -> list[str]:
        result = host.run(source, *argv)
        assert (result.status, result.err) == (0, ""), result.err
        return result.out.splitlines()

    return lines


@pytest.fixture
def as_cpython(host: Host) -> Callable[..., Result]:
    """Run a script on the machine and with CPython; both must print the same and end alike."""

    def compare(source: str, *argv: str, stdin: bytes = b"") -> Result:
        emulated = host.run(source, *argv, stdin=stdin)
        real = subprocess.run(
            [sys.executable, str(host.folder / "program.py"), *argv],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        expected = Result(real.returncode, real.stdout.decode(), real.stderr.decode())
        assert _without_addresses(emulated) == _without_addresses(expected)
        return emulated

    return compare
