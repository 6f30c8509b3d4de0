"""Sending again what is lost.

Linux: net/ipv4/tcp_output.c (tcp_retransmit_skb, tcp_xmit_retransmit_queue).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.inet_connection_sock import inet_csk_reset_xmit_timer, inet_sk_rebuild_header
from pyhost.net.ipv4.tcp_fragment import tcp_fragment, tcp_trim_head
from pyhost.net.ipv4.tcp_output import tcp_small_queue_check, tcp_transmit_skb
from pyhost.net.ipv4.tcp_sock import (
    ICSK_TIME_RETRANS,
    TCP_CA_CWR,
    TCP_RTO_MAX,
    TCPCB_EVER_RETRANS,
    TCPCB_LOST,
    TCPCB_RETRANS,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSkbCb,
    TcpSock,
    before,
)
from pyhost.net.ipv4.tcp_window import tcp_current_mss
from pyhost.uapi.errno import EAGAIN, EBUSY, EHOSTUNREACH, ENOMEM
from pyhost.uapi.tcp import TCP_SYN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_retransmit_skb", "tcp_xmit_retransmit_queue"]


def _still_in_host_queue(skb: SkBuff) -> bool:
    """Whether the last copy of the segment has not left this host yet.

    Linux: skb_still_in_host_queue.
    """
    return skb.is_cloned()


def _cut_to_window(sk: TcpSock, skb: SkBuff, segs: int) -> int:
    """Leave away what is acknowledged, beyond the window, or more than `segs` segments: 0 or a
    negative errno.
    """
    cb: TcpSkbCb = skb.cb
    mss = tcp_current_mss(sk)
    if before(cb.seq, sk.snd_una) and not cb.flags & TCP_SYN:
        tcp_trim_head(sk, skb, sk.snd_una - cb.seq & 0xFFFFFFFF, mss)
    room = sk.snd_una + sk.snd_wnd - cb.seq & 0xFFFFFFFF
    if room & 0x80000000:
        room = 0
    if not room or (skb.len > room and room < mss):
        if cb.seq != sk.snd_una:
            return -EAGAIN
        room = mss
    length = min(mss * segs, max(room // mss, 1) * mss)
    if skb.len > length and not tcp_fragment(sk, skb, length, mss):
        return -ENOMEM
    return 0


def tcp_retransmit_skb(sk: TcpSock, skb: SkBuff, segs: int = 1) -> int:
    """Send a segment of the retransmit queue again: 0, or why not. Linux: tcp_retransmit_skb,
    __tcp_retransmit_skb.

    -EBUSY: its last copy is still in this host; -EAGAIN: the peer shrank its window; -EHOSTUNREACH;
    -ENOMEM; what the layers below said.
    """
    if _still_in_host_queue(skb):
        sk.net.count("TCPSpuriousRtxHostQueues")
        return -EBUSY
    if inet_sk_rebuild_header(sk):
        return -EHOSTUNREACH
    cb: TcpSkbCb = skb.cb
    if skb.len:
        err = _cut_to_window(sk, skb, segs)
        if err:
            return err
    net = sk.net
    net.count("TcpRetransSegs", cb.pcount)
    sk.total_retrans += cb.pcount
    err = tcp_transmit_skb(sk, skb)
    cb.sacked |= TCPCB_EVER_RETRANS
    if err:
        net.count("TCPRetransFail")
        return err
    if not cb.sacked & TCPCB_SACKED_RETRANS:
        cb.sacked |= TCPCB_RETRANS
        sk.retrans_out += cb.pcount
    if not sk.retrans_stamp:
        sk.retrans_stamp = cb.tstamp or 1
    return 0


def tcp_xmit_retransmit_queue(sk: TcpSock) -> None:
    """Retransmit what is tagged lost, oldest first, as far as the congestion window lets it.

    Linux: tcp_xmit_retransmit_queue.
    """
    if sk.lost_out <= sk.retrans_out:
        return
    rearm = False
    for skb in tuple(sk.tcp_rtx_queue):
        room = sk.snd_cwnd - sk.packets_in_flight
        if room <= 0 or sk.lost_out <= sk.retrans_out:
            break
        sacked = skb.cb.sacked
        if not sacked & TCPCB_LOST or sacked & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS):
            continue
        if tcp_small_queue_check(sk, skb, 1) or tcp_retransmit_skb(sk, skb, room):
            break
        sk.net.count("TCPFastRetrans")
        if sk.icsk_ca_state >= TCP_CA_CWR:
            sk.prr_out += skb.cb.pcount
        if skb is sk.tcp_rtx_queue[0]:
            rearm = True
    if rearm:
        inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, sk.icsk_rto, TCP_RTO_MAX)
