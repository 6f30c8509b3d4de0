"""Completion records: in order, sent frames with their cycle, dropped ones without waiting."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


def test_completion_records_come_in_order(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.7])
async def records_keep_the_order_of_packets(dut: Any, pause: float) -> None:
    rng = seeded()
    await start(dut, cycle=0xDEAD, enter_valid=0, sent=0, cpl_ready=0)
    packets = [
        {
            "cookie": i,
            "next": i + 1,
            "status": rng.choice([r.STATUS_OK, r.STATUS_OK, r.STATUS_DMA_ERR]),
        }
        for i in range(100)
    ]

    async def wire() -> None:
        """Send each good frame some time after it was entered."""
        waiting = 0
        sent = 0
        while True:
            await RisingEdge(dut.clk)
            dut.sent.value = 0
            entered = dut.enter_valid.value and dut.enter_ready.value
            if waiting and rng.random() < 0.5:
                dut.sent.value, dut.sent_cycle.value = 1, 1000 + sent
                sent += 1
                waiting -= 1
            waiting += bool(entered and int(dut.enter_status.value) == r.STATUS_OK)

    cocotb.start_soon(wire())
    cocotb.start_soon(StreamSource(dut, "enter", rng, pause / 2).send(packets))
    got = await StreamSink(dut, "cpl", ["cookie", "next", "status"], rng, pause).take(100)
    assert got == packets


@cocotb.test()
async def a_sent_frame_carries_its_cycle_and_a_drop_is_counted(dut: Any) -> None:
    rng = seeded()
    await start(dut, cycle=77, enter_valid=0, sent=0, cpl_ready=0)
    await StreamSource(dut, "enter", rng).send([{"cookie": 1, "next": 1, "status": 0}])
    await ClockCycles(dut.clk, 5)
    assert not dut.cpl_valid.value
    dut.sent.value, dut.sent_cycle.value = 1, 55
    await RisingEdge(dut.clk)
    dut.sent.value = 0
    sink = StreamSink(dut, "cpl", ["cookie", "timestamp"], rng)
    assert await sink.take(1) == [{"cookie": 1, "timestamp": 55}]
    await StreamSource(dut, "enter", rng).send(
        [{"cookie": 2, "next": 2, "status": r.STATUS_BAD_DESC}]
    )
    dut.cpl_ready.value = 1
    await RisingEdge(dut.clk)
    assert dut.stat_tx_drops.value
    assert int(dut.cpl_timestamp.value) == 77
