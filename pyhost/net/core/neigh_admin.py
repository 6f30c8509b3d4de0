"""Neighbours by command. Linux: net/core/neighbour.c neigh_add, neigh_delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.core.neigh_states import NUD_PROBE
from pyhost.net.core.neighbour import (
    NEIGH_UPDATE_F_ADMIN,
    NEIGH_UPDATE_F_OVERRIDE,
    NUD_VALID,
    neigh_create,
    neigh_event_send,
    neigh_lookup,
    neigh_remove,
    neigh_update,
)
from pyhost.uapi.errno import EEXIST, EINVAL, ENOBUFS, ENOENT

if TYPE_CHECKING:
    from pyhost.net.core.neighbour import NeighTable
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["neigh_add", "neigh_delete"]


def neigh_add(
    table: NeighTable,
    key: int,
    dev: NetDevice,
    lladdr: bytes | None,
    state: int,
    *,
    create: bool,
    exclusive: bool,
    replace: bool,
    extack: NetlinkExtAck,
) -> int:
    """Make or change an entry: 0, -ENOENT (there is none and `create` is not set), -EEXIST (there
    is one and `exclusive` is set), -EINVAL (a state that needs an address has none), -ENOBUFS.

    Linux: neigh_add.
    """
    neigh = neigh_lookup(table, key, dev)
    if neigh is None:
        if not create:
            return -ENOENT
        if lladdr is None and state & NUD_VALID:
            return extack.error(-EINVAL, "No link layer address given")
        neigh = neigh_create(table, key, dev)
        if neigh is None:
            return -ENOBUFS
    elif exclusive:
        return -EEXIST
    if lladdr is None and state & NUD_VALID and not neigh.nud_state & NUD_VALID:
        return extack.error(-EINVAL, "No link layer address given")
    override = NEIGH_UPDATE_F_OVERRIDE if replace or exclusive else 0
    if state == NUD_PROBE:
        neigh_event_send(neigh, None)
        return 0
    neigh_update(neigh, lladdr, state, NEIGH_UPDATE_F_ADMIN | override)
    return 0


def neigh_delete(table: NeighTable, key: int, dev: NetDevice) -> int:
    """Forget an entry: 0 or -ENOENT. Linux: neigh_delete."""
    neigh = neigh_lookup(table, key, dev)
    if neigh is None:
        return -ENOENT
    neigh_remove(neigh)
    return 0
