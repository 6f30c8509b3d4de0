"""The cocotb tests that are packetdrill scripts, one each: started by `tb.packetdrill.rtl`."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO

import cocotb

from pyhost.packetdrill import ast
from pyhost.packetdrill.settings import Settings
from tb.packetdrill.bench import LINK_RATE_BPS, Bench, broken_down
from tb.packetdrill.job import Job, Outcome, load
from tb.packetdrill.rtl import COUNT_VARIABLE, JOB_VARIABLE, OUTCOME_VARIABLE
from tb.sim.dut import Dut
from tb.sim.host_run import HostRun, prepare


class ScriptCosim(HostRun):
    """One script on a machine with the RTL as its NIC."""

    def __init__(
        self, dut: Dut, script: ast.Script, settings: Settings, job: Job, output: IO[str]
    ) -> None:
        super().__init__(dut, LINK_RATE_BPS)
        self._bench = Bench(script, settings, self.clock, self._attach, job, output)

    def finished(self) -> bool:
        """Whether the script is over."""
        return self._bench.finished()

    async def run(self) -> Outcome:
        """Play the script; returns what became of it."""
        await self.play(self._bench.start)
        return self._bench.outcome(self.error)


@cocotb.test()
@cocotb.parametrize(number=range(int(os.environ[COUNT_VARIABLE])))
async def script(dut: Dut, number: int) -> None:
    """One script; what became of it goes through the pipe as a line of JSON."""
    job = Job.from_json(os.environ[JOB_VARIABLE])
    file = job.files[number]
    output = io.StringIO()
    try:
        outcome = await play(dut, job, file, output)
    except Exception as error:
        outcome = broken_down(str(file), error)
    line = outcome.to_json(output.getvalue()) + "\n"
    os.write(int(os.environ[OUTCOME_VARIABLE]), line.encode())


async def play(dut: Dut, job: Job, file: Path, output: IO[str]) -> Outcome:
    """Run one script; what it prints goes to `output`."""
    loaded = load(job, file)
    if isinstance(loaded, Outcome):
        return loaded
    await prepare(dut)
    return await ScriptCosim(dut, *loaded, job, output).run()
