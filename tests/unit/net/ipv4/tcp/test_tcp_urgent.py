"""Urgent data, what a program may ask about the queues, and a receive buffer that is full."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import alloc_skb, consume_skb
from pyhost.net.core.sock import EPOLLPRI
from pyhost.net.ipv4.tcp.input.tcp_prune import tcp_collapse
from pyhost.net.ipv4.tcp.tcp import tcp_poll_mask
from pyhost.net.ipv4.tcp.tcp_mem import sk_forced_mem_schedule, tcp_set_owner_r
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb
from pyhost.net.ipv4.tcp.user.tcp_ioctl import tcp_ioctl
from pyhost.uapi.errno import EINVAL, ENOTTY
from pyhost.uapi.fcntl import SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD
from pyhost.uapi.socket import MSG_DONTWAIT, MSG_OOB, MSG_PEEK
from pyhost.uapi.tcp import TCP_ACK
from tests.unit.net.ipv4.tcp.tcp_apps import recv, send
from tests.unit.net.ipv4.tcp.tcp_peer import Script
from tests.unit.net.support import A_MAC, B_MAC


class Holder:
    """A struct socket with nothing but the sock."""

    def __init__(self, sk: Any) -> None:
        self.sk = sk


def ask(t: Script, sk: Any, cmd: int) -> int:
    return int(t.app(lambda: tcp_ioctl(Holder(sk), cmd)))  # type: ignore[arg-type]


def urgent(t: Script, load: bytes, pointer: int, seq: int = 1) -> None:
    tcp = TCP(
        sport=t.port, dport=t.host_port, flags="PAU", urgptr=pointer, window=65535,
        seq=(t.isn + seq) % 2**32, ack=(t.host_isn + 1) % 2**32,
    )  # fmt: skip
    packet = Ether(src=B_MAC, dst=A_MAC) / IP(src="10.0.0.2", dst="10.0.0.1") / tcp / Raw(load)
    t.host.nic.inject(bytes(packet))
    t.run(0.05)


def test_reading_stops_in_front_of_the_urgent_byte_and_then_skips_it() -> None:
    t = Script()
    sk = t.connect()
    urgent(t, b"abcXdef", 4)
    assert tcp_poll_mask(sk) & EPOLLPRI
    assert ask(t, sk, SIOCINQ) == 3
    assert t.app(lambda: recv(sk, 100)) == b"abc"
    assert ask(t, sk, SIOCATMARK) == 1
    assert t.app(lambda: recv(sk, 1, MSG_OOB | MSG_PEEK)) == b"X"
    assert t.app(lambda: recv(sk, 1, MSG_OOB)) == b"X"
    assert t.app(lambda: recv(sk, 1, MSG_OOB)) == -EINVAL
    assert t.app(lambda: recv(sk, 100)) == b"def"
    assert ask(t, sk, SIOCATMARK) == 0


def test_in_line_the_urgent_byte_is_read_where_it_stands() -> None:
    t = Script()
    sk = t.connect()
    sk.urginline = True
    urgent(t, b"abcXdef", 4)
    assert t.app(lambda: recv(sk, 1, MSG_OOB)) == -EINVAL
    assert t.app(lambda: recv(sk, 100)) == b"abc"
    assert t.app(lambda: recv(sk, 100)) == b"Xdef"


def test_out_of_band_without_urgent_data_is_an_error() -> None:
    t = Script()
    sk = t.connect()
    assert t.app(lambda: recv(sk, 1, MSG_OOB | MSG_DONTWAIT)) == -EINVAL


def test_the_queues_can_be_asked_for() -> None:
    t = Script()
    sk = t.connect(window=1000)
    t.app(lambda: send(sk, bytes(3000), MSG_DONTWAIT))
    assert ask(t, sk, SIOCOUTQ) == 3000
    assert 0 < ask(t, sk, SIOCOUTQNSD) <= 3000
    t.send("PA", seq=1, ack=1, load=b"12345", window=1000)
    assert ask(t, sk, SIOCINQ) == 5
    t.send("FA", seq=6, ack=1, window=1000)
    assert ask(t, sk, SIOCINQ) == 5
    assert ask(t, sk, 0x1234) == -ENOTTY


def test_a_full_buffer_drops_what_lies_behind_holes_from_the_end() -> None:
    t = Script()
    sk = t.connect()
    sk.sk_rcvbuf, sk.sk_rcvbuf_lock = 20_000, True
    for i in range(60):
        t.send("A", seq=3 + 2 * i, ack=1, load=b"x")
    assert sk.sk_rmem_alloc <= sk.sk_rcvbuf + 4096
    t.send("A", seq=2, ack=1, load=b"y")
    assert t.net.drops[drop_reason.TCP_OFO_QUEUE_PRUNE] > 0
    t.send("A", seq=1, ack=1, load=b"z")
    assert t.app(lambda: recv(sk, 10)) == b"zyx"


def segment(t: Script, sk: Any, seq: int, load: bytes) -> Any:
    """A received segment in a buffer that is far too big for it."""
    skb = alloc_skb(t.net.skbs, 1000)
    assert skb is not None
    skb.put_data(load)
    skb.cb = TcpSkbCb(seq, seq + len(load), TCP_ACK)
    sk_forced_mem_schedule(sk, skb.truesize)
    tcp_set_owner_r(sk, skb)
    return skb


def test_small_segments_are_packed_into_dense_buffers() -> None:
    t = Script()
    sk = t.connect()
    run = [segment(t, sk, 100 + 10 * i, bytes((i,)) * 10) for i in range(50)]
    charged = sk.sk_rmem_alloc
    dense = tcp_collapse(sk, run, 105)
    assert (
        b"".join(skb.copy_bits(0, skb.len) for skb in dense)
        == bytes(i for i in range(50) for _ in range(10))[5:]
    )
    assert [(skb.cb.seq, skb.cb.end_seq) for skb in dense] == [(105, 600)]
    assert sk.sk_rmem_alloc < charged // 10
    for skb in dense:
        consume_skb(skb)
    assert sk.sk_rmem_alloc == 0


def test_segments_behind_a_hole_are_merged_and_reported() -> None:
    t = Script()
    sk = t.connect([("MSS", 1460), ("SAckOK", b"")])
    for seq, size in ((11, 10), (31, 10), (5, 40)):
        t.send("A", seq=seq, ack=1, load=bytes(size))
    assert [(s.cb.seq - t.isn, s.cb.end_seq - t.isn) for s in sk.ofo_queue] == [(5, 45)]
    assert t.net.drops[drop_reason.TCP_OFOMERGE] == 2
    t.send("A", seq=1, ack=1, load=bytes(4))
    assert t.app(lambda: len(recv(sk, 100))) == 44


def test_duplicate_sacks_are_gathered_after_three() -> None:
    t = Script()
    sk = t.connect([("MSS", 1460), ("SAckOK", b"")])
    sk.icsk_ack_quick = 0
    sk.srtt_us = sk.rcv_rtt_us = 8 * 20_000
    t.got.clear()
    for i in range(8):
        t.send("A", seq=101 + 100 * i, ack=1, load=bytes(100), run_ms=0.01)
        sk.icsk_ack_quick = 0
    assert len(t.got) == 3
    t.run(2)
    assert len(t.got) == 4
    assert sk.compressed_ack == 0
