"""One segment on its way out: it is cloned, gets its header, and goes to IP. Linux:
net/ipv4/tcp_output.c (__tcp_transmit_skb and what it calls).

The original stays with the socket (write queue, then retransmit queue); the clone writes its
headers into the headroom that both share. What may leave and when is decided in tcp_xmit.py.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_USEC
from pyhost.net.core.gso import SKB_GSO_TCP_ECN, SKB_GSO_TCPV4
from pyhost.net.core.netdevice import NET_XMIT_CN
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_TCP_HEADER, SkBuff, alloc_skb
from pyhost.net.ipv4.ip.ip_output import ip_queue_xmit
from pyhost.net.ipv4.tcp.ack.tcp_rate import tcp_rate_skb_sent
from pyhost.net.ipv4.tcp.congestion.tcp_cong import CA_EVENT_TX_START, tcp_ca_event
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import TCP_ECN_OK, tcp_ecn_send
from pyhost.net.ipv4.tcp.output.tcp_chrono import TCP_CHRONO_BUSY, tcp_chrono_start
from pyhost.net.ipv4.tcp.output.tcp_md5_output import tcp_md5_sign_syn, tcp_md5_write_header
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_advance_wstamp
from pyhost.net.ipv4.tcp.output.tcp_tsq import IDLE_WMEM, tcp_ack_wfree, tcp_wfree
from pyhost.net.ipv4.tcp.output.tcp_urg_send import tcp_urg_pointer
from pyhost.net.ipv4.tcp.recovery.tcp_prr import tcp_enter_cwr
from pyhost.net.ipv4.tcp.recovery.tcp_xmit_timer import tcp_rearm_rto
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_mem import tcp_check_space
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_ACK_SCHED,
    ICSK_TIME_LOSS_PROBE,
    TcpSkbCb,
    TcpSock,
)
from pyhost.net.ipv4.tcp.tcp_window import (
    tcp_sack_option,
    tcp_select_window,
    tcp_syn_option_block,
)
from pyhost.uapi.errno import ENOBUFS
from pyhost.uapi.tcp import (
    TCP_ACK,
    TCP_CWR,
    TCP_HDR,
    TCP_HDR_LEN,
    TCP_OFF_CHECK,
    TCP_PSH,
    TCP_SYN,
    TCP_TS_HDR,
    TCP_URG,
    TS_OPTION_WORD,
)

__all__ = [
    "RTO_MIN_NS", "TCP_ATO_MIN", "tcp_event_new_data_sent", "tcp_queue_skb",
    "tcp_stream_alloc_skb", "tcp_transmit_skb",
]  # fmt: skip

PURE_ACK_TRUESIZE = 2
RTO_MIN_NS = 200 * NSEC_PER_MSEC
TCP_ATO_MIN = 40 * NSEC_PER_MSEC
PINGPONG_MAX = 255


# -- queues ----------------------------------------------------------------------------------------


def tcp_stream_alloc_skb(sk: TcpSock) -> SkBuff | None:
    """An empty segment: headroom for all headers, no linear payload; None when memory is short.

    Linux: tcp_stream_alloc_skb.
    """
    skb = alloc_skb(sk.net.skbs, MAX_TCP_HEADER)
    if skb is not None:
        skb.reserve(MAX_TCP_HEADER)
        skb.ip_summed = CHECKSUM_PARTIAL
    return skb


def tcp_queue_skb(sk: TcpSock, skb: SkBuff) -> None:
    """Append a segment that has its sequence numbers, and charge it. Linux: tcp_queue_skb,
    tcp_add_write_queue_tail.
    """
    sk.write_seq = skb.cb.end_seq
    skb.header_release()
    queue = sk.sk_write_queue
    queue.append(skb)
    if len(queue) == 1:
        tcp_chrono_start(sk, TCP_CHRONO_BUSY)
    sk.sk_wmem_queued += skb.truesize
    sk.sk_forward_alloc -= skb.truesize


# -- one segment -----------------------------------------------------------------------------------


def _clone_for_wire(skb: SkBuff) -> SkBuff | None:
    """What travels instead of the original. While an earlier clone lives its headers must stay, so
    it is a copy then.
    """
    if skb.is_cloned():
        return skb.pskb_copy(MAX_TCP_HEADER)
    twin = skb.fclone = skb.clone()
    return twin


def tcp_transmit_skb(sk: TcpSock, skb: SkBuff, clone_it: bool = True) -> int:
    """Put the TCP header on a segment and hand it to IP: 0, a negative errno, or 1 when it was
    dropped below.

    The skb's `cb` has sequence numbers and flags. Without `clone_it` the skb itself travels. Linux:
    __tcp_transmit_skb.
    """
    cb: TcpSkbCb = skb.cb
    prior_wstamp = sk.tcp_wstamp_ns
    now = sk.tcp_mstamp
    sk.tcp_wstamp_ns = departure = prior_wstamp if prior_wstamp > now else now
    cb.tstamp = departure or 1
    if clone_it:
        twin = _clone_for_wire(skb)
        if twin is None:
            return -ENOBUFS
        skb = twin
    skb.tstamp = departure + sk.tcp_tx_delay * NSEC_PER_USEC
    payload = skb.len
    _write_segment(sk, skb, cb, payload)
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("tcp_transmit_skb", skb.key, seq=cb.seq, end_seq=cb.end_seq, flags=cb.flags)
    _account_sent(sk, cb, payload)
    skb.cb = None
    err = ip_queue_xmit(sk, skb)
    if err > 0:
        tcp_enter_cwr(sk)
        if err == NET_XMIT_CN:
            err = 0
    if clone_it and not err:
        if sk.sk_pacing_status:
            tcp_advance_wstamp(sk, payload, prior_wstamp)
        tcp_rate_skb_sent(sk, cb)
    return err


def _write_segment(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, payload: int) -> None:
    """Owner, segmentation, header. Of a super-segment the last frame is pushed always, so that the
    receiver's GRO lets the train go.
    """
    shinfo = skb.shinfo
    pcount = shinfo.gso_segs = cb.pcount
    size = shinfo.gso_size = cb.gso_size
    shinfo.gso_type = SKB_GSO_TCPV4 if size else 0
    flags = cb.flags
    if pcount > 1:
        flags |= TCP_PSH
    skb.ooo_okay = sk.sk_wmem_alloc <= IDLE_WMEM or not sk.tcp_rtx_queue
    _set_owner(sk, skb, payload or not flags & TCP_ACK)
    if flags & TCP_SYN:
        _write_syn_header(sk, skb, cb)
        if sk.md5sig_info:
            tcp_md5_sign_syn(sk, skb)
        return
    if sk.ecn_flags & TCP_ECN_OK:
        flags |= tcp_ecn_send(sk, cb, payload)
        if size and flags & TCP_CWR:
            shinfo.gso_type |= SKB_GSO_TCP_ECN
    if not sk.md5sig_info or not tcp_md5_write_header(sk, skb, cb, flags):
        _write_header(sk, skb, cb, flags)


def _account_sent(sk: TcpSock, cb: TcpSkbCb, payload: int) -> None:
    """What a segment that leaves means for ACKs, turns and counters.

    A retransmission is counted as TcpRetransSegs alone.
    """
    pcount = cb.pcount
    if cb.flags & TCP_ACK:
        tcp_event_ack_sent(sk)
    if payload:
        tcp_event_data_sent(sk)
        sk.data_segs_out += pcount
        sk.bytes_sent += payload
    if (sk.snd_nxt - cb.end_seq) & 0x80000000 or cb.seq == cb.end_seq:
        sk.net.count("TcpOutSegs", pcount)
    sk.segs_out += pcount


def _set_owner(sk: TcpSock, skb: SkBuff, counts: int) -> None:
    """Charge what goes down to the socket. A pure ACK is charged 2 bytes, which tells it from data.

    Linux: skb_set_tcp_pure_ack.
    """
    skb.sk = sk
    if counts:
        skb.destructor = tcp_wfree
    else:
        skb.truesize = PURE_ACK_TRUESIZE
        skb.destructor = tcp_ack_wfree
    sk.sk_wmem_alloc += skb.truesize


def _write_header(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, flags: int) -> None:
    """Ports, numbers, window, options, and the checksum as far as the host computes it.

    Linux: __tcp_transmit_skb, tcp_established_options, __tcp_v4_send_check.
    """
    size = sk.tcp_header_len
    options = b""
    if sk.selective_acks or sk.dsack is not None:
        options = tcp_sack_option(sk)
        size += len(options)
    window = tcp_select_window(sk)
    at = skb.push(size)
    skb.transport_header = skb.csum_start = at
    skb.csum_offset = TCP_OFF_CHECK
    skb.ip_summed = CHECKSUM_PARTIAL
    check = (sk.csum_pseudo + skb.len) % 0xFFFF or 0xFFFF
    off_flags = size << 10 | flags
    urgent = 0
    if sk.snd_up is not None:
        urgent = tcp_urg_pointer(sk, cb.seq)
        off_flags |= TCP_URG if urgent else 0
    buf = skb.buf
    if sk.tstamp_ok:
        TCP_TS_HDR.pack_into(
            buf, at, sk.ports, cb.seq, sk.rcv_nxt, off_flags, window, check, urgent,
            TS_OPTION_WORD,
            tcp_ns_to_ts(sk.tcp_mstamp) + sk.tsoffset & 0xFFFFFFFF, sk.ts_recent,
        )  # fmt: skip
    else:
        ack = sk.rcv_nxt if flags & TCP_ACK else 0
        TCP_HDR.pack_into(buf, at, sk.ports, cb.seq, ack, off_flags, window, check, urgent)
    if options:
        end = at + size
        buf[end - len(options) : end] = options


def _write_syn_header(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> None:
    """The header of a SYN; its window is never scaled (RFC 7323 section 2.2)."""
    options = tcp_syn_option_block(sk)
    size = TCP_HDR_LEN + len(options)
    flags = cb.flags
    at = skb.push(size)
    skb.transport_header = skb.csum_start = at
    skb.csum_offset = TCP_OFF_CHECK
    skb.ip_summed = CHECKSUM_PARTIAL
    check = (sk.csum_pseudo + skb.len) % 0xFFFF or 0xFFFF
    ack = sk.rcv_nxt if flags & TCP_ACK else 0
    window = min(sk.rcv_wnd, 65535)
    buf = skb.buf
    TCP_HDR.pack_into(buf, at, sk.ports, cb.seq, ack, size << 10 | flags, window, check, 0)
    buf[at + TCP_HDR_LEN : at + size] = options


# -- what a segment that leaves means --------------------------------------------------------------


def tcp_event_ack_sent(sk: TcpSock) -> None:
    """Everything received is acknowledged now. Linux: tcp_event_ack_sent."""
    sk.dsack = None
    if sk.compressed_ack:
        sk.net.count("TCPAckCompressed", sk.compressed_ack)
        sk.compressed_ack = 0
        sk.compressed_ack_timer.delete()
    if sk.icsk_ack_quick and sk.icsk_ack_pending & ICSK_ACK_SCHED:
        sk.icsk_ack_quick -= 1
        if not sk.icsk_ack_quick:
            sk.icsk_ack_ato = TCP_ATO_MIN
    sk.icsk_ack_pending = 0


def tcp_event_data_sent(sk: TcpSock) -> None:
    """Data soon after received data: the two sides talk in turns. Linux: tcp_event_data_sent."""
    now = sk.tcp_mstamp
    if not sk.packets_out:
        tcp_ca_event(sk, CA_EVENT_TX_START)
    sk.lsndtime = now
    if now - sk.icsk_ack_lrcvtime < sk.icsk_ack_ato and sk.icsk_ack_pingpong < PINGPONG_MAX:
        sk.icsk_ack_pingpong += 1


def tcp_event_new_data_sent(sk: TcpSock, skb: SkBuff) -> None:
    """The head of the write queue was sent for the first time. Linux: tcp_event_new_data_sent."""
    cb: TcpSkbCb = skb.cb
    prior = sk.packets_out
    sk.snd_nxt = cb.end_seq
    sk.sk_write_queue.popleft()
    sk.tcp_rtx_queue.append(skb)
    sk.packets_out = prior + cb.pcount
    if not prior or sk.icsk_pending == ICSK_TIME_LOSS_PROBE:
        tcp_rearm_rto(sk)
    sk.net.count("TCPOrigDataSent", cb.pcount)
    if sk.sock_nospace:
        tcp_check_space(sk)
