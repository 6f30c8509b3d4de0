"""The machine under test: one kernel, one card, and the script at the other end of its wire."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Protocol

from pyhost.admin.shell import run_command
from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic.hnic_main import HnicNetdevOps, hnic_probe
from pyhost.drivers.net.hnic.hnic_rx import NET_SKB_PAD
from pyhost.fs.file import FilesStruct
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.process import Process
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.gso import SKB_GSO_TCPV4
from pyhost.net.core.napi import netif_rx
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.core.skbuff import SkBuff, alloc_skb
from pyhost.net.core.timestamping import skb_tx_timestamp
from pyhost.net.eth import eth_type_trans
from pyhost.net.packet.tap import PacketTap
from pyhost.packetdrill.packets import ethernet
from pyhost.packetdrill.settings import Settings
from pyhost.uapi.ethernet import PACKET_OUTGOING, mac_text

__all__ = ["DEVICE", "GATEWAY_MAC", "HOST_MAC", "Machine", "ScriptWire"]

DEVICE = "tun0"
"""The name that scripts know the interface by."""

HOST_MAC = bytes.fromhex("020000000001")
GATEWAY_MAC = bytes.fromhex("020000000002")

_FIRST_FD = 3
"""The first descriptor of a program that has its standard files."""

Tap = Callable[[int, int, bytes, int], None]
"""`tap(ns, pkt_type, frame, key)`, as `PacketTap` calls it."""


class TunAccountOps(HnicNetdevOps):
    """The card's driver with the accounting of a tun device, which scripts are written for.

    What packetdrill's own interface is given leaves the sender's account at once, while a card
    keeps it there, and the qdisc waiting, until the frame is on the wire: small queues and byte
    queue limits would hold back what a script expects. Linux: drivers/net/tun.c tun_net_xmit.
    """

    def ndo_open(self, dev: NetDevice) -> int:
        """NetDeviceOps.ndo_open: no byte queue limit."""
        err = super().ndo_open(dev)
        for txq in dev.tx:
            dql = txq.dql
            dql.min_limit = dql.limit = dql.adj_limit = dql.max_limit
        return err

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        """NetDeviceOps.ndo_start_xmit."""
        skb_tx_timestamp(skb)
        skb.orphan()
        return super().ndo_start_xmit(skb, dev, more)


class ScriptWire(Protocol):
    """The script's end of the wire. `receive(frame)` is set by the script and called when a frame
    of the stack has arrived.
    """

    receive: Callable[[bytes], None]

    def send(self, frame: bytes) -> None:
        """Put a frame on the wire as soon as it is free."""


class Machine:
    """A kernel with the card in it; `bring_up` makes it ready, `process` runs the script's calls.

    There is always a tap on the interface, as packetdrill has one: it makes a difference to
    zero-copy sends.
    """

    def __init__(self, kernel: Kernel, device: BusDevice, wire: ScriptWire, tap: Tap) -> None:
        self.kernel = kernel
        self.wire = wire
        files = FilesStruct(min_fd=_FIRST_FD)
        self.process = Process(kernel, "packetdrill", MmStruct(kernel.mem), files)
        self.netdev: NetDevice | None = None
        self.delivered = 0
        """How many frames of the script the stack has been given."""
        self.on_delivery: Callable[[], None] = lambda: None
        self._device = device
        self._capture = tap

    def bring_up(self, settings: Settings) -> None:
        """Interface, address, route to the peer, and the gateway's address; runs in a task."""
        kernel = self.kernel
        self.netdev = hnic_probe(kernel, self._device, DEVICE)
        self.netdev.ops = TunAccountOps()
        PacketTap(kernel.net, self._tap, self.netdev)
        kernel.rootfs.mkdir("/tmp")
        peer = IPv4Network((settings.remote_addr, settings.remote_prefixlen), strict=False)
        gateway, local = settings.gateway_ip, settings.local_ip
        for line in (
            f"ip link set dev {DEVICE} mtu {settings.mtu}",
            f"ip link set dev {DEVICE} up",
            f"ip address add {local}/{settings.local_prefixlen} dev {DEVICE}",
            f"ip neighbour add {gateway} lladdr {mac_text(GATEWAY_MAC)} nud permanent dev {DEVICE}",
            f"ip route add {peer} via {gateway} dev {DEVICE}",
        ):
            run_command(kernel, line)

    def inject(self, packet: bytes, gso_size: int = 0) -> None:
        """Give the stack an IPv4 packet of the peer; in the script's task.

        One that fits into a frame comes over the wire. A larger one is what receive offload makes
        of several, and so is one of TCP segments with `gso_size` bytes of payload each: it comes as
        one sk_buff, past the card, as out of a tun device.
        """
        assert self.netdev is not None
        frame = ethernet(packet, GATEWAY_MAC, HOST_MAC)
        if len(packet) <= self.netdev.mtu and not gso_size:
            self.wire.send(frame)
        else:
            self._receive_large(frame, self.netdev, gso_size)

    def _receive_large(self, frame: bytes, dev: NetDevice, gso_size: int) -> None:
        """Linux: tun_get_user, virtio_net_hdr_to_skb."""
        kernel = self.kernel
        skb = alloc_skb(kernel.net.skbs, NET_SKB_PAD + len(frame))
        if skb is None:
            return
        skb.reserve(NET_SKB_PAD)
        skb.put_data(frame)
        skb.protocol = eth_type_trans(skb, dev)
        if gso_size:
            skb.shinfo.gso_size = gso_size
            skb.shinfo.gso_type = SKB_GSO_TCPV4
        kernel.softirq.local_bh_disable()
        netif_rx(skb)
        kernel.softirq.local_bh_enable()

    def _tap(self, ns: int, pkt_type: int, frame: bytes, key: int) -> None:
        self._capture(ns, pkt_type, frame, key)
        if pkt_type != PACKET_OUTGOING:
            self.delivered += 1
            self.on_delivery()
