"""What `ethtool` may ask of a device and change. Linux: include/linux/ethtool.h,
net/ethtool/ioctl.c (ethtool_set_*: the checks that every driver wants).

A driver fills the `EthtoolOps` that it can; everything else answers -EOPNOTSUPP. All of them may
sleep.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pyhost.uapi.errno import EINVAL, EOPNOTSUPP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyhost.net.core.netdevice import NetDevice

__all__ = [
    "EthtoolChannels", "EthtoolCoalesce", "EthtoolDrvinfo", "EthtoolOps", "EthtoolPauseparam",
    "EthtoolRingparam", "EthtoolRxfh", "EthtoolTsInfo", "ethtool_rxfh_indir_default",
    "ethtool_set_channels", "ethtool_set_ringparam", "ethtool_set_rxfh",
]  # fmt: skip


@dataclass(slots=True)
class EthtoolDrvinfo:
    """Who drives a device. Linux: struct ethtool_drvinfo."""

    driver: str
    version: str
    bus_info: str
    fw_version: str = ""


@dataclass(slots=True)
class EthtoolRingparam:
    """Descriptors a ring, now and at most. Linux: struct ethtool_ringparam."""

    rx_pending: int
    tx_pending: int
    rx_max_pending: int
    tx_max_pending: int


@dataclass(slots=True)
class EthtoolChannels:
    """Queues in use and at most. Linux: struct ethtool_channels."""

    rx_count: int
    tx_count: int
    max_rx: int
    max_tx: int


@dataclass(slots=True)
class EthtoolCoalesce:
    """How late an interrupt may be: after so many microseconds or frames. Linux: struct
    ethtool_coalesce.
    """

    rx_usecs: int = 0
    rx_frames: int = 0
    tx_usecs: int = 0
    tx_frames: int = 0


@dataclass(slots=True)
class EthtoolPauseparam:
    """Flow control of the link: frames that are sent (`tx`) and honoured (`rx`). Linux: struct
    ethtool_pauseparam.
    """

    autoneg: bool
    rx_pause: bool
    tx_pause: bool


@dataclass(slots=True)
class EthtoolRxfh:
    """How flows are spread over receive queues: `indir` is the queue of each hash, `key` that of
    the Toeplitz hash. Linux: struct ethtool_rxfh_param.
    """

    indir: list[int]
    key: bytes


@dataclass(slots=True)
class EthtoolTsInfo:
    """Which timestamps a device takes: masks of SOF_TIMESTAMPING_*, and of 1 << HWTSTAMP_TX_* and
    1 << HWTSTAMP_FILTER_*. Linux: struct kernel_ethtool_ts_info.
    """

    so_timestamping: int
    tx_types: int = 0
    rx_filters: int = 0


class EthtoolOps(Protocol):
    """Linux: struct ethtool_ops. A driver derives from it; what it leaves away is not supported.

    Getters answer None, setters a negative errno when they cannot.
    """

    def get_drvinfo(self, dev: NetDevice) -> EthtoolDrvinfo | None:
        """`ethtool -i`."""
        return None

    def get_ethtool_stats(self, dev: NetDevice) -> Mapping[str, int] | None:
        """`ethtool -S`: all counters by name, in order."""
        return None

    def get_ringparam(self, dev: NetDevice) -> EthtoolRingparam | None:
        """`ethtool -g`."""
        return None

    def set_ringparam(self, dev: NetDevice, param: EthtoolRingparam) -> int:
        """`ethtool -G`."""
        return -EOPNOTSUPP

    def get_channels(self, dev: NetDevice) -> EthtoolChannels | None:
        """`ethtool -l`."""
        return None

    def set_channels(self, dev: NetDevice, param: EthtoolChannels) -> int:
        """`ethtool -L`."""
        return -EOPNOTSUPP

    def get_coalesce(self, dev: NetDevice) -> EthtoolCoalesce | None:
        """`ethtool -c`."""
        return None

    def set_coalesce(self, dev: NetDevice, param: EthtoolCoalesce) -> int:
        """`ethtool -C`."""
        return -EOPNOTSUPP

    def get_pauseparam(self, dev: NetDevice) -> EthtoolPauseparam | None:
        """`ethtool -a`."""
        return None

    def set_pauseparam(self, dev: NetDevice, param: EthtoolPauseparam) -> int:
        """`ethtool -A`."""
        return -EOPNOTSUPP

    def get_rxfh(self, dev: NetDevice) -> EthtoolRxfh | None:
        """`ethtool -x`."""
        return None

    def set_rxfh(self, dev: NetDevice, param: EthtoolRxfh) -> int:
        """`ethtool -X`."""
        return -EOPNOTSUPP

    def get_ts_info(self, dev: NetDevice) -> EthtoolTsInfo | None:
        """`ethtool -T`."""
        return None


def ethtool_rxfh_indir_default(index: int, queues: int) -> int:
    """The queue of entry `index` in a table that spreads evenly. Linux:
    ethtool_rxfh_indir_default.
    """
    return index % queues


def ethtool_set_ringparam(dev: NetDevice, rx: int | None, tx: int | None) -> int:
    """Have rings of other sizes; None leaves one as it is. 0, -EOPNOTSUPP, -EINVAL beyond the
    maximum, or what the driver says. Linux: ethtool_set_ringparam.
    """
    ops = dev.ethtool_ops
    now = None if ops is None else ops.get_ringparam(dev)
    if ops is None or now is None:
        return -EOPNOTSUPP
    new = replace(
        now,
        rx_pending=now.rx_pending if rx is None else rx,
        tx_pending=now.tx_pending if tx is None else tx,
    )
    if new.rx_pending > now.rx_max_pending or new.tx_pending > now.tx_max_pending:
        return -EINVAL
    return ops.set_ringparam(dev, new)


def ethtool_set_channels(dev: NetDevice, rx: int | None, tx: int | None) -> int:
    """Use another number of queues; None leaves one as it is. 0, -EOPNOTSUPP, -EINVAL: none, more
    than there are, or fewer than the table of the flow hash uses once it was set by hand. Linux:
    ethtool_set_channels.
    """
    ops = dev.ethtool_ops
    now = None if ops is None else ops.get_channels(dev)
    if ops is None or now is None:
        return -EOPNOTSUPP
    new = replace(
        now,
        rx_count=now.rx_count if rx is None else rx,
        tx_count=now.tx_count if tx is None else tx,
    )
    if new == now:
        return 0
    if not 0 < new.rx_count <= now.max_rx or not 0 < new.tx_count <= now.max_tx:
        return -EINVAL
    flows = ops.get_rxfh(dev)
    if dev.rxfh_configured and flows is not None and max(flows.indir) >= new.rx_count:
        return -EINVAL
    return ops.set_channels(dev, new)


def ethtool_set_rxfh(dev: NetDevice, indir: list[int] | None, key: bytes | None) -> int:
    """Spread flows otherwise: another table (empty: the even one), another key. 0, -EOPNOTSUPP,
    -EINVAL for a queue that is not there or a key of the wrong length. Linux: ethtool_set_rxfh.
    """
    ops = dev.ethtool_ops
    now = None if ops is None else ops.get_rxfh(dev)
    if ops is None or now is None:
        return -EOPNOTSUPP
    size, queues = len(now.indir), dev.real_num_rx_queues
    if indir == []:
        table = [ethtool_rxfh_indir_default(index, queues) for index in range(size)]
    else:
        table = now.indir if indir is None else indir
    new_key = now.key if key is None else key
    if len(new_key) != len(now.key) or len(table) != size or max(table) >= queues:
        return -EINVAL
    error = ops.set_rxfh(dev, EthtoolRxfh(table, new_key))
    if not error and indir is not None:
        dev.rxfh_configured = bool(indir)
    return error
