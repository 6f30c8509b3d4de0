"""The default qdisc's three bands."""

from __future__ import annotations

import pytest

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core.dev import dev_change_tx_queue_len, dev_queue_xmit
from pyhost.net.core.netdevice import NET_XMIT_DROP, NET_XMIT_SUCCESS
from pyhost.net.sched.pfifo_fast import PFIFO_FAST_OPS
from pyhost.net.sched.qdisc import Qdisc, qdisc_create
from pyhost.uapi.errno import EINVAL, ERANGE
from tests.unit.net.device import DeviceHost

INTERACTIVE, BEST_EFFORT, BULK = 6, 0, 2


@pytest.fixture
def host() -> DeviceHost:
    host = DeviceHost(VirtualClock())
    host.dev.tx[0].stop_queue()
    return host


def sent_after_waking(host: DeviceHost) -> list[bytes]:
    host.dev.tx[0].wake_queue()
    host.clock.run()
    return [frame[14:].rstrip(b"\0") for _, frame in host.nic.frames]


def qdisc_of(host: DeviceHost) -> Qdisc:
    assert host.dev.qdisc is not None
    return host.dev.qdisc


@pytest.mark.claim("S39")
def test_pfifo_fast_is_the_default_with_three_bands(host: DeviceHost) -> None:
    qdisc = qdisc_of(host)
    assert qdisc.ops.id == "pfifo_fast"
    assert len(qdisc.priv) == 3
    assert qdisc.limit == 1000


@pytest.mark.claim("S39")
def test_bands_go_in_strict_order_and_each_in_order_of_arrival(host: DeviceHost) -> None:
    # The first packet finds an empty qdisc, goes round it and is put back at the head.
    dev_queue_xmit(host.frame(b"head", priority=BULK))
    for name, priority in (
        (b"bulk 1", BULK),
        (b"effort 1", BEST_EFFORT),
        (b"ssh 1", INTERACTIVE),
        (b"effort 2", BEST_EFFORT),
        (b"ssh 2", INTERACTIVE),
        (b"bulk 2", BULK),
    ):
        dev_queue_xmit(host.frame(name, priority=priority))
    expected = [b"head", b"ssh 1", b"ssh 2", b"effort 1", b"effort 2", b"bulk 1", b"bulk 2"]
    assert sent_after_waking(host) == expected


@pytest.mark.parametrize(
    ("priority", "band"),
    [*enumerate([1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]), (16, 1), (22, 0)],
)
def test_a_priority_has_its_band(host: DeviceHost, priority: int, band: int) -> None:
    qdisc = qdisc_of(host)
    assert qdisc.enqueue is not None
    assert qdisc.enqueue(host.frame(priority=priority), qdisc, []) == NET_XMIT_SUCCESS
    assert [len(queue) for queue in qdisc.priv] == [int(band == at) for at in range(3)]


def test_each_band_holds_tx_queue_len_packets(host: DeviceHost) -> None:
    qdisc = qdisc_of(host)
    dev_queue_xmit(host.frame())
    for _ in range(1000):
        assert dev_queue_xmit(host.frame(priority=BULK)) == NET_XMIT_SUCCESS
    assert dev_queue_xmit(host.frame(priority=BULK)) == NET_XMIT_DROP
    assert dev_queue_xmit(host.frame(priority=INTERACTIVE)) == NET_XMIT_SUCCESS
    assert (qdisc.qlen, qdisc.drops) == (1002, 1)
    assert host.net.drops == {"QDISC_DROP": 1}
    assert len(sent_after_waking(host)) == 1002
    assert (qdisc.qlen, qdisc.backlog) == (0, 0)
    assert host.net.skbs.alive == 0


def test_peek_shows_what_dequeue_gives(host: DeviceHost) -> None:
    qdisc = qdisc_of(host)
    assert qdisc.enqueue is not None
    assert qdisc.ops.peek(qdisc) is None
    for priority in (BULK, INTERACTIVE):
        qdisc.enqueue(host.frame(priority=priority), qdisc, [])
    shown = qdisc.ops.peek(qdisc)
    assert shown is not None
    assert shown.priority == INTERACTIVE
    assert qdisc.dequeue(qdisc) is shown


def test_the_bands_follow_the_queue_length_of_the_device(host: DeviceHost) -> None:
    qdisc = qdisc_of(host)
    for index in range(6):
        dev_queue_xmit(host.frame(b"%d" % index))
    assert dev_change_tx_queue_len(host.dev, 3) == 0
    assert (qdisc.limit, qdisc.qlen, qdisc.drops) == (3, 4, 2)
    assert dev_queue_xmit(host.frame()) == NET_XMIT_DROP
    assert dev_change_tx_queue_len(host.dev, 4) == 0
    assert dev_queue_xmit(host.frame(b"last")) == NET_XMIT_SUCCESS
    # The first went round the qdisc and is on no band.
    assert sent_after_waking(host) == [b"0", b"1", b"2", b"3", b"last"]
    assert dev_change_tx_queue_len(host.dev, -1) == -ERANGE


def test_it_takes_no_options(host: DeviceHost) -> None:
    assert qdisc_create(PFIFO_FAST_OPS, host.dev.tx[0], {"limit": 3}) == -EINVAL
