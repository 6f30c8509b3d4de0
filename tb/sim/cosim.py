"""The cocotb test that is a run: two machines, one of them with the RTL as its NIC."""

from __future__ import annotations

import os

import cocotb

from tb.config import RunConfig
from tb.rtl_session import CONFIG_VARIABLE, STDIO_VARIABLE
from tb.session import conclude
from tb.sim.dut import Dut
from tb.sim.host_run import HostRun, prepare
from tb.testbed import Testbed


class Cosim(HostRun):
    """One run inside the simulator: ends when the programs have ended, a check failed, or nothing
    moves any more.
    """

    def __init__(self, dut: Dut, config: RunConfig, stdio: tuple[int, int, int]) -> None:
        super().__init__(dut, config.link_rate_bps)
        self.testbed = Testbed(config, self.clock, self._attach, stdio)

    def finished(self) -> bool:
        """Whether the programs have ended."""
        return self.testbed.finished()

    async def run(self) -> int:
        """Do the run; returns its exit status."""
        await self.play(self.testbed.start)
        cycles = self._dut.cycles.value.to_unsigned()
        return conclude(self.testbed, self.error, cycles=cycles)


async def run_cosim(dut: Dut, kind: type[Cosim] = Cosim) -> int:
    """Do the run that the environment describes; returns its exit status."""
    await prepare(dut)
    config = RunConfig.from_json(os.environ[CONFIG_VARIABLE])
    stdin, stdout, stderr = map(int, os.environ[STDIO_VARIABLE].split(","))
    return await kind(dut, config, (stdin, stdout, stderr)).run()


@cocotb.test()
async def cosim(dut: Dut) -> None:
    """A run, started by `tb.rtl_session`."""
    await run_cosim(dut)
