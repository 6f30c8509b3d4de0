"""The scripts of a job, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from tb.packetdrill.bench import LINK_RATE_BPS, Bench, broken_down
from tb.packetdrill.job import Job, Outcome, load
from tb.packetdrill.report import Report
from tb.packetdrill.rtl import outcomes_on_rtl
from tb.wire import Port

__all__ = ["run_job", "run_on_model"]


def run_job(job: Job) -> int:
    """Run the scripts and print what becomes of them; returns the exit status."""
    report = Report(job, sys.stdout)
    on_nic = _outcomes_on_model if job.sim == "model" else outcomes_on_rtl
    for outcome in on_nic(job, sys.stdout):
        report.add(outcome)
    return report.close()


def _outcomes_on_model(job: Job, output: IO[str]) -> Iterator[Outcome]:
    return (run_on_model(job, file, output) for file in job.files)


def run_on_model(job: Job, file: Path, output: IO[str]) -> Outcome:
    """One script with the Python model for the NIC, on a virtual clock."""
    loaded = load(job, file)
    if isinstance(loaded, Outcome):
        return loaded
    clock = VirtualClock()

    def attach(kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
        return attach_hnic_model(kernel, clock, port, mac, LINK_RATE_BPS)

    try:
        bench = Bench(*loaded, clock, attach, job, output)
        bench.start()
        clock.run(stop=bench.finished)
    except Exception as error:
        return broken_down(str(file), error)
    return bench.outcome(None)
