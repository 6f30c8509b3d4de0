"""One or two machines with the device layer, ARP and AF_PACKET, and nothing above.

`tests/unit/net/support.py` has whole machines.
"""

from __future__ import annotations

from collections.abc import Callable

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.fs.ramfs import RamFs
from pyhost.kernel.clock import NSEC_PER_SEC, VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.net.core.dev import dev_open, net_dev_init, netif_carrier_on, register_netdevice
from pyhost.net.core.neighbour import neigh_lookup_or_create, neigh_output
from pyhost.net.core.skbuff import SkBuff, alloc_skb, consume_skb
from pyhost.net.ipv4.arp import arp_init
from pyhost.net.ipv4.fib.devinet import InIfaddr
from pyhost.net.ipv4.ip.inet_offload import ipv4_offload_init
from pyhost.net.ipv4.netns_ipv4 import NetnsIpv4
from pyhost.net.net_namespace import Net
from pyhost.net.packet.af_packet import packet_init
from pyhost.uapi.ethernet import ETH_P_IP
from pyhost.uapi.rtnetlink import RT_SCOPE_UNIVERSE
from tests.unit.net.testnic import TestNic

A_ADDR = 0x0A000001
B_ADDR = 0x0A000002
A_MAC = bytes.fromhex("020000000001")
B_MAC = bytes.fromhex("020000000002")


def seconds(count: float) -> int:
    """Nanoseconds."""
    return round(count * NSEC_PER_SEC)


class DeviceHost:
    """A machine whose `received` lists the IPv4 packets that came up to the protocol."""

    def __init__(
        self,
        clock: VirtualClock,
        addr: int = A_ADDR,
        mac: bytes = A_MAC,
        *,
        features: int = 0,
        seed: int = 0,
    ) -> None:
        self.clock = clock
        self.kernel = Kernel(clock, name=f"{addr:#x}", seed=seed)
        self.kernel.rootfs = RamFs(self.kernel)
        self.net = self.kernel.net = Net(self.kernel)
        net_dev_init(self.net)
        ipv4_offload_init(self.net)
        self.net.ipv4 = NetnsIpv4(self.kernel)
        arp_init(self.net)
        packet_init(self.net)
        self.received: list[bytes] = []
        self.net.ptype_base[ETH_P_IP] = self._ip_rcv
        self.nic = TestNic(self.kernel, mac, features=features)
        self.dev = self.nic.dev
        self.dev.ifa_list = [InIfaddr(addr, 24, addr, 0, RT_SCOPE_UNIVERSE, False)]
        self.dev.in_addr, self.dev.in_prefixlen = addr, 24
        assert register_netdevice(self.dev) == 0
        netif_carrier_on(self.dev)
        assert dev_open(self.dev) == 0

    def _ip_rcv(self, skb: SkBuff, _dev: object) -> int:
        self.received.append(skb.to_bytes())
        consume_skb(skb)
        return 0

    def packet(
        self, payload: bytes = b"payload", *, headroom: int = 64, priority: int = 0
    ) -> SkBuff:
        """A packet with `data` at the network header."""
        skb = alloc_skb(self.net.skbs, headroom + len(payload))
        assert skb is not None
        skb.reserve(headroom)
        skb.put_data(payload)
        skb.reset_network_header()
        skb.protocol = ETH_P_IP
        skb.priority = priority
        skb.dev = self.dev
        return skb

    def frame(self, payload: bytes = b"payload", *, priority: int = 0) -> SkBuff:
        """A packet with an Ethernet header for machine b."""
        skb = self.packet(payload, priority=priority)
        at = skb.push(14)
        skb.buf[at : at + 14] = B_MAC + self.dev.addr + b"\x08\x00"
        return skb

    def output(self, next_hop: int, payload: bytes = b"payload") -> int:
        """Send a packet to a neighbour, as ip_finish_output2 does."""
        neigh = neigh_lookup_or_create(self.net.arp_tbl, next_hop, self.dev)
        assert neigh is not None
        return neigh_output(neigh, self.packet(payload))

    def sent(self) -> list[Packet]:
        """The frames this machine has sent, taken apart by scapy."""
        return [Ether(frame) for _, frame in self.nic.frames]

    def spawn(self, fn: Callable[[], object]) -> None:
        """Run `fn` as a kernel thread when the clock runs."""
        self.kernel.sched.spawn(fn, "test")


def device_pair(*, features: int = 0, seed: int = 0) -> tuple[VirtualClock, DeviceHost, DeviceHost]:
    """Machines a and b, joined by a cable."""
    clock = VirtualClock()
    a = DeviceHost(clock, A_ADDR, A_MAC, features=features, seed=seed)
    b = DeviceHost(clock, B_ADDR, B_MAC, features=features, seed=seed)
    a.nic.peer, b.nic.peer = b.nic, a.nic
    return clock, a, b
