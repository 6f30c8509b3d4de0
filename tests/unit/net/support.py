"""Two machines on one virtual clock, joined by a cable.

    pair = two_hosts()
    pair.a.kernel.sched.spawn(lambda: ..., "writer")
    pair.clock.run(until=seconds(3))
    assert IP in pair.a.sent()[0]

`a` is 10.0.0.1/24 on eth0 with MAC 02:00:00:00:00:01, `b` is 10.0.0.2/24 with …:02. `TestNic` is a
driver and a NIC in one: it takes a packet, keeps its bytes, gives it back at once (or when told
to), and raises an interrupt at the other end after the cable's delay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.boot import boot
from pyhost.kernel.clock import NSEC_PER_SEC, VirtualClock
from pyhost.net.core.dev import dev_open, netif_carrier_on, register_netdevice
from pyhost.net.ipv4.fib.route import inet_add_addr
from tests.unit.net.testnic import TestNic

A_ADDR = 0x0A000001
B_ADDR = 0x0A000002
A_MAC = bytes.fromhex("020000000001")
B_MAC = bytes.fromhex("020000000002")


def seconds(count: float) -> int:
    """Nanoseconds."""
    return round(count * NSEC_PER_SEC)


class Host:
    """One machine of a pair."""

    def __init__(
        self, clock: VirtualClock, name: str, addr: int, mac: bytes, options: dict[str, Any]
    ) -> None:
        seed = options.pop("seed", 0)
        sysctls = options.pop("sysctls", None)
        self.kernel = boot(clock, name=name, seed=seed, sysctls=sysctls)
        self.net = self.kernel.net
        self.addr = addr
        self.nic = TestNic(self.kernel, mac, **options)
        self.dev = self.nic.dev
        assert register_netdevice(self.dev) == 0
        netif_carrier_on(self.dev)
        assert dev_open(self.dev) == 0
        inet_add_addr(self.dev, addr, 24)

    def frames(self) -> list[bytes]:
        """The frames this machine has sent."""
        return [frame for _, frame in self.nic.frames]

    def sent(self) -> list[Packet]:
        """The frames this machine has sent, taken apart by scapy."""
        return [Ether(frame) for _, frame in self.nic.frames]

    def spawn(self, fn: Callable[[], object], name: str = "test") -> None:
        """Run `fn` as a kernel thread when the clock runs."""
        self.kernel.sched.spawn(fn, name)


class Pair:
    """Two machines, `a` and `b`, and their clock."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.clock = VirtualClock()
        self.a = Host(self.clock, "a", A_ADDR, A_MAC, dict(options))
        self.b = Host(self.clock, "b", B_ADDR, B_MAC, dict(options))
        self.a.nic.peer = self.b.nic
        self.b.nic.peer = self.a.nic

    def run(self, until: int | None = None) -> None:
        """Let time pass until nothing happens any more, or until `until` (ns)."""
        self.clock.run(until=until)


def two_hosts(**options: Any) -> Pair:
    """A pair; options: `seed`, `sysctls`, `features` (NETIF_F_* of the NICs), `delay_ns` of the
    cable.
    """
    return Pair(options)
