"""packetdrill scripts against the RTL: one simulator process, in it one cocotb test a script.

The simulator tells what became of each script as a line of JSON through a pipe.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from tb.build import build, hdl_design
from tb.packetdrill.job import FAIL, Job, Outcome, load
from tb.simulate import simulate

__all__ = ["COUNT_VARIABLE", "JOB_VARIABLE", "OUTCOME_VARIABLE", "outcomes_on_rtl"]

JOB_VARIABLE = "PYHOST_PACKETDRILL_JOB"
"""The job, as JSON, with those scripts alone that can be run."""

COUNT_VARIABLE = "PYHOST_PACKETDRILL_COUNT"
"""How many they are."""

OUTCOME_VARIABLE = "PYHOST_PACKETDRILL_PIPE"
"""The descriptor that the outcomes are written to."""

LOG_TAIL_LINES = 12


def outcomes_on_rtl(job: Job, output: IO[str]) -> Iterator[Outcome]:
    """What becomes of each script, in their order, as they are run.

    What they print goes to `output`. Raises BuildError when the card cannot be built.
    """
    loaded = [load(job, file) for file in job.files]
    runnable = [
        file
        for file, result in zip(job.files, loaded, strict=True)
        if not isinstance(result, Outcome)
    ]
    results = _simulated(replace(job, files=tuple(runnable)), output) if runnable else iter(())
    for result in loaded:
        yield result if isinstance(result, Outcome) else next(results)


def _simulated(job: Job, output: IO[str]) -> Iterator[Outcome]:
    """The outcomes of scripts that can all be run. A simulator that ends before its last script, as
    a check inside the card makes it, fails the script it was at; the others get a new one. With
    waveforms each has its own.
    """
    folder = build(job.sim, hdl_design(), waves=job.waves)
    left = job.files
    while left:
        batch = left[:1] if job.waves else left
        with _out_folder(job, batch[0]) as out:
            count = 0
            for line in _lines(replace(job, files=batch), folder, out):
                outcome, printed = Outcome.from_json(line)
                output.write(printed)
                count += 1
                yield outcome
            if count < len(batch):
                path = str(batch[count])
                count += 1
                reason = f"{path}: the simulator ended: {_last_words(out / 'sim.log')}"
                yield Outcome(path, FAIL, reason)
        left = left[count:]


@contextmanager
def _out_folder(job: Job, file: Path) -> Iterator[Path]:
    """Where the simulator writes: with waveforms the folder of the script's results, which is kept,
    else one for the time of the run.
    """
    results = job.results(file) if job.waves else None
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        yield results
        return
    with tempfile.TemporaryDirectory(prefix="pyhost-packetdrill-") as name:
        yield Path(name)


def _lines(job: Job, folder: Path, out: Path) -> Iterator[str]:
    """What the simulator says through the pipe, until it ends."""
    reader, writer = os.pipe()
    with ThreadPoolExecutor(1) as pool, open(reader, encoding="utf-8") as lines:
        done = pool.submit(_simulate, job, folder, out, writer)
        yield from lines
        done.result()


def _simulate(job: Job, folder: Path, out: Path, writer: int) -> None:
    """Run the simulator; the pipe's end is closed with it."""
    try:
        with open(out / "sim.log", "w", encoding="utf-8") as log:
            simulate(
                job.sim,
                folder,
                top="hnic_tb",
                test_module="tb.sim.packetdrill",
                out=out,
                cwd=job.cwd,
                log=log,
                env={
                    JOB_VARIABLE: job.to_json(),
                    COUNT_VARIABLE: str(len(job.files)),
                    OUTCOME_VARIABLE: str(writer),
                },
                waves=job.waves,
                seed=job.seed,
                pass_fds=(writer,),
            )
    finally:
        os.close(writer)


def _last_words(log: Path) -> str:
    """Which check has ended the simulator, else the end of what it said."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    checks = [line for line in lines if line.startswith("CHECK ")]
    return checks[0] if checks else "\n".join(lines[-LOG_TAIL_LINES:])
