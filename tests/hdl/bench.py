"""What the tests of single Verilog modules share: a runner, a clock, a pair of stream drivers.

A file `test_hnic_x.py` holds cocotb tests of module `hnic_x` (coroutines under `@cocotb.test`) and
a pytest function that calls `run_module(__file__)`. The variable HNIC_TEST_SIMS names the
simulators, separated by commas; the default is `icarus`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

__all__ = [
    "PERIOD_NS",
    "SIMULATORS",
    "Item",
    "StreamSink",
    "StreamSource",
    "each_simulator",
    "number",
    "run_module",
    "seeded",
    "start",
]

ROOT = Path(__file__).resolve().parents[2]
HDL = ROOT / "hdl"
SIMULATORS = tuple(os.environ.get("HNIC_TEST_SIMS", "icarus").split(","))
PERIOD_NS = 6.4

Item = dict[str, int]


each_simulator = pytest.mark.parametrize("sim", SIMULATORS)

# --- in pytest ----------------------------------------------------------------------------------


def run_module(
    test_file: str, simulator: str, parameters: Mapping[str, object] | None = None
) -> None:
    """Build the module that `test_file` is named after, run all cocotb tests of that file in it."""
    from cocotb_tools.runner import get_results, get_runner

    from tb.build import Design, build, file_list

    name = Path(test_file).stem
    top = name.removeprefix("test_")
    (source,) = HDL.glob(f"*/{top}.v")
    listing = source.with_suffix(".f")
    design = Design(
        top=top,
        sources=file_list(listing) if listing.exists() else (source,),
        includes=(HDL / "csr",),
        parameters=parameters or {},
        defines={"HNIC_CHECKS": 1},
    )
    build_dir = build(simulator, design)
    label = "-".join([name, simulator, *(f"{k}{v}" for k, v in (parameters or {}).items())])
    test_dir = ROOT / "build" / "hdl" / label
    test_dir.mkdir(parents=True, exist_ok=True)
    log = test_dir / "test.log"
    results = test_dir / "results.xml"
    results.unlink(missing_ok=True)
    before = dict(os.environ)
    try:
        get_runner(simulator).test(
            test_module=f"tests.hdl.{name}",
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=build_dir,
            test_dir=test_dir,
            results_xml=str(results),
            seed=os.environ.get("COCOTB_RANDOM_SEED", "1"),
            extra_env={"PYTHONPATH": f"{ROOT}:{before.get('PYTHONPATH', '')}"},
            log_file=log,
        )
    except (SystemExit, RuntimeError) as error:
        raise AssertionError(_tail(log)) from error
    finally:
        os.environ.clear()
        os.environ.update(before)
    count, failed = get_results(results)
    assert count, _tail(log)
    assert not failed, _tail(log)


def _tail(log: Path) -> str:
    return f"{log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-60:])


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
    dut.rst.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


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
        """Send all; returns in the cycle after the last one was taken."""
        edge = RisingEdge(self._dut.clk)
        for item in items:
            while self._rng.random() < self._pause:
                await edge
            for name, value in item.items():
                getattr(self._dut, f"{self._prefix}_{name}").value = value
            self._valid.value = 1
            await edge
            while self._ready is not None and not self._ready.value:
                await edge
            self._valid.value = 0


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
        """The next `count` items."""
        edge = RisingEdge(self._dut.clk)
        taken: list[Item] = []
        stalled: Item | None = None
        while len(taken) < count:
            ready = self._ready is None or self._rng.random() >= self._pause
            if self._ready is not None:
                self._ready.value = ready
            await edge
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
