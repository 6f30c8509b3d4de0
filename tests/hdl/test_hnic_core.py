"""The card without a MAC, between cocotbext-axi's memory and a sink that is always ready."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import number, run_module
from tests.hdl.card import Card


class Engine(Card):
    """A card whose wire is the core's own stream."""

    has_mac = False

    def _connect_wire(self) -> None:
        dut = self.dut
        self.out: list[bytes] = []
        self.source = Silence()
        for name in ("rx_valid", "sent", "mac_busy", "mac_rx_busy", "status_paused"):
            getattr(dut, name).value = 0
        for name in ("stat_rx_fcs_errs", "stat_rx_len_errs", "stat_rx_pauses"):
            getattr(dut, name).value = 0
        dut.sent_bytes.value = dut.sent_time.value = 0
        dut.tx_ready.value = 1
        cocotb.start_soon(self._take())

    async def _take(self) -> None:
        """Take every word; say that a frame was sent in the cycle after its last."""
        dut, frame = self.dut, b""
        while True:
            await RisingEdge(dut.clk)
            over = bool(dut.tx_valid.value) and bool(dut.tx_last.value)
            dut.sent.value, dut.sent_end.value = int(over), dut.tx_end.value
            if not dut.tx_valid.value:
                continue
            count = int(dut.tx_count.value)
            frame += number(dut.tx_data).to_bytes(len(dut.tx_data) // 8, "little")[:count]
            if over:
                self.out.append(frame)
                frame = b""


class Silence:
    """Nobody sends to the card."""

    def idle(self) -> bool:
        """Always."""
        return True


def test_engine_works_without_a_mac(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"AXI_DATA_W": 256, "TX_QUEUES": 3, "RX_QUEUES": 1})


@cocotb.test()
async def frames_come_out_as_wide_as_the_bus(dut: Any) -> None:
    card = await Engine(dut).start()
    frames = [card.rng.randbytes(size) for size in (1, 33, 60, 500)]
    for cookie, frame in enumerate(frames):
        card.tx[0].post_packet([(cookie, frame)], cookie)
    await card.tx[0].doorbell()
    assert [entry.status for entry in await card.tx[0].completions(4)] == [r.STATUS_OK] * 4
    assert card.out == frames
