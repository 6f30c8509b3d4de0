"""Netfilter's hooks: five points on the way of a packet where others may look at it, change it or
stop it.

Linux: net/netfilter/core.c, net/netfilter/nf_queue.c.

        wire ─→ PRE_ROUTING ─→ (route) ─→ LOCAL_IN ─→ transport
                                  └─→ FORWARD ─┐
        transport ─→ LOCAL_OUT ─→ dst_output ──┴→ POST_ROUTING ─→ neighbour ─→ wire

At each point the functions run in ascending priority until one does not accept. While nothing is
registered at a point, the caller sees an empty list and goes on: `if
net.nf.hooks[NF_INET_LOCAL_OUT]: …`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.net.core.drop_reason import NETFILTER_DROP
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.uapi.errno import EPERM, ESRCH

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = [
    "NF_ACCEPT", "NF_DROP", "NF_INET_FORWARD", "NF_INET_LOCAL_IN", "NF_INET_LOCAL_OUT",
    "NF_INET_POST_ROUTING", "NF_INET_PRE_ROUTING", "NF_IP_PRI_CONNTRACK",
    "NF_IP_PRI_CONNTRACK_CONFIRM", "NF_IP_PRI_CONNTRACK_DEFRAG", "NF_IP_PRI_FILTER",
    "NF_IP_PRI_MANGLE", "NF_IP_PRI_NAT_DST", "NF_IP_PRI_NAT_SRC", "NF_IP_PRI_RAW",
    "NF_IP_PRI_SECURITY", "NF_QUEUE", "NF_REPEAT", "NF_STOLEN", "NF_VERDICT_FLAG_QUEUE_BYPASS",
    "NF_VERDICT_MASK", "NfHookEntry", "NfHookState", "NfHooks", "NfQueueEntry", "netfilter_init",
    "nf_drop_err", "nf_hook", "nf_register_net_hook", "nf_reinject", "nf_unregister_net_hook",
]  # fmt: skip

NF_INET_PRE_ROUTING = 0
NF_INET_LOCAL_IN = 1
NF_INET_FORWARD = 2
NF_INET_LOCAL_OUT = 3
NF_INET_POST_ROUTING = 4
NF_INET_NUMHOOKS = 5

NF_DROP = 0
NF_ACCEPT = 1
NF_STOLEN = 2
NF_QUEUE = 3
NF_REPEAT = 4
NF_VERDICT_MASK = 0xFF
NF_VERDICT_FLAG_QUEUE_BYPASS = 0x8000
NF_VERDICT_QBITS = 16

NF_IP_PRI_CONNTRACK_DEFRAG = -400
NF_IP_PRI_RAW = -300
NF_IP_PRI_CONNTRACK = -200
NF_IP_PRI_MANGLE = -150
NF_IP_PRI_NAT_DST = -100
NF_IP_PRI_FILTER = 0
NF_IP_PRI_SECURITY = 50
NF_IP_PRI_NAT_SRC = 100
NF_IP_PRI_CONNTRACK_CONFIRM = (1 << 31) - 1

OkFn = Callable[["Net", "Sock | None", SkBuff], int]


class NfHookState:
    """Where a packet is while hooks look at it; `okfn` is where it goes when all accept.

    Linux: struct nf_hook_state.
    """

    __slots__ = ("hook", "indev", "net", "okfn", "outdev", "sk")

    def __init__(
        self,
        hook: int,
        net: Net,
        sk: Sock | None,
        indev: NetDevice | None,
        outdev: NetDevice | None,
        okfn: OkFn,
    ) -> None:
        self.hook = hook
        self.net = net
        self.sk = sk
        self.indev = indev
        self.outdev = outdev
        self.okfn = okfn


NfHookFn = Callable[[SkBuff, NfHookState], int]


class NfHookEntry:
    """One registered function. Linux: struct nf_hook_ops."""

    __slots__ = ("fn", "hooknum", "priority")

    def __init__(self, hooknum: int, priority: int, fn: NfHookFn) -> None:
        self.hooknum = hooknum
        self.priority = priority
        self.fn = fn


class NfQueueEntry:
    """A packet that a hook gave to user space, and where to go on with it.

    Linux: struct nf_queue_entry.
    """

    __slots__ = ("entry", "skb", "state")

    def __init__(self, skb: SkBuff, state: NfHookState, entry: NfHookEntry) -> None:
        self.skb = skb
        self.state = state
        self.entry = entry


NfQueueHandler = Callable[[NfQueueEntry, int], int]
"""Takes (entry, queue number); 0 when it keeps it for `nf_reinject`, or a negative errno."""


class NfHooks:
    """All hooks of one machine: `hooks[hooknum]`, each list sorted by priority."""

    __slots__ = ("hooks", "queue_handler")

    def __init__(self) -> None:
        self.hooks: list[list[NfHookEntry]] = [[] for _ in range(NF_INET_NUMHOOKS)]
        self.queue_handler: NfQueueHandler | None = None


def netfilter_init(net: Net) -> None:
    """Make the empty hook table. Linux: netfilter_init."""
    net.nf = NfHooks()


def nf_register_net_hook(net: Net, hooknum: int, priority: int, fn: NfHookFn) -> NfHookEntry:
    """Have `fn(skb, state)` decide at `hooknum`, after all of the same priority.

    Linux: nf_register_net_hook.
    """
    entry = NfHookEntry(hooknum, priority, fn)
    # A new list, so that a packet that is at this point right now sees the old one to its end.
    net.nf.hooks[hooknum] = sorted([*net.nf.hooks[hooknum], entry], key=lambda each: each.priority)
    return entry


def nf_unregister_net_hook(net: Net, entry: NfHookEntry) -> None:
    """Take a hook back; raises KernelBug when it is not registered.

    Linux: nf_unregister_net_hook.
    """
    hooks = net.nf.hooks[entry.hooknum]
    if entry not in hooks:
        raise KernelBug("nf_unregister_net_hook: hook not found")
    net.nf.hooks[entry.hooknum] = [each for each in hooks if each is not entry]


def nf_drop_err(errno: int) -> int:
    """A verdict that drops the packet and makes the sender see `errno`. Linux: NF_DROP_ERR."""
    return errno << NF_VERDICT_QBITS | NF_DROP


def nf_hook(
    hooknum: int,
    net: Net,
    sk: Sock | None,
    skb: SkBuff,
    indev: NetDevice | None,
    outdev: NetDevice | None,
    okfn: OkFn,
) -> int:
    """Ask the functions at `hooknum`.

    1: accepted, the caller goes on with `okfn`; otherwise the packet is not the caller's any more:
    0 (stolen, queued) or a negative errno (dropped). Linux: nf_hook.
    """
    state = NfHookState(hooknum, net, sk, indev, outdev, okfn)
    return _nf_hook_slow(skb, state, net.nf.hooks[hooknum], 0)


def _nf_hook_slow(skb: SkBuff, state: NfHookState, entries: list[NfHookEntry], index: int) -> int:
    """Run `entries` from `index` on. Linux: nf_hook_slow."""
    while index < len(entries):
        entry = entries[index]
        verdict = entry.fn(skb, state)
        kind = verdict & NF_VERDICT_MASK
        if kind == NF_ACCEPT:
            index += 1
        elif kind == NF_DROP:
            kfree_skb_reason(skb, NETFILTER_DROP)
            return -(verdict >> NF_VERDICT_QBITS) or -EPERM
        elif kind == NF_STOLEN:
            return -(verdict >> NF_VERDICT_QBITS)
        elif kind == NF_QUEUE:
            if _nf_queue(skb, state, entry, verdict) != 1:
                return 0
            index += 1
        elif kind != NF_REPEAT:
            raise KernelBug(f"netfilter verdict {verdict:#x}")
    return 1


def _nf_queue(skb: SkBuff, state: NfHookState, entry: NfHookEntry, verdict: int) -> int:
    """Give the packet to user space; 1 when nobody is there and the verdict says to go on then.

    Linux: nf_queue.
    """
    handler = state.net.nf.queue_handler
    err = (
        -ESRCH
        if handler is None
        else handler(NfQueueEntry(skb, state, entry), verdict >> NF_VERDICT_QBITS)
    )
    if err == 0:
        return 0
    if err == -ESRCH and verdict & NF_VERDICT_FLAG_QUEUE_BYPASS:
        return 1
    kfree_skb_reason(skb, NETFILTER_DROP)
    return 0


def nf_reinject(queued: NfQueueEntry, verdict: int) -> None:
    """User space has decided on a queued packet: go on behind the hook that queued it.

    Linux: nf_reinject.
    """
    state = queued.state
    entries = state.net.nf.hooks[state.hook]
    if queued.entry not in entries:
        kfree_skb_reason(queued.skb, NETFILTER_DROP)
        return
    kind = verdict & NF_VERDICT_MASK
    if kind == NF_STOLEN:
        return
    if kind not in (NF_ACCEPT, NF_REPEAT):
        kfree_skb_reason(queued.skb, NETFILTER_DROP)
        return
    index = entries.index(queued.entry) + (kind == NF_ACCEPT)
    if _nf_hook_slow(queued.skb, state, entries, index) == 1:
        state.okfn(state.net, state.sk, queued.skb)
