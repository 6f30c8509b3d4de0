"""A tap of the kernel's own, for writing captures: what an AF_PACKET socket with ETH_P_ALL sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.dev import dev_add_pack, dev_remove_pack
from pyhost.net.core.netdevice import NetDevice, PacketType
from pyhost.net.core.skbuff import SkBuff, consume_skb
from pyhost.uapi.ethernet import ETH_P_ALL

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["PacketTap"]


class PacketTap:
    """Calls `callback(ns, pkt_type, frame, key)` for every frame at `dev` (None: at every device),
    until `close`.

    `frame` has its link header, but for a packet that the NIC is to cut or sum it is as the stack
    made it, as in tcpdump. `pkt_type` is PACKET_OUTGOING for what goes out. It sees what an
    AF_PACKET socket with ETH_P_ALL sees, and disturbs zero-copy sends as one does; with
    `keeps` False it only reads while the packet passes, and disturbs nothing.
    """

    def __init__(
        self,
        net: Net,
        callback: Callable[[int, int, bytes, int], None],
        dev: NetDevice | None = None,
        *,
        keeps: bool = True,
    ) -> None:
        self._net = net
        self._callback = callback
        self._ptype = PacketType(ETH_P_ALL, self._receive, dev, keeps=keeps)
        dev_add_pack(net, self._ptype)

    def close(self) -> None:
        """See nothing more."""
        dev_remove_pack(self._net, self._ptype)

    def _receive(self, skb: SkBuff, _dev: NetDevice) -> int:
        header = bytes(skb.buf[skb.mac_header : skb.data])
        self._callback(skb.tstamp, skb.pkt_type, header + skb.to_bytes(), skb.key)
        consume_skb(skb)
        return 0
