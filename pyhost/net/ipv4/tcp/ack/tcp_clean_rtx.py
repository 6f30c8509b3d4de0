"""Taking what is acknowledged off the retransmit queue, and the RTT samples that this gives. RFC
6298, RFC 7323. Linux: net/ipv4/tcp_input.c tcp_clean_rtx_queue.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import (
    FLAG_ACK_MAYBE_DELAYED,
    FLAG_ACKED,
    FLAG_CA_ALERT,
    FLAG_DATA_ACKED,
    FLAG_ORIG_SACK_ACKED,
    FLAG_RETRANS_DATA_ACKED,
    FLAG_SACK_RENEGING,
    FLAG_SET_XMIT_TIMER,
    FLAG_SYN_ACKED,
)
from pyhost.net.ipv4.tcp.ack.tcp_rate import tcp_rate_skb_delivered
from pyhost.net.ipv4.tcp.ack.tcp_rtt import tcp_ack_update_rtt
from pyhost.net.ipv4.tcp.output.tcp_chrono import TCP_CHRONO_BUSY, tcp_chrono_stop
from pyhost.net.ipv4.tcp.output.tcp_fragment import tcp_trim_head
from pyhost.net.ipv4.tcp.output.tcp_mtu_probe import tcp_mtup_probe_success
from pyhost.net.ipv4.tcp.output.tcp_urg_send import tcp_urg_acked
from pyhost.net.ipv4.tcp.recovery.tcp_rack import tcp_rack_advance
from pyhost.net.ipv4.tcp.recovery.tcp_reordering import (
    tcp_check_sack_reordering,
    tcp_remove_reno_sacks,
)
from pyhost.net.ipv4.tcp.recovery.tcp_undo import tcp_skb_spurious_retrans
from pyhost.net.ipv4.tcp.tcp_mem import tcp_wmem_free_skb
from pyhost.net.ipv4.tcp.tcp_sock import (
    TCPCB_EVER_RETRANS,
    TCPCB_LOST,
    TCPCB_RETRANS,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSkbCb,
    TcpSock,
    after,
    before,
)
from pyhost.net.ipv4.tcp.user.tcp_tstamp import tcp_ack_tstamp
from pyhost.uapi.tcp import TCP_SYN

__all__ = ["tcp_clean_rtx_queue"]


class _Acked:
    """What the loop over the queue adds up."""

    __slots__ = ("first_sent", "flag", "last_sent", "packets", "reord", "runt")

    def __init__(self, reord: int) -> None:
        self.flag = 0
        self.packets = 0
        self.first_sent = self.last_sent = 0
        self.reord = reord
        self.runt = False


def _tso_acked(sk: TcpSock, cb: TcpSkbCb) -> int:
    """Segments of the head super-segment that are acknowledged, while others are not.

    Linux: tcp_tso_acked.
    """
    skb = sk.tcp_rtx_queue[0]
    before_trim = cb.pcount
    tcp_trim_head(sk, skb, sk.snd_una - cb.seq & 0xFFFFFFFF, cb.gso_size)
    return before_trim - cb.pcount


def _account(sk: TcpSock, cb: TcpSkbCb, start: int, pcount: int, acked: _Acked) -> None:
    """`pcount` segments of one skb, which began at `start`, are acknowledged."""
    sacked = cb.sacked
    if sacked & TCPCB_RETRANS:
        if sacked & TCPCB_SACKED_RETRANS:
            sk.retrans_out -= pcount
        acked.flag |= FLAG_RETRANS_DATA_ACKED
    elif not sacked & TCPCB_SACKED_ACKED:
        sent = cb.tstamp
        acked.last_sent = sent
        if not acked.first_sent:
            acked.first_sent = sent
        if before(start, acked.reord):
            acked.reord = start
        if not after(cb.end_seq, sk.high_seq):
            acked.flag |= FLAG_ORIG_SACK_ACKED
    if sacked & TCPCB_SACKED_ACKED:
        sk.sacked_out -= pcount
    elif sk.sack_ok:
        sk.delivered += pcount
        if not sacked & TCPCB_EVER_RETRANS or not tcp_skb_spurious_retrans(sk, cb):
            tcp_rack_advance(sk, sacked, cb.end_seq, cb.tstamp)
    if sacked & TCPCB_LOST:
        sk.lost_out -= pcount
    sk.packets_out -= pcount
    acked.packets += pcount
    tcp_rate_skb_delivered(sk, cb, sk.ack_sample)
    if cb.flags & TCP_SYN:
        acked.flag |= FLAG_SYN_ACKED
        sk.retrans_stamp = 0
    else:
        acked.flag |= FLAG_DATA_ACKED


def tcp_clean_rtx_queue(sk: TcpSock, prior_fack: int, prior_una: int, flag: int) -> int:
    """Take what lies before `snd_una` off the retransmit queue; the flags, with what that adds.

    `prior_fack` and `prior_una` are the highest SACKed sequence number and `snd_una` before this
    ACK. Linux: tcp_clean_rtx_queue.
    """
    queue = sk.tcp_rtx_queue
    una = sk.snd_una
    acked = _Acked(prior_fack)
    acked.runt = not sk.sacked_out and una - prior_una & 0xFFFFFFFF < sk.mss_cache
    while queue:
        skb = queue[0]
        cb: TcpSkbCb = skb.cb
        start = cb.seq
        pcount = cb.pcount
        if (una - cb.end_seq) & 0x80000000:
            if pcount > 1 and (start - una) & 0x80000000:
                pcount = _tso_acked(sk, cb)
                if pcount:
                    acked.runt = False
                    _account(sk, cb, start, pcount, acked)
            if cb.txstamp_ack:
                tcp_ack_tstamp(sk, skb, prior_una)
            if cb.sacked & TCPCB_SACKED_ACKED:
                acked.flag |= FLAG_SACK_RENEGING
            break
        _account(sk, cb, start, pcount, acked)
        if cb.txstamp_ack:
            tcp_ack_tstamp(sk, skb, prior_una)
        queue.popleft()
        tcp_wmem_free_skb(sk, skb)
    else:
        tcp_chrono_stop(sk, TCP_CHRONO_BUSY)
    return _finish(sk, acked, prior_fack, flag)


def _finish(sk: TcpSock, acked: _Acked, prior_fack: int, flag: int) -> int:
    """RTT, timer and reordering, after the queue was cleaned; the flags."""
    sample = sk.ack_sample
    now = sk.tcp_mstamp
    flag |= acked.flag
    seq_rtt = ca_rtt = sack_rtt = -1
    if acked.first_sent and not flag & FLAG_RETRANS_DATA_ACKED:
        seq_rtt = (now - acked.first_sent) // NSEC_PER_USEC
        ca_rtt = (now - acked.last_sent) // NSEC_PER_USEC
        if _may_be_delayed(sk, acked, flag):
            flag |= FLAG_ACK_MAYBE_DELAYED
    if sample.first_sackt:
        sack_rtt = (now - sample.first_sackt) // NSEC_PER_USEC
        ca_rtt = (now - sample.last_sackt) // NSEC_PER_USEC
    measured = tcp_ack_update_rtt(sk, flag, seq_rtt, sack_rtt, ca_rtt)
    if flag & FLAG_ACKED:
        flag = _made_progress(sk, acked, prior_fack, flag | FLAG_SET_XMIT_TIMER)
    elif measured and sack_rtt >= 0 and _sent_before_head(sk, sack_rtt):
        flag |= FLAG_SET_XMIT_TIMER
    if sk.icsk_ca_ops.pkts_acked is not None:
        sk.icsk_ca_ops.pkts_acked(sk, acked.packets, sample.rtt_us)
    return flag


def _sent_before_head(sk: TcpSock, sack_rtt: int) -> bool:
    """Whether what was SACKed had been out for longer than the head, since that was last sent. Only
    then may the RTO start anew: else it could be put off for ever.
    """
    queue = sk.tcp_rtx_queue
    return bool(queue) and sack_rtt > (sk.tcp_mstamp - queue[0].cb.tstamp) // NSEC_PER_USEC


def _may_be_delayed(sk: TcpSock, acked: _Acked, flag: int) -> bool:
    """A lone small segment, the only thing delivered in its round trip: its ACK was most likely
    delayed by the receiver.
    """
    sample = sk.ack_sample
    return (
        acked.packets == 1
        and acked.runt
        and sample.prior_delivered + 1 == sk.delivered
        and not flag & (FLAG_CA_ALERT | FLAG_SYN_ACKED)
    )


def _made_progress(sk: TcpSock, acked: _Acked, prior_fack: int, flag: int) -> int:
    """`snd_una` has moved: probes, duplicate ACKs, and holes that were filled by reordering."""
    tcp_urg_acked(sk)
    if sk.mtup_probe_size and not after(sk.mtu_probe_seq_end, sk.snd_una):
        tcp_mtup_probe_success(sk)
    if not sk.sack_ok:
        tcp_remove_reno_sacks(sk, acked.packets)
        # Without tags nobody can tell whether it was the original that arrived.
        if flag & FLAG_RETRANS_DATA_ACKED:
            flag &= ~FLAG_ORIG_SACK_ACKED
    elif before(acked.reord, prior_fack):
        tcp_check_sack_reordering(sk, acked.reord, False)
    return flag
