"""What a run of scripts is told: which scripts, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhost.tools.errors import UserError
from tb.packetdrill.job import ERROR, FAIL, SKIP, Job, Outcome, find_scripts, load


def test_a_job_travels_as_json() -> None:
    job = Job(
        files=(Path("/s/a.pkt"), Path("/s/b.pkt")),
        root=Path("/s"),
        sim="verilator",
        seed=7,
        defines=(("A", '"x"'),),
        options=(("mtu", "1280"),),
        verbose=True,
        waves=True,
        out=Path("/out"),
        cwd=Path("/cwd"),
    )
    assert Job.from_json(job.to_json()) == job
    plain = Job(files=(), cwd=Path("/cwd"))
    assert Job.from_json(plain.to_json()) == plain


def test_the_names_of_ipv4_scripts_are_defined_and_can_be_changed() -> None:
    plain = Job(files=(), cwd=Path("/"))
    assert plain.settings().defines["CMSG_LEVEL_IP"] == "SOL_IP"
    changed = Job(files=(), cwd=Path("/"), defines=(("CMSG_LEVEL_IP", "7"),))
    assert changed.settings().defines["CMSG_LEVEL_IP"] == "7"


def test_an_outcome_travels_as_one_line() -> None:
    outcome = Outcome("/a.pkt", FAIL, "two\nlines")
    line = outcome.to_json("printed\n")
    assert "\n" not in line
    assert Outcome.from_json(line) == (outcome, "printed\n")


def test_results_lie_where_the_script_does() -> None:
    job = Job(files=(), root=Path("/s"), out=Path("/out"), cwd=Path("/"))
    assert job.results(Path("/s/cork/x.pkt")) == Path("/out/cork/x")
    assert Job(files=(), cwd=Path("/")).results(Path("/s/x.pkt")) is None


# -- finding scripts -------------------------------------------------------------------------------


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_stands_for_all_scripts_in_it_and_below(tmp_path: Path) -> None:
    make(tmp_path, "b/y.pkt", "a/x.pkt", "a/deep/z.pkt", "a/defaults.sh")
    files, root = find_scripts([tmp_path])
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "a/deep/z.pkt",
        "a/x.pkt",
        "b/y.pkt",
    ]
    assert root == tmp_path


def test_a_script_that_is_named_twice_runs_once(tmp_path: Path) -> None:
    make(tmp_path, "a/x.pkt", "a/y.pkt")
    files, root = find_scripts([tmp_path / "a" / "y.pkt", tmp_path])
    assert [file.name for file in files] == ["y.pkt", "x.pkt"]
    assert root == tmp_path / "a"


def test_a_folder_without_scripts_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \*\.pkt there"):
        find_scripts([tmp_path])


# -- scripts that are not run ----------------------------------------------------------------------


def outcome_of(file: Path, content: bytes) -> Outcome:
    file.write_bytes(content)
    found = load(Job(files=(file,), cwd=file.parent), file)
    assert isinstance(found, Outcome)
    return found


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("basic-v6.pkt", b"0 `x`\n", "basic-v6.pkt is named for IPv6: there is only IPv4"),
        ("x.pkt", b"--ip_version=ipv6\n0 `x`\n", "IP version ipv6: there is only IPv4"),
        ("x.pkt", b"--local_ip=fd::1\n0 `x`\n", "--local_ip=fd::1: there is only IPv4"),
        ("x.pkt", b"0 < icmpv6 unreachable\n", "ICMPv6: there is only IPv4"),
        (
            "x.pkt",
            b"0 > [flowlabel 0x1] . 0:0(0)\n",
            "a flow label is IPv6's: there is only IPv4",
        ),
    ],
)
def test_a_script_for_ipv6_is_skipped(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    outcome = outcome_of(tmp_path / name, content)
    assert (outcome.verdict, outcome.reason) == (SKIP, reason)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe", ": no text: "),
        (b"--magic\n0 `x`\n", ":1: unknown option --magic"),
        (b"--mtu=12\n0 `x`\n", ":1: bad value for --mtu: '12'"),
        (b"1 `x`\n", ":1: the first event must be at time 0"),
        (b"0 x\n+0 `y`\n", ":2: expected "),
    ],
)
def test_a_script_that_is_wrong_says_where(tmp_path: Path, content: bytes, told: str) -> None:
    outcome = outcome_of(tmp_path / "x.pkt", content)
    assert outcome.verdict == ERROR
    assert outcome.reason.startswith(f"{tmp_path}/x.pkt{told}")


def test_a_script_that_is_gone_says_so(tmp_path: Path) -> None:
    file = tmp_path / "x.pkt"
    assert load(Job(files=(file,), cwd=tmp_path), file) == Outcome(
        str(file), ERROR, f"{file}: No such file or directory"
    )
