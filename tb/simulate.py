"""Running a build: one simulator process with cocotb inside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO
from uuid import uuid4

from pyhost.tools.toolchain import search_path
from tb.build import ROOT, variant

__all__ = ["COVERAGE_DATA", "simulate"]

COVERAGE_DATA = ROOT / "build" / "coverage" / "runs"


def simulate(
    sim: str,
    build_folder: Path,
    *,
    top: str,
    test_module: str,
    out: Path,
    cwd: Path,
    log: IO[str],
    env: Mapping[str, str],
    waves: bool = False,
    seed: int = 0,
    pass_fds: Sequence[int] = (),
) -> int:
    """Run `test_module` under cocotb in the simulator; returns the simulator's exit status.

    `out` gets `cocotb-results.xml` and, with `waves`, `waves.fst`; `log` all that the simulator and
    cocotb print; `cwd` is where the process runs.
    """
    from cocotb_tools import config

    command = _command(sim, build_folder, top, out / "waves.fst" if waves else None)
    command += _variant_args(sim, top, seed)
    full_env = os.environ | {
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": test_module,
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_RESULTS_FILE": str(out / "cocotb-results.xml"),
        "TOPLEVEL_LANG": "verilog",
        "PATH": search_path() + os.pathsep + str(config.libs_dir),
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "GPI_USERS": f"{_libpython()};{config.pygpi_entry_point()}",
    }
    if sim == "verilator":
        full_env["COCOTB_TRUST_INERTIAL_WRITES"] = "1"
    result = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=full_env | dict(env),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=tuple(pass_fds),
    )
    return result.returncode


def _command(sim: str, build_folder: Path, top: str, waves: Path | None) -> list[str]:
    from cocotb_tools import config

    if sim == "verilator":
        trace = ("--trace", "--trace-file", str(waves)) if waves else ()
        return [str(build_folder / top), *trace]
    dump = ("-fst", f"+dumpfile_path={waves}") if waves else ("-none",)
    vpi = config.lib_entry("vpi", "icarus")
    return ["vvp", "-m", vpi, str(build_folder / "sim.vvp"), *dump]


def _variant_args(sim: str, top: str, seed: int) -> list[str]:
    """What the variant of the build (`tb/build.py`) is told at the start."""
    kind = variant(sim)
    if kind == "coverage":
        # A file of its own for each run: they are summed up afterwards.
        COVERAGE_DATA.mkdir(parents=True, exist_ok=True)
        return [f"+verilator+coverage+file+{COVERAGE_DATA / f'{top}-{uuid4().hex}.dat'}"]
    if kind == "random":
        # 2: random. The simulator wants a seed that is not 0.
        return ["+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFF + 1}"]
    return []


def _libpython() -> str:
    from find_libpython import find_libpython

    path = os.environ.get("LIBPYTHON_LOC") or find_libpython()
    if path is None:
        raise RuntimeError(
            "no shared libpython: install libpython3-dev, or a Python built with --enable-shared"
        )
    return str(path)
