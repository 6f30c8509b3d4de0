"""A machine whose device sends through a qdisc of choice, and packets for it.

Frames are built and judged by scapy. `sent` gives (ns, frame) of what reached the card.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.admin.shell import run_command
from pyhost.kernel.clock import VirtualClock
from pyhost.net.core.dev import dev_queue_xmit
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.sched.qdisc import Qdisc
from tests.unit.net.device import A_MAC, B_MAC, DeviceHost

ETHER_IP_UDP = 42


@cache
def _headers(port: int, size: int, tos: int) -> bytes:
    frame = bytes(
        Ether(dst=B_MAC, src=A_MAC)
        / IP(src="10.0.0.1", dst="10.0.0.2", tos=tos)
        / UDP(sport=port, dport=9, chksum=0)
        / bytes(size - ETHER_IP_UDP)
    )
    return frame[:ETHER_IP_UDP]


class Owner:
    """As much of a socket as a qdisc looks at."""

    def __init__(self, rate: int = (1 << 64) - 1, protocol: int = 17) -> None:
        self.sk_state = 1
        self.sk_protocol = protocol
        self.sk_pacing_status = 0
        self.sk_pacing_rate = rate
        self.sk_max_pacing_rate = (1 << 64) - 1
        self.sk_wmem_alloc = 1
        self.sk_tx_queue_mapping = None
        self.sk_dst_cache: Any = None

    def own(self, skb: SkBuff) -> SkBuff:
        skb.sk = self  # type: ignore[assignment]
        skb.destructor = self._wfree
        self.sk_wmem_alloc += skb.truesize
        return skb

    def _wfree(self, skb: SkBuff) -> None:
        self.sk_wmem_alloc -= skb.truesize


class SchedHost(DeviceHost):
    """`qdisc` is `tc qdisc replace dev eth0 root …` with this in place of the dots."""

    def __init__(self, qdisc: str = "", *, features: int = 0) -> None:
        super().__init__(VirtualClock(), features=features)
        if qdisc:
            self.tc(f"qdisc replace dev eth0 root {qdisc}")

    def tc(self, line: str) -> str:
        return run_command(self.kernel, f"tc {line}")

    @property
    def q(self) -> Qdisc:
        assert self.dev.qdisc is not None
        return self.dev.qdisc

    def udp(
        self, port: int = 1, size: int = 1000, *, priority: int = 0, tos: int = 0, tag: int = 0
    ) -> SkBuff:
        """A frame of `size` bytes from source port `port`; `tag` begins the payload."""
        headers = _headers(port, size, tos)
        skb = self.packet(headers + tag.to_bytes(4, "big").ljust(size - ETHER_IP_UDP, b"x"))
        skb.network_header = skb.data + 14
        skb.transport_header = skb.data + 34
        skb.priority = priority
        return skb

    def send(self, skb: SkBuff) -> int:
        return dev_queue_xmit(skb)

    def times(self) -> list[int]:
        return [ns for ns, _ in self.nic.frames]

    def packets(self) -> list[Packet]:
        return [Ether(frame) for _, frame in self.nic.frames]

    def tags(self) -> list[int]:
        """The tags of what was sent, in order."""
        return [int.from_bytes(bytes(packet[UDP].payload)[:4], "big") for packet in self.packets()]

    def ports(self) -> list[int]:
        return [packet[UDP].sport for packet in self.packets()]

    def stop(self) -> None:
        for txq in self.dev.tx:
            txq.stop_queue()

    def wake(self) -> None:
        for txq in self.dev.tx:
            txq.wake_queue()
        self.clock.run()

    def run(self, until: int | None = None) -> None:
        self.clock.run(until=until)
