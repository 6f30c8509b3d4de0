"""The states of a neighbour, on the virtual clock."""

from __future__ import annotations

import pytest
from scapy.layers.l2 import ARP

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core import neighbour
from pyhost.net.core.neighbour import (
    NEIGH_UPDATE_F_OVERRIDE,
    NUD_DELAY,
    NUD_FAILED,
    NUD_INCOMPLETE,
    NUD_PERMANENT,
    NUD_PROBE,
    NUD_REACHABLE,
    NUD_STALE,
    Neighbour,
    neigh_confirm,
    neigh_event_send,
    neigh_lookup,
    neigh_lookup_or_create,
    neigh_output,
    neigh_update,
)
from tests.unit.net.device import B_ADDR, B_MAC, DeviceHost, device_pair, seconds


def lone_host() -> tuple[VirtualClock, DeviceHost]:
    clock = VirtualClock()
    return clock, DeviceHost(clock)


def entry(host: DeviceHost) -> Neighbour:
    neigh = neigh_lookup(host.net.arp_tbl, B_ADDR, host.dev)
    assert neigh is not None
    return neigh


def resolved() -> tuple[VirtualClock, DeviceHost, DeviceHost, Neighbour]:
    clock, a, b = device_pair()
    a.output(B_ADDR)
    clock.run(until=seconds(0.1))
    neigh = entry(a)
    assert neigh.nud_state == NUD_REACHABLE
    return clock, a, b, neigh


def times(host: DeviceHost) -> list[float]:
    return [ns / 1e9 for ns, _ in host.nic.frames]


@pytest.mark.claim("S38")
def test_three_requests_a_second_apart_and_then_failure() -> None:
    clock, a = lone_host()
    for _ in range(5):
        assert a.output(B_ADDR) == 0
    assert entry(a).nud_state == NUD_INCOMPLETE
    clock.run(until=seconds(2.999))
    assert times(a) == [0, 1, 2]
    assert entry(a).nud_state == NUD_INCOMPLETE
    clock.run()
    assert clock.now == seconds(3)
    assert times(a) == [0, 1, 2]
    assert all(frame.dst == "ff:ff:ff:ff:ff:ff" and frame[ARP].op == 1 for frame in a.sent())
    assert entry(a).nud_state == NUD_FAILED
    assert a.net.drops == {"NEIGH_FAILED": 5}
    assert a.net.skbs.alive == 0


def test_the_packet_after_a_failure_asks_again_at_once() -> None:
    clock, a = lone_host()
    a.output(B_ADDR)
    clock.run()
    a.output(B_ADDR)
    assert times(a) == [0, 1, 2, 3]
    assert entry(a).nud_state == NUD_INCOMPLETE


def test_every_packet_that_waited_is_reported_and_becomes_the_reporters() -> None:
    clock, a = lone_host()
    reported: list[int] = []

    def report(_: Neighbour, skb: object) -> None:
        reported.append(skb.key)  # type: ignore[attr-defined]
        neighbour.kfree_skb_reason(skb, "NEIGH_FAILED")  # type: ignore[arg-type]

    a.net.arp_tbl.error_report = report
    neigh = neigh_lookup_or_create(a.net.arp_tbl, B_ADDR, a.dev)
    assert neigh is not None
    packets = [a.packet(), a.packet()]
    keys = [skb.key for skb in packets]
    for skb in packets:
        neigh_output(neigh, skb)
    clock.run()
    assert reported == keys
    assert a.net.skbs.alive == 0


def test_a_full_queue_drops_the_oldest() -> None:
    clock, a, b = device_pair()
    size = a.packet().truesize
    a.net.kernel.sysctl["net.ipv4.neigh.default.unres_qlen_bytes"] = 3 * size
    a.nic.lose = lambda _: True
    for index in range(5):
        a.output(B_ADDR, b"%d" % index)
    assert entry(a).arp_queue_len_bytes == 3 * size
    assert a.net.drops == {"NEIGH_QUEUEFULL": 2}
    assert a.net.arp_tbl.unres_discards == 2
    a.nic.lose = None
    clock.run(until=seconds(1.5))
    assert [packet[:1] for packet in b.received] == [b"2", b"3", b"4"]


def test_the_queue_holds_212992_bytes_of_truesize() -> None:
    _, a = lone_host()
    count = 0
    while not a.net.drops:
        a.output(B_ADDR, bytes(1500))
        count += 1
    assert (count - 1) * a.packet(bytes(1500)).truesize <= 212992 < count * 2304


@pytest.mark.parametrize("seed", range(5))
def test_a_confirmation_holds_between_15_and_45_seconds(seed: int) -> None:
    clock, a, _ = device_pair(seed=seed)
    a.output(B_ADDR)
    clock.run(until=seconds(0.1))
    confirmed = entry(a).confirmed
    clock.run(until=confirmed + seconds(14.99))
    assert entry(a).nud_state == NUD_REACHABLE
    clock.run(until=confirmed + seconds(45.01))
    assert entry(a).nud_state == NUD_STALE


def test_hold_times_differ_and_come_from_the_seed() -> None:
    def hold(seed: int) -> int:
        _, a, _ = device_pair(seed=seed)
        a.output(B_ADDR)
        return entry(a).reachable_time

    assert hold(1) == hold(1)
    assert len({hold(seed) for seed in range(8)}) > 1


def test_a_stale_entry_is_used_and_then_probed_to_its_own_address() -> None:
    clock, a, _, neigh = resolved()
    clock.run(until=seconds(60))
    assert neigh.nud_state == NUD_STALE
    sent = len(a.nic.frames)
    a.output(B_ADDR)
    assert len(a.nic.frames) == sent + 1
    assert a.sent()[-1].type == 0x0800
    assert neigh.nud_state == NUD_DELAY
    clock.run(until=seconds(64.9))
    assert neigh.nud_state == NUD_DELAY
    clock.run(until=seconds(65.1))
    probe = a.sent()[-1]
    assert (probe.dst, probe[ARP].op) == ("02:00:00:00:00:02", 1)
    assert neigh.nud_state == NUD_REACHABLE


def test_a_confirmation_by_the_upper_layer_saves_the_probe() -> None:
    clock, a, _, neigh = resolved()
    clock.run(until=seconds(60))
    a.output(B_ADDR)
    sent = len(a.nic.frames)
    clock.run(until=seconds(62))
    neigh_confirm(a.net, a.dev, B_ADDR)
    clock.run(until=seconds(66))
    assert neigh.nud_state == NUD_REACHABLE
    assert len(a.nic.frames) == sent


def test_three_unicast_probes_without_an_answer_end_in_failure() -> None:
    clock, a, _, neigh = resolved()
    clock.run(until=seconds(60))
    a.nic.lose = lambda _: True
    a.output(B_ADDR)
    sent = len(a.nic.frames)
    clock.run(until=seconds(66.5))
    assert neigh.nud_state == NUD_PROBE
    a.output(B_ADDR, b"flows on")
    clock.run(until=seconds(70))
    probes = [frame for frame in a.sent()[sent:] if ARP in frame]
    assert [frame.dst for frame in probes] == ["02:00:00:00:00:02"] * 3
    assert times(a)[sent] == 65
    assert neigh.nud_state == NUD_FAILED


def test_an_address_that_may_not_override_is_ignored() -> None:
    _, _, _, neigh = resolved()
    neigh_update(neigh, b"\x02" * 6, NUD_STALE, 0)
    assert (neigh.ha, neigh.nud_state) == (B_MAC, NUD_REACHABLE)
    neigh_update(neigh, b"\x02" * 6, NUD_STALE, neighbour.NEIGH_UPDATE_F_OVERRIDE)
    assert (neigh.ha, neigh.nud_state) == (b"\x02" * 6, NUD_STALE)


def test_a_permanent_entry_obeys_the_administrator_alone() -> None:
    _, a, _, neigh = resolved()
    neigh_update(neigh, B_MAC, NUD_PERMANENT, neighbour.NEIGH_UPDATE_F_ADMIN)
    neigh_update(neigh, b"\x02" * 6, NUD_REACHABLE, neighbour.NEIGH_UPDATE_F_OVERRIDE)
    assert (neigh.ha, neigh.nud_state) == (B_MAC, NUD_PERMANENT)
    assert not neigh.timer.pending
    a.output(B_ADDR)
    assert a.sent()[-1].dst == "02:00:00:00:00:02"


def test_a_full_table_refuses_and_stale_entries_make_room() -> None:
    clock, a = lone_host()
    table = a.net.arp_tbl
    table.gc_thresh1 = table.gc_thresh2 = 2
    table.gc_thresh3 = 4
    for key in range(4):
        neigh = neigh_lookup_or_create(table, 0x0A000010 + key, a.dev)
        assert neigh is not None
        neigh_update(neigh, B_MAC, NUD_STALE, 0)
    assert neigh_lookup_or_create(table, 0x0A000020, a.dev) is None
    assert table.table_fulls == 1
    clock.run(until=seconds(6))
    assert neigh_lookup_or_create(table, 0x0A000020, a.dev) is not None
    assert len(table.entries) == 1


def test_settings_are_sysctls() -> None:
    clock, a = lone_host()
    a.kernel.sysctl["net.ipv4.neigh.default.retrans_time_ms"] = 250
    a.kernel.sysctl["net.ipv4.neigh.default.mcast_solicit"] = 2
    a.output(B_ADDR)
    clock.run()
    assert times(a) == [0, 0.25]
    assert clock.now == seconds(0.5)


def test_every_transition_of_the_table_leads_to_a_known_state() -> None:
    for (state, event), new in neighbour.TRANSITIONS.items():
        assert state in neighbour.NUD_NAMES
        assert new in neighbour.NUD_NAMES
        assert state != new
        assert event


@pytest.mark.parametrize(("unused", "state"), [(1, NUD_DELAY), (6, NUD_STALE)])
def test_an_entry_in_use_is_checked_when_its_time_is_over_an_idle_one_is_left(
    unused: int, state: int
) -> None:
    clock, _, _, neigh = resolved()
    end = neigh.confirmed + neigh.reachable_time
    clock.run(until=end - seconds(unused))
    assert neigh_event_send(neigh, None)
    clock.run(until=end)
    assert neigh.nud_state == state


def test_a_new_address_that_nobody_confirmed_is_asked_however_fresh_the_old_one_was() -> None:
    clock, a, _, neigh = resolved()
    neigh_confirm(a.net, a.dev, B_ADDR)
    other = bytes.fromhex("020000000099")
    neigh_update(neigh, other, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE)
    a.output(B_ADDR)
    assert neigh.nud_state == NUD_DELAY
    clock.run(until=clock.now + seconds(5))
    assert neigh.nud_state == NUD_PROBE
    assert a.sent()[-1].dst == "02:00:00:00:00:99"
