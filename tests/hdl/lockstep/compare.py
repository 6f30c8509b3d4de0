"""What must be the same on both sides when they are at rest, and how a difference is told.

Order between queues and times may differ; all else may not. Left out: time stamps, and counters
that tell how much of a stopped queue was under way.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

import numpy as np

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.card_rings import field
from tests.hdl.lockstep.scenario import Ring
from tests.hdl.lockstep.sides import Sent

__all__ = ["CARD_REGISTERS", "COUNTERS", "QUEUE_REGISTERS", "READ_AHEAD", "SETTINGS", "Differences"]

STATUS_NAMES = {
    value: name.removeprefix("STATUS_")
    for name, value in vars(r).items()
    if name.startswith("STATUS_") and isinstance(value, int) and not name.endswith(("_LSB", "_W"))
}
FIELDS = {
    True: ("COOKIE", "HEAD", "STATUS", "PHASE"),
    False: (
        "BUF_ID", "COOKIE", "LEN", "CSUM", "HASH", "VLAN_TCI", "BUFS", "HASH_TYPE", "VLAN", "IP_OK",
        "CSUM_OK", "HEAD", "STATUS", "PHASE",
    ),
}  # fmt: skip
QUEUE_REGISTERS = ("CTRL", "STATUS", "DOORBELL", "HEAD", "CPL_HEAD", "ERROR", "DROPS")
SETTINGS = (
    "BASE_LO", "BASE_HI", "SIZE", "CPL_BASE_LO", "CPL_BASE_HI", "CPL_SIZE", "IRQ_ARM",
    "IRQ_VECTOR", "COALESCE", "MODERATION", "RATE", "BURST", "PRIORITY",
)  # fmt: skip
CARD_REGISTERS = (
    "ID", "VERSION", "FEATURES", "QUEUES", "CTRL", "STATUS", "LINK_CFG", "MAC_LO", "MAC_HI",
    "MAX_FRAME", "SCRATCH", "RX_CTRL", "MC_HASH_LO", "MC_HASH_HI", "MAX_SEGS", "LINK_STATUS",
)  # fmt: skip
COUNTERS = tuple(
    name
    for name, value in vars(r).items()
    if name.startswith("STAT_") and isinstance(value, int) and not name.endswith(("_LSB", "_W"))
    and not name.endswith(("_RST", "_COUNT_LSB", "_COUNT_W"))
)  # fmt: skip
READ_AHEAD = "STAT_AXI_RD_ERRS"
ONLY_WHETHER = (READ_AHEAD, "STAT_AXI_WR_ERRS")
"""Counted in beats and bursts by the card."""
UNDER_WAY = ("STAT_TX_DESCS", "STAT_TX_FLUSHED", "STAT_TX_CSUMS", "STAT_TX_TSO")
"""What depends on how far the card was with a queue when it stopped."""
AROUND = 12


class Differences:
    """Collects what differs, as lines "what: Verilog .., model .."."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._packets: dict[int, str] = {}

    def value(self, what: str, rtl: object, model: object) -> None:
        """Two values that must be the same."""
        if rtl != model:
            self.lines.append(f"{what}: Verilog {rtl}, model {model}")

    # -- memory ------------------------------------------------------------------------------------

    def memory(
        self, rings: Iterable[Ring], rtl: bytes, model: bytes, packets: dict[int, str]
    ) -> None:
        """All bytes of memory, time stamps apart: completions, then buffers, then the rest."""
        self._packets = packets
        a, b = (np.frombuffer(side, np.uint8).copy() for side in (rtl, model))
        for ring in rings:
            self._completions(ring, a, b)
        for ring in rings:
            for index, (addr, size) in ring.buffers.items():
                self._bytes(f"{ring.name}: buffer {index}", addr, size, a, b)
        self._bytes("memory that is no buffer", 0, len(a), a, b)

    def _completions(self, ring: Ring, a: np.ndarray, b: np.ndarray) -> None:
        """Compare the completions of a ring, and make them the same."""
        size, prefix = ring.cpl_bytes, "TXC" if ring.tx else "RXC"
        for at in range(ring.cpl_span.start, ring.cpl_span.stop, size):
            here = slice(at, at + size)
            raw, other = (int.from_bytes(side[here].tobytes(), "little") for side in (a, b))
            if raw == other:
                continue
            b[here] = a[here]
            slot = (at - ring.cpl_span.start) // size
            status = field(raw, prefix, "STATUS")
            names = FIELDS[ring.tx]
            if ring.tx and status:
                names = (*names, "TIMESTAMP")
            wrong = [
                f"{name} {_told(name, field(raw, prefix, name))} / "
                f"{_told(name, field(other, prefix, name))}"
                for name in names
                if field(raw, prefix, name) != field(other, prefix, name)
            ]
            mask = ((1 << 64) - 1) << getattr(r, f"{prefix}_TIMESTAMP_LSB")
            if wrong or (raw ^ other) & ~mask:
                self.lines.append(
                    f"{ring.name}: completion in slot {slot}: (Verilog / model) {', '.join(wrong)}"
                    f"\n      Verilog {raw:0{2 * size}x}\n      model   {other:0{2 * size}x}"
                    f"\n      of {self._packets.get(field(raw, prefix, 'COOKIE'))}"
                )

    def _bytes(self, what: str, addr: int, size: int, a: np.ndarray, b: np.ndarray) -> None:
        here = slice(addr, addr + size)
        wrong = np.flatnonzero(a[here] != b[here])
        if not len(wrong):
            return
        first = addr + int(wrong[0])
        around = slice(first, first + AROUND)
        self.lines.append(
            f"{what}: {len(wrong)} bytes, the first at {first:#x} (byte {first - addr}): "
            f"Verilog {a[around].tobytes().hex()}, model {b[around].tobytes().hex()}"
        )
        b[here] = a[here]

    def untouched(self, image: bytearray, writable: bytearray, memory: bytes) -> None:
        """Bytes that only the driver writes are as the driver left them."""
        a, b = np.frombuffer(memory, np.uint8), np.frombuffer(image, np.uint8)
        wrong = np.flatnonzero((a != b) & (np.frombuffer(writable, np.uint8) == 0))
        if len(wrong):
            self.lines.append(
                f"memory that nobody may write: {len(wrong)} bytes, the first at {wrong[0]:#x}"
            )

    # -- wire --------------------------------------------------------------------------------------

    def frames(self, rtl: Sent, model: Sent, packets: dict[int, str]) -> None:
        """The frames of each queue in order; `packets` says what a cookie stands for."""
        for queue in sorted(rtl.keys() | model.keys()):
            pairs = zip_longest(rtl.get(queue, []), model.get(queue, []))
            for number, (left, right) in enumerate(pairs):
                if left != right:
                    cookie = (left or right or (0,))[0]
                    self.lines += [
                        f"TX queue {queue}: frame {number}: {_frames(left, right)}",
                        f"    packet: {packets.get(cookie)}",
                    ]
                    break


def _told(name: str, value: int) -> str:
    return STATUS_NAMES.get(value, str(value)) if name == "STATUS" else f"{value:#x}"


def _frames(left: tuple[int, bytes] | None, right: tuple[int, bytes] | None) -> str:
    if left is None or right is None:
        cookie, frame = left or right or (0, b"")
        who = "the Verilog card" if left else "the model"
        return f"only {who} sends {len(frame)} bytes with cookie {cookie:#x}"
    (key_a, a), (key_b, b) = left, right
    if key_a != key_b:
        return f"cookie: Verilog {key_a:#x}, model {key_b:#x}"
    if len(a) != len(b):
        return f"cookie {key_a:#x}: Verilog {len(a)} bytes, model {len(b)}"
    at = [i for i in range(len(a)) if a[i] != b[i]]
    here = slice(at[0], at[0] + AROUND)
    return (
        f"cookie {key_a:#x}: {len(at)} of {len(a)} bytes, the first is byte {at[0]}: "
        f"Verilog {a[here].hex()}, model {b[here].hex()}"
    )
