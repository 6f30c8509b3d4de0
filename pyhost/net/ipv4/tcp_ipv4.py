"""TCP over IPv4: where segments come in from IP, connect, and the handshake on the listening side.

Linux: net/ipv4/tcp_ipv4.c, tcp_input.c.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from pyhost.kernel.timer import Timer
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
    TCP_LISTEN,
    TCP_NEW_SYN_RECV,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    TCP_TIME_WAIT,
)
from pyhost.net.ipv4.inet_connection_sock import inet_csk_reqsk_queue_is_full, sk_acceptq_is_full
from pyhost.net.ipv4.inet_hashtables import inet_hash_connect, inet_lookup_listener
from pyhost.net.ipv4.ip_output import ip_build_and_send_pkt
from pyhost.net.ipv4.route import RTN_BROADCAST, RTN_MULTICAST, ip_route_output
from pyhost.net.ipv4.tcp_ctl import tcp_connect
from pyhost.net.ipv4.tcp_done import tcp_set_state
from pyhost.net.ipv4.tcp_input import tcp_parse_options, tcp_rcv_established, tcp_rcv_state_process
from pyhost.net.ipv4.tcp_minisocks import (
    TCP_TW_ACK,
    TCP_TW_RST,
    TCP_TW_SYN,
    RequestSock,
    TimewaitSock,
    tcp_timewait_state_process,
)
from pyhost.net.ipv4.tcp_reply import (
    segment_end,
    skb_addresses,
    tcp_build_segment,
    tcp_v4_send_ack,
    tcp_v4_send_reset,
)
from pyhost.net.ipv4.tcp_sock import TCP_MSS_DEFAULT, TcpSkbCb, TcpSock
from pyhost.net.ipv4.tcp_synrecv import tcp_v4_syn_recv_sock
from pyhost.net.ipv4.tcp_window import (
    TCPOLEN_TSTAMP_ALIGNED,
    tcp_advertise_mss,
    tcp_full_space,
    tcp_make_wscale,
    tcp_setup_caps,
)
from pyhost.uapi.errno import EAFNOSUPPORT, EINVAL, ENETUNREACH
from pyhost.uapi.ip import IPPROTO_TCP
from pyhost.uapi.socket import AF_INET, SOCKADDR_IN, unpack_sockaddr_in
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_HDR, TCP_HDR_LEN, TCP_RST, TCP_SYN, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = ["tcp_v4_connect", "tcp_v4_do_rcv", "tcp_v4_rcv"]

BACKLOG_SLACK = 64 << 10
PACKET_HOST = 0
NSEC_PER_TS = 1_000_000

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
    random = net.kernel.random
    tcp_set_state(sk, TCP_SYN_SENT)
    err = inet_hash_connect(sk)
    if not err:
        tcp_setup_caps(sk, dst)
        sk.csum_pseudo = sk.inet_saddr + sk.inet_daddr + IPPROTO_TCP
        sk.write_seq = random.getrandbits(32)
        sk.tsoffset = random.getrandbits(32)
        sk.inet_id = random.getrandbits(16)
        err = tcp_connect(sk)
    if err:
        tcp_set_state(sk, TCP_CLOSE)
        sk.sk_dst_cache = None
        sk.inet_dport = 0
    return err


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
    ports, seq, ack_seq, off_flags, window, _, _ = _unpack_header(skb.buf, at)
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
    skb.cb = cb
    trace = net.kernel.trace
    if trace.on:
        trace.hit("tcp_v4_rcv", skb.key, seq=seq, ack=ack_seq, flags=cb.flags)
    found = net.tcp.ehash.get((saddr, daddr, ports))
    if found is None:
        listener = inet_lookup_listener(net.tcp, daddr, ports & 0xFFFF)
        if listener is None:
            return _no_socket(net, skb, cb)
        return _listen_rcv(listener, skb, cb, (saddr, daddr, ports))
    if found.sk_state == TCP_TIME_WAIT:
        return _time_wait_rcv(net, cast(TimewaitSock, found), skb, cb)
    if found.sk_state == TCP_NEW_SYN_RECV:
        return _request_rcv(cast(RequestSock, found), skb, cb)
    return _sock_rcv(cast(TcpSock, found), skb)


def _drop(net: Net, skb: SkBuff, reason: str) -> int:
    net.count("TcpInErrs")
    kfree_skb_reason(skb, reason)
    return 0


def _no_socket(net: Net, skb: SkBuff, cb: TcpSkbCb) -> int:
    """Linux: tcp_v4_rcv, label no_tcp_socket."""
    tcp_v4_send_reset(net, skb, cb)
    kfree_skb_reason(skb, drop_reason.NO_SOCKET)
    return 0


def _sock_rcv(sk: TcpSock, skb: SkBuff) -> int:
    """Process now, or leave it to the task that owns the socket.

    Linux: tcp_v4_rcv, tcp_add_backlog.
    """
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
        tcp_v4_send_reset(sk.net, skb, skb.cb)
        kfree_skb_reason(skb, drop_reason.TCP_RESET)
    return 0


def _time_wait_rcv(net: Net, tw: TimewaitSock, skb: SkBuff, cb: TcpSkbCb) -> int:
    """Linux: tcp_v4_rcv, label do_time_wait."""
    key = tw.hash_key
    verdict = tcp_timewait_state_process(tw, cb, tcp_parse_options(skb, cb))
    if verdict == TCP_TW_SYN and key is not None:
        listener = inet_lookup_listener(net.tcp, key[1], key[2] & 0xFFFF)
        if listener is not None:
            isn = tw.snd_nxt + 65535 + 2 & 0xFFFFFFFF
            tw.kill()
            return _listen_rcv(listener, skb, cb, key, isn)
        verdict = TCP_TW_ACK
    if verdict == TCP_TW_ACK:
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
    """A segment for a listener: a SYN begins a connection, anything with an ACK is wrong here.

    Linux: tcp_rcv_state_process, case TCP_LISTEN.
    """
    flags = cb.flags
    if (
        flags & TCP_RST
        or not flags & (TCP_ACK | TCP_SYN)
        or flags & (TCP_SYN | TCP_FIN) == TCP_SYN | TCP_FIN
    ):
        kfree_skb_reason(skb, drop_reason.TCP_FLAGS)
    elif flags & TCP_ACK:
        tcp_v4_send_reset(sk.net, skb, cb)
        kfree_skb_reason(skb, drop_reason.TCP_FLAGS)
    else:
        accepted = _conn_request(sk, skb, cb, key, isn)
        kfree_skb_reason(
            skb, drop_reason.SKB_CONSUMED if accepted else drop_reason.TCP_LISTEN_OVERFLOW
        )
    return 0


def _conn_request(
    sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, key: tuple[int, int, int], isn: int | None
) -> bool:
    """Answer a SYN; False when there is no room for it. Linux: tcp_conn_request."""
    net = sk.net
    if inet_csk_reqsk_queue_is_full(sk):
        net.count("TCPReqQFullDrop")
        return False
    if sk_acceptq_is_full(sk):
        net.count("ListenOverflows")
        net.count("ListenDrops")
        return False
    daddr, saddr, _ = key
    dst = ip_route_output(net, daddr, saddr, sk.sk_bindtodevice, sk.tos, sk.sk_mark)
    if isinstance(dst, int):
        net.count("ListenDrops")
        return False
    req = RequestSock(sk, key, dst, cb.seq)
    if isn is not None:
        req.snt_isn = isn
    _take_syn(sk, req, tcp_parse_options(skb, cb), cb)
    net.tcp.ehash[key] = req
    sk.listen_children[key] = req
    req.arm(Timer(net.kernel, partial(_reqsk_timer, req)))
    _send_synack(req)
    return True


def _take_syn(sk: TcpSock, req: RequestSock, options: TcpOptions, cb: TcpSkbCb) -> None:
    """Keep what the SYN offers, and choose our window.

    Linux: tcp_openreq_init, tcp_openreq_init_rwin.
    """
    tcp = sk.net.tcp
    offered = TCP_MSS_DEFAULT if options.mss is None else options.mss
    req.mss = max(min(offered, sk.user_mss or offered), 48)
    req.tstamp_ok = bool(tcp.timestamps and options.timestamp is not None)
    req.ts_recent = options.timestamp[0] if req.tstamp_ok and options.timestamp else 0
    req.sack_ok = bool(tcp.sack and options.sack_perm)
    req.wscale_ok = bool(tcp.window_scaling and options.wscale is not None)
    req.snd_wscale = min(options.wscale or 0, 14)
    mss = tcp_advertise_mss(sk, req.dst) - (TCPOLEN_TSTAMP_ALIGNED if req.tstamp_ok else 0)
    space = tcp_full_space(sk)
    clamp = sk.window_clamp or 65535 << 14
    space = min(space, clamp)
    req.rcv_wnd = space // mss * mss if space > mss else space
    req.rcv_wscale = (
        tcp_make_wscale(tcp, tcp_full_space(sk), sk.window_clamp) if req.wscale_ok else 0
    )
    req.window_clamp = min(65535 << req.rcv_wscale, clamp)


def _send_synack(req: RequestSock) -> None:
    """Linux: tcp_v4_send_synack, tcp_make_synack."""
    sk = req.listener
    net = sk.net
    assert req.hash_key is not None
    daddr, saddr, _ = req.hash_key
    options = TcpOptions(mss=tcp_advertise_mss(sk, req.dst), sack_perm=req.sack_ok)
    if req.tstamp_ok:
        stamp = net.kernel.clock.now // NSEC_PER_TS + req.tsoffset & 0xFFFFFFFF
        options.timestamp = (stamp, req.ts_recent)
    if req.wscale_ok:
        options.wscale = req.rcv_wscale
    rcv_nxt = req.rcv_isn + 1 & 0xFFFFFFFF
    window = min(req.rcv_wnd, 65535)
    skb = tcp_build_segment(
        net,
        saddr,
        daddr,
        req.ports,
        req.snt_isn,
        rcv_nxt,
        TCP_SYN | TCP_ACK,
        window,
        options.emit(),
    )
    if skb is not None:
        skb.dst = req.dst
        net.count("TcpOutSegs")
        ip_build_and_send_pkt(skb, sk, saddr, daddr)


def _reqsk_timer(req: RequestSock) -> None:
    """The handshake's last ACK does not come: answer the SYN again, or give up.

    Linux: reqsk_timer_handler.
    """
    sk = req.listener
    if sk.sk_state != TCP_LISTEN or req.num_timeout >= sk.net.tcp.synack_retries:
        sk.net.count("TCPTimeouts")
        req.unlink()
        return
    req.num_timeout += 1
    sk.net.count("TCPSynRetrans")
    _send_synack(req)
    assert req.timer is not None
    req.arm(req.timer)


def _request_rcv(req: RequestSock, skb: SkBuff, cb: TcpSkbCb) -> int:
    """A segment for a connection in SYN_RECV: the ACK that completes it, as a rule.

    Linux: tcp_check_req.
    """
    flags = cb.flags
    reason = drop_reason.TCP_FLAGS
    in_window = (cb.seq - req.rcv_isn - 1 & 0xFFFFFFFF) <= req.rcv_wnd
    if flags & TCP_SYN and cb.seq == req.rcv_isn and not flags & (TCP_RST | TCP_ACK):
        _send_synack(req)
    elif not in_window:
        if not flags & TCP_RST:
            _request_ack(req)
        reason = drop_reason.TCP_OVERWINDOW
    elif flags & TCP_RST:
        req.unlink()
        reason = drop_reason.TCP_RESET
    elif flags & TCP_ACK and cb.ack_seq != (req.snt_isn + 1) & 0xFFFFFFFF:
        tcp_v4_send_reset(req.listener.net, skb, cb)
    elif flags & TCP_ACK and not flags & TCP_SYN:
        child = tcp_v4_syn_recv_sock(req, cb, tcp_parse_options(skb, cb))
        if child is not None:
            return _child_process(req.listener, child, skb)
        reason = drop_reason.TCP_LISTEN_OVERFLOW
    kfree_skb_reason(skb, reason)
    return 0


def _request_ack(req: RequestSock) -> None:
    """Linux: tcp_v4_reqsk_send_ack."""
    assert req.hash_key is not None
    daddr, saddr, _ = req.hash_key
    net = req.listener.net
    stamp = None
    if req.tstamp_ok:
        stamp = (net.kernel.clock.now // NSEC_PER_TS + req.tsoffset & 0xFFFFFFFF, req.ts_recent)
    window = req.rcv_wnd >> req.rcv_wscale
    seq, ack = req.snt_isn + 1 & 0xFFFFFFFF, req.rcv_isn + 1 & 0xFFFFFFFF
    tcp_v4_send_ack(net, saddr, daddr, req.ports, seq, ack, window, stamp)


def _child_process(parent: TcpSock, child: TcpSock, skb: SkBuff) -> int:
    """The new socket's first segment, which makes it ESTABLISHED, and the listener's wake-up.

    Linux: tcp_child_process.
    """
    _sock_rcv(child, skb)
    if child.sk_state != TCP_SYN_RECV:
        parent.sk_data_ready(parent)
    return 0
