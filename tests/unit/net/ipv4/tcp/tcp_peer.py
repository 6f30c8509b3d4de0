"""A scripted TCP peer: a small language of segments, built and judged with scapy.

    t = Script()                       # one machine, and a peer that does only what the test says
    sk = t.connect()                   # handshake; the peer's SYN-ACK has the options given
    t.app(lambda: send(sk, b"hello"))  # runs in a kernel task
    t.expect("PA", seq=1, load=b"hello")
    t.send("A", ack=6)
    t.silence()                        # nothing else was sent

Sequence numbers are relative: 0 is the SYN, 1 the first byte. Every frame that the machine sends
has its checksums computed again by scapy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from pyhost.kernel.clock import NSEC_PER_MSEC, VirtualClock
from tests.unit.net.ipv4.tcp.tcp_apps import accept, connect, listener
from tests.unit.net.support import A_ADDR, A_MAC, B_ADDR, B_MAC, Host

PORT = 7
SYN_OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
PLAIN_OPTIONS = [("MSS", 1460)]


def checked(frame: bytes) -> Packet:
    """The frame as scapy sees it, with both checksums proven right."""
    packet = Ether(frame)
    again = IP(bytes(packet[IP])[: packet[IP].len])
    del again.chksum
    del again[TCP].chksum
    fresh = IP(bytes(again))
    assert (fresh.chksum, fresh[TCP].chksum) == (packet[IP].chksum, packet[TCP].chksum)
    return IP(bytes(packet[IP])[: packet[IP].len])


class Script:
    """One machine at 10.0.0.1 and the peer at 10.0.0.2."""

    def __init__(self, delay_ms: float = 0.0, **options: Any) -> None:
        self.clock = VirtualClock()
        self.host = Host(self.clock, "a", A_ADDR, A_MAC, options)
        self.host.nic.peer = self
        self.net = self.host.net
        self.delay_ns = round(delay_ms * NSEC_PER_MSEC)
        self.got: deque[tuple[int, Packet]] = deque()
        self.isn = 1000
        self.host_isn = 0
        self.port = 40000
        self.host_port = 0
        self.tsval = 1
        self.tsecr = 0
        self.timestamps = False
        self.results: list[Any] = []

    # -- the wire ----------------------------------------------------------------------------------

    def inject(self, frame: bytes) -> None:
        """A frame of the machine has come."""
        packet = Ether(frame)
        if ARP in packet:
            if packet[ARP].op == 1:
                reply = ARP(op=2, hwsrc=B_MAC, psrc="10.0.0.2", hwdst=A_MAC, pdst="10.0.0.1")
                self.host.nic.inject(bytes(Ether(src=B_MAC, dst=A_MAC) / reply).ljust(60, b"\0"))
            return
        packet = checked(frame)
        for kind, value in packet[TCP].options:
            if kind == "Timestamp":
                self.tsecr = value[0]
        self.got.append((self.clock.now, packet))

    def run(self, ms: float = 0.1) -> None:
        """Let time pass."""
        self.clock.run(until=self.clock.now + round(ms * NSEC_PER_MSEC))

    def send(
        self, flags: str, seq: int = 1, ack: int | None = None, load: bytes = b"",
        window: int = 65535,
        options: list[Any] | None = None, run_ms: float = 0.05,
    ) -> None:  # fmt: skip
        """The peer sends a segment; then `run_ms` pass."""
        if options is None:
            options = []
            if self.timestamps:
                self.tsval += 1
                options = [("NOP", None), ("NOP", None), ("Timestamp", (self.tsval, self.tsecr))]
        tcp = TCP(
            sport=self.port, dport=self.host_port, flags=flags, window=window, options=options,
            seq=(self.isn + seq) % 2**32, ack=0 if ack is None else (self.host_isn + ack) % 2**32,
        )  # fmt: skip
        packet = Ether(src=B_MAC, dst=A_MAC) / IP(src="10.0.0.2", dst="10.0.0.1") / tcp / Raw(load)
        self.host.nic.inject(bytes(packet))
        self.run(run_ms)

    # -- what the machine sends --------------------------------------------------------------------

    def take(self) -> Packet:
        """The next segment of the machine."""
        assert self.got, "nothing was sent"
        return self.got.popleft()[1]

    def expect(
        self, flags: str, seq: int | None = None, ack: int | None = None, load: bytes | None = None,
        size: int | None = None, at: int | None = None,
    ) -> Packet:  # fmt: skip
        """The next segment has these flags, and what else is given (`at`: ms since the start)."""
        assert self.got, f"{flags} expected, nothing was sent"
        when, packet = self.got.popleft()
        tcp = packet[TCP]
        payload = bytes(tcp.payload)
        assert set(str(tcp.flags)) == set(flags), packet.summary()
        if seq is not None:
            assert (tcp.seq - self.host_isn) % 2**32 == seq % 2**32
        if ack is not None:
            assert (tcp.ack - self.isn) % 2**32 == ack % 2**32
        if load is not None:
            assert payload == load
        if size is not None:
            assert len(payload) == size
        if at is not None:
            assert when // NSEC_PER_MSEC == at
        return packet

    def expect_data(self, seq: int, sizes: list[int]) -> None:
        """Segments of these sizes follow each other without a gap."""
        for size in sizes:
            tcp = self.take()[TCP]
            assert ((tcp.seq - self.host_isn) % 2**32, len(tcp.payload)) == (seq, size)
            seq += size

    def silence(self, ms: float = 0.1) -> None:
        """Nothing is sent now, nor in the next `ms`."""
        self.run(ms)
        assert not self.got, [packet.summary() for _, packet in self.got]

    # -- programs ----------------------------------------------------------------------------------

    def start(self, fn: Callable[[], Any], ms: float = 0.05) -> list[Any]:
        """Run `fn` in a task for `ms`; its result comes into the list that is returned."""
        result: list[Any] = []
        self.host.spawn(lambda: result.append(fn()))
        self.run(ms)
        return result

    def app(self, fn: Callable[[], Any], ms: float = 0.05) -> Any:
        """Run `fn` in a task that ends within `ms`; its result."""
        result = self.start(fn, ms)
        assert result, "the program still sleeps"
        return result[0]

    def connect(self, options: list[Any] | None = None, window: int = 65535) -> Any:
        """A connection from the machine to the peer."""
        options = PLAIN_OPTIONS if options is None else options
        result = self.start(lambda: connect(self.host, B_ADDR, PORT), 0.1)
        syn = self.take()[TCP]
        self.host_isn, self.host_port, self.port = syn.seq, syn.sport, PORT
        self.timestamps = any(kind == "Timestamp" for kind, _ in options)
        if self.timestamps:
            options = [(k, (self.tsval, self.tsecr) if k == "Timestamp" else v) for k, v in options]
        self.run(self.delay_ns / NSEC_PER_MSEC)
        self.send("SA", seq=0, ack=1, window=window, options=options)
        self.expect("A", seq=1, ack=1)
        return result[0]

    def accept(self, options: list[Any] | None = None, window: int = 65535) -> Any:
        """A connection from the peer to the machine."""
        server = listener(self.host, PORT)
        self.host_port = PORT
        options = PLAIN_OPTIONS if options is None else options
        self.timestamps = any(kind == "Timestamp" for kind, _ in options)
        self.send("S", seq=0, window=window, options=options, run_ms=0.2)
        self.host_isn = self.take()[TCP].seq
        self.send("A", seq=1, ack=1, window=window)
        return self.app(lambda: accept(server))
