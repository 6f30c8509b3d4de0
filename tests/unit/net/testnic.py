"""A NIC without rings, for tests: a driver and a device in one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pyhost.kernel.kernel import Kernel
from pyhost.net.core.dev import (
    NapiStruct,
    napi_complete_done,
    napi_disable,
    napi_enable,
    napi_schedule,
    netif_napi_add,
    netif_receive_skb,
)
from pyhost.net.core.netdevice import IFF_BROADCAST, NETDEV_TX_BUSY, NETDEV_TX_OK, NetDevice
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkBuff, alloc_skb, consume_skb
from pyhost.net.core.timestamping import skb_tx_timestamp
from pyhost.net.eth import eth_type_trans

__all__ = ["TestNic"]


class TestNic:
    """A NIC without rings. Frames it sends are kept in `frames` as (ns, bytes), short ones padded
    to 60 bytes.

    - `lose(frame) -> bool`: frames that get lost on the cable (they are in `frames` all the same)
    - `busy`: how many more times `ndo_start_xmit` returns NETDEV_TX_BUSY
    - `hold`: packets stay in `inflight` until `complete()`; with `ring` of them the queue is
      stopped
    """

    __test__ = False

    def __init__(
        self, kernel: Kernel, addr: bytes, *, features: int = 0, delay_ns: int = 1000
    ) -> None:
        self.kernel = kernel
        self.peer: TestNic | None = None
        self.delay_ns = delay_ns
        self.frames: list[tuple[int, bytes]] = []
        self.keys: list[int] = []
        self.more: list[bool] = []
        self.lose: Callable[[bytes], bool] | None = None
        self.busy = 0
        self.hold = False
        self.ring = 1 << 30
        self.inflight: deque[SkBuff] = deque()
        self.timeouts: list[int] = []
        self._rx: deque[bytes] = deque()
        self.dev = NetDevice(kernel.net, "eth0", self, addr=addr)
        self.dev.flags |= IFF_BROADCAST
        self.dev.features = features
        self.irq = kernel.irq.alloc_irq()
        self.napi = netif_napi_add(self.dev, self._poll)
        kernel.irq.request_irq(self.irq, lambda _: self._interrupt(), "eth0")

    # -- driver ------------------------------------------------------------------------------------
    # --------------------

    def ndo_open(self, dev: NetDevice) -> int:
        napi_enable(self.napi)
        for txq in dev.tx:
            txq.start_queue()
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        napi_disable(self.napi)
        self.complete()
        return 0

    def ndo_tx_timeout(self, dev: NetDevice, txqueue: int) -> None:
        self.timeouts.append(self.kernel.clock.now)

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        if self.busy:
            self.busy -= 1
            return NETDEV_TX_BUSY
        frame = _with_checksum(skb).ljust(60, b"\0")
        self.keys.append(skb.key)
        self.more.append(more)
        dev.stats.tx_packets += 1
        dev.stats.tx_bytes += skb.len
        self.inflight.append(skb)
        skb_tx_timestamp(skb)
        if not self.hold:
            self.complete()
        elif len(self.inflight) >= self.ring:
            dev.tx[0].stop_queue()
        self.transmit(frame)
        return NETDEV_TX_OK

    def complete(self, count: int | None = None) -> None:
        """The NIC is done with the oldest `count` packets (all): free them and go on."""
        for _ in range(len(self.inflight) if count is None else count):
            consume_skb(self.inflight.popleft())
        self.dev.tx[0].wake_queue()

    def _interrupt(self) -> None:
        napi_schedule(self.napi)

    def _poll(self, napi: NapiStruct, budget: int) -> int:
        work = 0
        while self._rx and work < budget:
            self._receive(self._rx.popleft())
            work += 1
        if work < budget:
            napi_complete_done(napi, work)
        return work

    def _receive(self, frame: bytes) -> None:
        dev = self.dev
        skb = alloc_skb(dev.net.skbs, len(frame) + 64)
        assert skb is not None
        skb.reserve(64)
        skb.put_data(frame)
        skb.protocol = eth_type_trans(skb, dev)
        dev.stats.rx_packets += 1
        dev.stats.rx_bytes += len(frame)
        netif_receive_skb(skb)

    # -- cable -------------------------------------------------------------------------------------
    # --------------------

    def transmit(self, frame: bytes) -> None:
        """Put a frame on the cable, as if this NIC had sent it."""
        clock = self.kernel.clock
        self.frames.append((clock.now, frame))
        peer = self.peer
        if peer is None or (self.lose is not None and self.lose(frame)):
            return
        clock.call_at(clock.now + self.delay_ns, lambda: peer.inject(frame))

    def inject(self, frame: bytes) -> None:
        """A frame arrives at this NIC."""
        self._rx.append(frame)
        self.kernel.irq.raise_irq(self.irq)


def _with_checksum(skb: SkBuff) -> bytes:
    """The frame's bytes, with the checksum that the stack left to the NIC."""
    frame = bytearray(skb.to_bytes())
    if skb.ip_summed == CHECKSUM_PARTIAL:
        start = skb.csum_start - skb.data
        total = 0
        for index in range(start, len(frame), 2):
            total += int.from_bytes(frame[index : index + 2].ljust(2, b"\0"), "big")
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        where = start + skb.csum_offset
        frame[where : where + 2] = (~total & 0xFFFF or 0xFFFF).to_bytes(2, "big")
    return bytes(frame)
