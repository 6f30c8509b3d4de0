"""What `pyhost packetdrill` is to do: which scripts, how, and what became of each."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptError, ScriptSkip
from pyhost.packetdrill.parser import parse
from pyhost.packetdrill.settings import OptionError, Settings, with_options
from pyhost.packetdrill.timing import check_order
from pyhost.tools.errors import UserError

__all__ = ["ERROR", "FAIL", "OK", "SKIP", "Job", "Outcome", "find_scripts", "load"]

OK = "ok"
FAIL = "FAIL"
SKIP = "skip"
ERROR = "error"
"""The script itself is wrong."""

IPV4_NAMES = {"CMSG_LEVEL_IP": "SOL_IP", "CMSG_TYPE_RECVERR": "IP_RECVERR"}
"""What scripts for both IP versions leave open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What `pyhost packetdrill` is to do. Paths are absolute."""

    files: tuple[Path, ...]
    root: Path = Path("/")
    """A folder that all files are in: results are named by what lies below it."""
    sim: str = "model"
    """One of `tb.config.SIMULATORS`."""
    seed: int = 0
    defines: tuple[tuple[str, str], ...] = ()
    """Values for names in the scripts."""
    options: tuple[tuple[str, str], ...] = ()
    """As in a script's first lines; the script's own count more."""
    verbose: bool = False
    waves: bool = False
    """Whether the signals go to `waves.fst`; needs `out`."""
    out: Path | None = None
    """Where captures go, None for nowhere."""
    cwd: Path

    def to_json(self) -> str:
        """This job as one line of JSON."""
        return json.dumps(
            {
                "files": [str(file) for file in self.files],
                "root": str(self.root),
                "sim": self.sim,
                "seed": self.seed,
                "defines": self.defines,
                "options": self.options,
                "verbose": self.verbose,
                "waves": self.waves,
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
            root=Path(record["root"]),
            sim=record["sim"],
            seed=record["seed"],
            defines=tuple((name, value) for name, value in record["defines"]),
            options=tuple((name, value) for name, value in record["options"]),
            verbose=record["verbose"],
            waves=record["waves"],
            out=record["out"] and Path(record["out"]),
            cwd=Path(record["cwd"]),
        )

    def settings(self) -> Settings:
        """The settings for a script that has none of its own; OptionError for a wrong one."""
        defines = {**IPV4_NAMES, **dict(self.defines)}
        return with_options(Settings(verbose=self.verbose, defines=defines), self.options)

    def results(self, file: Path) -> Path | None:
        """The folder for what a script leaves, None when nothing is kept."""
        if self.out is None:
            return None
        return self.out / file.relative_to(self.root).with_suffix("")


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


def find_scripts(paths: Sequence[Path]) -> tuple[tuple[Path, ...], Path]:
    """(the scripts, a folder that they all are in): files as they are given, and what is called
    `*.pkt` in folders and below. Raises UserError for a folder without any.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(path.absolute().rglob("*.pkt"))
            if not found:
                raise UserError(f"{path}: no *.pkt there")
            files += found
        else:
            files.append(path.absolute())
    root = os.path.commonpath([file.parent for file in files])
    return tuple(dict.fromkeys(files)), Path(root)


def load(job: Job, file: Path) -> tuple[ast.Script, Settings] | Outcome:
    """A script and the settings for it, or why it is not run."""
    path = str(file)
    if file.stem.endswith("v6"):
        return Outcome(path, SKIP, f"{file.name} is named for IPv6: there is only IPv4")
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
    except OSError as error:
        return Outcome(path, ERROR, f"{path}: {error.strerror}")
    except UnicodeDecodeError as error:
        return Outcome(path, ERROR, f"{path}: no text: {error}")
