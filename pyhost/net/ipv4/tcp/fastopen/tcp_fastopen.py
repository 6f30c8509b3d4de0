"""TCP Fast Open on the side that listens: cookies, and the socket made from a SYN. RFC 7413
section 4.1. Linux: net/ipv4/tcp_fastopen.c.

The cookie is a keyed hash of both addresses: only who has received it before at its address can
send it. With a right one the data of the SYN is taken at once: the child is there, in SYN_RECV and
in the accept queue, before the handshake is over, and may answer.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.lib.siphash import siphash
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_ctx import (
    TFO_SERVER_COOKIE_NOT_REQD,
    TFO_SERVER_ENABLE,
)
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_data import tcp_fastopen_add_skb
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenCookie
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_xmit_timer
from pyhost.net.ipv4.tcp.handshake.request_sock import RequestSock, reqsk_fastopen_remove
from pyhost.net.ipv4.tcp.handshake.tcp_init_transfer import tcp_init_transfer
from pyhost.net.ipv4.tcp.handshake.tcp_synrecv import tcp_v4_syn_recv_sock
from pyhost.net.ipv4.tcp.recovery.tcp_undo import tcp_try_undo_recovery
from pyhost.net.ipv4.tcp.recovery.tcp_xmit_timer import tcp_rearm_rto
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_RETRANS,
    TCP_CA_LOSS,
    TCP_RTO_MAX,
    TcpSkbCb,
    TcpSock,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_fastopen_cookie_gen", "tcp_rcv_synrecv_state_fastopen", "tcp_try_fastopen"]

_ADDRESSES = Struct(">II").pack
COOKIE_SIZE = 8


def tcp_fastopen_cookie_gen(key: bytes, saddr: int, daddr: int) -> bytes:
    """The cookie for a peer at `saddr` that connects to `daddr`.

    Linux: __tcp_fastopen_cookie_gen_cipher.
    """
    return siphash(_ADDRESSES(saddr, daddr), key).to_bytes(COOKIE_SIZE, "little")


def _keys(sk: TcpSock) -> tuple[bytes, ...]:
    """The listener's own keys, or the machine's: the first makes cookies, the second is still
    accepted. Linux: tcp_fastopen_get_ctx.
    """
    return sk.fastopen_keys or sk.net.tcp.fastopen_ctx.keys()


def tcp_try_fastopen(
    sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, req: RequestSock, cookie: FastopenCookie
) -> TcpSock | None:
    """A child for a SYN that may have data, or None; `cookie` is what the SYN had and becomes what
    the SYN-ACK shall have. Linux: tcp_try_fastopen.
    """
    net = sk.net
    offered, cookie.data = cookie.data, None
    if offered == b"":
        net.count("TCPFastOpenCookieReqd")
    syn_data = cb.end_seq != (cb.seq + 1) & 0xFFFFFFFF
    if not net.tcp.fastopen & TFO_SERVER_ENABLE or not (syn_data or offered is not None):
        return None
    if sk.fastopenq is None or not sk.fastopenq.max_qlen:
        return None
    if not sk.fastopenq.has_room(net.kernel.clock.now):
        net.count("TCPFastOpenListenOverflow")
        return None
    if net.tcp.fastopen & TFO_SERVER_COOKIE_NOT_REQD or sk.fastopen_no_cookie:
        return _make_child(sk, skb, cb, req)
    if offered is None:
        return None
    valid = [tcp_fastopen_cookie_gen(key, req.key[0], req.key[1]) for key in _keys(sk)]
    if not offered:
        cookie.data = valid[0]
        return None
    if offered not in valid:
        net.count("TCPFastOpenPassiveFail")
        cookie.data = valid[0]
        return None
    child = _make_child(sk, skb, cb, req)
    if child is None or offered != valid[0]:
        cookie.data = valid[0]
    if child is not None and offered != valid[0]:
        net.count("TCPFastOpenPassiveAltKey")
    return child


def _make_child(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, req: RequestSock) -> TcpSock | None:
    """The socket, made of what the SYN says; None without room.

    Linux: tcp_fastopen_create_child.
    """
    child = tcp_v4_syn_recv_sock(req, cb.window)
    if child is None:
        sk.net.count("TCPFastOpenPassiveFail")
        return None
    assert sk.fastopenq is not None
    sk.fastopenq.qlen += 1
    child.fastopen_rsk = req
    req.child = child
    # The window of a SYN is not scaled.
    child.snd_wnd = child.max_window = cb.window
    inet_csk_reset_xmit_timer(child, ICSK_TIME_RETRANS, req.timeout, TCP_RTO_MAX)
    tcp_init_transfer(child)
    child.rcv_nxt = cb.seq + 1 & 0xFFFFFFFF
    tcp_fastopen_add_skb(child, skb)
    req.rcv_nxt = child.rcv_wup = child.rcv_nxt
    sk.net.count("TCPFastOpenPassive")
    return child


def tcp_rcv_synrecv_state_fastopen(sk: TcpSock) -> None:
    """The last ACK of the handshake has come to a Fast Open child.

    Linux: tcp_rcv_synrecv_state_fastopen.
    """
    if sk.icsk_ca_state == TCP_CA_LOSS and not sk.packets_out:
        tcp_try_undo_recovery(sk)
    sk.icsk_retransmits = 0
    if not sk.packets_out:
        sk.retrans_stamp = 0
    assert sk.fastopen_rsk is not None
    reqsk_fastopen_remove(sk, sk.fastopen_rsk, False)
    tcp_rearm_rto(sk)
