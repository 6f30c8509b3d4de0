"""The states of a neighbour (NUD, neighbour unreachability detection).

Linux: include/net/neighbour.h, include/uapi/linux/neighbour.h.

An entry is in one of these states (RFC 4861 section 7.3):

- NONE: just made, nobody asked yet.
- INCOMPLETE: requests are being broadcast, packets wait in `arp_queue`. The first goes out at once,
  then one each retrans_time (1 s); after mcast_solicit (3) of them without an answer the entry has
  FAILED.
- REACHABLE: the address is known and was confirmed not long ago. Packets go out with the cached
  header. "Not long" is drawn anew between 0.5 and 1.5 times base_reachable_time (30 s).
- STALE: the address is known, nobody knows whether it still holds. The next packet is sent with it
  and moves the entry to DELAY.
- DELAY: packets flow; the upper layer has delay_first_probe_time (5 s) to confirm the neighbour by
  its own progress.
- PROBE: packets flow; ucast_solicit (3) requests go to the known address alone, one each
  retrans_time. No answer: FAILED.
- FAILED: nobody answered; waiting packets were reported and freed. The next packet starts again at
  once.
- NOARP, PERMANENT: the address follows from the device or was set by hand; no timer, no request.

`TRANSITIONS` says what each event does to each state; a pair that is not listed leaves the state
alone. `neighbour.py` sets the state's timer. An address learned from the wire changes state
through `neigh_update`, which knows more than the table: whether the address is new and may override
the old one.
"""

from __future__ import annotations

__all__ = [
    "EV_CONFIRMED",
    "EV_GAVE_UP",
    "EV_IDLE",
    "EV_SEND",
    "EV_UNCONFIRMED",
    "EV_USED",
    "NUD_CONNECTED",
    "NUD_DELAY",
    "NUD_FAILED",
    "NUD_INCOMPLETE",
    "NUD_IN_TIMER",
    "NUD_NAMES",
    "NUD_NOARP",
    "NUD_NONE",
    "NUD_PERMANENT",
    "NUD_PROBE",
    "NUD_REACHABLE",
    "NUD_STALE",
    "NUD_VALID",
    "TRANSITIONS",
]

NUD_NONE = 0x00
NUD_INCOMPLETE = 0x01
NUD_REACHABLE = 0x02
NUD_STALE = 0x04
NUD_DELAY = 0x08
NUD_PROBE = 0x10
NUD_FAILED = 0x20
NUD_NOARP = 0x40
NUD_PERMANENT = 0x80

NUD_CONNECTED = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE
NUD_VALID = NUD_CONNECTED | NUD_PROBE | NUD_STALE | NUD_DELAY
NUD_IN_TIMER = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE

NUD_NAMES = {
    NUD_NONE: "NONE", NUD_INCOMPLETE: "INCOMPLETE", NUD_REACHABLE: "REACHABLE", NUD_STALE: "STALE",
    NUD_DELAY: "DELAY", NUD_PROBE: "PROBE", NUD_FAILED: "FAILED", NUD_NOARP: "NOARP", NUD_PERMANENT:
    "PERMANENT",
}  # fmt: skip

EV_SEND = "a packet is to be sent"
EV_CONFIRMED = "timer, and it was confirmed in time"
EV_USED = "timer, not confirmed, but used lately"
EV_IDLE = "timer, neither confirmed nor used"
EV_UNCONFIRMED = "timer, not confirmed"
EV_GAVE_UP = "timer, and all requests were sent"

TRANSITIONS: dict[tuple[int, str], int] = {
    (NUD_NONE, EV_SEND): NUD_INCOMPLETE,
    (NUD_FAILED, EV_SEND): NUD_INCOMPLETE,
    (NUD_STALE, EV_SEND): NUD_DELAY,
    (NUD_INCOMPLETE, EV_GAVE_UP): NUD_FAILED,
    (NUD_REACHABLE, EV_USED): NUD_DELAY,
    (NUD_REACHABLE, EV_IDLE): NUD_STALE,
    (NUD_DELAY, EV_CONFIRMED): NUD_REACHABLE,
    (NUD_DELAY, EV_UNCONFIRMED): NUD_PROBE,
    (NUD_PROBE, EV_GAVE_UP): NUD_FAILED,
}
