"""UDP sockets between two machines; frames judged by scapy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.mm.iov_iter import ITER_SOURCE, IovIter
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG
from pyhost.net.core.sock import TCP_CLOSE, MsgHdr
from pyhost.net.ipv4.udp.udp import udp_prot
from pyhost.uapi.errno import (
    EACCES,
    EADDRINUSE,
    EAFNOSUPPORT,
    EAGAIN,
    ECONNREFUSED,
    EDESTADDRREQ,
    EFAULT,
    EHOSTUNREACH,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    EOPNOTSUPP,
    EPIPE,
)
from pyhost.uapi.ip import IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_RECVERR, IP_TOS, IP_TTL
from pyhost.uapi.socket import (
    AF_UNSPEC,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SOL_IP,
    SOL_UDP,
    pack_sockaddr_in,
    unpack_sockaddr_in,
)
from pyhost.uapi.udp import UDP_CORK
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.support import A_ADDR, B_ADDR, Host, Pair, two_hosts

PORT = 5000


def do(pair: Pair, host: Host, fn: Callable[[], Any]) -> Any:
    """Run `fn` in a task of `host` and let time pass until nothing happens; what it returned."""
    result = in_task(host.kernel, fn, pair.run)
    assert result, "the task did not come back"
    return result[0]


def datagrams(host: Host) -> list[Packet]:
    """The UDP datagrams a host sent, as IP packets; fragments too."""
    return [frame[IP] for frame in host.sent() if IP in frame and frame[IP].proto == 17]


def checksum_good(packet: Packet) -> bool:
    """Whether scapy computes the same IP and UDP checksums for a whole datagram."""
    again = packet.copy()
    del again.chksum
    del again[UDP].chksum
    rebuilt = IP(bytes(again))
    return bool(rebuilt.chksum == packet.chksum and rebuilt[UDP].chksum == packet[UDP].chksum)


@pytest.mark.claim("S47")
@pytest.mark.parametrize("size", [0, 1, 59, 60, 1471, 1472])
@pytest.mark.parametrize("features", [0, NETIF_F_SG | NETIF_F_HW_CSUM])
def test_one_send_is_one_datagram_with_its_length_kept(size: int, features: int) -> None:
    pair = two_hosts(features=features)
    data = bytes(range(256)) * 6
    sender, receiver = Udp(pair.a.kernel, 1234), Udp(pair.b.kernel, PORT)
    assert do(pair, pair.a, lambda: sender.send(data[:size], (B_ADDR, PORT))) == size
    (packet,) = datagrams(pair.a)
    assert (packet.src, packet.dst, packet.len) == ("10.0.0.1", "10.0.0.2", 28 + size)
    assert (packet.version, packet.ihl, packet.ttl, str(packet.flags)) == (4, 5, 64, "DF")
    assert (packet[UDP].sport, packet[UDP].dport, packet[UDP].len) == (1234, PORT, 8 + size)
    assert checksum_good(IP(bytes(packet)[: 28 + size]))
    assert receiver.recv() == (data[:size], (A_ADDR, 1234))
    assert receiver.recv() == -EAGAIN


@pytest.mark.claim("S37")
@pytest.mark.parametrize("size", [1473, 4000, 65507])
def test_a_big_datagram_leaves_in_fragments_that_make_it_up_again(size: int) -> None:
    pair = two_hosts(features=NETIF_F_SG | NETIF_F_HW_CSUM)
    data = bytes(index * 7 & 0xFF for index in range(size))
    sender, receiver = Udp(pair.a.kernel, 1234), Udp(pair.b.kernel, PORT)
    do(pair, pair.a, lambda: sender.send(b"resolve", (B_ADDR, PORT)))
    assert do(pair, pair.a, lambda: sender.send(data, (B_ADDR, PORT))) == size
    fragments = datagrams(pair.a)[1:]
    assert len({packet.id for packet in fragments}) == 1
    assert [str(packet.flags) for packet in fragments] == ["MF"] * (len(fragments) - 1) + [""]
    body = b"".join(bytes(packet)[20 : packet.len] for packet in fragments)
    at = 0
    for packet in fragments:
        assert packet.frag * 8 == at
        assert packet.len <= 1500
        assert IP(bytes(packet)).chksum == IP(bytes(IP(**_header(packet)))).chksum
        at += packet.len - 20
    datagram = UDP(body)
    assert (datagram.len, bytes(datagram.payload)) == (8 + size, data)
    assert checksum_good(IP(bytes(IP(src="10.0.0.1", dst="10.0.0.2", proto=17) / body)))
    assert receiver.recv() == (b"resolve", (A_ADDR, 1234))
    assert receiver.recv() == (data, (A_ADDR, 1234))


def _header(packet: Packet) -> dict[str, Any]:
    names = ("version", "ihl", "tos", "len", "id", "flags", "frag", "ttl", "proto", "src", "dst")
    return {name: getattr(packet, name) for name in names}


def test_4000_bytes_are_cut_where_linux_cuts_them() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel, 1234)
    do(pair, pair.a, lambda: sender.send(bytes(4000), (B_ADDR, PORT)))
    assert [(packet.len - 20, packet.frag) for packet in datagrams(pair.a)] == [
        (1480, 0),
        (1480, 185),
        (1048, 370),
    ]


def _errors() -> list[Any]:
    other = pack_sockaddr_in(B_ADDR, PORT)
    return [
        pytest.param(65508, other, 0, -EMSGSIZE, id="65508 bytes"),
        pytest.param(65536, other, 0, -EMSGSIZE, id="65536 bytes"),
        pytest.param(1, other, MSG_OOB, -EOPNOTSUPP, id="out of band"),
        pytest.param(1, other[:15], 0, -EINVAL, id="short address"),
        pytest.param(1, b"\x0a\0" + other[2:], 0, -EAFNOSUPPORT, id="IPv6 address"),
        pytest.param(1, pack_sockaddr_in(B_ADDR, 0), 0, -EINVAL, id="port 0"),
        pytest.param(1, None, 0, -EDESTADDRREQ, id="no destination"),
        pytest.param(1, pack_sockaddr_in(0x0A0000FF, PORT), 0, -EACCES, id="broadcast not allowed"),
        pytest.param(1, pack_sockaddr_in(0x08080808, PORT), 0, -ENETUNREACH, id="no route"),
        pytest.param(1, b"\0\0" + other[2:], 0, 1, id="AF_UNSPEC is taken as AF_INET"),
    ]


@pytest.mark.parametrize(("size", "name", "flags", "expected"), _errors())
def test_what_a_send_returns(size: int, name: bytes | None, flags: int, expected: int) -> None:
    pair = two_hosts()
    kernel = pair.a.kernel
    sender = Udp(kernel)
    addr = kernel.mem.kmalloc(size)

    def send() -> int:
        source = IovIter.kvec(ITER_SOURCE, kernel.mem, [(addr, size)])
        return udp_prot.sendmsg(sender.sk, MsgHdr(source, flags, name), size)

    assert do(pair, pair.a, send) == expected
    assert len(datagrams(pair.a)) == (expected > 0)
    assert sender.sk.sk_wmem_alloc == 1


def test_a_fault_sends_nothing_and_returns_efault() -> None:
    pair = two_hosts()
    mm = MmStruct(pair.a.kernel.mem)
    start = mm.mmap(4096)
    sender = Udp(pair.a.kernel)

    def send() -> int:
        source = IovIter.ubuf(ITER_SOURCE, mm, start + 4000, 3000)
        return udp_prot.sendmsg(sender.sk, MsgHdr(source, 0, pack_sockaddr_in(B_ADDR, PORT)), 3000)

    before = pair.a.net.skbs.alive
    assert do(pair, pair.a, send) == -EFAULT
    assert datagrams(pair.a) == []
    assert pair.a.net.skbs.alive == before
    assert sender.sk.sk_wmem_alloc == 1


def test_broadcast_goes_to_all_and_back_to_this_host() -> None:
    pair = two_hosts()
    sender, here, there = Udp(pair.a.kernel), Udp(pair.a.kernel, PORT), Udp(pair.b.kernel, PORT)
    sender.sk.sk_broadcast = True
    assert do(pair, pair.a, lambda: sender.send(b"all", (0x0A0000FF, PORT))) == 3
    (frame,) = [frame for frame in pair.a.sent() if UDP in frame]
    assert frame[Ether].dst == "ff:ff:ff:ff:ff:ff"
    assert there.recv() == (b"all", (A_ADDR, sender.sk.inet_num))
    assert here.recv() == (b"all", (A_ADDR, sender.sk.inet_num))


def test_loopback_needs_no_wire() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.a.kernel, PORT)
    assert do(pair, pair.a, lambda: sender.send(b"self", (0x7F000001, PORT))) == 4
    assert receiver.recv() == (b"self", (0x7F000001, sender.sk.inet_num))
    assert do(pair, pair.a, lambda: sender.send(b"own", (A_ADDR, PORT))) == 3
    assert receiver.recv() == (b"own", (A_ADDR, sender.sk.inet_num))
    assert pair.a.sent() == []


def test_cork_joins_sends_and_clearing_it_sends() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)

    def talk() -> None:
        assert sender.setsockopt(SOL_UDP, UDP_CORK, 1) == 0
        assert sender.send(b"one ", (B_ADDR, PORT)) == 4
        assert sender.send(b"two ") == 4
        assert datagrams(pair.a) == []
        assert sender.setsockopt(SOL_UDP, UDP_CORK, 0) == 0

    do(pair, pair.a, talk)
    assert receiver.recv() == (b"one two ", (A_ADDR, sender.sk.inet_num))
    assert sender.getsockopt(SOL_UDP, UDP_CORK) == 0


@pytest.mark.parametrize("mtu", [1500, 1499])
@pytest.mark.parametrize("features", [0, NETIF_F_SG | NETIF_F_HW_CSUM])
def test_msg_more_across_fragment_borders_keeps_every_byte(features: int, mtu: int) -> None:
    pair = two_hosts(features=features)
    pair.a.dev.mtu = mtu
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    pieces = [
        bytes([index]) * size for index, size in enumerate((3, 1465, 3, 8, 1480, 999, 2000, 7))
    ]

    def talk() -> None:
        for piece in pieces[:-1]:
            assert sender.send(piece, (B_ADDR, PORT), MSG_MORE) == len(piece)
        assert sender.send(pieces[-1], (B_ADDR, PORT)) == 7

    do(pair, pair.a, talk)
    assert all(packet.len <= mtu for packet in datagrams(pair.a))
    assert receiver.recv() == (b"".join(pieces), (A_ADDR, sender.sk.inet_num))
    assert sender.sk.sk_wmem_alloc == 1


def test_an_error_while_corked_gives_up_the_whole_datagram() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)

    def talk() -> list[int]:
        first = sender.send(bytes(60000), (B_ADDR, PORT), MSG_MORE)
        return [first, sender.send(bytes(6000)), sender.send(b"new", (B_ADDR, PORT))]

    assert do(pair, pair.a, talk) == [60000, -EMSGSIZE, 3]
    assert receiver.recv() == (b"new", (A_ADDR, sender.sk.inet_num))
    assert sender.sk.sk_wmem_alloc == 1


def test_path_mtu_discovery_do_refuses_what_does_not_fit() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    sender.setsockopt(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    sender.setsockopt(SOL_IP, IP_RECVERR, 1)
    assert do(pair, pair.a, lambda: sender.send(bytes(1473), (B_ADDR, PORT))) == -EMSGSIZE
    result, _, msg = sender.recv_msg(flags=MSG_ERRQUEUE)
    assert result == 0
    assert unpack_sockaddr_in(msg.name or b"") == (2, B_ADDR, PORT)
    assert int.from_bytes(msg.control[16:20], "little") == EMSGSIZE
    assert int.from_bytes(msg.control[24:28], "little") == 1500


def test_no_check_sends_a_zero_checksum() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    sender.sk.sk_no_check_tx = True
    do(pair, pair.a, lambda: sender.send(b"bare", (B_ADDR, PORT)))
    assert datagrams(pair.a)[0][UDP].chksum == 0
    assert receiver.recv() == (b"bare", (A_ADDR, sender.sk.inet_num))


def test_a_computed_checksum_of_zero_is_sent_as_ffff() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel, 1234), Udp(pair.b.kernel, PORT)
    plain = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1234, dport=PORT) / b"\0\0"
    data = IP(bytes(plain))[UDP].chksum.to_bytes(2, "big")
    do(pair, pair.a, lambda: sender.send(data, (B_ADDR, PORT)))
    assert datagrams(pair.a)[0][UDP].chksum == 0xFFFF
    assert receiver.recv() == (data, (A_ADDR, 1234))


def test_a_damaged_datagram_is_dropped_and_counted() -> None:
    pair = two_hosts()
    receiver = Udp(pair.b.kernel, PORT)
    frame = bytearray(bytes(_frame(UDP(sport=9, dport=PORT) / b"hello")))
    frame[-1] ^= 1
    pair.b.nic.inject(bytes(frame))
    pair.run()
    assert receiver.recv() == -EAGAIN
    assert pair.b.net.mib["UdpInCsumErrors"] == 1
    assert pair.b.net.drops["UDP_CSUM"] == 1


def _frame(payload: Packet) -> Packet:
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return ether / IP(src="10.0.0.1", dst="10.0.0.2") / payload


def test_a_closed_port_answers_and_the_next_call_reports_it() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)

    def talk() -> list[int]:
        results = [sender.connect(B_ADDR, 7777), sender.send(b"x")]
        pair.a.kernel.sched.schedule_timeout(1_000_000)
        return [*results, sender.send(b"y"), sender.send(b"z")]

    assert do(pair, pair.a, talk) == [0, 1, -ECONNREFUSED, 1]
    answer = next(frame for frame in pair.b.sent() if ICMP in frame)
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 3)
    assert bytes(answer[ICMP].payload)[:28] == bytes(datagrams(pair.a)[0])[:28]


def test_an_unconnected_socket_hears_nothing_of_it_without_recverr() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    do(pair, pair.a, lambda: sender.send(b"x", (B_ADDR, 7777)))
    assert sender.recv() == -EAGAIN
    sender.setsockopt(SOL_IP, IP_RECVERR, 1)
    do(pair, pair.a, lambda: sender.send(b"x", (B_ADDR, 7777)))
    assert sender.recv() == -ECONNREFUSED
    result, data, msg = sender.recv_msg(flags=MSG_ERRQUEUE)
    assert (result, data) == (1, b"x")
    assert unpack_sockaddr_in(msg.name or b"") == (2, B_ADDR, 7777)
    assert msg.control[20:23] == bytes([2, 3, 3])


def test_a_silent_next_hop_ends_in_ehostunreach_for_who_asked() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    sender.setsockopt(SOL_IP, IP_RECVERR, 1)
    assert do(pair, pair.a, lambda: sender.send(b"x", (0x0A000063, PORT))) == 1
    assert sender.recv() == -EHOSTUNREACH
    assert datagrams(pair.a) == []


def test_recv_truncates_peeks_and_tells_the_whole_length() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    do(pair, pair.a, lambda: sender.send(b"0123456789", (B_ADDR, PORT)))
    result, data, msg = receiver.recv_msg(4, MSG_DONTWAIT | MSG_PEEK)
    assert (result, data, msg.flags & MSG_TRUNC) == (4, b"0123", MSG_TRUNC)
    result, data, msg = receiver.recv_msg(4, MSG_DONTWAIT | MSG_TRUNC)
    assert (result, data) == (10, b"0123")
    assert receiver.recv() == -EAGAIN
    assert receiver.sk.sk_rmem_alloc == 0


def test_recv_sleeps_until_a_datagram_comes() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    got: list[Any] = []
    pair.b.spawn(lambda: got.append((receiver.recv(flags=0), pair.clock.now)))
    pair.clock.call_at(
        5_000_000, lambda: pair.a.spawn(lambda: sender.send(b"late", (B_ADDR, PORT)))
    )
    pair.run()
    (((data, _), when),) = got
    assert data == b"late"
    assert when >= 5_000_000


def test_a_full_receive_buffer_drops_with_a_reason() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    receiver.sk.sk_rcvbuf = 2304
    do(pair, pair.a, lambda: [sender.send(b"x" * 500, (B_ADDR, PORT)) for _ in range(5)])
    dropped = pair.b.net.drops["SOCKET_RCVBUFF"]
    kept = 0
    while not isinstance(receiver.recv(), int):
        kept += 1
    assert kept >= 1
    assert kept + dropped == 5
    assert pair.b.net.mib["UdpRcvbufErrors"] == dropped == receiver.sk.sk_drops


def test_a_full_send_buffer_blocks_until_the_nic_is_done() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    do(pair, pair.a, lambda: sender.send(b"resolve", (B_ADDR, PORT)))
    pair.a.nic.hold = True
    sender.sk.sk_sndbuf = 4608
    noblock = do(
        pair,
        pair.a,
        lambda: [sender.send(bytes(1400), (B_ADDR, PORT), MSG_DONTWAIT) for _ in range(4)],
    )
    assert noblock[-1] == -EAGAIN
    done: list[int] = []
    pair.a.spawn(lambda: done.append(sender.send(bytes(1400), (B_ADDR, PORT))))
    pair.run()
    assert done == []
    pair.a.nic.hold = False
    pair.a.nic.complete()
    pair.run()
    assert done == [1400]
    assert sender.sk.sk_wmem_alloc == 1


def test_a_connected_socket_takes_only_its_peer_and_wins_over_others() -> None:
    pair = two_hosts()
    general, special = Udp(pair.b.kernel), Udp(pair.a.kernel, 1234)
    receiver = Udp(pair.b.kernel, PORT)
    assert do(pair, pair.b, lambda: receiver.connect(A_ADDR, 1234)) == 0
    other = Udp(pair.a.kernel, 4321)
    do(
        pair,
        pair.a,
        lambda: (special.send(b"peer", (B_ADDR, PORT)), other.send(b"stranger", (B_ADDR, PORT))),
    )
    assert receiver.recv() == (b"peer", (A_ADDR, 1234))
    assert receiver.recv() == -EAGAIN
    assert pair.b.net.mib["UdpNoPorts"] == 1
    stranger = _frame(UDP(sport=1234, dport=PORT) / b"same port")
    stranger[IP].src = "10.0.0.3"
    pair.b.nic.inject(bytes(stranger))
    pair.run(until=pair.clock.now + 1_000_000)
    assert receiver.recv() == -EAGAIN
    assert general.bound == 0


def test_disconnect_takes_back_what_connect_chose() -> None:
    pair = two_hosts()
    sock = Udp(pair.a.kernel)
    port = sock.sk.inet_num
    do(pair, pair.a, lambda: sock.connect(B_ADDR, PORT))
    assert sock.sk.inet_saddr == A_ADDR
    assert do(pair, pair.a, lambda: udp_prot.disconnect(sock.sk, AF_UNSPEC)) == 0
    assert (sock.sk.sk_state, sock.sk.inet_saddr, sock.sk.inet_num) == (TCP_CLOSE, 0, 0)
    assert port not in pair.a.net.udp.by_port
    assert do(pair, pair.a, lambda: sock.send(b"x")) == -EDESTADDRREQ


def test_ports_are_exclusive_unless_both_reuse_them_or_the_addresses_differ() -> None:
    pair = two_hosts()
    kernel = pair.a.kernel
    assert Udp(kernel, PORT, A_ADDR).bound == 0
    assert Udp(kernel, PORT, 0x7F000001).bound == 0
    assert Udp(kernel, PORT).bound == -EADDRINUSE
    first = Udp(kernel, 6000)
    first.sk.sk_reuse = True
    second = Udp(kernel)
    second.sk.sk_reuse = True
    udp_prot.unhash(second.sk)
    assert udp_prot.get_port(second.sk, 6000) == 0


def test_ephemeral_ports_come_from_the_range_until_it_is_used_up() -> None:
    pair = two_hosts(sysctls={"net.ipv4.ip_local_port_range": "40000 40003"})
    ports = [Udp(pair.a.kernel).sk.inet_num for _ in range(4)]
    assert sorted(ports) == [40000, 40001, 40002, 40003]
    assert Udp(pair.a.kernel).bound == -EADDRINUSE


def test_close_frees_the_port_and_the_sock_once_its_last_packet_has_left() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    do(pair, pair.a, lambda: sender.send(b"resolve", (B_ADDR, PORT)))
    pair.a.nic.hold = True
    before = pair.a.net.sockets_in_use

    def talk() -> None:
        sender.send(b"last", (B_ADDR, PORT))
        sender.send(b"never", (B_ADDR, PORT), MSG_MORE)
        udp_prot.close(sender.sk, 0)

    do(pair, pair.a, talk)
    assert pair.a.net.udp.by_port == {}
    assert pair.a.net.sockets_in_use == before
    pair.a.nic.complete()
    assert pair.a.net.sockets_in_use == before - 1


def test_a_pending_error_and_shutdown_are_reported_by_send() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    sender.sk.sk_err = ECONNREFUSED
    assert do(pair, pair.a, lambda: sender.send(b"x", (B_ADDR, PORT))) == -ECONNREFUSED
    sender.sk.sk_shutdown = 2
    assert do(pair, pair.a, lambda: sender.send(b"x", (B_ADDR, PORT))) == -EPIPE


def test_ttl_and_tos_come_from_the_socket_or_from_a_control_message() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    assert sender.setsockopt(SOL_IP, IP_TTL, 9) == 0
    assert sender.setsockopt(SOL_IP, IP_TOS, 0x10) == 0
    assert sender.sk.sk_priority == 6
    cmsg = (
        (20).to_bytes(8, "little")
        + bytes(4)
        + IP_TTL.to_bytes(4, "little")
        + (3).to_bytes(8, "little")
    )
    do(pair, pair.a, lambda: sender.send(b"a", (B_ADDR, PORT)))
    do(pair, pair.a, lambda: sender.send(b"b", (B_ADDR, PORT), control=cmsg))
    assert [(packet.ttl, packet.tos) for packet in datagrams(pair.a)] == [(9, 16), (3, 16)]
    assert sender.setsockopt(SOL_IP, IP_TTL, 256) == -EINVAL
    assert (sender.getsockopt(SOL_IP, IP_TTL), sender.getsockopt(SOL_IP, IP_TOS)) == (9, 16)
