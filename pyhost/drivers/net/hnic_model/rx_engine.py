"""The receive side of the card: a frame from the wire is judged, given to a queue, written into its
buffers and completed.

It lives on register writes and DMA alone, so that it also stands beside an RTL that has no receive
engine of its own. A frame is dealt with in the event in which its last bit arrives; between two
frames nothing is under way, so a queue stops and is reset at once.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.bus.master import BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    RX_CPL,
    RXC_BUFS_SHIFT,
    RXC_COOKIE_SHIFT,
    RXC_HEAD_SHIFT,
    RXC_PHASE,
    RXC_STATUS_SHIFT,
)
from pyhost.drivers.net.hnic_model.cpl_writer import CplWriter
from pyhost.drivers.net.hnic_model.pause import PauseTimer
from pyhost.drivers.net.hnic_model.queue import QueueBlock
from pyhost.drivers.net.hnic_model.rss import Rss
from pyhost.drivers.net.hnic_model.rx_filter import RxFilter
from pyhost.drivers.net.hnic_model.rx_frame import RxFrame, rx_examine
from pyhost.drivers.net.hnic_model.rx_mac import RxMac
from pyhost.drivers.net.hnic_model.rx_scatter import RxScatter
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.kernel.clock import Clock
from pyhost.kernel.trace import Tracer

__all__ = ["RxEngine"]

_CONTROL_BITS = (
    1 << regs.RX_CTRL_PROMISC_LSB
    | 1 << regs.RX_CTRL_ALLMULTI_LSB
    | 1 << regs.RX_CTRL_BROADCAST_LSB
    | 1 << regs.RX_CTRL_VLAN_STRIP_LSB
    | 1 << regs.RX_CTRL_RSS_LSB
)
_U32 = 0xFFFFFFFF


class RxEngine:
    """All RX queues behind one MAC; `mac.receive` takes what comes from the wire."""

    def __init__(
        self,
        clock: Clock,
        master: BusMaster,
        fire: Callable[[int], None],
        pause: PauseTimer,
        station: bytes,
        rate_bps: int,
        count: int,
        stats: CardStats,
        trace: Tracer,
    ) -> None:
        self._clock = clock
        self._stats = stats
        self._trace = trace
        self._scatter = RxScatter(master, stats)
        self._cpl = CplWriter(master, stats, regs.RXC_BYTES, RXC_PHASE)
        self.master = master
        self.queues = [
            QueueBlock(number, self, clock, fire, 2 * number + 1, stats) for number in range(count)
        ]
        self.filter = RxFilter(station)
        self.rss = Rss(count)
        self.mac = RxMac(clock, rate_bps, self.filter, pause, stats, self._take)

    def reset(self) -> None:
        """As after reset of the card."""
        self.mac.card_enabled = False
        self.filter.reset()
        self.rss.reset()
        for queue in self.queues:
            queue.reset()

    # -- registers ---------------------------------------------------------------------------------

    def write(self, offset: int, value: int) -> bool:
        """Write a register of the receive side outside the queue blocks; False for another."""
        wanted = self.filter
        if offset == regs.RX_CTRL:
            wanted.control = value & _CONTROL_BITS
        elif offset == regs.MC_HASH_LO:
            wanted.mc_bits = wanted.mc_bits & ~_U32 | value
        elif offset == regs.MC_HASH_HI:
            wanted.mc_bits = wanted.mc_bits & _U32 | value << 32
        else:
            return self.rss.write(offset, value)
        return True

    def read(self, offset: int) -> int | None:
        """A register of the receive side outside the queue blocks; None for another."""
        wanted = self.filter
        if offset == regs.RX_CTRL:
            return wanted.control
        if offset == regs.MC_HASH_LO:
            return wanted.mc_bits & _U32
        if offset == regs.MC_HASH_HI:
            return wanted.mc_bits >> 32
        return self.rss.read(offset)

    # -- QueueOwner --------------------------------------------------------------------------------

    def on_doorbell(self, queue: QueueBlock) -> None:
        """QueueOwner.on_doorbell: the buffers wait for frames."""

    def on_disable(self, queue: QueueBlock) -> None:
        """QueueOwner.on_disable: buffers that are not filled are forgotten."""
        queue.stopped()

    def on_reset(self, queue: QueueBlock) -> None:
        """QueueOwner.on_reset."""
        self._clock.call_soon(lambda: self._reset_queue(queue))

    def _reset_queue(self, queue: QueueBlock) -> None:
        if queue.resetting:
            queue.reset_done()

    # -- frames ------------------------------------------------------------------------------------

    def _take(self, data: bytes, key: int, start_ns: int) -> None:
        """A good frame that the host wants."""
        stats = self._stats
        stats.rx_frames += 1
        stats.rx_bytes += len(data)
        frame = rx_examine(data, key, start_ns, self.filter.control, self.rss)
        stats.rx_csum_errs += frame.csum_bad
        number = frame.queue
        queue = self.queues[number] if number < len(self.queues) else None
        if queue is None or not (queue.enabled and queue.going) or queue.head == queue.tail:
            stats.rx_drops += 1
            if queue is not None:
                queue.drops += 1
            return
        self._scatter.store(queue, frame.data)
        self._complete(frame, queue)

    def _complete(self, frame: RxFrame, queue: QueueBlock) -> None:
        """Write the completion of what lies in the buffers."""
        scatter = self._scatter
        status = scatter.status
        if status and status != regs.STATUS_NO_DESC:
            queue.halt(status, scatter.fault)
        ident = scatter.buf_id | frame.key << RXC_COOKIE_SHIFT
        last = (
            frame.last
            | scatter.bufs << RXC_BUFS_SHIFT
            | scatter.head << RXC_HEAD_SHIFT
            | status << RXC_STATUS_SHIFT
            | self._cpl.phase(queue)
        )
        if self._trace.on:
            self._trace.hit("nic_rx", frame.key, len=len(frame.data))
        record = RX_CPL.pack(ident, frame.start_ns, frame.shape, last)
        self._cpl.write(queue, scatter.head, record)
