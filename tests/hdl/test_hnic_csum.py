"""The checksum engine against a plain RFC 1071 sum and against scapy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
import pytest

from tests.hdl.bench import StreamSink, StreamSource, run_module, seeded, start


@pytest.mark.parametrize(("width", "zero"), [(64, 0), (128, 1), (512, 0)])
def test_sums_are_those_of_rfc_1071(module_simulator: str, width: int, zero: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "USER_W": 16, "ZERO": zero})


@dataclass(frozen=True, slots=True)
class Sum:
    """A frame, the range of its sum (to its end without `end`), and a number that is added."""

    frame: bytes
    start: int
    end: int | None = None
    add: int = 0


def rfc1071(data: bytes, add: int, zero: bool) -> int:
    """The complemented sum, first byte in bits 15:8; 0 as 0xffff unless `zero`."""
    data += b"\0" * (len(data) & 1)
    total = add + sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or (0 if zero else 0xFFFF)


def words(wanted: Sum, lanes: int, user: int) -> list[dict[str, int]]:
    out = []
    for pos in range(0, len(wanted.frame), lanes):
        part = wanted.frame[pos : pos + lanes]
        noise = part + b"\xa5" * (lanes - len(part))
        last = pos + lanes >= len(wanted.frame)
        out.append(
            {
                "data": int.from_bytes(noise, "little"),
                "count": len(part),
                "pos": pos,
                "start": wanted.start,
                "end": 0 if wanted.end is None or pos + lanes <= wanted.start else wanted.end,
                "to_end": int(wanted.end is None),
                "add": wanted.add if last else 0xDEAD,
                "last": int(last),
                "user": user,
            }
        )
    return out


async def check(dut: Any, sums: list[Sum], pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    lanes, zero = len(dut.in_data) // 8, bool(int(dut.ZERO.value))
    items = [word for i, wanted in enumerate(sums) for word in words(wanted, lanes, i)]
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(items))
    got = await StreamSink(dut, "out", ["csum", "user"], rng).take(len(sums))
    for i, wanted in enumerate(sums):
        end = len(wanted.frame) if wanted.end is None else wanted.end
        value = rfc1071(wanted.frame[wanted.start : end], wanted.add, zero)
        assert got[i]["user"] == i
        assert got[i]["csum"].to_bytes(2, "little") == value.to_bytes(2, "big"), wanted


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def sums_from_every_start_to_every_end(dut: Any, pause: float) -> None:
    rng = seeded()
    sums = [Sum(rng.randbytes(n), rng.randrange(n)) for n in range(1, 200)]
    sums += [Sum(rng.randbytes(60), first) for first in range(60)]
    await check(dut, sums, pause)


@cocotb.test()
async def sums_of_ranges_with_a_length(dut: Any) -> None:
    """As the IPv4 header's and as a pseudo header's."""
    rng = seeded()
    sums = []
    for _ in range(150):
        frame = rng.randbytes(rng.randrange(2, 300))
        first = rng.randrange(len(frame))
        end = rng.choice([None, first, rng.randrange(first, len(frame) + 1)])
        sums.append(Sum(frame, first, end, rng.choice([0, 0xFFFF, rng.randrange(1 << 16)])))
    sums.append(Sum(rng.randbytes(60), 14, 200))  # an end behind the frame's
    await check(dut, sums, 0.2)


@cocotb.test()
async def the_extremes_do_not_overflow(dut: Any) -> None:
    sums = [
        Sum(b"\xff" * 9600, 0, add=0xFFFF),
        Sum(b"\xff" * 9599, 1, add=0xFFFF),
        Sum(bytes(9600), 14),
        Sum(b"\xff\xff", 0),
        Sum(bytes(1), 0),
    ]
    await check(dut, sums, 0.0)


@cocotb.test()
async def a_sum_is_what_scapy_says(dut: Any) -> None:
    from scapy.utils import checksum

    rng = seeded()
    data = rng.randbytes(1480)
    assert checksum(data) == rfc1071(data, 0, False)
    await check(dut, [Sum(rng.randbytes(34) + data, 34)], 0.0)
