"""Command lines of an administrator."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel


@pytest.fixture
def kernel() -> Kernel:
    return boot(VirtualClock())


def test_a_setting_is_written_and_shown(kernel: Kernel) -> None:
    assert run_command(kernel, "sysctl -w net.ipv4.tcp_sack=0") == "net.ipv4.tcp_sack = 0\n"
    assert kernel.sysctl["net.ipv4.tcp_sack"] == 0


def test_quiet_prints_only_what_was_asked_for(kernel: Kernel) -> None:
    assert run_command(kernel, "sysctl -q net.ipv4.tcp_sack=0") == ""
    assert run_command(kernel, "sysctl -q net.ipv4.tcp_sack") == "net.ipv4.tcp_sack = 0\n"


def test_quoted_words_and_comments_are_taken_as_a_shell_would(kernel: Kernel) -> None:
    line = "sysctl -q net.ipv4.tcp_wmem='4096 16384 4194304'  # three numbers"
    run_command(kernel, line)
    assert run_command(kernel, "sysctl net.ipv4.tcp_wmem").split() == [
        "net.ipv4.tcp_wmem", "=", "4096", "16384", "4194304",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("frobnicate x", "frobnicate: not a command here"),
        ("sysctl 'net.ipv4", "No closing quotation"),
        ("sysctl net.ipv4.tcp_sock=1", "net.ipv4.tcp_sock: no such sysctl"),
        ("sysctl net.ipv4.tcp_sack=maybe", "'maybe' is not a whole number"),
    ],
)
def test_a_mistake_is_one_line(kernel: Kernel, line: str, says: str) -> None:
    with pytest.raises(CommandError, match=says) as error:
        run_command(kernel, line)
    assert "\n" not in str(error.value)
