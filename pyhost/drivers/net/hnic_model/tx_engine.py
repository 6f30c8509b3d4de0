"""The transmit side of the card: doorbells, packets, wire, completions.

    doorbell ──DOORBELL_LATENCY_NS──→ choose a queue, fetch, gather, first bit on the wire
             ──(len + 24) bytes──→ next frame, or completion, interrupt, next packet

One packet at a time, one clock event a frame; the doorbell that finds the engine idle costs one
more. The RTL reads ahead and so keeps the same pace on the wire with a slow memory; here reading
memory takes no time, so nothing of a queue is under way behind the packet on the wire, and a fault
has nothing behind it to drop. A queue that is reset loses the packet that is on the wire: the frame
ends, the rest of it is dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.bus.master import BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    TX_CPL,
    TXC_HEAD_SHIFT,
    TXC_PHASE,
    TXC_STATUS_SHIFT,
)
from pyhost.drivers.net.hnic_model.cpl_writer import CplWriter
from pyhost.drivers.net.hnic_model.cycle import CYCLE_NS
from pyhost.drivers.net.hnic_model.limits import DOORBELL_LATENCY_NS
from pyhost.drivers.net.hnic_model.queue import QueueBlock
from pyhost.drivers.net.hnic_model.scheduler import TxScheduler
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.tx_data import TxData
from pyhost.drivers.net.hnic_model.tx_mac import TxMac
from pyhost.drivers.net.hnic_model.tx_packet import TxPacket
from pyhost.drivers.net.hnic_model.tx_ring import TxRing
from pyhost.kernel.clock import Clock, Event
from pyhost.kernel.trace import Tracer

__all__ = ["TxEngine"]


class TxEngine:
    """All TX queues in front of one MAC. `card_enabled` is CTRL.ENABLE."""

    def __init__(
        self,
        clock: Clock,
        master: BusMaster,
        fire: Callable[[int], None],
        mac: TxMac,
        count: int,
        stats: CardStats,
        trace: Tracer,
    ) -> None:
        self._clock = clock
        self._mac = mac
        self._stats = stats
        self._data = TxData(master, stats, trace)
        self._cpl = CplWriter(master, stats, regs.TXC_BYTES, TXC_PHASE)
        self.queues = [
            QueueBlock(number, self, clock, fire, 2 * number, stats) for number in range(count)
        ]
        self._rings = [TxRing(queue, master, stats) for queue in self.queues]
        self.scheduler = TxScheduler(count)
        self._packet: TxPacket | None = None
        self._queue = self.queues[0]
        self._stopping: list[QueueBlock] = []
        self._busy = False
        self._start: Event | None = None
        self._soft_reset: Callable[[], None] | None = None
        self.card_enabled = False

    @property
    def busy(self) -> bool:
        """Whether something is under way or about to be."""
        return self._busy or self._start is not None

    # -- registers ---------------------------------------------------------------------------------

    def write(self, number: int, offset: int, value: int) -> None:
        """Write a register in the block of queue `number`."""
        if not self.scheduler.write(number, offset, value, self._clock.now):
            self.queues[number].write(offset, value)
        elif self.scheduler.wake_ns:
            self._kick(self._clock.now)

    def read(self, number: int, offset: int) -> int:
        """The register at `offset` in the block of queue `number`."""
        value = self.scheduler.read(number, offset)
        return self.queues[number].read(offset) if value is None else value

    # -- what sets the engine going ----------------------------------------------------------------

    def kick(self) -> None:
        """There may be something to do: a doorbell, the card enabled, a queue disabled."""
        self._kick(self._clock.now + DOORBELL_LATENCY_NS)

    def _kick(self, when: int) -> None:
        """Look for work at `when`, unless that will be done sooner."""
        if self._busy:
            return
        start = self._start
        if start is not None:
            if start.when <= when:
                return
            start.cancel()
        self._start = self._clock.call_at(when, self._begin)

    def _begin(self) -> None:
        self._start = None
        self._next()

    def on_doorbell(self, queue: QueueBlock) -> None:
        """QueueOwner.on_doorbell."""
        if queue.going:
            self.scheduler.ready(queue.number)
            if not self._busy:
                self.kick()

    def on_disable(self, queue: QueueBlock) -> None:
        """QueueOwner.on_disable."""
        self._stopping.append(queue)
        self.kick()

    def on_reset(self, queue: QueueBlock) -> None:
        """QueueOwner.on_reset: at once when nothing of the queue is under way, else at the end of
        its frame.
        """
        self.scheduler.idle(queue.number)
        if self._packet is None or self._queue is not queue:
            self._clock.call_soon(lambda: self._reset_queue(queue))
        elif self._mac.stop_waiting() is not None:
            self._clock.call_soon(self._send)

    def _reset_queue(self, queue: QueueBlock) -> None:
        if queue.resetting:
            queue.reset_done()
            self._rings[queue.number].clear()

    def reset(self, done: Callable[[], None]) -> None:
        """Let the frame on the wire end, forget everything else, then call `done`."""
        if self._start is not None:
            self._start.cancel()
            self._start = None
        self._soft_reset = done
        if not self._busy or self._mac.stop_waiting() is not None:
            self._busy = True
            self._clock.call_soon(self._next)

    def _do_reset(self) -> None:
        done, self._soft_reset = self._soft_reset, None
        assert done is not None
        self._packet = None
        self._busy = False
        self._stopping.clear()
        self.card_enabled = False
        self.scheduler.reset()
        for queue, ring in zip(self.queues, self._rings, strict=True):
            queue.reset()
            ring.clear()
        done()

    # -- packet after packet -----------------------------------------------------------------------

    def _next(self) -> None:
        """The wire is free: begin the next packet."""
        if self._soft_reset is not None:
            self._do_reset()
            return
        if self._stopping:
            self._stop_queues()
        scheduler = self.scheduler
        while self.card_enabled:
            number = scheduler.pick(self._clock.now)
            if number < 0:
                break
            packet = self._rings[number].next_packet()
            if packet is not None:
                self._open(packet, self.queues[number])
                return
            scheduler.idle(number)
        self._busy = False
        if self.card_enabled and scheduler.wake_ns:
            self._kick(scheduler.wake_ns)

    def _open(self, packet: TxPacket, queue: QueueBlock) -> None:
        """Read what the packet is made of; its first frame leaves now."""
        self._busy = True
        self._packet = packet
        self._queue = queue
        self._data.load(packet)
        frames = packet.frames
        if not frames:
            self._clock.call_at(self._clock.now + CYCLE_NS, self._close)
            return
        self.scheduler.charge(queue.number, frames)
        if len(frames) > 1:
            frames.reverse()
        self._send()

    def _send(self) -> None:
        """The wire is free: on to the next frame of the packet, if there is one."""
        packet = self._packet
        assert packet is not None
        if not packet.frames or self._queue.resetting or self._soft_reset is not None:
            self._close()
        elif self._mac.paused:
            self._mac.wait(self._send)
        else:
            packet.start_ns = self._clock.now
            self._mac.send(packet.frames.pop(), packet.cookie, self._send)

    def _close(self) -> None:
        """The packet has left or was dropped: write its completion, go on."""
        packet, queue = self._packet, self._queue
        assert packet is not None
        self._packet = None
        if self._soft_reset is None:
            if queue.resetting:
                self._stats.tx_flushed += 1
                self._reset_queue(queue)
            else:
                self._complete(packet, queue)
        self._next()

    def _complete(self, packet: TxPacket, queue: QueueBlock) -> None:
        status, when = packet.status, packet.start_ns
        if status:
            when = packet.fault
            self._stats.tx_drops += 1
            queue.halt(status, packet.fault)
        last = (
            packet.cookie
            | packet.next << TXC_HEAD_SHIFT
            | status << TXC_STATUS_SHIFT
            | self._cpl.phase(queue)
        )
        self._cpl.write(queue, packet.next, TX_CPL.pack(when, last))
        if queue.halted:
            self.scheduler.idle(queue.number)

    def _stop_queues(self) -> None:
        """Disabled queues stop when what they were given has been completed."""
        waiting = []
        for queue in self._stopping:
            if queue.enabled or not queue.active:
                continue
            if queue.halted or queue.head == queue.tail:
                queue.stopped()
                self._rings[queue.number].clear()
            else:
                waiting.append(queue)
        self._stopping = waiting
