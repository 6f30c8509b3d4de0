"""Raw sockets, as a ping uses them."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.net.core.sock import MsgHdr
from pyhost.net.ipv4.raw import ICMP_FILTER, RawSock, raw_prot
from pyhost.uapi.errno import (
    EACCES,
    EAGAIN,
    EDESTADDRREQ,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENOPROTOOPT,
    EOPNOTSUPP,
)
from pyhost.uapi.ip import IP_HDRINCL, IP_RECVERR, IP_TTL, IPPROTO_ICMP, IPPROTO_UDP
from pyhost.uapi.socket import (
    AF_INET,
    INT,
    IPPROTO_RAW,
    MSG_DONTWAIT,
    MSG_OOB,
    SOCK_RAW,
    SOL_IP,
    SOL_RAW,
    pack_sockaddr_in,
    unpack_sockaddr_in,
)
from tests.unit.net.ipv4.udp.udp_host import in_task
from tests.unit.net.ipv4.wire import inject, ip_sent, to_b
from tests.unit.net.support import A_ADDR, B_ADDR, Host, Pair, two_hosts


class RawSocket:
    """One raw socket without system calls."""

    def __init__(self, host: Host, protocol: int) -> None:
        self.host = host
        self.sk = RawSock(host.net, AF_INET, SOCK_RAW, protocol, raw_prot)
        assert raw_prot.init(self.sk) == 0

    def send(self, pair: Pair, data: bytes, to: int | None = B_ADDR, flags: int = 0) -> int:
        """sendto(), in a task."""
        memory = self.host.kernel.mem
        addr = memory.kmalloc(max(1, len(data)))
        memory.buf[addr : addr + len(data)] = data
        name = None if to is None else pack_sockaddr_in(to, 0)

        def call() -> int:
            source = IovIter.kvec(ITER_SOURCE, memory, [(addr, len(data))])
            return raw_prot.sendmsg(self.sk, MsgHdr(source, flags, name), len(data))

        result = in_task(self.host.kernel, call, pair.run)[0]
        memory.kfree(addr)
        assert isinstance(result, int)
        return result

    def recv(self, size: int = 4096) -> tuple[bytes, int] | int:
        """(packet, sender), or the negative errno."""
        memory = self.host.kernel.mem
        addr = memory.kmalloc(size)
        msg = MsgHdr(IovIter.kvec(ITER_DEST, memory, [(addr, size)]))
        result = raw_prot.recvmsg(self.sk, msg, size, MSG_DONTWAIT)
        data = bytes(memory.buf[addr : addr + max(result, 0)])
        memory.kfree(addr)
        if result < 0:
            return result
        return data, unpack_sockaddr_in(msg.name or b"")[1]

    def setsockopt(self, level: int, name: int, value: int) -> int:
        """setsockopt() of an int."""
        return raw_prot.setsockopt(self.sk, level, name, INT.pack(value))


def echo(size: int = 56) -> bytes:
    return bytes(ICMP(type=8, id=7, seq=1) / Raw(bytes(size)))


def test_a_ping_gets_its_answer_with_the_ip_header() -> None:
    pair = two_hosts()
    ping = RawSocket(pair.a, IPPROTO_ICMP)
    assert ping.send(pair, echo()) == 64
    (request,) = ip_sent(pair.a)
    assert (request.proto, request.src, request.dst, request.ttl) == (
        1, "10.0.0.1", "10.0.0.2", 64,
    )  # fmt: skip
    assert bytes(request.payload) == echo()
    got = ping.recv()
    assert not isinstance(got, int)
    answer = IP(got[0])
    assert (got[1], answer[ICMP].type, answer[ICMP].id, len(got[0])) == (B_ADDR, 0, 7, 84)
    assert ping.recv() == -EAGAIN
    in_task(pair.a.kernel, lambda: raw_prot.close(ping.sk, 0), pair.run)
    assert pair.a.net.skbs.alive == 0


def test_a_big_ping_is_fragmented_and_put_together() -> None:
    pair = two_hosts()
    ping = RawSocket(pair.a, IPPROTO_ICMP)
    assert ping.send(pair, echo(3000)) == 3008
    assert [packet.frag for packet in ip_sent(pair.a)] == [0, 185, 370]
    got = ping.recv()
    assert not isinstance(got, int)
    assert len(got[0]) == 3028


def test_the_filter_keeps_types_away() -> None:
    pair = two_hosts()
    ping = RawSocket(pair.a, IPPROTO_ICMP)
    assert ping.setsockopt(SOL_RAW, ICMP_FILTER, 1 << 0) == 0
    ping.send(pair, echo())
    assert ping.recv() == -EAGAIN
    other = RawSocket(pair.a, IPPROTO_UDP)
    assert other.setsockopt(SOL_RAW, ICMP_FILTER, 1) == -EOPNOTSUPP


def test_a_raw_socket_sees_what_others_get_too() -> None:
    pair = two_hosts()
    first, second = RawSocket(pair.b, IPPROTO_UDP), RawSocket(pair.b, IPPROTO_UDP)
    bound = RawSocket(pair.b, IPPROTO_UDP)
    bound.sk.inet_rcv_saddr = 0x0A000099
    packet = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / Raw(b"abc")
    inject(pair, to_b(packet))
    for sock in (first, second):
        got = sock.recv()
        assert not isinstance(got, int)
        assert got == (bytes(packet), A_ADDR)
    assert bound.recv() == -EAGAIN
    assert pair.b.net.mib["UdpNoPorts"] == 1


def test_a_protocol_that_only_a_raw_socket_knows_is_not_refused() -> None:
    pair = two_hosts()
    sock = RawSocket(pair.b, 200)
    inject(pair, to_b(IP(src="10.0.0.1", dst="10.0.0.2", proto=200) / Raw(b"x")))
    assert not isinstance(sock.recv(), int)
    assert ip_sent(pair.b) == []


def test_with_hdrincl_the_header_is_the_programs_but_for_sums() -> None:
    pair = two_hosts()
    sock = RawSocket(pair.a, IPPROTO_RAW)
    header = bytes(IP(src="0.0.0.0", dst="10.0.0.2", ttl=3, tos=0x20, proto=17, len=9, chksum=1))
    assert sock.send(pair, header + b"payload") == 27
    assert sock.send(pair, bytes(IP(src="1.2.3.4", dst="10.0.0.2", id=99, proto=17))) == 20
    first, second = ip_sent(pair.a)
    assert (first.src, first.ttl, first.tos, first.len) == ("10.0.0.1", 3, 0x20, 27)
    assert (second.src, second.id) == ("1.2.3.4", 99)
    for packet in (first, second):
        check = packet.chksum
        del packet.chksum
        assert IP(bytes(packet)).chksum == check


@pytest.mark.parametrize(
    ("protocol", "data", "to", "flags", "expected"),
    [
        (1, b"x", None, 0, -EDESTADDRREQ),
        (1, b"x", B_ADDR, MSG_OOB, -EOPNOTSUPP),
        (1, b"x", 0x08080808, 0, -ENETUNREACH),
        (1, b"x", 0x0A0000FF, 0, -EACCES),
        (1, bytes(65516), B_ADDR, 0, -EMSGSIZE),
        (IPPROTO_RAW, bytes(19), B_ADDR, 0, -EINVAL),
        (IPPROTO_RAW, b"\x4f" + bytes(30), B_ADDR, 0, -EINVAL),
        (IPPROTO_RAW, b"\x45" + bytes(1500), B_ADDR, 0, -EMSGSIZE),
    ],
)
def test_what_cannot_be_sent(
    protocol: int, data: bytes, to: int | None, flags: int, expected: int
) -> None:
    pair = two_hosts()
    sock = RawSocket(pair.a, protocol)
    assert sock.send(pair, data, to, flags) == expected
    assert sock.sk.sk_wmem_alloc == 1
    assert pair.a.net.skbs.alive == 0


def test_options_and_errors() -> None:
    pair = two_hosts()
    sock = RawSocket(pair.a, 99)
    assert sock.setsockopt(SOL_IP, IP_HDRINCL, 1) == 0
    assert sock.setsockopt(SOL_IP, IP_HDRINCL, 0) == 0
    assert sock.setsockopt(SOL_IP, IP_TTL, 5) == 0
    assert sock.setsockopt(SOL_IP, IP_RECVERR, 1) == 0
    assert sock.send(pair, b"nobody knows this") == 17
    assert ip_sent(pair.a)[0].ttl == 5
    assert sock.recv() == -ENOPROTOOPT
    assert len(sock.sk.sk_error_queue) == 1
