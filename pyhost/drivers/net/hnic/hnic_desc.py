"""The records in host memory that driver and card exchange: where each field stands in its
little-endian quadword.

Everything comes from `hnic_regs`; this file only turns bit places of a record into shifts within
the quadwords that `Struct` packs. Packing by quadwords is one call a record, which the data path
needs.
"""

from __future__ import annotations

from struct import Struct

from pyhost.drivers.net.hnic import hnic_regs as regs

__all__ = [
    "RXC_BUF_ID_MASK", "RXC_COOKIE_SHIFT", "RXC_CSUM_OK", "RXC_CSUM_SHIFT", "RXC_HEAD_SHIFT",
    "RXC_LEN_MASK", "RXC_PHASE", "RXC_STATUS_MASK", "RXC_STATUS_SHIFT", "RXD_BUF_ID_SHIFT",
    "RXD_LEN_MASK", "RX_CPL", "RX_DESC", "TXC_COOKIE_MASK", "TXC_HEAD_SHIFT", "TXC_PHASE",
    "TXC_STATUS_MASK", "TXC_STATUS_SHIFT", "TXD_CSUM", "TXD_CSUM_OFFSET_SHIFT",
    "TXD_CSUM_START_SHIFT", "TXD_EOP", "TXD_LEN_MASK", "TXD_SOP", "TXD_TSO", "TXD_VLAN", "TX_CPL",
    "TX_DESC",
]  # fmt: skip

TX_DESC = Struct("<QQQQ")
"""ADDR; LEN, flags, CSUM_START, CSUM_OFFSET; MSS, HDR_LEN, VLAN_TCI; COOKIE."""
TXD_LEN_MASK = (1 << regs.TXD_LEN_W) - 1
TXD_SOP = 1 << regs.TXD_SOP_LSB - 64
TXD_EOP = 1 << regs.TXD_EOP_LSB - 64
TXD_CSUM = 1 << regs.TXD_CSUM_LSB - 64
TXD_TSO = 1 << regs.TXD_TSO_LSB - 64
TXD_VLAN = 1 << regs.TXD_VLAN_LSB - 64
TXD_CSUM_START_SHIFT = regs.TXD_CSUM_START_LSB - 64
TXD_CSUM_OFFSET_SHIFT = regs.TXD_CSUM_OFFSET_LSB - 64

TX_CPL = Struct("<QQ")
"""COOKIE, HEAD, STATUS, PHASE; TIMESTAMP."""
TXC_COOKIE_MASK = (1 << regs.TXC_COOKIE_W) - 1
TXC_HEAD_SHIFT = regs.TXC_HEAD_LSB
TXC_STATUS_SHIFT = regs.TXC_STATUS_LSB
TXC_STATUS_MASK = (1 << regs.TXC_STATUS_W) - 1
TXC_PHASE = 1 << regs.TXC_PHASE_LSB

RX_DESC = Struct("<QQ")
"""ADDR; LEN, BUF_ID."""
RXD_LEN_MASK = (1 << regs.RXD_LEN_W) - 1
RXD_BUF_ID_SHIFT = regs.RXD_BUF_ID_LSB - 64

RX_CPL = Struct("<QQQQ")
"""BUF_ID, HEAD, STATUS, CSUM_OK, PHASE; TIMESTAMP; LEN, CSUM, VLAN_TCI; HASH, COOKIE."""
RXC_BUF_ID_MASK = (1 << regs.RXC_BUF_ID_W) - 1
RXC_HEAD_SHIFT = regs.RXC_HEAD_LSB
RXC_STATUS_SHIFT = regs.RXC_STATUS_LSB
RXC_STATUS_MASK = (1 << regs.RXC_STATUS_W) - 1
RXC_CSUM_OK = 1 << regs.RXC_CSUM_OK_LSB
RXC_PHASE = 1 << regs.RXC_PHASE_LSB
RXC_LEN_MASK = (1 << regs.RXC_LEN_W) - 1
RXC_CSUM_SHIFT = regs.RXC_CSUM_LSB - 128
RXC_COOKIE_SHIFT = regs.RXC_COOKIE_LSB - 192
