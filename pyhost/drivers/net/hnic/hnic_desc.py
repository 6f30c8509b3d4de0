"""The records in host memory that driver and card exchange: where each field stands in its
little-endian quadword.

Everything comes from `hnic_regs`; this file only turns bit places of a record into shifts within
the quadwords that `Struct` packs. Packing by quadwords is one call a record, which the data path
needs. PHASE is in the last quadword, which the card writes last: whoever sees it sees the rest.
"""

from __future__ import annotations

from struct import Struct

from pyhost.drivers.net.hnic import hnic_regs as regs

__all__ = [
    "RXC_BUFS_MASK", "RXC_BUFS_SHIFT", "RXC_BUF_ID_MASK", "RXC_COOKIE_SHIFT", "RXC_CSUM_MASK",
    "RXC_CSUM_OK", "RXC_CSUM_SHIFT", "RXC_HASH_SHIFT", "RXC_HASH_TYPE_MASK",
    "RXC_HASH_TYPE_SHIFT", "RXC_HEAD_SHIFT", "RXC_IP_OK", "RXC_LEN_MASK", "RXC_PHASE",
    "RXC_STATUS_MASK", "RXC_STATUS_SHIFT", "RXC_VLAN", "RXC_VLAN_TCI_MASK", "RXD_BUF_ID_SHIFT",
    "RXD_LEN_MASK", "RX_CPL", "RX_CPL_LAST", "RX_DESC", "TXC_COOKIE_MASK", "TXC_HEAD_SHIFT",
    "TXC_PHASE", "TXC_STATUS_MASK", "TXC_STATUS_SHIFT", "TXD_COOKIE_MASK", "TXD_CSUM",
    "TXD_CSUM_OFFSET_SHIFT", "TXD_CSUM_START_SHIFT", "TXD_EOP", "TXD_HDR_LEN_SHIFT", "TXD_IPCSUM",
    "TXD_IPV4", "TXD_L3_START_SHIFT", "TXD_LEN_MASK", "TXD_MSS_MASK", "TXD_SOP", "TXD_TSO",
    "TXD_VLAN", "TXD_VLAN_TCI_SHIFT", "TX_CPL", "TX_CPL_LAST", "TX_DESC",
]  # fmt: skip

TX_DESC = Struct("<QQQQ")
"""ADDR; LEN, flags, CSUM_START, CSUM_OFFSET; MSS, HDR_LEN, VLAN_TCI, L3_START; COOKIE."""
TXD_LEN_MASK = (1 << regs.TXD_LEN_W) - 1
TXD_SOP = 1 << regs.TXD_SOP_LSB - 64
TXD_EOP = 1 << regs.TXD_EOP_LSB - 64
TXD_CSUM = 1 << regs.TXD_CSUM_LSB - 64
TXD_TSO = 1 << regs.TXD_TSO_LSB - 64
TXD_VLAN = 1 << regs.TXD_VLAN_LSB - 64
TXD_IPV4 = 1 << regs.TXD_IPV4_LSB - 64
TXD_IPCSUM = 1 << regs.TXD_IPCSUM_LSB - 64
TXD_CSUM_START_SHIFT = regs.TXD_CSUM_START_LSB - 64
TXD_CSUM_OFFSET_SHIFT = regs.TXD_CSUM_OFFSET_LSB - 64
TXD_MSS_MASK = (1 << regs.TXD_MSS_W) - 1
TXD_HDR_LEN_SHIFT = regs.TXD_HDR_LEN_LSB - 128
TXD_VLAN_TCI_SHIFT = regs.TXD_VLAN_TCI_LSB - 128
TXD_L3_START_SHIFT = regs.TXD_L3_START_LSB - 128
TXD_COOKIE_MASK = (1 << regs.TXD_COOKIE_W) - 1

TX_CPL = Struct("<QQ")
"""TIMESTAMP; COOKIE, HEAD, STATUS, PHASE."""
TX_CPL_LAST = regs.TXC_PHASE_LSB // 64 * 8
"""Byte at which the quadword with the phase begins."""
TXC_COOKIE_MASK = (1 << regs.TXC_COOKIE_W) - 1
TXC_HEAD_SHIFT = regs.TXC_HEAD_LSB - 64
TXC_STATUS_SHIFT = regs.TXC_STATUS_LSB - 64
TXC_STATUS_MASK = (1 << regs.TXC_STATUS_W) - 1
TXC_PHASE = 1 << regs.TXC_PHASE_LSB - 64

RX_DESC = Struct("<QQ")
"""ADDR; LEN, BUF_ID."""
RXD_LEN_MASK = (1 << regs.RXD_LEN_W) - 1
RXD_BUF_ID_SHIFT = regs.RXD_BUF_ID_LSB - 64

RX_CPL = Struct("<QQQQ")
"""BUF_ID, COOKIE; TIMESTAMP; LEN, CSUM, HASH; VLAN_TCI, BUFS, HASH_TYPE, flags, HEAD, STATUS,
PHASE.
"""
RX_CPL_LAST = regs.RXC_PHASE_LSB // 64 * 8
"""Byte at which the quadword with the phase begins."""
RXC_BUF_ID_MASK = (1 << regs.RXC_BUF_ID_W) - 1
RXC_COOKIE_SHIFT = regs.RXC_COOKIE_LSB
RXC_LEN_MASK = (1 << regs.RXC_LEN_W) - 1
RXC_CSUM_SHIFT = regs.RXC_CSUM_LSB - 128
RXC_CSUM_MASK = (1 << regs.RXC_CSUM_W) - 1
RXC_HASH_SHIFT = regs.RXC_HASH_LSB - 128
RXC_VLAN_TCI_MASK = (1 << regs.RXC_VLAN_TCI_W) - 1
RXC_BUFS_SHIFT = regs.RXC_BUFS_LSB - 192
RXC_BUFS_MASK = (1 << regs.RXC_BUFS_W) - 1
RXC_HASH_TYPE_SHIFT = regs.RXC_HASH_TYPE_LSB - 192
RXC_HASH_TYPE_MASK = (1 << regs.RXC_HASH_TYPE_W) - 1
RXC_VLAN = 1 << regs.RXC_VLAN_LSB - 192
RXC_IP_OK = 1 << regs.RXC_IP_OK_LSB - 192
RXC_CSUM_OK = 1 << regs.RXC_CSUM_OK_LSB - 192
RXC_HEAD_SHIFT = regs.RXC_HEAD_LSB - 192
RXC_STATUS_SHIFT = regs.RXC_STATUS_LSB - 192
RXC_STATUS_MASK = (1 << regs.RXC_STATUS_W) - 1
RXC_PHASE = 1 << regs.RXC_PHASE_LSB - 192
