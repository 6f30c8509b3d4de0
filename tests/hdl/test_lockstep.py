"""The Verilog card and its Python model side by side: the same descriptors, buffers, registers and
frames, from a seed; then frames, completions, memory, registers and counters are compared.

`LOCKSTEP_SEEDS` chooses: "7", "1,5,9" or "1-40".
"""

from __future__ import annotations

import os
from typing import Any

import cocotb
import pytest

from tests.hdl.bench import run_module
from tests.hdl.lockstep.driver import LARGE, SMALL
from tests.hdl.lockstep.run import Lockstep

DAILY = "1-3"
DEEP = "1-6"
STEPS = 6
DEEP_STEPS = 20
CARD = {"AXI_DATA_W": 128, "TX_QUEUES": 4, "RX_QUEUES": 4}


def seeds(text: str) -> list[int]:
    """The seeds that "1,5,9-12" names."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def play(simulator: str, default: str, scale: str, parameters: dict[str, object]) -> None:
    """Run all seeds in one simulation; a failure says how its seed is repeated."""
    chosen = os.environ.get("LOCKSTEP_SEEDS", default)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCKSTEP_SEEDS", chosen)
        patch.setenv("LOCKSTEP_SCALE", scale)
        run_module(__file__, simulator, parameters, top="hnic_top")


def test_card_and_model_do_the_same(module_simulator: str) -> None:
    play(module_simulator, DAILY, "small", CARD)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("width", "queues"),
    [
        pytest.param(128, 4, id="128"),
        pytest.param(
            64,
            1,
            id="64-one-queue",
            marks=pytest.mark.xfail(reason="what differs with one queue is not examined yet"),
        ),
        pytest.param(512, 8, id="512"),
    ],
)
def test_card_and_model_do_the_same_for_long(
    simulators: tuple[str, ...], width: int, queues: int
) -> None:
    if not simulators:
        pytest.skip("no RTL simulator: see `pyhost doctor`")
    fast = "verilator" if "verilator" in simulators else simulators[0]
    parameters = {"AXI_DATA_W": width, "TX_QUEUES": queues, "RX_QUEUES": queues}
    play(fast, DEEP, "large", parameters)


@cocotb.test()
@cocotb.parametrize(seed=seeds(os.environ.get("LOCKSTEP_SEEDS", DAILY)))
async def seed(dut: Any, seed: int) -> None:
    large = os.environ.get("LOCKSTEP_SCALE") == "large"
    await Lockstep(dut, seed, LARGE if large else SMALL).run(DEEP_STEPS if large else STEPS)
