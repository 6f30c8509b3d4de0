"""ESP between two machines: the frames judged by scapy, the check values computed anew."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.ipsec import ESP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO
from pyhost.net.xfrm.xfrm_state import XfrmReplay
from pyhost.uapi.errno import EPERM
from tests.unit.net.ipv4.udp.udp_host import Udp
from tests.unit.net.netfilter.traffic import Traffic
from tests.unit.net.support import A_ADDR

KEY = bytes(range(32))
STATE = (
    "ip xfrm state add src {src} dst {dst} proto esp spi {spi} mode {mode} replay-window 32 "
    "auth-trunc 'hmac(sha256)' 0x{key} 128 enc 'ecb(cipher_null)' ''"
)
A, B = "10.0.0.1", "10.0.0.2"
FROM_A = "02:00:00:00:00:01"
TO_B, TO_A = 0x1001, 0x1002


def protected(mode: str = "transport", **options: object) -> Traffic:
    """Both directions must be protected, at both ends."""
    traffic = Traffic(**options)
    tunnel = (
        {A: f"src {A} dst {B} ", B: f"src {B} dst {A} "} if mode == "tunnel" else {A: "", B: ""}
    )
    for host, mine, other in ((traffic.a, A, B), (traffic.b, B, A)):
        for src, dst, spi in ((A, B, TO_B), (B, A, TO_A)):
            state = STATE.format(src=src, dst=dst, spi=spi, mode=mode, key=KEY.hex())
            traffic.admin(state, host)
        for direction, src, dst in (("out", mine, other), ("in", other, mine)):
            traffic.admin(
                f"ip xfrm policy add src {src} dst {dst} dir {direction} "
                f"tmpl {tunnel[src]}proto esp mode {mode}",
                host,
            )
    return traffic


def unwrapped(frame: Packet) -> tuple[int, bytes]:
    """(next header, payload) of an ESP frame whose check value and padding are right."""
    whole = bytes(frame[IP])[20 : frame[IP].len]
    body, icv = whole[:-16], whole[-16:]
    assert hmac.new(KEY, body, hashlib.sha256).digest()[:16] == icv
    assert len(body) % 4 == 0
    pad = body[-2]
    assert body[-2 - pad : -2] == bytes(range(1, pad + 1))
    return body[-1], body[8 : -2 - pad]


@pytest.mark.claim("S36")
def test_a_transform_takes_the_packet_from_dst_output_and_authenticates_it() -> None:
    traffic = protected()
    receiver = Udp(traffic.b.kernel, 5000)
    assert traffic.udp(b"in confidence") == 13
    assert receiver.recv() == (b"in confidence", (A_ADDR, 1234))
    (frame,) = traffic.on_the_wire(IP)
    assert frame[IP].proto == 50
    assert (frame[ESP].spi, frame[ESP].seq) == (TO_B, 1)
    assert IP(bytes(frame[IP])).chksum == IP(bytes(frame[IP].copy())).chksum
    next_header, payload = unwrapped(frame)
    datagram = IP(src=A, dst=B, proto=17) / payload
    assert next_header == 17
    assert UDP(payload).dport == 5000
    assert bytes(UDP(payload).payload) == b"in confidence"
    again = IP(bytes(datagram))
    stored = again[UDP].chksum
    del again[UDP].chksum
    assert IP(bytes(again))[UDP].chksum == stored


@pytest.mark.parametrize("mode", ["transport", "tunnel"])
@pytest.mark.parametrize("features", [0, NETIF_F_SG | NETIF_F_HW_CSUM])
def test_a_tcp_connection_runs_through_esp(mode: str, features: int) -> None:
    traffic = protected(mode, features=features)
    data = bytes(range(256)) * 200
    _, got = traffic.tcp(data)
    assert got == data
    frames = traffic.on_the_wire(IP)
    assert {frame[IP].proto for frame in frames} == {50}
    assert [frame[ESP].seq for frame in frames] == list(range(1, len(frames) + 1))
    assert {unwrapped(frame)[0] for frame in frames} == {6 if mode == "transport" else 4}


def test_a_super_packet_is_cut_before_it_is_wrapped() -> None:
    traffic = protected(features=NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO)
    _, got = traffic.tcp(b"g" * 60000)
    assert got == b"g" * 60000
    assert max(frame[IP].len for frame in traffic.on_the_wire(IP)) <= 1500


@pytest.mark.parametrize(("mode", "mss"), [("transport", 1434), ("tunnel", 1414)])
def test_the_mss_leaves_room_for_the_wrapping(mode: str, mss: int) -> None:
    traffic = protected(mode)
    traffic.tcp(b"m" * 20000)
    syn = unwrapped(traffic.on_the_wire(IP)[0])[1]
    header = TCP(syn) if mode == "transport" else IP(syn)[TCP]
    assert dict(o for o in header.options if len(o) == 2)["MSS"] == mss
    lengths = {frame[IP].len for frame in traffic.on_the_wire(IP)}
    assert max(lengths) == 1500
    assert not any(frame[IP].flags.MF for frame in traffic.on_the_wire(IP))


@pytest.mark.parametrize("mode", ["transport", "tunnel"])
def test_a_router_that_takes_less_makes_the_segments_inside_smaller(mode: str) -> None:
    traffic = protected(mode)
    traffic.udp()
    (quoted,) = (frame[IP] for frame in traffic.on_the_wire(IP))
    error = IP(src="10.0.0.254", dst=A) / ICMP(type=3, code=4, nexthopmtu=1400)
    link = Ether(src="02:00:00:00:00:02", dst=FROM_A)
    traffic.a.nic.inject(bytes(link / error / bytes(quoted)[:28]))
    traffic.soon()
    traffic.a.nic.frames.clear()
    _, got = traffic.tcp(b"p" * 20000)
    assert got == b"p" * 20000
    lengths = [frame[IP].len for frame in traffic.on_the_wire(IP) if frame[IP].proto == 50]
    assert 1396 <= max(lengths) <= 1400


def test_a_tunnel_shows_its_ends_outside_and_the_packet_inside() -> None:
    traffic = protected("tunnel")
    traffic.udp()
    (frame,) = traffic.on_the_wire(IP)
    next_header, payload = unwrapped(frame)
    inner = IP(payload)
    assert (next_header, frame[IP].src, frame[IP].dst) == (4, A, B)
    assert (inner.src, inner.dst, inner[UDP].dport) == (A, B, 5000)


def esp_frames(traffic: Traffic, count: int) -> list[bytes]:
    for _ in range(count):
        traffic.udp()
    return [bytes(frame) for frame in traffic.on_the_wire(IP)]


def test_a_packet_that_comes_twice_is_dropped() -> None:
    traffic = protected()
    frames = esp_frames(traffic, 3)
    for frame in frames:
        traffic.b.nic.inject(frame)
    traffic.soon()
    assert traffic.b.net.mib["XfrmInStateSeqError"] == 3
    assert traffic.b.net.drops["XFRM_POLICY"] == 3


def test_a_changed_packet_is_dropped() -> None:
    traffic = protected()
    (frame,) = esp_frames(traffic, 1)
    forged = bytearray(frame)
    forged[14 + 20 + 7] = 9
    forged[14 + 20 + 12] ^= 1
    traffic.b.nic.inject(bytes(forged))
    traffic.soon()
    assert traffic.b.net.mib["XfrmInStateProtoError"] == 1


def test_an_unknown_association_is_dropped() -> None:
    traffic = protected()
    traffic.admin(f"ip xfrm state del src {A} dst {B} proto esp spi {TO_B}", traffic.b)
    traffic.udp()
    assert traffic.b.net.mib["XfrmInNoStates"] == 1


def test_a_packet_in_the_clear_is_refused_where_a_policy_wants_protection() -> None:
    traffic = protected()
    receiver = Udp(traffic.b.kernel, 5000)
    clear = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=A, dst=B)
    traffic.b.nic.inject(bytes(clear / UDP(sport=1, dport=5000) / b"clear"))
    traffic.soon()
    assert isinstance(receiver.recv(), int)
    assert traffic.b.net.mib["XfrmInTmplMismatch"] == 1
    assert traffic.b.net.drops["XFRM_POLICY"] == 1


def test_a_policy_may_block_and_may_speak_of_one_port() -> None:
    traffic = Traffic(f"ip xfrm policy add dst {B} proto udp dport 53 dir out action block")
    assert traffic.udp(port=53) == -EPERM
    assert traffic.udp(port=54) == 4
    assert traffic.a.net.mib["XfrmOutPolBlock"] == 1


def test_without_an_association_nothing_leaves() -> None:
    traffic = Traffic(f"ip xfrm policy add dst {B} dir out tmpl proto esp mode transport")
    assert traffic.udp() == 4
    assert traffic.on_the_wire(IP) == []
    assert traffic.a.net.mib["XfrmOutNoStates"] == 1


def test_without_a_policy_a_route_is_as_it_always_was() -> None:
    traffic = Traffic()
    traffic.udp()
    (dst,) = {type(dst).__name__ for dst in _routes(traffic)}
    assert dst == "DstEntry"


def _routes(traffic: Traffic) -> list[object]:
    return list(traffic.a.net.fib.out_cache.values())


def test_netfilter_sees_the_packet_before_and_after_the_wrapping() -> None:
    traffic = protected()
    traffic.admin("iptables -A OUTPUT -d 10.0.0.2 -j LOG")
    traffic.udp()
    assert ["PROTO=UDP" in text or "PROTO=50" in text for text in traffic.log()] == [True, True]
    assert "PROTO=50" in traffic.log()[1]


def test_a_router_puts_what_it_forwards_into_the_tunnel() -> None:
    traffic = protected("tunnel", sysctls={"net.ipv4.ip_forward": "1"})
    traffic.admin("ip route add 10.0.8.0/24 via 10.0.0.2")
    traffic.admin(
        "ip xfrm policy add src 10.0.9.0/24 dst 10.0.8.0/24 dir out "
        f"tmpl src {A} dst {B} proto esp mode tunnel"
    )
    packet = IP(src="10.0.9.9", dst="10.0.8.8", ttl=9) / UDP(sport=1, dport=2) / b"through"
    traffic.a.nic.inject(bytes(Ether(src="02:00:00:00:00:02", dst=FROM_A) / packet))
    traffic.soon()
    (frame,) = (f for f in traffic.on_the_wire(IP) if f[IP].proto == 50)
    inner = IP(unwrapped(frame)[1])
    assert (frame[IP].src, frame[IP].dst) == (A, B)
    assert (inner.src, inner.dst, inner.ttl) == ("10.0.9.9", "10.0.8.8", 8)


@pytest.mark.parametrize(
    ("numbers", "good"),
    [
        ([1, 2, 3], [True, True, True]),
        ([1, 1], [True, False]),
        ([5, 3, 3], [True, True, False]),
        ([40, 8, 9], [True, False, True]),
        ([0], [False]),
        ([100, 69, 68], [True, True, False]),
    ],
)
def test_the_replay_window_takes_each_number_once_and_none_too_old(
    numbers: list[int], good: list[bool]
) -> None:
    replay = XfrmReplay(32)
    results = []
    for seq in numbers:
        results.append(replay.check(seq))
        if results[-1]:
            replay.advance(seq)
    assert results == good


@pytest.mark.parametrize(("wanted", "counted"), [((1, 2), {}), ((2, 1), {"XfrmInTmplMismatch": 1})])
def test_a_policy_names_what_was_done_first_first(
    wanted: tuple[int, int], counted: dict[str, int]
) -> None:
    """The sender wraps for association 1 and that for association 2; the receiver unwraps 2, 1."""
    traffic = Traffic()
    for host, direction, order in ((traffic.a, "out", (1, 2)), (traffic.b, "in", wanted)):
        for number in (1, 2):
            spi = 0x2000 + number
            state = STATE.format(src=A, dst=B, spi=spi, mode="transport", key=KEY.hex())
            traffic.admin(f"{state} reqid {number}", host)
        templates = "".join(f" tmpl proto esp reqid {n} mode transport" for n in order)
        traffic.admin(f"ip xfrm policy add src {A} dst {B} dir {direction}{templates}", host)
    traffic.udp()
    (frame,) = traffic.on_the_wire(IP)
    assert frame[IP].proto == 50
    mib = traffic.b.net.mib
    assert {name: count for name, count in mib.items() if name.startswith("XfrmIn")} == counted
