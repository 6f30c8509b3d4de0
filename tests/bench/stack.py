"""How fast the stack alone is: from `write()` to `ndo_start_xmit`, without simulator or wire.

    python -m tests.bench.stack [--megabytes N] [--repeats N] [--json FILE]

Each case is run once to warm up, then `--repeats` times, the cases taking turns, so that a machine
that slows down does so for all. Printed are the median and the range. Then one profiled run a case
tells the layers' shares; a profile makes Python slower, so it gives shares, not times.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO
from tests.bench.layers import profile_layers
from tests.bench.sender import Sender

__all__ = ["CASES", "Case", "Result", "measure"]

MSS = 1448
CHUNK = 65536


class Case(NamedTuple):
    """A card, and what must be reached with it."""

    name: str
    features: int
    unit: str
    goal: float


CASES = (
    Case("TSO off", NETIF_F_SG | NETIF_F_HW_CSUM, "segments/s", 4000),
    Case("TSO on", NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO, "MB/s", 20),
)


class Result(NamedTuple):
    """One timed run."""

    seconds: float
    segments: int
    payload: int
    packets: int

    def rate(self, unit: str) -> float:
        """Segments or megabytes (10^6 bytes) a second."""
        return (self.segments if unit == "segments/s" else self.payload / 1e6) / self.seconds


def measure(sender: Sender, size: int) -> Result:
    """Write `size` bytes and say what it took."""
    nic = sender.nic
    segments, packets = nic.segments, nic.packets
    seconds = sender.write(size, CHUNK)
    return Result(seconds, nic.segments - segments, size, nic.packets - packets)


def calibrate() -> float:
    """Seconds that a fixed piece of pure Python takes here and now: what ratios are made with."""

    def work() -> int:
        total = 0
        for number in range(1_000_000):
            total += number & 7
        return total

    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run_cases(size: int, repeats: int) -> dict[str, list[Result]]:
    """Every case `repeats` times, after a warm-up."""
    senders = {case.name: Sender(case.features) for case in CASES}
    for sender in senders.values():
        measure(sender, size // 4)
    results: dict[str, list[Result]] = {case.name: [] for case in CASES}
    for _ in range(repeats):
        for case in CASES:
            results[case.name].append(measure(senders[case.name], size))
    return results


def show_rates(results: dict[str, list[Result]], echo: Callable[[str], None]) -> None:
    """One line a case."""
    for case in CASES:
        runs = results[case.name]
        rates = sorted(run.rate(case.unit) for run in runs)
        micros = statistics.median(run.seconds / run.segments * 1e6 for run in runs)
        size = runs[-1].payload / runs[-1].packets
        echo(
            f"{case.name:8} {statistics.median(rates):10.1f} {case.unit:10} "
            f"({rates[0]:.1f} to {rates[-1]:.1f}, goal {case.goal:g})   "
            f"{micros:6.1f} us a segment, {size:.0f} bytes a packet"
        )


def show_layers(case: Case, size: int, echo: Callable[[str], None]) -> None:
    """The layers of one profiled run."""
    sender = Sender(case.features)
    measure(sender, size // 4)
    segments = sender.nic.segments
    rows = profile_layers(lambda: measure(sender, size))
    segments = sender.nic.segments - segments
    echo(f"\n{case.name}: where the time goes")
    for layer, share, calls in rows:
        echo(f"  {layer:28} {share:6.1%}  {calls / segments:6.2f} calls a segment")


@click.command()
@click.option("--megabytes", type=click.IntRange(1), default=12, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "report", type=click.Path(dir_okay=False, path_type=Path))
def main(megabytes: int, repeats: int, report: Path | None) -> None:
    """Measure the stack alone."""
    size = megabytes * 1_000_000
    before = calibrate()
    results = run_cases(size, repeats)
    after = calibrate()
    click.echo(
        f"a million turns of a Python loop: {before * 1e3:.1f} ms before, {after * 1e3:.1f} after"
    )
    show_rates(results, click.echo)
    for case in CASES:
        show_layers(case, size // 4, click.echo)
    if report is not None:
        data = {name: [run._asdict() for run in runs] for name, runs in results.items()}
        report.write_text(json.dumps({"loop_seconds": [before, after], "cases": data}, indent=2))


if __name__ == "__main__":
    main()
