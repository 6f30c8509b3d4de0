"""Tail loss probes. RFC 8985 section 7. Linux: net/ipv4/tcp_output.c tcp_send_loss_probe,
net/ipv4/tcp_input.c tcp_process_tlp_ack.

When the end of a flight is lost nothing comes back that could tell. Two RTTs after the last
segment the sender sends one more: new data if there is some, else the last segment again. Its ACK
(with SACK) shows what is missing, long before the RTO. If the probe itself repaired a single loss,
that loss would go unnoticed: so an ACK beyond `tlp_high_seq` without a sign that the probe was a
duplicate reduces the window once.
"""

from __future__ import annotations

from pyhost.net.core.skbuff import skb_fclone_busy
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import (
    FLAG_DATA_SACKED,
    FLAG_DSACK_TLP,
    FLAG_NOT_DUP,
    FLAG_SND_UNA_ADVANCED,
)
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_set_ca_state
from pyhost.net.ipv4.tcp.output.tcp_fragment import tcp_fragment
from pyhost.net.ipv4.tcp.output.tcp_xmit import PUSH_LOSS_PROBE, tcp_write_xmit
from pyhost.net.ipv4.tcp.recovery.tcp_prr import tcp_end_cwnd_reduction, tcp_init_cwnd_reduction
from pyhost.net.ipv4.tcp.recovery.tcp_retransmit import tcp_resend_skb
from pyhost.net.ipv4.tcp.recovery.tcp_undo import tcp_try_keep_open
from pyhost.net.ipv4.tcp.recovery.tcp_xmit_timer import tcp_rearm_rto
from pyhost.net.ipv4.tcp.tcp_sock import TCP_CA_CWR, TCP_NAGLE_OFF, TcpSkbCb, TcpSock, after, before
from pyhost.net.ipv4.tcp.tcp_window import tcp_current_mss

__all__ = ["tcp_process_tlp_ack", "tcp_send_loss_probe"]


def _window_open(sk: TcpSock, mss: int) -> bool:
    """Whether the peer's window takes the next new segment. Linux: tcp_snd_wnd_test."""
    skb = sk.sk_write_queue[0]
    end = skb.cb.seq + mss & 0xFFFFFFFF if skb.len > mss else skb.cb.end_seq
    return not after(end, sk.snd_una + sk.snd_wnd & 0xFFFFFFFF)


def _probe_new_data(sk: TcpSock, mss: int) -> bool:
    out = sk.packets_out
    tcp_write_xmit(sk, mss, TCP_NAGLE_OFF, PUSH_LOSS_PROBE)
    return sk.packets_out > out


def _probe_last_segment(sk: TcpSock, mss: int) -> bool:
    """Send the last segment again, only the last MSS of a super-segment."""
    queue = sk.tcp_rtx_queue
    skb = queue[-1]
    if skb_fclone_busy(sk, skb):
        sk.net.count("TCPSpuriousRtxHostQueues")
        return False
    cb: TcpSkbCb = skb.cb
    if cb.pcount > 1 and skb.len > (cb.pcount - 1) * mss:
        if not tcp_fragment(sk, skb, (cb.pcount - 1) * mss, mss):
            return False
        skb = queue[-1]
    if tcp_resend_skb(sk, skb, 1):
        return False
    sk.tlp_retrans = True
    return True


def tcp_send_loss_probe(sk: TcpSock) -> None:
    """The probe timer fired. At most one probe is out. Linux: tcp_send_loss_probe."""
    if sk.tlp_high_seq is None:
        sk.tlp_retrans = False
        mss = tcp_current_mss(sk)
        if sk.sk_write_queue and _window_open(sk, mss):
            sent = _probe_new_data(sk, mss)
        elif sk.tcp_rtx_queue:
            sent = _probe_last_segment(sk, mss)
        else:
            sk.icsk_pending = 0
            return
        if sent:
            sk.tlp_high_seq = sk.snd_nxt
            sk.net.count("TCPLossProbes")
            # So that the RTO starts now, not when the tail was sent.
            sk.icsk_pending = 0
    tcp_rearm_rto(sk)


def tcp_process_tlp_ack(sk: TcpSock, ack: int, flag: int) -> None:
    """An ACK while a probe is out: did the probe repair a loss? Linux: tcp_process_tlp_ack."""
    high = sk.tlp_high_seq
    assert high is not None
    if before(ack, high):
        return
    if not sk.tlp_retrans or flag & FLAG_DSACK_TLP:
        sk.tlp_high_seq = None
    elif after(ack, high):
        tcp_init_cwnd_reduction(sk)
        tcp_set_ca_state(sk, TCP_CA_CWR)
        tcp_end_cwnd_reduction(sk)
        tcp_try_keep_open(sk)
        sk.net.count("TCPLossProbeRecovery")
    elif not flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED):
        sk.tlp_high_seq = None
