"""TCP over IPv4: where segments come in from IP, connect, and the handshake on the listening side.

Linux: net/ipv4/tcp_ipv4.c, tcp_input.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import csum_tcpudp_nofold
from pyhost.net.core.skbuff import (
    CHECKSUM_NONE,
    CHECKSUM_PARTIAL,
    CHECKSUM_UNNECESSARY,
    consume_skb,
    kfree_skb_reason,
)
from pyhost.net.core.sock import (
    TCP_CLOSE,
    TCP_ESTABLISHED,
    TCP_NEW_SYN_RECV,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    TCP_TIME_WAIT,
)
from pyhost.net.ipv4.fib.route import RTN_BROADCAST, RTN_MULTICAST, ip_route_output
from pyhost.net.ipv4.tcp.fastopen.tcp_syn_data import tcp_fastopen_defer_connect
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_hash_connect, inet_lookup_listener
from pyhost.net.ipv4.tcp.handshake.request_sock import RequestSock
from pyhost.net.ipv4.tcp.handshake.syncookies import cookie_v4_check
from pyhost.net.ipv4.tcp.handshake.tcp_conn_request import tcp_check_req, tcp_conn_request
from pyhost.net.ipv4.tcp.handshake.tcp_connect import tcp_connect
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_set_state
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import tcp_inbound_md5_hash
from pyhost.net.ipv4.tcp.handshake.tcp_minisocks import (
    TCP_TW_ACK,
    TCP_TW_RST,
    TCP_TW_SYN,
    TimewaitSock,
    tcp_timewait_state_process,
)
from pyhost.net.ipv4.tcp.input.tcp_input import tcp_rcv_established
from pyhost.net.ipv4.tcp.input.tcp_oow import tcp_oow_rate_limited
from pyhost.net.ipv4.tcp.input.tcp_rcv_state import tcp_rcv_state_process
from pyhost.net.ipv4.tcp.input.tcp_validate import tcp_parse_options
from pyhost.net.ipv4.tcp.output.tcp_reply import segment_end, skb_addresses, tcp_v4_send_reset
from pyhost.net.ipv4.tcp.tcp_clock import secure_tcp_ts_off
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp.tcp_window import tcp_setup_caps
from pyhost.uapi.errno import EAFNOSUPPORT, EINVAL, ENETUNREACH
from pyhost.uapi.ip import IP_TTL_OFF, IPPROTO_TCP
from pyhost.uapi.socket import AF_INET, SOCKADDR_IN, unpack_sockaddr_in
from pyhost.uapi.tcp import (
    TCP_ACK,
    TCP_FIN,
    TCP_HDR,
    TCP_HDR_LEN,
    TCP_RST,
    TCP_SYN,
    TCP_URG,
)

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = ["tcp_v4_connect", "tcp_v4_do_rcv", "tcp_v4_rcv"]

BACKLOG_SLACK = 64 << 10
PACKET_HOST = 0
TS_HEADER_WORDS = 8
"""A header that is no longer has no room for a signature beside the timestamp."""

_unpack_header = TCP_HDR.unpack_from


# -- connect ---------------------------------------------------------------------------------------


def tcp_v4_connect(sk: TcpSock, uaddr: bytes) -> int:
    """Route, local port, SYN: 0 or a negative errno. The socket is locked. Linux: tcp_v4_connect.

    -EINVAL short address, -EAFNOSUPPORT, route errors, -ENETUNREACH for multicast and broadcast,
    -EADDRNOTAVAIL without a free port.
    """
    if len(uaddr) < SOCKADDR_IN.size:
        return -EINVAL
    family, daddr, dport = unpack_sockaddr_in(uaddr)
    if family != AF_INET:
        return -EAFNOSUPPORT
    net = sk.net
    dst = ip_route_output(net, daddr, sk.inet_saddr, sk.sk_bindtodevice, sk.tos, sk.sk_mark)
    if isinstance(dst, int):
        if dst == -ENETUNREACH:
            net.count("IpOutNoRoutes")
        return dst
    if dst.type in (RTN_MULTICAST, RTN_BROADCAST):
        return -ENETUNREACH
    if not sk.inet_saddr:
        sk.inet_saddr = sk.inet_rcv_saddr = dst.saddr
    sk.inet_daddr, sk.inet_dport = daddr or dst.saddr, dport
    err = _connect_on(sk, dst)
    if err:
        tcp_set_state(sk, TCP_CLOSE)
        sk.sk_dst_cache = None
        sk.inet_dport = 0
    return err


def _connect_on(sk: TcpSock, dst: DstEntry) -> int:
    """The addresses are known: port, first numbers, SYN. Linux: tcp_v4_connect, its second half."""
    net = sk.net
    tcp_set_state(sk, TCP_SYN_SENT)
    sk.write_seq = 0
    err = inet_hash_connect(sk)
    if err:
        return err
    tcp_setup_caps(sk, dst)
    sk.csum_pseudo = sk.inet_saddr + sk.inet_daddr + IPPROTO_TCP
    if not sk.write_seq:
        sk.write_seq = net.tcp.secure_seq.tcp_seq(
            sk.inet_saddr, sk.inet_daddr, sk.inet_num, sk.inet_dport
        )
    sk.tsoffset = secure_tcp_ts_off(net.tcp, sk.inet_saddr, sk.inet_daddr)
    sk.inet_id = net.kernel.random.getrandbits(16)
    return 0 if tcp_fastopen_defer_connect(sk) else tcp_connect(sk)


# -- receive ---------------------------------------------------------------------------------------


def _checksum_ok(skb: SkBuff, saddr: int, daddr: int) -> bool:
    """Verify the checksum, unless the device or this host did.

    Linux: skb_checksum_init, tcp_checksum_complete.
    """
    if skb.ip_summed in (CHECKSUM_UNNECESSARY, CHECKSUM_PARTIAL):
        return True
    pseudo = csum_tcpudp_nofold(saddr, daddr, skb.len, IPPROTO_TCP)
    if skb.ip_summed == CHECKSUM_NONE:
        good = skb.checksum(0, skb.len, pseudo) == 0xFFFF
    else:
        good = (skb.csum + pseudo) % 0xFFFF == 0
    if good:
        skb.ip_summed = CHECKSUM_UNNECESSARY
    return good


def tcp_v4_rcv(skb: SkBuff) -> int:
    """A segment from IP, network header stripped. Owns the skb; always 0. Linux: tcp_v4_rcv."""
    dev = skb.dev
    assert dev is not None
    net = dev.net
    if skb.pkt_type != PACKET_HOST or not skb.may_pull(TCP_HDR_LEN):
        return _drop(net, skb, drop_reason.PKT_TOO_SMALL)
    at = skb.transport_header = skb.data
    ports, seq, ack_seq, off_flags, window, _, urg_ptr = _unpack_header(skb.buf, at)
    size = off_flags >> 12 << 2
    if size < TCP_HDR_LEN or not skb.may_pull(size):
        return _drop(net, skb, drop_reason.PKT_TOO_SMALL)
    skb.transport_header = skb.data
    saddr, daddr = skb_addresses(skb)
    if not _checksum_ok(skb, saddr, daddr):
        net.count("TcpInCsumErrors")
        return _drop(net, skb, drop_reason.TCP_CSUM)
    net.count("TcpInSegs")
    cb = TcpSkbCb(seq, segment_end(seq, skb.len - size, off_flags), off_flags & 0xFF)
    cb.ack_seq = ack_seq
    cb.off_flags = off_flags & 0xFFFF
    cb.window = window
    if off_flags & TCP_URG:
        cb.urg_ptr = urg_ptr
    skb.cb = cb
    trace = net.kernel.trace
    if trace.on:
        trace.hit("tcp_v4_rcv", skb.key, seq=seq, ack=ack_seq, flags=cb.flags)
    return _demux(dev, skb, cb, (saddr, daddr, ports))


def _demux(dev: NetDevice, skb: SkBuff, cb: TcpSkbCb, key: tuple[int, int, int]) -> int:
    """Give the segment to whoever it is for. Linux: tcp_v4_rcv, from the label lookup on."""
    net = dev.net
    found = net.tcp.ehash.get(key)
    if found is None:
        listener = inet_lookup_listener(net.tcp, key, dev.ifindex)
        if listener is None:
            return _no_socket(net, skb, cb)
        return _listen_rcv(listener, skb, cb, key)
    if found.sk_state == TCP_TIME_WAIT:
        return _time_wait_rcv(dev, cast(TimewaitSock, found), skb, cb)
    if found.sk_state == TCP_NEW_SYN_RECV:
        return _request_rcv(cast("RequestSock", found), skb, cb)
    sk = cast(TcpSock, found)
    if sk.min_ttl and _from_afar(sk, skb):
        return 0
    if sk.md5sig_info or cb.off_flags >> 12 > TS_HEADER_WORDS:
        reason = tcp_inbound_md5_hash(sk, skb, cb, key[0], key[1])
        if reason:
            kfree_skb_reason(skb, reason)
            return 0
    return _sock_rcv(sk, skb)


def _drop(net: Net, skb: SkBuff, reason: str) -> int:
    net.count("TcpInErrs")
    kfree_skb_reason(skb, reason)
    return 0


def _from_afar(sk: TcpSock, skb: SkBuff) -> bool:
    """Drop a segment that passed more routers than the socket allows (IP_MINTTL, RFC 5082)."""
    if skb.buf[skb.network_header + IP_TTL_OFF] >= sk.min_ttl:
        return False
    sk.net.count("TCPMinTTLDrop")
    kfree_skb_reason(skb, drop_reason.TCP_MINTTL)
    return True


def _no_socket(net: Net, skb: SkBuff, cb: TcpSkbCb) -> int:
    """Linux: tcp_v4_rcv, label no_tcp_socket."""
    tcp_v4_send_reset(net, skb, cb)
    kfree_skb_reason(skb, drop_reason.NO_SOCKET)
    return 0


def _sock_rcv(sk: TcpSock, skb: SkBuff) -> int:
    """Process now, or leave it to the task that owns the socket.

    Linux: tcp_v4_rcv, tcp_segs_in, tcp_add_backlog.
    """
    segs = skb.shinfo.gso_segs or 1
    sk.segs_in += segs
    if skb.len > skb.cb.off_flags >> 12 << 2:
        sk.data_segs_in += segs
    if sk.owner is None:
        sk.hold()
        tcp_v4_do_rcv(sk, skb)
        sk.put()
        return 0
    limit = 2 * sk.sk_rcvbuf + (sk.sk_sndbuf >> 1) + BACKLOG_SLACK
    if not sk.add_backlog(skb, limit):
        sk.net.count("TCPBacklogDrop")
        kfree_skb_reason(skb, drop_reason.SOCKET_BACKLOG)
    return 0


def tcp_v4_do_rcv(sk: TcpSock, skb: SkBuff) -> int:
    """A segment for a socket that nobody else works on. Linux: tcp_v4_do_rcv."""
    process = tcp_rcv_established if sk.sk_state == TCP_ESTABLISHED else tcp_rcv_state_process
    if process(sk, skb):
        tcp_v4_send_reset(sk.net, skb, skb.cb, sk)
        kfree_skb_reason(skb, drop_reason.TCP_RESET)
    return 0


def _time_wait_rcv(dev: NetDevice, tw: TimewaitSock, skb: SkBuff, cb: TcpSkbCb) -> int:
    """Linux: tcp_v4_rcv, label do_time_wait."""
    net = dev.net
    key = tw.hash_key
    verdict = tcp_timewait_state_process(tw, cb, tcp_parse_options(skb, cb))
    if verdict == TCP_TW_SYN and key is not None:
        listener = inet_lookup_listener(net.tcp, key, dev.ifindex)
        if listener is not None:
            isn = tw.snd_nxt + 65535 + 2 & 0xFFFFFFFF
            tw.kill()
            return _listen_rcv(listener, skb, cb, key, isn)
        verdict = TCP_TW_ACK
    if verdict == TCP_TW_ACK:
        if not tcp_oow_rate_limited(net, cb, "TCPACKSkippedTimeWait", tw):
            tw.send_ack()
    elif verdict == TCP_TW_RST:
        tcp_v4_send_reset(net, skb, cb)
        tw.kill()
    consume_skb(skb)
    return 0


# -- listening -------------------------------------------------------------------------------------


def _listen_rcv(
    sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, key: tuple[int, int, int], isn: int | None = None
) -> int:
    """A segment for a listener: a SYN begins a connection; an ACK may bring back a SYN cookie, and
    is wrong else. Linux: tcp_v4_do_rcv, tcp_rcv_state_process, case TCP_LISTEN.
    """
    if sk.min_ttl and _from_afar(sk, skb):
        return 0
    reason = _auth_failure(sk, skb, cb, key)
    if reason:
        kfree_skb_reason(skb, reason)
        return 0
    flags = cb.flags
    if flags & (TCP_ACK | TCP_SYN | TCP_RST) == TCP_ACK:
        child = cookie_v4_check(sk, cb, key, tcp_parse_options(skb, cb))
        if child is not None:
            return _child_process(sk, child, skb)
    reason = drop_reason.TCP_FLAGS
    if flags & TCP_ACK:
        tcp_v4_send_reset(sk.net, skb, cb, sk)
    elif flags & (TCP_SYN | TCP_RST | TCP_FIN) == TCP_SYN:
        accepted = tcp_conn_request(sk, skb, cb, key, isn)
        reason = drop_reason.SKB_CONSUMED if accepted else drop_reason.TCP_LISTEN_OVERFLOW
    kfree_skb_reason(skb, reason)
    return 0


def _auth_failure(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, key: tuple[int, int, int]) -> str:
    """Why a segment's signature is wrong, or "" (the rule, at no cost)."""
    if sk.md5sig_info or cb.off_flags >> 12 > TS_HEADER_WORDS:
        return tcp_inbound_md5_hash(sk, skb, cb, key[0], key[1])
    return ""


def _request_rcv(req: RequestSock, skb: SkBuff, cb: TcpSkbCb) -> int:
    """A segment for a connection in SYN_RECV: the ACK that completes it, as a rule.

    Linux: tcp_v4_rcv, TCP_NEW_SYN_RECV.
    """
    reason = _auth_failure(req.listener, skb, cb, req.key)
    if reason:
        kfree_skb_reason(skb, reason)
        return 0
    child = tcp_check_req(req, skb, cb)
    if child is not None:
        return _child_process(req.listener, child, skb)
    kfree_skb_reason(skb, drop_reason.TCP_RESET if cb.flags & TCP_RST else drop_reason.TCP_FLAGS)
    return 0


def _child_process(parent: TcpSock, child: TcpSock, skb: SkBuff) -> int:
    """The new socket's first segment, which makes it ESTABLISHED, and the listener's wake-up.

    Linux: tcp_child_process.
    """
    _sock_rcv(child, skb)
    if child.sk_state != TCP_SYN_RECV:
        parent.sk_data_ready(parent)
    return 0
