"""Two whole machines with a card each: programs, sockets, the stack, the driver, the card."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether

from pyhost.admin.shell import run_command
from pyhost.boot import boot
from pyhost.drivers.net.hnic.hnic_main import HnicAdapter, hnic_probe
from pyhost.drivers.net.hnic_model.card import HnicModel
from pyhost.kernel.clock import VirtualClock
from pyhost.net.core.netdevice import NetDevice
from pyhost.uapi.errno import EINVAL, EOPNOTSUPP, ERANGE
from pyhost.uapi.net_tstamp import (
    HWTSTAMP_CONFIG,
    SCM_TIMESTAMPING,
    SOF_TIMESTAMPING_OPT_TSONLY,
    SOF_TIMESTAMPING_OPT_TX_SWHW,
    SOF_TIMESTAMPING_RAW_HARDWARE,
    SOF_TIMESTAMPING_RX_HARDWARE,
    SOF_TIMESTAMPING_RX_SOFTWARE,
    SOF_TIMESTAMPING_SOFTWARE,
    SOF_TIMESTAMPING_TX_HARDWARE,
    SOF_TIMESTAMPING_TX_SOFTWARE,
)
from pyhost.uapi.sockios import SIOCGHWTSTAMP, SIOCSHWTSTAMP
from tb.wire import Link
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.support import Program

RATE = 10_000_000_000
DELAY = 1_000
SOL_SOCKET, SO_TIMESTAMPING = 1, 37
MSG_ERRQUEUE = 0x2000
MSGHDR = Struct("<QI4xQQQQi4x")
IOVEC = Struct("<QQ")
PORTS = (5001, 5002, 5003, 5004)


class Machine:
    """One end. `dev` is up with 10.0.0.N, and with 10.5.0.N on VLAN 5."""

    def __init__(self, clock: VirtualClock, link: Link, number: int, queues: int) -> None:
        self.clock = clock
        mac = bytes([2, 0, 0, 0, 0, number])
        self.kernel = boot(clock, name=f"m{number}", number=number, seed=number)
        port = link.ports[number - 1]
        self.model = HnicModel(self.kernel, clock, port, mac, RATE, queues, queues)
        self.dev: NetDevice = self.task(lambda: hnic_probe(self.kernel, self.model.device, "eth0"))
        for line in (
            "ip link set eth0 up",
            f"ip address add 10.0.0.{number}/24 dev eth0",
            "ip link add link eth0 name eth0.5 type vlan id 5",
            "ip link set eth0.5 up",
            f"ip address add 10.5.0.{number}/24 dev eth0.5",
        ):
            self.task(lambda line=line: run_command(self.kernel, line))

    def task(self, fn: Callable[[], object]) -> object:
        """Run `fn` in a task; what it returned."""
        result: list[object] = []
        self.kernel.sched.spawn(lambda: result.append(fn()), "test")
        self.clock.run(until=self.clock.now + 5_000_000)
        assert result, "the task still sleeps"
        return result[0]

    @property
    def adapter(self) -> HnicAdapter:
        adapter: HnicAdapter = self.dev.priv
        return adapter


class Net:
    def __init__(self, queues: int = 4) -> None:
        self.clock = VirtualClock()
        self.wire: list[tuple[int, int, bytes]] = []
        self.link = Link(
            self.clock, RATE, DELAY, lambda ns, side, frame, _: self.wire.append((ns, side, frame))
        )
        self.a = Machine(self.clock, self.link, 1, queues)
        self.b = Machine(self.clock, self.link, 2, queues)

    def run(self) -> None:
        self.clock.run(until=self.clock.now + 300_000_000)


def sockaddr(addr: str, port: int) -> bytes:
    return b"\2\0" + port.to_bytes(2, "big") + bytes(map(int, addr.split("."))) + bytes(8)


# -- TCP -------------------------------------------------------------------------------------------


def serve(machine: Machine, port: int) -> bytearray:
    """What one connection to a port brings."""
    got = bytearray()
    program = Program(machine.kernel, f"server{port}")

    def main() -> None:
        fd = program("socket", 2, 1, 0)
        assert program("bind", fd, program.store(sockaddr("0.0.0.0", port)), 16) == 0
        assert program("listen", fd, 5) == 0
        conn = program("accept4", fd, 0, 0, 0)
        assert conn >= 0
        while data := program.read(conn, 65_536):
            got.extend(data)
        program.process.exit(0)

    program.spawn(main)
    return got


def send(machine: Machine, addr: str, port: int, data: bytes) -> None:
    program = Program(machine.kernel, f"client{port}")

    def main() -> None:
        fd = program("socket", 2, 1, 0)
        assert program("connect", fd, program.store(sockaddr(addr, port)), 16) == 0
        where = program.store(data)
        done = 0
        while done < len(data):
            count = program("write", fd, where + done, len(data) - done)
            assert count > 0
            done += count
        assert program("close", fd) == 0
        program.process.exit(0)

    program.spawn(main)


@pytest.mark.parametrize("vlan", [False, True])
@pytest.mark.parametrize("mtu", [1500, 9000])
@pytest.mark.parametrize("offload", [True, False])
def test_several_connections_arrive_whole(vlan: bool, mtu: int, offload: bool) -> None:
    net = Net()
    for machine in (net.a, net.b):
        names = ("eth0", "eth0.5")
        lines = [f"ip link set {name} mtu {mtu}" for name in names]
        if not offload:
            off = "tso off gso off tx off rx off sg off rxvlan off txvlan off rxhash off"
            lines += [f"ethtool -K eth0 {off}"]
        for line in lines:
            machine.task(lambda m=machine, text=line: run_command(m.kernel, text))
    addr = "10.5.0.2" if vlan else "10.0.0.2"
    sent = {port: payload(150_000, seed=port) for port in PORTS}
    got = {port: serve(net.b, port) for port in PORTS}
    for port in PORTS:
        send(net.a, addr, port, sent[port])
    net.run()
    assert {port: bytes(data) for port, data in got.items()} == sent
    frames = [Ether(frame) for _, side, frame in net.wire if side == 0]
    segments = [frame for frame in frames if TCP in frame]
    assert all((Dot1Q in frame) is vlan for frame in segments)
    assert max(len(frame) for frame in segments) == mtu + 14 + 4 * vlan
    for frame in segments[:: max(1, len(segments) // 40)]:
        judged = frame.copy()
        del judged[TCP].chksum
        assert Ether(bytes(judged))[TCP].chksum == frame[TCP].chksum
    tx = net.a.adapter.tx_stats
    assert (sum(stats.tso for stats in tx) > 0) is offload
    assert sum(stats.packets > 0 for stats in tx) > 1
    assert sum(stats.packets > 0 for stats in net.b.adapter.rx_stats) > 1 or not offload
    assert net.a.kernel.warnings == net.b.kernel.warnings == 0
    for machine in (net.a, net.b):
        machine.task(lambda m=machine: run_command(m.kernel, "ip link set eth0 down"))
        machine.model.device.dma.debug.check_unbind()


def test_a_transfer_survives_resets_of_its_queues() -> None:
    net = Net()
    data = payload(600_000)
    got = serve(net.b, PORTS[0])
    send(net.a, "10.0.0.2", PORTS[0], data)
    faults = 0

    def fault(addr: int, length: int, write: bool) -> bool:
        nonlocal faults
        hit = length > 900 and not write and len(net.wire) > 30 * (faults + 1) and faults < 4
        faults += hit
        return hit

    net.a.model.master.fault = fault
    net.clock.run(until=net.clock.now + 3_000_000_000)
    assert faults == 4
    assert bytes(got) == data
    assert sum(stats.resets for stats in net.a.adapter.tx_stats) == 4
    assert net.a.adapter.reset_count == 0


# -- timestamps ------------------------------------------------------------------------------------


def hwtstamp(machine: Machine, cmd: int, tx: int = 0, rx: int = 0, *, flags: int = 0) -> object:
    """SIOCSHWTSTAMP or SIOCGHWTSTAMP: (error, tx_type, rx_filter)."""

    def ask(program: Program) -> tuple[int, int, int]:
        where = program.store(HWTSTAMP_CONFIG.pack(flags, tx, rx))
        ifreq = b"eth0".ljust(16, b"\0") + where.to_bytes(24, "little")
        fd = program("socket", 2, 2, 0)
        error = program("ioctl", fd, cmd, program.store(ifreq))
        _, now_tx, now_rx = HWTSTAMP_CONFIG.unpack(program.load(where, HWTSTAMP_CONFIG.size))
        return error, now_tx, now_rx

    return in_program(machine, ask)


def in_program(machine: Machine, fn: Callable[[Program], object]) -> object:
    """Run `fn` in a process of its own."""
    result: list[object] = []
    program = Program(machine.kernel, "program")
    program.spawn(lambda: result.append(fn(program)), "program")
    machine.clock.run(until=machine.clock.now + 5_000_000)
    return result[0]


def test_which_packets_are_timestamped_is_set_and_asked() -> None:
    net = Net(queues=1)
    assert hwtstamp(net.a, SIOCGHWTSTAMP) == (0, 0, 0)
    assert hwtstamp(net.a, SIOCSHWTSTAMP, 1, 12) == (0, 1, 1)
    assert hwtstamp(net.a, SIOCGHWTSTAMP) == (0, 1, 1)
    assert hwtstamp(net.a, SIOCSHWTSTAMP, 2, 0) == (-ERANGE, 2, 0)
    assert hwtstamp(net.a, SIOCSHWTSTAMP, 0, 99) == (-ERANGE, 0, 99)
    assert hwtstamp(net.a, SIOCSHWTSTAMP, flags=4) == (-EINVAL, 0, 0)
    net.a.adapter.info.time = False
    assert hwtstamp(net.a, SIOCGHWTSTAMP) == (-EOPNOTSUPP, 0, 0)


def receive(program: Program, fd: int, flags: int) -> tuple[int, bytes]:
    """recvmsg: the result and the control messages."""
    room, control = program.room(2048), program.room(512)
    iov = program.store(IOVEC.pack(room, 2048))
    header = program.store(MSGHDR.pack(0, 0, iov, 1, control, 512, 0))
    size = program("recvmsg", fd, header, flags)
    length = int.from_bytes(program.load(header + 40, 8), "little")
    return size, program.load(control, length)


def stamps(control: bytes) -> tuple[int, int] | None:
    """(software, hardware) of a SCM_TIMESTAMPING, ns."""
    at = 0
    while at + 16 <= len(control):
        length = int.from_bytes(control[at : at + 8], "little")
        kind = int.from_bytes(control[at + 12 : at + 16], "little")
        if kind == SO_TIMESTAMPING:
            soft_s, soft, _, _, hard_s, hard = SCM_TIMESTAMPING.unpack_from(control, at + 16)
            return soft_s * 10**9 + soft, hard_s * 10**9 + hard
        at += length + 7 & ~7
    return None


SOFTWARE = SOF_TIMESTAMPING_SOFTWARE
HARDWARE = SOF_TIMESTAMPING_RAW_HARDWARE


@pytest.mark.parametrize("on", [True, False])
def test_the_time_on_the_wire_comes_to_both_programs(on: bool) -> None:
    net = Net()
    for machine in (net.a, net.b):
        assert hwtstamp(machine, SIOCSHWTSTAMP, on, on) == (0, on, on)
    seen: dict[str, tuple[int, int] | None] = {}
    reader = Program(net.b.kernel, "reader")

    def read() -> None:
        fd = reader("socket", 2, 2, 0)
        assert reader("bind", fd, reader.store(sockaddr("0.0.0.0", 9)), 16) == 0
        wanted = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RX_SOFTWARE | HARDWARE | SOFTWARE
        option = reader.store(wanted.to_bytes(4, "little"))
        assert reader("setsockopt", fd, SOL_SOCKET, SO_TIMESTAMPING, option, 4) == 0
        size, control = receive(reader, fd, 0)
        assert size == 6
        seen["rx"] = stamps(control)

    def write(program: Program) -> tuple[int, bytes]:
        fd = program("socket", 2, 2, 0)
        wanted = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | HARDWARE | SOFTWARE
        option = program.store((wanted | SOF_TIMESTAMPING_OPT_TSONLY).to_bytes(4, "little"))
        assert program("setsockopt", fd, SOL_SOCKET, SO_TIMESTAMPING, option, 4) == 0
        dest = program.store(sockaddr("10.0.0.2", 9))
        assert program("sendto", fd, program.store(b"moment"), 6, 0, dest, 16) == 6
        net.a.kernel.sched.schedule_timeout(1_000_000)
        return receive(program, fd, MSG_ERRQUEUE)

    reader.spawn(read)
    size, control = in_program(net.a, write)  # type: ignore[misc]
    assert size == 0
    tx = stamps(control)
    ((start, frame),) = [(ns, raw) for ns, side, raw in net.wire if side == 0 and UDP in Ether(raw)]
    rx = seen["rx"]
    assert tx is not None
    assert rx is not None
    # With a card that takes the time there is no software timestamp beside it.
    assert tx[1] == (start if on else 0)
    assert (tx[0] > 0) is not on
    assert rx[0] > start + len(frame) * 8 // 10 + DELAY
    assert rx[1] == pytest.approx(start + DELAY, abs=2) if on else rx[1] == 0


def test_both_times_of_a_packet_are_two_reports() -> None:
    net = Net(queues=1)
    assert hwtstamp(net.a, SIOCSHWTSTAMP, 1) == (0, 1, 0)

    def write(program: Program) -> list[tuple[int, int] | None]:
        fd = program("socket", 2, 2, 0)
        wanted = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | HARDWARE | SOFTWARE
        option = program.store((wanted | SOF_TIMESTAMPING_OPT_TX_SWHW).to_bytes(4, "little"))
        assert program("setsockopt", fd, SOL_SOCKET, SO_TIMESTAMPING, option, 4) == 0
        dest = program.store(sockaddr("10.0.0.2", 9))
        assert program("sendto", fd, program.store(b"moment"), 6, 0, dest, 16) == 6
        net.a.kernel.sched.schedule_timeout(1_000_000)
        return [stamps(receive(program, fd, MSG_ERRQUEUE)[1]) for _ in range(2)]

    first, second = in_program(net.a, write)  # type: ignore[misc]
    ((start, _),) = [(ns, raw) for ns, side, raw in net.wire if side == 0 and UDP in Ether(raw)]
    assert first[0] > 0
    assert (first[1], second) == (0, (0, start))
