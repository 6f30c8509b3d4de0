"""Each counter counts its own event."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, start

NAMES = (
    "tx_frames",
    "tx_drops",
    "tx_csums",
    "tx_descs",
    "cpls",
    "axi_rd_errs",
    "axi_wr_errs",
    "doorbell_errs",
    "irqs",
    "tx_tso",
    "tx_flushed",
    "rx_frames",
    "rx_fcs_errs",
    "rx_len_errs",
    "rx_filtered",
    "rx_overflows",
    "rx_drops",
    "rx_csum_errs",
    "rx_pauses",
)
EVENTS = {f"stat_{name}": getattr(r, f"STAT_{name.upper()}") for name in NAMES}


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
    await start(dut, rd_en=0, stat_tx_bytes=0, stat_rx_bytes=0, **dict.fromkeys(EVENTS, 0))
    for times, name in enumerate(EVENTS, start=1):
        for _ in range(times):
            getattr(dut, name).value = 1
            dut.stat_tx_bytes.value = 1514
            dut.stat_rx_bytes.value = 60
            await RisingEdge(dut.clk)
        getattr(dut, name).value = 0
    for times, offset in enumerate(EVENTS.values(), start=1):
        assert await read(dut, offset) == times
    assert await read(dut, r.STAT_TX_BYTES) == 1514
    assert await read(dut, r.STAT_RX_BYTES) == 60 * (1 + list(EVENTS).index("stat_rx_frames"))
    assert await read(dut, r.ID) == 0


@cocotb.test()
async def events_of_one_cycle_add_up(dut: Any) -> None:
    await start(dut, rd_en=0, stat_tx_bytes=7, stat_rx_bytes=9, **dict.fromkeys(EVENTS, 0))
    for name in EVENTS:
        getattr(dut, name).value = 1
    dut.stat_irqs.value = 64
    dut.stat_rx_len_errs.value = 2
    await RisingEdge(dut.clk)
    for name in EVENTS:
        getattr(dut, name).value = 0
    for name, offset in EVENTS.items():
        assert await read(dut, offset) == {"stat_irqs": 64, "stat_rx_len_errs": 2}.get(name, 1)
    assert await read(dut, r.STAT_TX_BYTES) == 7
    assert await read(dut, r.STAT_RX_PAUSES + 4) == 0
