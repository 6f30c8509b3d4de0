"""Data that lies scattered in memory: pages of a file at odd offsets, many small pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import TCP

from tests.system import judge
from tests.system.support import PROGRAMS, Run, RunStore, payload, pyhost_run, sha256

PAGE = 4096
PIECES = (
    (1, 1), (PAGE - 1, 2), (PAGE, 1), (PAGE + 1, 59), (PAGE - 1, 2 * PAGE + 3),
    (2 * PAGE + 7, 1449), (3 * PAGE - 5, 4097), (1, 3 * PAGE),
) * 2  # fmt: skip
"""(offset, length) of what is sent of the file, in this order."""
FILE = payload(4 * PAGE + 77)
STREAM = b"".join(FILE[offset : offset + length] for offset, length in PIECES)


def scatter(runs: RunStore, nic: str) -> Run:
    """The run that sends the pieces with sendfile and with writev; in a simulator with witnesses
    (cosim_witness.py).
    """

    def do(folder: Path) -> Run:
        file = folder / "file.bin"
        file.write_bytes(FILE)
        return pyhost_run(
            folder / "out",
            PROGRAMS / "pieces_send.py",
            file,
            *(f"{offset}:{length}" for offset, length in PIECES),
            sim=nic,
            peer=PROGRAMS / "tcp_receive.py",
            altered_by=None if nic == "model" else "tests.system.cosim_witness",
        )

    return runs.once(f"scattered-{nic}", do).succeeded()


@pytest.fixture
def scattered(runs: RunStore, nic: str) -> Run:
    """The run, with anything that may stand for the card."""
    return scatter(runs, nic)


def port_of(run: Run, how: str) -> int:
    """The port of the connection that was sent in this way."""
    [words] = run.said(how)
    return int(words[1])


@pytest.mark.parametrize("how", ["sendfile", "writev"])
def test_scattered_data_reaches_the_other_program(scattered: Run, how: str) -> None:
    port = port_of(scattered, how)
    [received] = [words for words in scattered.said("received") if int(words[1]) == port]
    assert received[2:] == [str(len(STREAM)), sha256(STREAM)]


@pytest.mark.parametrize("how", ["sendfile", "writev"])
def test_scattered_data_stands_on_the_wire_byte_for_byte(scattered: Run, how: str) -> None:
    assert judge.tcp_stream(scattered.wire, "host", port_of(scattered, how)) == STREAM


def test_every_frame_of_scattered_data_is_right(scattered: Run) -> None:
    judge.check_frames(scattered.wire)
    judge.check_with_tshark(scattered.out / "wire.pcapng")


@pytest.mark.claim("S17")
def test_sendfile_copies_no_payload(scattered: Run) -> None:
    """Only what went through writev, and the last word, was copied by the CPU of the host."""
    copied = scattered.summary["counters"]["host.mm"]["copy_nocache_bytes"]
    assert copied == len(STREAM) + len("end")


@pytest.mark.claim("S30")
def test_a_corked_stream_leaves_in_full_segments(scattered: Run) -> None:
    segments = judge.data_segments(scattered.wire, "host", port_of(scattered, "writev"))
    full, last = divmod(len(STREAM), 1448)
    assert [len(data) for _, data in segments] == [1448] * full + [last]


# -- what the card reads ---------------------------------------------------------------------------


@pytest.fixture
def watched(runs: RunStore, simulator: str) -> Run:
    """The run in a simulator."""
    return scatter(runs, simulator)


@pytest.fixture
def witness(watched: Run) -> dict[str, Any]:
    """What was mapped and read there."""
    record: dict[str, Any] = json.loads((watched.out / "witness.json").read_text())
    return record


def maps_by_packet(witness: dict[str, Any]) -> dict[int, list[tuple[int, int]]]:
    """Packet key → (address, size) of its pieces, in the order in which they were mapped."""
    packets: dict[int, list[tuple[int, int]]] = {}
    for address, size, key in witness["maps"]:
        packets.setdefault(key, []).append((address, size))
    return packets


def packets_of(run: Run) -> list[tuple[int, int, int]]:
    """(key, bytes of headers, bytes in memory) of each packet that the host has given to the card.

    The frames that the card cuts from a super-packet have its key, and each its headers.
    """
    packets: dict[int, tuple[int, int]] = {}
    for frame in run.sent_by("host"):
        packet = frame.packet
        headers = 14 + 20 + packet[TCP].dataofs * 4 if TCP in packet else 0
        if frame.key in packets:
            before = packets[frame.key][1]
            packets[frame.key] = headers, before + len(frame.data) - headers
        else:
            packets[frame.key] = headers, len(frame.data)
    return [(key, headers, size) for key, (headers, size) in packets.items()]


@pytest.mark.claim("S42")
def test_the_driver_maps_linear_part_and_each_fragment(
    watched: Run, witness: dict[str, Any]
) -> None:
    """The sizes of a packet's maps add up to it, the first holds the headers, and pieces lie at odd
    addresses and end at page borders.
    """
    packets = maps_by_packet(witness)
    several = 0
    pieces: list[tuple[int, int]] = []
    for key, headers, size in packets_of(watched):
        mapped = packets[key]
        assert max(60, sum(size for _, size in mapped)) == size
        if headers:
            assert mapped[0][1] == headers
        several += len(mapped) > 2
        pieces += mapped[1:]
    assert several >= 5
    assert sum(address % 2 for address, _ in pieces) > 10
    assert sum((address + size) % PAGE == 0 for address, size in pieces) >= 5


@pytest.mark.claim("S18", "S43")
def test_the_card_reads_the_headers_and_then_each_fragment_in_order(
    watched: Run, witness: dict[str, Any]
) -> None:
    """The bursts of the card, put together, are the mapped pieces in their order."""
    packets = maps_by_packet(witness)
    mapped = [
        byte
        for key in dict.fromkeys(frame.key for frame in watched.sent_by("host"))
        for address, size in packets[key]
        for byte in range(address, address + size)
    ]
    inside = set(mapped)
    read = [
        byte
        for address, length in witness["reads"]
        if address in inside
        for byte in range(address, address + length)
    ]
    assert read == mapped
