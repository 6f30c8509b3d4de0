"""Payloads of many sizes from write() to the wire and into another program.

One run carries all sizes, for TCP each on a connection of its own; a test looks at one of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet

from tests.system import judge
from tests.system.support import PROGRAMS, Run, RunStore, payload, pyhost_run, sha256

TCP_SIZES = (0, 1, 59, 60, 1460, 1461, 65535, 1 << 20)
UDP_SIZES = (0, 1, 18, 59, 60, 1460, 1461, 1472, 1473, 65507)
MSS = 1448
"""At an MTU of 1500, with timestamps."""


def write_files(folder: Path, sizes: tuple[int, ...]) -> list[Path]:
    """A file of each size."""
    paths = [folder / f"{size}.bin" for size in sizes]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(payload(size))
    return paths


@pytest.fixture
def tcp_run(runs: RunStore, nic: str) -> Run:
    """All TCP payloads through one card."""
    return runs.once(
        f"tcp-{nic}",
        lambda folder: pyhost_run(
            folder / "out",
            PROGRAMS / "tcp_write.py",
            *write_files(folder, TCP_SIZES),
            sim=nic,
            peer=PROGRAMS / "tcp_receive.py",
        ),
    ).succeeded()


@pytest.fixture
def udp_run(runs: RunStore, nic: str) -> Run:
    """All UDP payloads through one card."""
    return runs.once(
        f"udp-{nic}",
        lambda folder: pyhost_run(
            folder / "out",
            PROGRAMS / "udp_write.py",
            *write_files(folder, UDP_SIZES),
            sim=nic,
            peer=PROGRAMS / "udp_receive.py",
        ),
    ).succeeded()


def connection_port(run: Run, size: int) -> int:
    """The port from which the host sent the payload of this size."""
    [port] = [int(words[1]) for words in run.said("sent") if int(words[2]) == size]
    return port


@pytest.mark.parametrize("size", TCP_SIZES)
def test_a_tcp_payload_reaches_the_other_program(tcp_run: Run, size: int) -> None:
    port = connection_port(tcp_run, size)
    [received] = [words for words in tcp_run.said("received") if int(words[1]) == port]
    assert received[2:] == [str(size), sha256(payload(size))]


@pytest.mark.parametrize("size", TCP_SIZES)
def test_a_tcp_payload_stands_on_the_wire_once_and_whole(tcp_run: Run, size: int) -> None:
    port = connection_port(tcp_run, size)
    stream = judge.tcp_stream(tcp_run.wire, "host", port)
    assert sha256(stream) == sha256(payload(size))
    segments = judge.data_segments(tcp_run.wire, "host", port)
    assert sum(len(data) for _, data in segments) == size
    assert all(len(data) <= MSS for _, data in segments)
    assert len(segments) >= -(-size // MSS)


def test_every_frame_of_the_tcp_run_is_right(tcp_run: Run) -> None:
    judge.check_frames(tcp_run.wire)
    judge.check_addresses(tcp_run.wire)


def test_tshark_finds_nothing_wrong_in_the_tcp_run(tcp_run: Run) -> None:
    judge.check_with_tshark(tcp_run.out / "wire.pcapng")


@pytest.mark.claim("S43")
def test_the_card_computes_the_checksums_that_the_stack_leaves_to_it(tcp_run: Run) -> None:
    """What the tap sees has the pseudo header's sum alone (CHECKSUM_PARTIAL); the wire has it all,
    and is otherwise the same frame, or a piece of the super-packet that the tap has seen whole.
    """
    # Frames cut from one super-packet have its key, and identifications of their own.
    above = {
        (f.key, f.packet[IP].id): f.packet
        for f in tcp_run.tapped
        if f.direction == judge.SENT and TCP in f.packet
    }
    below = {(f.key, f.packet[IP].id): f.packet for f in tcp_run.sent_by("host") if TCP in f.packet}
    assert len(below) > 700
    finished = 0
    whole = {f.key: f.packet for f in tcp_run.tapped if len(f.data) > 14 + 1500}
    for key, packet in below.items():
        if key[0] in whole:
            finished += is_a_piece(packet, whole[key[0]])
            continue
        tapped = above[key]
        finished += tapped[TCP].chksum != packet[TCP].chksum
        tapped[TCP].chksum = packet[TCP].chksum
        length = 14 + packet[IP].len
        assert bytes(tapped)[:length] == bytes(packet)[:length]
    assert finished > 0.99 * len(below)


def is_a_piece(packet: Packet, whole: Packet) -> bool:
    """Whether a segment carries the bytes that a super-packet has in its place, from port to port,
    and has a checksum of its own.
    """
    start = (packet[TCP].seq - whole[TCP].seq) % 2**32
    size = packet[IP].len - 20 - packet[TCP].dataofs * 4
    assert bytes(packet[TCP].payload)[:size] == bytes(whole[TCP].payload)[start : start + size]
    assert (packet[TCP].sport, packet[TCP].dport) == (whole[TCP].sport, whole[TCP].dport)
    return bool(packet[TCP].chksum != whole[TCP].chksum)


@pytest.mark.claim("S44")
def test_each_packet_is_freed_when_the_card_is_done_with_it(tcp_run: Run) -> None:
    """At the end the driver has counted every frame of the wire as completed."""
    counters = tcp_run.summary["counters"]
    frames = tcp_run.sent_by("host")
    assert counters["host.eth0"]["tx_packets"] == len(frames)
    assert counters["host.eth0"]["tx_errors"] == 0
    assert counters["host.skb"]["alive"] < 16


@pytest.mark.parametrize("size", UDP_SIZES)
@pytest.mark.claim("S47")
def test_a_datagram_keeps_its_length_and_content(udp_run: Run, size: int) -> None:
    number = UDP_SIZES.index(size)
    assert udp_run.said("sent")[number] == ["sent", str(size)]
    assert udp_run.said("received")[number] == ["received", str(size), sha256(payload(size))]


@pytest.mark.parametrize("size", UDP_SIZES)
@pytest.mark.claim("S37")
def test_a_datagram_stands_on_the_wire_whole_or_in_fragments(udp_run: Run, size: int) -> None:
    port, data = judge.udp_datagrams(udp_run.wire, "host")[UDP_SIZES.index(size)]
    assert port == 5002
    assert sha256(data) == sha256(payload(size))


@pytest.mark.claim("S37")
def test_fragments_are_as_few_as_the_mtu_allows(udp_run: Run) -> None:
    counts: dict[int, int] = {}
    for frame in udp_run.sent_by("host"):
        if judge.is_udp(frame.packet):
            ident = frame.packet[IP].id
            counts[ident] = counts.get(ident, 0) + 1
    expected = [max(1, -(-(8 + size) // 1480)) for size in (*UDP_SIZES, len("end"))]
    assert list(counts.values()) == expected


def test_every_frame_of_the_udp_run_is_right(udp_run: Run) -> None:
    judge.check_frames(udp_run.wire)
    judge.check_addresses(udp_run.wire)


def test_tshark_finds_nothing_wrong_in_the_udp_run(udp_run: Run) -> None:
    judge.check_with_tshark(udp_run.out / "wire.pcapng")
