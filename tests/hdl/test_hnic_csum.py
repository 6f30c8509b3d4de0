"""The checksum engine against a plain RFC 1071 sum and against scapy."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 512])
def test_sums_are_those_of_rfc_1071(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "USER_W": 16})


def rfc1071(data: bytes) -> int:
    """The complemented sum, 0 as 0xffff, first byte in bits 15:8."""
    data += b"\0" * (len(data) & 1)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def words(frame: bytes, first: int, lanes: int, user: int) -> list[dict[str, int]]:
    out = []
    for pos in range(0, len(frame), lanes):
        part = frame[pos : pos + lanes]
        noise = part + b"\xa5" * (lanes - len(part))
        out.append(
            {
                "data": int.from_bytes(noise, "little"),
                "count": len(part),
                "pos": pos,
                "start": first,
                "last": int(pos + lanes >= len(frame)),
                "user": user,
            }
        )
    return out


async def check(dut: Any, frames: list[tuple[bytes, int]], pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    lanes = len(dut.in_data) // 8
    items = [
        word for i, (frame, first) in enumerate(frames) for word in words(frame, first, lanes, i)
    ]
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    got = await StreamSink(dut, "out", ["csum", "user"], rng).take(len(frames))
    for i, (frame, first) in enumerate(frames):
        assert got[i]["user"] == i
        assert got[i]["csum"].to_bytes(2, "little") == rfc1071(frame[first:]).to_bytes(2, "big"), (
            len(frame),
            first,
        )


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def sums_from_every_start_to_every_end(dut: Any, pause: float) -> None:
    rng = seeded()
    frames = [(rng.randbytes(n), rng.randrange(n)) for n in range(1, 200)]
    frames += [(rng.randbytes(60), first) for first in range(60)]
    await check(dut, frames, pause)


@cocotb.test()
async def the_extremes_do_not_overflow(dut: Any) -> None:
    frames = [
        (b"\xff" * 9600, 0),
        (b"\xff" * 9599, 1),
        (bytes(9600), 14),
        (b"\xff\xff", 0),
        (bytes(1), 0),
    ]
    await check(dut, frames, 0.0)


@cocotb.test()
async def a_sum_is_what_scapy_says(dut: Any) -> None:
    from scapy.utils import checksum

    rng = seeded()
    data = rng.randbytes(1480)
    assert checksum(data) == rfc1071(data)
    await check(dut, [(rng.randbytes(34) + data, 34)], 0.0)
