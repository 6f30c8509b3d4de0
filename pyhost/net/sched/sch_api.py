"""What an administrator asks of the packet scheduler: put a qdisc in, take it out, change it.

Linux: net/sched/sch_api.c. A qdisc is named by its handle (`10:` is 10 << 16), its place by the
class it is in (`1:2`) or TC_H_ROOT. Functions return 0 or a negative errno and say why in `extack`.
May be called from a task or from outside; a device that is up is deactivated meanwhile, so what
waits in the old qdisc is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.core.netdevice import IFF_UP, NetDevice
from pyhost.net.sched.pfifo_fast import PFIFO_FAST_OPS
from pyhost.net.sched.qdisc import (
    NOOP_OPS,
    NOQUEUE_OPS,
    TCQ_F_MQROOT,
    TCQ_F_ONETXQUEUE,
    Options,
    Qdisc,
    QdiscOps,
    qdisc_create,
    qdisc_destroy,
)
from pyhost.net.sched.sch_device import (
    dev_activate,
    dev_deactivate,
    dev_graft_qdisc,
    dev_root_qdiscs,
)
from pyhost.net.sched.sch_fifo import BFIFO_OPS, PFIFO_OPS
from pyhost.net.sched.sch_fq import FQ_OPS
from pyhost.net.sched.sch_fq_codel import FQ_CODEL_OPS
from pyhost.net.sched.sch_mq import MQ_OPS
from pyhost.net.sched.sch_prio import PRIO_OPS
from pyhost.net.sched.sch_tbf import TBF_OPS
from pyhost.uapi.errno import EEXIST, EINVAL, ENOENT, ENOSPC

if TYPE_CHECKING:
    from pyhost.net.core.napi import Softnet

__all__ = [
    "NLM_F_CREATE", "NLM_F_EXCL", "NLM_F_REPLACE", "TC_H_MAJ", "TC_H_MIN", "TC_H_ROOT",
    "pktsched_init", "qdisc_lookup", "qdisc_walk", "tc_delete_qdisc", "tc_modify_qdisc",
]  # fmt: skip

NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400

TC_H_ROOT = 0xFFFFFFFF
TC_H_MAJ = 0xFFFF0000
TC_H_MIN = 0x0000FFFF

FIRST_AUTO_HANDLE = 0x8001 << 16
"""Handles of qdiscs that were not given one. Linux: qdisc_alloc_handle."""

_DISCIPLINES = (
    PFIFO_FAST_OPS, PFIFO_OPS, BFIFO_OPS, PRIO_OPS, TBF_OPS, FQ_OPS, FQ_CODEL_OPS, MQ_OPS,
    NOQUEUE_OPS,
)  # fmt: skip


def pktsched_init(softnet: Softnet) -> None:
    """Make the disciplines known. Linux: pktsched_init and each module's register_qdisc."""
    for ops in _DISCIPLINES:
        softnet.qdiscs[ops.id] = ops


# -- finding ---------------------------------------------------------------------------------------


def qdisc_lookup(dev: NetDevice, handle: int) -> Qdisc | None:
    """The qdisc with a handle. Linux: qdisc_lookup."""
    return dev.qdisc_hash.get(handle) if handle else None


def qdisc_walk(dev: NetDevice) -> list[Qdisc]:
    """All qdiscs of a device that an administrator sees, the root first: those with a handle, and
    the default ones of the device's queues. Linux: tc_dump_qdisc_root.
    """
    root = dev.qdisc
    if root is None:
        return []
    found = [root]
    if root.ops.cl_ops is not None:
        found += _below(root)
    return found


def _below(q: Qdisc) -> list[Qdisc]:
    found: list[Qdisc] = []
    cl_ops = q.ops.cl_ops
    if cl_ops is None:
        return found
    for minor in cl_ops.walk(q):
        child = cl_ops.leaf(q, minor)
        if child.handle or q.flags & TCQ_F_MQROOT:
            found.append(child)
        found += _below(child)
    return found


def _alloc_handle(dev: NetDevice) -> int:
    """Linux: qdisc_alloc_handle; 0 when all are in use."""
    handle = FIRST_AUTO_HANDLE
    while handle in dev.qdisc_hash:
        handle += 1 << 16
        if handle > TC_H_MAJ:
            return 0
    return handle


# -- changing --------------------------------------------------------------------------------------


def tc_modify_qdisc(
    dev: NetDevice,
    kind: str,
    options: Options,
    extack: NetlinkExtAck,
    *,
    parent: int,
    handle: int = 0,
    flags: int = 0,
) -> int:
    """Create, replace or change the qdisc at `parent`, as NLM_F_* say. Linux: tc_modify_qdisc.

    `flags`: CREATE|EXCL is add, CREATE|REPLACE replace, none change.
    """
    holder, current = _place(dev, parent)
    if parent != TC_H_ROOT and holder is None:
        return extack.error(-ENOENT, "Failed to find specified qdisc")
    if parent != TC_H_ROOT and current is None:
        return extack.error(-ENOENT, "Specified class not found")
    if current is not None and not current.handle:
        current = None
    if handle and (current is None or current.handle != handle):
        if current is not None and not flags & NLM_F_REPLACE:
            return extack.error(-EEXIST, "NLM_F_REPLACE needed to override")
        if handle & TC_H_MIN:
            return extack.error(-EINVAL, "Invalid minor handle")
        if qdisc_lookup(dev, handle) is not None:
            return extack.error(-EEXIST, "Exclusivity flag on, cannot override")
        current = None
    elif current is not None and flags & NLM_F_REPLACE and current.ops.id != kind:
        current = None
    if current is not None:
        return _qdisc_change(current, kind, options, extack, flags)
    if not flags & NLM_F_CREATE:
        text = "Qdisc not found. To create specify NLM_F_CREATE flag"
        return extack.error(-ENOENT, text)
    return _create_and_graft(dev, kind, options, extack, holder, parent, handle)


def _place(dev: NetDevice, parent: int) -> tuple[Qdisc | None, Qdisc | None]:
    """The qdisc that has the class `parent`, and the qdisc that is in it now."""
    if parent == TC_H_ROOT:
        return None, dev.qdisc
    holder = qdisc_lookup(dev, parent & TC_H_MAJ)
    if holder is None or holder.ops.cl_ops is None:
        return holder, None
    minor = parent & TC_H_MIN
    if minor not in holder.ops.cl_ops.walk(holder):
        return holder, None
    return holder, holder.ops.cl_ops.leaf(holder, minor)


def _qdisc_change(q: Qdisc, kind: str, options: Options, extack: NetlinkExtAck, flags: int) -> int:
    """Linux: qdisc_change."""
    if flags & NLM_F_EXCL:
        return extack.error(-EEXIST, "Exclusivity flag on, cannot modify")
    if kind and kind != q.ops.id:
        return extack.error(-EINVAL, "Invalid qdisc name")
    if not options:
        return 0
    if q.ops.change is None:
        return extack.error(-EINVAL, "Change operation not supported by specified qdisc")
    return q.ops.change(q, options)


def _create_and_graft(
    dev: NetDevice,
    kind: str,
    options: Options,
    extack: NetlinkExtAck,
    holder: Qdisc | None,
    parent: int,
    handle: int,
) -> int:
    """Linux: tc_modify_qdisc from create_n_graft on, qdisc_create."""
    known: Mapping[str, QdiscOps] = dev.net.softnet.qdiscs
    ops = known.get(kind)
    if ops is None:
        return extack.error(-ENOENT, "Specified qdisc kind is unknown")
    if ops is NOQUEUE_OPS and holder is not None:
        return extack.error(-EINVAL, "Failed to graft noqueue below another qdisc")
    handle = handle or (0 if ops is NOQUEUE_OPS else _alloc_handle(dev))
    if not handle and ops is not NOQUEUE_OPS:
        return extack.error(-ENOSPC, "Maximum number of qdisc handles was exceeded")
    txq = dev.tx[0]
    if holder is not None:
        txq = dev.tx[(parent & TC_H_MIN) - 1] if holder.ops is MQ_OPS else holder.dev_queue
    q = qdisc_create(ops, txq, options, parent=holder, classid=parent, handle=handle)
    if isinstance(q, int):
        return q
    if len(dev.tx) == 1:
        q.flags |= TCQ_F_ONETXQUEUE
    if handle:
        dev.qdisc_hash[handle] = q
    _graft(dev, holder, parent, q)
    return 0


def tc_delete_qdisc(
    dev: NetDevice, extack: NetlinkExtAck, *, parent: int, handle: int = 0, kind: str = ""
) -> int:
    """Take out the qdisc at `parent`; a default one comes in its place. Linux: tc_get_qdisc with
    RTM_DELQDISC.
    """
    holder, q = _place(dev, parent)
    if q is None:
        if parent != TC_H_ROOT and holder is None:
            return extack.error(-ENOENT, "Failed to find qdisc with specified classid")
        return extack.error(-ENOENT, "Cannot find specified qdisc on specified device")
    if handle and q.handle != handle:
        return extack.error(-EINVAL, "Invalid handle")
    if kind and kind != q.ops.id:
        return extack.error(-EINVAL, "Invalid qdisc name")
    if not q.handle:
        return extack.error(-ENOENT, "Cannot delete qdisc with handle of zero")
    if holder is None:
        _graft(dev, None, TC_H_ROOT, None)
        return 0
    # Linux: prio_graft makes a fifo; mq_graft and tbf_graft leave the qdisc that drops.
    default = qdisc_create(
        PFIFO_OPS if holder.ops is PRIO_OPS else NOOP_OPS,
        q.dev_queue,
        parent=holder,
        classid=parent,
    )
    assert isinstance(default, Qdisc)
    _graft(dev, holder, parent, default)
    return 0


# -- grafting --------------------------------------------------------------------------------------


def _graft(dev: NetDevice, holder: Qdisc | None, classid: int, new: Qdisc | None) -> None:
    """Put a qdisc in its place; the old one is destroyed. Linux: qdisc_graft."""
    if holder is None:
        _graft_root(dev, new)
        return
    assert new is not None
    assert holder.ops.cl_ops is not None
    deactivate = holder.ops is MQ_OPS and dev.flags & IFF_UP
    if deactivate:
        dev_deactivate(dev)
    qdisc_destroy(holder.ops.cl_ops.graft(holder, classid & TC_H_MIN, new))
    if deactivate:
        dev_activate(dev)


def _graft_root(dev: NetDevice, new: Qdisc | None) -> None:
    up = dev.flags & IFF_UP
    if up:
        dev_deactivate(dev)
    old = dev_root_qdiscs(dev)
    attach = new.ops.attach if new is not None else None
    for txq in dev.tx:
        dev_graft_qdisc(txq, None if attach is not None else new)
    if attach is not None and new is not None:
        attach(new)
    dev.qdisc = new or Qdisc(NOOP_OPS, dev.tx[0])
    for q in old:
        qdisc_destroy(q)
    if up:
        dev_activate(dev)
