"""Host memory on the NIC's AXI4 bus: cocotbext-axi's slave over the very array the host works
in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cocotbext.axi import AxiBus, AxiSlave
from cocotbext.axi.address_space import Region

from pyhost.mm.memory import Memory
from tb.sim.dut import Dut

__all__ = ["AccessCheck", "AxiHostMemory"]

AccessCheck = Callable[[int, int, bool], None]
"""`check(address, length, write)`, which raises when the device must not do that."""


class _RamRegion(Region):  # type: ignore[misc]
    """The host's RAM as cocotbext-axi sees it."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(size=memory.size)
        self._buf = memory.buf

    async def _read(self, address: int, length: int, **_: Any) -> bytes:
        return bytes(self._buf[address : address + length])

    async def _write(self, address: int, data: bytes, **_: Any) -> None:
        self._buf[address : address + len(data)] = data


class AxiHostMemory:
    """Serves the NIC's reads and writes, and has each burst checked before it is served.

    A burst that fails the check is reported through `on_violation` and still answered, so that the
    bus stays legal while the run is brought to its end.
    """

    def __init__(
        self,
        dut: Dut,
        memory: Memory,
        check: AccessCheck,
        on_violation: Callable[[Exception], None],
    ) -> None:
        self._check = check
        self._on_violation = on_violation
        self.read_bursts = 0
        self.write_bursts = 0
        self._slave = AxiSlave(
            AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=_RamRegion(memory)
        )
        read_if, write_if = self._slave.read_if, self._slave.write_if
        read_if.ar_channel.recv = self._watch(read_if.ar_channel.recv, self._check_read)
        write_if.aw_channel.recv = self._watch(write_if.aw_channel.recv, self._check_write)

    def _watch(
        self, recv: Callable[[], Awaitable[Any]], look: Callable[[Any], None]
    ) -> Callable[[], Awaitable[Any]]:
        async def watched() -> Any:
            transfer = await recv()
            try:
                look(transfer)
            except Exception as violation:
                self._on_violation(violation)
            return transfer

        return watched

    def _check_read(self, ar: Any) -> None:
        """`aruser` says how many bytes of the burst the NIC will use, `awuser` how many it writes;
        both are checked to the byte.
        """
        self.read_bursts += 1
        self._check(int(ar.araddr), int(ar.aruser), False)

    def _check_write(self, aw: Any) -> None:
        self.write_bursts += 1
        self._check(int(aw.awaddr), int(aw.awuser), True)
