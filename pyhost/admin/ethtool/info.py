"""`ethtool -i`: who drives a device; `-S`: what it counts; `-T`: which timestamps it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ethtool.params import ethtool_ops, no_more, unsupported
from pyhost.net.core.ethtool import EthtoolTsInfo
from pyhost.uapi.net_tstamp import SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE

if TYPE_CHECKING:
    from pyhost.admin.ip_words import Words
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["driver", "statistics", "time_stamping"]

_CAPABILITIES = (
    "hardware-transmit",
    "software-transmit",
    "hardware-receive",
    "software-receive",
    "software-system-clock",
    "hardware-legacy-clock",
    "hardware-raw-clock",
)
"""By bit. Linux: sof_timestamping_names."""

_TX_TYPES = ("off", "on", "onestep-sync", "onestep-p2p")
_RX_FILTERS = ("none", "all")


def driver(dev: NetDevice, words: Words) -> str:
    """ethtool: dump_drvinfo."""
    no_more(words)
    ops = ethtool_ops(dev)
    drvinfo = ops.get_drvinfo(dev)
    if drvinfo is None:
        raise unsupported()
    has_stats = "yes" if ops.get_ethtool_stats(dev) else "no"
    return (
        f"driver: {drvinfo.driver}\n"
        f"version: {drvinfo.version}\n"
        f"firmware-version: {drvinfo.fw_version}\n"
        "expansion-rom-version: \n"
        f"bus-info: {drvinfo.bus_info}\n"
        f"supports-statistics: {has_stats}\n"
        "supports-test: no\n"
        "supports-eeprom-access: no\n"
        "supports-register-dump: no\n"
        "supports-priv-flags: no\n"
    )


def statistics(dev: NetDevice, words: Words) -> str:
    """ethtool: do_gstats."""
    no_more(words)
    ops = dev.ethtool_ops
    stats = None if ops is None else ops.get_ethtool_stats(dev)
    if not stats:
        raise CommandError("no stats available")
    lines = (f"     {name}: {value}\n" for name, value in stats.items())
    return "NIC statistics:\n" + "".join(lines)


def _listed(title: str, names: tuple[str, ...], mask: int, empty: str) -> str:
    chosen = [name for bit, name in enumerate(names) if mask >> bit & 1]
    if not chosen:
        return f"{title}:{empty}\n"
    return f"{title}:\n" + "".join(f"\t{name}\n" for name in chosen)


def time_stamping(dev: NetDevice, words: Words) -> str:
    """ethtool: netlink/tsinfo.c tsinfo_reply_cb. What the stack does itself every device can."""
    no_more(words)
    ops = dev.ethtool_ops
    can = None if ops is None else ops.get_ts_info(dev)
    if can is None:
        can = EthtoolTsInfo(SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)
    return (
        f"Time stamping parameters for {dev.name}:\n"
        + _listed("Capabilities", _CAPABILITIES, can.so_timestamping, "")
        + "PTP Hardware Clock: none\n"
        + _listed("Hardware Transmit Timestamp Modes", _TX_TYPES, can.tx_types, " none")
        + _listed("Hardware Receive Filter Modes", _RX_FILTERS, can.rx_filters, " none")
    )
