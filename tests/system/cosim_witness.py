"""The run of tb/sim/cosim.py with witnesses beside it: cocotbext-eth's sink on the XGMII bus, and a
list of what the driver maps and what the card reads. They go into `witness.json`.
"""

from __future__ import annotations

import json
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge
from cocotbext.eth import XgmiiSink, xgmii

from pyhost.bus.device import BusDevice
from pyhost.kernel.kernel import Kernel
from tb.sim.cosim import Cosim, run_cosim
from tb.sim.dut import Dut
from tb.wire import Port

# A simulator may wake the sink before or after the card has taken a rising edge. At the falling
# edge the bus stands still.
xgmii.RisingEdge = FallingEdge


class WitnessedCosim(Cosim):
    """A run that writes down what an independent observer sees."""

    def __init__(self, dut: Dut, *args: Any) -> None:
        self.maps: list[tuple[int, int, int | str]] = []
        self.reads: list[tuple[int, int]] = []
        super().__init__(dut, *args)
        self.sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)

    def _attach(self, kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
        device = super()._attach(kernel, port, mac)
        self._watch_maps(device)
        self._watch_reads()
        return device

    def _watch_maps(self, device: BusDevice) -> None:
        debug = device.dma.debug
        shadow = _Shadow(debug, self.maps)
        device.dma.debug = shadow  # type: ignore[assignment]

    def _watch_reads(self) -> None:
        memory = self.nic.memory
        check = memory._check

        def checked(address: int, length: int, write: bool) -> None:
            if not write:
                self.reads.append((address, length))
            check(address, length, write)

        memory._check = checked

    async def run(self) -> int:
        """The run; what was seen is written at its end."""
        status = await super().run()
        frames = []
        while not self.sink.empty():
            frame = self.sink.recv_nowait()
            frames.append(bytes(frame.get_payload(strip_fcs=False)).hex())
        record = {"frames": frames, "maps": self.maps, "reads": self.reads}
        (self.testbed.config.out / "witness.json").write_text(json.dumps(record))
        return status


class _Shadow:
    """The shadow map of the DMA API, with a list of the maps of packets for transmission."""

    def __init__(self, debug: Any, maps: list[tuple[int, int, int | str]]) -> None:
        self._debug = debug
        self._maps = maps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._debug, name)

    def map(self, addr: int, size: int, direction: int, kind: int, owner: int | str) -> None:
        """A range was mapped."""
        if direction == 1:
            self._maps.append((addr, size, owner))
        self._debug.map(addr, size, direction, kind, owner)


@cocotb.test()
async def cosim(dut: Dut) -> None:
    """The run that the environment describes, with witnesses."""
    await run_cosim(dut, WitnessedCosim)
