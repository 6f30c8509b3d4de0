"""packetdrill scripts against the RTL: one simulator process, in it one cocotb test a script.

The simulator tells what became of each script as a line of JSON through a pipe.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO

from tb.build import build, hdl_design
from tb.packetdrill import FAIL, Job, Outcome, load
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
    folder = build(job.sim, hdl_design())
    with tempfile.TemporaryDirectory(prefix="pyhost-packetdrill-") as name:
        out = Path(name)
        reader, writer = os.pipe()
        with ThreadPoolExecutor(1) as pool, open(reader, encoding="utf-8") as lines:
            done = pool.submit(_simulate, job, folder, out, writer)
            count = 0
            for line in lines:
                outcome, printed = Outcome.from_json(line)
                output.write(printed)
                count += 1
                yield outcome
            done.result()
            reason = _tail(out / "sim.log")
            for file in job.files[count:]:
                yield Outcome(str(file), FAIL, f"{file}: the simulator ended before it: {reason}")


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
                seed=job.seed,
                pass_fds=(writer,),
            )
    finally:
        os.close(writer)


def _tail(log: Path) -> str:
    """The end of what the simulator said."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join(["its log ends with:", *lines])
