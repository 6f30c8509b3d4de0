"""A field is put into a stream of words at every place, bit by bit as the mask says."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import Timer

from tests.hdl.bench import run_module, seeded


@pytest.mark.parametrize(("width", "size"), [(64, 14), (64, 1), (128, 2), (512, 12)])
def test_fields_are_patched(module_simulator: str, width: int, size: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "BYTES": size})


@cocotb.test()
async def a_field_changes_at_every_place(dut: Any) -> None:
    rng = seeded()
    lanes, size = len(dut.in_data) // 8, len(dut.mask) // 8
    for place in range(2 * lanes + 2):
        frame = rng.randbytes(3 * lanes + size)
        mask, value = rng.randbytes(size), rng.randbytes(size)
        got = b""
        for pos in range(0, len(frame), lanes):
            word = frame[pos : pos + lanes].ljust(lanes, b"\0")
            dut.in_data.value = int.from_bytes(word, "little")
            dut.in_pos.value, dut.pos.value = pos, place
            dut.mask.value = int.from_bytes(mask, "little")
            dut.value.value = int.from_bytes(value, "little")
            await Timer(1, "ns")
            got += int(dut.out_data.value).to_bytes(lanes, "little")
        old = frame[place : place + size]
        new = bytes(o & ~m | v & m for o, m, v in zip(old, mask, value, strict=True))
        assert got[: len(frame)] == frame[:place] + new + frame[place + size :]
