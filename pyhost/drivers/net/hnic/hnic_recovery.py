"""What the driver does when a queue or the whole card stops working.

Linux: igb_reset_task, ndo_tx_timeout; a queue alone as in drivers/net/ethernet/mellanox/mlx5/core/
en/health.c (mlx5e_tx_reporter_err_cqe_recover).

    completion with an error ──┐
    interrupt, no completion ──┼─→ work item ─→ fault? ─→ queue reset ─→ card reset
    watchdog (5 s) ────────────┘                 no: arm   if it fails

A queue reset loses what the queue had. The other queues go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.drivers.net.hnic.hnic_hw import (
    STATUS_NAMES,
    hnic_enable_queue,
    hnic_queue_error,
    hnic_reset_queue,
)
from pyhost.drivers.net.hnic.hnic_ring import RxRing, TxRing
from pyhost.drivers.net.hnic.hnic_rx import hnic_alloc_rx_buffers
from pyhost.drivers.net.hnic.hnic_tx import hnic_clean_tx_ring
from pyhost.kernel.workqueue import WorkStruct, cancel_work_sync, schedule_work
from pyhost.net.core.dev import napi_disable, napi_enable, napi_schedule

if TYPE_CHECKING:
    from pyhost.drivers.net.hnic.hnic_adapter import HnicAdapter

__all__ = ["Recovery"]


class Recovery:
    """The work item of a card and the queues it has to look at. `_suspects` stopped or fired
    without a completion; `_hung` are TX queues of which the watchdog says so.
    """

    def __init__(self, adapter: HnicAdapter) -> None:
        self._adapter = adapter
        self._suspects: list[TxRing | RxRing] = []
        self._hung: list[int] = []
        self._work = WorkStruct(adapter.bus.kernel, self._run)

    def look_at(self, ring: TxRing | RxRing) -> None:
        """A queue has stopped, or its interrupt came without a completion. Any context."""
        self._suspects.append(ring)
        schedule_work(self._work)

    def tx_timeout(self, queue: int) -> None:
        """The card has not completed anything of a queue for too long. Softirq context. Linux:
        igb_tx_timeout.
        """
        self._adapter.tx_timeout_count += 1
        self._hung.append(queue)
        schedule_work(self._work)

    def cancel(self) -> None:
        """The interface goes down: nothing is recovered any more. May sleep."""
        cancel_work_sync(self._work)
        self._suspects.clear()
        self._hung.clear()

    def _run(self) -> None:
        """Linux: igb_reset_task."""
        adapter = self._adapter
        while self._suspects or self._hung:
            if self._suspects:
                ring = self._suspects.pop(0)
                fine = not self._up(ring) or self._recover(ring)
            else:
                queue = self._hung.pop(0)
                fine = queue >= len(adapter.tx) or self._reset_queue(adapter.tx[queue])
            if not fine:
                self._reset_card()

    def _up(self, ring: TxRing | RxRing) -> bool:
        """Whether the ring is still in use."""
        return ring in self._adapter.tx or ring in self._adapter.rx

    def _recover(self, ring: TxRing | RxRing) -> bool:
        """Reset a queue that stopped at a fault, arm one that did not; False when it stays off."""
        bus = ring.bus
        fault = hnic_queue_error(bus, ring.block) or ring.failed
        if fault is None:
            ring.arm()
            return True
        status, index = fault
        name = STATUS_NAMES.get(status, f"status {status}")
        kind = "TX" if isinstance(ring, TxRing) else "RX"
        bus.kernel.printk(
            f"{ring.dev.name}: {kind} queue {ring.index} stopped: {name} at descriptor {index}"
        )
        return self._reset_queue(ring)

    def _reset_queue(self, ring: TxRing | RxRing) -> bool:
        """Have the card forget a queue, throw away what it had, start it again; False when the card
        does not answer. May sleep.
        """
        adapter = self._adapter
        is_tx = isinstance(ring, TxRing)
        napi = adapter.tx_napi[ring.index] if is_tx else adapter.rx_napi[ring.index]
        if isinstance(ring, TxRing):
            ring.txq.stop_queue()
        napi_disable(napi)
        done = hnic_reset_queue(ring.bus, ring.block)
        if done:
            ring.stats.resets += 1
            self._restart(ring)
        napi_enable(napi)
        if done:
            ring.arm()
            if isinstance(ring, TxRing):
                ring.txq.wake_queue()
            elif ring.unused():
                napi_schedule(napi)
        return done

    def _restart(self, ring: TxRing | RxRing) -> None:
        """Nobody may send or poll in between: BH is off until the queue is ready."""
        softirq = ring.bus.kernel.softirq
        softirq.local_bh_disable()
        if isinstance(ring, TxRing):
            hnic_clean_tx_ring(ring)
            ring.txq.stop_queue()
        ring.restart()
        hnic_enable_queue(ring.bus, ring.block, ring.desc.place(), ring.cpl.place())
        if isinstance(ring, RxRing):
            hnic_alloc_rx_buffers(ring)
        softirq.local_bh_enable()

    def _reset_card(self) -> None:
        """Take the card down and up again; what it had is lost. Linux: igb_reinit_locked."""
        adapter = self._adapter
        kernel, name = adapter.bus.kernel, adapter.dev.name
        kernel.warn(f"{name}: Reset adapter")
        adapter.reset_count += 1
        adapter.down()
        self._suspects.clear()
        self._hung.clear()
        error = adapter.open()
        if error:
            kernel.warn(f"{name}: the card does not come up again ({error})")
