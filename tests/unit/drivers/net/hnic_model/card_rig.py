"""The Python card without a driver: a test writes registers and descriptors itself."""

from __future__ import annotations

from pyhost.dma.mapping import DMA_BIDIRECTIONAL, dma_map_single, dma_mapping_error
from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import Rig

RING = 0x10_0000
COMPLETIONS = 0x11_0000
DATA = 0x20_0000
DATA_BYTES = 0x1_0000
LOG2 = 6


def field(name: str, value: int, record: str = "TXD") -> int:
    """`value` at the place of field `name` in a record."""
    width: int = getattr(regs, f"{record}_{name}_W")
    assert value >> width == 0
    return value << getattr(regs, f"{record}_{name}_LSB")


def record(kind: str, **values: int) -> int:
    """A whole record as one number."""
    return sum(field(name, value, kind) for name, value in values.items())


class CardRig(Rig):
    """The machine of `Rig` with the interface down; TX or RX queue set up by `enable`."""

    def __init__(self) -> None:
        super().__init__(up=False)
        self.tail = 0
        for addr, size in ((RING, 0x1_0000), (COMPLETIONS, 0x1_0000), (DATA, DATA_BYTES)):
            dma = dma_map_single(self.bus.dma, addr, size, DMA_BIDIRECTIONAL, "test")
            assert not dma_mapping_error(self.bus.dma, dma)
        self.fired: list[int] = []
        for vector, irq in enumerate(self.bus.irqs):
            self.kernel.irq.request_irq(irq, lambda _, v=vector: self.fired.append(v), "test")

    def enable(self, block: int = regs.TXQ_BASE) -> None:
        for offset, value in (
            (regs.Q_BASE_LO, RING),
            (regs.Q_SIZE, LOG2),
            (regs.Q_CPL_BASE_LO, COMPLETIONS),
            (regs.Q_CPL_SIZE, LOG2),
            (regs.Q_CTRL, 1),
        ):
            self.bus.writel(value, block + offset)
        self.bus.writel(1, regs.CTRL)

    def fill(self, data: bytes, at: int = 0) -> int:
        """Put bytes into data memory; returns their address."""
        self.kernel.mem.buf[DATA + at : DATA + at + len(data)] = data
        return DATA + at

    def post(self, *descs: dict[str, int], doorbell: bool = True) -> None:
        """Write TX descriptors behind the last ones and ring the doorbell."""
        for desc in descs:
            where = RING + self.tail % (1 << LOG2) * regs.TXD_BYTES
            raw = record("TXD", **desc).to_bytes(regs.TXD_BYTES, "little")
            self.kernel.mem.buf[where : where + regs.TXD_BYTES] = raw
            self.tail = self.tail + 1 & 0xFFFF
        if doorbell:
            self.bus.writel(self.tail, regs.TXQ_BASE + regs.Q_DOORBELL)

    def completion(self, index: int, kind: str = "TXC") -> dict[str, int]:
        """The fields of completion entry `index`."""
        size: int = getattr(regs, f"{kind}_BYTES")
        where = COMPLETIONS + index % (1 << LOG2) * size
        word = int.from_bytes(self.kernel.mem.buf[where : where + size], "little")
        names = [
            name[4:-4] for name in dir(regs) if name.startswith(kind) and name.endswith("_LSB")
        ]
        return {
            name: word >> getattr(regs, f"{kind}_{name}_LSB")
            & (1 << getattr(regs, f"{kind}_{name}_W")) - 1
            for name in names
        }

    def reg(self, offset: int) -> int:
        """Read a register."""
        return self.in_task(lambda: self.bus.readl(offset))
