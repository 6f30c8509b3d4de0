"""The connection's states, and what moves it from one to the next. RFC 9293 section 3.3.2. Linux:
include/net/tcp_states.h, net/ipv4/tcp.c.

A TCP connection is two streams that end one after the other, and each end is told by a FIN. The
state says how far the two ends have come:

- *our* end: close() or shutdown(SHUT_WR) queues a FIN behind what is still to be sent. From that
  moment the state is FIN_WAIT1 (we were first) or LAST_ACK (the peer was), although the FIN itself
  may leave much later: Linux changes the state when the FIN is queued.
- *their* end: the peer's FIN counts when it is next in line, so never before the data in front of
  it has come.

Whoever closes first must remember the connection for a while, because the last ACK may be lost and
the peer's FIN may come again: that is TIME_WAIT. It needs only addresses, sequence numbers and a
clock, so a small `TimewaitSock` takes the place of the socket. It also takes over in FIN_WAIT2
when no process is left that could read. The peer that closes last has nothing to remember: its FIN
is acknowledged, and that is all.

Three events move a connection, and there is one table for each: `ON_CLOSE` (we end our stream),
`ON_FIN` (their FIN is next in line) and `ON_FIN_ACKED` (our FIN is acknowledged). Everything else
that changes the state is not on this way: connect, listen, the handshake, and the ends that are no
farewell (reset, timeout, abort), which lead to CLOSE from everywhere.
"""

from __future__ import annotations

from pyhost.net.core.sock import (
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_LAST_ACK,
    TCP_LISTEN,
    TCP_NEW_SYN_RECV,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    TCP_TIME_WAIT,
)

__all__ = [
    "ON_CLOSE", "ON_FIN", "ON_FIN_ACKED", "STATE_NAMES", "TCPF_CAN_SEND",
    "TCPF_CLOSE", "TCPF_CLOSE_WAIT", "TCPF_CLOSING", "TCPF_ESTABLISHED", "TCPF_FIN_WAIT1",
    "TCPF_FIN_WAIT2", "TCPF_LAST_ACK", "TCPF_LISTEN", "TCPF_SYN_RECV", "TCPF_SYN_SENT",
    "TCPF_TIME_WAIT", "TCPF_XMIT",
]  # fmt: skip

TCPF_ESTABLISHED = 1 << TCP_ESTABLISHED
TCPF_SYN_SENT = 1 << TCP_SYN_SENT
TCPF_SYN_RECV = 1 << TCP_SYN_RECV
TCPF_FIN_WAIT1 = 1 << TCP_FIN_WAIT1
TCPF_FIN_WAIT2 = 1 << TCP_FIN_WAIT2
TCPF_TIME_WAIT = 1 << TCP_TIME_WAIT
TCPF_CLOSE = 1 << TCP_CLOSE
TCPF_CLOSE_WAIT = 1 << TCP_CLOSE_WAIT
TCPF_LAST_ACK = 1 << TCP_LAST_ACK
TCPF_LISTEN = 1 << TCP_LISTEN
TCPF_CLOSING = 1 << TCP_CLOSING

TCPF_CAN_SEND = TCPF_ESTABLISHED | TCPF_CLOSE_WAIT
"""A program may hand over data."""

TCPF_XMIT = TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_CLOSE_WAIT | TCPF_LAST_ACK
"""Queued data, or the FIN, may still have to leave."""

ON_CLOSE: dict[int, tuple[int, bool]] = {
    TCP_ESTABLISHED: (TCP_FIN_WAIT1, True),
    TCP_SYN_SENT: (TCP_CLOSE, False),
    TCP_SYN_RECV: (TCP_FIN_WAIT1, True),
    TCP_FIN_WAIT1: (TCP_FIN_WAIT1, False),
    TCP_FIN_WAIT2: (TCP_FIN_WAIT2, False),
    TCP_TIME_WAIT: (TCP_CLOSE, False),
    TCP_CLOSE: (TCP_CLOSE, False),
    TCP_CLOSE_WAIT: (TCP_LAST_ACK, True),
    TCP_LAST_ACK: (TCP_LAST_ACK, False),
    TCP_LISTEN: (TCP_CLOSE, False),
    TCP_CLOSING: (TCP_CLOSING, False),
}
"""state → (next state, whether a FIN is sent). Linux: new_state[]."""

ON_FIN: dict[int, int] = {
    TCP_SYN_RECV: TCP_CLOSE_WAIT,
    TCP_ESTABLISHED: TCP_CLOSE_WAIT,
    TCP_FIN_WAIT1: TCP_CLOSING,
    TCP_FIN_WAIT2: TCP_TIME_WAIT,
}
"""state → next state when the peer's FIN is next in line; no change in other states.

Linux: tcp_fin.
"""

ON_FIN_ACKED: dict[int, int] = {
    TCP_FIN_WAIT1: TCP_FIN_WAIT2,
    TCP_CLOSING: TCP_TIME_WAIT,
    TCP_LAST_ACK: TCP_CLOSE,
}
"""state → next state when our FIN is acknowledged. Linux: tcp_rcv_state_process."""

STATE_NAMES = {
    TCP_ESTABLISHED: "ESTABLISHED",
    TCP_SYN_SENT: "SYN_SENT",
    TCP_SYN_RECV: "SYN_RECV",
    TCP_FIN_WAIT1: "FIN_WAIT1",
    TCP_FIN_WAIT2: "FIN_WAIT2",
    TCP_TIME_WAIT: "TIME_WAIT",
    TCP_CLOSE: "CLOSE",
    TCP_CLOSE_WAIT: "CLOSE_WAIT",
    TCP_LAST_ACK: "LAST_ACK",
    TCP_LISTEN: "LISTEN",
    TCP_CLOSING: "CLOSING",
    TCP_NEW_SYN_RECV: "NEW_SYN_RECV",
}
