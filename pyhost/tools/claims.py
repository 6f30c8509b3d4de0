"""`pyhost claims`: the claims of docs/claims.md, the tests that carry them, and how they went.

The marks are read from the sources of the tests, so a claim shows its tests before they ever ran;
the results come from the file that the last `make test` left.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pyhost.tools.errors import UserError

__all__ = ["Claim", "marked_tests", "passing_claims", "read_claims", "read_results", "report"]

NOT_RUN = "not run"


class Claim(NamedTuple):
    """One row of docs/claims.md; `missing` says what of it is not built yet, "" if it is whole."""

    id: str
    layer: str
    text: str
    missing: str = ""


def report(root: Path) -> Iterator[str]:
    """The lines of the command for the project in `root`; UserError when that is no project."""
    claims = read_claims(root / "docs" / "claims.md")
    tests = marked_tests(root / "tests", root)
    results = read_results(root / "build" / "claims.json")
    for claim in claims:
        carriers = sorted(tests.get(claim.id, ()))
        yield f"{claim.id}  {claim.layer:<9} {claim.text}"
        yield from (f"     {results.get(test, NOT_RUN):<8} {test}" for test in carriers)
        if not carriers:
            yield "     no test"
        if claim.missing:
            yield f"     in part: {claim.missing}"
    passing = passing_claims(claims, tests, results)
    yield f"{len(passing)} of {len(claims)} claims have a passing test"


def read_claims(path: Path) -> list[Claim]:
    """The rows of the table in `path`, in its order, with what its last list says is missing."""
    if not path.is_file():
        raise UserError(f"{path} is not there: run this in a checkout of the project")
    text = path.read_text(encoding="utf-8")
    missing = dict(re.findall(r"^- (S\d\d): (.+)$", text, re.MULTILINE))
    rows = re.findall(r"^\| (S\d\d) \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    return [Claim(id, layer, what, missing.get(id, "")) for id, layer, what in rows]


def marked_tests(folder: Path, root: Path) -> dict[str, set[str]]:
    """Claim → names (`tests/…/test_x.py::test_name`) of the tests in `folder` that carry it."""
    tests: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.rglob("test_*.py")):
        module = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=module)
        for claim, name in _marks_in(tree, module, frozenset()):
            tests[claim].add(name)
    return dict(tests)


def read_results(path: Path) -> dict[str, str]:
    """Test → outcome from the last recorded run; empty when there was none."""
    if not path.is_file():
        return {}
    results: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return results


def passing_claims(
    claims: Iterable[Claim], tests: Mapping[str, set[str]], results: Mapping[str, str]
) -> list[str]:
    """The whole claims with a test that passed and none that failed."""
    passing = []
    for claim in claims:
        if claim.missing:
            continue
        outcomes = {results.get(test, NOT_RUN) for test in tests.get(claim.id, ())}
        if "passed" in outcomes and "failed" not in outcomes:
            passing.append(claim.id)
    return passing


def _marks_in(
    scope: ast.Module | ast.ClassDef, prefix: str, inherited: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """(claim, test) for each test in a module or class, with the marks of what it stands in."""
    inherited |= _claims_of(_pytestmark(scope))
    for node in scope.body:
        if isinstance(node, ast.ClassDef):
            own = inherited | _claims_of(node.decorator_list)
            yield from _marks_in(node, f"{prefix}::{node.name}", own)
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            for claim in inherited | _claims_of(node.decorator_list):
                yield claim, f"{prefix}::{node.name}"


def _pytestmark(scope: ast.Module | ast.ClassDef) -> list[ast.expr]:
    """The expressions assigned to `pytestmark` in a module or class."""
    return [
        node.value
        for node in scope.body
        if isinstance(node, ast.Assign)
        and any(isinstance(name, ast.Name) and name.id == "pytestmark" for name in node.targets)
    ]


def _claims_of(expressions: Iterable[ast.expr]) -> frozenset[str]:
    """The arguments of every `….claim(…)` in the expressions."""
    return frozenset(
        argument.value
        for expression in expressions
        for call in ast.walk(expression)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "claim"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )
