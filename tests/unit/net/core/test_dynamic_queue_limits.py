"""How the byte queue limit is learned from completions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import NSEC_PER_SEC, VirtualClock
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import dev_queue_xmit
from pyhost.net.core.dynamic_queue_limits import Dql
from tests.unit.net.device import DeviceHost, seconds


def sent(dql: Dql, *sizes: int) -> None:
    for size in sizes:
        dql.queued(size)


def test_the_first_object_is_always_taken_and_the_next_waits() -> None:
    dql = Dql(VirtualClock())
    assert dql.avail() == 0
    sent(dql, 1000)
    assert dql.avail() == -1000


def test_a_queue_that_ran_dry_at_its_limit_gets_a_higher_one() -> None:
    dql = Dql(VirtualClock())
    sent(dql, 1000)
    dql.completed(1000)
    assert (dql.limit, dql.avail()) == (1000, 1000)
    sent(dql, 1000, 1000)
    dql.completed(2000)
    # It grows by all that was queued since the last look.
    assert dql.limit == 3000


def test_a_queue_that_never_runs_dry_keeps_its_limit() -> None:
    clock = VirtualClock()
    dql = Dql(clock)
    sent(dql, 3000)
    dql.completed(3000)
    sent(dql, 1000, 1000, 1000)
    for _ in range(50):
        clock.now += NSEC_PER_SEC // 10
        dql.completed(1000)
        sent(dql, 1000)
    assert 1000 <= dql.limit <= 3000


def test_slack_is_taken_off_after_a_second() -> None:
    clock = VirtualClock()
    dql = Dql(clock)
    sent(dql, 20_000)
    dql.completed(20_000)
    assert dql.limit == 20_000
    sent(dql, 20_000)
    for _ in range(25):
        clock.now += NSEC_PER_SEC // 20
        dql.completed(1000)
        sent(dql, 1000)
    assert dql.limit < 20_000


def test_bounds_hold() -> None:
    dql = Dql(VirtualClock())
    dql.min_limit, dql.max_limit = 500, 1500
    sent(dql, 100)
    dql.completed(100)
    assert dql.limit == 500
    sent(dql, 4000)
    dql.completed(4000)
    assert dql.limit == 1500


def test_more_completed_than_queued_is_a_bug() -> None:
    dql = Dql(VirtualClock())
    sent(dql, 10)
    with pytest.raises(KernelBug, match="dql: 11 bytes completed, 10 under way"):
        dql.completed(11)


@given(st.lists(st.tuples(st.integers(1, 9000), st.integers(1, 12)), max_size=60))
def test_it_never_stalls_and_its_counts_agree(rounds: list[tuple[int, int]]) -> None:
    """Whoever sends while there is room and completes what is under way can always send again."""
    clock = VirtualClock()
    dql = Dql(clock)
    for size, most in rounds:
        count = 0
        while count < most and dql.avail() >= 0:
            dql.queued(size)
            count += 1
        assert count
        clock.now += 1_000_000
        dql.completed(dql.inflight)
        assert dql.inflight == 0
        assert dql.avail() >= 0


# -- the queue -------------------------------------------------------------------------------------


class Limits:
    """A queue whose driver reports bytes, with packets kept by the card until `complete`."""

    def __init__(self) -> None:
        self.host = DeviceHost(VirtualClock())
        self.txq = self.host.dev.tx[0]
        self.host.nic.hold = True
        xmit = self.host.nic.ndo_start_xmit

        def reporting(skb: object, dev: nd.NetDevice, more: bool) -> int:
            assert not self.txq.state
            size = skb.len  # type: ignore[attr-defined]
            rc = xmit(skb, dev, more)  # type: ignore[arg-type]
            self.txq.sent_queue_more(size, more)
            return rc

        self.host.nic.ndo_start_xmit = reporting  # type: ignore[method-assign]

    def complete(self) -> None:
        inflight = self.host.nic.inflight
        size = sum(skb.len for skb in inflight)
        packets = len(inflight)
        self.host.nic.complete()
        self.txq.completed_queue(packets, size)


def test_the_stack_is_held_back_and_goes_on_at_completion() -> None:
    limits = Limits()
    for index in range(5):
        dev_queue_xmit(limits.host.frame(bytes([index]) * 500))
    assert len(limits.host.nic.inflight) == 1
    assert limits.txq.state == nd.QUEUE_STATE_STACK_XOFF
    for _ in range(10):
        limits.complete()
        limits.host.clock.run(until=limits.host.clock.now + 1000)
    assert len(limits.host.nic.frames) == 5
    assert limits.txq.dql.inflight == 0
    assert limits.txq.state == 0


def test_a_limit_with_room_lets_packets_go_down_together() -> None:
    limits = Limits()
    limits.txq.dql.min_limit = 10_000
    dev_queue_xmit(limits.host.frame(bytes(500)))
    for _ in range(6):
        dev_queue_xmit(limits.host.frame(bytes(500)))
    limits.complete()
    limits.host.clock.run(until=1000)
    # The first of the six was refused by the queue before it was stopped for all.
    assert limits.host.nic.more == [False, False, True, True, True, True, False]


def test_a_queue_that_the_limit_stopped_is_watched() -> None:
    limits = Limits()
    dev_queue_xmit(limits.host.frame())
    limits.host.clock.run(until=seconds(5.5))
    assert limits.host.nic.timeouts == [seconds(5)]
    assert limits.txq.trans_timeout == 1


def test_reset_forgets_what_never_completed() -> None:
    limits = Limits()
    dev_queue_xmit(limits.host.frame())
    limits.txq.reset_queue()
    assert (limits.txq.state, limits.txq.dql.inflight, limits.txq.dql.limit) == (0, 0, 0)


def test_nothing_completed_changes_nothing() -> None:
    limits = Limits()
    dev_queue_xmit(limits.host.frame())
    limits.txq.completed_queue(0, 0)
    assert limits.txq.state == nd.QUEUE_STATE_STACK_XOFF
