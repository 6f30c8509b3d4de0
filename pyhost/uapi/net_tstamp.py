"""SO_TIMESTAMPING, and which packets a card timestamps. Linux: include/uapi/linux/net_tstamp.h,
include/uapi/linux/errqueue.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

SOF_TIMESTAMPING_TX_HARDWARE = 1 << 0
SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1
SOF_TIMESTAMPING_RX_HARDWARE = 1 << 2
SOF_TIMESTAMPING_RX_SOFTWARE = 1 << 3
SOF_TIMESTAMPING_SOFTWARE = 1 << 4
SOF_TIMESTAMPING_SYS_HARDWARE = 1 << 5
SOF_TIMESTAMPING_RAW_HARDWARE = 1 << 6
SOF_TIMESTAMPING_OPT_ID = 1 << 7
SOF_TIMESTAMPING_TX_SCHED = 1 << 8
SOF_TIMESTAMPING_TX_ACK = 1 << 9
SOF_TIMESTAMPING_OPT_CMSG = 1 << 10
SOF_TIMESTAMPING_OPT_TSONLY = 1 << 11
SOF_TIMESTAMPING_OPT_STATS = 1 << 12
SOF_TIMESTAMPING_OPT_PKTINFO = 1 << 13
SOF_TIMESTAMPING_OPT_TX_SWHW = 1 << 14
SOF_TIMESTAMPING_BIND_PHC = 1 << 15
SOF_TIMESTAMPING_OPT_ID_TCP = 1 << 16
SOF_TIMESTAMPING_OPT_RX_FILTER = 1 << 17
SOF_TIMESTAMPING_MASK = (1 << 18) - 1

SOF_TIMESTAMPING_TX_RECORD_MASK = (
    SOF_TIMESTAMPING_TX_HARDWARE
    | SOF_TIMESTAMPING_TX_SOFTWARE
    | SOF_TIMESTAMPING_TX_SCHED
    | SOF_TIMESTAMPING_TX_ACK
)
"""What a control message of one send may ask for."""

HWTSTAMP_TX_OFF = 0
HWTSTAMP_TX_ON = 1

HWTSTAMP_FILTER_NONE = 0
HWTSTAMP_FILTER_ALL = 1
HWTSTAMP_FILTER_LAST = 15
"""Kinds of packets that are timestamped on receipt; all but the first two are some of PTP or NTP.
"""

HWTSTAMP_CONFIG = Struct("<iii")
"""struct hwtstamp_config: flags, tx_type, rx_filter."""


@dataclass(slots=True, frozen=True)
class HwtstampConfig:
    """Which packets a card timestamps. Linux: struct kernel_hwtstamp_config."""

    tx_type: int
    rx_filter: int


SCM_TIMESTAMPING = Struct("<qqqqqq")
"""struct scm_timestamping: three struct timespec; software, unused, raw hardware."""
