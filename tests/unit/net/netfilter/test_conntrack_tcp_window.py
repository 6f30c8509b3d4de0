"""Which segments fit into a tracked TCP connection: the bounds of data and of acknowledgements."""

from __future__ import annotations

import pytest

from pyhost.net.netfilter.nf_conntrack_proto_tcp import STATE_NAMES
from pyhost.net.netfilter.nf_conntrack_tcp_window import (
    MAXACKWINCONST,
    NfCtTcp,
    Segment,
    tcp_in_window,
)
from pyhost.uapi.tcp import TCP_ACK, TCP_SYN

CLIENT, SERVER = 0, 1
WINDOW = 1000
CLIENT_ISN, SERVER_ISN = 0xFFFFFF00, 70_000
"""The client's numbers wrap around within the window; the server's do not."""


def segment(seq: int, ack: int, size: int = 0, flags: int = TCP_ACK) -> Segment:
    end = seq + size + bool(flags & TCP_SYN)
    return Segment(flags, seq % 2**32, ack % 2**32, WINDOW, end % 2**32, b"")


def connection() -> NfCtTcp:
    """After the handshake and 100 bytes of the client's; both windows are 1000 bytes."""
    tcp = NfCtTcp(STATE_NAMES.index("SYN_SENT"))
    assert tcp_in_window(tcp, CLIENT, segment(CLIENT_ISN, 0, flags=TCP_SYN), False)
    tcp.state = STATE_NAMES.index("SYN_RECV")
    reply = segment(SERVER_ISN, CLIENT_ISN + 1, flags=TCP_SYN | TCP_ACK)
    assert tcp_in_window(tcp, SERVER, reply, False)
    tcp.state = STATE_NAMES.index("ESTABLISHED")
    assert tcp_in_window(tcp, CLIENT, segment(CLIENT_ISN + 1, SERVER_ISN + 1, 100), False)
    return tcp


@pytest.mark.parametrize(
    ("seq", "size", "fits"),
    [
        (101, 10, True),
        (1, 100, True),
        (1001, 10, True),
        (1002, 10, False),
        (101 - 1000, 0, True),
        (101 - 1001, 0, False),
    ],
)
def test_data_lies_in_the_window_and_is_not_all_old(seq: int, size: int, fits: bool) -> None:
    """The client has sent up to 101 and may send up to 1001."""
    data = segment(CLIENT_ISN + seq, SERVER_ISN + 1, size)
    assert tcp_in_window(connection(), CLIENT, data, False) == fits
    assert tcp_in_window(connection(), CLIENT, data, True)


@pytest.mark.parametrize(
    ("ack", "fits"),
    [(101, True), (102, False), (101 - MAXACKWINCONST, True), (100 - MAXACKWINCONST, False)],
)
def test_an_acknowledgement_is_of_what_was_sent_and_not_too_old(ack: int, fits: bool) -> None:
    answer = segment(SERVER_ISN + 1, CLIENT_ISN + ack)
    assert tcp_in_window(connection(), SERVER, answer, False) == fits
