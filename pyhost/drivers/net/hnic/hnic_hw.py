"""Register access of the driver: what is done to the card, not when. Linux:
drivers/net/ethernet/intel/igb/e1000_82575.c, e1000_mac.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.kernel.clock import NSEC_PER_USEC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyhost.bus.device import BusDevice

__all__ = [
    "COALESCE_MAX_COUNT", "COALESCE_MAX_USECS", "RSS_KEY_BYTES", "RSS_TABLE_ENTRIES",
    "STATUS_NAMES", "HnicInfo", "hnic_check_id", "hnic_disable_queue", "hnic_enable_queue",
    "hnic_identify", "hnic_link", "hnic_queue_error", "hnic_read_mac", "hnic_reset_hw",
    "hnic_reset_queue",
    "hnic_set_enable", "hnic_write_coalesce", "hnic_write_filter", "hnic_write_mac",
    "hnic_write_pause", "hnic_write_priority", "hnic_write_rate", "hnic_write_rss", "rx_block",
    "tx_block",
]  # fmt: skip

POLL_NS = 10 * NSEC_PER_USEC
"""How long the driver sleeps between two looks at a register that must change."""
POLL_TRIES = 2000
"""20 ms: more than the biggest ring of jumbo frames takes at 10 Gbit/s."""

VERSION_MAJOR = regs.VERSION_RST >> regs.VERSION_MAJOR_LSB
_CTRL_ENABLE = 1 << regs.CTRL_ENABLE_LSB
_CTRL_RESET = 1 << regs.CTRL_RESET_LSB
_Q_ENABLE = 1 << regs.Q_CTRL_ENABLE_LSB
_Q_RESET = 1 << regs.Q_CTRL_RESET_LSB
_Q_ACTIVE = 1 << regs.Q_STATUS_ACTIVE_LSB
_Q_ERROR = 1 << regs.Q_STATUS_ERROR_LSB
_PAUSE = 1 << regs.LINK_CFG_PAUSE_LSB

USEC_PER_SEC = 1_000_000

CLOCK_HZ = 156_250_000
"""The card's clock: one 64-bit word of 10 Gbit/s a cycle."""
UNITS_PER_SEC = CLOCK_HZ // 64
"""The card counts coalescing and moderation in 64 cycles."""
COALESCE_MAX_COUNT = (1 << regs.Q_COALESCE_COUNT_W) - 1
_TIME_MAX = (1 << regs.Q_COALESCE_TIME_W) - 1
COALESCE_MAX_USECS = _TIME_MAX * USEC_PER_SEC // UNITS_PER_SEC
_RATE_MAX = (1 << regs.Q_RATE_VALUE_W) - 1
_RATE_UNIT = 65536 * 125_000 / CLOCK_HZ
"""One Mbit/s in the unit of the rate limit."""

RSS_KEY_BYTES = 40
RSS_TABLE_ENTRIES = 128

STATUS_NAMES = {
    regs.STATUS_OK: "OK",
    regs.STATUS_DMA_ERR: "DMA_ERR",
    regs.STATUS_BAD_DESC: "BAD_DESC",
    regs.STATUS_TOO_LONG: "TOO_LONG",
    regs.STATUS_BAD_CSUM: "BAD_CSUM",
    regs.STATUS_DESC_ERR: "DESC_ERR",
    regs.STATUS_BAD_TSO: "BAD_TSO",
    regs.STATUS_TOO_MANY: "TOO_MANY",
    regs.STATUS_NO_DESC: "NO_DESC",
    regs.STATUS_CPL_ERR: "CPL_ERR",
}


class HnicInfo:
    """What a card says of itself."""

    __slots__ = (
        "csum", "max_frame", "max_segs", "pause", "rate", "rss", "rx_queues", "time", "tso",
        "tx_queues", "vlan",
    )  # fmt: skip

    def __init__(self, features: int, queues: int, max_frame: int, max_segs: int) -> None:
        self.csum = bool(features >> regs.FEATURES_CSUM_LSB & 1)
        self.tso = bool(features >> regs.FEATURES_TSO_LSB & 1)
        self.vlan = bool(features >> regs.FEATURES_VLAN_LSB & 1)
        self.rss = bool(features >> regs.FEATURES_RSS_LSB & 1)
        self.time = bool(features >> regs.FEATURES_TIME_LSB & 1)
        self.pause = bool(features >> regs.FEATURES_PAUSE_LSB & 1)
        self.rate = bool(features >> regs.FEATURES_RATE_LSB & 1)
        self.tx_queues = queues >> regs.QUEUES_TXQ_LSB & (1 << regs.QUEUES_TXQ_W) - 1
        self.rx_queues = queues >> regs.QUEUES_RXQ_LSB & (1 << regs.QUEUES_RXQ_W) - 1
        self.max_frame = max_frame
        self.max_segs = max_segs


def tx_block(queue: int) -> int:
    """Where the registers of TX queue `queue` begin."""
    return regs.TXQ_BASE + regs.TXQ_STRIDE * queue


def rx_block(queue: int) -> int:
    """Where the registers of RX queue `queue` begin."""
    return regs.RXQ_BASE + regs.RXQ_STRIDE * queue


# -- the card --------------------------------------------------------------------------------------


def hnic_check_id(bus: BusDevice) -> bool:
    """Whether an hnic with a register map that this driver knows answers."""
    return (
        bus.readl(regs.ID) == regs.ID_RST
        and bus.readl(regs.VERSION) >> regs.VERSION_MAJOR_LSB == VERSION_MAJOR
    )


def hnic_identify(bus: BusDevice) -> HnicInfo:
    """Ask the card what it can. A queue without an interrupt vector (2q and 2q + 1) is no queue.
    Linux: igb_get_invariants.
    """
    info = HnicInfo(
        bus.readl(regs.FEATURES),
        bus.readl(regs.QUEUES),
        bus.readl(regs.MAX_FRAME),
        bus.readl(regs.MAX_SEGS),
    )
    pairs = max(1, len(bus.irqs) // 2)
    info.tx_queues = min(max(1, info.tx_queues), pairs)
    info.rx_queues = min(max(1, info.rx_queues), pairs)
    return info


def hnic_reset_hw(bus: BusDevice) -> bool:
    """Reset the card and wait until it is done; False when it does not come back. May sleep. Linux:
    igb_reset_hw.
    """
    bus.writel(_CTRL_RESET, regs.CTRL)
    return _wait_clear(bus, regs.CTRL, _CTRL_RESET)


def hnic_set_enable(bus: BusDevice, on: bool) -> None:
    """Let the card fetch descriptors and receive, or not."""
    bus.writel(_CTRL_ENABLE if on else 0, regs.CTRL)


def hnic_read_mac(bus: BusDevice) -> bytes:
    """The card's address, 6 octets. Linux: igb_read_mac_addr."""
    low = bus.readl(regs.MAC_LO)
    high = bus.readl(regs.MAC_HI) & (1 << regs.MAC_HI_OCTETS_W) - 1
    return (high << 32 | low).to_bytes(6, "little")


def hnic_write_mac(bus: BusDevice, addr: bytes) -> None:
    """Give the card another address. Linux: igb_rar_set."""
    bus.writel(int.from_bytes(addr[:4], "little"), regs.MAC_LO)
    bus.writel(int.from_bytes(addr[4:], "little"), regs.MAC_HI)


def hnic_link(bus: BusDevice) -> tuple[bool, int]:
    """Whether there is a link, and its speed in Mbit/s. Linux: igb_has_link."""
    status = bus.readl(regs.LINK_STATUS)
    speed = status >> regs.LINK_STATUS_SPEED_LSB & (1 << regs.LINK_STATUS_SPEED_W) - 1
    return bool(status >> regs.LINK_STATUS_UP_LSB & 1), speed


def hnic_write_pause(bus: BusDevice, on: bool) -> None:
    """Honour pause frames, or not; the gap between frames stays as it is. In a task. Linux:
    igb_force_mac_fc.
    """
    config = bus.readl(regs.LINK_CFG)
    bus.writel(config | _PAUSE if on else config & ~_PAUSE, regs.LINK_CFG)


def hnic_write_filter(bus: BusDevice, control: int, groups: int) -> None:
    """Which frames to take: RX_CTRL and the 64 bits of the multicast filter. Linux:
    igb_update_mc_addr_list.
    """
    bus.writel(groups & 0xFFFFFFFF, regs.MC_HASH_LO)
    bus.writel(groups >> 32, regs.MC_HASH_HI)
    bus.writel(control, regs.RX_CTRL)


def hnic_write_rss(bus: BusDevice, key: bytes, table: Sequence[int]) -> None:
    """The key of the hash and the queue of each of its lowest 7 bits. Linux: igb_setup_mrqc,
    igb_write_rss_indir_tbl.
    """
    for index in range(0, RSS_KEY_BYTES, 4):
        bus.writel(int.from_bytes(key[index : index + 4], "little"), regs.RSS_KEY + index)
    for index in range(0, RSS_TABLE_ENTRIES, 4):
        four = bytes(table[index : index + 4])
        bus.writel(int.from_bytes(four, "little"), regs.RSS_TABLE + index)


# -- a queue ---------------------------------------------------------------------------------------


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
    """Stop a queue and wait until it has finished; False when it does not. A fault of it is
    forgotten. May sleep. Linux: igb_disable_tx_queue.
    """
    bus.writel(0, block + regs.Q_CTRL)
    if not _wait_clear(bus, block + regs.Q_STATUS, _Q_ACTIVE):
        return False
    if bus.readl(block + regs.Q_STATUS) & _Q_ERROR:
        return hnic_reset_queue(bus, block)
    return True


def hnic_reset_queue(bus: BusDevice, block: int) -> bool:
    """Reset a queue and wait until nothing of it is under way; False when that takes too long. It
    is off then, and forgets its fault. May sleep.
    """
    bus.writel(_Q_RESET, block + regs.Q_CTRL)
    return _wait_clear(bus, block + regs.Q_CTRL, _Q_RESET)


def hnic_queue_error(bus: BusDevice, block: int) -> tuple[int, int] | None:
    """(status, descriptor index) of the fault that stopped a queue; None while it runs. Reads
    registers: in a task.
    """
    if not bus.readl(block + regs.Q_STATUS) & _Q_ERROR:
        return None
    error = bus.readl(block + regs.Q_ERROR)
    status = error >> regs.Q_ERROR_STATUS_LSB & (1 << regs.Q_ERROR_STATUS_W) - 1
    return status, error >> regs.Q_ERROR_INDEX_LSB


def hnic_write_coalesce(bus: BusDevice, block: int, usecs: int, frames: int) -> None:
    """How late an interrupt may be. With `frames` of 2 and more: when so many have completed, or
    `usecs` after the first of them (0: no such limit). Else `usecs` is the least time between two
    interrupts. Linux: igb_write_itr.
    """
    units = _units(usecs)
    coalesce = moderation = 0
    if frames > 1:
        coalesce = (units or _TIME_MAX) << regs.Q_COALESCE_TIME_LSB | frames
    else:
        moderation = units
    bus.writel(coalesce, block + regs.Q_COALESCE)
    bus.writel(moderation, block + regs.Q_MODERATION)


def _units(usecs: int) -> int:
    return min(_TIME_MAX, -(-usecs * UNITS_PER_SEC // USEC_PER_SEC))


def hnic_write_rate(bus: BusDevice, block: int, mbps: int) -> None:
    """The most a TX queue may send, Mbit/s on the wire; 0: as much as it can. Linux:
    igb_set_vf_rate_limit.
    """
    value = min(_RATE_MAX, max(1, round(mbps * _RATE_UNIT))) if mbps else 0
    bus.writel(value, block + regs.Q_RATE)


def hnic_write_priority(bus: BusDevice, block: int, priority: int) -> None:
    """The class of a TX queue, 0 to 7: a higher one goes first."""
    bus.writel(priority & (1 << regs.Q_PRIORITY_CLASS_W) - 1, block + regs.Q_PRIORITY)


def _wait_clear(bus: BusDevice, offset: int, mask: int) -> bool:
    """Look at a register until the bits of `mask` are 0; False when the time is up. Linux:
    readl_poll_timeout.
    """
    for _ in range(POLL_TRIES):
        if not bus.readl(offset) & mask:
            return True
        bus.kernel.sched.schedule_timeout(POLL_NS)
    return False
