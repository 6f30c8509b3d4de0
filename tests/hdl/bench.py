"""What the tests of single Verilog modules share: a runner, a clock, a pair of stream drivers.

A file `test_hnic_x.py` holds cocotb tests of module `hnic_x` (coroutines under `@cocotb.test`) and
a pytest function that calls `run_module(__file__, module_simulator)`. Daily that is Icarus;
`SIM=verilator pytest tests/hdl` runs everything in Verilator.
"""

from __future__ import annotations

import os
import random
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.handle import SimHandleBase
from cocotb.triggers import ClockCycles, RisingEdge

from tb.build import Design, build, file_list
from tb.simulate import simulate

__all__ = [
    "PERIOD_NS",
    "Item",
    "StreamSink",
    "StreamSource",
    "deep",
    "interrupt",
    "number",
    "reset",
    "run_module",
    "seeded",
    "start",
]

ROOT = Path(__file__).resolve().parents[2]
HDL = ROOT / "hdl"
PERIOD_NS = 6.4

Item = dict[str, int]

# --- in pytest ----------------------------------------------------------------------------------


def deep(*values: object) -> list[Any]:
    """Parameters of a test that only `make deep` runs: tuples where a test has several."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.deep)
        for value in values
    ]


def run_module(
    test_file: str,
    simulator: str,
    parameters: Mapping[str, object] | None = None,
    *,
    only: str = "",
    top: str = "",
) -> None:
    """Build the module that `test_file` is named after, or the bench `top` of this folder around
    it, and run the cocotb tests of that file in it: all, or those whose name matches the regular
    expression `only`.
    """
    name = Path(test_file).stem
    top = top or name.removeprefix("test_")
    parameters = parameters or {}
    label = "-".join([name, simulator, *(f"{k}{v}" for k, v in parameters.items())])
    out = ROOT / "build" / "hdl" / label
    out.mkdir(parents=True, exist_ok=True)
    results = out / "cocotb-results.xml"
    results.unlink(missing_ok=True)
    with open(out / "test.log", "w") as log:
        status = simulate(
            simulator,
            build(simulator, _design(top, parameters)),
            top=top,
            test_module=f"tests.hdl.{name}",
            out=out,
            cwd=out,
            log=log,
            env={"COCOTB_TEST_FILTER": only},
            seed=int(os.environ.get("COCOTB_RANDOM_SEED", "1")),
        )
    said = "\n".join((out / "test.log").read_text(errors="replace").splitlines()[-60:])
    assert status == 0, said
    assert results.exists(), said
    cases = ElementTree.parse(results).findall(".//testcase")
    ran = [case for case in cases if case.find("skipped") is None]
    assert ran, said
    assert not [c.get("name") for c in ran if c.find("failure") is not None], said


def _design(top: str, parameters: Mapping[str, object]) -> Design:
    (source,) = [*HDL.glob(f"*/{top}.v"), *Path(__file__).parent.glob(f"{top}.v")]
    listing = source.with_suffix(".f")
    return Design(
        top=top,
        sources=file_list(listing) if listing.exists() else (source,),
        includes=(HDL / "csr",),
        parameters=parameters,
        defines={"HNIC_CHECKS": 1},
    )


# --- in the simulator ---------------------------------------------------------------------------


def seeded() -> random.Random:
    """A random source that repeats with COCOTB_RANDOM_SEED."""
    return random.Random(cocotb.RANDOM_SEED)


def number(handle: Any) -> int:
    """The value of a signal; bits that have none count as 0, as those behind a frame's end may."""
    value = handle.value
    if value.is_resolvable:
        return int(value)
    return int(str(value).translate(str.maketrans("XxZzUuWw-", "000000000")), 2)


async def start(dut: SimHandleBase, **inputs: int) -> None:
    """Clock and reset; `inputs` are driven from the beginning."""
    for name, value in inputs.items():
        getattr(dut, name).value = value
    Clock(dut.clk, PERIOD_NS, "ns", impl="gpi").start()
    await reset(dut)


async def reset(dut: SimHandleBase, **inputs: int) -> None:
    """Reset with the clock running. Drivers and models under way see it and end before `inputs` are
    driven.
    """
    edge = RisingEdge(dut.clk)
    dut.rst.value = 1
    await edge
    for name, value in inputs.items():
        getattr(dut, name).value = value
    await edge
    await edge
    dut.rst.value = 0
    await edge


async def interrupt(dut: SimHandleBase, traffic: Coroutine[Any, Any, Any], count: int) -> None:
    """Give `traffic` that many cycles, then drop it: what the module is at is in flight."""
    task = cocotb.start_soon(traffic)
    await ClockCycles(dut.clk, count)
    task.cancel()


class StreamSource:
    """Drives `prefix_valid` and the fields of one item after another, with pauses between them."""

    def __init__(
        self, dut: SimHandleBase, prefix: str, rng: random.Random, pause: float = 0.0
    ) -> None:
        self._dut = dut
        self._prefix = prefix
        self._rng = rng
        self._pause = pause
        self._valid = getattr(dut, f"{prefix}_valid")
        self._ready = getattr(dut, f"{prefix}_ready", None)
        self._valid.value = 0

    async def send(self, items: Sequence[Item]) -> None:
        """Send all; returns in the cycle after the last one was taken, or in a reset."""
        edge, rst = RisingEdge(self._dut.clk), self._dut.rst
        for item in items:
            while self._rng.random() < self._pause:
                await edge
                if rst.value:
                    return
            for name, value in item.items():
                getattr(self._dut, f"{self._prefix}_{name}").value = value
            self._valid.value = 1
            await edge
            while self._ready is not None and not self._ready.value and not rst.value:
                await edge
            self._valid.value = 0
            if rst.value:
                return


class StreamSink:
    """Takes items from a valid/ready stream, with pauses; checks that stalled items stand still."""

    def __init__(
        self,
        dut: SimHandleBase,
        prefix: str,
        fields: Sequence[str],
        rng: random.Random,
        pause: float = 0.0,
    ) -> None:
        self._dut = dut
        self._rng = rng
        self._pause = pause
        self._valid = getattr(dut, f"{prefix}_valid")
        self._ready = getattr(dut, f"{prefix}_ready", None)
        self._fields: dict[str, Any] = {name: getattr(dut, f"{prefix}_{name}") for name in fields}
        self.items: list[Item] = []
        if self._ready is not None:
            self._ready.value = 0

    async def take(self, count: int) -> list[Item]:
        """The next `count` items, fewer when a reset comes."""
        edge, rst = RisingEdge(self._dut.clk), self._dut.rst
        taken: list[Item] = []
        stalled: Item | None = None
        while len(taken) < count:
            ready = self._ready is None or self._rng.random() >= self._pause
            if self._ready is not None:
                self._ready.value = ready
            await edge
            if rst.value:
                break
            if not self._valid.value:
                assert stalled is None, "valid fell without a transfer"
                continue
            item = {name: number(handle) for name, handle in self._fields.items()}
            assert stalled in (None, item), "payload moved while stalled"
            stalled = None if ready else item
            if ready:
                taken.append(item)
        if self._ready is not None:
            self._ready.value = 0
        self.items += taken
        return taken
