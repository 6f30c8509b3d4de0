"""ICMP errors that quote a segment of ours. RFC 1122 section 4.2.3.9, RFC 5927, RFC 6069. Linux:
net/ipv4/tcp_ipv4.c tcp_v4_err.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyhost.net.core.sock import (
    TCP_CLOSE,
    TCP_LISTEN,
    TCP_NEW_SYN_RECV,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    TCP_TIME_WAIT,
)
from pyhost.net.ipv4.icmp import ICMP_ERR_CONVERT
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_xmit_timer
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_lookup_listener
from pyhost.net.ipv4.tcp.handshake.request_sock import RequestSock
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_done_with_error
from pyhost.net.ipv4.tcp.input.tcp_mtu_reduced import TCP_MTU_REDUCED_DEFERRED, tcp_v4_mtu_reduced
from pyhost.net.ipv4.tcp.recovery.tcp_rto import tcp_retransmit_timer
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_RETRANS,
    TCP_RTO_MAX,
    TCP_TIMEOUT_INIT,
    TcpSock,
    between,
)
from pyhost.uapi.errno import EHOSTUNREACH, EPROTO
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_FRAG_NEEDED,
    ICMP_HOST_UNREACH,
    ICMP_NET_UNREACH,
    ICMP_PARAMETERPROB,
    ICMP_TIME_EXCEEDED,
)
from pyhost.uapi.ip import IpView
from pyhost.uapi.tcp import TcpView

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = ["tcp_v4_err"]

SOFT_UNREACH = (ICMP_NET_UNREACH, ICMP_HOST_UNREACH)


def _ifindex(skb: SkBuff) -> int:
    return skb.dev.ifindex if skb.dev is not None else 0


def tcp_v4_err(net: Net, skb: SkBuff, info: int) -> int:
    """An error about a segment of ours; `skb.data` is at the quoted IP header, `info` an MTU.
    Always 0. Linux: tcp_v4_err.
    """
    quoted = IpView(skb.buf, skb.data)
    header = TcpView(skb.buf, skb.data + quoted.header_len)
    icmp_type, code = skb.buf[skb.transport_header], skb.buf[skb.transport_header + 1]
    key = (quoted.daddr, quoted.saddr, header.dest << 16 | header.source)
    found = net.tcp.ehash.get(key)
    if found is None:
        if inet_lookup_listener(net.tcp, key, _ifindex(skb)) is None:
            net.count("IcmpInErrors")
        return 0
    if found.sk_state == TCP_TIME_WAIT:
        return 0
    if found.sk_state == TCP_NEW_SYN_RECV:
        _req_err(cast(RequestSock, found), header.seq, icmp_type, code)
        return 0
    sk = cast(TcpSock, found)
    if sk.owned_by_user and not (icmp_type == ICMP_DEST_UNREACH and code == ICMP_FRAG_NEEDED):
        net.count("LockDroppedIcmps")
    if sk.sk_state == TCP_CLOSE:
        return 0
    if quoted.ttl < sk.min_ttl:
        net.count("TCPMinTTLDrop")
        return 0
    request = sk.fastopen_rsk
    first = sk.snd_una if request is None else request.snt_isn
    if sk.sk_state != TCP_LISTEN and not between(header.seq, first, sk.snd_nxt):
        net.count("OutOfWindowIcmps")
        return 0
    if icmp_type == ICMP_DEST_UNREACH and code == ICMP_FRAG_NEEDED:
        _frag_needed(sk, info)
        return 0
    err = _errno(sk, icmp_type, code, header.seq)
    if err:
        _report(sk, err)
    return 0


def _req_err(req: RequestSock, seq: int, icmp_type: int, code: int) -> None:
    """The answer to a SYN found no way: forget the request. Nobody could be told of the error, as
    accept() reports none. Linux: tcp_req_err.
    """
    if seq != req.snt_isn:
        req.listener.net.count("OutOfWindowIcmps")
        return
    unreachable = icmp_type == ICMP_DEST_UNREACH and code in SOFT_UNREACH
    if unreachable or icmp_type in (ICMP_PARAMETERPROB, ICMP_TIME_EXCEEDED):
        req.unlink()
        req.listener.net.count("ListenDrops")


def _frag_needed(sk: TcpSock, mtu: int) -> None:
    """Now, or when the task that owns the socket lets it go."""
    if sk.sk_state == TCP_LISTEN:
        return
    sk.mtu_info = mtu
    if sk.owned_by_user:
        sk.deferred |= TCP_MTU_REDUCED_DEFERRED
    else:
        tcp_v4_mtu_reduced(sk)


def _errno(sk: TcpSock, icmp_type: int, code: int, seq: int) -> int:
    """What the error means to the program, 0 for nothing."""
    if icmp_type == ICMP_PARAMETERPROB:
        return EPROTO
    if icmp_type == ICMP_TIME_EXCEEDED:
        return EHOSTUNREACH
    if icmp_type != ICMP_DEST_UNREACH or code >= len(ICMP_ERR_CONVERT):
        return 0
    if sk.fastopen_rsk is None and code in SOFT_UNREACH:
        _ld_rto_revert(sk, seq)
    return ICMP_ERR_CONVERT[code].errno


def _ld_rto_revert(sk: TcpSock, seq: int) -> None:
    """The path is broken, not congested: take one doubling of the timer back (RFC 6069).

    Linux: tcp_ld_RTO_revert.
    """
    if sk.owned_by_user or seq != sk.snd_una or not sk.icsk_retransmits or not sk.icsk_backoff:
        return
    if not sk.tcp_rtx_queue:
        return
    sk.icsk_backoff -= 1
    base = ((sk.srtt_us >> 3) + sk.rttvar_us) * 1000 if sk.srtt_us else TCP_TIMEOUT_INIT
    sk.icsk_rto = min(max(base, sk.icsk_rto_min) << sk.icsk_backoff, TCP_RTO_MAX)
    sk.tcp_mstamp = sk.net.kernel.clock.now
    elapsed = sk.tcp_mstamp - sk.tcp_rtx_queue[0].cb.tstamp
    remaining = sk.icsk_rto - elapsed
    if remaining > 0:
        inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, remaining, TCP_RTO_MAX)
    else:
        tcp_retransmit_timer(sk)


def _report(sk: TcpSock, err: int) -> None:
    """Fatal while the connection is being made, a hint afterwards; a Fast Open child counts as
    made once a program has accepted it.
    """
    request = sk.fastopen_rsk
    accepted = request is not None and request.child is None
    if sk.sk_state in (TCP_SYN_SENT, TCP_SYN_RECV) and not accepted:
        if sk.owned_by_user:
            sk.sk_err_soft = err
        else:
            tcp_done_with_error(sk, err)
    elif not sk.owned_by_user and sk.recverr:
        sk.sk_err = err
        sk.error_report()
    else:
        sk.sk_err_soft = err
