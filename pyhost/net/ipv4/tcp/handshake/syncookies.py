"""SYN cookies: a handshake of which the listener remembers nothing. RFC 4987 section 3.6. Linux:
net/ipv4/syncookies.c.

When the queue of requests is full, the sequence number of the SYN-ACK says what must be known: a
keyed hash of the connection, the minute, and which of four MSS values the peer offered. Window
scale, SACK and ECN go into the low bits of the timestamp. The last ACK brings both back. A cookie
is good for two minutes.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.lib.siphash import siphash
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.net.ipv4.tcp.handshake.request_sock import RequestSock
from pyhost.net.ipv4.tcp.handshake.tcp_connect import tcp_select_initial_window
from pyhost.net.ipv4.tcp.handshake.tcp_synrecv import tcp_v4_syn_recv_sock
from pyhost.net.ipv4.tcp.tcp_clock import secure_tcp_ts_off, tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import TCPOLEN_TSTAMP_ALIGNED, tcp_advertise_mss
from pyhost.uapi.tcp import TcpOptions

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet

__all__ = ["cookie_init_sequence", "cookie_init_timestamp", "cookie_v4_check"]

COOKIEBITS = 24
COOKIEMASK = (1 << COOKIEBITS) - 1
PERIOD = 60 * NSEC_PER_SEC
MAX_SYNCOOKIE_AGE = 2
TCP_SYNCOOKIE_VALID = MAX_SYNCOOKIE_AGE * PERIOD

MSSTAB = (536, 1300, 1440, 1460)

TSBITS = 6
TS_OPT_WSCALE_MASK = 0xF
TS_OPT_SACK = 1 << 4
TS_OPT_ECN = 1 << 5

_FIVE_WORDS = Struct(">5I").pack


class SyncookieSecret:
    """The key of a machine's cookies, and when one was sent last (ns). Linux: syncookie_secret."""

    __slots__ = ("key", "sent")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.sent: int | None = None


def _secret(tcp: TcpNet) -> SyncookieSecret:
    if tcp.syncookie_secret is None:
        key = tcp.net.kernel.random.getrandbits(128).to_bytes(16, "little")
        tcp.syncookie_secret = SyncookieSecret(key)
    return tcp.syncookie_secret


def _hash(tcp: TcpNet, key: tuple[int, int, int], count: int, which: int) -> int:
    """Linux: cookie_hash."""
    daddr, saddr, ports = key
    data = _FIVE_WORDS(daddr, saddr, ports, count & 0xFFFFFFFF, which)
    return siphash(data, _secret(tcp).key) & 0xFFFFFFFF


def cookie_init_sequence(sk: TcpSock, req: RequestSock) -> int:
    """Our initial sequence number; rounds the request's MSS down to one that it can say.

    Linux: cookie_v4_init_sequence, secure_tcp_syn_cookie.
    """
    tcp = sk.net.tcp
    now = sk.net.kernel.clock.now
    _secret(tcp).sent = now
    index = max((i for i, mss in enumerate(MSSTAB) if mss <= req.mss), default=0)
    req.mss = MSSTAB[index]
    count = now // PERIOD
    low = _hash(tcp, req.key, count, 1) + index & COOKIEMASK
    sk.net.count("SyncookiesSent")
    return _hash(tcp, req.key, 0, 0) + req.rcv_isn + (count << COOKIEBITS) + low & 0xFFFFFFFF


def cookie_init_timestamp(req: RequestSock) -> int:
    """The timestamp of the SYN-ACK: not later than now, and its low bits are the peer's options.

    Linux: cookie_init_timestamp.
    """
    options = req.snd_wscale if req.wscale_ok else TS_OPT_WSCALE_MASK
    options |= TS_OPT_SACK if req.sack_ok else 0
    options |= TS_OPT_ECN if req.ecn_ok else 0
    now = tcp_ns_to_ts(req.listener.net.kernel.clock.now)
    stamp = now >> TSBITS << TSBITS | options
    if stamp > now:
        stamp -= 1 << TSBITS
    return stamp + req.tsoffset & 0xFFFFFFFF


def _check(tcp: TcpNet, key: tuple[int, int, int], rcv_isn: int, cookie: int) -> int | None:
    """The MSS that a cookie says, None when it is none of ours.

    Linux: __cookie_v4_check, check_tcp_syn_cookie.
    """
    now = tcp.net.kernel.clock.now // PERIOD
    rest = cookie - _hash(tcp, key, 0, 0) - rcv_isn & 0xFFFFFFFF
    age = now - (rest >> COOKIEBITS) & 0xFF
    if age >= MAX_SYNCOOKIE_AGE:
        return None
    index = rest - _hash(tcp, key, now - age, 1) & COOKIEMASK
    return MSSTAB[index] if index < len(MSSTAB) else None


def _decode_timestamp(tcp: TcpNet, req: RequestSock, options: TcpOptions) -> bool:
    """What the echoed timestamp says; False when we cannot have offered it.

    Linux: cookie_timestamp_decode.
    """
    if options.timestamp is None:
        return True
    if not tcp.timestamps:
        return False
    req.tstamp_ok = True
    req.ts_recent, echo = options.timestamp
    echo = echo - req.tsoffset & 0xFFFFFFFF if echo else 0
    req.sack_ok = bool(echo & TS_OPT_SACK)
    if req.sack_ok and not tcp.sack:
        return False
    if echo & TS_OPT_WSCALE_MASK == TS_OPT_WSCALE_MASK:
        return True
    req.wscale_ok = True
    req.snd_wscale = echo & TS_OPT_WSCALE_MASK
    req.ecn_ok = bool(echo & TS_OPT_ECN and tcp.ecn)
    return bool(tcp.window_scaling)


def cookie_v4_check(
    sk: TcpSock, cb: TcpSkbCb, key: tuple[int, int, int], options: TcpOptions
) -> TcpSock | None:
    """A child for an ACK without a request, if its number is a cookie of ours.

    Linux: cookie_v4_check.
    """
    net = sk.net
    tcp = net.tcp
    sent = tcp.syncookie_secret.sent if tcp.syncookie_secret is not None else None
    if not tcp.syncookies or sent is None:
        return None
    if net.kernel.clock.now - sent > TCP_SYNCOOKIE_VALID:
        return None
    rcv_isn = cb.seq - 1 & 0xFFFFFFFF
    snt_isn = cb.ack_seq - 1 & 0xFFFFFFFF
    mss = _check(tcp, key, rcv_isn, snt_isn)
    if mss is None:
        net.count("SyncookiesFailed")
        return None
    net.count("SyncookiesRecv")
    daddr, saddr, _ = key
    dst = ip_route_output(net, daddr, saddr, sk.sk_bindtodevice, sk.tos, sk.sk_mark)
    if isinstance(dst, int):
        return None
    req = RequestSock(sk, key, dst, rcv_isn)
    req.snt_isn, req.mss = snt_isn, mss
    req.tsoffset = secure_tcp_ts_off(tcp, saddr, daddr)
    if not _decode_timestamp(tcp, req, options):
        return None
    size = tcp_advertise_mss(sk, dst) - (TCPOLEN_TSTAMP_ALIGNED if req.tstamp_ok else 0)
    req.rcv_wnd, req.window_clamp, req.rcv_wscale = tcp_select_initial_window(
        sk, dst, size, req.wscale_ok
    )
    child = tcp_v4_syn_recv_sock(req, cb.window)
    if child is not None:
        child.syn_stamp = 0
        sk.accept_queue.append(child)
        sk.sk_ack_backlog += 1
    return child
