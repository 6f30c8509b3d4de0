"""What is measured: builds of the card, and the traffic each is given.

Cycles are deterministic: the same RTL gives the same figures on every machine, in every simulator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Build", "Case", "Kind", "all_builds", "wire_cycles"]

NS_400 = 400
NS_1000 = 1000
SIZES = (60, 61, 64, 65, 127, 128, 1514)
HEADER = 54
MIN_FRAME = 60
WIRE_OVERHEAD = 24
"""Preamble, FCS and gap (IEEE 802.3 clause 4.4.2)."""

MIXED = (60, 1514, 128, 64, 590, 61, 1514, 127)
"""One size a queue, when eight of them send."""

TSO_MSS = 1448
TSO_HEADER = 66
TSO_FRAMES = 45
"""45 x 1448 bytes: the largest super-segment of full frames that IPv4 can name."""


class Kind(StrEnum):
    """What a case does."""

    TX = "tx"
    RX = "rx"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table. `packets` are the segment sizes of the packet of each queue; `mss`
    cuts it.
    """

    name: str
    kind: Kind
    packets: tuple[tuple[int, ...], ...]
    latency_ns: int = NS_400
    mss: int = 0
    csum: bool = False
    line_rate: float | None = None
    cycles: float | None = None
    """The goal: a fraction of the wire, or cycles a packet (or to the wire)."""

    @property
    def frames(self) -> tuple[int, ...]:
        """Bytes (without FCS) of the frame, or of each frame, that each queue's packet becomes."""
        if self.mss:
            return (TSO_HEADER + self.mss,) * len(self.packets)
        return tuple(sum(packet) for packet in self.packets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One build of tb/hdl/hnic_bench.v and its cases."""

    name: str
    axi_data_w: int = 128
    gmii: bool = False
    engine: bool = False
    cases: tuple[Case, ...] = field(default=())

    @property
    def period_ps(self) -> int:
        """One cycle: 156.25 MHz, or 125 MHz with GMII."""
        return 8000 if self.gmii else 6400


def wire_cycles(build: Build, frame: int) -> float:
    """Cycles that the wire needs for a frame (bytes without FCS)."""
    return (max(frame, MIN_FRAME) + WIRE_OVERHEAD) / (1 if build.gmii else 8)


def _line_rate_cases() -> Iterator[Case]:
    for latency, goal in ((NS_400, 0.99), (NS_1000, 0.98)):
        for kind in (Kind.TX, Kind.RX):
            for size in SIZES:
                yield Case(
                    name=f"{kind} {size} bytes",
                    kind=kind,
                    packets=((size,),),
                    latency_ns=latency,
                    line_rate=goal,
                )
        for size in (128, 1514):
            packet = (HEADER, size - HEADER)
            name = f"tx {size} bytes in two segments"
            yield Case(
                name=name, kind=Kind.TX, packets=(packet,), latency_ns=latency, line_rate=goal
            )
        yield Case(
            name="tx TSO of 64 KiB",
            kind=Kind.TX,
            packets=((TSO_HEADER, TSO_MSS * TSO_FRAMES),),
            latency_ns=latency,
            mss=TSO_MSS,
            csum=True,
            line_rate=goal,
        )
        for kind in (Kind.TX, Kind.RX):
            yield Case(
                name=f"{kind} eight queues mixed",
                kind=kind,
                packets=tuple((size,) for size in MIXED),
                latency_ns=latency,
                line_rate=goal,
            )


def _latency_cases() -> Iterator[Case]:
    for size, csum, goal in ((60, False, 40), (1514, True, 150)):
        yield Case(
            name=f"doorbell to wire, {size} bytes{' with checksum' if csum else ''}",
            kind=Kind.LATENCY,
            packets=((size,),),
            latency_ns=0,
            csum=csum,
            cycles=goal,
        )


def _engine_cases(width: int) -> Iterator[Case]:
    beats = -(-1514 * 8 // width)
    yield Case(
        name="engine 60 bytes",
        kind=Kind.TX,
        packets=((60,),),
        cycles=5 if width == 512 else None,
    )
    yield Case(name="engine 1514 bytes", kind=Kind.TX, packets=((1514,),), cycles=beats * 1.03)


def _gmii_cases() -> Iterator[Case]:
    for kind in (Kind.TX, Kind.RX):
        for size in (60, 1514):
            yield Case(
                name=f"GMII {kind} {size} bytes", kind=kind, packets=((size,),), line_rate=0.99
            )


def all_builds() -> tuple[Build, ...]:
    """Everything that `make bench-hw` measures."""
    card = Build(name="card", cases=(*_line_rate_cases(), *_latency_cases()))
    gmii = Build(name="card-gmii", gmii=True, cases=tuple(_gmii_cases()))
    engines = (
        Build(
            name=f"engine-{width}", axi_data_w=width, engine=True, cases=tuple(_engine_cases(width))
        )
        for width in (64, 128, 256, 512)
    )
    return (card, gmii, *engines)
