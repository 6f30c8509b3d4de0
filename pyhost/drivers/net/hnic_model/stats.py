"""The card's counters: registers STAT_*, 32 bits each. Hardware: hdl/csr/hnic_stats.v."""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs

__all__ = ["CardStats"]

_U32 = 0xFFFFFFFF
_FIELDS = {
    regs.STAT_TX_FRAMES: "tx_frames",
    regs.STAT_TX_BYTES: "tx_bytes",
    regs.STAT_TX_DROPS: "tx_drops",
    regs.STAT_TX_CSUMS: "tx_csums",
    regs.STAT_TX_DESCS: "tx_descs",
    regs.STAT_CPLS: "cpls",
    regs.STAT_AXI_RD_ERRS: "axi_rd_errs",
    regs.STAT_AXI_WR_ERRS: "axi_wr_errs",
    regs.STAT_DOORBELL_ERRS: "doorbell_errs",
    regs.STAT_IRQS: "irqs",
    regs.STAT_TX_TSO: "tx_tso",
    regs.STAT_TX_FLUSHED: "tx_flushed",
    regs.STAT_RX_FRAMES: "rx_frames",
    regs.STAT_RX_BYTES: "rx_bytes",
    regs.STAT_RX_FCS_ERRS: "rx_fcs_errs",
    regs.STAT_RX_LEN_ERRS: "rx_len_errs",
    regs.STAT_RX_FILTERED: "rx_filtered",
    regs.STAT_RX_OVERFLOWS: "rx_overflows",
    regs.STAT_RX_DROPS: "rx_drops",
    regs.STAT_RX_CSUM_ERRS: "rx_csum_errs",
    regs.STAT_RX_PAUSES: "rx_pauses",
}


class CardStats:
    """Counts since the card was made; a reset of the card does not clear them. `rx_overflows` stays
    0: frames go to memory at once, so that no packet store fills.
    """

    __slots__ = (
        "axi_rd_errs", "axi_wr_errs", "cpls", "doorbell_errs", "irqs", "rx_bytes", "rx_csum_errs",
        "rx_drops", "rx_fcs_errs", "rx_filtered", "rx_frames", "rx_len_errs", "rx_overflows",
        "rx_pauses", "tx_bytes", "tx_csums", "tx_descs", "tx_drops", "tx_flushed", "tx_frames",
        "tx_tso",
    )  # fmt: skip

    def __init__(self) -> None:
        self.tx_frames = self.tx_bytes = self.tx_drops = self.tx_csums = self.tx_descs = 0
        self.tx_tso = self.tx_flushed = 0
        self.rx_frames = self.rx_bytes = self.rx_fcs_errs = self.rx_len_errs = 0
        self.rx_filtered = self.rx_overflows = self.rx_drops = self.rx_csum_errs = 0
        self.rx_pauses = 0
        self.cpls = self.axi_rd_errs = self.axi_wr_errs = self.doorbell_errs = self.irqs = 0

    def read(self, offset: int) -> int | None:
        """The counter at register `offset`, None when there is none."""
        name = _FIELDS.get(offset)
        return None if name is None else getattr(self, name) & _U32
