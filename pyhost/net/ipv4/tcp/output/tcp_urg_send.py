"""Sending urgent data: the pointer that MSG_OOB puts into headers. RFC 9293 section 3.8.5, RFC
6093. Linux: net/ipv4/tcp.c tcp_mark_urg, include/net/tcp.h tcp_urg_mode, net/ipv4/tcp_output.c.

`snd_up` is the sequence number behind the urgent byte, None when there is none or it was
acknowledged. (Linux keeps `snd_up` equal to `snd_una` then.) Until it is acknowledged every segment
before it says how far it is, segments are no longer than one MSS and Nagle holds nothing back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp.tcp_sock import after, before

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = ["URG_FARTHEST", "tcp_mark_urg", "tcp_urg_acked", "tcp_urg_pointer"]

URG_FARTHEST = 0xFFFF


def tcp_mark_urg(sk: TcpSock) -> None:
    """The last byte written is urgent. Linux: tcp_mark_urg."""
    sk.snd_up = sk.write_seq


def tcp_urg_acked(sk: TcpSock) -> None:
    """`snd_una` has moved: perhaps beyond the urgent byte. Linux: part of tcp_clean_rtx_queue."""
    if sk.snd_up is not None and not after(sk.snd_up, sk.snd_una):
        sk.snd_up = None


def tcp_urg_pointer(sk: TcpSock, seq: int) -> int:
    """The urgent pointer of a segment that begins at `seq`, 0: none. What is farther than the field
    can say is said to be as far as it can, unless later segments will tell.

    Linux: part of __tcp_transmit_skb.
    """
    end = sk.snd_up
    if end is None or not before(seq, end):
        return 0
    distance = end - seq & 0xFFFFFFFF
    if distance <= URG_FARTHEST:
        return distance
    return URG_FARTHEST if after(seq + URG_FARTHEST & 0xFFFFFFFF, sk.snd_nxt) else 0
