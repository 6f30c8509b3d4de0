"""Register access of the driver: what is done to the card, not when. Linux:
drivers/net/ethernet/intel/igb/e1000_82575.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.kernel.clock import NSEC_PER_USEC

if TYPE_CHECKING:
    from pyhost.bus.device import BusDevice

__all__ = [
    "hnic_check_id", "hnic_disable_queue", "hnic_enable_queue", "hnic_has_csum", "hnic_link_up",
    "hnic_max_frame", "hnic_read_mac", "hnic_reset_hw", "hnic_set_enable", "rx_block", "tx_block",
]  # fmt: skip

POLL_NS = 10 * NSEC_PER_USEC
"""How long the driver sleeps between two looks at a register that must change."""
POLL_TRIES = 2000
"""20 ms: more than the biggest ring of jumbo frames takes at 10 Gbit/s."""

VERSION_MAJOR = regs.VERSION_RST >> regs.VERSION_MAJOR_LSB
_CTRL_ENABLE = 1 << regs.CTRL_ENABLE_LSB
_CTRL_RESET = 1 << regs.CTRL_RESET_LSB
_Q_ENABLE = 1 << regs.Q_CTRL_ENABLE_LSB
_Q_ACTIVE = 1 << regs.Q_STATUS_ACTIVE_LSB


def tx_block(queue: int) -> int:
    """Where the registers of TX queue `queue` begin."""
    return regs.TXQ_BASE + regs.TXQ_STRIDE * queue


def rx_block(queue: int) -> int:
    """Where the registers of RX queue `queue` begin."""
    return regs.RXQ_BASE + regs.RXQ_STRIDE * queue


def hnic_check_id(bus: BusDevice) -> bool:
    """Whether an hnic with a register map that this driver knows answers."""
    return (
        bus.readl(regs.ID) == regs.ID_RST
        and bus.readl(regs.VERSION) >> regs.VERSION_MAJOR_LSB == VERSION_MAJOR
    )


def hnic_reset_hw(bus: BusDevice) -> bool:
    """Reset the card and wait until it is done; False when it does not come back. May sleep. Linux:
    igb_reset_hw.
    """
    bus.writel(_CTRL_RESET, regs.CTRL)
    return _wait_clear(bus, regs.CTRL, _CTRL_RESET)


def hnic_set_enable(bus: BusDevice, on: bool) -> None:
    """Let the card fetch descriptors, or not."""
    bus.writel(_CTRL_ENABLE if on else 0, regs.CTRL)


def hnic_read_mac(bus: BusDevice) -> bytes:
    """The card's address, 6 octets. Linux: igb_read_mac_addr."""
    low = bus.readl(regs.MAC_LO)
    high = bus.readl(regs.MAC_HI) & (1 << regs.MAC_HI_OCTETS_W) - 1
    return (high << 32 | low).to_bytes(6, "little")


def hnic_max_frame(bus: BusDevice) -> int:
    """The longest frame (without FCS) the card sends."""
    return bus.readl(regs.MAX_FRAME)


def hnic_has_csum(bus: BusDevice) -> bool:
    """Whether the card inserts checksums."""
    return bool(bus.readl(regs.FEATURES) >> regs.FEATURES_CSUM_LSB & 1)


def hnic_link_up(bus: BusDevice) -> bool:
    """Whether there is a link. Linux: igb_has_link."""
    return bool(bus.readl(regs.LINK_STATUS) >> regs.LINK_STATUS_UP_LSB & 1)


def hnic_enable_queue(
    bus: BusDevice, block: int, ring: tuple[int, int], completions: tuple[int, int]
) -> None:
    """Tell a queue where its rings are, (bus address, entries) each, and start it at index 0.
    Linux: igb_configure_tx_ring.
    """
    for (addr, count), low, high, size in (
        (ring, regs.Q_BASE_LO, regs.Q_BASE_HI, regs.Q_SIZE),
        (completions, regs.Q_CPL_BASE_LO, regs.Q_CPL_BASE_HI, regs.Q_CPL_SIZE),
    ):
        bus.writel(addr & 0xFFFFFFFF, block + low)
        bus.writel(addr >> 32, block + high)
        bus.writel(count.bit_length() - 1, block + size)
    bus.writel(_Q_ENABLE, block + regs.Q_CTRL)


def hnic_disable_queue(bus: BusDevice, block: int) -> bool:
    """Stop a queue and wait until it has finished; False when it does not. May sleep. Linux:
    igb_disable_tx_queue.
    """
    bus.writel(0, block + regs.Q_CTRL)
    return _wait_clear(bus, block + regs.Q_STATUS, _Q_ACTIVE)


def _wait_clear(bus: BusDevice, offset: int, mask: int) -> bool:
    """Look at a register until the bits of `mask` are 0; False when the time is up. Linux:
    readl_poll_timeout.
    """
    for _ in range(POLL_TRIES):
        if not bus.readl(offset) & mask:
            return True
        bus.kernel.sched.schedule_timeout(POLL_NS)
    return False
