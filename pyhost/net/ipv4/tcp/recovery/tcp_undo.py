"""Taking a window reduction back when it proves needless. Linux: net/ipv4/tcp_input.c.

From the moment a recovery begins the sender keeps `undo_marker` (where it began), `prior_ssthresh`
(what to go back to) and `undo_retrans` (retransmissions that were not yet reported as duplicates).
The recovery was needless when

- every retransmission was reported as a duplicate (DSACK, RFC 2883): `undo_retrans` is 0;
- an ACK for the data echoes a timestamp from before the first retransmission, so that it was the
  original that arrived (Eifel, RFC 3522): `tcp_packet_delayed`;
- after a timeout, data that was not retransmitted is acknowledged (F-RTO, see tcp_loss.py).
"""

from __future__ import annotations

from pyhost.net.core.sock import TCP_SYN_SENT
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_set_ca_state
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_withdraw_cwr
from pyhost.net.ipv4.tcp.recovery.tcp_rack import TCP_RACK_RECOVERY_THRESH
from pyhost.net.ipv4.tcp.recovery.tcp_reordering import tcp_check_sack_reordering
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import (
    TCP_CA_DISORDER,
    TCP_CA_LOSS,
    TCP_CA_OPEN,
    TCPCB_EVER_RETRANS,
    TCPCB_LOST,
    TcpSkbCb,
    TcpSock,
    before,
)

__all__ = [
    "tcp_any_retrans_done", "tcp_init_undo", "tcp_skb_spurious_retrans", "tcp_try_keep_open",
    "tcp_try_undo_dsack", "tcp_try_undo_loss", "tcp_try_undo_partial", "tcp_try_undo_recovery",
]  # fmt: skip

UNDO_UNKNOWN = -1
"""`undo_retrans` before the first retransmission: 0 would mean that all proved needless."""


def tcp_init_undo(sk: TcpSock) -> None:
    """A recovery begins. Copies that are on the way already may be reported too.

    Linux: tcp_init_undo.
    """
    sk.undo_marker = sk.snd_una
    copies = sk.retrans_out
    if sk.tlp_high_seq is not None and sk.tlp_retrans:
        copies += 1
    sk.undo_retrans = copies or UNDO_UNKNOWN


def tcp_any_retrans_done(sk: TcpSock) -> bool:
    """Whether something of what is out was sent twice. Linux: tcp_any_retrans_done."""
    if sk.retrans_out:
        return True
    queue = sk.tcp_rtx_queue
    return bool(queue) and bool(queue[0].cb.sacked & TCPCB_EVER_RETRANS)


def tcp_try_keep_open(sk: TcpSock) -> None:
    """Open or Disorder, as the counters say. Linux: tcp_try_keep_open."""
    disorder = sk.sacked_out or sk.lost_out or tcp_any_retrans_done(sk)
    state = TCP_CA_DISORDER if disorder else TCP_CA_OPEN
    if sk.icsk_ca_state != state:
        tcp_set_ca_state(sk, state)
        sk.high_seq = sk.snd_nxt


# -- evidence --------------------------------------------------------------------------------------


def _echo_is_before(sk: TcpSock, when: int) -> bool:
    """Whether the ACK echoes a timestamp from before `when` (ns). Linux: tcp_tsopt_ecr_before."""
    if not sk.saw_tstamp or not sk.rcv_tsecr:
        return False
    return before(sk.rcv_tsecr, tcp_ns_to_ts(when))


def tcp_skb_spurious_retrans(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """Whether the ACK was for a copy before the last one. Linux: tcp_skb_spurious_retrans."""
    return bool(cb.sacked & TCPCB_EVER_RETRANS) and _echo_is_before(sk, cb.tstamp)


def _packet_delayed(sk: TcpSock) -> bool:
    """Whether the ACK shows that a segment was late and not lost: nothing was retransmitted before
    it came. Linux: tcp_packet_delayed.
    """
    if sk.retrans_stamp:
        return _echo_is_before(sk, sk.retrans_stamp)
    # No time of a first retransmission: either there was none yet, or it was forgotten, which
    # happens without SACK at high_seq, and for a SYN.
    if not sk.sack_ok and not before(sk.snd_una, sk.high_seq):
        return False
    return sk.sk_state != TCP_SYN_SENT


def _may_undo(sk: TcpSock) -> bool:
    """Linux: tcp_may_undo."""
    return sk.undo_marker is not None and (not sk.undo_retrans or _packet_delayed(sk))


# -- taking back -----------------------------------------------------------------------------------


def _undo_cwnd_reduction(sk: TcpSock, unmark_loss: bool) -> None:
    """Restore window and threshold. Linux: tcp_undo_cwnd_reduction."""
    if unmark_loss:
        for skb in sk.tcp_rtx_queue:
            skb.cb.sacked &= ~TCPCB_LOST
        sk.lost_out = 0
    if sk.prior_ssthresh:
        sk.snd_cwnd = sk.icsk_ca_ops.undo_cwnd(sk)
        if sk.prior_ssthresh > sk.snd_ssthresh:
            sk.snd_ssthresh = sk.prior_ssthresh
            tcp_ecn_withdraw_cwr(sk)
    sk.snd_cwnd_stamp = sk.tcp_mstamp
    sk.undo_marker = None
    sk.rack.advanced = True


def _reno_must_wait(sk: TcpSock) -> bool:
    """Without SACK, duplicate ACKs for the old data would look like a new loss (RFC 6582 section
    6): stay until more than `high_seq` is acknowledged. Linux: tcp_is_non_sack_preventing_reopen.
    """
    if sk.snd_una != sk.high_seq or sk.sack_ok:
        return False
    if not tcp_any_retrans_done(sk):
        sk.retrans_stamp = 0
    return True


def tcp_try_undo_recovery(sk: TcpSock) -> bool:
    """Everything up to `high_seq` is acknowledged: the recovery ends, and is taken back if it was
    needless. True: not yet. Linux: tcp_try_undo_recovery.
    """
    if _may_undo(sk):
        loss = sk.icsk_ca_state == TCP_CA_LOSS
        _undo_cwnd_reduction(sk, False)
        sk.net.count("TCPLossUndo" if loss else "TCPFullUndo")
    elif sk.rack.reo_wnd_persist:
        sk.rack.reo_wnd_persist -= 1
    if _reno_must_wait(sk):
        return True
    tcp_set_ca_state(sk, TCP_CA_OPEN)
    sk.is_sack_reneg = False
    return False


def tcp_try_undo_dsack(sk: TcpSock) -> bool:
    """Take back when every retransmission was reported as a duplicate.

    Linux: tcp_try_undo_dsack.
    """
    if sk.undo_marker is None or sk.undo_retrans:
        return False
    sk.rack.reo_wnd_persist = min(TCP_RACK_RECOVERY_THRESH, sk.rack.reo_wnd_persist + 1)
    _undo_cwnd_reduction(sk, False)
    sk.net.count("TCPDSACKUndo")
    return True


def tcp_try_undo_loss(sk: TcpSock, frto_undo: bool) -> bool:
    """Take a timeout back: nothing is lost after all. Linux: tcp_try_undo_loss."""
    if not frto_undo and not _may_undo(sk):
        return False
    _undo_cwnd_reduction(sk, True)
    sk.net.count("TCPLossUndo")
    if frto_undo:
        sk.net.count("TCPSpuriousRTOs")
    sk.icsk_retransmits = 0
    if _reno_must_wait(sk):
        return True
    if frto_undo or sk.sack_ok:
        tcp_set_ca_state(sk, TCP_CA_OPEN)
        sk.is_sack_reneg = False
    return True


def tcp_try_undo_partial(sk: TcpSock, prior_snd_una: int) -> bool:
    """A hole was filled in recovery, by the original. True: nothing more is to be tagged or sent
    again while a retransmission is on the way. Linux: tcp_try_undo_partial.
    """
    if sk.undo_marker is None or not _packet_delayed(sk):
        return False
    tcp_check_sack_reordering(sk, prior_snd_una, True)
    if sk.retrans_out:
        return True
    if not tcp_any_retrans_done(sk):
        sk.retrans_stamp = 0
    _undo_cwnd_reduction(sk, True)
    sk.net.count("TCPPartialUndo")
    tcp_try_keep_open(sk)
    return False
