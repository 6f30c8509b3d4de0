"""The header of a first frame comes back as it was, when it has passed, with its numbers."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import reset, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 512])
def test_headers_are_kept(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width})


IDLE = {
    "taken": 0,
    "in_fire": 0,
    "in_keep": 0,
    "in_last": 0,
    "rd_wait": 1,
    "rd_step": 0,
    "rd_restart": 0,
}


async def taken(dut: Any) -> None:
    dut.taken.value = 1
    await RisingEdge(dut.clk)
    dut.taken.value = 0
    await RisingEdge(dut.clk)


async def give(dut: Any, frame: bytes, keep: int, seq: int = 0, ident: int = 0) -> None:
    lanes = len(dut.in_data) // 8
    dut.in_keep.value, dut.in_seq_pos.value, dut.in_id_pos.value = keep, seq, ident
    for pos in range(0, len(frame), lanes):
        word = frame[pos : pos + lanes]
        dut.in_data.value = int.from_bytes(word.ljust(lanes, b"\xa5"), "little")
        dut.in_pos.value, dut.in_last.value, dut.in_fire.value = pos, pos + lanes >= len(frame), 1
        await RisingEdge(dut.clk)
    dut.in_fire.value = 0
    await RisingEdge(dut.clk)


async def read(dut: Any, size: int) -> bytes:
    lanes = len(dut.in_data) // 8
    data = b""
    dut.rd_step.value = 1
    while len(data) < size:
        await RisingEdge(dut.clk)
        data += int(dut.rd_data.value).to_bytes(lanes, "little")
    dut.rd_step.value, dut.rd_restart.value = 0, 1
    await RisingEdge(dut.clk)
    dut.rd_restart.value = 0
    return data[:size]


@cocotb.test()
async def a_header_comes_back_as_often_as_it_is_read(dut: Any) -> None:
    await start(dut, **IDLE)
    rng = seeded()
    for _ in range(30):
        size = rng.randrange(54, 197)
        frame = rng.randbytes(size + rng.randrange(1, 300))
        ident, seq = rng.randrange(16, 30), rng.randrange(34, size - 4)
        await taken(dut)
        assert not dut.rd_valid.value
        await give(dut, frame, 1, seq, ident)
        await RisingEdge(dut.clk)
        assert dut.rd_valid.value
        assert dut.seq.value == int.from_bytes(frame[seq : seq + 4], "big")
        assert dut.id.value == int.from_bytes(frame[ident : ident + 2], "big")
        for _ in range(3):
            assert await read(dut, size) == frame[:size]
            await taken(dut)  # a later frame, whose words are not kept
            dut.rd_wait.value = 0
            await RisingEdge(dut.clk)
            assert dut.rd_valid.value
            dut.rd_wait.value = 1
            await give(dut, rng.randbytes(size + 10), 0)
        assert await read(dut, size) == frame[:size]


@cocotb.test()
async def only_the_second_frame_waits_and_for_all_before_it(dut: Any) -> None:
    await start(dut, **IDLE)
    await taken(dut)
    await taken(dut)
    await give(dut, bytes(60), 0)
    assert not dut.rd_valid.value
    dut.rd_wait.value = 0
    await RisingEdge(dut.clk)
    assert dut.rd_valid.value
    dut.rd_wait.value = 1
    await give(dut, bytes(60), 1)
    assert dut.rd_valid.value
    await taken(dut)
    await reset(dut, **IDLE)
    assert dut.rd_valid.value
