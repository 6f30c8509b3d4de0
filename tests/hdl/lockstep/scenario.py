"""What both cards are played: steps of actions, as a driver and a wire do them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.card import BAD, DATA, RAM_BYTES
from tests.hdl.card_rings import QUEUE_BYTES, RX_AREA, TX_AREA

__all__ = [
    "BAD",
    "DATA",
    "RAM_BYTES",
    "Action",
    "Frame",
    "Poke",
    "Reset",
    "Ring",
    "Settle",
    "Step",
    "Write",
]


@dataclass(frozen=True, slots=True)
class Poke:
    """The driver writes memory; `grant` names what the card may do with it: "r", "w" or nothing."""

    addr: int
    data: bytes
    grant: str = ""
    grant_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """A register write."""

    offset: int
    value: int


@dataclass(frozen=True, slots=True)
class Reset:
    """RESET is written into the control register at `offset`, and waited for."""

    offset: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame arrives; not `good`: with a wrong FCS."""

    data: bytes
    key: int
    good: bool = True


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait until nothing is under way."""


Action = Poke | Write | Reset | Frame | Settle


@dataclass(slots=True)
class Step:
    """Actions in order; afterwards both cards come to rest and are compared. `what` says in words
    what happens.
    """

    number: int = 0
    what: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


@dataclass(slots=True)
class Ring:
    """A queue as the driver keeps it. `tail` is what was posted; `heads` are what the card has told
    after the last step: descriptors and completions.
    """

    tx: bool
    number: int
    base: int = 0
    cpl_base: int = 0
    log2: int = 6
    cpl_log2: int = 6
    enabled: bool = False
    halted: bool = False
    tail: int = 0
    head: int = 0
    cpl_head: int = 0
    armed: bool = False
    risky: bool = False
    """One of its buffers or rings is bad: frames come one at a time."""
    buffers: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Receive buffers by index: address, size."""

    @property
    def name(self) -> str:
        return f"{'TX' if self.tx else 'RX'} queue {self.number}"

    @property
    def block(self) -> int:
        """Offset of its registers."""
        base, stride = (r.TXQ_BASE, r.TXQ_STRIDE) if self.tx else (r.RXQ_BASE, r.RXQ_STRIDE)
        return base + self.number * stride

    @property
    def area(self) -> int:
        """Where its rings may lie."""
        return (TX_AREA if self.tx else RX_AREA) + self.number * QUEUE_BYTES

    @property
    def desc_bytes(self) -> int:
        return r.TXD_BYTES if self.tx else r.RXD_BYTES

    @property
    def cpl_bytes(self) -> int:
        return r.TXC_BYTES if self.tx else r.RXC_BYTES

    @property
    def cpl_span(self) -> range:
        """The bytes of the completion ring; none before the queue's first start."""
        size = self.cpl_bytes << self.cpl_log2 if self.cpl_base else 0
        return range(self.cpl_base, min(self.cpl_base + size, RAM_BYTES))

    @property
    def room(self) -> int:
        """Descriptors that may be posted."""
        return (1 << self.log2) - (self.tail - self.head & 0xFFFF)

    def slot(self, index: int) -> int:
        """Address of a descriptor."""
        return self.base + (index & (1 << self.log2) - 1) * self.desc_bytes
