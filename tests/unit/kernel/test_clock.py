"""The event queue: order, cancelling, and the two ways of running it."""

from __future__ import annotations

import pytest

from pyhost.kernel.clock import EventQueue, VirtualClock

MANY = 200


def test_events_run_in_order_of_time_and_then_of_asking():
    clock = VirtualClock()
    ran: list[str] = []
    for when, name in ((20, "c"), (10, "a"), (10, "b")):
        clock.call_at(when, lambda name=name: ran.append(name))
    clock.run()
    assert ran == ["a", "b", "c"]
    assert clock.now == 20


def test_a_time_in_the_past_means_now():
    clock = VirtualClock()
    clock.run(until=100)
    assert clock.call_at(5, lambda: None).when == 100


def test_a_cancelled_event_does_not_run():
    clock = VirtualClock()
    ran: list[int] = []
    clock.call_at(10, lambda: ran.append(1)).cancel()
    clock.run()
    assert ran == []
    assert clock.next_ns() is None


def test_cancelling_after_the_event_has_run_is_harmless():
    clock = VirtualClock()
    event = clock.call_at(10, lambda: None)
    clock.run()
    event.cancel()
    assert clock.next_ns() is None


@pytest.mark.parametrize("kind", [EventQueue, VirtualClock])
def test_an_event_that_cancels_many_others_loses_none_of_those_asked_for_after(kind):
    queue = kind()
    ran: list[str] = []
    doomed = [queue.call_at(1000 + i, lambda: ran.append("doomed")) for i in range(MANY)]

    def cancel_all_and_go_on() -> None:
        for event in doomed:
            event.cancel()
        queue.call_at(20, lambda: ran.append("after"))

    queue.call_at(10, cancel_all_and_go_on)
    queue.run_due(2000)
    assert ran == ["after"]


def test_run_until_ends_there_even_when_nothing_happens():
    clock = VirtualClock()
    clock.run(until=500)
    assert clock.now == 500


def test_stop_ends_the_run_after_the_event_that_made_it_true():
    clock = VirtualClock()
    ran: list[int] = []
    for when in (1, 2, 3):
        clock.call_at(when, lambda when=when: ran.append(when))
    clock.run(stop=lambda: len(ran) == 2)
    assert ran == [1, 2]
