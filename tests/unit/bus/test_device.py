from __future__ import annotations

from collections.abc import Callable

import pytest

from pyhost.bus.device import BusDevice
from pyhost.bus.master import BusError, BusMaster
from pyhost.dma.debug import DmaViolation
from pyhost.dma.mapping import dma_alloc_coherent
from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel


class SlowPort:
    """Answers each read with the number of writes before it, 500 ns later."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.writes: list[tuple[int, int]] = []

    def read(self, offset: int, done: Callable[[int], None]) -> None:
        self._clock.call_at(self._clock.now + 500, lambda: done(len(self.writes) << 8 | offset))

    def write(self, offset: int, value: int) -> None:
        self.writes.append((offset, value))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def port(clock: VirtualClock) -> SlowPort:
    return SlowPort(clock)


@pytest.fixture
def bus(clock: VirtualClock, port: SlowPort) -> BusDevice:
    return BusDevice(Kernel(clock), "card", port, vectors=3)


def test_a_register_read_stalls_the_cpu_until_the_device_answers(
    bus: BusDevice, clock: VirtualClock
) -> None:
    log: list[tuple[str, int]] = []

    def reader() -> None:
        bus.writel(1, 0x10)
        value = bus.readl(0x20)
        log.append((f"read {value:#x}", clock.now))

    bus.kernel.sched.spawn(reader, "reader")
    bus.kernel.sched.spawn(lambda: log.append(("other task", clock.now)), "other")
    clock.run()
    assert log == [("read 0x120", 500), ("other task", 500)]


def test_a_posted_write_is_cut_to_32_bits_and_costs_no_time(
    bus: BusDevice, port: SlowPort, clock: VirtualClock
) -> None:
    bus.writel(-1, 0x14)
    assert port.writes == [(0x14, 0xFFFFFFFF)]
    assert clock.now == 0


def test_an_access_that_is_not_aligned_is_a_bug(bus: BusDevice) -> None:
    with pytest.raises(KernelBug, match="aligned"):
        bus.writel(1, 0x12)
    with pytest.raises(KernelBug, match="aligned"):
        bus.readl(0x11)


def test_each_vector_has_an_interrupt_of_its_own(bus: BusDevice, clock: VirtualClock) -> None:
    fired: list[int] = []
    assert len(set(bus.irqs)) == 3
    for irq in bus.irqs:
        bus.kernel.irq.request_irq(irq, fired.append, "card")
    bus.fire(2)
    bus.fire(0)
    assert fired == []
    clock.run()
    assert fired == [bus.irqs[2], bus.irqs[0]]


def test_a_bus_master_reads_and_writes_only_what_the_driver_gave(bus: BusDevice) -> None:
    master = BusMaster(bus.dma)
    area = dma_alloc_coherent(bus.dma, 4096, "ring")
    assert area is not None
    cpu, dma = area
    master.write(dma + 8, b"abcd")
    assert bytes(bus.kernel.mem.buf[cpu + 8 : cpu + 12]) == b"abcd"
    assert bytes(master.read(dma + 7, 4)) == b"\0abc"
    with pytest.raises(DmaViolation, match="card: DMA write of 4 bytes"):
        master.write(dma + 4094, b"abcd")
    with pytest.raises(DmaViolation, match="card: DMA read of 2 bytes"):
        master.read(dma - 2, 2)


def test_a_bus_error_is_told_and_writes_nothing(bus: BusDevice) -> None:
    master = BusMaster(bus.dma)
    area = dma_alloc_coherent(bus.dma, 4096, "ring")
    assert area is not None
    master.fault = lambda addr, length, write: write
    with pytest.raises(BusError):
        master.write(area[1], b"abcd")
    assert bytes(master.read(area[1], 4)) == bytes(4)
