"""`pyhost iptables`: rules in a file, changed with the words of iptables."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhost import cli
from pyhost.tools.errors import UserError
from pyhost.tools.iptables import check_rules, edit_rules


def test_the_first_rule_makes_the_file_and_the_next_one_is_added(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    edit_rules(path, ["-A", "OUTPUT", "-p", "tcp", "--dport", "25", "-j", "DROP"])
    edit_rules(path, ["-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE"])
    text = path.read_text()
    assert "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" in text
    assert "*nat\n" in text
    assert check_rules(path) == text


def test_looking_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    assert edit_rules(path, ["-S", "OUTPUT"]) == "-P OUTPUT ACCEPT\n"
    assert not path.exists()


def test_a_refused_command_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    edit_rules(path, ["-P", "INPUT", "DROP"])
    before = path.read_text()
    with pytest.raises(UserError, match="No chain/target/match by that name"):
        edit_rules(path, ["-A", "NOWHERE", "-j", "DROP"])
    assert path.read_text() == before


def test_a_mistake_in_the_file_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("*filter\n-A OUTPUT -p nonsense\nCOMMIT\n")
    with pytest.raises(UserError, match=r"rules: iptables-restore: line 2 failed"):
        check_rules(path)


def test_the_command_prints_what_iptables_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for argv in (
        ["iptables", "-A", "OUTPUT", "-p", "tcp", "--dport", "25", "-j", "DROP"],
        ["iptables", "-nL", "OUTPUT"],
    ):
        with pytest.raises(SystemExit) as leaving:
            cli.main(argv)
        assert leaving.value.code == 0
    assert "tcp dpt:25" in capsys.readouterr().out
    assert (tmp_path / "iptables.rules").is_file()


def test_a_mistake_on_the_command_line_is_one_line_and_status_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["iptables", "--rules", str(tmp_path / "r"), "-A", "OUTPUT", "-m", "nothing"])
    assert leaving.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "pyhost: iptables: Couldn't load match `nothing':No such file or directory"
    ]
