"""The CRC against zlib, 0 to 8 bytes a step."""

from __future__ import annotations

import zlib
from typing import Any

import cocotb
from cocotb.triggers import Timer

from tests.hdl.bench import run_module, seeded


def test_crc_is_that_of_zlib(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


@cocotb.test()
async def any_cut_of_the_bytes_gives_the_same_crc(dut: Any) -> None:
    rng = seeded()
    for _ in range(150):
        data = rng.randbytes(rng.randrange(1, 64))
        crc, pos = 0xFFFFFFFF, 0
        while pos < len(data):
            part = data[pos : pos + rng.randrange(9)]
            dut.crc_in.value = crc
            dut.data.value = int.from_bytes(part, "little")
            dut.count.value = len(part)
            await Timer(1, "ns")
            crc = int(dut.crc_out.value)
            pos += len(part)
        assert crc ^ 0xFFFFFFFF == zlib.crc32(data)
