"""The retransmission timer ran out, and what the next ACKs say about it: F-RTO. RFC 5682. Linux:
net/ipv4/tcp_input.c tcp_enter_loss, tcp_process_loss.

A timeout may be wrong: the path only became slow for a moment. After it the sender retransmits one
segment and looks at the ACKs before it believes in the loss:

1. (timeout) retransmit the oldest segment; `frto` is set.
2. The first ACK moves `snd_una`: send two new segments instead of old ones.
3. The next ACK acknowledges (or SACKs) something that was not retransmitted: it was on the way all
   the time, the timeout was spurious and is taken back. A duplicate ACK says that the loss is real.

With SACK step 3 may come at once, as each ACK shows what arrived.
"""

from __future__ import annotations

from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import (
    FLAG_DATA_SACKED,
    FLAG_ORIG_SACK_ACKED,
    FLAG_SND_UNA_ADVANCED,
    REXMIT_LOST,
    REXMIT_NEW,
    REXMIT_NONE,
)
from pyhost.net.ipv4.tcp.congestion.tcp_cong import (
    CA_EVENT_LOSS,
    tcp_ca_event,
    tcp_current_ssthresh,
    tcp_set_ca_state,
)
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_queue_cwr
from pyhost.net.ipv4.tcp.recovery.tcp_rack import tcp_mark_skb_lost, tcp_rack_skb_timeout
from pyhost.net.ipv4.tcp.recovery.tcp_reordering import tcp_add_reno_sack, tcp_reset_reno_sack
from pyhost.net.ipv4.tcp.recovery.tcp_undo import (
    tcp_init_undo,
    tcp_try_undo_loss,
    tcp_try_undo_recovery,
)
from pyhost.net.ipv4.tcp.tcp_sock import (
    TCP_CA_DISORDER,
    TCP_CA_LOSS,
    TCP_CA_RECOVERY,
    TCPCB_SACKED_ACKED,
    TcpSock,
    after,
    before,
)

__all__ = ["tcp_enter_loss", "tcp_process_loss"]


def _timeout_mark_lost(sk: TcpSock) -> None:
    """Tag what is lost: the head, and with SACK only what RACK would call late too. A head that is
    SACKed and still not acknowledged was thrown away by the peer: its SACKs mean nothing.

    Linux: tcp_timeout_mark_lost.
    """
    queue = sk.tcp_rtx_queue
    reneged = bool(queue) and bool(queue[0].cb.sacked & TCPCB_SACKED_ACKED)
    if reneged:
        sk.net.count("TCPSACKReneging")
        sk.sacked_out = 0
        sk.is_sack_reneg = True
    elif not sk.sack_ok:
        tcp_reset_reno_sack(sk)
    head = queue[0] if queue else None
    for skb in queue:
        if reneged:
            skb.cb.sacked &= ~TCPCB_SACKED_ACKED
        elif skb is not head and tcp_rack_skb_timeout(sk, skb.cb, 0) > 0:
            continue
        tcp_mark_skb_lost(sk, skb)


def tcp_enter_loss(sk: TcpSock) -> None:
    """Start again with a window of one segment (RFC 5681 section 3.1). Linux: tcp_enter_loss."""
    state = sk.icsk_ca_state
    new_recovery = state < TCP_CA_RECOVERY
    _timeout_mark_lost(sk)
    if (
        state <= TCP_CA_DISORDER
        or not after(sk.high_seq, sk.snd_una)
        or (state == TCP_CA_LOSS and not sk.icsk_retransmits)
    ):
        sk.prior_ssthresh = tcp_current_ssthresh(sk)
        sk.prior_cwnd = sk.snd_cwnd
        sk.snd_ssthresh = sk.icsk_ca_ops.ssthresh(sk)
        tcp_ca_event(sk, CA_EVENT_LOSS)
        tcp_init_undo(sk)
    sk.snd_cwnd = sk.packets_in_flight + 1
    sk.snd_cwnd_cnt = 0
    sk.snd_cwnd_stamp = sk.tcp_mstamp
    # A timeout in spite of many duplicate ACKs: reordering was taken for bigger than it is.
    reordering = sk.net.tcp.reordering
    if state <= TCP_CA_DISORDER and sk.sacked_out >= reordering:
        sk.reordering = min(sk.reordering, reordering)
    tcp_set_ca_state(sk, TCP_CA_LOSS)
    sk.high_seq = sk.snd_nxt
    sk.tlp_high_seq = None
    tcp_ecn_queue_cwr(sk)
    sk.frto = bool(sk.net.tcp.frto and (new_recovery or sk.icsk_retransmits))


def _frto(sk: TcpSock, flag: int, num_dupack: int, recovered: bool) -> int | None:
    """Steps 2 and 3: REXMIT_* when that settles the ACK, None when the usual repair goes on."""
    if flag & FLAG_ORIG_SACK_ACKED and tcp_try_undo_loss(sk, True):
        return REXMIT_NONE
    if after(sk.snd_nxt, sk.high_seq):
        if flag & FLAG_DATA_SACKED or num_dupack:
            sk.frto = False
    elif flag & FLAG_SND_UNA_ADVANCED and not recovered:
        sk.high_seq = sk.snd_nxt
        if sk.sk_write_queue and after(sk.snd_una + sk.snd_wnd & 0xFFFFFFFF, sk.snd_nxt):
            return REXMIT_NEW
        sk.frto = False
    return None


def tcp_process_loss(sk: TcpSock, flag: int, num_dupack: int) -> int:
    """An ACK while a timeout is being repaired: REXMIT_*. Linux: tcp_process_loss."""
    recovered = not before(sk.snd_una, sk.high_seq)
    if flag & FLAG_SND_UNA_ADVANCED and tcp_try_undo_loss(sk, False):
        return REXMIT_NONE
    if sk.frto:
        rexmit = _frto(sk, flag, num_dupack, recovered)
        if rexmit is not None:
            return rexmit
    if recovered:
        tcp_try_undo_recovery(sk)
        return REXMIT_NONE
    if not sk.sack_ok:
        # A duplicate ACK after new data was sent stands for that data.
        if after(sk.snd_nxt, sk.high_seq) and num_dupack:
            tcp_add_reno_sack(sk, num_dupack)
        elif flag & FLAG_SND_UNA_ADVANCED:
            tcp_reset_reno_sack(sk)
    return REXMIT_LOST
