"""Two machines that talk, and an administrator who types iptables commands on the first one."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet

from pyhost.admin.shell import run_command
from tests.unit.net.ipv4.tcp import tcp_apps
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.support import B_ADDR, Host, Pair, seconds, two_hosts

__all__ = ["Traffic", "checksums_are_good"]


class Traffic:
    """`a` sends UDP and TCP to `b`, by which `b` answers."""

    def __init__(self, *commands: str, **options: Any) -> None:
        self.pair: Pair = two_hosts(**options)
        self.a, self.b = self.pair.a, self.pair.b
        self.senders: dict[int, Udp] = {}
        for command in commands:
            self.admin(command)

    def admin(self, command: str, host: Host | None = None) -> str:
        """Carry out a command on `a`, or on another machine."""
        return run_command((host or self.a).kernel, command)

    def udp(self, data: bytes = b"data", port: int = 5000, sport: int = 1234) -> Any:
        """Send one datagram; what sendto returned."""
        sender = self.senders.get(sport)
        if sender is None:
            sender = self.senders[sport] = Udp(self.a.kernel, sport)
        return in_task(self.a.kernel, lambda: sender.send(data, (B_ADDR, port)), self.soon)[0]

    def soon(self) -> None:
        """Let a moment pass: packets arrive, no long timer runs."""
        self.pair.run(self.pair.clock.now + seconds(0.01))

    def tcp(self, data: bytes = b"hello", port: int = 80, until: float = 1.0) -> tuple[Any, bytes]:
        """Connect, send, close: (what connect returned, what `b` read)."""
        server = tcp_apps.listener(self.b, port)
        got: list[bytes] = []
        result: list[Any] = []

        def serve() -> None:
            child = tcp_apps.accept(server)
            got.append(tcp_apps.read_all(child))
            tcp_apps.close(child)

        def client() -> None:
            sk = tcp_apps.connect(self.a, B_ADDR, port)
            result.append(sk)
            if not isinstance(sk, int):
                tcp_apps.write(sk, data)
                tcp_apps.close(sk)

        self.b.spawn(serve)
        self.a.spawn(client)
        self.pair.run(self.pair.clock.now + seconds(until))
        return (result[0] if result else None), (got[0] if got else b"")

    def on_the_wire(self, layer: type[Packet] = IP, host: Host | None = None) -> list[Packet]:
        """The frames of a kind that a machine (`a`) has sent."""
        return [frame for frame in (host or self.a).sent() if layer in frame]

    def log(self) -> list[str]:
        """The kernel log's texts."""
        return [record.text for record in self.a.kernel.log.records]

    def counters(self, table: str = "filter") -> dict[str, list[tuple[int, int]]]:
        """Chain → (packets, bytes) of its rules."""
        chains = self.a.net.xt.tables[table].chains
        return {
            name: [(rule.packets, rule.bytes) for rule in chain.rules]
            for name, chain in chains.items()
        }


def checksums_are_good(frame: Packet) -> bool:
    """Whether scapy computes the same IP and transport checksums as stand in the frame."""
    packet = IP(bytes(frame[IP])[: frame[IP].len])
    again = IP(bytes(packet))
    del again.chksum
    for layer in (TCP, UDP, ICMP):
        if layer in again:
            del again[layer].chksum
            break
    return bytes(again) == bytes(packet)
