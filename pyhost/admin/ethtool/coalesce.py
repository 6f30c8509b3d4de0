"""`ethtool -c`, `-C`: how late an interrupt may be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pyhost.admin.ethtool.params import check, ethtool_ops, no_more, parse_numbers, unsupported

if TYPE_CHECKING:
    from pyhost.admin.ip_words import Words
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["change", "show"]

_GROUPS = (
    ("stats-block-usecs", "sample-interval", "pkt-rate-low", "pkt-rate-high"),
    ("rx-usecs", "rx-frames", "rx-usecs-irq", "rx-frames-irq"),
    ("tx-usecs", "tx-frames", "tx-usecs-irq", "tx-frames-irq"),
    ("rx-usecs-low", "rx-frame-low", "tx-usecs-low", "tx-frame-low"),
    ("rx-usecs-high", "rx-frame-high", "tx-usecs-high", "tx-frame-high"),
)
"""What the tool shows, in its order; drivers here know four of them."""

_KNOWN = ("rx-usecs", "rx-frames", "tx-usecs", "tx-frames")


def show(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/coalesce.c coalesce_reply_cb."""
    no_more(words)
    param = ethtool_ops(dev).get_coalesce(dev)
    if param is None:
        raise unsupported()
    values = {name: getattr(param, name.replace("-", "_")) for name in _KNOWN}
    groups = (
        "".join(f"{name}: {values.get(name, 'n/a')}\n" for name in group) + "\n"
        for group in _GROUPS
    )
    return f"Coalesce parameters for {dev.name}:\nAdaptive RX: n/a  TX: n/a\n" + "".join(groups)


def change(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/coalesce.c nl_scoalesce."""
    ops = ethtool_ops(dev)
    values = parse_numbers(words, "-C", _KNOWN)
    now = ops.get_coalesce(dev)
    if now is None:
        raise unsupported()
    wanted = {name.replace("-", "_"): value for name, value in values.items()}
    check(ops.set_coalesce(dev, replace(now, **wanted)))
    return ""
