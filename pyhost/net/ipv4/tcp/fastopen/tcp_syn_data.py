"""Data in the SYN: the cookie for it, and the segment that carries both. RFC 7413 section 4.2.
Linux: net/ipv4/tcp_fastopen.c, net/ipv4/tcp_output.c tcp_send_syn_data.

The SYN and its data are two segments in the retransmit queue, of which a copy that joins both
travels: if only the SYN is acknowledged, the data goes again as an ordinary segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import consume_skb
from pyhost.net.core.ubuf import skb_zcopy_set
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_blackhole import tcp_fastopen_active_should_disable
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_ctx import TFO_CLIENT_NO_COOKIE
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenCookie, FastopenRequest
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import tcp_fastopen_cache_get
from pyhost.net.ipv4.tcp.output.tcp_output import tcp_stream_alloc_skb, tcp_transmit_skb
from pyhost.net.ipv4.tcp.tcp_mem import tcp_wmem_schedule
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_mtu_to_mss, tcp_sync_mss
from pyhost.uapi.tcp import TCP_ACK, TCP_HDR_LEN, TCP_PSH

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "TFO_COOKIE_UNAVAILABLE", "TFO_DATA_NOT_ACKED", "TFO_SYN_RETRANSMITTED",
    "tcp_connect_queue_skb", "tcp_fastopen_defer_connect", "tcp_send_syn_data",
]  # fmt: skip

TFO_COOKIE_UNAVAILABLE = 1
TFO_DATA_NOT_ACKED = 2
TFO_SYN_RETRANSMITTED = 3

MAX_TCP_OPTION_SPACE = 40
FRAG_MIN = 32


# -- cookies ---------------------------------------------------------------------------------------


def _cookie_check(sk: TcpSock) -> tuple[bool, int, FastopenCookie]:
    """(whether data may go into the SYN, the peer's MSS as far as known, the option for the SYN).

    Linux: tcp_fastopen_cookie_check.
    """
    mss, cookie = tcp_fastopen_cache_get(sk)
    if tcp_fastopen_active_should_disable(sk):
        return False, mss, FastopenCookie()
    if sk.net.tcp.fastopen & TFO_CLIENT_NO_COOKIE or sk.fastopen_no_cookie:
        return True, mss, FastopenCookie()
    if cookie.data:
        return True, mss, cookie
    sk.fastopen_client_fail = TFO_COOKIE_UNAVAILABLE
    return False, mss, cookie


def tcp_fastopen_defer_connect(sk: TcpSock) -> bool:
    """TCP_FASTOPEN_CONNECT: whether the SYN waits for the first write; if not, it asks for a
    cookie. Linux: tcp_fastopen_defer_connect.
    """
    if not sk.fastopen_connect or sk.fastopen_req is not None:
        return False
    known, _, cookie = _cookie_check(sk)
    if known:
        sk.defer_connect = True
        return True
    sk.fastopen_req = FastopenRequest(cookie)
    return False


# -- the SYN ---------------------------------------------------------------------------------------


def tcp_send_syn_data(sk: TcpSock, syn: SkBuff) -> int:
    """Send the SYN, with data if there is a cookie for it, or asking for one: 0 or an error.

    `syn` is in the retransmit queue. Linux: tcp_send_syn_data.
    """
    request = sk.fastopen_req
    assert request is not None
    allowed, mss, request.cookie = _cookie_check(sk)
    data = _data_segment(sk, syn, request, mss or sk.advmss) if allowed else None
    if data is None:
        if request.cookie.data:
            request.cookie = FastopenCookie(b"", request.cookie.exp)
        err = tcp_transmit_skb(sk, syn)
        if err:
            sk.syn_fastopen = False
    else:
        err = _transmit_syn_data(sk, syn, data, request)
    request.cookie = FastopenCookie()
    return err


def _data_segment(sk: TcpSock, syn: SkBuff, request: FastopenRequest, mss: int) -> SkBuff | None:
    """A copy of the SYN with as much of the message as fits; None when it cannot be had.

    40 bytes stay free for options that a middlebox may add.
    """
    sk.mss_clamp = min(mss, sk.user_mss) if sk.user_mss else mss
    tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    full = tcp_mtu_to_mss(sk, sk.icsk_pmtu_cookie) + sk.tcp_header_len - TCP_HDR_LEN
    space = min(full - MAX_TCP_OPTION_SPACE, request.size)
    frag = sk.frag
    if space and not frag.refill(FRAG_MIN):
        return None
    data = tcp_stream_alloc_skb(sk)
    if data is None:
        return None
    data.cb = TcpSkbCb(syn.cb.seq, syn.cb.end_seq, syn.cb.flags)
    if space:
        space = tcp_wmem_schedule(sk, min(space, frag.size - frag.offset))
    if space:
        space = _copy_in(sk, data, request, space)
        if not space:
            consume_skb(data)
            return None
    if space == request.size:
        request.msg = None
    request.copied = space
    data.cb.end_seq = data.cb.end_seq + space & 0xFFFFFFFF
    return data


def _copy_in(sk: TcpSock, data: SkBuff, request: FastopenRequest, space: int) -> int:
    """Take `space` bytes of the message; 0 when they cannot be read."""
    frag, msg = sk.frag, request.msg
    page = frag.page
    assert page is not None
    assert msg is not None
    space = msg.iter.copy_from_iter(page.addr + frag.offset, space)
    if space:
        page.get()
        data.fill_page_desc(page, frag.offset, space)
        frag.offset += space
        data.len += space
        data.data_len += space
        data.truesize += space
        if request.uarg is not None:
            skb_zcopy_set(data, request.uarg)
    return space


def tcp_connect_queue_skb(sk: TcpSock, skb: SkBuff) -> None:
    """Charge a segment of the handshake, and count it as sent. Linux: tcp_connect_queue_skb."""
    cb: TcpSkbCb = skb.cb
    skb.header_release()
    sk.sk_wmem_queued += skb.truesize
    sk.sk_forward_alloc -= skb.truesize
    sk.write_seq = cb.end_seq
    sk.packets_out += cb.pcount


def _transmit_syn_data(sk: TcpSock, syn: SkBuff, data: SkBuff, request: FastopenRequest) -> int:
    """Send SYN and data as one, and keep the data as a segment of its own behind the SYN."""
    tcp_connect_queue_skb(sk, data)
    err = tcp_transmit_skb(sk, data)
    syn.cb.tstamp = data.cb.tstamp
    cb: TcpSkbCb = data.cb
    cb.seq = cb.seq + 1 & 0xFFFFFFFF
    cb.flags = TCP_ACK | TCP_PSH
    if not err:
        sk.syn_data = request.copied > 0
        sk.tcp_rtx_queue.append(data)
        sk.net.count("TCPOrigDataSent")
        return 0
    sk.sk_write_queue.append(data)
    sk.packets_out -= cb.pcount
    request.cookie = FastopenCookie(b"", request.cookie.exp)
    err = tcp_transmit_skb(sk, syn)
    if err:
        sk.syn_fastopen = False
    return err
