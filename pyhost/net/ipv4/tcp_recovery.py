"""Which segments are lost, and what the congestion window does about it. RFC 5681, RFC 6675, RFC
6582, RFC 6937 (PRR).

Linux: net/ipv4/tcp_input.c, net/ipv4/tcp_recovery.c. The sender is in one of five states
(`icsk_ca_state`):

- Open: nothing unusual. Disorder: duplicate ACKs or SACK came, not yet enough to call anything
  lost.
- CWR: the window is being reduced without a loss (a packet was dropped in this very host).
- Recovery: fast retransmit. Loss: the retransmission timer ran out.

`high_seq` is what had been sent when the trouble began; once it is acknowledged the trouble is
over. Each segment that is out is tagged (SACKED, LOST, RETRANS), and the counters `sacked_out`,
`lost_out`, `retrans_out` follow the tags, so that `packets_in_flight` is what is still on the way.

What is lost is decided in one place, `tcp_identify_packet_loss`: on a SACK connection a segment is
lost when `reordering` later ones were SACKed, without SACK when as many duplicate ACKs came. Linux
asks RACK first (RFC 8985) and reverses reductions that prove needless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp_cong import CA_EVENT_LOSS, tcp_ca_event, tcp_set_ca_state
from pyhost.net.ipv4.tcp_sock import (
    TCP_CA_CWR,
    TCP_CA_DISORDER,
    TCP_CA_LOSS,
    TCP_CA_OPEN,
    TCP_CA_RECOVERY,
    TCP_INFINITE_SSTHRESH,
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSock,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "FLAG_ACKED", "FLAG_CA_ALERT", "FLAG_DATA", "FLAG_DATA_ACKED", "FLAG_DATA_SACKED",
    "FLAG_DSACKING_ACK", "FLAG_FORWARD_PROGRESS", "FLAG_NOT_DUP", "FLAG_RETRANS_DATA_ACKED",
    "FLAG_SET_XMIT_TIMER", "FLAG_SLOWPATH", "FLAG_SND_UNA_ADVANCED", "FLAG_SYN_ACKED",
    "FLAG_UPDATE_TS_RECENT", "FLAG_WIN_UPDATE", "tcp_add_reno_sack", "tcp_cwnd_reduction",
    "tcp_enter_cwr", "tcp_enter_loss", "tcp_fastretrans_alert", "tcp_mark_skb_lost",
    "tcp_remove_reno_sacks",
]  # fmt: skip

FLAG_DATA = 0x01
FLAG_WIN_UPDATE = 0x02
FLAG_DATA_ACKED = 0x04
FLAG_RETRANS_DATA_ACKED = 0x08
FLAG_SYN_ACKED = 0x10
FLAG_DATA_SACKED = 0x20
FLAG_SLOWPATH = 0x100
FLAG_SND_UNA_ADVANCED = 0x400
FLAG_DSACKING_ACK = 0x800
FLAG_SET_XMIT_TIMER = 0x1000
FLAG_UPDATE_TS_RECENT = 0x4000
FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED
FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED
FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_DSACKING_ACK
FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED


# -- window reduction ------------------------------------------------------------------------------


def _init_cwnd_reduction(sk: TcpSock) -> None:
    """Linux: tcp_init_cwnd_reduction."""
    sk.high_seq = sk.snd_nxt
    sk.snd_cwnd_cnt = 0
    sk.prior_cwnd = sk.snd_cwnd
    sk.prr_delivered = sk.prr_out = 0
    sk.snd_ssthresh = sk.icsk_ca_ops.ssthresh(sk)


def tcp_cwnd_reduction(sk: TcpSock, newly_acked_sacked: int, newly_lost: int, flag: int) -> None:
    """Bring the window down to ssthresh in proportion to what is delivered (RFC 6937).

    Linux: tcp_cwnd_reduction.
    """
    if newly_acked_sacked <= 0 or not sk.prior_cwnd:
        return
    in_flight = sk.packets_in_flight
    delta = sk.snd_ssthresh - in_flight
    sk.prr_delivered += newly_acked_sacked
    if delta < 0:
        sndcnt = -(-sk.snd_ssthresh * sk.prr_delivered // sk.prior_cwnd) - sk.prr_out
    else:
        sndcnt = max(sk.prr_delivered - sk.prr_out, newly_acked_sacked)
        if flag & FLAG_SND_UNA_ADVANCED and not newly_lost:
            sndcnt += 1
        sndcnt = min(delta, sndcnt)
    sndcnt = max(sndcnt, 0 if sk.prr_out else 1)
    sk.snd_cwnd = in_flight + sndcnt


def _end_cwnd_reduction(sk: TcpSock) -> None:
    """Linux: tcp_end_cwnd_reduction."""
    if sk.snd_ssthresh < TCP_INFINITE_SSTHRESH:
        sk.snd_cwnd = sk.snd_ssthresh
        sk.snd_cwnd_stamp = sk.tcp_mstamp


def tcp_enter_cwr(sk: TcpSock) -> None:
    """A packet of ours was dropped in this host: slow down, nothing needs to be retransmitted
    early. Linux: tcp_enter_cwr.
    """
    if sk.icsk_ca_state < TCP_CA_CWR:
        _init_cwnd_reduction(sk)
        tcp_set_ca_state(sk, TCP_CA_CWR)


# -- tags ------------------------------------------------------------------------------------------


def tcp_mark_skb_lost(sk: TcpSock, skb: SkBuff) -> None:
    """Tag a segment as lost; one that was retransmitted must go once more.

    Linux: tcp_mark_skb_lost.
    """
    cb = skb.cb
    sacked = cb.sacked
    if sacked & TCPCB_SACKED_ACKED:
        return
    if sacked & TCPCB_LOST:
        if sacked & TCPCB_SACKED_RETRANS:
            cb.sacked &= ~TCPCB_SACKED_RETRANS
            sk.retrans_out -= cb.pcount
    else:
        sk.lost_out += cb.pcount
        cb.sacked |= TCPCB_LOST


def _mark_head_lost(sk: TcpSock, packets: int) -> None:
    """Tag what lies before the SACKed segment number `packets` + 1 and was not tagged yet.

    Linux: tcp_mark_head_lost.
    """
    count = 0
    for skb in sk.tcp_rtx_queue:
        sacked = skb.cb.sacked
        if sacked & TCPCB_SACKED_ACKED:
            count += skb.cb.pcount
            if count > packets:
                break
        elif not sacked & TCPCB_LOST:
            tcp_mark_skb_lost(sk, skb)


def tcp_identify_packet_loss(sk: TcpSock, flag: int) -> None:
    """Decide which segments are lost.

    Linux: tcp_identify_packet_loss (there RACK does it on SACK connections).
    """
    if sk.sack_ok:
        beyond = sk.sacked_out - sk.reordering
        if beyond >= 0:
            _mark_head_lost(sk, beyond)
        return
    state = sk.icsk_ca_state
    partial_ack = state == TCP_CA_RECOVERY and flag & FLAG_SND_UNA_ADVANCED
    if partial_ack or (state < TCP_CA_RECOVERY and sk.sacked_out >= sk.reordering):
        head = sk.tcp_rtx_queue[0] if sk.tcp_rtx_queue else None
        if head is not None and not head.cb.sacked & TCPCB_LOST:
            tcp_mark_skb_lost(sk, head)


def tcp_add_reno_sack(sk: TcpSock, num_dupack: int) -> None:
    """Without SACK each duplicate ACK stands for one segment that arrived out of order.

    Linux: tcp_add_reno_sack.
    """
    if num_dupack:
        prior = sk.sacked_out
        holes = min(max(sk.lost_out, 1), sk.packets_out)
        sk.sacked_out = min(prior + num_dupack, sk.packets_out - holes)
        sk.delivered += max(sk.sacked_out - prior, 0)


def tcp_remove_reno_sacks(sk: TcpSock, acked: int) -> None:
    """`acked` segments are acknowledged: one filled the hole, the others had been counted.

    Linux: tcp_remove_reno_sacks.
    """
    if acked > 0:
        sk.delivered += max(acked - sk.sacked_out, 1)
        sk.sacked_out = max(sk.sacked_out - (acked - 1), 0)
    sk.sacked_out = max(
        min(sk.sacked_out, sk.packets_out - min(max(sk.lost_out, 1), sk.packets_out)), 0
    )


# -- states ----------------------------------------------------------------------------------------


def tcp_enter_loss(sk: TcpSock) -> None:
    """The retransmission timer ran out: everything that is not SACKed is lost.

    Linux: tcp_enter_loss, tcp_timeout_mark_lost.
    """
    queue = sk.tcp_rtx_queue
    reneged = bool(queue) and bool(queue[0].cb.sacked & TCPCB_SACKED_ACKED)
    if reneged:
        sk.net.count("TCPSACKReneging")
    if reneged or not sk.sack_ok:
        sk.sacked_out = 0
    for skb in queue:
        if reneged:
            skb.cb.sacked &= ~TCPCB_SACKED_ACKED
        tcp_mark_skb_lost(sk, skb)
    state = sk.icsk_ca_state
    if (
        state <= TCP_CA_DISORDER
        or not (sk.snd_una - sk.high_seq) & 0x80000000
        or (state == TCP_CA_LOSS and not sk.icsk_retransmits)
    ):
        sk.prior_cwnd = sk.snd_cwnd
        sk.snd_ssthresh = sk.icsk_ca_ops.ssthresh(sk)
        tcp_ca_event(sk, CA_EVENT_LOSS)
    sk.snd_cwnd = sk.packets_in_flight + 1
    sk.snd_cwnd_cnt = 0
    sk.snd_cwnd_stamp = sk.tcp_mstamp
    tcp_set_ca_state(sk, TCP_CA_LOSS)
    sk.high_seq = sk.snd_nxt


def _enter_recovery(sk: TcpSock) -> None:
    """Linux: tcp_enter_recovery."""
    sk.net.count("TCPSackRecovery" if sk.sack_ok else "TCPRenoRecovery")
    if sk.icsk_ca_state < TCP_CA_CWR:
        _init_cwnd_reduction(sk)
    tcp_set_ca_state(sk, TCP_CA_RECOVERY)


def _try_to_open(sk: TcpSock) -> None:
    """Open or Disorder, as the counters say. Linux: tcp_try_keep_open."""
    if sk.icsk_ca_state == TCP_CA_CWR:
        return
    state = TCP_CA_DISORDER if sk.sacked_out or sk.lost_out or sk.retrans_out else TCP_CA_OPEN
    if sk.icsk_ca_state != state:
        tcp_set_ca_state(sk, state)
        sk.high_seq = sk.snd_nxt


def _leave_when_recovered(sk: TcpSock) -> None:
    """What was out when the trouble began is acknowledged.

    Linux: the first switch of tcp_fastretrans_alert, tcp_try_undo_recovery.
    """
    state = sk.icsk_ca_state
    if state == TCP_CA_CWR:
        if sk.snd_una != sk.high_seq:
            _end_cwnd_reduction(sk)
            tcp_set_ca_state(sk, TCP_CA_OPEN)
        return
    if not sk.sack_ok:
        if sk.snd_una == sk.high_seq:
            # Without SACK, duplicate ACKs for the old data would look like a new
            # loss: stay until more is acknowledged.
            return
        sk.sacked_out = 0
    if state == TCP_CA_RECOVERY:
        _end_cwnd_reduction(sk)
    tcp_set_ca_state(sk, TCP_CA_OPEN)


def tcp_fastretrans_alert(sk: TcpSock, num_dupack: int, flag: int) -> bool:
    """An ACK that was not plain progress: adapt the state. Whether something may have to be
    retransmitted. Linux: tcp_fastretrans_alert.
    """
    if not sk.packets_out:
        sk.sacked_out = 0
    if sk.icsk_ca_state == TCP_CA_OPEN:
        sk.retrans_stamp = 0
    elif not (sk.snd_una - sk.high_seq) & 0x80000000:
        _leave_when_recovered(sk)
    state = sk.icsk_ca_state
    if not sk.sack_ok:
        if flag & FLAG_SND_UNA_ADVANCED and state != TCP_CA_RECOVERY:
            sk.sacked_out = 0
        elif not flag & FLAG_SND_UNA_ADVANCED:
            tcp_add_reno_sack(sk, num_dupack)
    tcp_identify_packet_loss(sk, flag)
    if state >= TCP_CA_RECOVERY:
        return True
    if not sk.lost_out:
        _try_to_open(sk)
        return False
    _enter_recovery(sk)
    return True
