"""`ethtool -g`, `-G`: descriptors a ring; `-l`, `-L`: how many queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.ethtool.params import check, ethtool_ops, no_more, parse_numbers, unsupported
from pyhost.net.core.ethtool import ethtool_set_channels, ethtool_set_ringparam

if TYPE_CHECKING:
    from pyhost.admin.ip_words import Words
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["set_channels", "set_rings", "show_channels", "show_rings"]

_ABSENT = "n/a"


def show_rings(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/rings.c rings_reply_cb."""
    no_more(words)
    param = ethtool_ops(dev).get_ringparam(dev)
    if param is None:
        raise unsupported()

    def block(title: str, rx: int, tx: int) -> str:
        return f"{title}:\nRX:\t\t{rx}\nRX Mini:\t{_ABSENT}\nRX Jumbo:\t{_ABSENT}\nTX:\t\t{tx}\n"

    return (
        f"Ring parameters for {dev.name}:\n"
        + block("Pre-set maximums", param.rx_max_pending, param.tx_max_pending)
        + block("Current hardware settings", param.rx_pending, param.tx_pending)
    )


def set_rings(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/rings.c nl_sring."""
    ops = ethtool_ops(dev)
    values = parse_numbers(words, "-G", ("rx", "tx"))
    now = ops.get_ringparam(dev)
    error = ethtool_set_ringparam(dev, values.get("rx"), values.get("tx"))
    too_big = now is not None and (
        values.get("rx", 0) > now.rx_max_pending or values.get("tx", 0) > now.tx_max_pending
    )
    check(error, "requested ring size exceeds maximum" if too_big else "")
    return ""


def show_channels(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/channels.c channels_reply_cb."""
    no_more(words)
    param = ethtool_ops(dev).get_channels(dev)
    if param is None:
        raise unsupported()

    def block(title: str, rx: int, tx: int) -> str:
        return f"{title}:\nRX:\t\t{rx}\nTX:\t\t{tx}\nOther:\t\t{_ABSENT}\nCombined:\t{_ABSENT}\n"

    return (
        f"Channel parameters for {dev.name}:\n"
        + block("Pre-set maximums", param.max_rx, param.max_tx)
        + block("Current hardware settings", param.rx_count, param.tx_count)
    )


def set_channels(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/channels.c nl_schannels."""
    ops = ethtool_ops(dev)
    values = parse_numbers(words, "-L", ("rx", "tx"))
    now = ops.get_channels(dev)
    rx, tx = values.get("rx"), values.get("tx")
    error = ethtool_set_channels(dev, rx, tx)
    why = ""
    if now is not None and ((rx or 0) > now.max_rx or (tx or 0) > now.max_tx):
        why = "requested channel count exceeds maximum"
    elif dev.rxfh_configured and rx:
        why = "requested channel counts are too low for existing indirection table settings"
    check(error, why)
    return ""
