"""What an ACK that is not plain progress means: the five states of a sender. RFC 5681, RFC 6582,
RFC 6675, RFC 8985. Linux: net/ipv4/tcp_input.c tcp_fastretrans_alert.

`icsk_ca_state` is

- Open: nothing unusual. Disorder: duplicate ACKs or SACK came, nothing is known to be lost.
- CWR: the window is being reduced without a loss (ECN, or a full queue in this very host).
- Recovery: fast retransmit. Loss: the retransmission timer ran out.

`high_seq` is what had been sent when the trouble began; once it is acknowledged the trouble is
over. Each segment that is out is tagged (SACKED, LOST, RETRANS), and the counters `sacked_out`,
`lost_out`, `retrans_out` follow the tags, so that `packets_in_flight` is what is still on the way.
All of them count wire segments (`pcount`), not sk_buffs.

An ACK goes one way: what it covers is tagged (tcp_sacktag.py, tcp_ack.py), losses are told by time
(tcp_rack.py), the state follows here, with the reductions that prove needless taken back
(tcp_undo.py), then the window (tcp_prr.py, tcp_cong.py), and at last something is sent
(tcp_retransmit.py).
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import (
    FLAG_ECE,
    FLAG_LOST_RETRANS,
    FLAG_SACK_RENEGING,
    FLAG_SET_XMIT_TIMER,
    FLAG_SND_UNA_ADVANCED,
    REXMIT_LOST,
    REXMIT_NONE,
)
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_current_ssthresh, tcp_set_ca_state
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_xmit_timer
from pyhost.net.ipv4.tcp.output.tcp_mtu_probe import tcp_mtu_probe_lost
from pyhost.net.ipv4.tcp.recovery.tcp_loss import tcp_process_loss
from pyhost.net.ipv4.tcp.recovery.tcp_prr import (
    tcp_end_cwnd_reduction,
    tcp_enter_cwr,
    tcp_in_cwnd_reduction,
    tcp_init_cwnd_reduction,
)
from pyhost.net.ipv4.tcp.recovery.tcp_rack import (
    TCP_RACK_LOSS_DETECTION,
    tcp_mark_skb_lost,
    tcp_newreno_mark_lost,
    tcp_rack_mark_lost,
)
from pyhost.net.ipv4.tcp.recovery.tcp_reordering import tcp_add_reno_sack, tcp_reset_reno_sack
from pyhost.net.ipv4.tcp.recovery.tcp_retransmit import tcp_simple_retransmit
from pyhost.net.ipv4.tcp.recovery.tcp_undo import (
    tcp_any_retrans_done,
    tcp_init_undo,
    tcp_try_keep_open,
    tcp_try_undo_dsack,
    tcp_try_undo_partial,
    tcp_try_undo_recovery,
)
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_RETRANS,
    TCP_CA_CWR,
    TCP_CA_DISORDER,
    TCP_CA_LOSS,
    TCP_CA_OPEN,
    TCP_CA_RECOVERY,
    TCP_RTO_MAX,
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TcpSock,
)

__all__ = ["tcp_enter_recovery", "tcp_fastretrans_alert"]

RENEGING_DELAY_MIN = 10 * NSEC_PER_MSEC


# -- losses ----------------------------------------------------------------------------------------


def _mark_head_lost(sk: TcpSock, packets: int) -> None:
    """Tag what lies before the SACKed segment number `packets` + 1 (RFC 6675).

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


def _identify_packet_loss(sk: TcpSock, flag: int) -> int:
    """Decide which segments are lost; the flags, with what that changes in them.

    Linux: tcp_identify_packet_loss.
    """
    if not sk.tcp_rtx_queue:
        return flag
    if not sk.sack_ok:
        tcp_newreno_mark_lost(sk, bool(flag & FLAG_SND_UNA_ADVANCED))
    elif sk.net.tcp.recovery & TCP_RACK_LOSS_DETECTION:
        prior_retrans = sk.retrans_out
        if tcp_rack_mark_lost(sk):
            flag &= ~FLAG_SET_XMIT_TIMER
        if prior_retrans > sk.retrans_out:
            flag |= FLAG_LOST_RETRANS
    elif sk.sacked_out >= sk.reordering:
        _mark_head_lost(sk, sk.sacked_out - sk.reordering)
    return flag


# -- states ----------------------------------------------------------------------------------------


def tcp_enter_recovery(sk: TcpSock, ece_ack: bool) -> None:
    """Something is lost: reduce the window and repair. Linux: tcp_enter_recovery."""
    if not tcp_any_retrans_done(sk):
        sk.retrans_stamp = 0
    sk.net.count("TCPSackRecovery" if sk.sack_ok else "TCPRenoRecovery")
    sk.prior_ssthresh = 0
    tcp_init_undo(sk)
    if not tcp_in_cwnd_reduction(sk):
        if not ece_ack:
            sk.prior_ssthresh = tcp_current_ssthresh(sk)
        tcp_init_cwnd_reduction(sk)
    tcp_set_ca_state(sk, TCP_CA_RECOVERY)


def _try_to_open(sk: TcpSock, flag: int) -> None:
    """Nothing is lost. Linux: tcp_try_to_open."""
    if not tcp_any_retrans_done(sk):
        sk.retrans_stamp = 0
    if flag & FLAG_ECE:
        tcp_enter_cwr(sk)
    if sk.icsk_ca_state != TCP_CA_CWR:
        tcp_try_keep_open(sk)


def _check_sack_reneging(sk: TcpSock, flag: int) -> bool:
    """The new head is SACKed: the peer threw away what it had reported. Give it a moment to show
    otherwise, then start over. Linux: tcp_check_sack_reneging.
    """
    if not flag & FLAG_SACK_RENEGING or not flag & FLAG_SND_UNA_ADVANCED:
        return False
    delay = max((sk.srtt_us >> 4) * 1000, RENEGING_DELAY_MIN)
    inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, delay, TCP_RTO_MAX)
    return True


def _leave_when_recovered(sk: TcpSock) -> bool:
    """What was out when the trouble began is acknowledged. True: but the state stays.

    Linux: the first switch of tcp_fastretrans_alert.
    """
    if sk.icsk_ca_state == TCP_CA_CWR:
        # The peer must see CWR, which is on the first segment behind high_seq.
        if sk.snd_una != sk.high_seq:
            tcp_end_cwnd_reduction(sk)
            tcp_set_ca_state(sk, TCP_CA_OPEN)
    elif sk.icsk_ca_state == TCP_CA_RECOVERY:
        if not sk.sack_ok:
            tcp_reset_reno_sack(sk)
        if tcp_try_undo_recovery(sk):
            return True
        tcp_end_cwnd_reduction(sk)
    return False


def _in_recovery(sk: TcpSock, prior_una: int, num_dupack: int, flag: int) -> tuple[int, int]:
    if not flag & FLAG_SND_UNA_ADVANCED:
        if not sk.sack_ok:
            tcp_add_reno_sack(sk, num_dupack)
    elif tcp_try_undo_partial(sk, prior_una):
        return flag, REXMIT_NONE
    if tcp_try_undo_dsack(sk):
        _try_to_open(sk, flag)
    flag = _identify_packet_loss(sk, flag)
    if sk.icsk_ca_state != TCP_CA_RECOVERY:
        if not sk.lost_out:
            return flag, REXMIT_NONE
        tcp_enter_recovery(sk, bool(flag & FLAG_ECE))
    return flag, REXMIT_LOST


def _in_loss(sk: TcpSock, num_dupack: int, flag: int) -> tuple[int, int]:
    rexmit = tcp_process_loss(sk, flag, num_dupack)
    flag = _identify_packet_loss(sk, flag)
    if sk.icsk_ca_state == TCP_CA_OPEN or flag & FLAG_LOST_RETRANS:
        return _default(sk, num_dupack, flag, rexmit)
    return flag, rexmit


def _default(sk: TcpSock, num_dupack: int, flag: int, rexmit: int) -> tuple[int, int]:
    """In Open, Disorder and CWR, and when Loss was left or must begin anew."""
    if not sk.sack_ok:
        if flag & FLAG_SND_UNA_ADVANCED:
            tcp_reset_reno_sack(sk)
        tcp_add_reno_sack(sk, num_dupack)
    if sk.icsk_ca_state <= TCP_CA_DISORDER:
        tcp_try_undo_dsack(sk)
    flag = _identify_packet_loss(sk, flag)
    if not sk.lost_out:
        _try_to_open(sk, flag)
        return flag, rexmit
    if sk.icsk_ca_state < TCP_CA_CWR and tcp_mtu_probe_lost(sk):
        tcp_simple_retransmit(sk)
        return flag, REXMIT_NONE
    tcp_enter_recovery(sk, bool(flag & FLAG_ECE))
    return flag, REXMIT_LOST


def tcp_fastretrans_alert(
    sk: TcpSock, prior_una: int, num_dupack: int, flag: int
) -> tuple[int, int]:
    """An ACK that was not plain progress: adapt tags and state. The flags, and REXMIT_* for what
    may have to be sent. Linux: tcp_fastretrans_alert.
    """
    if not sk.packets_out:
        sk.sacked_out = 0
    if flag & FLAG_ECE:
        sk.prior_ssthresh = 0
    if _check_sack_reneging(sk, flag):
        return flag & ~FLAG_SET_XMIT_TIMER, REXMIT_NONE
    if sk.icsk_ca_state == TCP_CA_OPEN:
        sk.retrans_stamp = 0
    elif not (sk.snd_una - sk.high_seq) & 0x80000000 and _leave_when_recovered(sk):
        return flag, REXMIT_NONE
    state = sk.icsk_ca_state
    if state == TCP_CA_RECOVERY:
        return _in_recovery(sk, prior_una, num_dupack, flag)
    if state == TCP_CA_LOSS:
        return _in_loss(sk, num_dupack, flag)
    return _default(sk, num_dupack, flag, REXMIT_NONE)
