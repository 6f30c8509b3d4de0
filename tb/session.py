"""One run of `pyhost run`, from its settings to its exit status."""

from __future__ import annotations

import os
import time
import traceback

from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import NSEC_PER_SEC, VirtualClock
from pyhost.kernel.kernel import Kernel
from tb.config import RunConfig
from tb.status import CHECK_FAILED, INTERRUPTED, INTERRUPTION
from tb.summary import RunRecord, package_versions, write_results, write_summary
from tb.testbed import Testbed
from tb.wire import Port

__all__ = ["conclude", "run"]


def run(config: RunConfig) -> int:
    """Do the run and return its exit status: the program's own, or 3 when a check of the
    co-simulation failed.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    if config.sim == "model":
        return run_model(config)
    from tb.rtl_session import run_rtl

    return run_rtl(config)


def run_model(config: RunConfig) -> int:
    """A run without a simulator: the Python model stands for the NIC, on the virtual clock."""
    clock = VirtualClock()

    def attach(kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
        return attach_hnic_model(kernel, clock, port, mac, config.link_rate_bps)

    testbed = Testbed(config, clock, attach)
    error: KernelBug | None = None
    try:
        testbed.start()
        clock.run(stop=testbed.finished)
    except KernelBug as bug:
        error = bug
    except KeyboardInterrupt as interrupt:
        conclude(testbed, interrupt, cycles=0)
        raise
    return conclude(testbed, error, cycles=0)


class Hang(Exception):
    """Nothing moves any more, and the program has not ended."""


def explain_hang(testbed: Testbed) -> str:
    """Why nothing moves any more: which tasks sleep, on which machine."""
    sleepers = [
        f"{kernel.name}: {task.name} (pid {task.pid})"
        for kernel in (testbed.host, testbed.peer)
        for task in kernel.sched.tasks.values()
    ]
    when = testbed.clock.now / NSEC_PER_SEC
    return f"nothing moves any more at {when:.9f} s, and these sleep: " + ", ".join(sleepers)


def conclude(testbed: Testbed, error: BaseException | None, *, cycles: int) -> int:
    """Close the captures, write the results, and say what the exit status is.

    `error` is what ended the run early. `summary.json` and `results.xml` say how it went, and
    `failure.txt` has the traceback of an error.
    """
    testbed.close()
    config = testbed.config
    error = testbed.oops or error
    if error is None and not testbed.finished():
        error = Hang(explain_hang(testbed))
    if error is None:
        testbed.kill_all()
    process = testbed.host_process
    status = process.exit_code if process is not None and process.exit_code is not None else 1
    failure: str | None = None
    if isinstance(error, KeyboardInterrupt):
        status = INTERRUPTED
        failure = INTERRUPTION
    elif error is not None:
        status = CHECK_FAILED
        failure = f"{type(error).__name__}: {error}"
        (config.out / "failure.txt").write_text("".join(traceback.format_exception(error)))
        where = os.path.relpath(config.out, config.cwd)
        testbed.say(f"co-simulation check failed: {failure} (results in {where})")
    record: RunRecord = {
        "name": config.program.stem,
        "sim": config.sim,
        "seed": config.seed,
        "exit_status": status,
        "failure": failure,
        "bytes": testbed.link.bytes,
        "frames": testbed.link.frames,
        "sim_time_ns": testbed.clock.now,
        "cycles": cycles,
        "wall_time_s": round(time.monotonic() - testbed.started, 6),
        "counters": testbed.counters(),
        "versions": package_versions(),
    }
    write_summary(config.out / "summary.json", record)
    write_results(config.out / "results.xml", record)
    return status
