"""TCP and SO_TIMESTAMPING: which segment carries the mark of a write.

Linux: net/ipv4/tcp.c tcp_tx_timestamp, net/ipv4/tcp_output.c tcp_fragment_tstamp,
tcp_skb_collapse_tstamp, net/ipv4/tcp_input.c tcp_ack_tstamp, net/ipv4/tcp_offload.c tcp_gso_tstamp.

A stream has no packets to number, so a mark names a byte: the last one of the write (`tskey`, its
sequence number). The mark stays with the segment that holds that byte, whoever cuts or joins
segments; of two marks in one segment the later one wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skb_shared_info import SKBTX_ANY_TSTAMP
from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.core.timestamping import skb_tstamp_tx, sock_tx_timestamp
from pyhost.net.ipv4.tcp.tcp_sock import before
from pyhost.uapi.errqueue import SCM_TSTAMP_ACK
from pyhost.uapi.net_tstamp import SOF_TIMESTAMPING_TX_ACK, SOF_TIMESTAMPING_TX_RECORD_MASK

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock

__all__ = [
    "tcp_ack_tstamp", "tcp_first_tskey", "tcp_fragment_tstamp", "tcp_skb_collapse_tstamp",
    "tcp_tx_timestamp",
]  # fmt: skip


def tcp_first_tskey(sk: TcpSock, next_byte: bool) -> int | None:
    """Where OPT_ID begins to count: at the first unacknowledged byte, or (OPT_ID_TCP) at the next
    one to be written; None when there is no connection. Linux: sock_set_timestamping.
    """
    if sk.sk_state in (TCP_CLOSE, TCP_LISTEN):
        return None
    return sk.write_seq if next_byte else sk.snd_una


def tcp_tx_timestamp(sk: TcpSock, tsflags: int) -> None:
    """Mark the last segment of a write. Linux: tcp_tx_timestamp."""
    if not sk.sk_write_queue:
        return
    skb = sk.sk_write_queue[-1]
    skb.shinfo.tx_flags |= sock_tx_timestamp(tsflags)
    if tsflags & SOF_TIMESTAMPING_TX_ACK:
        skb.cb.txstamp_ack = True
    if tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK:
        skb.shinfo.tskey = skb.cb.seq + skb.len - 1 & 0xFFFFFFFF


def tcp_ack_tstamp(sk: TcpSock, skb: SkBuff, prior_una: int) -> None:
    """The window moved from `prior_una` to snd_una: report it if the marked byte is in between.

    Call it for each acknowledged segment with `cb.txstamp_ack`, and for the first that is not.
    Linux: tcp_ack_tstamp.
    """
    tskey = skb.shinfo.tskey
    if not before(tskey, prior_una) and before(tskey, sk.snd_una):
        skb_tstamp_tx(skb, sk, SCM_TSTAMP_ACK)


def tcp_fragment_tstamp(skb: SkBuff, rest: SkBuff) -> None:
    """A segment was cut: the mark goes with its byte. Linux: tcp_fragment_tstamp."""
    shinfo, after_cut = skb.shinfo, rest.shinfo
    cb: TcpSkbCb = skb.cb
    flags = shinfo.tx_flags & SKBTX_ANY_TSTAMP
    if (flags or cb.txstamp_ack) and not before(shinfo.tskey, rest.cb.seq):
        shinfo.tx_flags &= ~flags
        after_cut.tx_flags |= flags
        shinfo.tskey, after_cut.tskey = after_cut.tskey, shinfo.tskey
        rest.cb.txstamp_ack, cb.txstamp_ack = cb.txstamp_ack, False


def tcp_skb_collapse_tstamp(skb: SkBuff, following: SkBuff) -> None:
    """`following` was joined to `skb`: its mark comes along. Linux: tcp_skb_collapse_tstamp."""
    theirs = following.shinfo
    flags = theirs.tx_flags & SKBTX_ANY_TSTAMP
    if flags or following.cb.txstamp_ack:
        skb.shinfo.tx_flags |= flags
        skb.shinfo.tskey = theirs.tskey
        skb.cb.txstamp_ack = skb.cb.txstamp_ack or following.cb.txstamp_ack
