"""pyhost/cli.py: what the command accepts, what it hands on, how it words a mistake."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from pyhost import cli
from pyhost.tools import toolchain
from pyhost.tools.errors import UserError
from tb.config import RunConfig

ROOT = Path(__file__).resolve().parents[3]

Run = Callable[..., int]


class FakeSession(types.ModuleType):
    """Stands for `tb.session`: keeps what it is asked to run."""

    def __init__(self) -> None:
        super().__init__("tb.session")
        self.configs: list[RunConfig] = []
        self.status = 0
        self.error: Exception | None = None

    def run(self, config: RunConfig) -> int:
        self.configs.append(config)
        if self.error is not None:
            raise self.error
        return self.status


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    import tb

    fake = FakeSession()
    monkeypatch.setitem(sys.modules, "tb.session", fake)
    monkeypatch.setattr(tb, "session", fake, raising=False)
    return fake


@pytest.fixture
def pyhost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder with one program, `prog.py`; returns its exit status."""
    monkeypatch.chdir(tmp_path)
    for name in ("SIM", "WAVES", "COCOTB_RANDOM_SEED"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "prog.py").write_text("print('hello')\n")

    def run(*argv: str) -> int:
        with pytest.raises(SystemExit) as leaving:
            cli.main(argv)
        code = leaving.value.code
        assert isinstance(code, int)
        return code

    return run


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pyhost: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("pyhost: ").rstrip("\n")


def test_defaults_are_those_of_the_manual(
    pyhost: Run, session: FakeSession, tmp_path: Path
) -> None:
    assert pyhost("run", "--sim", "model", "prog.py") == 0
    assert session.configs == [
        RunConfig(
            program=tmp_path / "prog.py",
            args=(),
            peer_program=None,
            sim="model",
            link_rate_bps=10_000_000_000,
            mtu=1500,
            delay_ns=1000,
            sysctls=(),
            seed=0,
            waves=False,
            out=tmp_path / "build" / "run" / "prog",
            cwd=tmp_path,
        )
    ]


def test_each_option_arrives(pyhost: Run, session: FakeSession, tmp_path: Path) -> None:
    (tmp_path / "peer.py").touch()
    options = "--sim model --peer-program peer.py --link-rate 2.5g --mtu 9000 --delay 2ms --seed 7"
    assert pyhost("run", *options.split(), "--out", "there", "prog.py") == 0
    [config] = session.configs
    assert config.peer_program == tmp_path / "peer.py"
    assert (config.link_rate_bps, config.mtu, config.delay_ns) == (2_500_000_000, 9000, 2_000_000)
    assert (config.seed, config.out) == (7, tmp_path / "there")
    assert config.out.is_dir()


def test_options_after_the_program_belong_to_the_program(pyhost: Run, session: FakeSession) -> None:
    assert pyhost("run", "--sim", "model", "prog.py", "--mtu", "x", "-h", "--", "z") == 0
    assert session.configs[0].args == ("--mtu", "x", "-h", "--", "z")


@pytest.mark.parametrize("status", [0, 1, 3, 42])
def test_the_exit_status_is_the_session_s(pyhost: Run, session: FakeSession, status: int) -> None:
    session.status = status
    assert pyhost("run", "--sim", "model", "prog.py") == status


def test_variables_of_cocotb_are_defaults(
    pyhost: Run, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "require_simulator", lambda _sim, *, waves: None)
    for name, value in {"SIM": "verilator", "WAVES": "1", "COCOTB_RANDOM_SEED": "99"}.items():
        monkeypatch.setenv(name, value)
    pyhost("run", "prog.py")
    pyhost("run", "--sim", "icarus", "--seed", "1", "prog.py")
    assert [(c.sim, c.waves, c.seed) for c in session.configs] == [
        ("verilator", True, 99),
        ("icarus", True, 1),
    ]


@pytest.mark.parametrize(
    ("value", "on"),
    [("0", False), ("", False), ("off", False), ("disable", False), ("enable", True)],
)
def test_waves_is_read_as_cocotb_reads_it(
    pyhost: Run,
    session: FakeSession,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    on: bool,
) -> None:
    monkeypatch.setattr(toolchain, "require_simulator", lambda _sim, *, waves: None)
    monkeypatch.setenv("WAVES", value)
    pyhost("run", "--sim", "icarus", "prog.py")
    assert session.configs[0].waves is on


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("run", "Missing argument 'PROGRAM'"),
        ("run absent.py", "'absent.py' does not exist"),
        ("run .", "is a directory"),
        (
            "run --peer-program absent.py prog.py",
            "'--peer-program': File 'absent.py' does not exist",
        ),
        ("run --sim questa prog.py", "'questa' is not one of 'icarus', 'verilator', 'model'"),
        ("run --link-rate ten prog.py", "'ten' is not a rate"),
        ("run --link-rate 0g prog.py", "'0g' is not a rate"),
        ("run --link-rate -1g prog.py", "'-1g' is not a rate"),
        ("run --delay 5 prog.py", "'5' is not a time"),
        ("run --delay 0.5ns prog.py", "not a whole number of nanoseconds"),
        ("run --mtu 67 prog.py", "67 is not in the range"),
        ("run --mtu 9001 prog.py", "9001 is not in the range"),
        ("run --seed -1 prog.py", "-1 is not in the range"),
        ("run --seed x prog.py", "'x' is not a valid integer"),
        ("run --sysctl net.ipv4.tcp_sack prog.py", "is not NAME=VALUE"),
        ("run --sysctl =1 prog.py", "is not NAME=VALUE"),
        ("run --sysctl net.ipv4.tcp_sack= prog.py", "is not NAME=VALUE"),
        ("run --setup absent prog.py", "'--setup': File 'absent' does not exist"),
        ("run --sim model --out prog.py prog.py", "is a file"),
        ("run --sim model --out prog.py/sub prog.py", "cannot make prog.py/sub"),
        ("run --sim model --waves prog.py", "--waves needs signals"),
        ("run --frobnicate prog.py", "No such option '--frobnicate'"),
        ("walk prog.py", "No such command 'walk'"),
    ],
)
def test_a_mistake_gives_one_line_and_status_2(
    pyhost: Run,
    session: FakeSession,
    capsys: pytest.CaptureFixture[str],
    argv: str,
    words: str,
) -> None:
    assert pyhost(*argv.split()) == 2
    assert words in complaint(capsys)
    assert session.configs == []


def test_an_unknown_sysctl_is_refused_before_anything_runs(
    pyhost: Run, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyhost("run", "--sim", "model", "--sysctl", "net.ipv4.tcp_magic=1", "prog.py") == 2
    assert complaint(capsys) == "--sysctl net.ipv4.tcp_magic: no such sysctl"
    assert session.configs == []


def test_a_value_a_sysctl_does_not_take_is_refused(
    pyhost: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyhost("run", "--sim", "model", "--sysctl", "net.ipv4.tcp_sack=maybe", "prog.py") == 2
    assert "net.ipv4.tcp_sack: 'maybe' is not a whole number" in complaint(capsys)


def test_sysctls_arrive_in_the_order_given(pyhost: Run, session: FakeSession) -> None:
    settings = ["net.ipv4.tcp_sack=0", "net/ipv4/ip_default_ttl = 32"]
    options = [word for setting in settings for word in ("--sysctl", setting)]
    assert pyhost("run", "--sim", "model", *options, "prog.py") == 0
    assert session.configs[0].sysctls == (
        ("net.ipv4.tcp_sack", "0"),
        ("net.ipv4.ip_default_ttl", "32"),
    )


def test_setup_files_come_before_single_commands_each_with_its_place(
    pyhost: Run, session: FakeSession, tmp_path: Path
) -> None:
    (tmp_path / "host.setup").write_text("# queue\n\n  tc qdisc replace dev eth0 root fq  \n")
    options = ["--do", "sysctl -q net.ipv4.tcp_sack=0", "--setup", "host.setup"]
    assert pyhost("run", "--sim", "model", *options, "prog.py") == 0
    assert session.configs[0].setup == (
        ("host.setup:3", "tc qdisc replace dev eth0 root fq"),
        ("--do", "sysctl -q net.ipv4.tcp_sack=0"),
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("tc qdisc add dev eth9 root fq", 'Cannot find device "eth9"'),
        ("ip route add 10.1.0.0/16 via 10.9.9.9", "Nexthop has invalid gateway"),
        ("iptables -A NOWHERE -j DROP", "No chain/target/match by that name"),
        ("sysctl net.ipv4.tcp_magic=1", "no such sysctl"),
        ("reboot", "reboot: not a command here"),
    ],
)
def test_a_command_that_the_host_refuses_is_named_with_its_place(
    pyhost: Run,
    session: FakeSession,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
    words: str,
) -> None:
    (tmp_path / "host.setup").write_text(f"# a host\n{command}\n")
    assert pyhost("run", "--sim", "model", "--setup", "host.setup", "prog.py") == 2
    line = complaint(capsys)
    assert line.startswith(f"host.setup:2: `{command}`: ")
    assert words in line
    assert pyhost("run", "--sim", "model", "--do", command, "prog.py") == 2
    assert complaint(capsys).startswith(f"--do: `{command}`: ")
    assert session.configs == []


def test_commands_are_tried_with_the_settings_of_the_run(pyhost: Run, session: FakeSession) -> None:
    rules = Path("rules")
    assert pyhost("iptables", "--rules", "rules", "-N", "mail") == 0
    options = ["--iptables-rules", str(rules), "--do", "iptables -A OUTPUT -j mail"]
    assert pyhost("run", "--sim", "model", *options, "prog.py") == 0
    assert session.configs[0].setup == (("--do", "iptables -A OUTPUT -j mail"),)


def test_a_mistake_found_while_running_is_one_line_too(
    pyhost: Run, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.error = UserError("verilator needs g++: run `apt-get install g++`")
    assert pyhost("run", "--sim", "model", "prog.py") == 2
    assert complaint(capsys) == "verilator needs g++: run `apt-get install g++`"


def test_a_missing_simulator_is_named_with_the_command_that_brings_it(
    pyhost: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(toolchain, "search_path", lambda: "")
    assert pyhost("run", "--sim", "icarus", "prog.py") == 2
    assert "icarus needs iverilog: run `" in (line := complaint(capsys))
    assert "apt-get install iverilog`" in line


def test_without_any_simulator_the_way_out_is_named(
    pyhost: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(toolchain, "search_path", lambda: "")
    assert pyhost("run", "prog.py") == 2
    assert "`make setup`" in (line := complaint(capsys))
    assert "--sim model" in line


def test_the_command_starts_without_the_heavy_packages() -> None:
    script = (
        "import sys, pyhost.cli\n"
        "heavy = {'numpy', 'cocotb', 'scapy', 'tqdm', 'greenlet', 'pytest'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    done = subprocess.run(
        [f"{sys.executable} -m pyhost claims | head -n 1 >/dev/null"],
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert (done.stdout, done.stderr) == ("", "")
