"""The card with GMII: the same core at 8 bits a cycle, judged by cocotbext-eth."""

from __future__ import annotations

from typing import Any

import cocotb

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module
from tests.hdl.card import MAC, Card


def test_card_works_with_gmii(module_simulator: str) -> None:
    parameters = {"GMII": 1, "TX_QUEUES": 2, "RX_QUEUES": 1, "AXI_DATA_W": 64}
    run_module(__file__, module_simulator, parameters, top="hnic_top")


@cocotb.test()
async def frames_go_both_ways(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx()
    sent = [card.rng.randbytes(size) for size in (60, 61, 200)]
    for number, frame in enumerate(sent):
        card.tx[0].post_packet([(number, frame[:20]), (3, frame[20:])], number)
    await card.tx[0].doorbell()
    received = [MAC + card.rng.randbytes(size) for size in (54, 100, 300)]
    for frame in received:
        await card.receive(frame)
    assert [entry.frame for entry in await card.rx[0].completions(3)] == received
    assert [entry.status for entry in await card.tx[0].completions(3)] == [r.STATUS_OK] * 3
    await card.settle()
    assert card.frames() == sent


@cocotb.test()
async def the_link_is_a_gigabit(dut: Any) -> None:
    card = await Card(dut).start()
    assert await card.read(r.LINK_STATUS) >> r.LINK_STATUS_SPEED_LSB == 1000
    assert await card.read(r.QUEUES) == 2 << r.QUEUES_TXQ_LSB | 1 << r.QUEUES_RXQ_LSB
