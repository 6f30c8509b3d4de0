"""The card's counters: registers STAT_*, 32 bits each."""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs

__all__ = ["CardStats"]

_FIELDS = {
    regs.STAT_TX_FRAMES: "tx_frames",
    regs.STAT_TX_BYTES: "tx_bytes",
    regs.STAT_TX_DROPS: "tx_drops",
    regs.STAT_TX_CSUMS: "tx_csums",
    regs.STAT_TX_DESCS: "tx_descs",
    regs.STAT_CPLS: "cpls",
    regs.STAT_AXI_RD_ERRS: "axi_rd_errs",
    regs.STAT_AXI_WR_ERRS: "axi_wr_errs",
}


class CardStats:
    """Counts since the card was made; a reset of the card does not clear them."""

    __slots__ = (
        "axi_rd_errs",
        "axi_wr_errs",
        "cpls",
        "tx_bytes",
        "tx_csums",
        "tx_descs",
        "tx_drops",
        "tx_frames",
    )

    def __init__(self) -> None:
        self.tx_frames = self.tx_bytes = self.tx_drops = self.tx_csums = self.tx_descs = 0
        self.cpls = self.axi_rd_errs = self.axi_wr_errs = 0

    def read(self, offset: int) -> int | None:
        """The counter at register `offset`, None when there is none."""
        name = _FIELDS.get(offset)
        return None if name is None else getattr(self, name) & 0xFFFFFFFF
