"""VLAN devices between two machines; what is on the wire is judged by scapy."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev_addr import dev_mc_add, dev_mc_del
from pyhost.net.core.features import dev_set_features
from tests.unit.net.support import Host, Pair, two_hosts
from tests.unit.support import Program, run_in_process

SCRIPT = (
    "ip link add link eth0 name eth0.5 type vlan id 5 egress-qos-map 6:3",
    "ip link set eth0.5 up",
)


def command(host: Host, line: str) -> str:
    """Carry out a command in a task, as an administrator's shell does."""
    told: list[str] = []
    failed: list[CommandError] = []

    def attempt() -> None:
        try:
            told.append(run_command(host.kernel, line))
        except CommandError as error:
            failed.append(error)

    host.spawn(attempt, "ip")
    clock = host.kernel.clock
    clock.run(until=clock.now + 1_000_000)  # type: ignore[attr-defined]
    if failed:
        raise failed[0]
    return told[0]


@pytest.fixture
def pair() -> Pair:
    pair = two_hosts()
    for number, host in enumerate((pair.a, pair.b), 1):
        for line in (*SCRIPT, f"ip address add 10.5.0.{number}/24 dev eth0.5"):
            command(host, line)
    return pair


def datagram(host: Host, dest: str, data: bytes, priority: int = 0) -> None:
    """Send one over UDP port 9 to 9."""

    def send(program: Program) -> None:
        fd = program("socket", 2, 2, 0)
        if priority:
            option = program.store(priority.to_bytes(4, "little"))
            assert program("setsockopt", fd, 1, 12, option, 4) == 0
        addr = bytes([2, 0, 0, 9, *map(int, dest.split(".")), *bytes(8)])
        where = program.store(addr)
        assert program("sendto", fd, program.store(data), len(data), 0, where, 16) == len(data)

    run_in_process(host.kernel, send)


def listener(host: Host) -> list[bytes]:
    """What arrives at UDP port 9 of a machine, from now on."""
    got: list[bytes] = []
    program = Program(host.kernel, "sink")

    def receive() -> None:
        fd = program("socket", 2, 2, 0)
        addr = program.store(bytes([2, 0, 0, 9, *bytes(12)]))
        assert program("bind", fd, addr, 16) == 0
        room = program.room(70_000)
        while True:
            size = program("recvfrom", fd, room, 70_000, 0, 0, 0)
            got.append(program.load(room, size))

    program.spawn(receive, "sink")
    return got


# -- packets ---------------------------------------------------------------------------------------


def test_a_datagram_goes_through_with_a_tag_on_the_wire(pair: Pair) -> None:
    got = listener(pair.b)
    datagram(pair.a, "10.5.0.2", b"tagged", priority=6)
    pair.run()
    assert got == [b"tagged"]
    frames = pair.a.sent()
    assert all(frame[Ether].type == 0x8100 and frame[Dot1Q].vlan == 5 for frame in frames)
    assert [frame[Dot1Q].type for frame in frames] == [0x0806, 0x0800]
    (sent,) = [frame for frame in frames if UDP in frame]
    assert (sent[Dot1Q].prio, sent[IP].dst, sent[Raw].load[:6]) == (3, "10.5.0.2", b"tagged")
    rebuilt = sent.copy()
    del rebuilt[UDP].chksum, rebuilt[IP].chksum
    assert bytes(Ether(bytes(rebuilt))) == bytes(sent)
    stats = [host.net.devices["eth0.5"].stats for host in (pair.a, pair.b)]
    assert stats[0].tx_packets == stats[1].rx_packets == 2
    assert stats[0].tx_bytes == 14 + 28 + 14 + 20 + 8 + 6


def test_the_device_below_does_not_hear_what_is_tagged(pair: Pair) -> None:
    got = listener(pair.b)
    datagram(pair.a, "10.0.0.2", b"plain")
    pair.run()
    assert got == [b"plain"]
    assert Dot1Q not in pair.a.sent()[-1]
    assert pair.b.net.devices["eth0.5"].stats.rx_packets == 0


def arrive(host: Host, frame: Ether) -> None:
    """A frame comes from the wire."""
    host.nic.inject(bytes(frame).ljust(60, b"\0"))
    clock = host.kernel.clock
    clock.run(until=clock.now + 1_000_000)  # type: ignore[attr-defined]


def ping(vlan: int | None, dst: str, mac: str = "02:00:00:00:00:02") -> Ether:
    """An echo request of `a` to `b`."""
    frame = Ether(src="02:00:00:00:00:01", dst=mac)
    if vlan is not None:
        frame = frame / Dot1Q(vlan=vlan)
    return frame / IP(src=dst.rsplit(".", 1)[0] + ".1", dst=dst) / ICMP()


def answered(host: Host) -> list[int | None]:
    """The VLANs of the requests for addresses with which a ping's answer begins."""
    return [frame[Dot1Q].vlan if Dot1Q in frame else None for frame in host.sent() if ARP in frame]


@pytest.mark.parametrize(
    ("vlan", "dst", "wanted"),
    [
        (5, "10.5.0.2", [5]),
        (6, "10.5.0.2", []),
        (6, "10.0.0.2", []),
        (0, "10.0.0.2", [None]),
        (None, "10.0.0.2", [None]),
    ],
)
def test_a_tag_decides_who_hears_a_frame(
    pair: Pair, vlan: int | None, dst: str, wanted: list[int | None]
) -> None:
    arrive(pair.b, ping(vlan, dst))
    assert answered(pair.b) == wanted


def test_a_vlan_device_that_is_down_hears_nothing(pair: Pair) -> None:
    command(pair.b, "ip link set eth0.5 down")
    arrive(pair.b, ping(5, "10.5.0.2"))
    assert answered(pair.b) == []
    assert pair.b.net.drops["DEV_READY"] == 1


def test_two_tags_go_to_a_vlan_device_on_a_vlan_device(pair: Pair) -> None:
    for line in (
        "ip link add link eth0.5 name inner type vlan id 7",
        "ip link set inner up",
        "ip address add 10.7.0.2/24 dev inner",
    ):
        command(pair.b, line)
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    tags = Dot1Q(vlan=5) / Dot1Q(vlan=7)
    arrive(pair.b, frame / tags / IP(src="10.7.0.1", dst="10.7.0.2") / ICMP())
    asked = next(frame for frame in pair.b.sent() if ARP in frame)
    assert [tag.vlan for tag in (asked[Dot1Q], asked[Dot1Q].payload)] == [5, 7]


def test_a_short_tagged_frame_is_dropped(pair: Pair) -> None:
    pair.b.nic.inject(bytes(Ether(dst="02:00:00:00:00:02", type=0x8100) / Raw(b"\0\5")))
    pair.run()
    assert pair.b.dev.stats.rx_dropped == 1


# -- ip link ---------------------------------------------------------------------------------------


def test_a_vlan_device_is_shown_with_the_one_below(pair: Pair) -> None:
    host = pair.a
    index = host.net.devices["eth0.5"].ifindex
    first, second = command(host, "ip link show eth0.5").splitlines()
    assert first == (
        f"{index}: eth0.5@eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP "
        "mode DEFAULT group default qlen 1000"
    )
    assert second == "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff"
    lines = command(host, "ip -d link show dev eth0.5").splitlines()
    assert lines[2:] == [
        "    vlan protocol 802.1Q id 5 <REORDER_HDR>",
        "      egress-qos-map { 6:3 }",
    ]


def test_a_vlan_device_goes_with_the_one_below(pair: Pair) -> None:
    host = pair.a
    vlan = host.net.devices["eth0.5"]
    command(host, "ip link set eth0 down")
    assert not vlan.flags & nd.IFF_UP
    with pytest.raises(CommandError, match="RTNETLINK answers: Network is down"):
        command(host, "ip link set eth0.5 up")
    command(host, "ip link set eth0 up")
    assert vlan.flags & nd.IFF_UP
    command(host, "ip link set eth0 mtu 1400")
    assert vlan.mtu == 1400
    with pytest.raises(CommandError, match="Numerical result out of range"):
        command(host, "ip link set eth0.5 mtu 1401")


def test_a_vlan_device_can_what_the_one_below_can_for_tagged_packets(pair: Pair) -> None:
    real, vlan = pair.a.dev, pair.a.net.devices["eth0.5"]
    assert not vlan.features & nd.NETIF_F_SG
    real.hw_features |= nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM
    real.vlan_features = nd.NETIF_F_SG
    command(pair.a, "ip link add link eth0 name other type vlan id 6")
    other = pair.a.net.devices["other"]
    dev_set_features(real, real.hw_features, nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM)
    assert other.features & nd.NETIF_F_SG
    assert not other.features & nd.NETIF_F_ALL_CSUM
    dev_set_features(real, nd.NETIF_F_SG, 0)
    assert not other.features & nd.NETIF_F_SG


def test_what_a_vlan_device_listens_to_the_one_below_hears(pair: Pair) -> None:
    real, vlan = pair.a.dev, pair.a.net.devices["eth0.5"]
    group = bytes.fromhex("01005e010203")
    dev_mc_add(vlan, group)
    assert group in real.mc
    assert dev_mc_del(vlan, group) == 0
    assert group not in real.mc
    command(pair.a, "ip link set eth0.5 promisc on")
    command(pair.a, "ip link set eth0.5 allmulticast on")
    assert real.flags & nd.IFF_PROMISC
    assert real.flags & nd.IFF_ALLMULTI
    command(pair.a, "ip link set eth0.5 down")
    assert not real.flags & (nd.IFF_PROMISC | nd.IFF_ALLMULTI)


def test_an_address_of_its_own_wants_every_frame_of_the_device_below(pair: Pair) -> None:
    with pytest.raises(CommandError, match="Invalid argument"):
        command(pair.b, "ip link set eth0.5 address 02:00:00:00:00:55")
    command(pair.b, "ip link set eth0.5 down")
    command(pair.b, "ip link set eth0.5 address 02:00:00:00:00:55 up")
    assert pair.b.dev.flags & nd.IFF_PROMISC
    arrive(pair.b, ping(5, "10.5.0.2", mac="02:00:00:00:00:55"))
    assert answered(pair.b) == [5]


def test_a_vlan_device_can_be_taken_away(pair: Pair) -> None:
    alive = pair.a.net.skbs.alive
    assert command(pair.a, "ip link delete eth0.5") == ""
    assert "eth0.5" not in pair.a.net.devices
    assert pair.a.dev.vlan_info == {}
    assert pair.a.net.skbs.alive == alive
    command(pair.a, "ip link add link eth0 eth0.5 mtu 1300 type vlan protocol 802.1Q id 5")
    assert pair.a.net.devices["eth0.5"].mtu == 1300


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("add link eth0 name x type vlan", "Error: 8021q: VLAN id not specified."),
        ("add name x type vlan id 3", "Error: 8021q: link not specified."),
        ("add link eth0 name x type vlan id 4095", "Error: 8021q: Invalid VLAN id."),
        ("add link eth0 name x type vlan id 5", "Error: 8021q: VLAN device already exists."),
        ("add link eth0 name lo type vlan id 6", "RTNETLINK answers: File exists"),
        ("add link lo name x type vlan id 6", "Error: 8021q: VLANs not supported on device."),
        ("add link eth7 name x type vlan id 6", 'Cannot find device "eth7"'),
        (
            "add link eth0 name x type vlan id six",
            'Error: argument "six" is wrong: id is invalid',
        ),
        ("add link eth0 name x type vlan colour 6", 'vlan: unknown command "colour"?'),
        (
            "add link eth0 name x type vlan protocol 802.1ad id 6",
            'Error: argument "802.1ad" is wrong: protocol is invalid',
        ),
        ("add link eth0 name x", 'Not enough information: "type" argument is required.'),
        ("add link eth0 name x type tunnel", "Error: Unknown device type."),
        ("add link eth0 name x type vlan id 6 egress-qos-map a:b", "invalid egress-qos-map"),
        ("delete eth0", "RTNETLINK answers: Operation not supported"),
        ("add link eth0 name way-too-long-a-name type vlan id 6", "not a valid ifname"),
    ],
)
def test_mistakes(pair: Pair, line: str, told: str) -> None:
    with pytest.raises(CommandError) as error:
        command(pair.a, f"ip link {line}")
    assert told in str(error.value)
    assert "x" not in pair.a.net.devices
