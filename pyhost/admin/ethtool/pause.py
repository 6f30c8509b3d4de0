"""`ethtool -a`, `-A`: pause frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pyhost.admin.ethtool.params import (
    check,
    ethtool_ops,
    no_more,
    on_off,
    parse_switches,
    unsupported,
)

if TYPE_CHECKING:
    from pyhost.admin.ip_words import Words
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["change", "show"]

_ATTRIBUTES = {"autoneg": "autoneg", "rx": "rx_pause", "tx": "tx_pause"}


def show(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/pause.c pause_reply_cb."""
    no_more(words)
    param = ethtool_ops(dev).get_pauseparam(dev)
    if param is None:
        raise unsupported()
    return (
        f"Pause parameters for {dev.name}:\nAutonegotiate:\t{on_off(param.autoneg)}\n"
        f"RX:\t\t{on_off(param.rx_pause)}\nTX:\t\t{on_off(param.tx_pause)}\n\n"
    )


def change(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/pause.c nl_spause."""
    ops = ethtool_ops(dev)
    values = parse_switches(words, "-A", _ATTRIBUTES)
    now = ops.get_pauseparam(dev)
    if now is None:
        raise unsupported()
    wanted = {_ATTRIBUTES[name]: value for name, value in values.items()}
    check(ops.set_pauseparam(dev, replace(now, **wanted)))
    return ""
