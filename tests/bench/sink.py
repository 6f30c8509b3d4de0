"""A NIC with a receiver behind it: takes what `ndo_start_xmit` hands over, and acknowledges it.

It stands for card, wire and peer at once, and does as little as possible, so what a benchmark
measures is the stack. It looks at headers only; payload is neither copied nor checked.
"""

from __future__ import annotations

import time
from struct import Struct

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.kernel.kernel import Kernel
from pyhost.net.core.checksum import csum_bytes, csum_fold, csum_tcpudp_nofold
from pyhost.net.core.dev import (
    NapiStruct,
    napi_complete_done,
    napi_disable,
    napi_enable,
    napi_schedule,
    netif_napi_add,
    netif_receive_skb,
)
from pyhost.net.core.netdevice import IFF_BROADCAST, NETDEV_TX_OK, NetDevice
from pyhost.net.core.skbuff import CHECKSUM_UNNECESSARY, SkBuff, alloc_skb, consume_skb
from pyhost.net.eth import eth_type_trans
from pyhost.uapi.ethernet import ETH_HDR, ETH_P_ARP, ETH_P_IP

__all__ = ["SINK_ADDR", "SINK_PORT", "SinkNic"]

SINK_ADDR = 0x0A000002
SINK_PORT = 9
SINK_MAC = bytes.fromhex("020000000002")

ROUND_TRIP_NS = 20 * NSEC_PER_USEC
WINDOW_SCALE = 10
SEGMENTS_PER_ACK = 2

_IP = Struct(">BBHHHBBHII")
_TCP = Struct(">HHIIBBHHH")
_ARP = Struct(">HHBBH6sI6sI")
_TIMESTAMP = Struct(">BBII")
_SYN, _FIN, _ACK = 0x02, 0x01, 0x10
_IP_OFFSET = 14
_TCP_OFFSET = _IP_OFFSET + 20
_TIMESTAMP_OFFSET = _TCP_OFFSET + 22
"""Behind two NOPs, where Linux puts it in every segment but a SYN."""


class SinkNic:
    """The driver of such a card.

    `segments` and `payload` count what has come, in frames of one MSS and in bytes; `packets`
    counts calls of `ndo_start_xmit` that brought data. `finished` is the wall time
    (time.perf_counter) at which the bytes named in `expect` were complete.
    """

    def __init__(self, kernel: Kernel, mac: bytes, features: int) -> None:
        self.kernel = kernel
        self.dev = NetDevice(kernel.net, "eth0", self, addr=mac)
        self.dev.flags |= IFF_BROADCAST
        self.dev.features = features
        self.packets = self.segments = self.payload = 0
        self.finished = 0.0
        self._wanted = 0
        self._irq = kernel.irq.alloc_irq()
        self._napi = netif_napi_add(self.dev, self._poll)
        kernel.irq.request_irq(self._irq, lambda _: napi_schedule(self._napi), "eth0")
        self._replies: list[bytes] = []
        self._due = False
        self._unacked = 0
        self._rcv_nxt = 0
        self._tsval = 0
        self._ports = (0, 0)
        self._peer = 0

    def expect(self, size: int) -> None:
        """Note the wall time when `size` more bytes of payload have come."""
        self._wanted = self.payload + size

    def ndo_open(self, dev: NetDevice) -> int:
        """Nothing to bring up but the NAPI."""
        napi_enable(self._napi)
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        """Nothing to take down but the NAPI."""
        napi_disable(self._napi)
        return 0

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        """Take a packet, note what it brings, and give its memory back at once."""
        start = skb.data
        head = skb.buf[start : start + skb.len - skb.data_len]
        proto = head[12] << 8 | head[13]
        if proto == ETH_P_IP:
            self._take_segment(head, skb.len, skb.shinfo.gso_segs)
        elif proto == ETH_P_ARP:
            self._answer_arp(head)
        consume_skb(skb)
        return NETDEV_TX_OK

    # -- the receiver ------------------------------------------------------------------------------

    def _take_segment(self, head: memoryview, length: int, gso_segs: int) -> None:
        sport, dport, seq, _, offset, flags, _, _, _ = _TCP.unpack_from(head, _TCP_OFFSET)
        size = length - _TCP_OFFSET - (offset >> 4) * 4
        if flags & _SYN:
            self._ports = (dport, sport)
            self._peer = _IP.unpack_from(head, _IP_OFFSET)[8]
            self._rcv_nxt = seq + 1
            self._reply(_SYN | _ACK, 0)
            return
        if size <= 0 and not flags & _FIN:
            return
        self._tsval = _TIMESTAMP.unpack_from(head, _TIMESTAMP_OFFSET)[2]
        self._rcv_nxt = (seq + size + (flags & _FIN)) & 0xFFFFFFFF
        self.packets += 1
        self.segments += gso_segs or 1
        self.payload += size
        self._unacked += gso_segs or 1
        if self.payload >= self._wanted:
            self.finished = time.perf_counter()
        if self._unacked >= SEGMENTS_PER_ACK or flags & _FIN:
            self._reply(_ACK, 1)
        else:
            self._schedule()

    def _reply(self, flags: int, seq: int) -> None:
        self._unacked = 0
        options = b"\1\1" + _TIMESTAMP.pack(8, 10, 1, self._tsval)
        if flags & _SYN:
            options += bytes([2, 4, 5, 0xB4, 1, 1, 4, 2, 1, 3, 3, WINDOW_SCALE])
        words = 5 + len(options) // 4
        tcp = bytearray(
            _TCP.pack(*self._ports, seq, self._rcv_nxt, words << 4, flags, 0xFFFF, 0, 0) + options
        )
        pseudo = csum_tcpudp_nofold(SINK_ADDR, self._peer, len(tcp), 6)
        tcp[16:18] = csum_fold(csum_bytes(tcp, pseudo)).to_bytes(2, "big")
        self._replies.append(self._frame(tcp))
        self._schedule()

    def _frame(self, tcp: bytearray) -> bytes:
        ip = bytearray(_IP.pack(0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, SINK_ADDR, self._peer))
        ip[10:12] = csum_fold(csum_bytes(ip)).to_bytes(2, "big")
        return ETH_HDR.pack(self.dev.addr, SINK_MAC, ETH_P_IP) + ip + tcp

    def _answer_arp(self, head: memoryview) -> None:
        _, _, _, _, _, mac, addr, _, _ = _ARP.unpack_from(head, _IP_OFFSET)
        answer = _ARP.pack(1, ETH_P_IP, 6, 4, 2, SINK_MAC, SINK_ADDR, mac, addr)
        self._replies.append(ETH_HDR.pack(mac, SINK_MAC, ETH_P_ARP) + answer)
        self._schedule()

    # -- what comes back ---------------------------------------------------------------------------

    def _schedule(self) -> None:
        if not self._due:
            self._due = True
            clock = self.kernel.clock
            clock.call_at(clock.now + ROUND_TRIP_NS, self._arrive)

    def _arrive(self) -> None:
        self._due = False
        if self._unacked:
            self._reply(_ACK, 1)
        self.kernel.irq.raise_irq(self._irq)

    def _poll(self, napi: NapiStruct, budget: int) -> int:
        work = min(budget, len(self._replies))
        replies, self._replies = self._replies[:work], self._replies[work:]
        for frame in replies:
            self._receive(frame)
        if work < budget:
            napi_complete_done(napi, work)
        return work

    def _receive(self, frame: bytes) -> None:
        skb = alloc_skb(self.dev.net.skbs, len(frame) + 64)
        assert skb is not None
        skb.reserve(64)
        skb.put_data(frame)
        skb.ip_summed = CHECKSUM_UNNECESSARY
        skb.protocol = eth_type_trans(skb, self.dev)
        netif_receive_skb(skb)
