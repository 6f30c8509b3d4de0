"""The error queue and the pending error: what taking and forgetting entries does to them."""

from __future__ import annotations

import pytest

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core.errqueue import (
    SockExterr,
    skb_errqueue_purge,
    sock_dequeue_err_skb,
    sock_queue_err_skb,
)
from pyhost.net.core.skbuff import alloc_skb, consume_skb
from pyhost.net.ipv4.udp.udp import udp_prot
from pyhost.net.ipv4.udp.udp_sock import UdpSock
from pyhost.uapi.errno import ECONNREFUSED, EHOSTUNREACH, ENOMEM
from pyhost.uapi.errqueue import (
    SO_EE_ORIGIN_ICMP,
    SO_EE_ORIGIN_LOCAL,
    SO_EE_ORIGIN_TIMESTAMPING,
    SO_EE_ORIGIN_ZEROCOPY,
)
from pyhost.uapi.ip import IPPROTO_UDP
from pyhost.uapi.socket import AF_INET, SOCK_DGRAM
from tests.unit.net.device import DeviceHost


@pytest.fixture
def sk() -> UdpSock:
    return UdpSock(DeviceHost(VirtualClock()).net, AF_INET, SOCK_DGRAM, IPPROTO_UDP, udp_prot)


def queue(sk: UdpSock, origin: int, errno: int = 0) -> int:
    skb = alloc_skb(sk.net.skbs, 0)
    assert skb is not None
    skb.cb = SockExterr(errno, origin)
    err = sock_queue_err_skb(sk, skb)
    if err:
        consume_skb(skb)
    return err


def take(sk: UdpSock) -> int:
    skb = sock_dequeue_err_skb(sk)
    assert skb is not None
    errno: int = skb.cb.errno
    consume_skb(skb)
    return errno


def test_the_pending_error_is_that_of_the_next_entry_and_ends_with_the_last(sk: UdpSock) -> None:
    queue(sk, SO_EE_ORIGIN_ICMP, ECONNREFUSED)
    queue(sk, SO_EE_ORIGIN_ICMP, EHOSTUNREACH)
    sk.sk_err = ECONNREFUSED
    assert (take(sk), sk.sk_err) == (ECONNREFUSED, EHOSTUNREACH)
    assert (take(sk), sk.sk_err) == (EHOSTUNREACH, 0)
    assert sock_dequeue_err_skb(sk) is None


def test_other_news_leave_the_pending_error_alone(sk: UdpSock) -> None:
    queue(sk, SO_EE_ORIGIN_TIMESTAMPING)
    queue(sk, SO_EE_ORIGIN_LOCAL, EHOSTUNREACH)
    sk.sk_err = ECONNREFUSED
    take(sk)
    take(sk)
    assert sk.sk_err == ECONNREFUSED


def test_who_wants_no_more_errors_still_gets_what_it_asked_for(sk: UdpSock) -> None:
    for origin in (
        SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ZEROCOPY, SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_TIMESTAMPING,
    ):  # fmt: skip
        queue(sk, origin)
    skb_errqueue_purge(sk)
    left = [skb.cb.origin for skb in sk.sk_error_queue]
    assert left == [SO_EE_ORIGIN_ZEROCOPY, SO_EE_ORIGIN_TIMESTAMPING]


def test_a_full_receive_buffer_takes_no_news(sk: UdpSock) -> None:
    sk.sk_rcvbuf = 2000
    assert [queue(sk, SO_EE_ORIGIN_ICMP) for _ in range(3)] == [0, 0, -ENOMEM]
