"""Neighbours: which hardware address a next hop has, and what to do until that is known.

Linux: net/core/neighbour.c.

neigh_states.py says which states an entry has and how it moves between them.

The queue of an entry holds unres_qlen_bytes (212992) of truesize; when it is full the oldest
packets are dropped.

Differences from Linux: entries are collected when a new one is made, not by a periodic work item,
so that an idle machine has no timer running; there is no application (netlink) resolver.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.kernel.sysctl import whole_number
from pyhost.kernel.timer import Timer
from pyhost.net.core import drop_reason
from pyhost.net.core.dev import dev_queue_xmit
from pyhost.net.core.neigh_states import (
    EV_CONFIRMED,
    EV_GAVE_UP,
    EV_IDLE,
    EV_SEND,
    EV_UNCONFIRMED,
    EV_USED,
    NUD_CONNECTED,
    NUD_DELAY,
    NUD_FAILED,
    NUD_IN_TIMER,
    NUD_INCOMPLETE,
    NUD_NAMES,
    NUD_NOARP,
    NUD_NONE,
    NUD_PERMANENT,
    NUD_PROBE,
    NUD_REACHABLE,
    NUD_STALE,
    NUD_VALID,
    TRANSITIONS,
)
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.core.skbuff import SkBuff, consume_skb, kfree_skb_reason
from pyhost.net.eth import eth_header
from pyhost.uapi.ethernet import ETH_HDR, ETH_HLEN

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = [
    "EV_CONFIRMED", "EV_GAVE_UP", "EV_IDLE", "EV_SEND", "EV_UNCONFIRMED", "EV_USED",
    "NEIGH_UPDATE_F_ADMIN", "NEIGH_UPDATE_F_OVERRIDE", "NUD_CONNECTED", "NUD_DELAY", "NUD_FAILED",
    "NUD_INCOMPLETE", "NUD_IN_TIMER", "NUD_NAMES", "NUD_NOARP", "NUD_NONE", "NUD_PERMANENT",
    "NUD_PROBE", "NUD_REACHABLE", "NUD_STALE", "NUD_VALID", "TRANSITIONS", "NeighTable",
    "Neighbour", "neigh_confirm", "neigh_create", "neigh_event_ns", "neigh_event_send",
    "neigh_ifdown", "neigh_lookup", "neigh_lookup_or_create", "neigh_output", "neigh_update",
]  # fmt: skip

NEIGH_UPDATE_F_OVERRIDE = 0x1
NEIGH_UPDATE_F_ADMIN = 0x80000000

GC_FORCED_AGE_NS = 5 * NSEC_PER_SEC


class NeighTable:
    """The neighbours of one protocol, and its settings in sysctl's units.

    Linux: struct neigh_table, struct neigh_parms.

    `constructor(neigh)` gives a new entry its first state, `solicit(neigh, skb)` asks the wire
    (`skb`: a packet that waits, or None), `error_report(neigh, skb)` owns a packet that could not
    be sent.
    """

    def __init__(
        self,
        net: Net,
        protocol: int,
        constructor: Callable[[Neighbour], None],
        solicit: Callable[[Neighbour, SkBuff | None], None],
    ) -> None:
        self.net = net
        self.protocol = protocol
        self.constructor = constructor
        self.solicit = solicit
        self.error_report: Callable[[Neighbour, SkBuff], None] = _drop_unreachable
        self.entries: dict[tuple[NetDevice, int], Neighbour] = {}
        self.retrans_time_ms = 1000
        self.base_reachable_time_ms = 30000
        self.delay_first_probe_time = 5
        self.gc_stale_time = 60
        self.locktime_ms = 1000
        self.unres_qlen_bytes = 212992
        self.ucast_solicit = 3
        self.mcast_solicit = 3
        self.gc_thresh1, self.gc_thresh2, self.gc_thresh3 = 128, 512, 1024
        self.allocs = self.destroys = self.res_failed = self.unres_discards = self.table_fulls = 0

    def register_sysctls(self, prefix: str) -> None:
        """Give the settings their names, as `net.ipv4.neigh.default.*`.

        Linux: neigh_sysctl_register.
        """
        for name in (
            "retrans_time_ms", "base_reachable_time_ms", "delay_first_probe_time",
            "gc_stale_time", "unres_qlen_bytes", "ucast_solicit", "mcast_solicit", "gc_thresh1",
            "gc_thresh2", "gc_thresh3", "locktime_ms",
        ):  # fmt: skip
            self.net.kernel.sysctl.register(f"{prefix}.{name}", self, name, whole_number(0))

    @property
    def retrans_ns(self) -> int:
        """Time between two requests."""
        return self.retrans_time_ms * NSEC_PER_MSEC

    @property
    def delay_ns(self) -> int:
        """How long DELAY lasts."""
        return self.delay_first_probe_time * NSEC_PER_SEC

    def rand_reach_time(self) -> int:
        """How long a confirmation holds this time, ns. Linux: neigh_rand_reach_time."""
        base = self.base_reachable_time_ms * NSEC_PER_MSEC
        return self.net.kernel.random.randrange(base) + base // 2 if base else 0


class Neighbour:
    """One next hop on one device.

    Linux: struct neighbour. Times are ns; `ha` is its hardware address, once known.

    `hh` is the whole link header that goes before packets while the entry is connected (Linux:
    struct hh_cache).
    """

    __slots__ = (
        "arp_queue", "arp_queue_len_bytes", "confirmed", "dead", "dev", "ha", "hh", "nud_state",
        "primary_key", "probes", "reachable_time", "table", "timer", "updated", "used",
    )  # fmt: skip

    def __init__(self, table: NeighTable, primary_key: int, dev: NetDevice) -> None:
        kernel = table.net.kernel
        now = kernel.clock.now
        self.table = table
        self.primary_key = primary_key
        self.dev = dev
        self.nud_state = NUD_NONE
        self.ha = bytes(6)
        self.hh: bytes | None = None
        self.probes = 0
        self.used = self.updated = now
        self.confirmed = now
        self.reachable_time = table.rand_reach_time()
        self.arp_queue: deque[SkBuff] = deque()
        self.arp_queue_len_bytes = 0
        self.dead = False
        self.timer = Timer(kernel, lambda: _neigh_timer_handler(self))

    def __repr__(self) -> str:
        return f"<Neighbour {self.primary_key:#010x} {self.dev.name} {NUD_NAMES[self.nud_state]}>"

    def max_probes(self) -> int:
        """How high `probes` may go in this state. Linux: neigh_max_probes."""
        table = self.table
        return table.ucast_solicit + (0 if self.nud_state & NUD_PROBE else table.mcast_solicit)


def _drop_unreachable(_: Neighbour, skb: SkBuff) -> None:
    kfree_skb_reason(skb, drop_reason.NEIGH_FAILED)


# -- the table -------------------------------------------------------------------------------------


def neigh_lookup(table: NeighTable, key: int, dev: NetDevice) -> Neighbour | None:
    """The entry for address `key` on `dev`, None when there is none. Linux: neigh_lookup."""
    return table.entries.get((dev, key))


def neigh_lookup_or_create(table: NeighTable, key: int, dev: NetDevice) -> Neighbour | None:
    """The entry for `key`, made when there is none; None when the table is full.

    Linux: ip_neigh_gw4.
    """
    return table.entries.get((dev, key)) or neigh_create(table, key, dev)


def neigh_create(table: NeighTable, key: int, dev: NetDevice) -> Neighbour | None:
    """A new entry for `key`, None when the table is full. Linux: neigh_create."""
    if len(table.entries) >= table.gc_thresh1:
        _collect(table)
        if len(table.entries) >= table.gc_thresh3:
            table.table_fulls += 1
            return None
    neigh = Neighbour(table, key, dev)
    table.allocs += 1
    table.constructor(neigh)
    if neigh.nud_state & NUD_VALID:
        _neigh_hh_init(neigh)
    else:
        neigh.confirmed -= 2 * table.base_reachable_time_ms * NSEC_PER_MSEC
    table.entries[dev, key] = neigh
    return neigh


def _collect(table: NeighTable) -> None:
    """Remove what is not in use: FAILED entries and idle ones, above gc_thresh2 all that have not
    changed for 5 s. Permanent entries and those with a timer stay.

    Linux: neigh_periodic_work, neigh_forced_gc.
    """
    forced = len(table.entries) >= table.gc_thresh2
    now = table.net.kernel.clock.now
    for neigh in tuple(table.entries.values()):
        state = neigh.nud_state
        if state & (NUD_PERMANENT | NUD_IN_TIMER):
            continue
        if forced:
            idle = state == NUD_NOARP or neigh.updated <= now - GC_FORCED_AGE_NS
        else:
            last = max(neigh.used, neigh.confirmed)
            idle = last <= now - table.gc_stale_time * NSEC_PER_SEC
        if state == NUD_FAILED or idle:
            _neigh_destroy(neigh)


def _neigh_destroy(neigh: Neighbour) -> None:
    """Linux: neigh_cleanup_and_release, neigh_destroy."""
    neigh.dead = True
    neigh.timer.delete()
    neigh.hh = None
    _purge(neigh)
    del neigh.table.entries[neigh.dev, neigh.primary_key]
    neigh.table.destroys += 1


def neigh_remove(neigh: Neighbour) -> None:
    """Forget an entry by command; what waits for it is reported. Linux: neigh_delete."""
    neigh_update(neigh, None, NUD_FAILED, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN)
    _neigh_destroy(neigh)


def _purge(neigh: Neighbour) -> None:
    while neigh.arp_queue:
        kfree_skb_reason(neigh.arp_queue.popleft(), drop_reason.NEIGH_FAILED)
    neigh.arp_queue_len_bytes = 0


def neigh_ifdown(table: NeighTable, dev: NetDevice) -> None:
    """Forget the neighbours of a device that goes down. Linux: neigh_ifdown."""
    for neigh in tuple(table.entries.values()):
        if neigh.dev is dev:
            _neigh_destroy(neigh)


# -- sending ---------------------------------------------------------------------------------------


def neigh_output(neigh: Neighbour, skb: SkBuff) -> int:
    """Send a packet to a neighbour, or keep it until the address is known.

    Linux: neigh_output, neigh_hh_output.

    `skb.data` is at the network header, with room for the link header before it. Returns NET_XMIT_*
    or a negative errno, 0 also when the packet waits. The packet is gone in every case.
    """
    dev = neigh.dev
    trace = dev.net.kernel.trace
    if trace.on:
        trace.hit("neigh_output", skb.key, dev=dev.name, state=NUD_NAMES[neigh.nud_state])
    skb.dev = dev
    hh = neigh.hh
    if hh is not None and neigh.nud_state & NUD_CONNECTED:
        data = skb.push(ETH_HLEN)
        skb.buf[data : data + ETH_HLEN] = hh
        return dev_queue_xmit(skb)
    return neigh_resolve_output(neigh, skb)


def neigh_resolve_output(neigh: Neighbour, skb: SkBuff) -> int:
    """Send with the known address, or queue and ask. Linux: neigh_resolve_output."""
    if not neigh_event_send(neigh, skb):
        return 0
    if neigh.hh is None:
        _neigh_hh_init(neigh)
    eth_header(skb, neigh.dev, skb.protocol, neigh.ha)
    return dev_queue_xmit(skb)


def neigh_event_send(neigh: Neighbour, skb: SkBuff | None) -> bool:
    """A packet is about to be sent (None: somebody only wants to know the address): True when it
    may go now, False when it was queued or freed.

    Linux: neigh_event_send, which returns these the other way round.
    """
    table = neigh.table
    now = table.net.kernel.clock.now
    neigh.used = now
    state = neigh.nud_state
    if state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE):
        return True
    if neigh.dead:
        if skb is not None:
            kfree_skb_reason(skb, drop_reason.NEIGH_DEAD)
        return False
    if state == NUD_STALE:
        _set_state(neigh, TRANSITIONS[state, EV_SEND])
        return True
    asks = state != NUD_INCOMPLETE
    if asks:
        if not table.mcast_solicit:
            _set_state(neigh, NUD_FAILED)
            if skb is not None:
                kfree_skb_reason(skb, drop_reason.NEIGH_FAILED)
            return False
        neigh.probes = table.ucast_solicit
        _set_state(neigh, TRANSITIONS[state, EV_SEND])
    if skb is not None:
        _queue(neigh, skb)
    if asks:
        _neigh_probe(neigh)
    return False


def _queue(neigh: Neighbour, skb: SkBuff) -> None:
    table = neigh.table
    queue = neigh.arp_queue
    while queue and neigh.arp_queue_len_bytes + skb.truesize > table.unres_qlen_bytes:
        oldest = queue.popleft()
        neigh.arp_queue_len_bytes -= oldest.truesize
        table.unres_discards += 1
        kfree_skb_reason(oldest, drop_reason.NEIGH_QUEUEFULL)
    queue.append(skb)
    neigh.arp_queue_len_bytes += skb.truesize


def _neigh_probe(neigh: Neighbour) -> None:
    """Ask once. Linux: neigh_probe."""
    waiting = neigh.arp_queue[-1].clone() if neigh.arp_queue else None
    neigh.table.solicit(neigh, waiting)
    neigh.probes += 1
    if waiting is not None:
        consume_skb(waiting)


def _neigh_hh_init(neigh: Neighbour) -> None:
    """Linux: neigh_hh_init, eth_header_cache."""
    neigh.hh = ETH_HDR.pack(neigh.ha, neigh.dev.addr, neigh.table.protocol)


# -- time ------------------------------------------------------------------------------------------


def _timer_event(neigh: Neighbour, now: int) -> str:
    """What the expiry of the timer means in the present state."""
    state = neigh.nud_state
    delay = neigh.table.delay_ns
    if state == NUD_REACHABLE:
        if now < neigh.confirmed + neigh.reachable_time:
            return EV_CONFIRMED
        return EV_USED if now <= neigh.used + delay else EV_IDLE
    if state == NUD_DELAY:
        return EV_CONFIRMED if now <= neigh.confirmed + delay else EV_UNCONFIRMED
    return EV_GAVE_UP if neigh.probes >= neigh.max_probes() else EV_UNCONFIRMED


def _next_expiry(neigh: Neighbour, now: int) -> int:
    """When the timer of the present state runs out (ns)."""
    if neigh.nud_state == NUD_REACHABLE:
        return neigh.confirmed + neigh.reachable_time
    if neigh.nud_state == NUD_DELAY:
        return now + neigh.table.delay_ns
    return now + neigh.table.retrans_ns


def _set_state(neigh: Neighbour, state: int) -> None:
    """Enter a state: its counters and its timer."""
    now = neigh.table.net.kernel.clock.now
    if state != neigh.nud_state:
        neigh.updated = now
        if state == NUD_PROBE:
            neigh.probes = 0
    neigh.nud_state = state
    neigh.timer.delete()
    if state & NUD_IN_TIMER:
        neigh.timer.mod(_next_expiry(neigh, now))


def _neigh_timer_handler(neigh: Neighbour) -> None:
    """Linux: neigh_timer_handler."""
    now = neigh.table.net.kernel.clock.now
    state = neigh.nud_state
    event = _timer_event(neigh, now)
    _set_state(neigh, TRANSITIONS.get((state, event), state))
    if event == EV_GAVE_UP:
        _neigh_invalidate(neigh)
    elif neigh.nud_state & (NUD_INCOMPLETE | NUD_PROBE):
        _neigh_probe(neigh)


def _neigh_invalidate(neigh: Neighbour) -> None:
    """Nobody answered: report every packet that waits. Linux: neigh_invalidate."""
    table = neigh.table
    table.res_failed += 1
    neigh.hh = None
    while neigh.nud_state == NUD_FAILED and neigh.arp_queue:
        skb = neigh.arp_queue.popleft()
        neigh.arp_queue_len_bytes -= skb.truesize
        table.error_report(neigh, skb)
    if neigh.nud_state == NUD_FAILED:
        _purge(neigh)


# -- what the wire says ----------------------------------------------------------------------------


def neigh_confirm(net: Net, dev: NetDevice, next_hop: int) -> None:
    """The upper layer had an answer from behind `next_hop`.

    Linux: dst_confirm_neigh, ipv4_confirm_neigh.
    """
    neigh = net.arp_tbl.entries.get((dev, next_hop))
    if neigh is not None:
        neigh.confirmed = net.kernel.clock.now


def neigh_event_ns(table: NeighTable, lladdr: bytes, key: int, dev: NetDevice) -> Neighbour | None:
    """Somebody asks for us, and so tells its own address. Linux: neigh_event_ns."""
    neigh = neigh_lookup_or_create(table, key, dev)
    if neigh is not None:
        neigh_update(neigh, lladdr, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE)
    return neigh


def neigh_update(neigh: Neighbour, lladdr: bytes | None, new: int, flags: int) -> None:
    """Put an entry into state `new` with address `lladdr` (None: the one it has).

    Linux: neigh_update.

    Without NEIGH_UPDATE_F_OVERRIDE a different address does not replace one that is valid. NOARP
    and PERMANENT entries are changed by NEIGH_UPDATE_F_ADMIN alone.
    """
    old = neigh.nud_state
    if not flags & NEIGH_UPDATE_F_ADMIN and old & (NUD_NOARP | NUD_PERMANENT):
        return
    if not new & NUD_VALID:
        _set_state(neigh, new)
        if new == NUD_FAILED and old & (NUD_INCOMPLETE | NUD_PROBE):
            _neigh_invalidate(neigh)
        return
    now = neigh.table.net.kernel.clock.now
    address = neigh.ha if lladdr is None else lladdr
    if new & NUD_CONNECTED:
        neigh.confirmed = now
    if old & NUD_VALID:
        if address != neigh.ha:
            if not flags & NEIGH_UPDATE_F_OVERRIDE:
                return
        elif new == NUD_STALE and not flags & NEIGH_UPDATE_F_ADMIN:
            new = old
    _apply_update(neigh, address, old, new, now)


def _apply_update(neigh: Neighbour, address: bytes, old: int, new: int, now: int) -> None:
    table = neigh.table
    changed = address != neigh.ha or not old & NUD_VALID
    if new == NUD_REACHABLE != old:
        neigh.reachable_time = table.rand_reach_time()
    if new != old:
        _set_state(neigh, new)
    elif changed:
        neigh.updated = now
    if changed:
        neigh.ha = address
        _neigh_hh_init(neigh)
        if not new & NUD_CONNECTED:
            neigh.confirmed = now - 2 * table.base_reachable_time_ms * NSEC_PER_MSEC
    if not old & NUD_VALID:
        _flush(neigh)


def _flush(neigh: Neighbour) -> None:
    """Send what waited, in order. Linux: neigh_update's end."""
    while neigh.nud_state & NUD_VALID and neigh.arp_queue:
        skb = neigh.arp_queue.popleft()
        neigh.arp_queue_len_bytes -= skb.truesize
        neigh_resolve_output(neigh, skb)
