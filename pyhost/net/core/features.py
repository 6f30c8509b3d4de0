"""What a device can do, and what an administrator lets it do.

Linux: net/core/dev.c (__netdev_update_features, netdev_fix_features), net/ethtool/common.c (names).

    wanted_features ─┐  netdev_fix_features, ndo_fix_features ─→ ndo_set_features ─→ features
    hw_features ─────┘  (which of them can be changed)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pyhost.net.core.netdev_chain import NETDEV_FEAT_CHANGE, call_netdevice_notifiers
from pyhost.net.core.netdevice import (
    NETIF_F_ALL_CSUM,
    NETIF_F_ALL_TSO,
    NETIF_F_FRAGLIST,
    NETIF_F_GRO,
    NETIF_F_GSO,
    NETIF_F_GSO_UDP_L4,
    NETIF_F_HW_CSUM,
    NETIF_F_HW_VLAN_CTAG_RX,
    NETIF_F_HW_VLAN_CTAG_TX,
    NETIF_F_IP_CSUM,
    NETIF_F_RXCSUM,
    NETIF_F_RXHASH,
    NETIF_F_SG,
    NETIF_F_TSO,
    NETIF_F_TSO6,
    NETIF_F_TSO_ECN,
    NETIF_F_TSO_MANGLEID,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice

__all__ = [
    "NETDEV_FEATURE_STRINGS", "NETIF_F_SOFT_FEATURES", "dev_set_features", "netdev_fix_features",
    "netdev_init_features", "netdev_update_features",
]  # fmt: skip

NETIF_F_SOFT_FEATURES = NETIF_F_GSO
"""What the stack does for every device, whatever it is."""

NETDEV_FEATURE_STRINGS: Mapping[str, int] = MappingProxyType({
    "rx-checksumming": NETIF_F_RXCSUM,
    "tx-checksum-ipv4": NETIF_F_IP_CSUM,
    "tx-checksum-ip-generic": NETIF_F_HW_CSUM,
    "tx-scatter-gather": NETIF_F_SG,
    "tx-scatter-gather-fraglist": NETIF_F_FRAGLIST,
    "tx-tcp-segmentation": NETIF_F_TSO,
    "tx-tcp-ecn-segmentation": NETIF_F_TSO_ECN,
    "tx-tcp-mangleid-segmentation": NETIF_F_TSO_MANGLEID,
    "tx-tcp6-segmentation": NETIF_F_TSO6,
    "tx-udp-segmentation": NETIF_F_GSO_UDP_L4,
    "tx-generic-segmentation": NETIF_F_GSO,
    "rx-gro": NETIF_F_GRO,
    "rx-vlan-hw-parse": NETIF_F_HW_VLAN_CTAG_RX,
    "tx-vlan-hw-insert": NETIF_F_HW_VLAN_CTAG_TX,
    "rx-hashing": NETIF_F_RXHASH,
})  # fmt: skip
"""ethtool's long names. Linux: netdev_features_strings."""


def netdev_fix_features(dev: NetDevice, features: int) -> int:
    """Take out what makes no sense without something else. Linux: netdev_fix_features."""
    if features & NETIF_F_HW_CSUM and features & NETIF_F_IP_CSUM:
        features &= ~NETIF_F_IP_CSUM
    if not features & NETIF_F_SG:
        features &= ~NETIF_F_ALL_TSO
    if features & NETIF_F_TSO and not features & NETIF_F_ALL_CSUM:
        features &= ~(NETIF_F_TSO | NETIF_F_TSO_ECN)
    if features & NETIF_F_TSO6 and not features & NETIF_F_HW_CSUM:
        features &= ~NETIF_F_TSO6
    if not features & NETIF_F_TSO:
        features &= ~NETIF_F_TSO_MANGLEID
    if not features & (NETIF_F_TSO | NETIF_F_TSO6):
        features &= ~NETIF_F_TSO_ECN
    if not features & NETIF_F_SG:
        features &= ~(NETIF_F_GSO | NETIF_F_GSO_UDP_L4)
    if not features & NETIF_F_ALL_CSUM:
        features &= ~NETIF_F_GSO_UDP_L4
    return features


def netdev_init_features(dev: NetDevice) -> None:
    """A new device: the soft features are on, and all that can be changed is wanted as it is.

    Linux: register_netdevice.
    """
    dev.hw_features |= NETIF_F_SOFT_FEATURES
    dev.features = netdev_fix_features(dev, dev.features | NETIF_F_SOFT_FEATURES)
    dev.wanted_features = (dev.features | NETIF_F_SOFT_FEATURES) & dev.hw_features


def netdev_update_features(dev: NetDevice) -> int:
    """Bring `features` in line with what is wanted: 1 when they changed, 0 when not, or the
    driver's negative errno. Linux: __netdev_update_features.
    """
    features = dev.features & ~dev.hw_features | dev.wanted_features & dev.hw_features
    fix = getattr(dev.ops, "ndo_fix_features", None)
    if fix is not None:
        features = fix(dev, features)
    features = netdev_fix_features(dev, features)
    if features == dev.features:
        return 0
    setter = getattr(dev.ops, "ndo_set_features", None)
    if setter is not None:
        error: int = setter(dev, features)
        if error:
            return error
    dev.features = features
    call_netdevice_notifiers(dev, NETDEV_FEAT_CHANGE)
    return 1


def dev_set_features(dev: NetDevice, valid: int, requested: int) -> int:
    """Ask for features: those in `valid` shall be as in `requested`.

    0, or a negative errno of the driver's. What cannot be changed is left alone: the caller
    compares `features` before and after. Sockets look at them anew, as their routes are obsolete.
    Linux: ethtool_set_features (net/ethtool/ioctl.c).
    """
    valid &= dev.hw_features
    dev.wanted_features = dev.wanted_features & ~valid | requested & valid
    return min(0, netdev_update_features(dev))
