"""The cocotb test behind `make bench-hw`: all cases of one build, a line of JSON each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb

from tests.bench.hw.bench_card import BenchCard
from tests.bench.hw.cases import Build, Case, all_builds

BUILD_VARIABLE = "PYHOST_BENCH_BUILD"
ROWS_VARIABLE = "PYHOST_BENCH_ROWS"
ONLY_VARIABLE = "PYHOST_BENCH_ONLY"


def chosen(build: Build, only: str) -> list[Case]:
    """The cases whose name holds `only`."""
    return [case for case in build.cases if only in case.name]


@cocotb.test()
async def measure(dut: Any) -> None:
    """Measure every case of the build that the environment names."""
    build = next(build for build in all_builds() if build.name == os.environ[BUILD_VARIABLE])
    card = BenchCard(dut, build)
    await card.start()
    with Path(os.environ[ROWS_VARIABLE]).open("w") as rows:
        for case in chosen(build, os.environ[ONLY_VARIABLE]):
            rows.write(json.dumps(await card.run(case)) + "\n")
            rows.flush()
