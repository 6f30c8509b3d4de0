"""The benchmarks measure what they say: everything written arrives, in full segments."""

from __future__ import annotations

import pytest

from tests.bench.layers import profile_layers
from tests.bench.sender import Sender
from tests.bench.stack import CASES, Case, measure

SIZE = 300_001
MSS = 1448


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_that_is_written_reaches_the_card(case: Case) -> None:
    result = measure(Sender(case.features), SIZE)
    assert result.payload == SIZE
    assert SIZE // MSS + 1 <= result.segments <= SIZE // MSS + 10


def test_a_card_that_segments_gets_fewer_and_bigger_packets() -> None:
    off, on = (measure(Sender(case.features), SIZE) for case in CASES)
    assert off.packets == off.segments
    assert on.packets * 4 < on.segments


def test_nothing_is_left_behind() -> None:
    sender = Sender(CASES[0].features)
    measure(sender, SIZE)
    live = sender.kernel.net.skbs.alive
    measure(sender, SIZE)
    assert sender.kernel.net.skbs.alive == live


def test_a_profile_names_the_layers_of_the_way_down() -> None:
    sender = Sender(CASES[0].features)
    rows = profile_layers(lambda: measure(sender, SIZE))
    assert sum(share for _, share, _ in rows) == pytest.approx(1)
    assert {"TCP: output", "IP out", "qdisc", "device"} <= {layer for layer, _, _ in rows}
