"""The connection that the script is about, and how its numbers map to the live ones.

A script counts from 0 on both sides. The peer's live initial sequence number is the script's own;
the stack's is learnt from the first SYN or SYN-ACK that it sends. Packets with the SYN flag have
numbers of the script's space, all others are relative to the initial sequence number, so that the
first byte is 1.

    socket ─→ NEW ─ listen ─→ LISTENING
               │                  └─ inbound packet ─→ a new flow: PACKET_RECEIVED
               │                        ─ SYN-ACK ─→ SYNACK_SENT ─ inbound ACK ─→ SYNACK_ACKED
               └─ connect ─→ CONNECTING ─ outbound SYN in the script ─→ SYN_SENT
                                 ─ inbound SYN-ACK ─→ SYN_ACKED
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.packets import Endpoints, TcpSegment
from pyhost.packetdrill.settings import Settings
from pyhost.packetdrill.tcp_options import shift_sack, timestamps, with_timestamps

__all__ = [
    "CONNECTING", "LISTENING", "NEW", "PACKET_RECEIVED", "SYNACK_ACKED", "SYNACK_SENT",
    "SYN_ACKED", "SYN_SENT", "Flow",
]  # fmt: skip

NEW = "new"
LISTENING = "listening"
PACKET_RECEIVED = "packet received"
SYNACK_SENT = "SYN-ACK sent"
SYNACK_ACKED = "SYN-ACK acknowledged"
CONNECTING = "connecting"
SYN_SENT = "SYN sent"
SYN_ACKED = "SYN acknowledged"

_MASK = 0xFFFFFFFF


@dataclass(slots=True)
class Flow:
    """One socket of the script. `ends` has the stack as source; ports that are not yet known are 0.

    `live_fd` is -1 for a connection that was not yet accepted.
    """

    protocol: int
    state: str = NEW
    live_fd: int = -1
    ends: Endpoints = field(default_factory=lambda: Endpoints(0, 0, 0, 0))
    script_local_isn: int = 0
    live_local_isn: int = 0
    remote_isn: int = 0
    ts_live: dict[int, int] = field(default_factory=dict)
    first_ts: tuple[int, int] | None = None
    last_injected: TcpSegment | None = None
    last_sent: TcpSegment | None = None

    # -- offsets -----------------------------------------------------------------------------------

    def _local_offset(self, syn: bool) -> int:
        """What is added to a number of the stack's own sequence space, from script to live."""
        return self.live_local_isn - (self.script_local_isn if syn else 0)

    def _remote_offset(self, syn: bool) -> int:
        """The same for the peer's sequence space. Both its initial numbers are the same."""
        return 0 if syn else self.remote_isn

    # -- inbound -----------------------------------------------------------------------------------

    def to_live(self, segment: TcpSegment, settings: Settings) -> TcpSegment:
        """The live form of a segment that the script injects."""
        syn = segment.has("S")
        acked = segment.has(".")
        offset = self._local_offset(syn)
        live = replace(
            segment,
            ends=self.ends.reversed(),
            seq=segment.seq + self._remote_offset(syn) & _MASK,
            ack=segment.ack + offset & _MASK if acked else segment.ack,
            options=shift_sack(segment.options, offset),
        )
        stamps = timestamps(live.options)
        if acked and stamps is not None:
            echo = self._live_echo(stamps[1], settings)
            live = replace(live, options=with_timestamps(live.options, stamps[0], echo))
        return live

    def _live_echo(self, echo: int, settings: Settings) -> int:
        if echo in self.ts_live:
            return self.ts_live[echo]
        if settings.tcp_ts_ecr_scaled and self.first_ts is not None:
            script, live = self.first_ts
            return echo - script + live & _MASK
        raise ScriptFailure(
            f"unable to infer live TS ecr for script TS ecr {echo};  "
            "no matching or preceding outbound TS val"
        )

    def echoed_seq(self, seq: int) -> int:
        """The live sequence number in the segment that an ICMP message quotes."""
        return seq + self._local_offset(False) & _MASK

    # -- outbound ----------------------------------------------------------------------------------

    def to_script(self, segment: TcpSegment) -> TcpSegment:
        """A segment of the stack in the script's numbers, timestamps left as they are."""
        syn = segment.has("S")
        offset = -self._remote_offset(syn)
        return replace(
            segment,
            seq=segment.seq - self._local_offset(syn) & _MASK,
            ack=segment.ack + offset & _MASK if segment.has(".") else segment.ack,
            options=shift_sack(segment.options, offset),
        )

    def learn_timestamps(self, script: TcpSegment, actual: TcpSegment) -> TcpSegment:
        """Remember which live timestamp stands for the script's; the segment with its own mapped to
        the script's clock.
        """
        said, seen = timestamps(script.options), timestamps(actual.options)
        if said is None or seen is None:
            return actual
        self.ts_live[said[0]] = seen[0]
        if self.first_ts is None:
            self.first_ts = said[0], seen[0]
        first_script, first_live = self.first_ts
        value = first_script + seen[0] - first_live & _MASK
        return replace(actual, options=with_timestamps(actual.options, value, seen[1]))

    # -- the end -----------------------------------------------------------------------------------

    def reset_segment(self) -> TcpSegment | None:
        """A RST that the stack accepts, in live numbers; None when nothing was ever sent."""
        injected, sent = self.last_injected, self.last_sent
        window = 0
        if injected is not None and injected.has("."):
            length = len(injected.payload) + injected.has("S") + injected.has("F")
            seq, ack, window = injected.seq + length, injected.ack, injected.window
        elif sent is not None and sent.has("."):
            seq, ack = sent.ack, sent.seq
        elif sent is not None:
            seq, ack = 0, sent.seq + 1
        else:
            return None
        return TcpSegment(
            seq & _MASK, ack & _MASK, 0x014, window, 0, b"", b"", ends=self.ends.reversed()
        )
