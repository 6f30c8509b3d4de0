"""A field is taken out of a stream of words at every place; its parts join by OR."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import Timer

from tests.hdl.bench import run_module, seeded


@pytest.mark.parametrize(("width", "size"), [(64, 4), (64, 1), (128, 2), (512, 4)])
def test_fields_are_picked(module_simulator: str, width: int, size: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "BYTES": size})


@cocotb.test()
async def a_field_is_found_at_every_place(dut: Any) -> None:
    rng = seeded()
    lanes, size = len(dut.in_data) // 8, len(dut.part) // 8
    for place in range(2 * lanes + 2):
        frame = rng.randbytes(4 * lanes)
        got = 0
        for pos in range(0, len(frame), lanes):
            dut.in_data.value = int.from_bytes(frame[pos : pos + lanes], "little")
            dut.in_pos.value, dut.pos.value = pos, place
            await Timer(1, "ns")
            part = int(dut.part.value)
            if pos + lanes <= place or pos >= place + size:
                assert part == 0
            got |= part
        assert got.to_bytes(size, "little") == frame[place : place + size]
