"""tb/setup.py: the host before its program starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.tools.errors import UserError
from tb.config import RunConfig
from tb.setup import SetupError, read_setup, set_up_host, try_setup


def config(*lines: str, mtu: int = 1500) -> RunConfig:
    """A run with these commands, the first one from line 1 of a file."""
    setup = tuple((f"host:{number}", line) for number, line in enumerate(lines, 1))
    return RunConfig(program=Path("/p"), out=Path("/o"), cwd=Path("/"), setup=setup, mtu=mtu)


@pytest.fixture
def kernel() -> Kernel:
    return boot(VirtualClock())


def test_lines_keep_their_numbers_and_files_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("# a comment\n\n\tsysctl -q net.ipv4.tcp_sack=0\n")
    two.write_text("ip link set eth0 mtu 1400 # in a line\n")
    assert read_setup([two, one], ["  tc qdisc  ", ""]) == (
        (f"{two}:1", "ip link set eth0 mtu 1400 # in a line"),
        (f"{one}:3", "sysctl -q net.ipv4.tcp_sack=0"),
        ("--do", "tc qdisc"),
    )


def test_a_file_that_is_no_text_is_the_user_s_mistake(tmp_path: Path) -> None:
    path = tmp_path / "host"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=f"cannot read {path}"):
        read_setup([path], [])


def test_commands_run_in_their_order_and_what_they_print_is_shown(kernel: Kernel) -> None:
    shown: list[str] = []
    set_up_host(
        kernel, config("sysctl net.ipv4.tcp_sack=0", "sysctl net.ipv4.tcp_sack"), shown.append
    )
    assert shown == ["net.ipv4.tcp_sack = 0\n"] * 2


def test_the_first_refused_command_ends_the_setup(kernel: Kernel) -> None:
    lines = ("sysctl -q net.ipv4.tcp_sack=0", "reboot", "sysctl -q net.ipv4.tcp_sack=1")
    with pytest.raises(SetupError, match=r"^host:2: `reboot`: reboot: not a command here"):
        set_up_host(kernel, config(*lines), lambda _text: None)
    assert kernel.sysctl["net.ipv4.tcp_sack"] == 0


def test_a_trial_has_the_interface_as_the_run_will_have_it() -> None:
    try_setup(config("ip route add 10.9.0.0/16 via 10.0.0.2", "tc qdisc replace dev eth0 root fq"))
    try_setup(config("ip route add 10.9.0.0/16 via 10.0.0.2 mtu 9000", mtu=9000))


def test_a_trial_tells_the_user_what_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"^host:1: `ip route add 10\.9\.0\.0/16 via 10\.7\.0\.2`: "
    ):
        try_setup(config("ip route add 10.9.0.0/16 via 10.7.0.2"))
