"""Statistics of the driver and of the card under their names, as `ethtool -S` shows them.

Linux: drivers/net/ethernet/intel/igb/igb_ethtool.c (igb_get_strings, igb_get_ethtool_stats).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.drivers.net.hnic import hnic_regs as regs

if TYPE_CHECKING:
    from pyhost.drivers.net.hnic.hnic_main import HnicAdapter
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["hnic_get_ethtool_stats", "hnic_get_strings"]

_DEV_STATS = (
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
)
_TX_RING_STATS = ("stops", "wakes", "tx_busy", "mapping_errors")
_RX_RING_STATS = ("alloc_failed",)
_CARD_STATS = {
    "card_tx_frames": regs.STAT_TX_FRAMES,
    "card_tx_bytes": regs.STAT_TX_BYTES,
    "card_tx_drops": regs.STAT_TX_DROPS,
    "card_tx_csums": regs.STAT_TX_CSUMS,
    "card_tx_descs": regs.STAT_TX_DESCS,
    "card_completions": regs.STAT_CPLS,
    "card_axi_rd_errs": regs.STAT_AXI_RD_ERRS,
    "card_axi_wr_errs": regs.STAT_AXI_WR_ERRS,
    "card_doorbell_errs": regs.STAT_DOORBELL_ERRS,
    "card_irqs": regs.STAT_IRQS,
}


def hnic_get_strings() -> list[str]:
    """The names, in the order of the values. Linux: igb_get_strings."""
    return [
        *_DEV_STATS,
        *(f"tx_queue_0_{name}" for name in _TX_RING_STATS),
        *(f"rx_queue_0_{name}" for name in _RX_RING_STATS),
        *_CARD_STATS,
    ]


def hnic_get_ethtool_stats(dev: NetDevice) -> dict[str, int]:
    """All counters by name; those of a ring are 0 while the interface is down. Reads registers: in
    a task.

    Linux: igb_get_ethtool_stats.
    """
    adapter: HnicAdapter = dev.priv
    values = [
        *(getattr(dev.stats, name) for name in _DEV_STATS),
        *(getattr(adapter.tx, name, 0) for name in _TX_RING_STATS),
        *(getattr(adapter.rx, name, 0) for name in _RX_RING_STATS),
        *(adapter.bus.readl(offset) for offset in _CARD_STATS.values()),
    ]
    return dict(zip(hnic_get_strings(), values, strict=True))
