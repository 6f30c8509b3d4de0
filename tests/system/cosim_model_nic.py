"""The run of tb/sim/cosim.py with the Python model as the host's card: the simulator lends its
clock and nothing else.
"""

from __future__ import annotations

import cocotb

from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.kernel.kernel import Kernel
from tb.sim.cosim import Cosim, run_cosim
from tb.sim.dut import Dut
from tb.wire import Port

LINK_RATE_BPS = 10_000_000_000


class NoCard:
    """Stands where a run looks for its RTL."""

    idle = True

    async def reset(self) -> None:
        """Nothing is there to be reset."""


class ModelCosim(Cosim):
    """A run in the simulator's time without its RTL."""

    def _attach(self, kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
        self.nic = NoCard()  # type: ignore[assignment]
        return attach_hnic_model(kernel, self.clock, port, mac, LINK_RATE_BPS)


@cocotb.test()
async def cosim(dut: Dut) -> None:
    """The run that the environment describes, on the simulator's clock."""
    await run_cosim(dut, ModelCosim)
