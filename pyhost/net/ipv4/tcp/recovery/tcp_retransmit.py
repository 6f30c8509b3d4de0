"""Sending again what is lost.

Linux: net/ipv4/tcp_output.c (tcp_retransmit_skb, tcp_xmit_retransmit_queue,
tcp_retrans_try_collapse), net/ipv4/tcp_input.c tcp_simple_retransmit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import skb_fclone_busy
from pyhost.net.core.sock import TCP_SYN_SENT
from pyhost.net.ipv4.tcp.ack.tcp_skb_shift import (
    tcp_skb_can_collapse,
    tcp_skb_seglen,
    tcp_skb_shift,
)
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_current_ssthresh, tcp_set_ca_state
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_clear_syn
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_sk_rebuild_header
from pyhost.net.ipv4.tcp.output.tcp_fragment import (
    tcp_adjust_pcount,
    tcp_fragment,
    tcp_set_skb_tso_segs,
    tcp_trim_head,
)
from pyhost.net.ipv4.tcp.output.tcp_output import tcp_transmit_skb
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_pacing_check, tcp_reset_xmit_timer
from pyhost.net.ipv4.tcp.output.tcp_tso import tcp_tso_segs
from pyhost.net.ipv4.tcp.output.tcp_tsq import tcp_small_queue_check
from pyhost.net.ipv4.tcp.recovery.tcp_prr import tcp_in_cwnd_reduction
from pyhost.net.ipv4.tcp.recovery.tcp_rack import tcp_mark_skb_lost
from pyhost.net.ipv4.tcp.recovery.tcp_reordering import tcp_limit_reno_sacked
from pyhost.net.ipv4.tcp.tcp_mem import tcp_wmem_free_skb
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_REO_TIMEOUT,
    ICSK_TIME_RETRANS,
    TCP_CA_LOSS,
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
from pyhost.net.ipv4.tcp.tcp_window import tcp_current_mss
from pyhost.net.ipv4.tcp.user.tcp_tstamp import tcp_skb_collapse_tstamp
from pyhost.uapi.errno import EAGAIN, EBUSY, EHOSTUNREACH, ENOMEM
from pyhost.uapi.tcp import TCP_CWR, TCP_ECE, TCP_SYN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "tcp_non_congestion_loss_retransmit", "tcp_resend_skb", "tcp_retransmit_skb",
    "tcp_simple_retransmit", "tcp_xmit_retransmit_queue",
]  # fmt: skip

SYN_ECN = TCP_SYN | TCP_ECE | TCP_CWR


# -- one segment -----------------------------------------------------------------------------------


def _trim_acked(sk: TcpSock, skb: SkBuff) -> None:
    """Leave away what is acknowledged already. A SYN that carried data takes one number."""
    cb: TcpSkbCb = skb.cb
    if cb.flags & TCP_SYN and before(cb.seq, sk.snd_una):
        cb.flags &= ~TCP_SYN
        cb.seq = cb.seq + 1 & 0xFFFFFFFF
    if before(cb.seq, sk.snd_una):
        tcp_trim_head(sk, skb, sk.snd_una - cb.seq & 0xFFFFFFFF, cb.gso_size or skb.len)


def _fit(sk: TcpSock, skb: SkBuff, segs: int) -> int:
    """Make the segment what may leave now: at most `segs` times the MSS of today, within the peer's
    window, joined with small neighbours: 0 or a negative errno.
    """
    cb: TcpSkbCb = skb.cb
    mss = tcp_current_mss(sk)
    room = sk.snd_una + sk.snd_wnd - cb.seq & 0xFFFFFFFF
    if not room or room & 0x80000000:
        # The peer took its window back. The oldest segment may go all the same, as a probe.
        if cb.seq != sk.snd_una:
            return -EAGAIN
        room = mss
    length = mss * segs
    if length > room:
        length = room // mss * mss or room
    if skb.len > length:
        return 0 if tcp_fragment(sk, skb, length, mss) else -ENOMEM
    old = cb.pcount
    pcount = tcp_set_skb_tso_segs(skb, mss)
    if old != pcount:
        tcp_adjust_pcount(sk, skb, old - pcount)
    space = min(room, mss)
    if skb.len < space:
        _try_collapse(sk, skb, space)
    return 0


def tcp_resend_skb(sk: TcpSock, skb: SkBuff, segs: int) -> int:
    """Send a segment of the retransmit queue again, without tagging it: 0, or why not. Linux:
    __tcp_retransmit_skb.

    -EBUSY: its last copy is still in this host; -EAGAIN: the peer shrank its window; -EHOSTUNREACH;
    -ENOMEM; what the layers below said.
    """
    sk.mtup_probe_size = 0
    if skb_fclone_busy(sk, skb):
        sk.net.count("TCPSpuriousRtxHostQueues")
        return -EBUSY
    cb: TcpSkbCb = skb.cb
    _trim_acked(sk, skb)
    if inet_sk_rebuild_header(sk):
        return -EHOSTUNREACH
    err = _fit(sk, skb, segs)
    if err:
        return err
    if cb.flags & SYN_ECN == SYN_ECN:
        tcp_ecn_clear_syn(sk, cb)
    pcount = cb.pcount
    net = sk.net
    net.count("TcpRetransSegs", pcount)
    if cb.flags & TCP_SYN:
        net.count("TCPSynRetrans")
    sk.total_retrans += pcount
    sk.bytes_retrans += skb.len
    err = tcp_transmit_skb(sk, skb)
    # Even if it did not leave: its time is no longer that of the copy that did.
    cb.sacked |= TCPCB_EVER_RETRANS
    if err:
        net.count("TCPRetransFail", pcount)
    return err


def tcp_retransmit_skb(sk: TcpSock, skb: SkBuff, segs: int = 1) -> int:
    """Send a segment of the retransmit queue again and tag it: 0, or why not (see
    `tcp_resend_skb`). Linux: tcp_retransmit_skb.
    """
    err = tcp_resend_skb(sk, skb, segs)
    cb: TcpSkbCb = skb.cb
    if not err:
        cb.sacked |= TCPCB_RETRANS
        sk.retrans_out += cb.pcount
    if not sk.retrans_stamp:
        sk.retrans_stamp = cb.tstamp or 1
    sk.undo_retrans = max(sk.undo_retrans, 0) + cb.pcount
    return err


# -- joining small segments ------------------------------------------------------------------------


def _can_collapse(skb: SkBuff) -> bool:
    """Linux: tcp_can_collapse."""
    cb: TcpSkbCb = skb.cb
    return cb.pcount == 1 and not skb.is_cloned() and not cb.sacked & TCPCB_SACKED_ACKED


def _collapse_next(sk: TcpSock, to: SkBuff, following: SkBuff) -> bool:
    """Take the following segment in. Linux: tcp_collapse_retrans."""
    if following.len and not tcp_skb_shift(to, following, 1, following.len):
        return False
    cb: TcpSkbCb = to.cb
    gone: TcpSkbCb = following.cb
    cb.end_seq = gone.end_seq
    cb.flags |= gone.flags
    cb.sacked |= gone.sacked & TCPCB_EVER_RETRANS
    cb.eor = gone.eor
    tcp_skb_collapse_tstamp(to, following)
    tcp_adjust_pcount(sk, following, gone.pcount)
    sk.tcp_rtx_queue.remove(following)
    tcp_wmem_free_skb(sk, following)
    return True


def _try_collapse(sk: TcpSock, to: SkBuff, space: int) -> None:
    """Fill a small segment that is sent again, up to `space` bytes, with the ones behind it.

    Linux: tcp_retrans_try_collapse.
    """
    if not sk.net.tcp.retrans_collapse or to.cb.flags & TCP_SYN or not _can_collapse(to):
        return
    space -= to.len
    window_end = sk.snd_una + sk.snd_wnd & 0xFFFFFFFF
    queue = sk.tcp_rtx_queue
    at = queue.index(to) + 1
    while at < len(queue):
        following = queue[at]
        space -= following.len
        if (
            space < 0
            or not _can_collapse(following)
            or not tcp_skb_can_collapse(to, following)
            or after(following.cb.end_seq, window_end)
            or not _collapse_next(sk, to, following)
        ):
            return


# -- what is lost ----------------------------------------------------------------------------------


def tcp_xmit_retransmit_queue(sk: TcpSock) -> None:
    """Retransmit what is tagged lost, oldest first, as far as the congestion window lets it.

    Linux: tcp_xmit_retransmit_queue.
    """
    if sk.lost_out <= sk.retrans_out:
        return
    queue = sk.tcp_rtx_queue
    max_segs = tcp_tso_segs(sk, tcp_current_mss(sk))
    loss = sk.icsk_ca_state == TCP_CA_LOSS
    at = 0
    rearm = False
    while at < len(queue):
        skb = queue[at]
        cb: TcpSkbCb = skb.cb
        segs = min(sk.snd_cwnd - sk.packets_in_flight, max_segs)
        if segs <= 0 or sk.retrans_out >= sk.lost_out or tcp_pacing_check(sk):
            break
        at += 1
        if cb.sacked & (TCPCB_LOST | TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS) != TCPCB_LOST:
            continue
        if tcp_small_queue_check(sk, skb, 1) or tcp_retransmit_skb(sk, skb, segs):
            break
        sk.net.count("TCPSlowStartRetrans" if loss else "TCPFastRetrans", cb.pcount)
        if tcp_in_cwnd_reduction(sk):
            sk.prr_out += cb.pcount
        if at == 1 and sk.icsk_pending != ICSK_TIME_REO_TIMEOUT:
            rearm = True
    if rearm:
        tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, sk.icsk_rto)


def tcp_simple_retransmit(sk: TcpSock) -> None:
    """The path's MTU shrank: what is too big for it is sent again in smaller pieces. That says
    nothing about congestion, so the window stays. Linux: tcp_simple_retransmit.

    A Fast Open SYN travels together with the data behind it: then everything is lost.
    """
    syn_data = sk.syn_data and sk.sk_state == TCP_SYN_SENT
    mss = -1 if syn_data else tcp_current_mss(sk)
    for skb in sk.tcp_rtx_queue:
        if tcp_skb_seglen(skb) > mss:
            tcp_mark_skb_lost(sk, skb)
    if not sk.lost_out:
        return
    if not sk.sack_ok:
        tcp_limit_reno_sacked(sk)
    tcp_non_congestion_loss_retransmit(sk)


def tcp_non_congestion_loss_retransmit(sk: TcpSock) -> None:
    """Send what is tagged lost, though no congestion lost it, without reducing the window.

    Linux: tcp_non_congestion_loss_retransmit.
    """
    if sk.icsk_ca_state != TCP_CA_LOSS:
        sk.high_seq = sk.snd_nxt
        sk.snd_ssthresh = tcp_current_ssthresh(sk)
        sk.prior_ssthresh = 0
        sk.undo_marker = None
        tcp_set_ca_state(sk, TCP_CA_LOSS)
    tcp_xmit_retransmit_queue(sk)
