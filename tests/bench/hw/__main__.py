"""`make bench-hw`: the line-rate table, as text and as build/bench-hw.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tb.build import Design, build, file_list
from tb.simulate import simulate
from tests.bench.hw.cases import Build, all_builds
from tests.bench.hw.cosim import BUILD_VARIABLE, ONLY_VARIABLE, ROWS_VARIABLE, chosen
from tests.bench.hw.page import write_page

ROOT = Path(__file__).resolve().parents[3]
HDL = ROOT / "hdl"
PAGE = ROOT / "docs" / "performance.md"
BENCH_HDL = ("axil_driver", "axi_memory", "frame_generator", "pace_meter", "hnic_bench")

Row = dict[str, object]


def design(built: Build) -> Design:
    """The bench with one build of the card."""
    return Design(
        top="hnic_bench",
        sources=(
            *file_list(HDL / "top" / "hnic_top.f"),
            *(ROOT / "tb" / "hdl" / f"{name}.v" for name in BENCH_HDL),
        ),
        includes=(HDL / "csr",),
        parameters={
            "AXI_DATA_W": built.axi_data_w,
            "GMII": int(built.gmii),
            "ENGINE": int(built.engine),
        },
    )


def measure(built: Build, sim: str, only: str) -> list[Row]:
    """Build, simulate, and read the rows. Raises RuntimeError when the simulation broke off."""
    out = ROOT / "build" / "bench-hw" / built.name
    out.mkdir(parents=True, exist_ok=True)
    rows = out / "rows.jsonl"
    rows.unlink(missing_ok=True)
    with open(out / "sim.log", "w") as log:
        simulate(
            sim,
            build(sim, design(built)),
            top="hnic_bench",
            test_module="tests.bench.hw.cosim",
            out=out,
            cwd=out,
            log=log,
            env={BUILD_VARIABLE: built.name, ROWS_VARIABLE: str(rows), ONLY_VARIABLE: only},
        )
    lines = rows.read_text().splitlines() if rows.exists() else []
    if len(lines) < len(chosen(built, only)):
        raise RuntimeError(f"{built.name}: the simulation broke off, see {out / 'sim.log'}")
    return [json.loads(line) for line in lines]


def verdict(row: Row) -> str:
    """`ok`, `short`, or nothing where there is no goal."""
    rate, cycles = row["line_rate"], row["cycles_per_packet"]
    goal_rate, goal_cycles = row["goal_line_rate"], row["goal_cycles"]
    if isinstance(goal_rate, float) and isinstance(rate, float):
        return "ok" if rate >= goal_rate and not row.get("lost") else "short"
    if isinstance(goal_cycles, int | float) and isinstance(cycles, int | float):
        return "ok" if cycles <= goal_cycles else "short"
    return ""


def show(row: Row) -> str:
    """One line of the table."""
    rate, goal = row["line_rate"], row["goal_line_rate"] or row["goal_cycles"]
    wanted = f"{goal:.2f}" if isinstance(goal, int | float) else ""
    share = f"{rate:8.2%}" if isinstance(rate, float) else " " * 8
    used = row["axi_efficiency"]
    efficiency = f"{used:7.1%}" if isinstance(used, float) else " " * 7
    lost = f"  {row['lost']} lost" if row.get("lost") else ""
    return (
        f"{row['name']:42} {row['axi_data_w']:4} bit {row['latency_ns']:5} ns "
        f"{row['cycles_per_packet']:8.2f} cycles {share} {efficiency}  {wanted:>7} "
        f"{verdict(row)}{lost}"
    )


@click.command()
@click.option("--sim", default="verilator", show_default=True)
@click.option("--build", "names", multiple=True, help="only this build; repeatable")
@click.option("--only", default="", help="only cases with this in their name")
@click.option("--page", is_flag=True, help="write the table into docs/performance.md")
@click.option("--json", "report", type=click.Path(dir_okay=False, path_type=Path))
def main(sim: str, names: tuple[str, ...], only: str, page: bool, report: Path | None) -> None:
    """Measure the card against the wire, in cycles."""
    rows: list[Row] = []
    click.echo(f"{'':42} {'bus':>8} {'memory':>8} {'a packet':>15} {'of wire':>8} {'of AXI':>7}")
    for built in all_builds():
        if (names and built.name not in names) or not chosen(built, only):
            continue
        for row in measure(built, sim, only):
            rows.append(row)
            click.echo(show(row))
    path = report or Path("build/bench-hw.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n")
    if page:
        write_page(PAGE, [(row, verdict(row)) for row in rows])
    short = [row for row in rows if verdict(row) == "short"]
    click.echo(f"{len(rows)} rows, {len(short)} short; {path}")
    sys.exit(1 if short else 0)


if __name__ == "__main__":
    main()
