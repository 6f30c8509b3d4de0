"""Host memory on AXI for the tests of single engines: cocotbext-axi's, stalled, late, faulty.

All of memory is noise at first, so what is written beside its place is seen too.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import cocotb
from cocotb.queue import Queue
from cocotb.simtime import get_sim_time
from cocotb.triggers import Timer
from cocotbext.axi import AxiRamRead, AxiRamWrite, AxiReadBus, AxiWriteBus

from tests.hdl.bench import PERIOD_NS

__all__ = ["Memory"]


class FaultyWrite(AxiRamWrite):
    """A RAM with a range that cannot be written."""

    bad = range(0)

    async def _write(self, address: int, data: bytes) -> None:
        if address in self.bad:
            raise RuntimeError("no such memory")
        self.write(address, data)


class FaultyRead(AxiRamRead):
    """A RAM with a range that cannot be read."""

    bad = range(0)

    async def _read(self, address: int, length: int) -> bytes:
        if address in self.bad:
            raise RuntimeError("no such memory")
        return bytes(self.read(address, length))


class Memory:
    """Memory behind `m_axi_`. `writes` lists the bursts: (id, address, beats, bytes a beat)."""

    def __init__(
        self,
        dut: Any,
        rng: random.Random,
        *,
        size: int = 1 << 18,
        pause: float = 0.0,
        latency: int = 0,
        read_latency: int = 0,
    ) -> None:
        self.rng = rng
        self.writes: list[tuple[int, int, int, int]] = []
        self.write_if = FaultyWrite(
            AxiWriteBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=size
        )
        self.write_if.w_channel.queue_occupancy_limit = 2 + latency
        self._late(self.write_if.aw_channel, latency, self._note)
        channels = [self.write_if.aw_channel, self.write_if.w_channel, self.write_if.b_channel]
        self.write_if.log.setLevel("ERROR")
        if hasattr(dut, "m_axi_arvalid"):
            self.read_if = FaultyRead(
                AxiReadBus.from_prefix(dut, "m_axi"),
                dut.clk,
                dut.rst,
                mem=self.write_if.mem,
                size=size,
            )
            self.read_if.log.setLevel("ERROR")
            self._late(self.read_if.ar_channel, read_latency, lambda _: None)
            channels += [self.read_if.ar_channel, self.read_if.r_channel]
        self.write_if.write(0, rng.randbytes(size))
        if pause:
            for channel in channels:
                channel.set_pause_generator(rng.random() < pause for _ in itertools.count())

    def write(self, address: int, data: bytes) -> None:
        """What the host does."""
        self.write_if.write(address, data)

    def read(self, address: int, size: int) -> bytes:
        """What the host sees."""
        return bytes(self.write_if.read(address, size))

    def _note(self, aw: Any) -> None:
        self.writes.append((int(aw.awid), int(aw.awaddr), int(aw.awlen) + 1, 1 << int(aw.awsize)))

    def _late(self, channel: Any, latency: int, note: Any) -> None:
        """Serve each request `latency` cycles after it was made, with any number under way."""
        recv = channel.recv
        arrived: Queue[tuple[float, Any]] = Queue()

        async def feed() -> None:
            while True:
                request = await recv()
                note(request)
                arrived.put_nowait((get_sim_time("ps") + latency * PERIOD_NS * 1000, request))

        async def delayed() -> Any:
            when, request = await arrived.get()
            if when > get_sim_time("ps"):
                await Timer(round(when - get_sim_time("ps")), "ps")
            return request

        async def noted() -> Any:
            request = await recv()
            note(request)
            return request

        if latency:
            cocotb.start_soon(feed())
        channel.recv = delayed if latency else noted
