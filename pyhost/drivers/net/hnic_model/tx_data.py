"""From a packet to its frames: read the pieces from host memory, cut, edit.

Hardware: hdl/dma/hnic_tx_data.v. Reading takes no time here, so all is read at once when the
packet's turn comes. A frame in doubt never reaches the wire: those of a super-packet that lie
before a failed read are sent, the others dropped.
"""

from __future__ import annotations

from itertools import pairwise

from pyhost.bus.master import BusError, BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import TXD_CSUM, TXD_IPCSUM, TXD_TSO, TXD_VLAN
from pyhost.drivers.net.hnic_model.limits import MIN_FRAME
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.tso import segment
from pyhost.drivers.net.hnic_model.tx_edit import (
    IP_CSUM_POS,
    insert_csum,
    insert_tag,
    ip_csum,
    pad,
    put_csum,
)
from pyhost.drivers.net.hnic_model.tx_packet import TxPacket
from pyhost.kernel.trace import Tracer

__all__ = ["TxData"]

_EDITS = TXD_CSUM | TXD_IPCSUM | TXD_TSO | TXD_VLAN


class TxData:
    """Fills `TxPacket.frames`."""

    __slots__ = ("_master", "_stats", "_trace")

    def __init__(self, master: BusMaster, stats: CardStats, trace: Tracer) -> None:
        self._master = master
        self._stats = stats
        self._trace = trace

    def load(self, packet: TxPacket) -> None:
        """Make the frames of a packet, or those of a super-packet that lie before its fault; sets
        DMA_ERR when a read fails, also of a packet with a fault: that one comes later in it.
        """
        if not packet.pieces:
            return
        if self._trace.on:
            for addr, length in packet.pieces:
                self._trace.hit("nic_gather", packet.cookie, addr=addr, len=length)
        data = self._gather(packet)
        flags = packet.flags
        if flags & TXD_TSO:
            packet.frames = self._cut(data, packet)
        elif not packet.status:
            frame = self._edit(data, packet) if flags & _EDITS else data
            packet.frames = [frame if len(frame) >= MIN_FRAME else pad(frame)]

    def _gather(self, packet: TxPacket) -> bytes:
        """The pieces in order, up to the first that cannot be read."""
        read = self._master.read
        parts: list[bytes | memoryview] = []
        try:
            for addr, length in packet.pieces:
                parts.append(read(addr, length))
        except BusError:
            self._stats.axi_rd_errs += 1
            packet.fail(regs.STATUS_DMA_ERR, packet.first + len(parts) & INDEX_MASK)
            if packet.flags & TXD_TSO:
                parts.append(self._whole_frames(packet, len(parts)))
        return b"".join(parts)

    def _whole_frames(self, packet: TxPacket, bad: int) -> bytes:
        """What can be read of piece `bad` when it is read frame by frame, as the card does."""
        addr, length = packet.pieces[bad]
        before = sum(size for _, size in packet.pieces[:bad])
        edges = range(packet.hdr_len + packet.mss, before + length, packet.mss)
        cuts = [0, *(edge - before for edge in edges if edge > before)]
        parts: list[bytes] = []
        try:
            for begin, end in pairwise(cuts):
                parts.append(bytes(self._master.read(addr + begin, end - begin)))
        except BusError:
            pass
        return b"".join(parts)

    def _cut(self, data: bytes, packet: TxPacket) -> list[bytes]:
        stats = self._stats
        frames = segment(data, packet)
        stats.tx_csums += len(frames)
        stats.tx_tso += 1
        if packet.flags & TXD_VLAN:
            frames = [insert_tag(frame, packet.vlan_tci) for frame in frames]
        return [pad(frame) for frame in frames]

    def _edit(self, frame: bytes, packet: TxPacket) -> bytes:
        flags = packet.flags
        pos = packet.l3_start + IP_CSUM_POS
        value = 0
        if flags & TXD_IPCSUM:
            # Both sums see the field as 0, as one pass over the frame does.
            frame = put_csum(frame, pos, 0)
            value = ip_csum(frame, packet.l3_start)
        if flags & TXD_CSUM:
            self._stats.tx_csums += 1
            frame = insert_csum(frame, packet.csum_start, packet.csum_pos)
        if flags & TXD_IPCSUM:
            frame = put_csum(frame, pos, value)
        if flags & TXD_VLAN:
            frame = insert_tag(frame, packet.vlan_tci)
        return frame
