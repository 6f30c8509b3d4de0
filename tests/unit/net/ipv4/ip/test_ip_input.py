"""What IPv4 makes of packets that come in: good ones, damaged ones, fragments."""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.ipv4.ip import ip_fragment
from pyhost.uapi.errno import EAGAIN
from tests.unit.net.ipv4.udp.udp_host import Udp
from tests.unit.net.ipv4.wire import A_MAC, inject, ip_sent, pieces, to_b
from tests.unit.net.support import A_ADDR, Pair, two_hosts

PORT = 5000


def datagram(payload: bytes) -> bytes:
    """A UDP datagram with its checksum, without IP header."""
    whole = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=9, dport=PORT) / Raw(payload)
    return bytes(IP(bytes(whole))[UDP])


def good(payload: bytes = b"good", **fields: object) -> Packet:
    """A datagram in an IP packet; `fields` are of the IP header."""
    header = {"src": "10.0.0.1", "dst": "10.0.0.2", **fields}
    return IP(**header) / UDP(sport=9, dport=PORT) / Raw(payload)


@pytest.fixture
def pair() -> Pair:
    return two_hosts()


def test_padding_behind_the_packet_is_cut_off_and_options_are_skipped(pair: Pair) -> None:
    receiver = Udp(pair.b.kernel, PORT)
    inject(pair, to_b(good(b"x")) + bytes(30))
    assert receiver.recv() == (b"x", (A_ADDR, 9))
    inject(pair, to_b(good(b"y", options=b"\x07\x07\x04\0\0\0\0\0")))
    assert receiver.recv() == (b"y", (A_ADDR, 9))


def _damaged() -> list[object]:
    frame = to_b(good())
    checksum = bytearray(frame)
    checksum[14 + 10] ^= 1
    return [
        pytest.param(bytes(checksum), "IP_CSUM", "IpInCsumErrors", id="checksum"),
        pytest.param(to_b(good(version=6)), "IP_INHDR", "IpInHdrErrors", id="version"),
        pytest.param(to_b(good(ihl=4)), "IP_INHDR", "IpInHdrErrors", id="ihl"),
        pytest.param(to_b(good(len=19)), "IP_INHDR", "IpInHdrErrors", id="length below header"),
        pytest.param(
            to_b(good(len=100)), "PKT_TOO_SMALL", "IpInTruncatedPkts", id="longer than the frame"
        ),
        pytest.param(frame[: 14 + 19], "PKT_TOO_SMALL", "IpInHdrErrors", id="cut in the header"),
        pytest.param(
            to_b(good(dst="10.0.0.9")),
            "IP_INADDRERRORS",
            "IpInAddrErrors",
            id="another host's address",
        ),
    ]


@pytest.mark.parametrize(("frame", "reason", "counter"), _damaged())
def test_a_damaged_packet_is_dropped_for_its_reason(
    pair: Pair, frame: bytes, reason: str, counter: str
) -> None:
    receiver = Udp(pair.b.kernel, PORT)
    alive = pair.b.net.skbs.alive
    inject(pair, frame)
    assert receiver.recv() == -EAGAIN
    assert pair.b.net.drops == {reason: 1}
    assert pair.b.net.mib[counter] == 1
    assert pair.b.net.skbs.alive == alive
    assert ip_sent(pair.b) == []


@pytest.mark.parametrize(
    "source", ["10.0.0.2", "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"]
)
def test_a_martian_source_is_dropped(pair: Pair, source: str) -> None:
    receiver = Udp(pair.b.kernel, PORT)
    packet = good()
    packet.src = source
    inject(pair, to_b(packet))
    assert receiver.recv() == -EAGAIN
    assert pair.b.net.drops == {"IP_INADDRERRORS": 1}


def test_a_frame_for_another_station_is_left_alone(pair: Pair) -> None:
    Udp(pair.b.kernel, PORT)
    inject(pair, bytes(Ether(src=A_MAC, dst="02:00:00:00:00:99") / good()))
    assert pair.b.net.drops == {"OTHERHOST": 1}
    assert "IpInReceives" not in pair.b.net.mib


def test_an_unknown_protocol_is_answered(pair: Pair) -> None:
    inject(pair, to_b(IP(src="10.0.0.1", dst="10.0.0.2", proto=200) / Raw(b"what is this")))
    (answer,) = ip_sent(pair.b)
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 2)
    assert pair.b.net.mib["IpInUnknownProtos"] == 1


# -- reassembly ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_fragments_in_any_order_with_repeats_make_the_datagram(pair: Pair, seed: int) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(3000)
    whole = datagram(data)
    sizes = []
    while (left := len(whole) - sum(sizes)) > 0:
        size = 8 * rng.randrange(1, 100)
        sizes.append(min(size, left))
    frames = [to_b(piece) for piece in pieces(whole, sizes)]
    order = frames[:-1] + rng.sample(frames[:-1], 2)
    rng.shuffle(order)
    receiver = Udp(pair.b.kernel, PORT)
    order.insert(rng.randrange(len(order)), frames[-1])
    missing = order.index(frames[0])
    order.append(order.pop(missing))
    inject(pair, *order)
    assert receiver.recv() == (data, (A_ADDR, 9))
    assert pair.b.net.mib["IpReasmOKs"] == 1


def test_memory_is_given_back_when_the_packet_is_whole(pair: Pair) -> None:
    receiver = Udp(pair.b.kernel, PORT)
    alive = pair.b.net.skbs.alive
    frames = [to_b(piece) for piece in pieces(datagram(bytes(2000)), [1000, 1000, 8])]
    for frame in frames[:2]:
        pair.b.nic.inject(frame)
    pair.run(until=NSEC_PER_SEC)
    assert pair.b.net.frags.mem > 2000
    inject(pair, frames[2])
    assert (pair.b.net.frags.mem, pair.b.net.frags.queues) == (0, {})
    receiver.recv()
    assert pair.b.net.skbs.alive == alive


def test_an_overlap_ends_the_whole_queue(pair: Pair) -> None:
    receiver = Udp(pair.b.kernel, PORT)
    first, second, third = pieces(datagram(bytes(2000)), [800, 800, 408])
    evil = second.copy()
    evil.frag -= 1
    evil[Raw].load = bytes(16)
    for packet in (first, evil):
        pair.b.nic.inject(to_b(packet))
    pair.run(until=NSEC_PER_SEC)
    assert pair.b.net.mib["IpReasmOverlaps"] == 1
    assert pair.b.net.frags.queues == {}
    assert pair.b.net.frags.mem == 0
    inject(pair, to_b(second), to_b(third))
    assert receiver.recv() == -EAGAIN


@pytest.mark.parametrize(
    "change",
    ["end beyond the last", "last before what is there", "two ends", "an end behind the end"],
)
def test_fragments_that_contradict_each_other_end_the_queue(pair: Pair, change: str) -> None:
    first, second, third = pieces(datagram(bytes(2000)), [800, 800, 408])
    beyond, short = second.copy(), third.copy()
    beyond.frag, short.frag = 400, 10
    longer, later = third / Raw(b"more"), third.copy()
    later.frag = 251
    orders = {
        "end beyond the last": (third, beyond),
        "last before what is there": (second, short),
        "two ends": (third, longer),
        "an end behind the end": (third, later),
    }
    for packet in (first, *orders[change]):
        pair.b.nic.inject(to_b(packet))
    pair.run(until=NSEC_PER_SEC)
    assert (pair.b.net.frags.queues, pair.b.net.frags.mem) == ({}, 0)
    assert pair.b.net.mib["IpReasmFails"] == 1


def test_what_a_fragment_has_beyond_a_multiple_of_8_is_cut_off(pair: Pair) -> None:
    receiver = Udp(pair.b.kernel, PORT)
    data = bytes(at % 251 for at in range(1000))
    first, second = pieces(datagram(data), [800, 208])
    inject(pair, to_b(first / Raw(b"odd")), to_b(second))
    assert receiver.recv() == (data, (A_ADDR, 9))


def test_after_30_seconds_the_sender_is_told_and_the_rest_forgotten(pair: Pair) -> None:
    first, _, third = pieces(datagram(bytes(2000)), [800, 800, 408])
    pair.b.nic.inject(to_b(first))
    pair.b.nic.inject(to_b(third))
    pair.run(until=30 * NSEC_PER_SEC - 1)
    assert len(pair.b.net.frags.queues) == 1
    pair.run(until=31 * NSEC_PER_SEC)
    (answer,) = ip_sent(pair.b)
    assert (answer[ICMP].type, answer[ICMP].code) == (11, 1)
    assert bytes(answer)[28:] == bytes(first)[: 20 + 528]
    assert pair.b.net.drops["FRAG_REASM_TIMEOUT"] == 2
    assert (pair.b.net.frags.queues, pair.b.net.frags.mem) == ({}, 0)


def test_without_the_first_fragment_nobody_is_told(pair: Pair) -> None:
    _, second, _ = pieces(datagram(bytes(2000)), [800, 800, 408])
    inject(pair, to_b(second))
    assert ip_sent(pair.b) == []
    assert pair.b.net.mib["IpReasmTimeout"] == 1


def test_new_queues_are_refused_above_the_memory_limit() -> None:
    pair = two_hosts(sysctls={"net.ipv4.ipfrag_high_thresh": "4000"})
    for ident in range(10):
        (first, _) = pieces(datagram(bytes(1000)), [800, 208])
        first.id = ident
        pair.b.nic.inject(to_b(first))
    pair.run(until=NSEC_PER_SEC)
    queues = len(pair.b.net.frags.queues)
    assert 1 < queues < 10
    assert pair.b.net.mib["IpReasmFails"] == 10 - queues


def test_a_packet_that_would_be_too_long_is_dropped(pair: Pair) -> None:
    sizes = [8000] * 8 + [1600]
    frames = [to_b(piece) for piece in pieces(bytes(65600), sizes)]
    inject(pair, *frames)
    assert pair.b.net.drops["PKT_TOO_BIG"] == 9
    assert pair.b.net.frags.mem == 0


def test_senders_are_remembered_in_a_bounded_number(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ip_fragment, "PEER_THRESHOLD", 3)
    for host in range(3, 9):
        header = IP(src=f"10.0.0.{host}", dst="10.0.0.2", proto=17, id=1, flags="MF")
        pair.b.nic.inject(to_b(header / Raw(bytes(16))))
    pair.run(until=NSEC_PER_SEC)
    assert [addr & 0xFF for addr in pair.b.net.frags.peer_rid] == [6, 7, 8]
