"""Each counter counts its own event."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, start

EVENTS = {
    "stat_tx_frames": r.STAT_TX_FRAMES,
    "stat_tx_drops": r.STAT_TX_DROPS,
    "stat_tx_csums": r.STAT_TX_CSUMS,
    "stat_tx_descs": r.STAT_TX_DESCS,
    "stat_cpls": r.STAT_CPLS,
    "stat_axi_rd_errs": r.STAT_AXI_RD_ERRS,
    "stat_axi_wr_errs": r.STAT_AXI_WR_ERRS,
    "stat_doorbell_errs": r.STAT_DOORBELL_ERRS,
    "stat_irqs": r.STAT_IRQS,
}


def test_each_counter_counts_its_own_event(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


async def read(dut: Any, offset: int) -> int:
    dut.rd_en.value, dut.rd_addr.value = 1, offset
    await RisingEdge(dut.clk)
    dut.rd_en.value = 0
    await RisingEdge(dut.clk)
    return int(dut.rd_data.value)


@cocotb.test()
async def events_are_counted(dut: Any) -> None:
    await start(dut, rd_en=0, stat_tx_bytes=0, **dict.fromkeys(EVENTS, 0))
    for times, name in enumerate(EVENTS, start=1):
        for _ in range(times):
            getattr(dut, name).value = 1
            dut.stat_tx_bytes.value = 1514
            await RisingEdge(dut.clk)
        getattr(dut, name).value = 0
    for times, offset in enumerate(EVENTS.values(), start=1):
        assert await read(dut, offset) == times
    assert await read(dut, r.STAT_TX_BYTES) == 1514
    assert await read(dut, r.ID) == 0
