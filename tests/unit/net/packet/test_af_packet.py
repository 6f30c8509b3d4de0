"""AF_PACKET: what a tap sees, and frames made by programs."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from pyhost.kernel.clock import VirtualClock
from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.net.core.dev import dev_close, dev_queue_xmit
from pyhost.net.core.netdevice import IFF_PROMISC, NETIF_F_HW_CSUM
from pyhost.net.core.scm import cmsgs
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkBuff
from pyhost.net.core.sock import EPOLLIN, EPOLLOUT, MsgHdr
from pyhost.net.packet.af_packet import PacketTap
from pyhost.net.socket import Socket, sock_release
from pyhost.uapi.ethernet import (
    ETH_P_ALL,
    ETH_P_ARP,
    ETH_P_IP,
    PACKET_BROADCAST,
    PACKET_HOST,
    PACKET_OUTGOING,
)
from pyhost.uapi.if_packet import (
    PACKET_ADD_MEMBERSHIP,
    PACKET_AUXDATA,
    PACKET_DROP_MEMBERSHIP,
    PACKET_IGNORE_OUTGOING,
    PACKET_MR_PROMISC,
    PACKET_MREQ,
    PACKET_QDISC_BYPASS,
    PACKET_RESERVE,
    PACKET_STATISTICS,
    PACKET_VERSION,
    TP_STATUS_CSUMNOTREADY,
    TP_STATUS_USER,
    TPACKET_AUXDATA,
    TPACKET_STATS,
    SockaddrLl,
)
from pyhost.uapi.socket import (
    AF_PACKET,
    INT,
    MSG_DONTWAIT,
    MSG_PEEK,
    MSG_TRUNC,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_PACKET,
)
from tests.unit.net.device import B_ADDR, B_MAC, DeviceHost, device_pair, seconds


@pytest.fixture
def host() -> DeviceHost:
    return DeviceHost(VirtualClock())


def htons(value: int) -> int:
    return int.from_bytes(value.to_bytes(2, "big"), "little")


def open_socket(host: DeviceHost, kind: int = SOCK_RAW, proto: int = ETH_P_ALL) -> Socket:
    sock = host.net.families[AF_PACKET]
    made = Socket(host.net, kind)
    assert sock(host.net, made, htons(proto)) == 0
    return made


def receive(
    host: DeviceHost, sock: Socket, size: int = 2048, flags: int = MSG_DONTWAIT
) -> tuple[int, bytes, MsgHdr]:
    page = host.kernel.mem.alloc_pages()
    msg = MsgHdr(IovIter.kvec(ITER_DEST, host.kernel.mem, [(page.addr, size)]))
    msg.controllen = 256
    result = sock.ops.recvmsg(sock, msg, size, flags)
    data = bytes(host.kernel.mem.buf[page.addr : page.addr + max(0, min(result, size))])
    page.put()
    return result, data, msg


def send(host: DeviceHost, sock: Socket, data: bytes, name: bytes | None = None) -> int:
    page = host.kernel.mem.alloc_pages(2)
    host.kernel.mem.buf[page.addr : page.addr + len(data)] = data
    it = IovIter.kvec(ITER_SOURCE, host.kernel.mem, [(page.addr, len(data))])
    result = sock.ops.sendmsg(sock, MsgHdr(it, MSG_DONTWAIT, name), len(data))
    page.put()
    return result


def address(host: DeviceHost, **fields: object) -> bytes:
    values = {"protocol": ETH_P_IP, "ifindex": host.dev.ifindex, "addr": B_MAC} | fields
    return SockaddrLl(**values).emit()  # type: ignore[arg-type]


# -- taps ----------------------------------------------------------------------------------------


@pytest.mark.claim("S41")
def test_a_tap_sees_each_packet_that_is_handed_to_the_driver(host: DeviceHost) -> None:
    sock = open_socket(host)
    dev_queue_xmit(host.frame(b"one"))
    dev_queue_xmit(host.frame(b"two"))
    for text in (b"one", b"two"):
        result, data, msg = receive(host, sock)
        assert result == 17
        assert data == B_MAC + host.dev.addr + b"\x08\x00" + text
        assert msg.name is not None
        seen = SockaddrLl.parse(msg.name)
        assert (seen.protocol, seen.pkttype, seen.ifindex) == (ETH_P_IP, PACKET_OUTGOING, 1)
    sock_release(sock)
    assert host.net.skbs.alive == 0


@pytest.mark.claim("S41")
def test_with_none_open_nothing_is_cloned(
    host: DeviceHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    clones: list[SkBuff] = []
    clone = SkBuff.clone

    def counting(skb: SkBuff) -> SkBuff:
        clones.append(skb)
        return clone(skb)

    monkeypatch.setattr(SkBuff, "clone", counting)
    dev_queue_xmit(host.frame())
    assert clones == []
    sock = open_socket(host)
    dev_queue_xmit(host.frame())
    assert len(clones) > 0
    sock_release(sock)
    clones.clear()
    dev_queue_xmit(host.frame())
    assert clones == []


@pytest.mark.claim("S41")
def test_the_bytes_are_shared_not_copied(host: DeviceHost) -> None:
    sock = open_socket(host)
    host.nic.hold = True
    skb = host.frame(b"shared")
    dev_queue_xmit(skb)
    assert sock.sk.sk_receive_queue[0].head == skb.head
    host.nic.complete()
    assert receive(host, sock)[1][14:] == b"shared"


def test_what_comes_in_is_seen_with_its_header_and_kind() -> None:
    clock, a, b = device_pair()
    sock = open_socket(b)
    a.output(B_ADDR, b"hello")
    clock.run(until=seconds(0.1))
    kinds = []
    while (got := receive(b, sock))[0] > 0:
        name = got[2].name
        assert name is not None
        seen = SockaddrLl.parse(name)
        kinds.append((seen.pkttype, seen.protocol, Ether(got[1]).type))
        assert seen.addr == got[1][6:12]
    assert kinds == [
        (PACKET_BROADCAST, ETH_P_ARP, ETH_P_ARP),
        (PACKET_OUTGOING, ETH_P_ARP, ETH_P_ARP),
        (PACKET_HOST, ETH_P_IP, ETH_P_IP),
    ]
    assert b.received


def test_a_socket_for_one_protocol_sees_only_what_comes_in_of_it() -> None:
    clock, a, b = device_pair()
    sock = open_socket(b, proto=ETH_P_ARP)
    a.output(B_ADDR, b"hello")
    clock.run(until=seconds(0.1))
    assert Ether(receive(b, sock)[1]).op == 1
    assert receive(b, sock)[0] == -errno.EAGAIN
    sock_release(sock)
    assert not b.net.softnet.ptype_specific


def test_a_datagram_socket_gets_no_link_header(host: DeviceHost) -> None:
    sock = open_socket(host, SOCK_DGRAM)
    dev_queue_xmit(host.frame(b"bare"))
    assert receive(host, sock)[1] == b"bare"


def test_a_socket_with_protocol_0_sees_nothing_until_it_is_bound(host: DeviceHost) -> None:
    sock = open_socket(host, proto=0)
    dev_queue_xmit(host.frame())
    assert receive(host, sock)[0] == -errno.EAGAIN
    assert sock.ops.bind(sock, address(host, protocol=ETH_P_ALL)) == 0
    dev_queue_xmit(host.frame(b"bound"))
    assert receive(host, sock)[1].endswith(b"bound")


def test_its_own_packets_are_not_shown_to_a_socket(host: DeviceHost) -> None:
    sender, other = open_socket(host), open_socket(host)
    frame = bytes(Ether(dst=B_MAC, src=host.dev.addr, type=0x88B5) / b"mine")
    assert send(host, sender, frame, address(host)) == len(frame)
    assert receive(host, sender)[0] == -errno.EAGAIN
    assert receive(host, other)[1] == frame


def test_what_exceeds_the_buffer_is_dropped_and_counted(host: DeviceHost) -> None:
    sock = open_socket(host)
    skb = host.frame(bytes(1000))
    sock.sk.sk_rcvbuf = 3 * skb.truesize
    dev_queue_xmit(skb)
    for _ in range(4):
        dev_queue_xmit(host.frame(bytes(1000)))
    assert host.net.drops == {"PACKET_SOCK_ERROR": 2}
    stats = sock.ops.getsockopt(sock, SOL_PACKET, PACKET_STATISTICS, 8)
    assert TPACKET_STATS.unpack(stats) == (5, 2)
    again = sock.ops.getsockopt(sock, SOL_PACKET, PACKET_STATISTICS, 8)
    assert TPACKET_STATS.unpack(again) == (0, 0)
    receive(host, sock)
    assert sock.sk.sk_rmem_alloc == 2 * skb.truesize
    sock_release(sock)
    assert host.net.skbs.alive == 0


def test_a_short_buffer_truncates_and_peek_leaves_the_packet(host: DeviceHost) -> None:
    sock = open_socket(host)
    dev_queue_xmit(host.frame(b"0123456789"))
    result, data, msg = receive(host, sock, 4, MSG_DONTWAIT | MSG_PEEK)
    assert (result, data) == (4, B_MAC[:4])
    assert msg.flags & MSG_TRUNC
    assert receive(host, sock, 4, MSG_DONTWAIT | MSG_TRUNC)[0] == 24
    assert receive(host, sock)[0] == -errno.EAGAIN


def test_a_reader_sleeps_until_a_packet_passes(host: DeviceHost) -> None:
    sock = open_socket(host)
    got: list[tuple[int, bytes]] = []

    def reader() -> None:
        _, data, _ = receive(host, sock, flags=0)
        got.append((host.clock.now, data[14:]))

    host.spawn(reader)
    host.clock.call_at(seconds(2), lambda: dev_queue_xmit(host.frame(b"late")) and None)
    assert not sock.ops.poll(sock, None) & EPOLLIN
    host.clock.run()
    assert got == [(seconds(2), b"late")]
    assert sock.ops.poll(sock, None) & EPOLLOUT


def test_a_device_that_goes_down_is_reported_once(host: DeviceHost) -> None:
    sock = open_socket(host)
    assert sock.ops.bind(sock, address(host, protocol=ETH_P_ALL)) == 0
    host.spawn(lambda: dev_close(host.dev))
    host.clock.run()
    assert receive(host, sock)[0] == -errno.ENETDOWN
    assert receive(host, sock)[0] == -errno.EAGAIN
    assert host.net.ptype_all == []


# -- sending -------------------------------------------------------------------------------------


def test_a_raw_frame_goes_out_as_it_is(host: DeviceHost) -> None:
    sock = open_socket(host)
    frame = bytes(Ether(dst=B_MAC, src=host.dev.addr) / IP() / UDP() / bytes(40))
    assert send(host, sock, frame, address(host)) == len(frame)
    assert host.nic.frames[0][1] == frame
    assert sock.sk.sk_wmem_alloc == 1


def test_a_datagram_gets_its_header_from_the_address(host: DeviceHost) -> None:
    sock = open_socket(host, SOCK_DGRAM)
    assert send(host, sock, b"payload", address(host, protocol=0x88B5)) == 7
    (frame,) = host.sent()
    assert (frame.dst, frame.src, frame.type) == ("02:00:00:00:00:02", "02:00:00:00:00:01", 0x88B5)


def test_a_bound_socket_needs_no_address(host: DeviceHost) -> None:
    sock = open_socket(host)
    assert sock.ops.bind(sock, address(host)) == 0
    assert send(host, sock, bytes(60)) == 60


@pytest.mark.parametrize(
    ("size", "name", "error"),
    [
        (60, lambda host: address(host, ifindex=77), errno.ENXIO),
        (60, lambda _: None, errno.ENXIO),
        (60, lambda host: address(host)[:12], errno.EINVAL),
        (13, address, errno.EINVAL),
        (1515, address, errno.EMSGSIZE),
        (1519, address, errno.EMSGSIZE),
    ],
    ids=[
        "no device",
        "no address",
        "short address",
        "short header",
        "too long",
        "too long for VLAN",
    ],
)
def test_what_cannot_be_sent_says_why(
    host: DeviceHost, size: int, name: Callable[[DeviceHost], bytes | None], error: int
) -> None:
    sock = open_socket(host)
    assert send(host, sock, bytes(size), name(host)) == -error
    assert host.nic.frames == []
    assert host.net.skbs.alive == 0


def test_a_vlan_frame_may_be_four_bytes_longer(host: DeviceHost) -> None:
    sock = open_socket(host)
    frame = bytes(12) + b"\x81\x00" + bytes(1504)
    assert send(host, sock, frame, address(host)) == 1518


def test_a_device_that_is_down_takes_nothing(host: DeviceHost) -> None:
    sock = open_socket(host)
    host.spawn(lambda: dev_close(host.dev))
    host.clock.run()
    assert send(host, sock, bytes(60), address(host)) == -errno.ENETDOWN


def test_a_full_send_buffer_is_eagain(host: DeviceHost) -> None:
    sock = open_socket(host)
    host.nic.hold = True
    sock.sk.sk_sndbuf = 2000
    results = [send(host, sock, bytes(1000), address(host)) for _ in range(4)]
    assert results == [1000, -errno.EAGAIN, -errno.EAGAIN, -errno.EAGAIN]
    host.nic.complete()
    assert send(host, sock, bytes(1000), address(host)) == 1000


def test_qdisc_bypass_goes_round_taps_and_reports_a_busy_driver(host: DeviceHost) -> None:
    sock, tap = open_socket(host), open_socket(host)
    assert sock.ops.setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, INT.pack(1)) == 0
    assert send(host, sock, bytes(60), address(host)) == 60
    assert receive(host, tap)[0] == -errno.EAGAIN
    host.dev.tx[0].stop_queue()
    assert send(host, sock, bytes(60), address(host)) == -errno.ENOBUFS
    assert host.net.drops == {"FULL_RING": 1}


def test_a_full_qdisc_is_enobufs(host: DeviceHost) -> None:
    sock = open_socket(host)
    host.dev.tx[0].stop_queue()
    assert host.dev.qdisc is not None
    host.dev.qdisc.limit = 2
    results = [send(host, sock, bytes(60), address(host)) for _ in range(4)]
    assert results == [60, 60, 60, -errno.ENOBUFS]


# -- the socket ----------------------------------------------------------------------------------


def test_only_raw_and_datagram_sockets_exist(host: DeviceHost) -> None:
    create = host.net.families[AF_PACKET]
    assert create(host.net, Socket(host.net, SOCK_STREAM), 0) == -errno.ESOCKTNOSUPPORT


def test_getname_tells_what_bind_set(host: DeviceHost) -> None:
    sock = open_socket(host)
    assert sock.ops.bind(sock, address(host, ifindex=9)) == -errno.ENODEV
    assert sock.ops.bind(sock, address(host)[:10]) == -errno.EINVAL
    assert sock.ops.bind(sock, address(host)) == 0
    name = sock.ops.getname(sock, False)
    assert isinstance(name, bytes)
    assert SockaddrLl.parse(name) == SockaddrLl(ETH_P_IP, 1, 1, 0, host.dev.addr)


# -- the kernel's own tap ------------------------------------------------------------------------


def test_a_kernel_tap_sees_both_ways_with_time_and_key() -> None:
    clock, a, b = device_pair()
    seen: list[tuple[int, int, bytes, int]] = []
    tap = PacketTap(b.net, lambda ns, kind, frame, key: seen.append((ns, kind, frame, key)))
    a.output(B_ADDR, b"hello")
    clock.run(until=seconds(0.1))
    assert [kind for _, kind, _, _ in seen] == [PACKET_BROADCAST, PACKET_OUTGOING, PACKET_HOST]
    assert [ns for ns, _, _, _ in seen] == [1000, 1000, 3000]
    assert seen[2][2][14:].startswith(b"hello")
    assert all(key for _, _, _, key in seen)
    tap.close()
    assert b.net.ptype_all == []
    assert b.net.skbs.alive == 0


# -- options -------------------------------------------------------------------------------------


def option(sock: Socket, name: int, value: bytes) -> int:
    return sock.ops.setsockopt(sock, SOL_PACKET, name, value)


def test_auxdata_tells_whether_the_checksum_is_there_yet() -> None:
    clock, a, b = device_pair(features=NETIF_F_HW_CSUM)
    here, there = open_socket(a), open_socket(b)
    for sock in (here, there):
        assert option(sock, PACKET_AUXDATA, INT.pack(1)) == 0
    skb = a.frame(b"payload")
    skb.ip_summed, skb.csum_start, skb.csum_offset = CHECKSUM_PARTIAL, skb.data + 14, 2
    dev_queue_xmit(skb)
    clock.run(until=seconds(0.1))
    for host, sock, status, length in (
        (a, here, TP_STATUS_USER | TP_STATUS_CSUMNOTREADY, 21),
        (b, there, TP_STATUS_USER, 60),
    ):
        _, _, msg = receive(host, sock)
        messages = cmsgs(msg.control)
        assert isinstance(messages, list)
        ((level, kind, data),) = messages
        assert (level, kind) == (SOL_PACKET, PACKET_AUXDATA)
        assert TPACKET_AUXDATA.unpack(data) == (status, length, length, 0, 14, 0, 0)


def test_promiscuous_membership_is_counted_and_ends_with_the_socket(host: DeviceHost) -> None:
    mreq = PACKET_MREQ.pack(host.dev.ifindex, PACKET_MR_PROMISC, 0, bytes(8))
    first, second = open_socket(host), open_socket(host)
    for sock in (first, first, second):
        assert option(sock, PACKET_ADD_MEMBERSHIP, mreq) == 0
    assert host.dev.promiscuity == 2
    assert option(first, PACKET_DROP_MEMBERSHIP, mreq) == 0
    assert host.dev.promiscuity == 2
    sock_release(first)
    assert host.dev.flags & IFF_PROMISC
    assert option(second, PACKET_DROP_MEMBERSHIP, mreq) == 0
    assert not host.dev.flags & IFF_PROMISC
    assert option(second, PACKET_DROP_MEMBERSHIP, mreq) == -errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (PACKET_ADD_MEMBERSHIP, bytes(15), -errno.EINVAL),
        (PACKET_ADD_MEMBERSHIP, PACKET_MREQ.pack(9, 1, 0, bytes(8)), -errno.ENODEV),
        (PACKET_ADD_MEMBERSHIP, PACKET_MREQ.pack(1, 7, 0, bytes(8)), -errno.EINVAL),
        (PACKET_ADD_MEMBERSHIP, PACKET_MREQ.pack(1, 0, 9, bytes(8)), -errno.EINVAL),
        (PACKET_ADD_MEMBERSHIP, PACKET_MREQ.pack(1, 0, 7, bytes(8)), -errno.EINVAL),
        (PACKET_VERSION, INT.pack(3), -errno.EINVAL),
        (PACKET_VERSION, INT.pack(2), 0),
        (PACKET_RESERVE, INT.pack(-1), -errno.EINVAL),
        (PACKET_IGNORE_OUTGOING, INT.pack(2), -errno.EINVAL),
        (PACKET_AUXDATA, b"1", -errno.EINVAL),
        (99, INT.pack(1), -errno.ENOPROTOOPT),
    ],
)
def test_what_an_option_must_be(host: DeviceHost, name: int, value: bytes, expected: int) -> None:
    sock = open_socket(host)
    assert option(sock, name, value) == expected
    if not expected:
        assert sock.ops.getsockopt(sock, SOL_PACKET, name, 4) == value


def test_outgoing_packets_can_be_ignored() -> None:
    clock, a, b = device_pair()
    sock = open_socket(b)
    option(sock, PACKET_IGNORE_OUTGOING, INT.pack(1))
    dev_queue_xmit(b.frame(b"mine"))
    assert receive(b, sock)[0] == -errno.EAGAIN
    dev_queue_xmit(a.frame(b"theirs"))
    clock.run(until=seconds(0.1))
    assert receive(b, sock)[0] == 60
