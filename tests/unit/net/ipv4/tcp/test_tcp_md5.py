"""Signed segments (RFC 2385). The digests are computed here anew from the frames."""

from __future__ import annotations

import struct
from hashlib import md5
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.packet import Packet

from pyhost.net.core import drop_reason
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.uapi.errno import EINVAL, ENOENT
from pyhost.uapi.socket import SOL_TCP, pack_sockaddr_in
from pyhost.uapi.tcp import TCP_MD5SIG
from tests.unit.net.ipv4.tcp.tcp_apps import accept, connect, listener, new_socket, send
from tests.unit.net.ipv4.tcp.tcp_peer import PORT, Script
from tests.unit.net.support import B_ADDR

KEY = b"long live the router"


def md5sig(addr: int, key: bytes) -> bytes:
    """struct tcp_md5sig."""
    name = pack_sockaddr_in(addr, 0).ljust(128, b"\0")
    return name + struct.pack("=BBHi", 0, 0, len(key), 0) + key.ljust(80, b"\0")


def set_key(sk: TcpSock, key: bytes) -> int:
    return tcp_prot.setsockopt(sk, SOL_TCP, TCP_MD5SIG, md5sig(B_ADDR, key))


def digest_of(packet: Packet, key: bytes) -> bytes:
    """RFC 2385 section 2.0: pseudo-header, header without options and checksum, data, key."""
    ip, tcp = packet[IP], packet[TCP]
    segment = bytes(tcp)
    header = segment[:16] + b"\0\0" + segment[18:20]
    payload = segment[tcp.dataofs * 4 :]
    addresses = bytes(map(int, ip.src.split("."))) + bytes(map(int, ip.dst.split(".")))
    pseudo = addresses + struct.pack(">BBH", 0, 6, len(segment))
    return md5(pseudo + header + payload + key).digest()


def option_of(packet: Packet) -> bytes | None:
    for kind, value in packet[TCP].options:
        if kind in (19, "MD5", "MD5Sig"):
            return bytes(value) if not isinstance(value, tuple) else bytes(value[0])
    return None


def signed(t: Script, flags: str, seq: int, ack: int | None, load: bytes = b"") -> list[Any]:
    """The option for a segment of the peer."""
    blank = [(19, bytes(16)), ("NOP", None), ("NOP", None)]
    tcp = TCP(
        sport=t.port, dport=t.host_port, flags=flags, window=65535, options=blank,
        seq=(t.isn + seq) % 2**32, ack=0 if ack is None else (t.host_isn + ack) % 2**32,
    )  # fmt: skip
    packet = IP(bytes(IP(src="10.0.0.2", dst="10.0.0.1") / tcp / load))
    return [(19, digest_of(packet, KEY)), ("NOP", None), ("NOP", None)]


def test_syn_ack_and_data_of_a_client_are_signed() -> None:
    t = Script()
    sk = new_socket(t.host)
    assert t.app(lambda: set_key(sk, KEY)) == 0
    t.start(lambda: connect(t.host, B_ADDR, PORT, sk))
    syn = t.take()
    assert option_of(syn) == digest_of(syn, KEY)
    t.host_isn, t.host_port, t.port = syn[TCP].seq, syn[TCP].sport, PORT
    t.send("SA", seq=0, ack=1, options=signed(t, "SA", 0, 1))
    ack = t.take()
    assert option_of(ack) == digest_of(ack, KEY)
    t.app(lambda: send(sk, bytes(range(200))))
    data = t.expect("PA", seq=1, size=200)
    assert option_of(data) == digest_of(data, KEY)


def test_a_listener_signs_and_drops_what_is_not_signed() -> None:
    t = Script()
    server = listener(t.host, PORT)
    assert t.app(lambda: set_key(server, KEY)) == 0
    t.host_port = PORT
    t.send("S", seq=0)
    t.silence()
    assert t.net.drops[drop_reason.TCP_MD5NOTFOUND] == 1
    t.send("S", seq=0, options=signed(t, "S", 0, None), run_ms=0.2)
    synack = t.take()
    assert option_of(synack) == digest_of(synack, KEY)
    t.host_isn = synack[TCP].seq
    t.send("A", seq=1, ack=1, options=signed(t, "A", 1, 1))
    child = t.app(lambda: accept(server))
    t.send("PA", seq=1, ack=1, load=b"ok", options=signed(t, "PA", 1, 1, b"ok"))
    ack = t.expect("A", ack=3)
    assert option_of(ack) == digest_of(ack, KEY)
    wrong = [(19, bytes(16)), ("NOP", None), ("NOP", None)]
    t.send("PA", seq=3, ack=1, load=b"no", options=wrong)
    assert t.net.drops[drop_reason.TCP_MD5FAILURE] == 1
    assert child.rcv_nxt == (t.isn + 3) % 2**32


def test_a_signature_that_nobody_expects_is_dropped() -> None:
    t = Script()
    t.connect()
    t.send("PA", seq=1, ack=1, load=b"x", options=signed(t, "PA", 1, 1, b"x"))
    t.silence()
    assert t.net.drops[drop_reason.TCP_MD5UNEXPECTED] == 1


def test_bad_keys_are_refused() -> None:
    t = Script()
    sk = new_socket(t.host)
    assert t.app(lambda: set_key(sk, b"")) == -ENOENT
    assert t.app(lambda: tcp_prot.setsockopt(sk, SOL_TCP, TCP_MD5SIG, b"short")) == -EINVAL
    assert t.app(lambda: set_key(sk, KEY)) == 0
    assert t.app(lambda: set_key(sk, b"")) == 0
