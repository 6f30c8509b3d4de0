"""A run against the RTL: build the card, start the simulator, and wait for what it says."""

from __future__ import annotations

import json
import os
import sys

from tb.build import BuildError, build, hdl_design
from tb.config import RunConfig
from tb.simulate import simulate
from tb.status import CHECK_FAILED, INTERRUPTION

__all__ = ["CONFIG_VARIABLE", "STDIO_VARIABLE", "run_rtl"]

CONFIG_VARIABLE = "PYHOST_RUN"
"""How the settings travel into the simulator's process: as JSON."""

STDIO_VARIABLE = "PYHOST_STDIO"
"""The three file descriptors that the programs use; the simulator's own output goes to `sim.log`.
"""

LOG_TAIL_LINES = 12


def run_rtl(config: RunConfig) -> int:
    """Do the run in Icarus or Verilator and return its exit status.

    Raises KeyboardInterrupt when that is what ended it.
    """
    try:
        folder = build(config.sim, hdl_design(), waves=config.waves)
    except BuildError as error:
        sys.stderr.write(f"pyhost: {error}\n")
        return CHECK_FAILED
    summary = config.out / "summary.json"
    summary.unlink(missing_ok=True)
    stdio = [os.dup(fd) for fd in (0, 1, 2)]
    try:
        with open(config.out / "sim.log", "w", encoding="utf-8") as log:
            simulate(
                config.sim,
                folder,
                top="hnic_tb",
                test_module="tb.sim.cosim",
                out=config.out,
                cwd=config.cwd,
                log=log,
                env={CONFIG_VARIABLE: config.to_json(), STDIO_VARIABLE: ",".join(map(str, stdio))},
                waves=config.waves,
                seed=config.seed,
                pass_fds=stdio,
            )
    finally:
        for fd in stdio:
            os.close(fd)
    if not summary.exists():
        return _died(config)
    record = json.loads(summary.read_text())
    if record["failure"] == INTERRUPTION:
        raise KeyboardInterrupt
    return int(record["exit_status"])


def _died(config: RunConfig) -> int:
    """The simulator ended without a result: show the end of what it said."""
    log = config.out / "sim.log"
    tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    sys.stderr.write(
        "\n".join([f"pyhost: the simulator ended without a result; {log} ends with:", *tail]) + "\n"
    )
    return CHECK_FAILED
