"""A queue that stops at a fault: it is told, reset, and goes on; the others never notice."""

from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.net.core.dev import dev_open
from pyhost.net.core.netdevice import NETDEV_TX_OK
from tests.unit.drivers.net.hnic.rig import Rig, arriving, payload


def log(rig: Rig) -> list[str]:
    return [record.text for record in rig.kernel.log.records]


def refuse(rig: Rig, queue: int = 0) -> None:
    """A packet that the card does not take: its checksum would lie behind its end."""
    bad = rig.skb(payload(100))
    bad.ip_summed, bad.csum_start, bad.csum_offset = 3, bad.data + 99, 16
    bad.queue_mapping = queue
    assert rig.xmit(bad) == NETDEV_TX_OK


def test_a_refused_packet_is_told_and_freed_with_what_came_behind_it() -> None:
    rig = Rig()
    mapped = rig.mapped()
    rig.xmit(rig.skb(payload(70)))
    refuse(rig)
    rig.xmit(rig.skb(payload(80)))
    rig.run()
    assert rig.port.frames() == [payload(70)]
    assert [line for line in log(rig) if "stopped" in line] == [
        "eth0: TX queue 0 stopped: BAD_CSUM at descriptor 1"
    ]
    stats = rig.dev.stats
    assert (stats.tx_errors, stats.tx_packets) == (1, 1)
    assert rig.dev.net.drops == {"TX_ERROR": 1, "QUEUE_PURGE": 1}
    tx = rig.tx.stats
    assert (tx.errors, tx.resets, tx.reset_drops) == (1, 1, 1)
    assert (rig.mapped(), rig.dev.net.skbs.alive, rig.tx.txq.state) == (mapped, 0, 0)
    rig.xmit(rig.skb(payload(90)))
    rig.run()
    assert rig.port.frames() == [payload(70), payload(90)]


def test_a_data_read_that_fails_stops_the_queue_until_it_is_reset() -> None:
    rig = Rig()
    bad = rig.skb(payload(300), (14,))
    where = bad.shinfo.frags[0].addr
    rig.model.master.fault = lambda addr, length, write: addr == where
    for skb in (rig.skb(payload(70)), bad):
        rig.xmit(skb)
    rig.run()
    assert "eth0: TX queue 0 stopped: DMA_ERR at descriptor 2" in log(rig)
    rig.xmit(rig.skb(payload(80)))
    rig.run()
    assert rig.port.frames() == [payload(70), payload(80)]


def test_a_descriptor_that_cannot_be_read_stops_the_queue() -> None:
    rig = Rig()
    ring = rig.tx.desc.dma
    rig.model.master.fault = lambda addr, length, write: addr == ring and not write
    rig.xmit(rig.skb(payload(70)))
    rig.clock.run(until=rig.clock.now + 5_000)
    rig.model.master.fault = None
    rig.run()
    assert "eth0: TX queue 0 stopped: DESC_ERR at descriptor 0" in log(rig)
    assert rig.dev.net.drops == {"TX_ERROR": 1}


def test_a_completion_that_cannot_be_written_is_found_by_its_interrupt() -> None:
    rig = Rig()
    completions = rig.tx.cpl.dma
    rig.model.master.fault = lambda addr, length, write: write and addr == completions
    rig.xmit(rig.skb(payload(70)))
    rig.clock.run(until=rig.clock.now + 2_000)
    rig.model.master.fault = None
    rig.run()
    assert [line for line in log(rig) if "TX queue 0 stopped: CPL_ERR" in line]
    assert (rig.tx.stats.resets, rig.dev.net.skbs.alive) == (1, 0)
    rig.xmit(rig.skb(payload(80)))
    rig.run()
    assert rig.port.frames() == [payload(70), payload(80)]
    assert rig.adapter.tx_timeout_count == 0


@pytest.mark.parametrize("victim", [0, 2])
def test_the_other_queues_go_on_while_one_is_reset(victim: int) -> None:
    rig = Rig(queues=4)
    for queue in range(4):
        skb = rig.skb(payload(200, seed=queue))
        skb.queue_mapping = queue
        if queue == victim:
            refuse(rig, queue)
        rig.xmit(skb)
    events = rig.events()
    rig.run()
    assert sorted(rig.port.frames()) == sorted(
        payload(200, seed=queue) for queue in range(4) if queue != victim
    )
    assert [tx.stats.resets for tx in rig.adapter.tx] == [queue == victim for queue in range(4)]
    assert rig.dev.carrier
    assert len([event for event in events if event.name == "tx_completion"]) == 4
    assert rig.adapter.reset_count == 0


def test_an_rx_queue_whose_completion_fails_is_reset_and_its_buffers_serve_again() -> None:
    rig = Rig(rx_count=64)
    where = rig.rx.cpl.dma
    mapped = rig.mapped()
    rig.model.rx.master.fault = lambda addr, length, write: write and addr == where
    rig.port.receive(bytes(arriving(payload(400))), 1)
    rig.model.rx.master.fault = None
    rig.run()
    assert [line for line in log(rig) if "RX queue 0 stopped: CPL_ERR" in line]
    for key in range(2, 200):
        rig.port.receive(bytes(arriving(payload(400))), key)
        rig.run()
    assert [skb.key for skb in rig.received] == list(range(2, 200))
    assert (rig.mapped(), rig.rx.stats.resets) == (mapped, 1)


def test_a_queue_that_stopped_can_be_taken_down_and_up() -> None:
    rig = Rig()
    rig.model.tx.queues[0].irq.disarm()  # so that the driver does not know
    refuse(rig)
    rig.clock.run(until=rig.clock.now + 5_000)
    assert rig.model.tx.queues[0].halted
    rig.down()
    assert rig.dev.net.skbs.alive == 0
    assert rig.in_task(lambda: dev_open(rig.dev)) == 0
    rig.xmit(rig.skb(payload(80)))
    rig.run()
    assert rig.port.frames() == [payload(80)]
    assert rig.bus.dma.debug.outstanding()
    rig.down()
    rig.bus.dma.debug.check_unbind()


def test_an_interrupt_without_a_completion_of_a_healthy_queue_only_arms_it_again() -> None:
    rig = Rig()
    rig.model.tx.queues[0].irq.disarm()
    rig.bus.fire(0)
    rig.run()
    assert rig.tx.stats.resets == 0
    assert not [line for line in log(rig) if "stopped" in line]
    rig.xmit(rig.skb(payload(80)))
    rig.run()
    assert rig.dev.stats.tx_packets == 1
    assert rig.model.register(regs.TXQ_BASE + regs.Q_IRQ_ARM) == 1
