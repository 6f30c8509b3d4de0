"""Bytes of beats at all offsets and lengths become packets without gaps."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 512])
def test_packets_are_packed_without_gaps(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width})


def packet(
    rng: Any, lanes: int, lengths: list[int]
) -> tuple[list[dict[str, int]], list[dict[str, int]], bytes]:
    """Bursts and beats of a packet with the given burst lengths, and its bytes."""
    bursts, beats, whole = [], [], b""
    for i, length in enumerate(lengths):
        offset = rng.randrange(lanes)
        data = rng.randbytes(length)
        bursts.append(
            {
                "offset": offset,
                "bytes": length,
                "last": int(i == len(lengths) - 1),
                "index": rng.randrange(1 << 16),
            }
        )
        if length:
            image = rng.randbytes(offset) + data
            image += rng.randbytes(-len(image) % lanes)
            beats += [
                {"data": int.from_bytes(image[p : p + lanes], "little"), "error": 0}
                for p in range(0, len(image), lanes)
            ]
        whole += data
    return bursts, beats, whole


async def collect(
    sink: StreamSink, lanes: int, packets: int
) -> list[tuple[bytes, int, int | None]]:
    """Data, error and the index it is put down to."""
    out: list[tuple[bytes, int, int | None]] = []
    for _ in range(packets):
        data = b""
        while True:
            (word,) = await sink.take(1)
            assert word["last"] or word["count"] == lanes
            data += word["data"].to_bytes(lanes, "little")[: word["count"]]
            if word["last"]:
                break
        out.append((data, word["error"], word["error_index"] if word["error"] else None))
    return out


def fail(rng: Any, lanes: int, bursts: list[dict[str, int]], beats: list[dict[str, int]]) -> int:
    """Some beats of a packet are in error; returns the index of the first one's burst."""
    owners = [
        burst["index"]
        for burst in bursts
        if burst["bytes"]
        for _ in range(-(-(burst["offset"] + burst["bytes"]) // lanes))
    ]
    places = sorted(rng.sample(range(len(beats)), min(len(beats), rng.randrange(1, 4))))
    for place in places:
        beats[place]["error"] = 1
    return owners[places[0]]


IDLE = {"burst_valid": 0, "beat_valid": 0, "out_ready": 0}


async def run(dut: Any, shapes: list[list[int]], pause: float, bad: set[int]) -> None:
    rng = seeded()
    lanes = len(dut.beat_data) // 8
    bursts, beats, wanted = [], [], []
    for number, shape in enumerate(shapes):
        b, d, whole = packet(rng, lanes, shape)
        index = fail(rng, lanes, b, d) if number in bad else None
        bursts += b
        beats += d
        wanted.append((whole, int(number in bad), index))
    cocotb.start_soon(StreamSource(dut, "burst", rng, pause).send(bursts))
    cocotb.start_soon(StreamSource(dut, "beat", rng, pause).send(beats))
    fields = ["data", "count", "last", "error", "error_index"]
    sink = StreamSink(dut, "out", fields, rng, pause)
    assert await collect(sink, lanes, len(shapes)) == wanted


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def all_shapes_are_packed(dut: Any, pause: float) -> None:
    await start(dut, **IDLE)
    rng = seeded()
    lanes = len(dut.beat_data) // 8
    shapes = [[n] for n in range(1, 2 * lanes + 2)]
    shapes += [[rng.randrange(1, 3 * lanes) for _ in range(rng.randrange(1, 8))] for _ in range(60)]
    shapes += [[1] * 20, [512, 3, 512]]
    await run(dut, shapes, pause, set())


@cocotb.test()
async def an_error_marks_its_packet_alone(dut: Any) -> None:
    await start(dut, **IDLE)
    await run(dut, [[100, 7], [40], [3, 300], [60], [1]], 0.3, {0, 2, 4})


@cocotb.test()
async def an_empty_burst_ends_a_packet(dut: Any) -> None:
    await start(dut, **IDLE)
    await run(dut, [[0], [10, 0], [60], [128, 0], [5]], 0.2, set())


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    lanes = len(dut.beat_data) // 8
    shapes = [[lanes - 1, lanes - 1], [13, 5, 70], [lanes - 1, 2]] * 3
    for count in range(1, 50):
        await interrupt(dut, run(dut, shapes, 0.5, {0, 1}), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        await run(dut, [[1], [9, 5], [64]], 0.0, set())
