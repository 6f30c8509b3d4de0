"""What became of the scripts, as the user sees it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import IO

from tb.packetdrill.job import ERROR, FAIL, OK, SKIP, Job, Outcome

__all__ = ["Report"]

_COLUMNS = (("passed", (OK,)), ("failed", (FAIL, ERROR)), ("skipped", (SKIP,)))
"""A script that is wrong has failed."""


class Report:
    """Prints a line for each script, the totals of each folder if there are several, and the totals
    of all.
    """

    def __init__(self, job: Job, output: IO[str]) -> None:
        self._job = job
        self._output = output
        self._folders: dict[str, Counter[str]] = {}

    def add(self, outcome: Outcome) -> None:
        """Print what became of a script; a script that is wrong goes to standard error."""
        file = Path(outcome.path)
        folder = str(file.parent.relative_to(self._job.root))
        self._folders.setdefault(folder, Counter())[outcome.verdict] += 1
        if outcome.verdict == ERROR:
            self._output.flush()
            sys.stderr.write(f"pyhost: {outcome.reason}\n")
            return
        lines = outcome.reason.splitlines()
        results = self._job.results(file)
        if outcome.verdict == FAIL and results is not None:
            lines.append(f"captures: {results}")
        self._say("\n     ".join([f"{outcome.verdict:4} {outcome.path}", *lines]))

    def close(self) -> int:
        """Print the totals; returns the exit status: 0, 1 when a script has failed, 2 when one is
        wrong.
        """
        total = sum(self._folders.values(), Counter[str]())
        if len(self._folders) > 1:
            self._say(self._table())
        counts = zip(_counts(total), _COLUMNS, strict=True)
        self._say(", ".join(f"{count} {name}" for count, (name, _) in counts))
        return 2 if total[ERROR] else 1 if total[FAIL] else 0

    def _table(self) -> str:
        """A row for each folder, in the order of their names."""
        width = max(map(len, self._folders))
        rows = [f"{'':{width}}  " + "  ".join(name for name, _ in _COLUMNS)]
        for folder, verdicts in sorted(self._folders.items()):
            cells = [
                f"{count:{len(name)}}"
                for count, (name, _) in zip(_counts(verdicts), _COLUMNS, strict=True)
            ]
            rows.append(f"{folder:{width}}  " + "  ".join(cells))
        return "\n".join(rows)

    def _say(self, text: str) -> None:
        self._output.write(f"{text}\n")
        self._output.flush()


def _counts(verdicts: Counter[str]) -> list[int]:
    return [sum(verdicts[verdict] for verdict in kinds) for _, kinds in _COLUMNS]
