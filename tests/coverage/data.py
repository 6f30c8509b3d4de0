"""Reading Verilator's coverage data and summing it up by module.

A record names a point by file, line, column, kind and comment and says how often it was hit. The
same point in several runs, instances and parameters is one point here: hit by any is hit.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ModuleCoverage", "checks", "read", "summarize"]

RECORD = re.compile(r"^C '(.*)' (\d+)$")

NOT_THE_CARD = ("hnic_axi_check",)
"""A judge beside the bus, which is there in simulations only."""

Point = tuple[str, str, int, int, str, str]
"""Kind (line, branch, toggle), file below hdl/, line, column, comment, lines that it stands for."""


def read(files: Iterable[Path], hdl: str = "/hdl/") -> Counter[Point]:
    """How often each point of the card's files was hit, over all files of data."""
    hits: Counter[Point] = Counter()
    for file in files:
        for text in file.read_text(errors="replace").splitlines():
            match = RECORD.match(text)
            if match is None:
                continue
            fields = dict(
                item.split("\x02", 1) for item in match[1].split("\x01") if "\x02" in item
            )
            kind = fields.get("page", "").split("/")[0].removeprefix("v_")
            folder, found, path = fields["f"].rpartition(hdl)
            if not found or folder.endswith("/tb") or kind not in ("line", "branch", "toggle"):
                continue
            if Path(path).stem in NOT_THE_CARD:
                continue
            point = (
                kind,
                path,
                int(fields["l"]),
                int(fields["n"]),
                fields.get("o", ""),
                fields.get("S", ""),
            )
            hits[point] += int(match[2])
    return hits


def checks(text: str) -> set[int]:
    """The lines under `ifdef HNIC_CHECKS: what they say must never happen."""
    lines: set[int] = set()
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("`ifdef HNIC_CHECKS"):
            inside = True
        elif line.startswith(("`endif", "`else")):
            inside = False
        elif inside:
            lines.add(number)
    return lines


@dataclass(slots=True)
class ModuleCoverage:
    """One module: points hit and points there are, by kind; what was not hit."""

    hit: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    lines: list[int] = field(default_factory=list)
    branches: list[tuple[int, str]] = field(default_factory=list)
    toggles: list[str] = field(default_factory=list)


def summarize(hits: Counter[Point], hdl: Path) -> dict[str, ModuleCoverage]:
    """Coverage by module. A line counts as run when any point that stands for it was hit."""
    modules: dict[str, ModuleCoverage] = defaultdict(ModuleCoverage)
    lines: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    unjudged = {path: checks((hdl / path).read_text()) for path in {point[1] for point in hits}}
    for point, count in hits.items():
        kind, path, line, _, comment, spans = point
        if line in unjudged[path]:
            continue
        module = modules[Path(path).stem]
        if kind == "toggle":
            module.toggles += [] if count else [comment]
        else:
            for number in _numbers(spans):
                lines[path][number] += count
        if kind == "branch" and not count:
            module.branches.append((line, comment))
        if kind != "line":
            module.total[kind] += 1
            module.hit[kind] += count > 0
    for path, counts in lines.items():
        module = modules[Path(path).stem]
        counts = {n: count for n, count in counts.items() if n not in unjudged[path]}
        module.total["line"] = len(counts)
        module.hit["line"] = sum(count > 0 for count in counts.values())
        module.lines = sorted(number for number, count in counts.items() if not count)
        module.branches.sort()
    return dict(sorted(modules.items()))


def _numbers(spans: str) -> list[int]:
    """The line numbers in a text as "3-5,9"."""
    numbers: list[int] = []
    for span in filter(None, spans.split(",")):
        first, _, last = span.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers
