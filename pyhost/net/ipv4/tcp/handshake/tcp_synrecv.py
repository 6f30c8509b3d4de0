"""From a request to a socket: the child of a listener.

Linux: net/ipv4/tcp_ipv4.c tcp_v4_syn_recv_sock, tcp_minisocks.c tcp_create_openreq_child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.sock import TCP_SYN_RECV
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_assign_congestion_control, tcp_ca_dst_init
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_openreq_child
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_reset_keepalive_timer,
    sk_acceptq_is_full,
)
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_ehash_insert
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import TCPOLEN_MD5SIG_ALIGNED, tcp_md5_inherit
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.ipv4.tcp.tcp_timer import tcp_init_xmit_timers
from pyhost.net.ipv4.tcp.tcp_window import (
    TCPOLEN_TSTAMP_ALIGNED,
    tcp_advertise_mss,
    tcp_setup_caps,
    tcp_sync_mss,
)
from pyhost.uapi.ip import IPPROTO_TCP
from pyhost.uapi.tcp import TCP_HDR_LEN

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.handshake.request_sock import RequestSock

__all__ = ["tcp_v4_syn_recv_sock"]

INHERITED = (
    "sk_bindtodevice", "sk_priority", "sk_mark", "sk_reuse", "sk_reuseport", "sk_keepopen",
    "sk_linger", "sk_lingertime",
    "sk_sndbuf", "sk_sndbuf_lock", "sk_rcvbuf", "sk_rcvbuf_lock", "sk_sndtimeo", "sk_rcvtimeo",
    "sk_rcvlowat", "tos", "sk_zerocopy", "sk_timestamp", "sk_tsflags", "sk_tstamp_new",
    "uc_ttl", "pmtudisc", "recverr", "nonagle", "user_mss", "linger2", "keepalive_time",
    "keepalive_intvl", "thin_lto",
    "keepalive_probes", "notsent_lowat", "urginline", "recvmsg_inq", "fastopen_no_cookie",
    "icsk_user_timeout", "icsk_syn_retries", "inet_freebind",
    "transparent", "min_ttl", "cmsg_flags", "bind_address_no_port", "local_port_range", "uc_index",
    "sk_max_pacing_rate", "sk_pacing_status", "sk_debug", "sk_localroute", "sk_txrehash",
    "sk_prefer_busy_poll", "sk_busy_poll_budget", "sk_ll_usec",
)  # fmt: skip
"""What an accepted socket takes over from its listener. Linux copies the whole struct
(sk_clone_lock).
"""


def tcp_v4_syn_recv_sock(req: RequestSock, window: int) -> TcpSock | None:
    """A socket in SYN_RECV, in the tables; None without room. `window` is the field of the segment
    that makes it. Linux: tcp_v4_syn_recv_sock.
    """
    parent = req.listener
    net = parent.net
    if sk_acceptq_is_full(parent):
        net.count("ListenOverflows")
        net.count("ListenDrops")
        return None
    sk = TcpSock(net, parent.sk_family, parent.sk_type, parent.sk_protocol, parent.sk_prot)
    for name in INHERITED:
        setattr(sk, name, getattr(parent, name))
    tcp_init_xmit_timers(sk)
    tcp_assign_congestion_control(sk, parent.icsk_ca_ops)
    tcp_ca_dst_init(sk, req.dst)
    tcp_ecn_openreq_child(sk, req.ecn_ok)
    _addresses(sk, req)
    tcp_md5_inherit(parent, sk)
    _options(sk, req)
    _numbers(sk, req, window)
    sk.sk_state = TCP_SYN_RECV
    inet_ehash_insert(sk)
    sk.bind_bucket = parent.bind_bucket
    if sk.bind_bucket is not None:
        sk.bind_bucket.owners.append(sk)
    if sk.sk_keepopen:
        inet_csk_reset_keepalive_timer(
            sk, sk.keepalive_time or net.tcp.keepalive_time * NSEC_PER_SEC
        )
    net.count("TcpPassiveOpens")
    return sk


def _addresses(sk: TcpSock, req: RequestSock) -> None:
    daddr, saddr, ports = req.key
    sk.inet_saddr = sk.inet_rcv_saddr = saddr
    sk.inet_daddr = daddr
    sk.inet_dport = ports >> 16
    sk.inet_num = sk.inet_sport = ports & 0xFFFF
    sk.inet_id = sk.net.kernel.random.getrandbits(16)
    sk.csum_pseudo = saddr + daddr + IPPROTO_TCP


def _options(sk: TcpSock, req: RequestSock) -> None:
    """What both SYNs agreed on."""
    sk.tstamp_ok, sk.sack_ok, sk.wscale_ok = req.tstamp_ok, req.sack_ok, req.wscale_ok
    sk.ts_recent = req.ts_recent
    sk.ts_recent_stamp = (sk.net.kernel.clock.now or 1) if req.tstamp_ok else 0
    sk.tsoffset = req.tsoffset
    sk.snd_wscale = req.snd_wscale if req.wscale_ok else 0
    sk.rcv_wscale = req.rcv_wscale
    sk.window_clamp = req.window_clamp if req.wscale_ok else min(req.window_clamp, 65535)
    sk.mss_clamp = req.mss
    sk.tcp_header_len = TCP_HDR_LEN + (TCPOLEN_TSTAMP_ALIGNED if req.tstamp_ok else 0)
    sk.tcp_header_len += TCPOLEN_MD5SIG_ALIGNED if sk.md5sig_info else 0


def _numbers(sk: TcpSock, req: RequestSock, window: int) -> None:
    """Where both streams stand after the two SYNs."""
    now = sk.net.kernel.clock.now
    sk.tcp_mstamp = now
    sk.rcv_nxt = sk.rcv_wup = sk.copied_seq = req.rcv_isn + 1 & 0xFFFFFFFF
    sk.snd_una = sk.snd_nxt = sk.snd_sml = sk.write_seq = sk.pushed_seq = (
        req.snt_isn + 1 & 0xFFFFFFFF
    )
    sk.snd_wl1 = req.rcv_isn
    sk.rcv_wnd = sk.rcv_ssthresh = req.rcv_wnd
    sk.snd_wnd = sk.max_window = window << sk.snd_wscale
    sk.syn_stamp = 0 if req.num_retrans else req.stamp
    if req.num_timeout:
        sk.total_retrans = req.num_timeout
        sk.undo_marker = req.snt_isn
        sk.retrans_stamp = req.stamp or 1
    sk.rcv_tstamp = sk.lsndtime = sk.icsk_ack_lrcvtime = now
    tcp_setup_caps(sk, req.dst)
    tcp_sync_mss(sk, req.dst.mtu())
    sk.advmss = tcp_advertise_mss(sk, req.dst)
