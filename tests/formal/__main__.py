"""`python -m tests.formal [MODULE...]`: prove, run the mutants, print the table (`make formal`)."""

from __future__ import annotations

import json
import sys
import time

from tests.formal.proofs import PROOFS
from tests.formal.runner import BUILD, Outcome, Proof, labels, run_all


def main(names: list[str]) -> int:
    proofs = tuple(proof for proof in PROOFS if not names or proof.module in names)
    start = time.monotonic()
    runs = run_all(proofs)
    rows = [_row(proof, [run for run in runs if run[0] is proof]) for proof in proofs]
    bad = [(run[0].module, run[1], run[2]) for run in runs if not run[3]]
    unbroken = _never_broken(proofs)
    print(*_table(rows), sep="\n")
    for module, mutant, outcome in bad:
        verdict = outcome.text if outcome.status != "passed" else "survived"
        print(f"\nBAD {module} {mutant or 'proof'}: {outcome.status}: {verdict}")
    for module in dict.fromkeys(module for module, _ in unbroken):
        names = " ".join(label for where, label in unbroken if where == module)
        print(f"\nBAD {module}: no mutant breaks {names}")
    mutants = sum(bool(run[1]) for run in runs)
    print(
        f"\n{len(proofs)} proofs, {sum(len(labels(m)) for m in {p.module for p in proofs})} "
        f"properties, {mutants} mutants, {len(bad) + len(unbroken)} bad, "
        f"{time.monotonic() - start:.0f} s"
    )
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "formal.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if bad or unbroken else 0


def _never_broken(proofs: tuple[Proof, ...]) -> list[tuple[str, str]]:
    """The properties without a mutant that breaks them."""
    broken: dict[str, set[str]] = {}
    for proof in proofs:
        names = broken.setdefault(proof.module, set())
        names.update(label for mutant in proof.mutants for label in mutant.breaks.split())
    return [
        (module, label)
        for module, names in broken.items()
        for label in labels(module)
        if label not in names
    ]


def _row(proof: Proof, runs: list[tuple[Proof, str, Outcome, bool]]) -> dict[str, str]:
    proved = runs[0][2]
    mutants = runs[1:]
    return {
        "module": proof.module,
        "parameters": " ".join(f"{name}={value}" for name, value in proof.parameters.items()),
        "engine": f"{'k-induction' if proof.induction else 'bmc'} {proof.depth}",
        "properties": " ".join(labels(proof.module)),
        "result": proved.status,
        "mutants": f"{sum(run[3] for run in mutants)}/{len(mutants)}",
        "seconds": f"{sum(run[2].seconds for run in runs):.1f}",
    }


def _table(rows: list[dict[str, str]]) -> list[str]:
    columns = ("module", "parameters", "engine", "result", "mutants", "seconds", "properties")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return lines + [f"| {' | '.join(row[name] for name in columns)} |" for row in rows]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
