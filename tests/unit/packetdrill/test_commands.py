"""Commands of a script, as far as they are not an administrator's tool (tests/unit/admin)."""

from __future__ import annotations

import pytest

from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.packetdrill.commands import DEFAULTS, run_script_command
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.uapi.errno import ENOENT
from pyhost.uapi.fcntl import O_RDONLY
from tests.unit.support import Program, run_in_process


@pytest.fixture
def kernel() -> Kernel:
    return boot(VirtualClock())


def test_sysctls_in_both_forms(kernel: Kernel) -> None:
    run_script_command(
        kernel,
        "sysctl -q net.ipv4.tcp_sack=0 \\\n net/ipv4/tcp_dsack=0\n"
        '../common/set_sysctls.py /proc/sys/net/ipv4/tcp_wmem="4096 50000 4194304" \\\n'
        "   /proc/sys/net/ipv4/tcp_timestamps=0",
    )
    assert kernel.sysctl["net.ipv4.tcp_sack"] == 0
    assert kernel.sysctl["net.ipv4.tcp_dsack"] == 0
    assert kernel.sysctl["net.ipv4.tcp_timestamps"] == 0
    assert kernel.sysctl["net.ipv4.tcp_wmem"] == (4096, 50000, 4194304)


def test_sysctl_e_leaves_out_what_is_not_there(kernel: Kernel) -> None:
    run_script_command(kernel, "sysctl -e -q net.ipv4.no_such=1 net.ipv4.tcp_sack=0")
    assert kernel.sysctl["net.ipv4.tcp_sack"] == 0


def test_the_defaults_are_all_settings_of_this_stack(kernel: Kernel) -> None:
    assert set(DEFAULTS) <= set(kernel.sysctl)


def test_restoring_is_not_needed(kernel: Kernel) -> None:
    assert run_script_command(kernel, "/tmp/sysctl_restore_${PPID}.sh") == ""


def test_comments_and_empty_lines_do_nothing(kernel: Kernel) -> None:
    assert run_script_command(kernel, "\n# nothing\n  \n") == ""
    run_script_command(kernel, "sysctl -q net.ipv4.tcp_sack=0  # off")
    assert kernel.sysctl["net.ipv4.tcp_sack"] == 0


def test_lists_go_on_as_in_a_shell(kernel: Kernel) -> None:
    run_script_command(kernel, "magic &> /dev/null || sysctl -q net.ipv4.tcp_sack=0")
    assert kernel.sysctl["net.ipv4.tcp_sack"] == 0
    run_script_command(kernel, "sysctl -q net.ipv4.tcp_sack=1 || sysctl -q net.ipv4.tcp_dsack=0")
    assert (kernel.sysctl["net.ipv4.tcp_sack"], kernel.sysctl["net.ipv4.tcp_dsack"]) == (1, 1)
    run_script_command(kernel, "magic 2>/dev/null ; sysctl -q net.ipv4.tcp_dsack=0")
    assert kernel.sysctl["net.ipv4.tcp_dsack"] == 0


def test_the_last_command_decides(kernel: Kernel) -> None:
    with pytest.raises(ScriptFailure, match="magic: not a command here"):
        run_script_command(kernel, "sysctl -q net.ipv4.tcp_sack=0 && magic")
    run_script_command(kernel, "magic\nsysctl -q net.ipv4.tcp_sack=0")


def test_grep_fails_when_it_finds_nothing(kernel: Kernel) -> None:
    out = run_script_command(kernel, "sysctl net.ipv4.tcp_sack net.ipv4.tcp_dsack | grep dsack")
    assert out == "net.ipv4.tcp_dsack = 1\n"
    with pytest.raises(ScriptFailure, match="nothing found"):
        run_script_command(kernel, "sysctl net.ipv4.tcp_sack | grep dsack > /dev/null")


def test_what_cannot_be_written_to_is_told(kernel: Kernel) -> None:
    with pytest.raises(ScriptFailure, match="/etc/motd: nothing that can be written to here"):
        run_script_command(kernel, "echo 1 > /etc/motd")


def test_dd_makes_a_file_of_zeros_and_rm_takes_it_away(kernel: Kernel) -> None:
    kernel.rootfs.mkdir("/tmp")

    def script(program: Program) -> tuple[bytes, int]:
        run_script_command(kernel, "/bin/dd bs=1 count=5 if=/dev/zero of=/tmp/f status=none")
        data = program.read(program.open("/tmp/f", O_RDONLY), 99)
        run_script_command(kernel, "/bin/rm -f /tmp/f")
        return data, program.open("/tmp/f", O_RDONLY)

    assert run_in_process(kernel, script) == (bytes(5), -ENOENT)
