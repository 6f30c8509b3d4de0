"""What `ethtool` asks of the driver. Linux: drivers/net/ethernet/intel/igb/igb_ethtool.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_hw import (
    COALESCE_MAX_COUNT,
    COALESCE_MAX_USECS,
    hnic_write_pause,
    rx_block,
    tx_block,
)
from pyhost.drivers.net.hnic.hnic_ring import RING_MAX, RING_MIN, RxQueueStats, TxQueueStats
from pyhost.net.core.ethtool import (
    EthtoolChannels,
    EthtoolCoalesce,
    EthtoolDrvinfo,
    EthtoolOps,
    EthtoolPauseparam,
    EthtoolRingparam,
    EthtoolRxfh,
    EthtoolTsInfo,
)
from pyhost.net.core.xps import netif_set_real_num_tx_queues
from pyhost.uapi import net_tstamp as ts
from pyhost.uapi.errno import EINVAL, EOPNOTSUPP

if TYPE_CHECKING:
    from pyhost.drivers.net.hnic.hnic_adapter import HnicAdapter
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["HnicEthtoolOps", "hnic_get_ethtool_stats", "hnic_get_strings"]

DRIVER = "hnic"
VERSION = "2.0"

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
_DRIVER_STATS = ("tx_timeout_count", "reset_count")
_TX_RING_STATS = (
    "packets",
    "bytes",
    "tso",
    "stops",
    "wakes",
    "tx_busy",
    "mapping_errors",
    "errors",
    "resets",
    "reset_drops",
)
_RX_RING_STATS = (
    "packets",
    "bytes",
    "drops",
    "alloc_failed",
    "csum_errors",
    "errors",
    "no_desc",
    "resets",
)
_CARD_STATS = {
    "card_tx_frames": regs.STAT_TX_FRAMES,
    "card_tx_bytes": regs.STAT_TX_BYTES,
    "card_tx_drops": regs.STAT_TX_DROPS,
    "card_tx_csums": regs.STAT_TX_CSUMS,
    "card_tx_descs": regs.STAT_TX_DESCS,
    "card_tx_tso": regs.STAT_TX_TSO,
    "card_tx_flushed": regs.STAT_TX_FLUSHED,
    "card_rx_frames": regs.STAT_RX_FRAMES,
    "card_rx_bytes": regs.STAT_RX_BYTES,
    "card_rx_fcs_errs": regs.STAT_RX_FCS_ERRS,
    "card_rx_len_errs": regs.STAT_RX_LEN_ERRS,
    "card_rx_filtered": regs.STAT_RX_FILTERED,
    "card_rx_overflows": regs.STAT_RX_OVERFLOWS,
    "card_rx_drops": regs.STAT_RX_DROPS,
    "card_rx_csum_errs": regs.STAT_RX_CSUM_ERRS,
    "card_rx_pauses": regs.STAT_RX_PAUSES,
    "card_completions": regs.STAT_CPLS,
    "card_axi_rd_errs": regs.STAT_AXI_RD_ERRS,
    "card_axi_wr_errs": regs.STAT_AXI_WR_ERRS,
    "card_doorbell_errs": regs.STAT_DOORBELL_ERRS,
    "card_irqs": regs.STAT_IRQS,
}


# -- statistics ------------------------------------------------------------------------------------


def hnic_get_strings(dev: NetDevice) -> list[str]:
    """The names, in the order of the values. Linux: igb_get_strings."""
    return list(hnic_get_ethtool_stats(dev))


def hnic_get_ethtool_stats(dev: NetDevice) -> dict[str, int]:
    """All counters by name: the device's, the driver's, those of each queue, the card's. Reads
    registers: in a task.

    Linux: igb_get_ethtool_stats.
    """
    adapter: HnicAdapter = dev.priv
    stats = {name: getattr(dev.stats, name) for name in _DEV_STATS}
    stats |= {name: getattr(adapter, name) for name in _DRIVER_STATS}
    for queue, tx in enumerate(adapter.tx_stats):
        stats |= _of_queue(f"tx_queue_{queue}", tx, _TX_RING_STATS)
        stats[f"tx_queue_{queue}_card_drops"] = adapter.bus.readl(tx_block(queue) + regs.Q_DROPS)
    for queue, rx in enumerate(adapter.rx_stats):
        stats |= _of_queue(f"rx_queue_{queue}", rx, _RX_RING_STATS)
        stats[f"rx_queue_{queue}_card_drops"] = adapter.bus.readl(rx_block(queue) + regs.Q_DROPS)
    stats |= {name: adapter.bus.readl(offset) for name, offset in _CARD_STATS.items()}
    return stats


def _of_queue(
    prefix: str, stats: TxQueueStats | RxQueueStats, names: tuple[str, ...]
) -> dict[str, int]:
    return {f"{prefix}_{name}": getattr(stats, name) for name in names}


# -- settings --------------------------------------------------------------------------------------


class HnicEthtoolOps(EthtoolOps):
    """Linux: igb_ethtool_ops."""

    def get_drvinfo(self, dev: NetDevice) -> EthtoolDrvinfo:
        """EthtoolOps.get_drvinfo."""
        adapter: HnicAdapter = dev.priv
        return EthtoolDrvinfo(DRIVER, VERSION, adapter.bus.name)

    def get_ethtool_stats(self, dev: NetDevice) -> dict[str, int]:
        """EthtoolOps.get_ethtool_stats."""
        return hnic_get_ethtool_stats(dev)

    def get_ringparam(self, dev: NetDevice) -> EthtoolRingparam:
        """EthtoolOps.get_ringparam."""
        adapter: HnicAdapter = dev.priv
        return EthtoolRingparam(adapter.rx_count, adapter.tx_count, RING_MAX, RING_MAX)

    def set_ringparam(self, dev: NetDevice, param: EthtoolRingparam) -> int:
        """EthtoolOps.set_ringparam: sizes become the next power of two, at least 64. Linux:
        igb_set_ringparam.
        """
        adapter: HnicAdapter = dev.priv
        old = adapter.rx_count, adapter.tx_count
        new = _ring_size(param.rx_pending), _ring_size(param.tx_pending)

        def change() -> None:
            adapter.rx_count, adapter.tx_count = new

        def undo() -> None:
            adapter.rx_count, adapter.tx_count = old

        return 0 if new == old else adapter.reinit(change, undo)

    def get_channels(self, dev: NetDevice) -> EthtoolChannels:
        """EthtoolOps.get_channels."""
        adapter: HnicAdapter = dev.priv
        info = adapter.info
        return EthtoolChannels(adapter.num_rx, adapter.num_tx, info.rx_queues, info.tx_queues)

    def set_channels(self, dev: NetDevice, param: EthtoolChannels) -> int:
        """EthtoolOps.set_channels. Linux: igb_set_channels."""
        adapter: HnicAdapter = dev.priv
        old = adapter.num_rx, adapter.num_tx

        def use(rx: int, tx: int) -> None:
            adapter.num_rx, adapter.num_tx = rx, tx
            netif_set_real_num_tx_queues(dev, tx)
            dev.real_num_rx_queues = rx
            if not dev.rxfh_configured:
                adapter.spread_rss()

        return adapter.reinit(lambda: use(param.rx_count, param.tx_count), lambda: use(*old))

    def get_coalesce(self, dev: NetDevice) -> EthtoolCoalesce:
        """EthtoolOps.get_coalesce."""
        adapter: HnicAdapter = dev.priv
        return adapter.coalesce

    def set_coalesce(self, dev: NetDevice, param: EthtoolCoalesce) -> int:
        """EthtoolOps.set_coalesce: with 2 frames and more the interrupt waits for them, at most for
        the time; else the time is the least between two interrupts. Linux: igb_set_coalesce.
        """
        adapter: HnicAdapter = dev.priv
        if max(param.rx_usecs, param.tx_usecs) > COALESCE_MAX_USECS:
            return -EINVAL
        if max(param.rx_frames, param.tx_frames) > COALESCE_MAX_COUNT:
            return -EINVAL
        adapter.coalesce = param
        adapter.apply_coalesce()
        return 0

    def get_pauseparam(self, dev: NetDevice) -> EthtoolPauseparam | None:
        """EthtoolOps.get_pauseparam."""
        adapter: HnicAdapter = dev.priv
        return EthtoolPauseparam(False, adapter.rx_pause, False) if adapter.info.pause else None

    def set_pauseparam(self, dev: NetDevice, param: EthtoolPauseparam) -> int:
        """EthtoolOps.set_pauseparam: the card honours pause frames; it sends none, and there is
        nothing to negotiate.
        """
        adapter: HnicAdapter = dev.priv
        if not adapter.info.pause:
            return -EOPNOTSUPP
        if param.autoneg or param.tx_pause:
            return -EINVAL
        adapter.rx_pause = param.rx_pause
        hnic_write_pause(adapter.bus, param.rx_pause)
        return 0

    def get_rxfh(self, dev: NetDevice) -> EthtoolRxfh | None:
        """EthtoolOps.get_rxfh."""
        adapter: HnicAdapter = dev.priv
        if not adapter.info.rss:
            return None
        return EthtoolRxfh(list(adapter.rss_table), adapter.rss_key)

    def set_rxfh(self, dev: NetDevice, param: EthtoolRxfh) -> int:
        """EthtoolOps.set_rxfh."""
        adapter: HnicAdapter = dev.priv
        adapter.rss_table = list(param.indir)
        adapter.rss_key = param.key
        adapter.apply_rss()
        return 0

    def get_ts_info(self, dev: NetDevice) -> EthtoolTsInfo:
        """EthtoolOps.get_ts_info."""
        adapter: HnicAdapter = dev.priv
        software = (
            ts.SOF_TIMESTAMPING_TX_SOFTWARE
            | ts.SOF_TIMESTAMPING_RX_SOFTWARE
            | ts.SOF_TIMESTAMPING_SOFTWARE
        )
        if not adapter.info.time:
            return EthtoolTsInfo(software)
        hardware = (
            ts.SOF_TIMESTAMPING_TX_HARDWARE
            | ts.SOF_TIMESTAMPING_RX_HARDWARE
            | ts.SOF_TIMESTAMPING_RAW_HARDWARE
        )
        return EthtoolTsInfo(
            software | hardware,
            1 << ts.HWTSTAMP_TX_OFF | 1 << ts.HWTSTAMP_TX_ON,
            1 << ts.HWTSTAMP_FILTER_NONE | 1 << ts.HWTSTAMP_FILTER_ALL,
        )


def _ring_size(wanted: int) -> int:
    return max(RING_MIN, 1 << max(0, wanted - 1).bit_length())
