"""TCP segmentation: one super-packet becomes frames of at most MSS bytes of payload.

Hardware: hdl/dma/hnic_tx_cut.v, hdl/dma/hnic_tx_edit.v. Linux's convention for drivers: the
checksum field holds the sum of the pseudo header without its length. Linux: net/ipv4/tcp_offload.c
tcp_gso_segment, net/ipv4/af_inet.c inet_gso_segment.
"""

from __future__ import annotations

from struct import Struct

from pyhost.drivers.net.hnic.hnic_desc import TXD_IPV4
from pyhost.drivers.net.hnic_model.tx_packet import TxPacket
from pyhost.net.core.checksum import csum_bytes, csum_fold
from pyhost.uapi.tcp import TCP_CWR, TCP_FIN, TCP_PSH

__all__ = ["segment"]

_U16 = Struct(">H")
_U32 = Struct(">I")
_IP_TOT_LEN = 2
_IP_ID = 4
_IP_CSUM = 10
_IPV6_PAYLOAD_LEN = 4
_IPV6_HEADER = 40
_TCP_SEQ = 4
_FLAGS_POS = 13
_TCP_CSUM = 16


def segment(data: bytes, packet: TxPacket) -> list[bytes]:
    """The frames of a super-packet whose bytes are `data`, or the whole frames of its beginning
    when `data` is shorter than the packet.
    """
    mss, hdr_len, start = packet.mss, packet.hdr_len, packet.csum_start
    l3_start = packet.l3_start
    edit_l3 = _edit_ipv4 if packet.flags & TXD_IPV4 else _edit_ipv6
    if len(data) < hdr_len:
        return []
    (seq,) = _U32.unpack_from(data, start + _TCP_SEQ)
    frames = []
    for number, at in enumerate(range(hdr_len, packet.total, mss)):
        end = min(at + mss, packet.total)
        if end > len(data):
            break
        header = bytearray(data[:hdr_len])
        size = hdr_len + end - at
        edit_l3(header, l3_start, size - l3_start, number)
        _U32.pack_into(header, start + _TCP_SEQ, seq + at - hdr_len & 0xFFFFFFFF)
        header[start + _FLAGS_POS] &= _kept_flags(number == 0, end == packet.total)
        frame = header + data[at:end]
        csum = csum_fold(csum_bytes(memoryview(frame)[start:], size - start)) or 0xFFFF
        if packet.flags & TXD_IPV4:
            _put_ip_csum(frame, l3_start)
        _U16.pack_into(frame, start + _TCP_CSUM, csum)
        frames.append(bytes(frame))
    return frames


def _kept_flags(first: bool, last: bool) -> int:
    """CWR is for the first segment alone (RFC 3168 section 6.1.2), FIN and PSH for the last."""
    return 0xFF & ~(0 if first else TCP_CWR) & ~(0 if last else TCP_FIN | TCP_PSH)


def _edit_ipv4(header: bytearray, at: int, size: int, number: int) -> None:
    """Total length and identification of the IPv4 header at `at`, whose datagram has `size` bytes
    (RFC 791); its checksum comes when the whole frame is there.
    """
    (ident,) = _U16.unpack_from(header, at + _IP_ID)
    _U16.pack_into(header, at + _IP_TOT_LEN, size & 0xFFFF)
    _U16.pack_into(header, at + _IP_ID, ident + number & 0xFFFF)
    _U16.pack_into(header, at + _IP_CSUM, 0)


def _put_ip_csum(frame: bytearray, at: int) -> None:
    """Header checksum of the IPv4 header at `at`, as long as it says it is."""
    end = at + (frame[at] & 15) * 4
    _U16.pack_into(frame, at + _IP_CSUM, csum_fold(csum_bytes(memoryview(frame)[at:end])))


def _edit_ipv6(header: bytearray, at: int, size: int, number: int) -> None:
    """Payload length of the IPv6 header at `at` (RFC 8200 section 3)."""
    _U16.pack_into(header, at + _IPV6_PAYLOAD_LEN, size - _IPV6_HEADER & 0xFFFF)
