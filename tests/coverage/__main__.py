"""`python -m tests.coverage [--keep]`: run the tests of the card with counters, and judge them.

`make coverage`. `--keep` judges what the last run left, without a new one. Fails below the limits,
for a line that no test runs and `exceptions.txt` does not explain, and for an entry of that file
that explains nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tb.build import HDL, ROOT
from tb.simulate import COVERAGE_DATA
from tests.coverage.data import ModuleCoverage, read, summarize

LIMITS = {"line": 95.0, "branch": 90.0, "toggle": 85.0}
EXCEPTIONS = Path(__file__).with_name("exceptions.txt")


def run_tests(options: list[str]) -> int:
    """The tests of the card in Verilator, with counters; their exit status."""
    for old in COVERAGE_DATA.glob("*.dat"):
        old.unlink()
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(options or ["-n", "2", "tests/hdl"])],
        check=False,
        cwd=ROOT,
        env=os.environ | {"SIM": "verilator", "HNIC_VARIANT": "coverage"},
    ).returncode


def explanations() -> dict[tuple[str, str], str]:
    """(module, text of the line) → why no test runs it."""
    rows = [
        [part.strip() for part in line.split(" | ")]
        for line in EXCEPTIONS.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    return {(module, text): why for module, text, why in rows}


def explain(modules: dict[str, ModuleCoverage]) -> list[str]:
    """Print each line that was not run; returns what is wrong with them and with the exceptions."""
    reasons = explanations()
    wrong: list[str] = []
    used: set[tuple[str, str]] = set()
    for name, module in modules.items():
        if not module.lines:
            continue
        (path,) = HDL.glob(f"*/{name}.v")
        text = path.read_text().splitlines()
        for number in module.lines:
            key = (name, text[number - 1].strip())
            why = reasons.get(key)
            used.add(key)
            print(f"{path.relative_to(ROOT)}:{number}: {key[1]}\n    {why or 'NOT EXPLAINED'}")
            if why is None:
                wrong.append(f"{name}:{number} is not run and not explained")
    wrong += [f"exceptions.txt: {m} | {text}: run, or gone" for m, text in reasons.keys() - used]
    return wrong


def percent(module: ModuleCoverage, kind: str) -> float:
    return 100 * module.hit[kind] / module.total[kind] if module.total[kind] else 100.0


def main(arguments: list[str]) -> int:
    keep = "--keep" in arguments
    status = 0 if keep else run_tests([option for option in arguments if option != "--keep"])
    files = sorted(COVERAGE_DATA.glob("*.dat"))
    modules = summarize(read(files), HDL)
    total = ModuleCoverage()
    for module in modules.values():
        total.hit.update(module.hit)
        total.total.update(module.total)
    wrong = explain(modules)
    for name, module in modules.items():
        if module.branches:
            print(f"{name}: branches not taken:", *(f"{n}:{what}" for n, what in module.branches))
        signals = Counter(toggle.split(":")[0].split("[")[0] for toggle in module.toggles)
        if signals:
            print(f"{name}: not toggled:", *(f"{s} ({n})" for s, n in signals.most_common(8)))
    print(f"\n| module | {' | '.join(LIMITS)} |", "|---" + "|---:" * len(LIMITS) + "|", sep="\n")
    for name, module in [*modules.items(), ("total", total)]:
        print(f"| {name} | {' | '.join(f'{percent(module, kind):.1f}' for kind in LIMITS)} |")
    wrong += [
        f"{kind} coverage is {percent(total, kind):.1f} %, below {limit:g} %"
        for kind, limit in LIMITS.items()
        if percent(total, kind) < limit
    ]
    if not files:
        wrong.append(f"no data in {COVERAGE_DATA.relative_to(ROOT)}")
    if status:
        wrong.append(f"the tests failed ({status})")
    print("", *(f"BAD {text}" for text in wrong), f"{len(files)} runs", sep="\n")
    modules["total"] = total
    report = {name: {kind: percent(m, kind) for kind in LIMITS} for name, m in modules.items()}
    (ROOT / "build" / "coverage.json").write_text(json.dumps(report, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
