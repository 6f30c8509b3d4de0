"""pyhost/tools/claims.py: claims, the tests that carry them, and what counts as covered."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhost.tools.claims import read_claims, report
from pyhost.tools.errors import UserError

ROOT = Path(__file__).resolve().parents[3]

CLAIMS = """\
| id | layer | claim |
|---|---|---|
| S01 | syscall | `write(fd, buf, len)` leaves user mode |
| S02 | vfs | an fd that is not open gives `-EBADF` |
| S03 | tcp | a bad pointer gives `-EFAULT` |
"""

TESTS = """\
import pytest

@pytest.mark.claim("S01")
def test_write(): ...

@pytest.mark.claim("S01", "S02")
@pytest.mark.parametrize("fd", [1, pytest.param(2, marks=pytest.mark.claim("S02"))])
def test_both(fd): ...

@pytest.mark.claim("S02")
class TestFds:
    def test_closed(self): ...
    def helper(self): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("docs", "tests/unit", "build"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/claims.md").write_text(CLAIMS)
    (tmp_path / "tests/unit/test_fs.py").write_text(TESTS)
    return tmp_path


def test_the_list_of_the_project_has_48_claims_in_order() -> None:
    claims = read_claims(ROOT / "docs" / "claims.md")
    assert [claim.id for claim in claims] == [f"S{number:02}" for number in range(1, 49)]


def test_before_any_run_the_marks_are_shown_as_not_run(project: Path) -> None:
    assert list(report(project)) == [
        "S01  syscall   `write(fd, buf, len)` leaves user mode",
        "     not run  tests/unit/test_fs.py::test_both",
        "     not run  tests/unit/test_fs.py::test_write",
        "S02  vfs       an fd that is not open gives `-EBADF`",
        "     not run  tests/unit/test_fs.py::TestFds::test_closed",
        "     not run  tests/unit/test_fs.py::test_both",
        "S03  tcp       a bad pointer gives `-EFAULT`",
        "     no test",
        "0 of 3 claims have a passing test",
    ]


def test_a_claim_counts_when_a_test_passed(project: Path) -> None:
    (project / "build/claims.json").write_text('{"tests/unit/test_fs.py::test_write": "passed"}')
    lines = list(report(project))
    assert lines[-1] == "1 of 3 claims have a passing test"
    assert "     passed   tests/unit/test_fs.py::test_write" in lines


def test_a_claim_with_a_failing_test_does_not_count(project: Path) -> None:
    (project / "build/claims.json").write_text(
        '{"tests/unit/test_fs.py::test_write": "passed",'
        ' "tests/unit/test_fs.py::test_both": "failed"}'
    )
    assert list(report(project))[-1] == "0 of 3 claims have a passing test"


def test_a_claim_that_is_not_whole_does_not_count(project: Path) -> None:
    (project / "build/claims.json").write_text('{"tests/unit/test_fs.py::test_write": "passed"}')
    with (project / "docs/claims.md").open("a") as claims:
        claims.write("\n## Not yet whole\n\n- S01: user pointers are trusted\n")
    lines = list(report(project))
    assert lines[-1] == "0 of 3 claims have a passing test"
    assert "     in part: user pointers are trusted" in lines


def test_a_result_of_a_test_that_is_gone_does_not_count(project: Path) -> None:
    (project / "build/claims.json").write_text('{"tests/unit/test_fs.py::test_gone": "passed"}')
    assert list(report(project))[-1] == "0 of 3 claims have a passing test"


def test_outside_a_project_the_user_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="in a checkout of the project"):
        list(report(tmp_path))
