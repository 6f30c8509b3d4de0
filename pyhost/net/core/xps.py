"""Which transmit queue a packet goes to. Linux: net/core/dev.c (netdev_pick_tx, XPS).

    ndo_select_queue ─ else the queue the socket had ─ else the CPU's queues (XPS) ─ else a hash

A socket keeps its queue, so that its packets stay in order, until it has nothing under way
(`skb.ooo_okay`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyhost.net.core.flow_dissector import reciprocal_scale, skb_get_hash
from pyhost.uapi.errno import EINVAL

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice, NetdevQueue
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "netdev_core_pick_tx",
    "netdev_pick_tx",
    "netif_set_real_num_tx_queues",
    "netif_set_xps_queue",
    "skb_tx_hash",
]


def netif_set_xps_queue(dev: NetDevice, cpus: Sequence[int], index: int) -> int:
    """Have the CPUs in `cpus` use transmit queue `index`, beside those they use already: 0 or
    -EINVAL for a queue that is not there. Machines have CPU 0 alone.

    Linux: netif_set_xps_queue.
    """
    if not 0 <= index < len(dev.tx):
        return -EINVAL
    queues = [queue for queue in dev.xps_cpus_map if queue != index]
    dev.xps_cpus_map = sorted([*queues, index]) if 0 in cpus else queues
    return 0


def netif_set_real_num_tx_queues(dev: NetDevice, count: int) -> None:
    """Use the first `count` transmit queues alone; the device is down or without a carrier, so that
    nothing waits in the others. Linux: netif_set_real_num_tx_queues.
    """
    dev.real_num_tx_queues = count


def skb_tx_hash(dev: NetDevice, skb: SkBuff) -> int:
    """A queue by the packet's flow. Linux: skb_tx_hash."""
    return reciprocal_scale(skb_get_hash(skb), dev.real_num_tx_queues)


def netdev_pick_tx(dev: NetDevice, skb: SkBuff) -> int:
    """The queue of the packet's socket, of this CPU, or of its flow. Linux: netdev_pick_tx."""
    sk = skb.sk
    kept = sk.sk_tx_queue_mapping if sk is not None else None
    used = dev.real_num_tx_queues
    if kept is not None and not skb.ooo_okay and kept[0] is dev and kept[1] < used:
        return kept[1]
    index = _xps_queue(dev, skb)
    if index < 0:
        index = skb_tx_hash(dev, skb)
    if sk is not None and sk.sk_dst_cache is not None:
        sk.sk_tx_queue_mapping = (dev, index)
    return index


def _xps_queue(dev: NetDevice, skb: SkBuff) -> int:
    """Linux: get_xps_queue; -1 when the CPU has no queues of its own."""
    queues = dev.xps_cpus_map
    if not queues:
        return -1
    index = queues[0]
    if len(queues) > 1:
        index = queues[reciprocal_scale(skb_get_hash(skb), len(queues))]
    return index if index < dev.real_num_tx_queues else -1


def netdev_core_pick_tx(dev: NetDevice, skb: SkBuff) -> NetdevQueue:
    """The transmit queue for a packet: the driver's choice, else `netdev_pick_tx`.

    Linux: netdev_core_pick_tx.
    """
    tx = dev.tx
    if dev.real_num_tx_queues == 1:
        skb.queue_mapping = 0
        return tx[0]
    select = getattr(dev.ops, "ndo_select_queue", None)
    index: int = select(dev, skb) if select is not None else netdev_pick_tx(dev, skb)
    skb.queue_mapping = index
    return tx[index]
