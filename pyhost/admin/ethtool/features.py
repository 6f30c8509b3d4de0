"""`ethtool -k DEV` and `ethtool -K DEV FEATURE on|off …`: what a device does itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ethtool.params import no_more
from pyhost.admin.ip_words import answer
from pyhost.net.core.features import NETDEV_FEATURE_STRINGS, dev_set_features
from pyhost.net.core.netdevice import (
    NETIF_F_ALL_CSUM,
    NETIF_F_ALL_TSO,
    NETIF_F_FRAGLIST,
    NETIF_F_GRO,
    NETIF_F_GSO,
    NETIF_F_HW_VLAN_CTAG_RX,
    NETIF_F_HW_VLAN_CTAG_TX,
    NETIF_F_RXCSUM,
    NETIF_F_RXHASH,
    NETIF_F_SG,
)

if TYPE_CHECKING:
    from pyhost.admin.ip_words import Words
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["change", "show"]

SHORT_NAMES: Mapping[str, tuple[str, int]] = MappingProxyType({
    "rx": ("rx-checksumming", NETIF_F_RXCSUM),
    "tx": ("tx-checksumming", NETIF_F_ALL_CSUM),
    "sg": ("scatter-gather", NETIF_F_SG | NETIF_F_FRAGLIST),
    "tso": ("tcp-segmentation-offload", NETIF_F_ALL_TSO),
    "gso": ("generic-segmentation-offload", NETIF_F_GSO),
    "gro": ("generic-receive-offload", NETIF_F_GRO),
    "rxvlan": ("rx-vlan-offload", NETIF_F_HW_VLAN_CTAG_RX),
    "txvlan": ("tx-vlan-offload", NETIF_F_HW_VLAN_CTAG_TX),
    "rxhash": ("receive-hashing", NETIF_F_RXHASH),
})  # fmt: skip
"""ethtool's own names, each for several features: what is typed, what is shown."""


def show(dev: NetDevice, words: Words) -> str:
    """ethtool: dump_features."""
    no_more(words)
    lines = [f"Features for {dev.name}:"]
    for title, mask in SHORT_NAMES.values():
        alone = mask in NETDEV_FEATURE_STRINGS.values()
        state = _state(dev, mask) if alone else "on" if dev.features & mask else "off"
        lines.append(f"{title}: {state}")
        for name, bit in NETDEV_FEATURE_STRINGS.items():
            if bit & mask and name != title and bit != mask:
                lines.append(f"\t{name}: {_state(dev, bit)}")
    grouped = {bit for _, mask in SHORT_NAMES.values() for bit in _bits(mask)}
    for name, bit in NETDEV_FEATURE_STRINGS.items():
        if bit not in grouped:
            lines.append(f"{name}: {_state(dev, bit)}")
    return "\n".join(lines) + "\n"


def _bits(mask: int) -> list[int]:
    return [bit for bit in NETDEV_FEATURE_STRINGS.values() if bit & mask]


def _state(dev: NetDevice, bit: int) -> str:
    text = "on" if dev.features & bit else "off"
    if not dev.hw_features & bit:
        return f"{text} [fixed]"
    if bool(dev.features & bit) != bool(dev.wanted_features & bit):
        return f"{text} [requested {'off' if dev.features & bit else 'on'}]"
    return text


def change(dev: NetDevice, words: Words) -> str:
    """ethtool: do_sfeatures. What is asked for and already so is no mistake."""
    valid = requested = 0
    while words:
        name = words.next()
        bits = SHORT_NAMES[name][1] if name in SHORT_NAMES else NETDEV_FEATURE_STRINGS.get(name)
        if bits is None:
            raise CommandError(f"ethtool: bad command line argument(s): {name}")
        state = words.next()
        if state not in ("on", "off"):
            raise CommandError(f"ethtool: bad command line argument(s): {state}")
        valid |= bits
        requested = requested & ~bits | (bits if state == "on" else 0)
    before = dev.features
    answer(dev_set_features(dev, valid, requested))
    differs = (dev.features ^ requested) & valid & _everything()
    if (before ^ requested) & valid & dev.hw_features and dev.features == before:
        raise CommandError("Could not change any device features")
    if dev.features == before or not differs | ((before ^ dev.features) & ~valid):
        return ""
    changed = "".join(
        f"{name}: {_state(dev, bit)}\n"
        for name, bit in NETDEV_FEATURE_STRINGS.items()
        if (before ^ dev.features) & bit
    )
    return f"Actual changes:\n{changed}"


def _everything() -> int:
    mask = 0
    for bit in NETDEV_FEATURE_STRINGS.values():
        mask |= bit
    return mask
