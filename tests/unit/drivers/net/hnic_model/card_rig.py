"""The Python card without a driver: a test writes registers and descriptors itself.

Each queue has its own rings; all share the data memory.
"""

from __future__ import annotations

from pyhost.dma.mapping import DMA_BIDIRECTIONAL, dma_map_single, dma_mapping_error
from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import Rig

RING = 0x10_0000
COMPLETIONS = 0x12_0000
DATA = 0x20_0000
DATA_BYTES = 0x4_0000
LOG2 = 6
SIZE = 1 << LOG2
QUEUES = 8
_STEP = 0x1000
PROMISC = 1 << regs.RX_CTRL_PROMISC_LSB


def txq(number: int) -> int:
    """Where the registers of a TX queue begin."""
    return regs.TXQ_BASE + number * regs.TXQ_STRIDE


def rxq(number: int) -> int:
    """Where the registers of an RX queue begin."""
    return regs.RXQ_BASE + number * regs.RXQ_STRIDE


def field(name: str, value: int, record: str = "TXD") -> int:
    """`value` at the place of field `name` in a record."""
    width: int = getattr(regs, f"{record}_{name}_W")
    assert value >> width == 0
    return value << getattr(regs, f"{record}_{name}_LSB")


def record(kind: str, **values: int) -> int:
    """A whole record as one number."""
    return sum(field(name, value, kind) for name, value in values.items())


def whole(addr: int, length: int, cookie: int = 1, **more: int) -> dict[str, int]:
    """One TX descriptor that is a packet."""
    return {"ADDR": addr, "LEN": length, "SOP": 1, "EOP": 1, "COOKIE": cookie, **more}


class CardRig(Rig):
    """The machine of `Rig` with the interface down; queues are set up by `enable`."""

    def __init__(self, queues: int = QUEUES) -> None:
        super().__init__(up=False, queues=queues)
        self.tails: dict[int, int] = {}
        for addr, size in ((RING, 0x2_0000), (COMPLETIONS, 0x2_0000), (DATA, DATA_BYTES)):
            dma = dma_map_single(self.bus.dma, addr, size, DMA_BIDIRECTIONAL, "test")
            assert not dma_mapping_error(self.bus.dma, dma)
        self.fired: list[int] = []
        self.fired_at: list[int] = []
        for vector, irq in enumerate(self.bus.irqs):
            self.kernel.irq.request_irq(irq, lambda _, v=vector: self._fire(v), "test")

    def _fire(self, vector: int) -> None:
        self.fired.append(vector)
        self.fired_at.append(self.clock.now)

    # -- queues ------------------------------------------------------------------------------------

    @staticmethod
    def _place(block: int) -> int:
        """The rings of a block, as an offset."""
        number = block - (regs.RXQ_BASE if block >= regs.RXQ_BASE else regs.TXQ_BASE) >> 8
        return (number + (QUEUES if block >= regs.RXQ_BASE else 0)) * _STEP

    def ring(self, block: int) -> int:
        """Where the descriptors of a block lie."""
        return RING + self._place(block)

    def enable(self, *blocks: int) -> None:
        """Start queues (TX queue 0 without any) and the card."""
        for block in blocks or (regs.TXQ_BASE,):
            self.tails[block] = 0
            for offset, value in (
                (regs.Q_BASE_LO, self.ring(block)),
                (regs.Q_SIZE, LOG2),
                (regs.Q_CPL_BASE_LO, COMPLETIONS + self._place(block)),
                (regs.Q_CPL_SIZE, LOG2),
                (regs.Q_CTRL, 1),
            ):
                self.bus.writel(value, block + offset)
        self.bus.writel(1, regs.CTRL)

    def fill(self, data: bytes, at: int = 0) -> int:
        """Put bytes into data memory; returns their address."""
        self.kernel.mem.buf[DATA + at : DATA + at + len(data)] = data
        return DATA + at

    def data(self, at: int, size: int) -> bytes:
        """`size` bytes of data memory."""
        return bytes(self.kernel.mem.buf[DATA + at : DATA + at + size])

    def _write(self, block: int, kind: str, desc: dict[str, int]) -> None:
        size: int = getattr(regs, f"{kind}_BYTES")
        where = self.ring(block) + self.tails[block] % SIZE * size
        raw = record(kind, **desc).to_bytes(size, "little")
        self.kernel.mem.buf[where : where + size] = raw
        self.tails[block] = self.tails[block] + 1 & 0xFFFF

    def post(
        self, *descs: dict[str, int], block: int = regs.TXQ_BASE, doorbell: bool = True
    ) -> None:
        """Write TX descriptors behind the last ones and ring the doorbell."""
        for desc in descs:
            self._write(block, "TXD", desc)
        if doorbell:
            self.bus.writel(self.tails[block], block + regs.Q_DOORBELL)

    def post_rx(self, *buffers: tuple[int, int, int], block: int = regs.RXQ_BASE) -> None:
        """Give RX buffers: (offset in data memory, bytes, id)."""
        for at, size, buf_id in buffers:
            self._write(block, "RXD", {"ADDR": DATA + at, "LEN": size, "BUF_ID": buf_id})
        self.bus.writel(self.tails[block], block + regs.Q_DOORBELL)

    def completion(self, index: int, kind: str = "TXC", block: int | None = None) -> dict[str, int]:
        """The fields of completion entry `index`."""
        size: int = getattr(regs, f"{kind}_BYTES")
        if block is None:
            block = regs.TXQ_BASE if kind == "TXC" else regs.RXQ_BASE
        where = COMPLETIONS + self._place(block) + index % SIZE * size
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

    def error(self, block: int) -> tuple[int, int, int]:
        """(STATUS.ERROR, ERROR.STATUS, ERROR.INDEX) of a queue."""
        error = self.reg(block + regs.Q_ERROR)
        halted = self.reg(block + regs.Q_STATUS) >> regs.Q_STATUS_ERROR_LSB
        return halted, error & 0xFF, error >> regs.Q_ERROR_INDEX_LSB

    def reset_queue(self, block: int) -> None:
        """Queue reset, to the end."""
        self.bus.writel(1 << regs.Q_CTRL_RESET_LSB, block + regs.Q_CTRL)
        self.run()
        assert self.reg(block + regs.Q_CTRL) == 0
