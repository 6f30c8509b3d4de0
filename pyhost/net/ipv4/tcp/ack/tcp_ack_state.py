"""What a sender remembers from ACK to ACK, and what one ACK adds up to.

Linux: struct rate_sample (include/net/tcp.h) and struct tcp_sacktag_state (net/ipv4/tcp_input.c),
`rack` of struct tcp_sock.
"""

from __future__ import annotations

__all__ = ["AckSample", "RackState"]


class AckSample:
    """One ACK; each socket has one object and reuses it.

    - `prior_mstamp`, `prior_delivered`: when the newest acknowledged segment left, when (ns, 0: no
      sample) and how many segments had been delivered; `interval_us`, `delivered` since then
    - `rtt_us`: RTT of the last segment that was (S)ACKed, -1 none
    - `acked_sacked`, `losses`: segments that this ACK delivered, and newly lost ones
    - `reord`: the lowest sequence number that came late without having been retransmitted
    - `first_sackt`, `last_sackt`: when the first and last newly SACKed segments left (ns, 0: none)
    """

    __slots__ = (
        "acked_sacked", "delivered", "first_sackt", "flag", "interval_us", "is_app_limited",
        "last_end_seq", "last_sackt", "losses", "prior_delivered",
        "prior_mstamp", "reord", "rtt_us", "sack_delivered",
    )  # fmt: skip

    def __init__(self) -> None:
        self.last_end_seq = 0
        self.is_app_limited = False
        self.delivered = self.acked_sacked = self.losses = self.reord = 0
        self.reset()

    def reset(self) -> None:
        """Begin with a new ACK."""
        self.prior_mstamp = self.prior_delivered = 0
        self.interval_us = 0
        self.rtt_us = -1
        self.first_sackt = self.last_sackt = 0
        self.sack_delivered = 0
        self.flag = 0


class RackState:
    """The newest segment that was delivered (RFC 8985 section 5.2).

    - `tstamp`, `end_seq`, `rtt_us`: when it left (ns), where it ended, how long it took;
      `advanced`: it was renewed since losses were looked for
    - `reo_wnd_steps`: quarters of the smallest RTT that reordering may take; kept for
      `reo_wnd_persist` recoveries; `dsack_seen`: one more is due; `last_delivered`: when the last
      was added, in segments delivered
    """

    __slots__ = (
        "advanced", "dsack_seen", "end_seq", "last_delivered", "reo_wnd_persist", "reo_wnd_steps",
        "rtt_us", "tstamp",
    )  # fmt: skip

    def __init__(self) -> None:
        self.tstamp = self.rtt_us = self.end_seq = 0
        self.advanced = self.dsack_seen = False
        self.last_delivered = 0
        self.reo_wnd_steps = 1
        self.reo_wnd_persist = 0
