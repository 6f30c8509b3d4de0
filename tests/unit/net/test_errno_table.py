"""What the socket calls return when something is wrong, case by case.

The cases run as one program on a machine of ours and one under the real Linux, so
the real kernel is the judge of both the program's outcome and the table's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.net.errno_cases import CALL_CASES, PRELUDE
from tests.unit.net.errno_option_cases import OPTION_CASES
from tests.unit.user.conftest import Host

CASES = CALL_CASES + OPTION_CASES

HARNESS = """
errno.errorcode[errno.EOPNOTSUPP] = "EOPNOTSUPP"

def run(name, body):
    scope = dict(globals())
    try:
        exec(body, scope)
        outcome = scope.get("out", "nothing")
    except OSError as error:
        outcome = errno.errorcode.get(error.errno, error.errno)
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    while kept:
        kept.pop().close()
    print(name, repr(outcome), sep="\\t")

for name, body in CASES:
    run(name, body)
"""


def outcomes(printed: str) -> dict[str, str]:
    return dict(line.split("\t") for line in printed.splitlines())


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("errno") / "cases.py"
    table = [(name, body) for name, body, _ in CASES]
    path.write_text(f"{PRELUDE}\nCASES = {table!r}\n{HARNESS}")
    return path


@pytest.fixture(scope="module")
def ours(program: Path) -> dict[str, str]:
    host = Host(program.parent)
    process, streams = host.start(program)
    host.finish(process)
    result = host.result(process, streams)
    host.close()
    assert (result.status, result.err) == (0, "")
    return outcomes(result.out)


@pytest.fixture(scope="module")
def linux(program: Path) -> dict[str, str]:
    real = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=60
    )
    return outcomes(real.stdout)


@pytest.mark.parametrize(("name", "outcome"), [(name, repr(out)) for name, _, out in CASES])
def test_the_outcome_is_that_of_linux(
    name: str, outcome: str, ours: dict[str, str], linux: dict[str, str]
) -> None:
    assert linux[name] == outcome
    assert ours[name] == outcome
