"""How far the network reorders, and counting duplicate ACKs where there is no SACK. Linux:
net/ipv4/tcp_input.c.

`reordering` is the number of later segments after which an earlier one is taken for lost. It
begins at sysctl tcp_reordering and grows, up to tcp_max_reordering, when a segment that was never
retransmitted turns up behind later ones.

Without SACK (`is_reno`) each duplicate ACK stands for one segment that arrived out of order:
`sacked_out` counts them, as if some segment, nobody knows which, had been SACKed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "tcp_add_reno_sack", "tcp_check_sack_reordering", "tcp_highest_sack_seq",
    "tcp_limit_reno_sacked", "tcp_remove_reno_sacks", "tcp_reset_reno_sack",
]  # fmt: skip


def tcp_highest_sack_seq(sk: TcpSock) -> int:
    """The end of the highest SACKed segment; `snd_una` when none is.

    Linux: tcp_highest_sack_seq.
    """
    return sk.highest_sack if sk.sacked_out else sk.snd_una


def tcp_check_sack_reordering(sk: TcpSock, low_seq: int, by_timestamp: bool) -> None:
    """A segment at `low_seq` came late, though it was sent only once.

    Linux: tcp_check_sack_reordering.
    """
    distance = tcp_highest_sack_seq(sk) - low_seq & 0xFFFFFFFF
    if not distance or distance & 0x80000000:
        return
    mss = sk.mss_cache
    if distance > sk.reordering * mss:
        sk.reordering = min(-(-distance // mss), sk.net.tcp.max_reordering)
    sk.reord_seen += 1
    sk.net.count("TCPTSReorder" if by_timestamp else "TCPSACKReorder")


def tcp_limit_reno_sacked(sk: TcpSock) -> bool:
    """At least one segment is missing, else there were no duplicate ACKs; whether more than the
    rest had been counted. Linux: tcp_limit_reno_sacked.
    """
    most = sk.packets_out - min(max(sk.lost_out, 1), sk.packets_out)
    if sk.sacked_out > most:
        sk.sacked_out = most
        return True
    return False


def _check_reno_reordering(sk: TcpSock, addend: int) -> None:
    """More duplicate ACKs than segments: the network reorders. Linux: tcp_check_reno_reordering."""
    if tcp_limit_reno_sacked(sk):
        sk.reordering = min(sk.packets_out + addend, sk.net.tcp.max_reordering)
        sk.reord_seen += 1
        sk.net.count("TCPRenoReorder")


def tcp_add_reno_sack(sk: TcpSock, num_dupack: int) -> None:
    """`num_dupack` duplicate ACKs have come. Linux: tcp_add_reno_sack."""
    if num_dupack:
        prior = sk.sacked_out
        sk.sacked_out = prior + num_dupack
        _check_reno_reordering(sk, 0)
        sk.delivered += max(sk.sacked_out - prior, 0)


def tcp_remove_reno_sacks(sk: TcpSock, acked: int) -> None:
    """`acked` segments are acknowledged: one filled the hole, the others had been counted.

    Linux: tcp_remove_reno_sacks.
    """
    if acked > 0:
        sk.delivered += max(acked - sk.sacked_out, 1)
        sk.sacked_out = max(sk.sacked_out - (acked - 1), 0)
    _check_reno_reordering(sk, acked)


def tcp_reset_reno_sack(sk: TcpSock) -> None:
    """Linux: tcp_reset_reno_sack."""
    sk.sacked_out = 0
