"""ESP: a packet with a check value behind it that only who has the key can make.

Linux: net/ipv4/esp4.c (RFC 4303). The cipher is NULL (RFC 2410).

    IP │ SPI │ sequence number │ payload │ 1 2 3 … │ pad length │ next header │ check value
         4         4                       0 to 3        1              1           12 or 16

The check value is taken over everything from the SPI to the next header.
"""

from __future__ import annotations

import hmac
from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core.checksum import ip_compute_csum
from pyhost.net.core.skbuff import CHECKSUM_NONE
from pyhost.net.xfrm.xfrm_state import IPPROTO_ESP, XFRM_MODE_TUNNEL
from pyhost.uapi.ip import (
    IP_CHECK_OFF,
    IP_DF,
    IP_FRAG_OFF,
    IP_HDR,
    IP_HDR_LEN,
    IP_PROTOCOL_OFF,
    IP_TOS_OFF,
    IP_TOT_LEN_OFF,
    IPVERSION,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net
    from pyhost.net.xfrm.xfrm_state import XfrmState

__all__ = ["ESP_HDR", "IPPROTO_IPIP", "esp_input", "esp_output"]

ESP_HDR = Struct("!II")
"""SPI, sequence number."""

IPPROTO_IPIP = 4
TRAILER = 2
ALIGN = 4
PADDING = bytes(range(1, 256))
"""What a receiver may check (RFC 4303 section 2.4)."""

_BE16 = Struct("!H")


def esp_output(net: Net, state: XfrmState, skb: SkBuff, seq: int) -> None:
    """Wrap the packet whose IP header is at `skb.data`; the checksums in it are complete.

    Raises MemoryError. Linux: esp_output.
    """
    buf = skb.buf
    header_len = (buf[skb.data] & 15) * 4
    header = bytes(buf[skb.data : skb.data + header_len])
    if state.mode == XFRM_MODE_TUNNEL:
        payload, next_header = skb.to_bytes(), IPPROTO_IPIP
        header = _outer_header(net, state, header)
    else:
        payload = skb.copy_bits(header_len, skb.len - header_len)
        next_header = header[IP_PROTOCOL_OFF]
    pad = -(len(payload) + TRAILER) % ALIGN
    esp = b"".join(
        (ESP_HDR.pack(state.spi, seq), payload, PADDING[:pad], bytes((pad, next_header)))
    )
    _replace(skb, header, esp + state.auth.icv(esp), IPPROTO_ESP)
    state.packets += 1
    state.bytes += len(payload)


def esp_input(state: XfrmState, skb: SkBuff) -> str | None:
    """Check and unwrap a packet whose ESP header is at `skb.data`: None, or the counter that names
    what is wrong with it. Then `skb.data` is at the IP header. Linux: esp_input, esp_input_done2.
    """
    icv_len = state.auth.icv_len
    if skb.len < ESP_HDR.size + TRAILER + icv_len or (skb.len - icv_len) % ALIGN:
        return "XfrmInHdrError"
    packet = skb.to_bytes()
    _, seq = ESP_HDR.unpack_from(packet)
    if not state.replay.check(seq):
        return "XfrmInStateSeqError"
    protected, icv = packet[:-icv_len], packet[-icv_len:]
    if not hmac.compare_digest(state.auth.icv(protected), icv):
        return "XfrmInStateProtoError"
    state.replay.advance(seq)
    pad, next_header = protected[-2], protected[-1]
    payload = protected[ESP_HDR.size : -TRAILER - pad]
    if pad + TRAILER + ESP_HDR.size > len(protected):
        return "XfrmInStateProtoError"
    if (next_header == IPPROTO_IPIP) != (state.mode == XFRM_MODE_TUNNEL):
        return "XfrmInStateModeError"
    state.packets += 1
    state.bytes += len(payload)
    header = bytes(skb.buf[skb.network_header : skb.data])
    skb.push(len(header))
    if state.mode == XFRM_MODE_TUNNEL:
        _set_content(skb, payload)
        skb.ip_summed = CHECKSUM_NONE
    else:
        _replace(skb, header, payload, next_header)
    return None


def _outer_header(net: Net, state: XfrmState, inner: bytes) -> bytes:
    """Type of service and DF come from inside (RFC 4301 section 5.1.2.1). Linux:
    xfrm4_tunnel_encap_add.
    """
    frag_off = _BE16.unpack_from(inner, IP_FRAG_OFF)[0] & IP_DF
    ident = 0
    if not frag_off:
        ident = net.ipv4.ip_idents_reserve(state.saddr, state.daddr, IPPROTO_ESP, 1)
    ttl = net.ipv4.sysctl_ip_default_ttl
    return IP_HDR.pack(
        IPVERSION << 4 | IP_HDR_LEN // 4, inner[IP_TOS_OFF], 0, ident, frag_off, ttl, IPPROTO_ESP,
        0, state.saddr, state.daddr,
    )  # fmt: skip


def _replace(skb: SkBuff, header: bytes, payload: bytes, protocol: int) -> None:
    """Make the packet `header`, with length, protocol and checksum set anew, and `payload`."""
    fresh = bytearray(header)
    _BE16.pack_into(fresh, IP_TOT_LEN_OFF, len(header) + len(payload))
    fresh[IP_PROTOCOL_OFF] = protocol
    _BE16.pack_into(fresh, IP_CHECK_OFF, 0)
    _BE16.pack_into(fresh, IP_CHECK_OFF, ip_compute_csum(fresh))
    _set_content(skb, bytes(fresh) + payload)
    skb.transport_header = skb.data + len(header)
    skb.ip_summed = CHECKSUM_NONE


def _set_content(skb: SkBuff, content: bytes) -> None:
    """Put other bytes in the place of the packet's own, in memory that nobody shares."""
    skb.trim(0)
    missing = max(0, len(content) - skb.tailroom)
    if missing or skb.is_cloned():
        skb.expand_head(0, missing)
    skb.put_data(content)
    skb.network_header = skb.data
