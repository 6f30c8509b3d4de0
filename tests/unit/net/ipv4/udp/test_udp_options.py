"""UDP sockets: rows of datagrams, control messages, multicast, shared ports, memory."""

from __future__ import annotations

from functools import partial
from struct import Struct

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from pyhost.admin.shell import run_command
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG
from pyhost.net.core.scm import cmsgs
from pyhost.uapi.errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENODEV,
    ENOPROTOOPT,
    ENOTTY,
)
from pyhost.uapi.fcntl import SIOCINQ, SIOCOUTQ
from pyhost.uapi.ip import (
    IN_PKTINFO,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_HDRINCL,
    IP_LOCAL_PORT_RANGE,
    IP_MREQN,
    IP_MULTICAST_ALL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_PKTINFO,
    IP_RECVORIGDSTADDR,
    IP_RECVTOS,
    IP_RECVTTL,
    IP_TOS,
    IP_TTL,
    IP_UNICAST_IF,
)
from pyhost.uapi.socket import (
    AF_INET,
    CMSGHDR,
    INT,
    MSG_DONTROUTE,
    MSG_MORE,
    SOCK_DGRAM,
    SOL_IP,
    SOL_UDP,
    pack_sockaddr_in,
)
from pyhost.uapi.udp import UDP_SEGMENT
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.support import A_ADDR, B_ADDR, Host, Pair, two_hosts
from tests.unit.support import Program, run_in_process

PORT = 5000
GROUP = 0xEF010203
IFINDEX = 2
PORTS = Struct("<HH")
MREQ = IP_MREQN.pack(GROUP.to_bytes(4, "big"), bytes(4), IFINDEX)


def do(pair: Pair, fn: object) -> object:
    return in_task(pair.a.kernel, fn, pair.run)[0]  # type: ignore[arg-type]


def cmsg(level: int, kind: int, data: bytes) -> bytes:
    raw = CMSGHDR.pack(CMSGHDR.size + len(data), level, kind) + data
    return raw.ljust(len(raw) + 7 & ~7, b"\0")


def payloads(host: Host) -> list[bytes]:
    """What each datagram of a host carries, with checksums that scapy agrees with."""
    out = []
    for frame in host.sent():
        if UDP not in frame:
            continue
        packet = IP(bytes(frame[IP])[: frame[IP].len])
        check = packet[UDP].chksum
        del packet[UDP].chksum
        assert IP(bytes(packet))[UDP].chksum == check
        out.append(bytes(packet[UDP].payload))
    return out


def text(size: int) -> bytes:
    return bytes(index % 251 for index in range(size))


# -- UDP_SEGMENT -----------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [0, NETIF_F_SG, NETIF_F_SG | NETIF_F_HW_CSUM])
@pytest.mark.parametrize("way", ["option", "message", "several calls"])
def test_one_call_sends_a_row_of_datagrams(features: int, way: str) -> None:
    pair = two_hosts(features=features)
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    data = text(3500)
    control = cmsg(SOL_UDP, UDP_SEGMENT, (1000).to_bytes(2, "little"))
    if way == "message":
        assert do(pair, lambda: sender.send(data, (B_ADDR, PORT), control=control)) == 3500
    else:
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
        assert sender.getsockopt(SOL_UDP, UDP_SEGMENT) == 1000
        cut = 1700 if way == "several calls" else 3500

        def send() -> int:
            done = sender.send(data[:cut], (B_ADDR, PORT), MSG_MORE if cut < 3500 else 0)
            return done + (sender.send(data[cut:], (B_ADDR, PORT)) if cut < 3500 else 0)

        assert do(pair, send) == 3500
    pieces = [data[at : at + 1000] for at in range(0, 3500, 1000)]
    assert payloads(pair.a) == pieces
    idents = [frame[IP].id for frame in pair.a.sent() if UDP in frame]
    assert [receiver.recv()[0] for _ in pieces] == pieces  # type: ignore[index]
    assert len(set(idents)) in (1, 4)
    assert pair.a.net.mib["UdpOutDatagrams"] == 1
    assert sender.sk.sk_wmem_alloc == 1
    assert pair.a.net.skbs.alive == 0


@pytest.mark.parametrize(
    ("size", "length", "no_check", "expected"),
    [
        (1000, 1000, False, 1000),
        (65000, 3000, False, -EMSGSIZE),
        (1473, 3000, False, -EMSGSIZE),
        (1473, 1472, False, 1472),
        (10, 1280, False, 1280),
        (10, 1281, False, -EINVAL),
        (1000, 30, True, -EINVAL),
        (1000, 65508, False, -EMSGSIZE),
    ],
)
def test_what_a_row_of_datagrams_must_not_be(
    size: int, length: int, no_check: bool, expected: int
) -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    sender.sk.sk_no_check_tx = no_check
    sender.setsockopt(SOL_UDP, UDP_SEGMENT, size)
    assert do(pair, lambda: sender.send(text(length), (B_ADDR, PORT))) == expected
    assert sender.sk.sk_wmem_alloc == 1


def test_segment_sizes_have_two_bytes() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    results = [sender.setsockopt(SOL_UDP, UDP_SEGMENT, size) for size in (-1, 65536, 65535)]
    assert results == [-EINVAL, -EINVAL, 0]
    assert sender.setsockopt(SOL_UDP, 104, 1) == -ENOPROTOOPT
    wrong = cmsg(SOL_UDP, UDP_SEGMENT, INT.pack(500))
    assert do(pair, lambda: sender.send(b"x", (B_ADDR, PORT), control=wrong)) == -EINVAL


# -- control messages ------------------------------------------------------------------------------


def test_one_datagram_may_have_its_own_tos_ttl_and_source() -> None:
    pair = two_hosts()
    run_command(pair.a.kernel, "ip addr add 10.0.0.9/24 dev eth0")
    sender = Udp(pair.a.kernel)
    info = IN_PKTINFO.pack(IFINDEX, bytes([10, 0, 0, 9]), bytes(4))
    control = cmsg(SOL_IP, IP_TTL, INT.pack(3)) + cmsg(SOL_IP, IP_TOS, b"\x10")
    control += cmsg(SOL_IP, IP_PKTINFO, info)
    do(pair, lambda: sender.send(b"x", (B_ADDR, PORT), control=control))
    do(pair, lambda: sender.send(b"x", (B_ADDR, PORT)))
    sent = [frame[IP] for frame in pair.a.sent() if UDP in frame]
    assert [(each.ttl, each.tos, each.src) for each in sent] == [
        (3, 0x10, "10.0.0.9"), (64, 0, "10.0.0.1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (IP_TTL, INT.pack(0), -EINVAL),
        (IP_TTL, INT.pack(256), -EINVAL),
        (IP_TOS, INT.pack(300), -EINVAL),
        (99, INT.pack(1), -EINVAL),
        (IP_PKTINFO, IN_PKTINFO.pack(99, bytes(4), bytes(4)), -ENODEV),
        (IP_PKTINFO, IN_PKTINFO.pack(0, bytes([1, 2, 3, 4]), bytes(4)), -EINVAL),
        (IP_PKTINFO, IN_PKTINFO.pack(IFINDEX, bytes(4), bytes(4)), 1),
    ],
)
def test_a_bad_control_message_sends_nothing(kind: int, data: bytes, expected: int) -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    control = cmsg(SOL_IP, kind, data)
    assert do(pair, lambda: sender.send(b"x", (B_ADDR, PORT), control=control)) == expected
    assert len(payloads(pair.a)) == (expected > 0)


def test_a_receiver_is_told_what_it_asked_for() -> None:
    pair = two_hosts()
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    for option in (IP_RECVTTL, IP_RECVTOS, IP_PKTINFO, IP_RECVORIGDSTADDR):
        assert receiver.setsockopt(SOL_IP, option, 1) == 0
        assert receiver.getsockopt(SOL_IP, option) == 1
    sender.setsockopt(SOL_IP, IP_TOS, 0x28)
    sender.setsockopt(SOL_IP, IP_TTL, 9)
    do(pair, lambda: sender.send(b"x", (B_ADDR, PORT)))
    _, _, msg = receiver.recv_msg()
    to_b = B_ADDR.to_bytes(4, "big")
    assert cmsgs(msg.control) == [
        (SOL_IP, IP_PKTINFO, IN_PKTINFO.pack(IFINDEX, to_b, to_b)),
        (SOL_IP, IP_TTL, INT.pack(9)),
        (SOL_IP, IP_TOS, b"\x28"),
        (SOL_IP, IP_RECVORIGDSTADDR, pack_sockaddr_in(B_ADDR, PORT)),
    ]
    receiver.setsockopt(SOL_IP, IP_PKTINFO, 0)
    assert receiver.sk.cmsg_flags == 0b1000110


def test_options_out_of_place_are_refused() -> None:
    sender = Udp(two_hosts().a.kernel)
    assert sender.setsockopt(SOL_IP, IP_HDRINCL, 1) == -ENOPROTOOPT
    assert sender.setsockopt(SOL_IP, IP_MULTICAST_TTL, 256) == -EINVAL
    assert sender.setsockopt(SOL_IP, IP_MULTICAST_ALL, 2) == -EINVAL
    assert sender.setsockopt(SOL_IP, IP_UNICAST_IF, 99) == -EADDRNOTAVAIL


def test_dontroute_wants_a_destination_on_the_link() -> None:
    pair = two_hosts()
    run_command(pair.a.kernel, "ip route add default via 10.0.0.2")
    sender = Udp(pair.a.kernel)
    far = (0x08080808, PORT)
    assert do(pair, lambda: sender.send(b"x", far, MSG_DONTROUTE)) == -ENETUNREACH
    assert do(pair, lambda: sender.send(b"x", (B_ADDR, PORT), MSG_DONTROUTE)) == 1


# -- multicast -------------------------------------------------------------------------------------


def option(sk: Udp, name: int, value: bytes) -> int:
    return sk.sk.sk_prot.setsockopt(sk.sk, SOL_IP, name, value)


def test_a_group_gets_what_is_sent_to_it_while_it_has_members() -> None:
    pair = two_hosts()
    for host in (pair.a, pair.b):
        run_command(host.kernel, "ip route add 224.0.0.0/4 dev eth0")
    sender, member, other = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT), Udp(pair.b.kernel, 5001)
    do(pair, lambda: sender.send(b"early", (GROUP, PORT)))
    assert option(member, IP_ADD_MEMBERSHIP, MREQ) == 0
    assert option(member, IP_ADD_MEMBERSHIP, MREQ) == -EADDRINUSE
    do(pair, lambda: sender.send(b"all", (GROUP, PORT)))
    assert member.recv() == (b"all", (A_ADDR, sender.sk.inet_num))
    assert isinstance(other.recv(), int)
    assert option(member, IP_DROP_MEMBERSHIP, MREQ) == 0
    assert option(member, IP_DROP_MEMBERSHIP, MREQ) == -EADDRNOTAVAIL
    do(pair, lambda: sender.send(b"late", (GROUP, PORT)))
    assert isinstance(member.recv(), int)
    frames = [frame for frame in pair.a.sent() if UDP in frame]
    assert {frame[Ether].dst for frame in frames} == {"01:00:5e:01:02:03"}
    assert {frame[IP].ttl for frame in frames} == {1}


def test_a_socket_that_is_no_member_hears_what_others_joined_unless_it_says_no() -> None:
    pair = two_hosts()
    run_command(pair.a.kernel, "ip route add 224.0.0.0/4 dev eth0")
    sender, member, other = Udp(pair.a.kernel), Udp(pair.b.kernel, 5001), Udp(pair.b.kernel, PORT)
    option(member, IP_ADD_MEMBERSHIP, MREQ)
    do(pair, lambda: sender.send(b"one", (GROUP, PORT)))
    assert other.recv() == (b"one", (A_ADDR, sender.sk.inet_num))
    assert other.setsockopt(SOL_IP, IP_MULTICAST_ALL, 0) == 0
    do(pair, lambda: sender.send(b"two", (GROUP, PORT)))
    assert isinstance(other.recv(), int)


def test_the_sender_hears_itself_unless_it_does_not_want_to() -> None:
    pair = two_hosts()
    sender, member = Udp(pair.a.kernel), Udp(pair.a.kernel, PORT)
    option(member, IP_ADD_MEMBERSHIP, MREQ)
    assert option(sender, IP_MULTICAST_IF, MREQ) == 0
    do(pair, lambda: sender.send(b"one", (GROUP, PORT)))
    assert member.recv() == (b"one", (A_ADDR, sender.sk.inet_num))
    sender.setsockopt(SOL_IP, IP_MULTICAST_LOOP, 0)
    do(pair, lambda: sender.send(b"two", (GROUP, PORT)))
    assert isinstance(member.recv(), int)
    assert payloads(pair.a) == [b"one", b"two"]


def test_a_closed_socket_leaves_its_groups() -> None:
    pair = two_hosts()
    member = Udp(pair.b.kernel, PORT)
    option(member, IP_ADD_MEMBERSHIP, MREQ)
    assert pair.b.dev.mc_list == {GROUP: 1}
    in_task(pair.b.kernel, lambda: member.sk.sk_prot.close(member.sk, 0), pair.run)
    assert pair.b.dev.mc_list == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MREQ[:7], -EINVAL),
        (IP_MREQN.pack(bytes([10, 0, 0, 1]), bytes(4), IFINDEX), -EINVAL),
        (IP_MREQN.pack(GROUP.to_bytes(4, "big"), bytes(4), 99), -ENODEV),
        (IP_MREQN.pack(GROUP.to_bytes(4, "big"), bytes(4), 0), -ENODEV),
        (MREQ[:4] + bytes([10, 0, 0, 2]), 0),
    ],
)
def test_what_a_membership_must_name(value: bytes, expected: int) -> None:
    assert option(Udp(two_hosts().b.kernel, PORT), IP_ADD_MEMBERSHIP, value) == expected


# -- sharing ---------------------------------------------------------------------------------------


def test_sockets_with_reuseport_share_flows_and_keep_each_to_one() -> None:
    pair = two_hosts()
    receivers = []
    for _ in range(4):
        receiver = Udp(pair.b.kernel)
        receiver.sk.sk_prot.unhash(receiver.sk)
        receiver.sk.sk_reuseport = True
        assert receiver.sk.sk_prot.get_port(receiver.sk, PORT) == 0
        receivers.append(receiver)
    senders = [Udp(pair.a.kernel, 2000 + index) for index in range(32)]
    for _ in range(2):
        for sender in senders:
            do(pair, lambda sender=sender: sender.send(b"x", (B_ADDR, PORT)))
    flows: list[set[int]] = []
    for receiver in receivers:
        got = []
        while not isinstance(each := receiver.recv(), int):
            got.append(each[1][1])
        assert sorted(got) == sorted(2 * list(set(got))), "a flow stays with its socket"
        flows.append(set(got))
    assert sum(map(len, flows)) == 32
    assert all(flows), "every socket has its share"


def test_all_udp_sockets_together_hold_no_more_than_udp_mem() -> None:
    pair = two_hosts()
    pair.b.kernel.sysctl["net.ipv4.udp_mem"] = (1, 2, 3)
    sender, receiver = Udp(pair.a.kernel), Udp(pair.b.kernel, PORT)
    for _ in range(20):
        do(pair, lambda: sender.send(bytes(1000), (B_ADDR, PORT)))
    held = len(receiver.sk.sk_receive_queue)
    assert 0 < held < 20
    assert pair.b.net.udp.memory <= 3 * 4096
    assert pair.b.net.mib["UdpMemErrors"] == 20 - held == pair.b.net.drops["PROTO_MEM"]
    while not isinstance(receiver.recv(), int):
        pass
    assert pair.b.net.udp.memory == 0


def test_above_the_first_limit_each_socket_still_has_udp_rmem_min() -> None:
    pair = two_hosts(sysctls={"net.ipv4.udp_mem": "1 1000 1000"})
    sender = Udp(pair.a.kernel)
    receivers = [Udp(pair.b.kernel, PORT + number) for number in range(3)]

    def offer() -> list[int]:
        for number in range(3):
            send = partial(sender.send, bytes(500), (B_ADDR, PORT + number))
            for _ in range(5):
                do(pair, send)
        return [receiver.sk.sk_rmem_alloc for receiver in receivers]

    held = offer()
    assert all(0 < size <= 4096 for size in held)
    pair.b.kernel.sysctl["net.ipv4.udp_rmem_min"] = 100_000
    assert all(more > size for more, size in zip(offer(), held, strict=True))


def test_ports_are_chosen_from_the_sockets_own_range() -> None:
    pair = two_hosts()
    sender = Udp(pair.a.kernel)
    sender.sk.sk_prot.unhash(sender.sk)
    assert option(sender, IP_LOCAL_PORT_RANGE, PORTS.pack(40000, 40001)) == 0
    assert sender.sk.sk_prot.get_port(sender.sk, 0) == 0
    assert sender.sk.inet_num in (40000, 40001)
    assert option(sender, IP_LOCAL_PORT_RANGE, PORTS.pack(40000, 39000)) == -EINVAL


def test_queues_can_be_asked_for() -> None:
    pair = two_hosts()

    def main(p: Program) -> list[int]:
        fd = p("socket", AF_INET, SOCK_DGRAM, 0)
        name = p.store(pack_sockaddr_in(A_ADDR, PORT))
        number = p.room(4)
        answers = [p("bind", fd, name, 16)]
        for size in (5, 3):
            answers.append(p("sendto", fd, p.store(bytes(size)), size, 0, name, 16))
        p("nanosleep", p.store(bytes(8) + (1000).to_bytes(8, "little")), 0)
        for cmd in (SIOCINQ, SIOCOUTQ):
            assert p("ioctl", fd, cmd, number) == 0
            answers.append(p.load_int(number))
        return [*answers, p("ioctl", fd, 0x1234, number)]

    assert run_in_process(pair.a.kernel, main) == [0, 5, 3, 5, 0, -ENOTTY]
