"""The run of tb/sim/cosim.py with a mistake in the driver."""

from __future__ import annotations

import cocotb

from tb.sim.cosim import run_cosim
from tb.sim.dut import Dut
from tests.system.broken_driver import alter


@cocotb.test()
async def cosim(dut: Dut) -> None:
    """The run that the environment describes."""
    alter()
    await run_cosim(dut)
