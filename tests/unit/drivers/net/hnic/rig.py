"""A machine with the driver and the Python card, a wire that keeps what it is given, and raw
packets.

Frames are built and judged by scapy, which knows nothing of pyhost.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from pyhost.drivers.net.hnic.hnic_main import HnicAdapter, hnic_probe
from pyhost.drivers.net.hnic.hnic_ring import RxRing, TxRing
from pyhost.drivers.net.hnic_model.card import HnicModel
from pyhost.fs.ramfs import RamFs
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.trace import TraceEvent
from pyhost.net.core.dev import dev_close, dev_open, net_dev_init
from pyhost.net.core.dynamic_queue_limits import DQL_MAX_LIMIT
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkBuff, alloc_skb, consume_skb
from pyhost.net.net_namespace import Net

T = TypeVar("T")

HOST_MAC = "02:00:00:00:00:01"
PEER_MAC = "02:00:00:00:00:02"
RATE_BPS = 10_000_000_000
TCP_HEADERS = 54


class KeepingPort:
    """One end of a wire that goes nowhere: it keeps (time, frame, key) of each frame."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.sent: list[tuple[int, bytes, int]] = []
        self.receive: Callable[[bytes, int], None] = lambda frame, key: None

    def transmit(self, frame: bytes, key: int) -> None:
        self.sent.append((self._clock.now, frame, key))

    def frames(self) -> list[bytes]:
        return [frame for _, frame, _ in self.sent]


class Rig:
    """`dev` is up after the constructor, the clock has run dry. Without `bql` the byte queue limits
    never stop the queue, so that the ring alone does.
    """

    def __init__(
        self,
        *,
        tx_count: int = 256,
        rx_count: int = 256,
        mtu: int = 1500,
        up: bool = True,
        bql: bool = False,
        queues: int = 1,
    ) -> None:
        self.clock = VirtualClock()
        self.kernel = Kernel(self.clock)
        self.kernel.rootfs = RamFs(self.kernel)
        net = self.kernel.net = Net(self.kernel)
        net_dev_init(net)
        self.port = KeepingPort(self.clock)
        mac = bytes.fromhex(HOST_MAC.replace(":", ""))
        self.model = HnicModel(self.kernel, self.clock, self.port, mac, RATE_BPS, queues, queues)
        self.bus = self.model.device
        self.pages_before = self.kernel.mem.pages_in_use
        self.dev: NetDevice = self.in_task(
            lambda: hnic_probe(self.kernel, self.bus, "eth0", tx_count=tx_count, rx_count=rx_count)
        )
        self.dev.mtu = mtu
        self.received: list[SkBuff] = []
        net.ptype_base[0x0800] = self._keep
        if up:
            assert self.in_task(lambda: dev_open(self.dev)) == 0
        if not bql:
            dql = self.dev.tx[0].dql
            dql.min_limit = dql.limit = dql.adj_limit = DQL_MAX_LIMIT

    def _keep(self, skb: SkBuff, dev: NetDevice) -> int:
        self.received.append(skb)
        return 0

    # -- running -------------------------------------------------------------------------------

    def in_task(self, fn: Callable[[], T]) -> T:
        """Run `fn` in a task until nothing happens any more."""
        result: list[T] = []
        self.kernel.sched.spawn(lambda: result.append(fn()), "test")
        self.clock.run()
        assert result, "the task still sleeps"
        return result[0]

    def run(self) -> None:
        """Let everything that is under way end."""
        self.clock.run()

    def down(self) -> None:
        """Take the interface down."""

        def close() -> int:
            dev_close(self.dev)
            return 0

        self.in_task(close)

    def events(self) -> list[TraceEvent]:
        """A list that every tracepoint from now on is added to."""
        events: list[TraceEvent] = []
        self.kernel.trace.register(events.append)
        return events

    # -- the driver ----------------------------------------------------------------------------

    @property
    def adapter(self) -> HnicAdapter:
        adapter: HnicAdapter = self.dev.priv
        return adapter

    @property
    def tx(self) -> TxRing:
        return self.adapter.tx[0]

    @property
    def rx(self) -> RxRing:
        return self.adapter.rx[0]

    def xmit(self, skb: SkBuff, more: bool = False) -> int:
        """Hand a packet to the driver as dev_hard_start_xmit does."""
        self.kernel.softirq.local_bh_disable()
        code = self.dev.ops.ndo_start_xmit(skb, self.dev, more)
        self.dev.tx[skb.queue_mapping].trans_start = self.clock.now
        self.kernel.softirq.local_bh_enable()
        return code

    def mapped(self) -> int:
        """Mappings and coherent areas at present."""
        return len(self.bus.dma.debug.outstanding())

    # -- packets -------------------------------------------------------------------------------

    def skb(self, frame: bytes, cuts: tuple[int, ...] = (), *, at: tuple[int, ...] = ()) -> SkBuff:
        """A packet of `frame`: linear up to cuts[0], then one fragment up to each further cut and
        the end.

        `at[i]` is the offset of fragment i in its page block (default 0).
        """
        ends = (*cuts, len(frame))
        skb = alloc_skb(self.dev.net.skbs, ends[0] + 64)
        assert skb is not None
        skb.reserve(34)
        skb.put_data(frame[: ends[0]])
        for index, (begin, end) in enumerate(pairwise(ends)):
            offset = at[index] if index < len(at) else 0
            size = end - begin
            page = self.kernel.mem.alloc_pages((offset + size - 1 >> 12).bit_length())
            self.kernel.mem.buf[page.addr + offset : page.addr + offset + size] = frame[begin:end]
            skb.add_rx_frag(page, offset, size, size)
        skb.dev = self.dev
        skb.protocol = 0x0800
        return skb

    def partial(
        self, frame: bytes, cuts: tuple[int, ...] = (), *, at: tuple[int, ...] = ()
    ) -> SkBuff:
        """A packet that leaves the L4 checksum to the card; `frame` carries the pseudo-header sum
        in that field.
        """
        skb = self.skb(frame, cuts, at=at)
        skb.ip_summed = CHECKSUM_PARTIAL
        skb.csum_start = skb.data + 34
        skb.csum_offset = 16 if frame[23] == 6 else 6
        return skb

    def free_received(self) -> None:
        while self.received:
            consume_skb(self.received.pop())


def payload(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def tcp_frame(data: bytes, seq: int = 1000) -> Packet:
    """What a TCP segment with `data` must look like on the wire."""
    return (
        Ether(src=HOST_MAC, dst=PEER_MAC)
        / IP(src="10.0.0.1", dst="10.0.0.2", id=7)
        / TCP(sport=1024, dport=9, seq=seq, ack=5, flags="A")
        / Raw(data)
    )


def arriving(data: bytes, sport: int = 9, dport: int = 1024) -> Packet:
    """A TCP segment of the peer with `data`, as it comes from the wire."""
    return (
        Ether(src=PEER_MAC, dst=HOST_MAC)
        / IP(src="10.0.0.2", dst="10.0.0.1", id=7)
        / TCP(sport=sport, dport=dport, seq=1000, ack=5, flags="A")
        / Raw(data)
    )


def udp_frame(data: bytes) -> Packet:
    return (
        Ether(src=HOST_MAC, dst=PEER_MAC)
        / IP(src="10.0.0.1", dst="10.0.0.2")
        / UDP(sport=5, dport=9)
        / Raw(data)
    )


def with_pseudo_sum(frame: bytes) -> bytes:
    """The frame as the stack hands it down with CHECKSUM_PARTIAL: the sum of the pseudo-header in
    the checksum field.
    """
    proto = frame[23]
    length = len(frame) - 34
    total = proto + length + sum(int.from_bytes(frame[i : i + 2], "big") for i in range(26, 34, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    where = 34 + (16 if proto == 6 else 6)
    return frame[:where] + total.to_bytes(2, "big") + frame[where + 2 :]
