"""`tc qdisc add|del|replace|change|show …`, `tc class show …`: the packet scheduler's settings.

iproute2: tc/tc_qdisc.c, tc/tc_class.c. Classes come and go with their qdisc (prio, tbf, mq), so
there is nothing to add; filters are not here, as packets are told apart by priority and by flow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import Words, answer, device
from pyhost.admin.tc_options import read_options, show_options, show_stats
from pyhost.admin.tc_units import class_id, handle, show_handle, show_size
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.sched.qdisc import TCQ_F_MQROOT, Qdisc
from pyhost.net.sched.sch_api import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    TC_H_ROOT,
    qdisc_walk,
    tc_delete_qdisc,
    tc_modify_qdisc,
)
from pyhost.net.sched.sch_mq import mq_totals

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = ["run"]


class _Request:
    """What a line says before the kind of qdisc."""

    __slots__ = ("dev", "handle", "kind", "parent")

    def __init__(self) -> None:
        self.dev: NetDevice | None = None
        self.parent = 0
        self.handle = 0
        self.kind = ""

    def read(self, net: Net, words: Words) -> None:
        """Up to the kind; the options stay."""
        while words and not self.kind:
            word = words.next()
            if word == "dev":
                self.dev = device(net, words.next())
            elif word in ("root", "parent"):
                if self.parent:
                    raise CommandError(f'Error: "{word}" is duplicate parent ID')
                self.parent = TC_H_ROOT if word == "root" else class_id(words.next())
            elif word == "handle":
                self.handle = handle(words.next())
            else:
                self.kind = word

    def complete(self) -> NetDevice:
        """The device; a request to change something needs it, and the place."""
        if self.dev is None:
            raise CommandError('Error: "dev" is required')
        if not self.parent:
            raise CommandError("Error: Classid cannot be zero.")
        return self.dev


def run(kernel: Kernel, argv: list[str]) -> str:
    """`argv[0]` is `tc`. `-s` shows statistics."""
    words = Words(argv[1:])
    statistics = False
    while words.peek().startswith("-"):
        word = words.next()
        if word not in ("-s", "-statistics", "-stats"):
            raise CommandError(f'Option "{word}" is unknown, try "tc -help".')
        statistics = True
    what = words.next()
    if what in ("class", "classes"):
        return _class(kernel.net, words)
    if what != "qdisc":
        raise CommandError(f'Object "{what}" is unknown, there are: qdisc class')
    verb = words.next() if words else "show"
    if verb in ("show", "list", "ls"):
        return _show(kernel.net, words, statistics)
    change = _VERBS.get(verb)
    if change is None:
        raise CommandError(f'Command "{verb}" is unknown, try "tc qdisc help".')
    change(kernel.net, words)
    return ""


# -- changing --------------------------------------------------------------------------------------


def _modify(flags: int) -> Callable[[Net, Words], None]:
    def change(net: Net, words: Words) -> None:
        request = _Request()
        request.read(net, words)
        dev = request.complete()
        if not request.kind:
            raise CommandError("Error: No qdisc kind given.")
        options = read_options(request.kind, words)
        extack = NetlinkExtAck()
        err = tc_modify_qdisc(
            dev,
            request.kind,
            options,
            extack,
            parent=request.parent,
            handle=request.handle,
            flags=flags,
        )
        answer(err, extack)

    return change


def _delete(net: Net, words: Words) -> None:
    request = _Request()
    request.read(net, words)
    dev = request.complete()
    extack = NetlinkExtAck()
    err = tc_delete_qdisc(
        dev, extack, parent=request.parent, handle=request.handle, kind=request.kind
    )
    answer(err, extack)


_VERBS = {
    "add": _modify(NLM_F_CREATE | NLM_F_EXCL),
    "replace": _modify(NLM_F_CREATE | NLM_F_REPLACE),
    "change": _modify(0),
    "del": _delete,
    "delete": _delete,
}


# -- showing ---------------------------------------------------------------------------------------


def _devices(net: Net, words: Words) -> Iterable[NetDevice]:
    if words.take("dev"):
        return [device(net, words.next())]
    if words:
        raise CommandError(f'What is "{words.peek()}"? Try "tc qdisc help".')
    return net.devices.values()


def _show(net: Net, words: Words, statistics: bool) -> str:
    return "".join(
        _describe(dev, q, statistics) for dev in _devices(net, words) for q in qdisc_walk(dev)
    )


def _describe(dev: NetDevice, q: Qdisc, statistics: bool) -> str:
    """iproute2: print_qdisc."""
    parts = [f"qdisc {q.ops.id} {show_handle(q.handle)} dev {dev.name}"]
    if q.parent_q is None:
        parts.append(f"root refcnt {len(dev.tx) + 1}")
    else:
        holder = f"{q.parent_q.handle >> 16:x}" if q.parent_q.handle else ""
        parts.append(f"parent {holder}:{q.parent & 0xFFFF:x}")
    if q.ops.dump is not None:
        parts.append(show_options(q.ops.id, q.ops.dump(q)))
    line = " ".join(part for part in parts if part) + "\n"
    return line + _statistics(q) if statistics else line


def _statistics(q: Qdisc) -> str:
    """iproute2: print_tcstats2_attr."""
    if q.flags & TCQ_F_MQROOT:
        mq_totals(q)
    own = q.ops.dump_stats(q) if q.ops.dump_stats is not None else {}
    return (
        f" Sent {q.bytes} bytes {q.packets} pkt (dropped {q.drops}, overlimits {q.overlimits}"
        f" requeues {q.requeues}) \n"
        f" backlog {show_size(q.backlog)} {q.qlen}p requeues {q.requeues}\n"
        f"{show_stats(q.ops.id, own)}"
    )


def _class(net: Net, words: Words) -> str:
    """iproute2: print_class."""
    if not words or words.next() not in ("show", "list", "ls"):
        raise CommandError("Classes come and go with their qdisc: only `tc class show` is here.")
    lines = []
    for dev in _devices(net, words):
        for q in qdisc_walk(dev):
            cl_ops = q.ops.cl_ops
            for minor in cl_ops.walk(q) if cl_ops is not None else ():
                assert cl_ops is not None
                leaf = cl_ops.leaf(q, minor)
                text = f"class {q.ops.id} {q.handle >> 16:x}:{minor:x} parent {q.handle >> 16:x}:"
                text += f" leaf {show_handle(leaf.handle)}" if leaf.handle else ""
                lines.append(f"{text} dev {dev.name}\n")
    return "".join(lines)
