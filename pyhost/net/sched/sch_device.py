"""The qdiscs of a device that comes up, goes down or hangs. Linux: net/sched/sch_generic.c, the
part from dev_watchdog on.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.kernel.printk import KERN_ERR
from pyhost.kernel.timer import Timer
from pyhost.net.core.netdevice import (
    IFF_NO_QUEUE,
    QUEUE_STATE_ANY_XOFF,
    NetDevice,
    NetdevQueue,
)
from pyhost.net.sched.qdisc import (
    NOOP_OPS,
    NOQUEUE_OPS,
    TCQ_F_MQROOT,
    TCQ_F_ONETXQUEUE,
    Qdisc,
    QdiscOps,
    qdisc_create,
    qdisc_destroy,
    qdisc_reset,
)
from pyhost.net.sched.sch_mq import MQ_OPS

__all__ = [
    "dev_activate", "dev_deactivate", "dev_graft_qdisc", "dev_init_scheduler",
    "dev_qdisc_change_tx_queue_len", "dev_root_qdiscs", "dev_shutdown",
]  # fmt: skip


def dev_init_scheduler(dev: NetDevice) -> None:
    """Give a new device the qdisc that drops. Linux: dev_init_scheduler.

    A driver that can be told of a hung queue gets a watchdog. Its timer is set when a queue stops.
    """
    for txq in dev.tx:
        txq.qdisc = txq.qdisc_sleeping = Qdisc(NOOP_OPS, txq)
    dev.qdisc = dev.tx[0].qdisc
    if hasattr(dev.ops, "ndo_tx_timeout"):
        dev.watchdog_timer = Timer(dev.net.kernel, lambda: _dev_watchdog(dev))


def attach_default_qdiscs(dev: NetDevice) -> None:
    """A device without a queue length gets noqueue, one with several queues mq with a default qdisc
    for each, others net.core.default_qdisc; noqueue again if that wants options. Linux:
    attach_default_qdiscs.
    """
    softnet = dev.net.softnet
    if dev.tx_queue_len and not dev.priv_flags & IFF_NO_QUEUE:
        name = softnet.default_qdisc
        if _attach(dev, MQ_OPS if len(dev.tx) > 1 else softnet.qdiscs[name]):
            return
        text = f"{dev.name}: default qdisc ({name}) fail, fallback to noqueue"
        dev.net.kernel.printk(text, KERN_ERR)
    _attach(dev, NOQUEUE_OPS)


def _attach(dev: NetDevice, ops: QdiscOps) -> bool:
    """Give the root to one qdisc, or each transmit queue one of its own; False when it cannot be
    made. Linux: attach_one_default_qdisc.
    """
    root: Qdisc | None = None
    for txq in dev.tx if ops.attach is None else dev.tx[:1]:
        q = qdisc_create(ops, txq)
        if isinstance(q, int):
            return False
        if ops.attach is not None:
            ops.attach(q)
        else:
            q.flags |= TCQ_F_ONETXQUEUE
            txq.qdisc_sleeping = q
        root = root or q
    dev.qdisc = root
    return True


def dev_graft_qdisc(txq: NetdevQueue, q: Qdisc | None) -> Qdisc | None:
    """Have a transmit queue use another qdisc from the next `dev_activate` on; returns the old one.

    Linux: dev_graft_qdisc.
    """
    old = txq.qdisc_sleeping
    txq.qdisc_sleeping = q or Qdisc(NOOP_OPS, txq)
    txq.qdisc = Qdisc(NOOP_OPS, txq)
    return old


def dev_activate(dev: NetDevice) -> None:
    """Let packets through once the device is up and has a carrier. Linux: dev_activate."""
    if dev.qdisc is None or dev.qdisc.ops is NOOP_OPS:
        attach_default_qdiscs(dev)
    if not dev.carrier:
        return
    for txq in dev.tx:
        q = txq.qdisc_sleeping
        assert q is not None
        q.deactivated = False
        txq.qdisc = q
        txq.trans_start = dev.net.kernel.clock.now
        if txq.state & QUEUE_STATE_ANY_XOFF:
            txq.arm_watchdog()


def dev_deactivate(dev: NetDevice) -> None:
    """Drop what waits and what comes, until `dev_activate`. Linux: dev_deactivate."""
    for txq in dev.tx:
        q = txq.qdisc_sleeping
        if q is None or q.ops is NOOP_OPS or txq.qdisc is not q:
            continue
        q.deactivated = True
        txq.qdisc = Qdisc(NOOP_OPS, txq)
        qdisc_reset(q)
    if dev.watchdog_timer is not None:
        dev.watchdog_timer.delete()


def dev_root_qdiscs(dev: NetDevice) -> list[Qdisc]:
    """The qdiscs that belong to no other qdisc: the root, or one for each transmit queue."""
    root = dev.qdisc
    if root is not None and root.flags & TCQ_F_MQROOT:
        return [root]
    sleeping = [txq.qdisc_sleeping for txq in dev.tx]
    return list({id(q): q for q in sleeping if q is not None}.values())


def dev_shutdown(dev: NetDevice) -> None:
    """Take a closed device's qdiscs from it and destroy them. Linux: dev_shutdown."""
    old = dev_root_qdiscs(dev)
    for txq in dev.tx:
        dev_graft_qdisc(txq, None)
    dev.qdisc = dev.tx[0].qdisc
    for q in old:
        qdisc_destroy(q)


def dev_qdisc_change_tx_queue_len(dev: NetDevice) -> None:
    """Tell the qdiscs whose size is the device's queue length. Linux:
    dev_qdisc_change_tx_queue_len.
    """
    for txq in dev.tx:
        q = txq.qdisc_sleeping
        if q is not None and q.ops.change_tx_queue_len is not None:
            q.ops.change_tx_queue_len(q, dev.tx_queue_len)


# -- watchdog --------------------------------------------------------------------------------------


def _dev_watchdog(dev: NetDevice) -> None:
    """If a queue has been stopped for watchdog_timeo, tell the driver.

    Linux: dev_watchdog. Linux looks at all queues every watchdog_timeo; here the timer runs only
    while a queue is stopped, with the same outcome.
    """
    timer = dev.watchdog_timer
    assert timer is not None
    if not dev.carrier:
        return
    now = dev.net.kernel.clock.now
    stopped = [txq for txq in dev.tx if txq.state & QUEUE_STATE_ANY_XOFF]
    late = [txq for txq in stopped if now - txq.trans_start >= dev.watchdog_timeo]
    for txq in late:
        _tx_timeout(dev, txq, now)
    if stopped:
        timer.mod(min(txq.trans_start for txq in stopped) + dev.watchdog_timeo)


def _tx_timeout(dev: NetDevice, txq: NetdevQueue, now: int) -> None:
    """Nobody transmits while the driver looks at what is wrong (QUEUE_STATE_FROZEN)."""
    waited = (now - txq.trans_start) // NSEC_PER_MSEC
    dev.net.kernel.warn(
        f"NETDEV WATCHDOG: {dev.name}: transmit queue {txq.index} timed out {waited} ms"
    )
    txq.trans_start = now
    txq.trans_timeout += 1
    for queue in dev.tx:
        queue.freeze()
    dev.ops.ndo_tx_timeout(dev, txq.index)  # type: ignore[attr-defined]
    for queue in dev.tx:
        queue.unfreeze()
