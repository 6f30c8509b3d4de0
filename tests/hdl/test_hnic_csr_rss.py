"""The key and the table of receive-side scaling."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, seeded, start

IDLE = {"wr_en": 0, "rd_en": 0}
ENTRIES = 128


@pytest.mark.parametrize("queue_w", [1, 3, 5])
def test_key_and_table_are_held(module_simulator: str, queue_w: int) -> None:
    run_module(__file__, module_simulator, {"QUEUE_W": queue_w})


async def write(dut: Any, offset: int, value: int) -> None:
    dut.wr_en.value, dut.wr_addr.value, dut.wr_data.value = 1, offset, value
    await RisingEdge(dut.clk)
    dut.wr_en.value = 0


async def read(dut: Any, offset: int) -> int:
    dut.rd_en.value, dut.rd_addr.value = 1, offset
    await RisingEdge(dut.clk)
    dut.rd_en.value = 0
    await RisingEdge(dut.clk)
    return int(dut.rd_data.value)


@cocotb.test()
async def the_key_is_its_bytes_in_order(dut: Any) -> None:
    await start(dut, **IDLE)
    key = seeded().randbytes(4 * r.RSS_KEY_COUNT)
    for at in range(0, len(key), 4):
        word = int.from_bytes(key[at : at + 4], "little")
        await write(dut, r.RSS_KEY + at, word)
        assert await read(dut, r.RSS_KEY + at) == word
    assert int(dut.cfg_rss_key.value).to_bytes(40, "little") == key


@cocotb.test()
async def each_entry_of_the_table_has_its_place(dut: Any) -> None:
    await start(dut, **IDLE)
    width = int(dut.QUEUE_W.value)
    rng = seeded()
    wanted = [rng.randrange(1 << width) for _ in range(ENTRIES)]
    for at in range(0, ENTRIES, 4):
        # Bits that no queue has are not kept.
        word = sum((q | 0xE0) << 8 * i for i, q in enumerate(wanted[at : at + 4]))
        await write(dut, r.RSS_TABLE + at, word)
        kept = sum(q << 8 * i for i, q in enumerate(wanted[at : at + 4]))
        assert await read(dut, r.RSS_TABLE + at) == kept
    table = int(dut.cfg_rss_table.value)
    assert [table >> width * i & (1 << width) - 1 for i in range(ENTRIES)] == wanted


@cocotb.test()
async def other_addresses_are_foreign(dut: Any) -> None:
    await start(dut, **IDLE)
    for offset in (r.RSS_KEY - 4, r.RSS_KEY + 40, r.RSS_TABLE - 4, r.RSS_TABLE + 128):
        await write(dut, offset, 0xFFFFFFFF)
        assert await read(dut, offset) == 0
    assert int(dut.cfg_rss_key.value) == int(dut.cfg_rss_table.value) == 0
