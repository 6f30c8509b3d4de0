"""Three sums at once, against scapy's checksum over the same bytes."""

from __future__ import annotations

from typing import Any

import cocotb
from scapy.utils import checksum

from tests.hdl.bench import (
    Item,
    StreamSink,
    StreamSource,
    interrupt,
    reset,
    run_module,
    seeded,
    start,
)

FIELDS = ["raw", "ip_ok", "l4_ok", "user"]


def test_sums_are_those_of_scapy(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"USER_W": 8})


def masked(data: bytes, mask: int, bits: int) -> bytes:
    """The bytes of a word that are in the sum, others 0."""
    each = 8 // bits
    return bytes(b if mask >> (bits - 1 - i // each) & 1 else 0 for i, b in enumerate(data))


def words_of(chunks: list[bytes], masks: list[tuple[int, int, int]]) -> list[Item]:
    return [
        {
            "data": int.from_bytes(chunk, "big"),
            "last": int(index == len(chunks) - 1),
            "raw": raw,
            "ip": ip,
            "l4": l4,
        }
        for index, (chunk, (raw, ip, l4)) in enumerate(zip(chunks, masks, strict=True))
    ]


async def run(dut: Any, count: int, pause: float) -> None:
    """Frames with any bytes chosen; `end_` one cycle behind the last word, and noise else."""
    rng = seeded()
    items, wanted = [], []
    for index in range(count):
        size = rng.choice([1, 1, 2, 3, rng.randrange(1, 40)])
        chunks = [rng.randbytes(8) for _ in range(size)]
        masks = [(rng.getrandbits(8), rng.getrandbits(2), rng.getrandbits(8)) for _ in chunks]
        front, pseudo = rng.getrandbits(17), rng.getrandbits(17)
        words = words_of(chunks, masks)
        raw = b"".join(masked(c, m[0], 8) for c, m in zip(chunks, masks, strict=True))
        l4 = b"".join(masked(c, m[2], 8) for c, m in zip(chunks, masks, strict=True))
        if index % 2:  # make them right: what is missing goes into the first word, and the end
            words[0]["ip"] = 3
            rest = masked(chunks[0][:6] + b"\0\0", 3, 2) + b"".join(
                masked(c, m[1], 2) for c, m in zip(chunks[1:], masks[1:], strict=True)
            )
            words[0]["data"] = words[0]["data"] & ~0xFFFF | checksum(rest)
            chunks[0] = words[0]["data"].to_bytes(8, "big")
            raw = b"".join(masked(c, m[0], 8) for c, m in zip(chunks, masks, strict=True))
            l4 = b"".join(masked(c, m[2], 8) for c, m in zip(chunks, masks, strict=True))
            pseudo = checksum(l4)
        ip = b"".join(masked(c, w["ip"], 2) for c, w in zip(chunks, words, strict=True))
        items += [(word, front, pseudo, index & 255) for word in words]
        wanted.append(
            {
                "raw": checksum(raw + front.to_bytes(4, "big")) ^ 0xFFFF,
                "ip_ok": int(checksum(ip) == 0),
                "l4_ok": int(checksum(l4 + pseudo.to_bytes(4, "big")) == 0),
                "user": index & 255,
            }
        )
    sink = cocotb.start_soon(StreamSink(dut, "out", FIELDS, rng).take(count))
    source = StreamSource(dut, "in", rng, pause)
    for word, front, pseudo, user in items:
        await source.send([word])
        last = word["last"]
        dut.end_front.value = front if last else rng.getrandbits(17)
        dut.end_pseudo.value = pseudo if last else rng.getrandbits(17)
        dut.end_user.value = user if last else rng.getrandbits(8)
    got = await sink
    assert got == wanted
    assert sum(w["ip_ok"] and w["l4_ok"] for w in got) >= count // 2


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def any_bytes_of_any_frame(dut: Any, pause: float) -> None:
    await start(dut, in_valid=0)
    await run(dut, 80, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_no_sum(dut: Any) -> None:
    await start(dut, in_valid=0)
    for count in (1, 2, 3, 4, 9):
        await interrupt(dut, run(dut, 6, 0.0), count)
        await reset(dut, in_valid=0)
        assert not dut.out_valid.value
        await run(dut, 4, 0.0)


@cocotb.test()
async def the_largest_sum_does_not_overflow(dut: Any) -> None:
    """64 KiB of ones."""
    await start(dut, in_valid=0)
    rng = seeded()
    words = words_of([b"\xff" * 8] * 8192, [(255, 3, 255)] * 8192)
    sink = cocotb.start_soon(StreamSink(dut, "out", FIELDS, rng).take(1))
    dut.end_front.value = dut.end_pseudo.value = 0x1FFFE
    dut.end_user.value = 7
    await StreamSource(dut, "in", rng).send(words)
    assert await sink == [{"raw": 0xFFFF, "ip_ok": 1, "l4_ok": 1, "user": 7}]


@cocotb.test()
async def a_carry_out_of_the_fold_is_added(dut: Any) -> None:
    await start(dut, in_valid=0)
    rng = seeded()
    sink = cocotb.start_soon(StreamSink(dut, "out", FIELDS, rng).take(4))
    dut.end_front.value = dut.end_pseudo.value = dut.end_user.value = 0
    frames = [bytes.fromhex(f"ffffffff{n:04x}0000") for n in (0, 1, 2, 0xFFFF)]
    for frame in frames:
        await StreamSource(dut, "in", rng).send(words_of([frame], [(255, 3, 255)]))
    for frame, got in zip(frames, await sink, strict=True):
        assert got["raw"] == checksum(frame) ^ 0xFFFF
